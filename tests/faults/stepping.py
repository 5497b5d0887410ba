"""Loops that interrupt between any two of their steps, and a HelpCrunch in memory to step through."""

import asyncio
import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from helpcrunch_async import ConnectionFailedError
from helpcrunch_async.protocol import JSON, Reply
from helpcrunch_async.redaction import RedactedBytes
from helpcrunch_async.testing.virtual_time import VirtualTimeLoop


class _Stepping(asyncio.SelectorEventLoop):
    """A loop that counts its steps, and calls somebody before the step that is asked for."""

    _steps_left = 0
    _callback: Callable[[], object]

    def interrupt(self, steps: int, callback: Callable[[], object]) -> None:
        """Call `callback` before the step that comes in so many; 1 is the next."""
        self._steps_left = steps
        self._callback = callback

    def _run_once(self) -> None:
        self._steps_left -= 1
        if self._steps_left == 0:
            self._callback()
        super()._run_once()  # type: ignore[misc] # private, but the one place that every step passes


class SteppingLoop(_Stepping):
    """With real sockets."""


class VirtualSteppingLoop(_Stepping, VirtualTimeLoop):
    """In virtual time, hence the same every time."""


class MemoryTransport:
    """Answers as HelpCrunch does, after a while and some steps; in place of a session.

    `faults` are statuses for the first requests, 0 being a connection that breaks. `missing` are ids that a
    search does not find.
    """

    def __init__(self, faults: tuple[int, ...] = (), missing: frozenset[int] = frozenset()) -> None:
        self.sent = 0
        self._faults = faults
        self._missing = missing

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: RedactedBytes | None,
        timeout: float,  # noqa: ASYNC109 - the transport's interface
    ) -> Reply:
        """Answer one request."""
        status = self._faults[self.sent] if self.sent < len(self._faults) else 200
        self.sent += 1
        await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        await asyncio.sleep(0)
        if not status:
            raise ConnectionFailedError("the connection broke")
        if status != 200:
            return Reply(status, {}, b"")
        return Reply(200, {}, json.dumps(self._answer(method, url, body)).encode())

    def _answer(self, method: str, url: str, body: RedactedBytes | None) -> JSON:
        parts = urlsplit(url)
        if parts.path.endswith("/batch"):
            return None
        if method == "POST":
            assert body is not None
            asked = [item["value"] for item in json.loads(body.expose())["filter"]]
            return {
                "data": [{"id": each} for each in asked if each not in self._missing],
                "total": len(asked),
            }
        if parts.path.endswith("customers"):
            query = parse_qs(parts.query)
            offset, limit = int(query["offset"][0]), int(query["limit"][0])
            return {"data": [{"id": each + 1} for each in range(250)[offset : offset + limit]], "total": 250}
        return {"id": int(parts.path.rpartition("/")[2])}
