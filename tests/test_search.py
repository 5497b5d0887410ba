"""Searches: what each filter sends, what is refused before anything is sent, and what is found by it."""

import copy
import json
import operator
import pickle
import runpy
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, cast

import aiohttp
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async import Tag, grammar, search
from helpcrunch_async.search import (
    CHAT_AGENTS,
    CHAT_ASSIGNEE,
    CHAT_CLOSED_AT,
    CHAT_CREATED_AT,
    CHAT_CUSTOMER,
    CHAT_CUSTOMER_EMAIL,
    CHAT_CUSTOMER_TAGS,
    CHAT_CUSTOMER_USER_ID,
    CHAT_DEPARTMENT,
    CHAT_RATING,
    CHAT_STATUS,
    CHAT_UPDATED_AT,
    CITY,
    COMPANY,
    COUNTRY_CODE,
    EMAIL,
    FACEBOOK_ID,
    ID,
    INSTAGRAM_ID,
    LAST_SEEN,
    NAME,
    PHONE,
    REGION_CODE,
    TAGS,
    TELEGRAM_ID,
    USER_ID,
    VIBER_ID,
    WHATSAPP_ID,
    Customers,
    DateField,
    Filter,
    IdField,
    Query,
    RatingField,
    StringField,
    TagsField,
    all_of,
    any_of,
    body_of,
    raw_filter,
)
from helpcrunch_async.testing import FakeHelpCrunch
from helpcrunch_async.testing.search import read_customer_search

MOMENT = datetime(2020, 10, 27, 12, 0, tzinfo=UTC)  # 1603800000
TENTH = timedelta(seconds=0.1)
MOMENT_IN_KYIV = datetime(2020, 10, 27, 12, 0, tzinfo=timezone(timedelta(hours=2)))  # 1603792800

TABLE: list[tuple[Filter[Any], str, str, Any]] = [
    (ID.equals(7), "customers.id", "=", 7),
    (ID.differs(7), "customers.id", "!=", 7),
    (ID.above(0), "customers.id", ">", 0),
    (ID.below(7), "customers.id", "<", 7),
    (ID.at_least(7), "customers.id", ">=", 7),
    (ID.at_most(7), "customers.id", "<=", 7),
    (NAME.equals("Ada Quill"), "customers.name", "=", "Ada Quill"),
    (NAME.equals(" "), "customers.name", "=", " "),
    (NAME.differs("Ada"), "customers.name", "!=", "Ada"),
    (EMAIL.contains("@example.com"), "customers.email", "~", "@example.com"),
    (EMAIL.lacks("@example.com"), "customers.email", "!~", "@example.com"),
    (COMPANY.contains('"Zoë" 🦔\n'), "customers.company", "~", '"Zoë" 🦔\n'),
    (PHONE.equals("+4989"), "customers.phone", "=", "+4989"),
    (COUNTRY_CODE.equals("DE"), "customers.countryCode", "=", "DE"),
    (CITY.equals("Munich"), "customers.city", "=", "Munich"),
    (REGION_CODE.equals("BY"), "customers.regionCode", "=", "BY"),
    (USER_ID.equals("7"), "customers.userId", "=", "7"),
    (TELEGRAM_ID.equals("555"), "customers.telegramId", "=", "555"),
    (FACEBOOK_ID.equals("555"), "customers.facebookId", "=", "555"),
    (INSTAGRAM_ID.equals("555"), "customers.instagramId", "=", "555"),
    (VIBER_ID.equals("555"), "customers.viberId", "=", "555"),
    (WHATSAPP_ID.equals("555"), "customers.whatsappId", "=", "555"),
    (LAST_SEEN.equals(MOMENT), "customers.lastSeen", "=", 1603800000),
    (LAST_SEEN.differs(MOMENT), "customers.lastSeen", "!=", 1603800000),
    (LAST_SEEN.after(MOMENT), "customers.lastSeen", ">", 1603800000),
    (LAST_SEEN.before(MOMENT), "customers.lastSeen", "<", 1603800000),
    (LAST_SEEN.since(MOMENT), "customers.lastSeen", ">=", 1603800000),
    (LAST_SEEN.until(MOMENT), "customers.lastSeen", "<=", 1603800000),
    (LAST_SEEN.since(MOMENT_IN_KYIV), "customers.lastSeen", ">=", 1603792800),
    (LAST_SEEN.since(datetime(1970, 1, 1, tzinfo=UTC)), "customers.lastSeen", ">=", 0),
    (TAGS.include("vip"), "customers.tagsData", "=", [{"name": "vip"}]),
    (TAGS.include("trial", "vip"), "customers.tagsData", "=", [{"name": "trial"}, {"name": "vip"}]),
    (TAGS.include(Tag("Paid", "red")), "customers.tagsData", "=", [{"name": "Paid"}]),
    (CHAT_ASSIGNEE.equals(3), "chats.assignee", "=", 3),
    (CHAT_ASSIGNEE.above(18), "chats.assignee", ">", 18),
    (CHAT_AGENTS.equals(3), "chats.agents", "=", 3),
    (CHAT_DEPARTMENT.differs(3), "chats.department", "!=", 3),
    (CHAT_CUSTOMER.equals(7), "chats.customer", "=", 7),
    (CHAT_CREATED_AT.since(MOMENT), "chats.createdAt", ">=", 1603800000),
    (CHAT_UPDATED_AT.after(MOMENT), "chats.updatedAt", ">", 1603800000),
    (CHAT_CLOSED_AT.before(MOMENT), "chats.closedAt", "<", 1603800000),
    (CHAT_STATUS.equals("no communication"), "chats.status", "=", "no communication"),
    (CHAT_STATUS.differs("5"), "chats.status", "!=", "5"),
    (CHAT_RATING.equals("very poor"), "chats.rating", "=", "very poor"),
    (CHAT_RATING.differs("perfect"), "chats.rating", "!=", "perfect"),
    (CHAT_CUSTOMER_EMAIL.equals("ada@example.com"), "chats.customer.email", "=", "ada@example.com"),
    (CHAT_CUSTOMER_USER_ID.equals("u1"), "chats.customer.userId", "=", "u1"),
    (CHAT_CUSTOMER_TAGS.include("Paid"), "chats.customer.tagsData", "=", [{"name": "Paid"}]),
    (raw_filter("customers.id", "in", [1, 2]), "customers.id", "in", [1, 2]),
    (raw_filter("chats.mood", "=", None), "chats.mood", "=", None),
    (raw_filter("customers.lastSeen", ">", "1603800000"), "customers.lastSeen", ">", "1603800000"),
]


@pytest.mark.parametrize(("made", "field", "symbol", "value"), TABLE, ids=[repr(line[0]) for line in TABLE])
def test_what_a_filter_sends(made: Filter[Any], field: str, symbol: str, value: Any) -> None:
    """Field, operator and value, in the API's words; the field decides between customers and chats."""
    expected = {"field": field, "operator": symbol, "value": value}
    assert json.dumps(expected) == json.dumps(made.to_dict())
    assert made.noun == field.partition(".")[0]
    assert {"comparison": "AND", "filter": [expected]} == body_of(made, made.noun)


FIELDS: dict[str, Any] = {
    name: thing
    for name, thing in vars(search).items()
    if isinstance(thing, IdField | DateField | StringField | TagsField | RatingField)
}


def test_every_field_and_operator_is_in_the_table() -> None:
    """No field is without a line, and every operator of a type is shown with some field."""
    names = {field.name: type(field) for field in FIELDS.values()}
    operators: dict[type, set[str]] = {kind: set() for kind in names.values()}
    shown = TABLE[:-3]  # without the raw ones
    for _, name, symbol, _ in shown:
        operators[names[name]].add(symbol)
    assert names.keys() == {line[1] for line in shown}
    assert operators == {
        IdField: {"=", "!=", ">", "<", ">=", "<="},
        DateField: {"=", "!=", ">", "<", ">=", "<="},
        StringField: {"=", "!=", "~", "!~"},
        TagsField: {"="},
        RatingField: {"=", "!="},
    }


def test_every_field_is_of_its_documented_type() -> None:
    """Methods and filters that are made by hand go by one table."""
    assert {field.name: field.type for field in FIELDS.values()} == grammar.FIELDS


def test_the_fields_are_those_of_the_documentation() -> None:
    """Not one more: custom data and the first visit cannot be searched. Names tell the nouns apart."""
    of_chats = {field.name for name, field in FIELDS.items() if name.startswith("CHAT_")}
    of_customers = {field.name for field in FIELDS.values()} - of_chats
    assert len(of_chats) + len(of_customers) == len(FIELDS) == 28
    assert sorted(of_customers) == [
        f"customers.{name}"
        for name in (
            *("city", "company", "countryCode", "email", "facebookId", "id", "instagramId", "lastSeen"),
            *("name", "phone", "regionCode", "tagsData", "telegramId", "userId", "viberId", "whatsappId"),
        )
    ]
    assert sorted(of_chats) == [
        f"chats.{name}"
        for name in (
            *("agents", "assignee", "closedAt", "createdAt", "customer", "customer.email"),
            *("customer.tagsData", "customer.userId", "department", "rating", "status", "updatedAt"),
        )
    ]


# The bodies of the documentation's and other clients' searches, but for sort, order and page.
BODIES: dict[str, tuple[Query[Any], dict[str, Any]]] = {
    "many ids": (
        any_of(ID.equals(70011), ID.equals(70012)),
        {
            "comparison": "OR",
            "filter": [
                {"field": "customers.id", "operator": "=", "value": 70011},
                {"field": "customers.id", "operator": "=", "value": 70012},
            ],
        },
    ),
    "tags and a date": (
        all_of(LAST_SEEN.since(MOMENT), TAGS.include("trial", "vip")),
        {
            "comparison": "AND",
            "filter": [
                {"field": "customers.lastSeen", "operator": ">=", "value": 1603800000},
                {
                    "field": "customers.tagsData",
                    "operator": "=",
                    "value": [{"name": "trial"}, {"name": "vip"}],
                },
            ],
        },
    ),
    "chats of a status or a tag": (
        any_of(CHAT_STATUS.equals("5"), CHAT_CUSTOMER_TAGS.include("Paid")),
        {
            "comparison": "OR",
            "filter": [
                {"field": "chats.status", "operator": "=", "value": "5"},
                {"field": "chats.customer.tagsData", "operator": "=", "value": [{"name": "Paid"}]},
            ],
        },
    ),
}


@pytest.mark.parametrize(("query", "body"), BODIES.values(), ids=BODIES)
def test_what_a_query_sends(query: Query[Any], body: dict[str, Any]) -> None:
    """Key for key as the samples have it, the filters in the order given."""
    assert json.dumps(body) == json.dumps(query.to_body())
    assert body == body_of(query, query.noun)


# Refusals


@pytest.mark.parametrize("field", [ID, CHAT_ASSIGNEE, CHAT_CUSTOMER], ids=repr)
@pytest.mark.parametrize("method", ["equals", "differs", "above", "below", "at_least", "at_most"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, TypeError), (7.0, TypeError), ("7", TypeError), (None, TypeError), (-1, ValueError)],
)
def test_ids_are_ints(field: IdField[Any], method: str, value: Any, kind: type[Exception]) -> None:
    """Not what merely looks like one; the error names the field."""
    with pytest.raises(kind, match=field.name):
        getattr(field, method)(value)


@pytest.mark.parametrize("method", [ID.equals, ID.differs])
def test_zero_is_no_id(method: Callable[[int], Filter[Any]]) -> None:
    """It is a bound to start from, and nothing else."""
    with pytest.raises(ValueError, match="positive"):
        method(0)


@pytest.mark.parametrize("method", ["equals", "differs", "contains", "lacks"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (7, TypeError),
        (None, TypeError),
        (b"ada", TypeError),
        (["ada"], TypeError),
        ("", ValueError),
        ("\ud83e", ValueError),
    ],
    ids=ascii,
)
def test_strings_are_strs_and_not_empty(method: str, value: Any, kind: type[Exception]) -> None:
    """HelpCrunch refuses blank values, and half a character cannot be sent."""
    with pytest.raises(kind):
        getattr(EMAIL, method)(value)


class _Nowhere(tzinfo):
    """A time zone that does not know its offset."""

    def utcoffset(self, moment: datetime | None, /) -> None:
        return None

    dst = tzname = utcoffset


@pytest.mark.parametrize("method", ["equals", "differs", "after", "before", "since", "until"])
@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (datetime(2024, 4, 9), ValueError, "naive"),  # noqa: DTZ001 - that is the point
        (datetime(2024, 4, 9, tzinfo=_Nowhere()), ValueError, "naive"),
        (datetime(1969, 12, 31, tzinfo=UTC), ValueError, "1970"),
        (date(2024, 4, 9), TypeError, "not date"),
        (1603800000, TypeError, "not int"),
        ("18 Jun 2020", TypeError, "not str"),
        (None, TypeError, "not NoneType"),
    ],
)
def test_moments_are_aware_datetimes(method: str, value: Any, kind: type[Exception], words: str) -> None:
    """Whoever leaves the time zone out is asked for it, not given ours."""
    with pytest.raises(kind, match=words):
        getattr(LAST_SEEN, method)(value)


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ((), ValueError),
        (("vip", ""), ValueError),
        ((Tag(""),), ValueError),
        ((["vip", "Paid"],), TypeError),
        (({"name": "vip"},), TypeError),
        (("vip", None), TypeError),
        ((7,), TypeError),
        ((Tag(cast("str", None)),), TypeError),
    ],
    ids=repr,
)
def test_tags_are_names_or_tags(tags: tuple[Any, ...], kind: type[Exception]) -> None:
    """At least one, and each given by itself."""
    for field in (TAGS, CHAT_CUSTOMER_TAGS):
        with pytest.raises(kind, match="tag"):
            field.include(*tags)


@pytest.mark.parametrize(
    ("rating", "kind"), [("good", ValueError), ("Great", ValueError), ("", ValueError), (5, TypeError)]
)
def test_ratings_are_a_closed_set(rating: Any, kind: type[Exception]) -> None:
    """A word that HelpCrunch does not know finds nothing, and is refused instead."""
    for method in (CHAT_RATING.equals, CHAT_RATING.differs):
        with pytest.raises(kind, match=r"chats\.rating"):
            method(rating)


@pytest.mark.parametrize(
    ("field", "symbol", "value", "kind"),
    [
        ("email", "=", "a", ValueError),
        ("customers", "=", "a", ValueError),
        ("customers.", "=", "a", ValueError),
        ("agents.id", "=", 1, ValueError),
        ("Customers.id", "=", 1, ValueError),
        ("", "=", 1, ValueError),
        (ID, "=", 1, TypeError),
        ("customers.id", "", 1, ValueError),
        ("customers.id", None, 1, TypeError),
        ("customers.lastSeen", ">", MOMENT, TypeError),
        ("customers.lastSeen", ">", MOMENT.replace(tzinfo=None), TypeError),
        ("customers.id", "in", {1, 2}, TypeError),
        ("customers.id", "in", [], ValueError),
        ("customers.tagsData", "=", {}, ValueError),
        ("customers.score", ">", float("nan"), ValueError),
        ("customers.name", "=", "\ud83e", ValueError),
    ],
    ids=ascii,
)
def test_what_a_raw_filter_refuses(field: Any, symbol: Any, value: Any, kind: type[Exception]) -> None:
    """A field of neither noun, what could not be sent at all, and what asks for nothing."""
    with pytest.raises(kind):
        raw_filter(field, symbol, value)


@pytest.mark.parametrize(
    ("field", "symbol", "value_json", "kind", "words"),
    [
        ("customers.email", ">", '"a"', ValueError, "knows = != ~ !~, not '>'"),
        ("customers.email", "=", "7", TypeError, "not int"),
        ("customers.email", "=", '""', ValueError, "empty"),
        ("customers.email", "=", "null", TypeError, "not NoneType"),
        ("customers.id", "~", "7", ValueError, "not '~'"),
        ("customers.id", "in", "[1, 2]", ValueError, "raw_filter"),
        ("customers.id", "=", '"7"', TypeError, "not str"),
        ("customers.id", "=", "true", TypeError, "not bool"),
        ("customers.id", "=", "0", ValueError, "positive"),
        ("customers.id", ">", "-1", ValueError, "at least 0"),
        ("customers.lastSeen", ">", '"2024-04-09"', TypeError, "not str"),
        ("customers.lastSeen", ">", "1.5", TypeError, "not float"),
        ("customers.tagsData", "!=", '[{"name": "vip"}]', ValueError, "knows =, not"),
        ("customers.tagsData", "=", '["vip"]', TypeError, "not str"),
        ("customers.tagsData", "=", '[{"name": ""}]', ValueError, "empty"),
        ("customers.tagsData", "=", "[]", ValueError, "empty"),
        ("customers.tagsData", "=", '"vip"', TypeError, "a list"),
        ("chats.rating", "=", '"good"', ValueError, "one of"),
        ("chats.status", "=", "3", TypeError, "not int"),
        ("chats.score", "=", "[]", ValueError, "empty"),
        ("chats.score", "", "1", ValueError, "empty"),
        ("chats.score", None, "1", TypeError, "not NoneType"),
        ("score", "=", "1", ValueError, "begins with"),
        (7, "=", "1", TypeError, "not int"),
        ("chats.score", "=", MOMENT, TypeError, "not datetime"),
        ("chats.score", "=", "ada@example.com", ValueError, "not JSON"),
        ("chats.score", "=", "NaN", ValueError, "not JSON"),
        ("chats.score", "=", "[" * 100_000, ValueError, "not JSON"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_filter_made_by_hand_is_held_to_the_grammar(
    field: Any, symbol: Any, value_json: Any, kind: type[Exception], words: str
) -> None:
    """What the methods would refuse does not get by as a plain filter; a wrong text stays out of errors."""
    with pytest.raises(kind, match=words) as caught:
        Filter[Any](field, symbol, value_json)
    assert "ada@example.com" not in f"{caught.value!r}{caught.value.__context__!r}"


def test_a_legal_filter_may_be_made_by_hand() -> None:
    """It is the one that the method makes; of an undocumented field, nothing is known to be wrong."""
    assert EMAIL.contains("ada") == Filter("customers.email", "~", '"ada"')
    assert ID.above(0) == Filter("customers.id", ">", "0")
    assert Filter[Any]("chats.mood", "in", '["good"]').to_dict() == {
        "field": "chats.mood",
        "operator": "in",
        "value": ["good"],
    }
    slack: StringField[Customers] = StringField("customers.slackId")
    assert Filter("customers.slackId", "=", '"U7"') == slack.equals("U7")
    with pytest.raises(ValueError, match="empty"):
        slack.equals("")


def test_no_filter_becomes_illegal_by_a_change() -> None:
    """A copy with another operator is held to the same; one of a raw filter is as free as that."""
    with pytest.raises(ValueError, match="not '>'"):
        attrs.evolve(EMAIL.equals("ada"), operator=">")
    raw = raw_filter("customers.id", "=", 1)
    assert raw_filter("customers.id", "in", 1) == attrs.evolve(raw, operator="in")


@pytest.mark.parametrize("combine", [all_of, any_of])
@pytest.mark.parametrize(
    ("filters", "kind", "words"),
    [
        ((), ValueError, "without filters"),
        ((EMAIL.contains("a"), CHAT_STATUS.equals("new")), TypeError, "both customers and chats"),
        (
            (CHAT_STATUS.equals("new"), raw_filter("customers.a", "=", 1)),
            TypeError,
            "both chats and customers",
        ),
        ((all_of(ID.equals(7)), TAGS.include("vip")), TypeError, "do not nest"),
        (([ID.equals(7)],), TypeError, "not of list"),
        ((ID.equals(7).to_dict(),), TypeError, "not of dict"),
        ((ID.equals(7), None), TypeError, "not of NoneType"),
        ((ID,), TypeError, "not of IdField"),
        ((True,), TypeError, "not of bool"),
    ],
)
def test_what_makes_no_query(
    combine: Callable[..., Query[Any]], filters: tuple[Any, ...], kind: type[Exception], words: str
) -> None:
    """An empty one would find everybody, a mixed or nested one cannot be said."""
    with pytest.raises(kind, match=words):
        combine(*filters)


@pytest.mark.parametrize(
    ("filters", "comparison", "kind"),
    [([ID.equals(7)], "AND", TypeError), ((ID.equals(7),), "and", ValueError), ((), "OR", ValueError)],
)
def test_a_query_made_by_hand_is_checked_as_well(
    filters: Any, comparison: Any, kind: type[Exception]
) -> None:
    """There is no way round."""
    with pytest.raises(kind):
        Query(filters, comparison)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (all_of(CHAT_STATUS.equals("new")), "a search for customers, and the query is one for chats"),
        (CHAT_STATUS.equals("new"), "a search for customers, and the query is one for chats"),
        (raw_filter("chats.mood", "=", 1), "for chats"),
        ({"filter": []}, "not dict"),
        (None, "not NoneType"),
        ("ada", "not str"),
        (EMAIL, "not StringField"),
    ],
)
def test_a_search_takes_only_queries_for_its_noun(query: Any, words: str) -> None:
    """Chats are not looked for among customers."""
    with pytest.raises(TypeError, match=words):
        body_of(query, "customers")


def test_filters_and_queries_are_neither_true_nor_false() -> None:
    """`a and b` is b alone: it would find customers who were not meant, so it raises instead."""
    with pytest.raises(TypeError, match="all_of or any_of"):
        bool(ID.equals(7))
    with pytest.raises(TypeError, match="do not combine"):
        bool(all_of(ID.equals(7)))
    for combine in (operator.and_, operator.or_):
        with pytest.raises(TypeError):
            combine(ID.equals(7), ID.equals(8))


WRONG_SEARCHES = runpy.run_path(str(Path(__file__).parent / "typing" / "rejected.py"))["WRONG_SEARCHES"]


@pytest.mark.parametrize("wrong", WRONG_SEARCHES, ids=lambda wrong: f"line {wrong.__code__.co_firstlineno}")
def test_what_does_not_type_check_raises(wrong: Callable[[], object]) -> None:
    """Those without a type checker are told as well."""
    with pytest.raises((TypeError, ValueError, AttributeError)):
        wrong()


# Values


def test_filters_and_queries_are_values() -> None:
    """They compare, hash, copy and pickle."""
    query = all_of(EMAIL.contains("@"), TAGS.include("vip"), raw_filter("customers.x", "in", [1, {"a": 2}]))
    again = all_of(EMAIL.contains("@"), TAGS.include("vip"), raw_filter("customers.x", "in", [1, {"a": 2}]))
    assert query == again == copy.deepcopy(query) == pickle.loads(pickle.dumps(query))
    assert len({query, again, any_of(*query.filters)}) == 2
    assert any_of(ID.equals(1)) != all_of(ID.equals(1))
    assert raw_filter("customers.x", "=", 1) != raw_filter("customers.x", "=", True)
    assert attrs.evolve(ID.equals(1), operator="!=") == ID.differs(1)
    assert pickle.loads(pickle.dumps(EMAIL)) == EMAIL == StringField[Customers]("customers.email")


def test_nobody_changes_them_afterwards() -> None:
    """Neither by assignment, nor through the value put in, nor through the body taken out."""
    numbers = [1, 2]
    made = raw_filter("customers.id", "in", numbers)
    query = all_of(made)
    numbers.append(3)
    query.to_body()["filter"][0]["value"].append(4)
    made.value.append(5)
    assert query.to_body()["filter"][0]["value"] == [1, 2]
    for thing, name in ((made, "operator"), (query, "comparison"), (ID, "name")):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(thing, name, "x")


def test_what_they_look_like() -> None:
    """A filter reads as it means."""
    query = any_of(EMAIL.contains("@example.com"), TAGS.include("vip"))
    assert repr(query) == (
        'Query(filters=(Filter(customers.email ~ "@example.com"), '
        'Filter(customers.tagsData = [{"name":"vip"}])), comparison=\'OR\')'
    )
    assert repr(EMAIL) == "StringField(name='customers.email')"


# Properties

MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 3),  # noqa: DTZ001 - hypothesis adds the time zone
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001 - the same
    timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
COMPARE = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}


@given(MOMENTS, st.integers(-3, 3))
def test_no_moment_within_a_bound_is_lost(moment: datetime, tenths: int) -> None:
    """Whatever the zone and the fraction: who is meant is found, and nobody a second or more off."""
    for method in (LAST_SEEN.after, LAST_SEEN.before, LAST_SEEN.since, LAST_SEEN.until):
        made = method(moment)
        holds = COMPARE[made.operator]
        seen = moment + tenths * TENTH
        if holds(seen, moment):
            second = (seen.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
            assert holds(second, made.value)
        assert abs(datetime.fromtimestamp(made.value, UTC) - moment) < timedelta(seconds=1)


@given(MOMENTS.map(lambda moment: moment.replace(microsecond=0)))
def test_whole_seconds_are_sent_as_they_are(moment: datetime) -> None:
    """All methods agree on the number."""
    field = LAST_SEEN
    methods = (field.equals, field.differs, field.after, field.before, field.since, field.until)
    assert {method(moment).value for method in methods} == {int(moment.timestamp())}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
NUMBERS = st.integers(min_value=1)
CUSTOMER_STRINGS = (NAME, EMAIL, COMPANY, PHONE, COUNTRY_CODE, CITY, REGION_CODE, USER_ID, TELEGRAM_ID)
CUSTOMER_FILTERS: st.SearchStrategy[Filter[Customers]] = st.one_of(
    st.builds(
        lambda field, method, text: getattr(field, method)(text),
        st.sampled_from(CUSTOMER_STRINGS),
        st.sampled_from(["equals", "differs", "contains", "lacks"]),
        TEXTS,
    ),
    st.builds(
        lambda method, number: getattr(ID, method)(number),
        st.sampled_from(["equals", "differs", "above", "below", "at_least", "at_most"]),
        NUMBERS,
    ),
    st.builds(
        lambda method, moment: getattr(LAST_SEEN, method)(moment),
        st.sampled_from(["equals", "differs", "after", "before", "since", "until"]),
        MOMENTS,
    ),
    st.lists(TEXTS | st.builds(Tag, TEXTS), min_size=1).map(lambda tags: TAGS.include(*tags)),
)


@given(st.lists(CUSTOMER_FILTERS, min_size=1), st.sampled_from([all_of, any_of]))
def test_whatever_type_checks_is_of_the_documented_grammar(
    filters: list[Filter[Customers]], combine: Callable[..., Query[Customers]]
) -> None:
    """The strict reader of the fake server takes every query, and reads in it what was put in."""
    query = combine(*filters)
    assert query == pickle.loads(pickle.dumps(query))
    found = read_customer_search(json.dumps(query.to_body()).encode(), strict=True)
    assert found.any_suffices == (combine is any_of)
    assert [(each.field, each.operator) for each in filters] == [
        (each.field, each.operator) for each in found.conditions
    ]
    for made, condition in zip(filters, found.conditions, strict=True):
        value = frozenset(tag["name"] for tag in made.value) if made.field == TAGS.name else made.value
        assert condition.value == value


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=5,
)


@given(JSON_VALUES.filter(lambda value: value not in ([], {})))
def test_raw_values_are_sent_untouched(value: Any) -> None:
    """Anything that JSON has a word for, but emptiness."""
    made = raw_filter("chats.x", "?", value)
    assert repr(made.value) == repr(value)
    assert made == raw_filter("chats.x", "?", value)


# Over HTTP

CUSTOMERS: list[dict[str, Any]] = [
    {
        "id": 1,
        "name": "Ada Quill",
        "email": "ada@example.com",
        "userId": "u1",
        "lastSeen": 1603800000,
        "location": {"city": "Munich"},
        "tags": [{"name": "vip", "color": "red"}, {"name": "Paid", "color": "red"}],
    },
    {
        "id": 2,
        "name": "Bob",
        "email": "bob@example.com",
        "lastSeen": 1603800001,
        "tags": [{"name": "vip", "color": "red"}],
    },
    {"id": 3, "name": "Zoë", "email": "zoe@example.org", "createdFrom": "telegram", "integrationId": "555"},
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (all_of(EMAIL.contains("@example.com"), TAGS.include("Paid")), [1]),
        (any_of(EMAIL.contains("@example.org"), TAGS.include("Paid")), [1, 3]),
        (all_of(TAGS.include("Paid", "vip")), [1]),
        (any_of(TAGS.include("Paid"), TAGS.include("vip")), [1, 2]),
        (any_of(*(ID.equals(number) for number in (1, 3, 99))), [1, 3]),
        (all_of(ID.above(0), ID.at_most(2)), [1, 2]),
        (all_of(LAST_SEEN.since(MOMENT), LAST_SEEN.before(MOMENT + timedelta(seconds=1))), [1]),
        (all_of(LAST_SEEN.after(MOMENT + TENTH)), [2]),
        (all_of(LAST_SEEN.until(MOMENT)), [1]),
        (all_of(NAME.equals("Zoë")), [3]),
        (all_of(NAME.lacks("Quill"), EMAIL.differs("zoe@example.org")), [2]),
        (all_of(CITY.equals("Munich")), [1]),
        (all_of(TELEGRAM_ID.equals("555")), [3]),
        (all_of(raw_filter("customers.userId", "=", "u1"), NAME.contains("A")), [1]),
    ],
    ids=repr,
)
async def test_what_is_found(query: Query[Customers], expected: list[int]) -> None:
    """A server that speaks the documented grammar answers with those who are meant."""
    async with (
        FakeHelpCrunch(CUSTOMERS) as server,
        aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as http,
        http.post(f"{server.url}/customers/search", json=query.to_body()) as reply,
    ):
        assert reply.status == 200
        page = await reply.json()
    assert expected == [row["id"] for row in page["data"]]
    assert len(expected) == page["total"]
