"""Agents, departments, applications and the organization of the fake server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from helpcrunch_async.testing import FakeHelpCrunch

Call = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def server() -> AsyncIterator[FakeHelpCrunch]:
    async with FakeHelpCrunch(3) as running:
        yield running


async def test_the_team_that_is_there(server: FakeHelpCrunch, call: Call) -> None:
    """Every role, HelpBot, departments with their agents, applications with the ids that clients use."""
    _, agents = await call(server, "GET /agents")
    assert {agent["role"] for agent in agents["data"]} == {"admin", "superviser", "agent", "agentChatOnly"}
    assert "HelpBot" in {agent["name"] for agent in agents["data"]}
    assert agents == {"data": server.agents, "meta": {"total": 5}}
    _, departments = await call(server, "GET /departments")
    assert departments == {"data": server.departments, "meta": {"total": 2}}
    assert departments["data"][0]["agents"][0] in agents["data"]
    assert await call(server, "GET /applications") == (200, {"data": server.applications})
    assert [application["id"] for application in server.applications] == [1, 2]
    assert await call(server, "GET /organization") == (200, {"data": server.organization})


@pytest.mark.parametrize("path", ["/agents", "/departments"])
async def test_the_old_listings_have_no_total(call: Call, path: str) -> None:
    """Nor a `meta`."""
    async with FakeHelpCrunch(3, spelling="old") as server:
        _, page = await call(server, f"GET {path}")
        assert page.keys() == {"data"}


async def test_pages(server: FakeHelpCrunch, call: Call) -> None:
    """By limit and offset; what else is asked for is ignored."""
    _, page = await call(server, "GET /agents?limit=2&offset=1&sort=name")
    assert (page["data"], page["meta"]) == (server.agents[1:3], {"total": 5})
    _, page = await call(server, "GET /departments?offset=5")
    assert page == {"data": [], "meta": {"total": 2}}
    for path in ("/agents?limit=0", "/departments?limit=101"):
        status, body = await call(server, f"GET {path}")
        assert (status, body["errors"][1]["code"]) == (400, "limit")


async def test_unsubscribing_an_agent(server: FakeHelpCrunch, call: Call) -> None:
    """A GET that changes something: `Ok`, and a test can see it."""
    assert server.unsubscribed_agents == []
    for agent_id in (303, 302, 303):
        assert await call(server, f"GET /agents/{agent_id}/unsubscribe") == (200, "Ok")
    assert server.unsubscribed_agents == [302, 303]
    status, body = await call(server, "GET /agents/9/unsubscribe")
    assert (status, body["errors"][1]["code"]) == (404, "not_found")


async def test_a_team_of_ones_own(server: FakeHelpCrunch, call: Call) -> None:
    """Added, replaced, and served; what is given and taken is a copy."""
    zoe = {"id": 7, "name": "Zoë", "email": "zoe@example.com", "role": "agent"}
    assert server.add_agent(zoe) == 7
    department_id = server.add_department({"name": "Sales", "agents": [7, {"id": 301}]})
    assert server.add_application({"name": "bot", "type": "telegram"}) == 3
    server.organization = {"id": 1, "domain": "acme"}
    zoe["name"] = "edited"
    server.agents[0]["name"] = "edited"
    server.organization["domain"] = "edited"
    _, page = await call(server, "GET /departments?offset=2")
    assert page["data"] == [
        {"id": department_id, "name": "Sales", "agents": [zoe | {"name": "Zoë"}, server.agents[2]]}
    ]
    assert server.add_agent({"id": 7, "name": "Zoe"}) == 7
    assert server.departments[-1]["agents"][0]["name"] == "Zoe"
    assert (await call(server, "GET /applications"))[1]["data"][-1]["displayName"] == ""
    assert (await call(server, "GET /organization"))[1] == {"data": {"id": 1, "domain": "acme"}}


def test_a_team_that_cannot_be() -> None:
    """Odd ids, agents who are not there, and what is no JSON."""
    server = FakeHelpCrunch(0)
    for agent_id in (0, -1, "7", True, 1.5, [7]):
        with pytest.raises(ValueError, match="agent's id"):
            server.add_agent({"id": agent_id})
    with pytest.raises(ValueError, match="no agent 9"):
        server.add_department({"agents": [9]})
    with pytest.raises(ValueError, match="JSON"):
        server.add_application({"name": b"x"})
