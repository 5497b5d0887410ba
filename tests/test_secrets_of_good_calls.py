"""When nothing goes wrong, nothing is given away either."""

import json
import logging
import pickle
import re
from collections.abc import Iterator
from typing import Any

import pytest
from api_calls.call import FIXTURES, Call
from api_calls.table import EACH_CALL
from faults.behaviours import http
from faults.clients import requester_of
from faults.server import FaultServer
from leaks.planted import KEY, client_at
from leaks.watch import Witness, places

from helpcrunch_async.accounts import _kinds
from helpcrunch_async.protocol import Request, encode_body
from helpcrunch_async.testing import FakeHelpCrunch


def told_in(body: Any) -> Iterator[str]:
    """Every text in a body that tells of somebody: names, addresses, telephone numbers, messages."""
    if isinstance(body, dict | list):
        for inner in body.values() if isinstance(body, dict) else body:
            yield from told_in(inner)
    elif isinstance(body, str) and any(mark in body for mark in "@ _+"):
        yield body


@pytest.mark.parametrize("call", EACH_CALL)
async def test_a_good_call_is_logged_by_size_and_template(call: Call, witness: Witness) -> None:
    """No logger, warning or span has the key, an id, or anything out of a body, at any level."""
    answer = (FIXTURES / call.reply).read_bytes()
    ids = [part for part in call.path.split("/") if part.isdigit()]
    told = [KEY, *told_in(call.body), *ids]
    if call.reply.endswith(".json"):
        told += told_in(json.loads(answer))
    with witness.listening():
        async with FaultServer(http(answer)) as server, client_at(server.url) as client:
            await call.use(client)
    template = call.pair[1].replace("{id}", r"{id}")
    records = [each for each in witness.caplog.records if each.name == "helpcrunch_async"]
    ours = [re.sub(r" in \d+\.\d{3} seconds", "", record.getMessage()) for record in records]
    assert [f"{call.verb} {template}: 200, attempt 1, {len(answer)} bytes"] == ours
    shown = [
        (where, text.replace(str(server.port), ""))
        for where, text in witness.texts()
        if where != "log record"
    ]
    assert places(told, shown) == []


async def test_a_retry_is_logged_by_template(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the key nor the customer nor the id is in the log of a call that took two attempts."""
    caplog.set_level(logging.DEBUG)
    async with FakeHelpCrunch(1, api_key=KEY) as server, client_at(server.url) as client:
        server.fail_next(1, "503")
        customer = await client.get_customer(8737843)
    assert customer.email
    ours = [record.getMessage() for record in caplog.records if record.name == "helpcrunch_async"]
    assert "GET /customers/{id}: 503 at attempt 1; again in 0.0 seconds" in ours
    assert not [
        message for message in ours for told in (KEY, customer.email, "Cindy", "8737843") if told in message
    ]


async def test_the_client_does_not_show_the_key() -> None:
    """Not in its repr, nor in that of anything it holds, nor by pickling it."""
    async with client_at("http://127.0.0.1:9/v1", rate_limiter=None) as client:
        requester = requester_of(client)
        for thing in (
            client,
            client.with_options(timeout=1.0),
            client._shared,
            client._shared.open,
            requester,
        ):
            assert KEY not in repr(thing)
            assert KEY not in str(thing)
            if hasattr(thing, "__dict__"):
                assert KEY not in repr(vars(thing))
        assert KEY not in repr([vars(kind) for kind in _kinds])
        with pytest.raises(TypeError):
            pickle.dumps(client)


def test_a_body_shows_its_size_only() -> None:
    """On its way out it is in the locals of several frames."""
    assert repr(encode_body({"email": "mara@customer.example"})) == "<33 bytes>"


def test_a_request_shows_neither_body_nor_query() -> None:
    """It is in the locals of every frame of the request layer."""
    request = Request("GET", "customers", "customers", True, {"q": "mara@"}, {"email": "mara@"})
    assert "mara" not in repr(request)
    assert "GET" in repr(request)
