"""What tools show of an exception, with the locals of its frames, as they do it by default."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import sentry_sdk
import stackprinter  # type: ignore[import-untyped]  # it has no annotations
from loguru import logger
from rich.console import Console
from rich.traceback import Traceback
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from structlog.tracebacks import ExceptionDictTransformer

from leaks.watch import chain_of, locals_of

logger.remove()  # what it prints by itself
_TESTS: Final = Path(__file__).parents[1]


def _plainly(error: BaseException) -> str:
    return repr(list(locals_of(error)))


def _by_rich(error: BaseException) -> str:
    file = io.StringIO()
    shown = Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True, width=200)
    Console(file=file, width=200).print(shown)
    return file.getvalue()


def _by_structlog(error: BaseException) -> str:
    return json.dumps(ExceptionDictTransformer(show_locals=True)((type(error), error, error.__traceback__)))


def _by_loguru(error: BaseException) -> str:
    file = io.StringIO()
    handler = logger.add(file, backtrace=False, diagnose=True)  # back are the frames of tests
    try:
        logger.opt(exception=error).error("a call failed")
    finally:
        logger.remove(handler)
    return file.getvalue()


def _by_stackprinter(error: BaseException) -> str:
    return str(stackprinter.format((type(error), error, error.__traceback__), show_vals="all"))


class _Sent(Transport):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.texts.append(envelope.serialize().decode())


def _by_sentry(error: BaseException) -> str:
    sent = _Sent()
    client = sentry_sdk.Client(
        dsn="http://key@127.0.0.1/1", transport=sent, default_integrations=False, attach_stacktrace=True
    )
    with sentry_sdk.new_scope() as scope:
        scope.set_client(client)
        scope.capture_exception(error)
    client.close()
    [text] = sent.texts
    return text


TOOLS: Final[dict[str, Callable[[BaseException], str]]] = {
    "captured locals": _plainly,
    "rich": _by_rich,
    "structlog": _by_structlog,
    "loguru": _by_loguru,
    "stackprinter": _by_stackprinter,
    "sentry-sdk": _by_sentry,
}


@contextmanager
def without_tests(error: BaseException) -> Iterator[None]:
    """Take the frames of tests off meanwhile: they may show what they like."""
    before = [(each, each.__traceback__) for each in chain_of(error)]
    for each, traceback in before:
        each.__traceback__ = _without_tests(traceback)
    try:
        yield
    finally:
        for each, traceback in before:
            each.__traceback__ = traceback


def _without_tests(traceback: TracebackType | None) -> TracebackType | None:
    if traceback is None:
        return None
    below = _without_tests(traceback.tb_next)
    if Path(traceback.tb_frame.f_code.co_filename).is_relative_to(_TESTS):
        return below
    return TracebackType(below, traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno)


def shown_by(tool: str, error: Any) -> str:
    """What a tool shows of an exception, without the frames of tests."""
    with without_tests(error):
        return TOOLS[tool](error)
