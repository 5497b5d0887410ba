"""Every model, generated: written and read again it is the same, and odd JSON is read or refused by name."""

import copy
import json
import pickle
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpcrunch_async import CustomValue, DecodeError, Message, from_dict, models, to_dict
from helpcrunch_async.converter import read_page, structure_one, structure_page
from helpcrunch_async.models import webhook

SECRET = "mara.quill@customer.example"
MODELS: list[Any] = sorted(
    {
        kind
        for room in (models, webhook)
        for kind in vars(room).values()
        if isinstance(kind, type) and attrs.has(kind) and "extra" in attrs.fields_dict(kind)
    },
    key=lambda kind: kind.__name__,
)
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)

TEXT = st.text(max_size=8) | st.just(SECRET)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
ODD = SCALARS | st.sampled_from(["", "1712050001", "1593800537.924", 1712050001, 10**30, 1e300, {}, [], "7"])
KEYS = st.sampled_from(["id", "name", "data", "property", "value", "total", "meta", "messages", "extra"])
ANY_JSON = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
EXTRA = st.dictionaries(st.text(max_size=3).map(lambda key: f"x-{key}"), ANY_JSON, max_size=1)
MOMENTS = st.integers(-(10**15), 4 * 10**15).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(1),
    bool: st.booleans(),
    NoneType: st.none(),
    datetime: MOMENTS,
    Any: ANY_JSON,
    dict[str, CustomValue]: st.dictionaries(TEXT, SCALARS, max_size=2),
    Mapping[str, Any]: EXTRA,
}


@cache
def of_kind(kind: Any) -> st.SearchStrategy[Any]:
    """Give values of a field's type."""
    if kind in PLAIN:
        return PLAIN[kind]
    if get_origin(kind) in (Union, UnionType):
        return st.one_of(*map(of_kind, get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(of_kind(get_args(kind)[0]), max_size=2).map(tuple)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    return st.builds(kind, **{field.name: of_kind(field.type) for field in attrs.fields(kind)})


@st.composite
def nearly(draw: st.DrawFn, model: Any) -> Any:
    """Give the JSON of a model, changed in up to three places."""
    mapping = json.loads(json.dumps(to_dict(draw(of_kind(model)))))
    for _ in range(draw(st.integers(0, 3))):
        node = mapping
        while node:
            key: Any = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if isinstance(node[key], dict | list) and node[key] and draw(st.integers(0, 3)):
                node = node[key]
                continue
            if draw(st.integers(0, 4)):
                node[key] = draw(ANY_JSON)
            else:
                del node[key]
            break
    return mapping


def test_every_model_is_among_them() -> None:
    """A model that is added is tested here, too."""
    assert len(MODELS) >= 20
    assert {"Chat", "Customer", "Event", "Message", "Organization", "WebhookChatMessage"} <= {
        model.__name__ for model in MODELS
    }


@every_model
@settings(max_examples=8)
@given(data=st.data())
def test_a_model_survives_the_round_trip(model: Any, data: st.DataObject) -> None:
    """Through `to_dict`, JSON, pickle and copies it is the same."""
    made = data.draw(of_kind(model))
    assert made == from_dict(model, to_dict(made))
    assert made == from_dict(model, json.loads(json.dumps(to_dict(made))))
    assert made == pickle.loads(pickle.dumps(made))
    assert made == copy.deepcopy(made)


def assert_named(body: Any, problem: str) -> None:
    """The path of a problem leads through the JSON to what does not fit, or to what is not there."""
    path, _, words = problem.partition(": ")
    assert re.fullmatch(r"missing|expected [A-Za-z0-9 ,._]+", words), problem
    steps = re.findall(r"\.([A-Za-z_]+)|\[(\d+)\]", path)
    assert path == "$" + "".join(f".{key}" if key else f"[{index}]" for key, index in steps)
    for number, (key, index) in enumerate(steps, 1):
        if words == "missing" and number == len(steps):
            assert isinstance(body, dict)
            assert key not in body
            return
        body = body[key] if key else body[int(index)]


def assert_refused_well(body: Any, error: DecodeError) -> None:
    """It names every place, and shows no value."""
    assert error.problems
    for problem in error.problems:
        assert_named(body, problem)
    assert SECRET not in f"{error}{error!r}{error.problems}{error.args}"
    assert error.__context__ is None
    assert error.__cause__ is None


@every_model
@settings(max_examples=15)
@given(data=st.data())
def test_odd_json_is_read_or_refused_by_name(model: Any, data: st.DataObject) -> None:
    """What is read can be written and read again; what is refused is a DecodeError, and nothing else."""
    body: Any = data.draw(nearly(model) | ANY_JSON)
    before = copy.deepcopy(body)
    try:
        read = from_dict(model, body)
    except DecodeError as error:
        assert_refused_well(body, error)
    else:
        assert read == from_dict(model, json.loads(json.dumps(to_dict(read))))
    assert before == body


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a body but the body's own."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*path, step)
        yield from places_in(inner, (*path, step))


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of a body with one value replaced."""
    copied = copy.deepcopy(body)
    node = copied
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return copied


@every_model
@settings(max_examples=25)
@given(data=st.data())
def test_one_odd_value_loses_at_most_its_own_row(model: Any, data: st.DataObject) -> None:
    """Replace any one value by any JSON: the row is read or names its id, its neighbours are as before."""
    rows = [json.loads(json.dumps(to_dict(data.draw(of_kind(model))))) for _ in range(3)]
    body = {"data": rows, "total": 3}
    before, problems = read_page(body, model, offset=0)
    assert (len(before.items), problems) == (3, ())
    path = data.draw(st.sampled_from(list(places_in(rows))))
    odd = {"data": replaced(rows, path, data.draw(ANY_JSON)), "total": 3}
    page, problems = read_page(odd, model, offset=0)
    assert page.received == 3
    neighbours = [row for index, row in enumerate(before.items) if index != path[0]]
    if problems:
        [problem] = problems
        assert neighbours == list(page.items)
        assert problem.startswith(f"$.data[{path[0]}]")
        assert_named(odd, problem)
    else:
        read = list(page.items)
        changed = read.pop(path[0])
        assert neighbours == read
        assert changed == from_dict(model, json.loads(json.dumps(to_dict(changed))))
        assert changed == from_dict(model, json.loads(json.dumps(to_dict(changed, times="iso"))))


@every_model
@settings(max_examples=8)
@given(data=st.data())
def test_odd_answers_with_one_object_are_read_or_refused(model: Any, data: st.DataObject) -> None:
    """The same for the body of a reply, bare or wrapped."""
    body: Any = data.draw(ANY_JSON | nearly(model) | nearly(model).map(lambda inner: {"data": inner}))
    try:
        assert type(structure_one(body, model)) is model
    except DecodeError as error:
        wrapped = isinstance(body, dict) and len(body) == 1 and isinstance(body.get("data"), dict)
        assert_refused_well(body["data"] if wrapped else body, error)


@every_model
@settings(max_examples=8)
@given(data=st.data())
def test_odd_pages_are_read_or_refused_by_name(model: Any, data: st.DataObject) -> None:
    """The same for pages in every spelling: rows under either key, in lists or in lists of lists."""
    row = nearly(model) | ANY_JSON
    rows = st.lists(row, max_size=3) | st.lists(st.lists(row, max_size=2), max_size=2) | ANY_JSON
    key = data.draw(st.sampled_from(["data", "messages"]))
    body = {key: data.draw(rows), **data.draw(st.dictionaries(st.sampled_from(["total", "meta"]), ANY_JSON))}
    try:
        page = structure_page(body, model, offset=0)
    except DecodeError as error:
        assert_refused_well(body, error)
    else:
        assert all(type(each) is model for each in page.items)
        assert page.total is None or type(page.total) is int


@given(ANY_JSON.filter(lambda body: not isinstance(body, list)))
def test_whatever_is_no_page_is_refused(body: Any) -> None:
    """What a proxy may have put there: no rows come of it, and no other exception."""
    with pytest.raises(DecodeError) as caught:
        structure_page({"rows": body} if isinstance(body, dict) else body, Message, offset=0)
    assert caught.value.problems == ("$.data: expected a list",)
