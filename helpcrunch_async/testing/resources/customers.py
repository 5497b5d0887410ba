"""The endpoints under `/customers`.

What is not documented was decided here: a `userId` that another customer has is refused in updates as it is
in creations; a batch changes each customer as `PATCH` does, one after the other, and none of them when
anything in it is wrong.
"""

from collections.abc import Mapping

import attrs

from helpcrunch_async.testing import changes
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import Answer, InvalidRequestError, NotFoundError, Problem, RefusedError
from helpcrunch_async.testing.customer_fields import cleared, read_tags, written_over
from helpcrunch_async.testing.customers import CustomerRow, read_customer
from helpcrunch_async.testing.fields import Fields, a_number, read_fields, read_json
from helpcrunch_async.testing.paging import read_paging
from helpcrunch_async.testing.rendering import done, one, page
from helpcrunch_async.testing.routing import Call, Endpoint
from helpcrunch_async.testing.search import CUSTOMER_SORTS, search_customers, without_keys

_BATCH_LIMIT = 10


def get_customer(account: Account, call: Call) -> Answer:
    """`GET /customers/{id}`: the customer, bare."""
    return one(account, account.customers.rendered(call.id))


def list_customers(account: Account, call: Call) -> Answer:
    """`GET /customers`: `{"data": [...], "total": n}`, by id unless another order is asked for."""
    paging, problems = read_paging(call.query, CUSTOMER_SORTS, numbers_are_text=True)
    if problems:
        raise InvalidRequestError(problems)
    field = None if paging.sort is None else CUSTOMER_SORTS[paging.sort]
    book = account.customers
    ids = book.in_order(field, descending=paging.descending)
    wanted = ids[paging.offset : paging.offset + paging.limit]
    return page(account, call, map(book.rendered, wanted), len(ids))


def search(account: Account, call: Call) -> Answer:
    """`POST /customers/search`: shaped like the listing; nothing found is an empty list."""
    behaviour, book = account.search, account.customers
    if behaviour.heals_after is not None and account.searches >= behaviour.heals_after:
        behaviour = attrs.evolve(behaviour, lag=0.0, missing_keys=())
    ids, total = search_customers(book, call.body, behaviour, strict=account.behaviour.strict_types)
    account.searches += 1
    at = account.wall_clock() - behaviour.lag
    rows = [book.rendered(each) if behaviour.lag <= 0 else book.rendered_at(each, at) for each in ids]
    known = (without_keys(row, behaviour.missing_keys) for row in rows if row is not None)
    return page(account, call, known, total)


def create_customer(account: Account, call: Call) -> Answer:
    """`POST /customers`: 201; nothing is required, a `userId` that is taken is refused."""
    fields = read_fields(call.body, account.behaviour)
    row = written_over(account, read_customer({}), fields)
    fields.check()
    return _stored(account, row, status=201)


def replace_customer(account: Account, call: Call) -> Answer:
    """`PUT /customers/{id}`: whatever can be written and is left out becomes empty."""
    row = account.customers[call.id]
    fields = read_fields(call.body, account.behaviour)
    row = written_over(account, cleared(row), fields)
    fields.check()
    return _stored(account, row)


def update_customer(account: Account, call: Call) -> Answer:
    """`PATCH /customers/{id}`: what is given changes, null empties."""
    row = account.customers[call.id]
    fields = read_fields(call.body, account.behaviour)
    row = written_over(account, row, fields)
    fields.check()
    return _stored(account, row)


def update_batch(account: Account, call: Call) -> Answer:
    """`PUT /customers/batch`: a list of up to ten updates, answered with a list of the customers."""
    document = read_json(call.body)
    if not isinstance(document, list) or not 1 <= len(document) <= _BATCH_LIMIT:
        text = f"This collection should contain 1 to {_BATCH_LIMIT} elements."
        raise InvalidRequestError([Problem("", text)])
    problems: list[Problem] = []
    strict = account.behaviour.strict_types
    items = [Fields(item, f"[{index}]", problems, strict=strict) for index, item in enumerate(document)]
    ids = [item.read("customer", a_number, required=True) for item in items]
    changed: dict[int, CustomerRow] = {}
    missing = False
    refusal: RefusedError | None = None
    for item, customer_id in zip(items, ids, strict=True):
        if customer_id is not None and customer_id in account.customers:
            row = written_over(account, changed.get(customer_id, account.customers[customer_id]), item)
            refusal = refusal or _refusal_of_user_id(account, row, changed)
            changed[customer_id] = row
        else:
            missing = True
    if problems:
        raise InvalidRequestError(problems)
    if missing:
        raise NotFoundError("Customer")
    if refusal is not None:
        raise refusal
    for row in changed.values():
        changes.put_customer(account, row)
    rendered = b",".join(account.customers.rendered(each) for each in ids if each is not None)
    return Answer(200, b"[%b]" % rendered)


def delete_customer(account: Account, call: Call) -> Answer:
    """`DELETE /customers/{id}`: `Ok`."""
    changes.remove_customer(account, call.id)
    return done(account)


def tag_customer(account: Account, call: Call) -> Answer:
    """`PUT /customers/{id}/tags`: the tags are added to those the customer has."""
    row = account.customers[call.id]
    fields = read_fields(call.body, account.behaviour)
    given = read_tags(account, fields)
    fields.check()
    there = row["tags"] or []
    names = {tag["name"] for tag in there}
    return _stored(account, {**row, "tags": [*there, *(tag for tag in given if tag["name"] not in names)]})


def untag_customer(account: Account, call: Call) -> Answer:
    """`DELETE /customers/{id}/tags`, with a body; tags that the customer does not have are passed over."""
    row = account.customers[call.id]
    fields = read_fields(call.body, account.behaviour)
    names = {tag["name"] for tag in read_tags(account, fields)}
    fields.check()
    return _stored(account, {**row, "tags": [tag for tag in row["tags"] or [] if tag["name"] not in names]})


def _stored(account: Account, row: CustomerRow, *, status: int = 200) -> Answer:
    refusal = _refusal_of_user_id(account, row, {})
    if refusal is not None:
        raise refusal
    customer_id = changes.put_customer(account, row)
    return one(account, account.customers.rendered(customer_id), status)


def _refusal_of_user_id(
    account: Account, row: CustomerRow, changed: Mapping[int, CustomerRow]
) -> RefusedError | None:
    """Refuse a `userId` that another customer has by now, when those in `changed` are as they are there."""
    user_id, before = row["userId"], changed.get(row["id"]) or account.customers.get(row["id"])
    if user_id is None or (before is not None and before["userId"] == user_id):
        return None
    holders = {each for each in account.customers.with_user_id(user_id) if each not in changed}
    holders |= {each for each, other in changed.items() if other["userId"] == user_id}
    if holders <= {row["id"]}:
        return None
    return RefusedError("invalid_userId_value", "This userId is taken by another customer.")


ROUTES: list[tuple[str, str, Endpoint]] = [
    ("GET", "/customers", list_customers),
    ("POST", "/customers", create_customer),
    ("POST", "/customers/search", search),
    ("PUT", "/customers/batch", update_batch),
    ("GET", "/customers/{id}", get_customer),
    ("PUT", "/customers/{id}", replace_customer),
    ("PATCH", "/customers/{id}", update_customer),
    ("DELETE", "/customers/{id}", delete_customer),
    ("PUT", "/customers/{id}/tags", tag_customer),
    ("DELETE", "/customers/{id}/tags", untag_customer),
]
