"""What may be shown: secrets and bodies never, frames of libraries and locals not where they would."""

import asyncio
import json
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from helpcrunch_async.redaction import (
    RedactedBytes,
    Secret,
    drop_frames,
    hide_locals,
    path_in_text,
    snippet_of,
    to_secret,
)

LONG = "s3cret" * 60


# Secrets and bodies


@pytest.mark.parametrize(
    ("thing", "shown"), [(Secret(LONG), "Secret(***)"), (RedactedBytes(LONG.encode()), "<360 bytes>")]
)
def test_what_is_opaque_shows_itself_to_nobody(thing: object, shown: str) -> None:
    """Every way in which text is commonly made of it gives the same."""
    assert [shown] * 7 == [
        repr(thing),
        str(thing),
        f"{thing}",
        f"{thing!r}",
        format(thing),
        "%s" % (thing,),  # noqa: UP031 - one of the ways
        pretty_repr(thing, max_string=80),
    ]
    assert f"{shown:>20}" == f"{thing:>20}"
    assert f"[{shown}]" == repr([thing])
    assert not hasattr(thing, "__dict__")  # which some JSON encoders look into


@pytest.mark.parametrize("thing", [Secret("s3cret"), RedactedBytes(b"s3cret")])
def test_what_is_opaque_is_no_text(thing: Any) -> None:
    """Whoever cuts a text short, before they show it, would show a plain one."""
    assert not isinstance(thing, str | bytes)
    for use in (lambda: thing[:3], lambda: list(thing), lambda: thing + thing, lambda: json.dumps(thing)):
        with pytest.raises(TypeError):
            use()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_is_opaque_is_not_pickled(protocol: int) -> None:
    """It does not travel to another process by accident."""
    with pytest.raises(TypeError, match=r"^a Secret is not pickled$"):
        pickle.dumps({"key": Secret("s3cret")}, protocol)
    with pytest.raises(TypeError, match=r"^a RedactedBytes is not pickled$"):
        pickle.dumps(RedactedBytes(b"s3cret"), protocol)


def test_what_is_opaque_can_be_exposed() -> None:
    """By name, where it is used."""
    assert Secret("s3cret").expose() == "s3cret"
    assert RedactedBytes(b"s3cret").expose() == b"s3cret"
    assert len(RedactedBytes(b"s3cret")) == 6
    assert to_secret("the key", "s3cret").expose() == "s3cret"


@pytest.mark.parametrize("value", [b"s3cret", ["s3cret"], None])
def test_a_secret_is_a_text(value: object) -> None:
    """What else it is, is said by its type alone."""
    with pytest.raises(TypeError) as caught:
        to_secret("the key", value)
    assert f"the key is a str, not {type(value).__name__}" == str(caught.value)
    assert "s3cret" not in shown_by(caught.value)


# Locals


def frames_of(error: BaseException) -> Iterator[FrameType]:
    """The frames of an exception below the one that calls."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame is not sys._getframe(1):
            yield frame


def shown_by(error: BaseException) -> str:
    """What the frames of an exception show, but those of tests."""
    return repr(
        [dict(frame.f_locals) for frame in frames_of(error) if not frame.f_code.co_name.startswith("test_")]
    )


def test_locals_are_hidden() -> None:
    """Those of the function, those of what it calls, and the arguments; the caller's stay."""

    def inner(found: str) -> None:
        if found:
            raise LookupError("nothing like it")

    @hide_locals
    def outer(key: str, *, other: str) -> None:
        """Look it up."""
        found = key + other
        inner(found)

    def caller(mine: str) -> None:
        outer("s3cret", other="s3cret" * len(mine))

    with pytest.raises(LookupError) as caught:
        caller("a word")
    assert "s3cret" not in shown_by(caught.value)
    assert "a word" in shown_by(caught.value)
    names = [frame.f_code.co_name for frame in frames_of(caught.value)]
    assert names[-4:] == ["caller", "hiding", "outer", "inner"]
    assert (outer.__name__, outer.__doc__) == ("outer", "Look it up.")


def test_locals_of_what_hangs_on_are_hidden_too() -> None:
    """A cause, a context, what is in a group; but not of what the caller was handling."""

    def fail(key: str) -> None:
        raise KeyError(key[:1])

    @hide_locals
    def outer(key: str) -> None:
        try:
            fail(key)
        except KeyError as error:
            raise ExceptionGroup("two", [error, ValueError()]) from error

    def meet(mine: str) -> None:
        raise RuntimeError(len(mine))

    def call() -> None:
        try:
            meet("a word")
        except RuntimeError:
            outer("s3cret")

    with pytest.raises(ExceptionGroup) as caught:
        call()
    context = caught.value.__context__
    assert context is not None
    assert isinstance(context.__context__, RuntimeError)
    assert "s3cret" not in shown_by(caught.value) + shown_by(context)
    assert "a word" in shown_by(context.__context__)


def test_what_goes_well_is_left_alone() -> None:
    """The result passes; a generator keeps what it has."""

    @hide_locals
    def count(upto: int) -> Iterator[int]:
        yield from range(upto)

    assert list(count(3)) == [0, 1, 2]


def test_a_frame_that_runs_is_not_disturbed() -> None:
    """A generator that fails inside and goes on afterwards."""

    def numbers() -> Iterator[int]:
        kept = 7
        try:
            failing()
        except LookupError:
            yield kept

    @hide_locals
    def failing() -> None:
        raise LookupError

    assert list(numbers()) == [7]


# Frames


def module(name: str, source: str) -> dict[str, Any]:
    """What a module of a library defines."""
    made: dict[str, Any] = {"__name__": name}
    exec(compile(source, f"/site-packages/{name}.py", "exec"), made)
    return made


LIBRARY = module(
    "library.deep",
    """
import json

def send(hook):
    secret = "s3cret"
    return hook()

def parse(text):
    return json.loads(text)

def fail(error):
    raise error

def wrap(hook):
    secret = "s3cret"
    try:
        hook()
    except Exception as error:
        raise RuntimeError("wrapped") from error

def group(hook):
    try:
        hook()
    except Exception as error:
        raise BaseExceptionGroup("several", [error])
""",
)


def drop(work: Callable[[], object]) -> tuple[BaseException, bool]:
    """What is left of what some work raises, and whether it was raised in a frame that went."""
    handled = sys.exception()

    def door() -> bool:
        try:
            work()
        except BaseException as error:
            went.append(drop_frames(error, handled, frozenset({"library"})))
            raise
        raise AssertionError("nothing was raised")

    went: list[bool] = []
    try:
        door()
    except BaseException as error:  # noqa: BLE001 - it is looked at
        return error, went[0]
    raise AssertionError("nothing was raised")


def names_in(error: BaseException | None) -> list[str]:
    assert error is not None
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]


def hook() -> None:
    """A function of the user's that raises."""
    raise LookupError("no such team")


def test_a_users_frames_stay_and_a_librarys_go() -> None:
    """And with it, it is known who raised it."""
    error, went = drop(partial(LIBRARY["send"], hook))
    assert (names_in(error), went) == (["drop", "door", "hook"], False)
    assert not hasattr(error, "__notes__")
    lines = [line for _, line in traceback.walk_tb(error.__traceback__)]
    assert hook.__code__.co_firstlineno + 2 == lines[-1]


def test_what_a_library_calls_in_the_standard_library_goes() -> None:
    """What it was given is in there, too; the error says where it was raised."""
    error, went = drop(partial(LIBRARY["parse"], "x"))
    assert (names_in(error), went) == (["drop", "door"], True)
    assert names_in(error.__context__) == []  # raised within json itself
    [note] = error.__notes__
    assert note.startswith("raised in json.decoder, line ")
    assert note.endswith(": a frame that may show a secret")


def test_what_a_user_calls_in_the_standard_library_stays() -> None:
    """It is the user's own."""
    error, went = drop(partial(LIBRARY["send"], lambda: json.loads("{")))
    assert names_in(error) == ["drop", "door", "<lambda>", "loads", "decode", "raw_decode"]
    assert not went


def test_a_cancellation_has_no_note() -> None:
    """It is no error."""
    cancelled = asyncio.CancelledError()
    error, went = drop(partial(LIBRARY["fail"], cancelled))
    assert error is cancelled
    assert went
    assert not hasattr(error, "__notes__")


@pytest.mark.parametrize("name", ["wrap", "group"])
def test_what_hangs_on_to_an_exception_loses_its_frames_too(name: str) -> None:
    """Causes, contexts and members of groups; nothing else of them changes."""
    error, _ = drop(partial(LIBRARY[name], hook))
    inner = error.__context__
    assert isinstance(inner, LookupError)
    assert names_in(inner) == ["hook"]
    assert names_in(error) == ["drop", "door"]
    assert (error.__cause__ is inner) == (name == "wrap")


def test_the_frame_that_calls_stays() -> None:
    """Also when it is one of a library itself: what is left begins with it."""
    caller = module(
        "library.door",
        """
def door(work):
    try:
        work()
    except BaseException as error:
        drop_frames(error, None, frozenset({"library"}))
        raise
""",
    )
    caller["drop_frames"] = drop_frames
    with pytest.raises(LookupError) as caught:
        caller["door"](partial(LIBRARY["send"], hook))
    assert names_in(caught.value)[-2:] == ["door", "hook"]


def test_what_was_handled_before_is_the_callers() -> None:
    """Its frames are left alone, whosever they are."""

    def call() -> BaseException:
        try:
            LIBRARY["send"](hook)
        except LookupError:
            return drop(partial(LIBRARY["fail"], RuntimeError()))[0]
        raise AssertionError("nothing was raised")

    assert names_in(call().__context__) == ["call", "send", "hook"]


def test_a_circle_of_causes_comes_to_an_end() -> None:
    """Some libraries make one."""
    first, second = LookupError(), LookupError()
    first.__cause__, second.__cause__ = second, first
    error, _ = drop(partial(LIBRARY["fail"], first))
    assert error is first


# Texts


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("customers/7", "customers/7"),
        ("/customers/7/tags", "/customers/7/tags"),
        ("contacts/mara@customer.example", "contacts/{}"),
        ("a1/b", "{}/b"),
        ("a//b", "a//b"),
    ],
)
def test_a_path_in_a_text(path: str, shown: str) -> None:
    """Words and ids stay; what is neither may be a person's."""
    assert shown == path_in_text(path)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'["S3cret"', id="string"),
        pytest.param(b'["S3cret', id="string cut short"),
        pytest.param(b'{"id": 7, "name": "S3cret"}', id="value"),
        pytest.param(b'{"id":7,"name":"S3cret S', id="value cut short"),
        pytest.param(b'{"a": "S3cret \\" x"}', id="escaped quote"),
        pytest.param(b'["a\\\nS3cret"', id="escaped line break"),
        pytest.param(b'["S3cret' + b"x" * 471 + b"\\\\", id="escape cut"),
        pytest.param(b"mail S3cret@customer.example now", id="e-mail"),
        pytest.param(b"<b>S3cret@customer.example</b>", id="e-mail in html"),
        pytest.param(b"<pre>Authorization: Bearer S3cret+/=-~</pre>", id="echoed key"),
        pytest.param(b"authorization: bearer\tS3cret", id="echoed key in lower case"),
    ],
)
def test_a_snippet_masks_what_is_a_customers(body: bytes) -> None:
    """Quoted values and e-mail addresses are not in the beginning of a body that goes onto an error."""
    assert "S3cret" not in snippet_of(body)


def test_a_snippet_keeps_the_keys_of_what_was_nearly_json() -> None:
    """Which fields there were, says what kind of answer it was."""
    assert (
        snippet_of(b'{"id": 7, "name" : "S3cret", \'x\': [\'S3cret\']') == '{"id": 7, "name" : …, \'x\': […]'
    )


def test_a_snippet_masks_long_numbers_and_keeps_what_helps() -> None:
    """Telephone numbers and ids go; the words of a proxy's page stay, on one line, cut short."""
    shown = snippet_of(b"<title>502 Bad Gateway</title>\r\n\r\n  call +49891234567" + b" x" * 500)
    assert shown.startswith("<title>502 Bad Gateway</title> call +…")
    assert len(shown) <= 120
    assert "\n" not in shown


@given(st.binary(max_size=1000))
def test_a_snippet_is_total(body: bytes) -> None:
    """Any bytes give a short line."""
    shown = snippet_of(body)
    assert len(shown) <= 120
    assert shown == " ".join(shown.split()) or shown.endswith(" ")
