"""Looks for words in every place that outlives an error: its texts, its chain, its frames, logs, spans."""

import logging
import pickle
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest
from attrs import define, field
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from yarl import URL

import helpcrunch_async
from helpcrunch_async import APIError, DecodeError

PACKAGE: Final = Path(helpcrunch_async.__file__).parent
_TESTS: Final = Path(__file__).parents[1]
_LOGGERS: Final = ("helpcrunch_async", "aiohttp.client", "aiohttp.internal", "asyncio", "tenacity")
_MEANT_TO_BE_THERE: Final = {
    APIError: ("message", "errors", "code", "path"),  # the server's words, and what the caller asked for
    DecodeError: ("page",),  # the rows that could be read
}


@define
class Spans:
    """What OpenTelemetry exports of every aiohttp session, whoever makes it."""

    exporter: InMemorySpanExporter = field(factory=InMemorySpanExporter)

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Instrument aiohttp meanwhile, with URLs cut as a user would cut them."""
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        instrumentor = AioHttpClientInstrumentor()
        instrumentor.instrument(tracer_provider=provider, url_filter=_without_values)
        try:
            yield
        finally:
            instrumentor.uninstrument()


def _without_values(url: URL) -> str:
    return str(url.origin())


@define
class Witness:
    """What is seen beside an error: log records at every level, warnings, what is printed, and spans."""

    caplog: pytest.LogCaptureFixture
    capfd: pytest.CaptureFixture[str]
    spans: Spans
    warned: list[warnings.WarningMessage] = field(factory=list)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear everything meanwhile."""
        self.spans.exporter.clear()
        for name in (None, *_LOGGERS):
            self.caplog.set_level(1, logger=name)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield
        self.warned += warned

    def texts(self) -> Iterator[tuple[str, str]]:
        """Give what was seen, and where."""
        formatter = logging.Formatter("%(name)s %(levelname)s %(message)s %(pathname)s")
        for record in self.caplog.records:
            yield "log", formatter.format(record)
            yield "log record", repr(vars(record))
        for warning in self.warned:
            yield "warning", str(warning)
        yield "output", "".join(self.capfd.readouterr())
        for span in self.spans.exporter.get_finished_spans():
            yield "span", span.to_json()


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and whatever hangs on to it."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from chain_of(each)
        if error.__cause__ is not None:
            yield from chain_of(error.__cause__)
        error = error.__context__


def _fields(error: BaseException) -> dict[str, Any]:
    hidden = [name for kind, names in _MEANT_TO_BE_THERE.items() if isinstance(error, kind) for name in names]
    return {name: value for name, value in vars(error).items() if name not in hidden}


def texts_of(error: BaseException) -> Iterator[tuple[str, str]]:
    """Give all that can be written of an error without its frames, and where; but the server's own words."""
    for each in chain_of(error):
        yield "str", str(each)
        yield "repr", repr(each)
        yield "fields", repr(_fields(each))
        yield "notes", repr(getattr(each, "__notes__", []))
        if not isinstance(each, APIError):
            yield "args", repr(each.args)
    yield "traceback", "".join(traceback.format_exception(error))


def pickles_of(error: BaseException) -> Iterator[tuple[str, str]]:
    """Give what travels to another process, by every protocol."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"pickle {protocol}", pickle.dumps(error, protocol).decode("latin-1")


def _frames_of(error: BaseException) -> Iterator[FrameType]:
    for each in chain_of(error):
        for frame, _ in traceback.walk_tb(each.__traceback__):
            yield frame


def locals_of(error: BaseException, *, private: bool = False) -> Iterator[tuple[str, str]]:
    """Give what error trackers capture: the locals of every frame but the tests' own.

    With `private` only those of frames in which nobody expects a caller's data: ours, below the method that
    was called with it.
    """
    for frame in _frames_of(error):
        path, name = Path(frame.f_code.co_filename), frame.f_code.co_name
        if path.is_relative_to(_TESTS) or (private and not _is_within(path, name)):
            continue
        for variable, value in frame.f_locals.items():
            yield f"{path.name}:{frame.f_lineno} {name}: {variable}", repr(value)


def packages_of(error: BaseException) -> set[str]:
    """Tell whose frames an error, and whatever hangs on to it, has."""
    return {str(frame.f_globals["__name__"]).partition(".")[0] for frame in _frames_of(error)}


def _is_within(path: Path, name: str) -> bool:
    if path.name in {"client.py", "batch.py"}:
        return name in {"_one", "_page"}
    return path.is_relative_to(PACKAGE)


def places(words: Iterable[str], texts: Iterable[tuple[str, str]]) -> list[str]:
    """Give where any of the words stands, and a piece of what stands there."""
    found = []
    for where, text in texts:
        for word in words:
            at = text.find(word)
            if at >= 0:
                found.append(f"{where}: {text[max(0, at - 60) : at + 60]!r}")
    return found
