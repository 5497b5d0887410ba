"""Calls that look for customers."""

from typing import Any, Final

from api_calls.call import MOMENT, Call, as_they_come, nothing, one, page, request_sample, rows, walked
from helpcrunch_async import Customer, Lookup, Tag, all_of, any_of, raw_filter
from helpcrunch_async.search import EMAIL, ID, LAST_SEEN, TAGS

NEW: Final = "customer-g3-object-customdata-str-ts.json"
PAGE: Final = "customers-page-total.json"
EMPTY: Final = "customers-page-empty.json"
ALL: Final = {"limit": "100", "offset": "0"}
SEARCH: Final = {"comparison": "AND", "filter": [{"field": "customers.id", "operator": ">", "value": 7}]}


def search_for(field: str, value: str) -> dict[str, Any]:
    """Give the body that finds customers by one exact value."""
    return {
        "comparison": "AND",
        "filter": [{"field": f"customers.{field}", "operator": "=", "value": value}],
        "sort": "customers.lastSeen",
        "order": "desc",
        "limit": 100,
        "offset": 0,
    }


CALLS: Final = (
    Call(
        "get_customer",
        lambda client: client.get_customer(8737843),
        "GET",
        "/customers/8737843",
        "customer-documented.json",
        one(Customer),
    ),
    Call(
        "get_customer, new spelling",
        lambda client: client.get_customer(customer_id=70012),
        "GET",
        "/customers/70012",
        NEW,
        one(Customer),
    ),
    Call(
        "get_customer, of a view",
        lambda client: client.with_options(timeout=3.0, priority="bulk").get_customer(70013),
        "GET",
        "/customers/70013",
        "customer-sparse-nulls.json",
        one(Customer),
    ),
    Call(
        "get_customers",
        lambda client: client.get_customers([70012]),
        "GET",
        "/customers/70012",
        NEW,
        lambda body: [one(Customer)(body)],
    ),
    Call(
        "get_customers, folded",
        lambda client: client.get_customers([70011, 70012]),
        "POST",
        "/customers/search",
        PAGE,
        lambda body: list(reversed(rows(Customer)(body))),
        body=request_sample("search-request-by-ids-or.json"),
    ),
    Call(
        "stream_customers",
        lambda client: walked(client.stream_customers(as_they_come([70012]))),
        "GET",
        "/customers/70012",
        NEW,
        lambda body: [Lookup(70012, one(Customer)(body), None)],
    ),
    Call(
        "list_customers",
        lambda client: walked(client.list_customers()),
        "GET",
        "/customers",
        PAGE,
        rows(Customer),
        ALL,
    ),
    Call(
        "list_customers, to_list",
        lambda client: client.list_customers().to_list(),
        "GET",
        "/customers",
        PAGE,
        rows(Customer),
        ALL,
    ),
    Call(
        "list_customers, to_list(limit)",
        lambda client: client.list_customers().to_list(limit=1),
        "GET",
        "/customers",
        PAGE,
        lambda body: rows(Customer)(body)[:1],
        {"limit": "1", "offset": "0"},
    ),
    Call(
        "list_customers, a part",
        lambda client: client.list_customers(offset=40, limit=2).to_list(),
        "GET",
        "/customers",
        PAGE,
        rows(Customer),
        {"limit": "2", "offset": "40"},
    ),
    Call(
        "list_customers, sorted page",
        lambda client: client.list_customers(sort="firstSeen", order="desc").page(offset=200, limit=10),
        "GET",
        "/customers",
        PAGE,
        page(Customer, total=2, offset=200),
        {"sort": "customers.firstSeen", "order": "desc", "limit": "10", "offset": "200"},
    ),
    Call(
        "list_customers, empty page",
        lambda client: client.list_customers(sort="lastSeen").page(),
        "GET",
        "/customers",
        EMPTY,
        page(Customer, total=2),
        {"sort": "customers.lastSeen", **ALL},
    ),
    Call(
        "list_customers, order alone",
        lambda client: client.list_customers(order="asc").page(),
        "GET",
        "/customers",
        EMPTY,
        page(Customer, total=2),
        {"order": "asc", **ALL},
    ),
    Call(
        "search_customers",
        lambda client: walked(client.search_customers(ID.above(7))),
        "POST",
        "/customers/search",
        PAGE,
        rows(Customer),
        body={**SEARCH, "limit": 100, "offset": 0},
    ),
    Call(
        "search_customers, tags and a date",
        lambda client: client.search_customers(
            all_of(LAST_SEEN.since(MOMENT), TAGS.include("trial", Tag("vip", "red"))),
            sort="firstSeen",
            order="desc",
        ).to_list(),
        "POST",
        "/customers/search",
        PAGE,
        rows(Customer),
        body=request_sample("search-request-tags-and-date.json"),
    ),
    Call(
        "search_customers, any of some",
        lambda client: client.search_customers(any_of(ID.equals(70011), ID.equals(70012))).to_list(),
        "POST",
        "/customers/search",
        PAGE,
        rows(Customer),
        body=request_sample("search-request-by-ids-or.json"),
    ),
    Call(
        "search_customers, a part",
        lambda client: client.search_customers(ID.above(7), offset=40, limit=2).to_list(),
        "POST",
        "/customers/search",
        PAGE,
        rows(Customer),
        body={**SEARCH, "limit": 2, "offset": 40},
    ),
    Call(
        "search_customers, sorted page",
        lambda client: client.search_customers(
            raw_filter("customers.age", "in", [20, 21]), sort="lastSeen", order="asc"
        ).page(offset=200, limit=10),
        "POST",
        "/customers/search",
        EMPTY,
        page(Customer, total=2, offset=200),
        body={
            "comparison": "AND",
            "filter": [{"field": "customers.age", "operator": "in", "value": [20, 21]}],
            "sort": "customers.lastSeen",
            "order": "asc",
            "limit": 10,
            "offset": 200,
        },
    ),
    Call(
        "search_customers, order alone",
        lambda client: client.search_customers(EMAIL.contains("@"), order="asc").page(),
        "POST",
        "/customers/search",
        EMPTY,
        page(Customer, total=2),
        body={
            "comparison": "AND",
            "filter": [{"field": "customers.email", "operator": "~", "value": "@"}],
            "order": "asc",
            "limit": 100,
            "offset": 0,
        },
    ),
    Call(
        "find_customer",
        lambda client: client.find_customer(user_id="acct_501"),
        "POST",
        "/customers/search",
        PAGE,
        lambda body: one(Customer)(body["data"][1]),
        body=search_for("userId", "acct_501"),
    ),
    Call(
        "find_customer, by e-mail",
        lambda client: client.find_customer(email="Mara@Customer.example"),
        "POST",
        "/customers/search",
        PAGE,
        lambda body: one(Customer)(body["data"][0]),
        body=search_for("email", "Mara@Customer.example"),
    ),
    Call(
        "find_customer, none",
        lambda client: client.find_customer(email="nobody@customer.example"),
        "POST",
        "/customers/search",
        EMPTY,
        nothing,
        body=search_for("email", "nobody@customer.example"),
    ),
)
