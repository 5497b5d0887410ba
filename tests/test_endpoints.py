"""The documented endpoints, and what is known of each: written down once more, by hand."""

import pytest
from api_calls.table import TABLE

from helpcrunch_async import endpoints
from helpcrunch_async.endpoints import Endpoint

# method and path, and whether it may be sent again, changes something, and is answered with Ok alone
FACTS = {
    ("GET", "/customers"): (True, False, False),
    ("POST", "/customers/search"): (True, False, False),
    ("GET", "/customers/{id}"): (True, False, False),
    ("POST", "/customers"): (False, True, False),
    ("PUT", "/customers/{id}"): (True, True, False),
    ("PATCH", "/customers/{id}"): (True, True, False),
    ("PUT", "/customers/batch"): (True, True, True),
    ("DELETE", "/customers/{id}"): (True, True, True),
    ("PUT", "/customers/{id}/tags"): (True, True, False),
    ("DELETE", "/customers/{id}/tags"): (True, True, False),
    ("POST", "/events"): (False, True, False),
    ("GET", "/chats"): (True, False, False),
    ("POST", "/chats/search"): (True, False, False),
    ("GET", "/chats/{id}"): (True, False, False),
    ("POST", "/chats"): (False, True, False),
    ("PUT", "/chats/status"): (True, True, False),
    ("PUT", "/chats/assignee"): (True, True, False),
    ("PUT", "/chats/department"): (True, True, False),
    ("PUT", "/chats/snooze"): (True, True, False),
    ("PUT", "/chats/rate"): (True, True, False),
    ("PUT", "/chats/readByAgent"): (True, True, False),
    ("PUT", "/chats/readByCustomer"): (True, True, False),
    ("GET", "/chats/{id}/messages"): (True, False, False),
    ("POST", "/messages"): (False, True, False),
    ("GET", "/agents"): (True, False, False),
    ("GET", "/agents/{id}/unsubscribe"): (False, True, True),
    ("GET", "/departments"): (True, False, False),
    ("GET", "/applications"): (True, False, False),
    ("GET", "/organization"): (True, False, False),
}
ENDPOINTS = {name: each for name, each in vars(endpoints).items() if isinstance(each, Endpoint)}


def test_there_are_29() -> None:
    """As many as the documentation knows, each under one name."""
    assert len(FACTS) == len(ENDPOINTS) == 29
    assert set(FACTS) == {(each.method, f"/{each.path}") for each in ENDPOINTS.values()}


def test_each_endpoint_has_a_call() -> None:
    """The table of calls covers every pair of method and path, and no other."""
    assert set(FACTS) == {call.pair for call in TABLE}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_what_is_known_of_an_endpoint(name: str) -> None:
    """A search by POST changes nothing, a GET that unsubscribes does, and no creation is sent twice."""
    endpoint = ENDPOINTS[name]
    facts = (endpoint.repeatable, endpoint.changes, endpoint.acknowledges)
    assert FACTS[endpoint.method, f"/{endpoint.path}"] == facts


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_request_knows_what_its_endpoint_knows(name: str) -> None:
    """An id goes into the path, and stays out of the template, which may be logged."""
    endpoint = ENDPOINTS[name]
    has_id = "{id}" in endpoint.path
    request = endpoint.request(8803 if has_id else None, query={"limit": 1}, body={"a": 1})
    assert endpoint.path.replace("{id}", "8803") == request.path
    assert (endpoint.method, endpoint.path) == (request.method, request.template)
    assert (request.query, request.body) == ({"limit": 1}, {"a": 1})
    facts = (request.repeatable, request.changes, request.acknowledges)
    assert FACTS[endpoint.method, f"/{endpoint.path}"] == facts
