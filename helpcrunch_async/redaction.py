"""Secrets and people's data: what may be shown, and where.

Whoever reports an exception may report the locals of every frame it passed, of other libraries' frames too:
error trackers do, rich tracebacks, structured loggers. Hence the rule about locals:

* A secret is a `Secret` from where it comes in. It is exposed inside an expression, never to a name.
* A body on its way out is a `RedactedBytes`, and what else holds a body leaves it out of its repr.
* A function that is given a secret, or what a body says, in the open and that raises is made with
  `hide_locals`.
* Frames of a library that holds the secret in the open are dropped with `drop_frames`.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from types import FrameType, TracebackType
from typing import Final, Generic, NoReturn, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


class _Opaque(Generic[T]):
    """Holds something that is not shown: not in texts, tracebacks, slices or pickles."""

    __slots__ = ("_content",)

    def __init__(self, content: T) -> None:
        self._content = content

    def expose(self) -> T:
        """Return it, in the open."""
        return self._content

    def __format__(self, format_spec: str) -> str:
        return format(str(self), format_spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not pickled")


class Secret(_Opaque[str]):
    """A text that nobody may see, such as an API key. It is no str: a slice of one would be plain."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(***)"


class RedactedBytes(_Opaque[bytes]):
    """The body of a request: shows its size only."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._content)

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


def hide_locals(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function whose exceptions show no local of the function, nor of what it called."""

    @wraps(function)
    def hiding(*arguments: P.args, **options: P.kwargs) -> R:
        handled = sys.exception()
        try:
            return function(*arguments, **options)
        except BaseException as error:
            del arguments, options
            for each in _chain(error, handled):
                _clear(each.__traceback__)
            raise

    return hiding


@hide_locals
def to_secret(what: str, value: object) -> Secret:
    """Take a text as a secret.

    Raises:
        TypeError: it is not a str; the error says so of `what`, and names the type alone.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {type(value).__name__}")
    return Secret(value)


def drop_frames(error: BaseException, handled: BaseException | None, libraries: frozenset[str]) -> bool:
    """Drop the frames of some libraries from an exception that the calling frame handles.

    What these called in the standard library goes with them; the calling frame and those of others, such as
    a hook of the user's, stay. So it is done with all that hangs on to the exception. Return whether it was
    raised in a frame that went; an error then has a note of the place.

    Args:
        error: what is handled.
        handled: what `sys.exception()` was before: it belongs to the callers.
        libraries: names of packages.
    """
    own = error.__traceback__
    assert own is not None
    raised_at = _last(own)
    for each in _chain(error, handled):
        each.__traceback__ = _without(each.__traceback__, libraries, keep=own.tb_frame)
    assert error.__traceback__ is not None
    went = _last(error.__traceback__).tb_frame is not raised_at.tb_frame
    if went and isinstance(error, Exception):
        module = raised_at.tb_frame.f_globals.get("__name__")
        error.add_note(f"raised in {module}, line {raised_at.tb_lineno}: a frame that may show a secret")
    return went


def _chain(error: BaseException | None, handled: BaseException | None) -> Iterator[BaseException]:
    """Give an exception and whatever hangs on to it, once each, up to what was handled before."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or each is handled or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions


def _clear(traceback: TracebackType | None) -> None:
    while traceback is not None:
        with suppress(RuntimeError):  # the frame still runs
            traceback.tb_frame.clear()
        traceback = traceback.tb_next


def _without(
    traceback: TracebackType | None, libraries: frozenset[str], *, keep: FrameType
) -> TracebackType | None:
    kept: list[TracebackType] = []
    in_library = True
    while traceback is not None:
        package = str(traceback.tb_frame.f_globals.get("__name__")).partition(".")[0]
        if traceback.tb_frame is keep:
            kept.append(traceback)
        elif package in libraries:
            in_library = True
        elif not (in_library and package in sys.stdlib_module_names):
            in_library = False
            kept.append(traceback)
        traceback = traceback.tb_next
    linked = None
    for each in reversed(kept):
        linked = TracebackType(linked, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return linked


def _last(traceback: TracebackType) -> TracebackType:
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback


_WORD_OR_ID: Final = re.compile(r"[A-Za-z]+|[0-9]+")
_QUOTED: Final = re.compile(r'("(?:[^"\\]|\\.)*(?:"|\\?\Z)|\'(?:[^\'\\]|\\.)*(?:\'|\\?\Z))(\s*:)?', re.DOTALL)
_REVEALING: Final = re.compile(r'[^\s<>"@]+@[^\s<>"]+|\d{4,}|\bBearer\s+[^\s<>"]+', re.IGNORECASE)


def path_in_text(path: str) -> str:
    """Return a path as texts show it: what is neither a word nor an id may be an e-mail address."""
    return "/".join(each if not each or _WORD_OR_ID.fullmatch(each) else "{}" for each in path.split("/"))


def snippet_of(body: bytes, length: int = 120) -> str:
    """Return the beginning of a body with quoted values, e-mail addresses and long numbers masked.

    So is a key, which some servers' pages for developers echo with the other headers.
    """
    text = body[: 4 * length].decode("utf-8", "replace")
    text = _QUOTED.sub(lambda quoted: quoted[0] if quoted[2] else "…", text)  # a key stays, a value goes
    return " ".join(_REVEALING.sub("…", text).split())[:length]
