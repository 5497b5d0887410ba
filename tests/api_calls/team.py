"""Calls about the team and the account."""

from typing import Any, Final

from api_calls.call import Call, nothing, page, rows, walked
from helpcrunch_async import Agent, Application, Department, Organization, from_dict

ALL: Final = {"limit": "100", "offset": "0"}


def lists(noun: str, model: type[Any], reply: str, *, received: int, total: int | None) -> tuple[Call, ...]:
    """Make the lines of a listing that takes a limit and an offset and nothing else."""
    method, path = f"list_{noun}", f"/{noun}"
    return (
        Call(
            method,
            lambda client: walked(getattr(client, method)(limit=received)),
            "GET",
            path,
            reply,
            rows(model),
            {"limit": str(received), "offset": "0"},
        ),
        Call(
            f"{method}, a part",
            lambda client: getattr(client, method)(offset=40, limit=received).to_list(),
            "GET",
            path,
            reply,
            rows(model),
            {"limit": str(received), "offset": "40"},
        ),
        Call(
            f"{method}, page",
            lambda client: getattr(client, method)().page(),
            "GET",
            path,
            reply,
            page(model, total=total),
            ALL,
        ),
    )


CALLS: Final = (
    *lists("agents", Agent, "agents-page-g3-wrong-total.json", received=3, total=5),
    *lists("departments", Department, "departments-page-zero-total.json", received=1, total=0),
    *lists("applications", Application, "applications-page.json", received=2, total=None),
    Call(
        "list_agents, without a total",
        lambda client: client.list_agents().to_list(),
        "GET",
        "/agents",
        "agents-page-g1-no-meta.json",
        rows(Agent),
        ALL,
    ),
    Call(
        "unsubscribe_agent",
        lambda client: client.unsubscribe_agent(312),
        "GET",
        "/agents/312/unsubscribe",
        "ok-plain.txt",
        nothing,
    ),
    Call(
        "unsubscribe_agent, Ok as JSON",
        lambda client: client.unsubscribe_agent(312),
        "GET",
        "/agents/312/unsubscribe",
        "ok-json.json",
        nothing,
    ),
    Call(
        "get_organization",
        lambda client: client.get_organization(),
        "GET",
        "/organization",
        "organization-wrapped.json",
        lambda body: from_dict(Organization, body["data"]),
    ),
)
