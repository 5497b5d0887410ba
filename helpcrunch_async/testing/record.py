"""What the fake server remembers of every request."""

from collections.abc import Mapping

import attrs

from helpcrunch_async.testing.faults import Fault


@attrs.frozen
class RecordedRequest:
    """One request that reached the fake server, and what became of it."""

    time: float
    """When it had arrived whole, in seconds on the server's clock."""
    method: str
    path: str
    """Without the `/v1` and the query, as it came over the wire: "/customers/8737843"."""
    query: Mapping[str, str]
    body: bytes
    status: int | None
    """What it was answered with, or would have been had the client waited; None when a fault sends none."""
    headers: Mapping[str, str]
    """By lower-case name, without `authorization`."""
    fault: Fault | None = None
    """The fault of `FakeHelpCrunch.fail_next` that struck it."""
