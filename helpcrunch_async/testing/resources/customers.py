"""The endpoints under `/customers`."""

from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import Answer, InvalidRequestError, NotFoundError, ok
from helpcrunch_async.testing.paging import read_paging
from helpcrunch_async.testing.routing import Call, Endpoint
from helpcrunch_async.testing.search import CUSTOMER_SORTS, search_customers


def get_customer(account: Account, call: Call) -> Answer:
    """`GET /customers/{id}`: the customer, bare."""
    try:
        return ok(account.customers.rendered(call.id))
    except KeyError:
        raise NotFoundError("Customer") from None


def list_customers(account: Account, call: Call) -> Answer:
    """`GET /customers`: `{"data": [...], "total": n}`, by id unless another order is asked for."""
    paging, problems = read_paging(call.query, CUSTOMER_SORTS, numbers_are_text=True)
    if problems:
        raise InvalidRequestError(problems)
    field = None if paging.sort is None else CUSTOMER_SORTS[paging.sort]
    ids = account.customers.in_order(field, descending=paging.descending)
    page = ids[paging.offset : paging.offset + paging.limit]
    return ok(account.customers.rendered_page(page, len(ids)))


def search(account: Account, call: Call) -> Answer:
    """`POST /customers/search`: shaped like the listing; nothing found is an empty list."""
    return ok(search_customers(account.customers, call.body, account.search))


ROUTES: list[tuple[str, str, Endpoint]] = [
    ("GET", "/customers", list_customers),
    ("POST", "/customers/search", search),
    ("GET", "/customers/{id}", get_customer),
]
