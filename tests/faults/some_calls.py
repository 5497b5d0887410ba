"""Faults that only show in a particular call, or a particular moment of it."""

import asyncio
import json
from typing import Final

from faults import acts
from faults.behaviours import GOOD, KEPT, answer_again_later, close, echo_of_ids, hang, http, refusal, stall
from faults.case import Fault, Special
from faults.stages import answering
from helpcrunch_async import ClientClosedError, ConnectionFailedError, DecodeError, RateLimitError

_IN_2099: Final = "Retry-After: Tue, 01 Dec 2099 16:00:00 GMT"
_IN_1999: Final = "Retry-After: Wed, 01 Dec 1999 16:00:00 GMT"
_ROWS: Final = json.dumps({"data": [{"id": 1}, {"name": "no id"}], "total": 2}).encode()

FAULTS: Final = (
    Fault(
        6,
        "idle keep-alive connection was dropped by the peer",
        (
            Special(
                "dropped while idle",
                answering(KEPT, GOOD),
                acts.read_twice,
                "the customer, over a new connection",
                requests=2,
            ),
            Special(
                "dropped as a read arrives",
                answering(KEPT, close, GOOD, keep_alive=True),
                acts.read_twice,
                "the customer, by a retry that the policy counts",
                requests=3,
            ),
            Special(
                "dropped as a change arrives",
                answering(KEPT, close, GOOD, keep_alive=True),
                acts.read_and_write,
                "`ConnectionFailedError`, in doubt: it is not sent again",
                ConnectionFailedError,
                "broke",
                requests=2,
                in_doubt=True,
            ),
            Special(
                "answered once more while idle",
                answering(answer_again_later, GOOD, keep_alive=True),
                acts.read_once_it_was_answered_again,
                "the customer, over a new connection: what came unasked is nobody's answer",
                requests=2,
            ),
            Special(
                "answered once more while idle, then a change",
                answering(answer_again_later, GOOD, keep_alive=True),
                acts.write_once_it_was_answered_again,
                "the answer to the change, which was sent once",
                requests=2,
            ),
        ),
    ),
    Fault(
        17,
        "wrong types, missing fields, null lists",
        (
            Special(
                "a wrong type",
                answering(http(b'{"id": "seven"}')),
                acts.read,
                "`DecodeError` that names the place",
                DecodeError,
                r"\$\.id: expected an integer",
            ),
            Special(
                "a missing id",
                answering(http(b'{"name": "Mara"}')),
                acts.read,
                "`DecodeError` that names the place",
                DecodeError,
                r"\$\.id: missing",
            ),
            Special(
                "one bad row",
                answering(http(_ROWS)),
                acts.read_listing,
                "`DecodeError` that says which row",
                DecodeError,
                r"\$\.data\[1\]\.id: missing",
            ),
            Special(
                "nulls everywhere",
                answering(http(b'{"id": 7, "tags": null, "customData": null, "location": null}')),
                acts.read,
                "the customer: what is null is empty",
            ),
        ),
    ),
    Fault(
        21,
        "the caller is cancelled",
        (
            Special(
                "in the queue",
                answering(GOOD),
                acts.cancelled_in_line,
                "`CancelledError`, nothing sent",
                asyncio.CancelledError,
                requests=0,
            ),
            Special(
                "in back-off",
                answering(http(b"", status="503 Down")),
                acts.cancelled_in_backoff,
                "`CancelledError`, no retry",
                asyncio.CancelledError,
            ),
            Special(
                "before the answer",
                answering(hang),
                acts.cancelled_on_the_wire,
                "`CancelledError`, no retry",
                asyncio.CancelledError,
            ),
            Special(
                "mid-body",
                answering(stall),
                acts.cancelled_on_the_wire,
                "`CancelledError`, no retry",
                asyncio.CancelledError,
            ),
        ),
    ),
    Fault(
        22,
        "session closed before or in flight",
        (
            Special(
                "before",
                answering(GOOD),
                acts.session_closed_before,
                "`ClientClosedError`, nothing sent",
                ClientClosedError,
                "session is closed",
                requests=0,
            ),
            Special(
                "in flight",
                answering(hang),
                acts.session_closed_in_flight,
                "`ClientClosedError`, no retry",
                ClientClosedError,
                "session was closed",
            ),
            Special(
                "before a change",
                answering(GOOD),
                acts.session_closed_before_a_change,
                "`ClientClosedError`, nothing sent",
                ClientClosedError,
                "session is closed",
                requests=0,
            ),
            Special(
                "in flight, under a change",
                answering(hang),
                acts.session_closed_under_a_change,
                "`ClientClosedError`, in doubt",
                ClientClosedError,
                "session was closed",
                in_doubt=True,
            ),
            Special(
                "the client itself, in flight",
                answering(hang),
                acts.client_closed_in_flight,
                "`ClientClosedError`, no retry",
                ClientClosedError,
                "client was closed",
            ),
        ),
    ),
    Fault(
        23,
        "used from a second event loop",
        (
            Special(
                "while open in the first",
                answering(GOOD),
                acts.read_in_another_loop,
                "`RuntimeError` that says so",
                RuntimeError,
                "another event loop",
                requests=0,
            ),
        ),
    ),
    Fault(
        24,
        "10,000 calls pending",
        (
            Special(
                "10,000 ids in a stream",
                answering(echo_of_ids, keep_alive=True),
                acts.stream_ten_thousand,
                "each customer once, with never more than 1,000 ids and 130 tasks in hand",
                requests=100,
            ),
        ),
    ),
    Fault(
        25,
        "clock jump",
        (
            Special(
                "back by decades",
                answering(refusal(_IN_2099)),
                acts.told_to_wait_a_day,
                "`RateLimitError` at once; its `retry_after` is a day, the most that is believed",
                RateLimitError,
                "429",
            ),
            Special(
                "ahead by decades",
                answering(refusal(_IN_1999), GOOD),
                acts.read,
                "the customer: a moment that is past is not waited for",
                requests=2,
            ),
        ),
    ),
)
