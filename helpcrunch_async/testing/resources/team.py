"""`/agents`, `/departments`, `/applications`, `/organization`."""

from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import Answer, InvalidRequestError, encode
from helpcrunch_async.testing.paging import read_paging
from helpcrunch_async.testing.rendering import TotalPlace, done, page
from helpcrunch_async.testing.routing import Call, Endpoint
from helpcrunch_async.testing.rows import Row


def list_agents(account: Account, call: Call) -> Answer:
    """`GET /agents`: a page with `meta.total`, which the old spelling does not have."""
    return _listed(account, call, list(account.team.agents))


def unsubscribe_agent(account: Account, call: Call) -> Answer:
    """`GET /agents/{id}/unsubscribe`: a read that changes something; `Ok`."""
    account.team.unsubscribed.add(account.team.agents[call.id]["id"])
    return done(account)


def list_departments(account: Account, call: Call) -> Answer:
    """`GET /departments`: like the agents, each department with its own."""
    return _listed(account, call, [account.team.write_department(row) for row in account.team.departments])


def list_applications(account: Account, call: Call) -> Answer:
    """`GET /applications`: all of them under `data`; no total is known, nor any argument."""
    rows = list(account.team.applications)
    return page(account, call, map(encode, rows), len(rows), total_in=None)


def get_organization(account: Account, _: Call) -> Answer:
    """`GET /organization`: the one single object that the documentation shows under `data`."""
    return Answer(200, encode({"data": account.team.organization}))


def _listed(account: Account, call: Call, rows: list[Row]) -> Answer:
    paging, problems = read_paging(call.query, None, numbers_are_text=True)
    if problems:
        raise InvalidRequestError(problems)
    wanted = rows[paging.offset : paging.offset + paging.limit]
    total_in: TotalPlace | None = None if account.spelling == "old" else "meta"
    return page(account, call, map(encode, wanted), len(rows), total_in=total_in)


ROUTES: list[tuple[str, str, Endpoint]] = [
    ("GET", "/agents", list_agents),
    ("GET", "/agents/{id}/unsubscribe", unsubscribe_agent),
    ("GET", "/departments", list_departments),
    ("GET", "/applications", list_applications),
    ("GET", "/organization", get_organization),
]
