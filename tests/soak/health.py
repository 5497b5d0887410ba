"""What must not grow or stay: memory, objects, open files, tasks, and whatever a client holds."""

import asyncio
import gc
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

from attrs import define, frozen
from faults.clients import held_by, requester_of

from helpcrunch_async import HelpCrunchClient, Limiter, RateLimiter
from soak.server import SoakServer

_POLL: Final = 0.01  # seconds

MOST_MEMORY: Final = 32 * 2**20
"""Bytes above the first look after work. One gzip bomb takes 16 MiB, of which malloc may keep some; a
kilobyte that is leaked for each id of one route makes a hundred."""

MOST_OBJECTS: Final = 0.02
"""Objects more, for each id since the first look. One call that is leaked for each id is at least one."""

_SPARE_OBJECTS: Final = 3_000  # caches fill, whatever the count of ids
_OBJECTS_OF_A_CONNECTION: Final = 100  # of both its ends


@frozen
class Pulse:
    """Health at one moment, with nothing under way."""

    ids: int  # asked for by now
    memory: int | None  # bytes; None where that is not to be had
    objects: int
    files: int  # without those of connections that are kept on purpose
    connections: int

    def faults_since(self, first: "Pulse", warm: "Pulse") -> list[str]:
        """Tell what has grown since the first look; memory since the first one after work."""
        found = []
        if self.memory is not None and warm.memory is not None and self.memory > warm.memory + MOST_MEMORY:
            found.append(f"memory grew from {warm.memory >> 20} to {self.memory >> 20} MiB")
        most = first.objects + _SPARE_OBJECTS + MOST_OBJECTS * (self.ids - first.ids)
        most += _OBJECTS_OF_A_CONNECTION * self.connections
        if self.objects > most:
            found.append(f"objects grew from {first.objects:,} to {self.objects:,}")
        if self.files != first.files:
            found.append(f"open files went from {first.files} to {self.files}")
        return found


def open_files() -> int:
    """Count this process's open files."""
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - its entries are gone before a Path could look


def memory() -> int | None:
    """Give the resident memory in bytes; only Linux tells the present one."""
    if sys.platform != "linux":
        return None
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def kept_connections(client: HelpCrunchClient | None) -> int:
    """Count the connections that a client keeps for later."""
    if client is None:
        return 0
    transport: Any = requester_of(client)._transport
    pool = transport._session.connector._conns
    return sum(each.is_connected() for connections in pool.values() for each, _ in connections)


@define
class Watch:
    """Looks at what is held, and compares with the first look.

    Args:
        server: which has connections and tasks of its own.
        patience: seconds for what was cancelled to end.
    """

    server: SoakServer
    patience: float
    first: Pulse | None = None
    warm: Pulse | None = None

    async def look(
        self, client: HelpCrunchClient | None, limiter: Limiter, *, ids: int
    ) -> tuple[Pulse, list[str]]:
        """Wait until nothing is held, or for as long as patience lasts; measure, and tell what is wrong."""
        gives_up_at = time.monotonic() + self.patience
        while (held := self._held(client, limiter)) and time.monotonic() < gives_up_at:  # noqa: ASYNC110 - sockets have no event for it
            await asyncio.sleep(_POLL)
        gc.collect()
        kept = kept_connections(client)
        files = open_files() - kept - self.server.open_connections
        pulse = Pulse(ids, memory(), len(gc.get_objects()), files, kept)
        if self.first is None:
            self.first = pulse
        if self.warm is None or not self.warm.ids:
            self.warm = pulse
        kept_too_long = [f"{count} {what} not given back" for what, count in held.items()]
        return pulse, kept_too_long + pulse.faults_since(self.first, self.warm)

    def _held(self, client: HelpCrunchClient | None, limiter: Limiter) -> dict[str, int]:
        held = {} if client is None else held_by(client)
        if isinstance(limiter, RateLimiter):
            held |= {"turns": limiter.statistics.in_flight, "places in line": limiter.statistics.waiting}
        held["outages"] = self.server.is_out
        held["connections to the server"] = self.server.open_connections - kept_connections(client)
        held["tasks"] = sum(
            not self.server.runs(task) for task in asyncio.all_tasks() - {asyncio.current_task()}
        )
        return {what: count for what, count in held.items() if count}
