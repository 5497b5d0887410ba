"""`POST /events`: something that a customer did."""

from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import Answer, NotFoundError, encode
from helpcrunch_async.testing.fields import a_number, a_scalar, read_fields, some_text
from helpcrunch_async.testing.moments import whole
from helpcrunch_async.testing.rendering import one
from helpcrunch_async.testing.routing import Call, Endpoint
from helpcrunch_async.testing.rows import Row


def create_event(account: Account, call: Call) -> Answer:
    """`POST /events`: `data` may be left out, which is not documented; its values come back as they came."""
    fields = read_fields(call.body, account.behaviour)
    customer_id = fields.read("customer", a_number, required=True)
    name = fields.read("name", some_text, required=True)
    data = {} if fields["data"] is None else fields.inside("data").all(a_scalar)
    fields.check()
    if customer_id not in account.customers:
        raise NotFoundError("Customer")
    event = {"name": name, "data": data, "createdAt": account.wall_clock(), "customer": customer_id}
    account.events.put(event)
    return one(account, encode(write_event(account, event)))


def write_event(account: Account, event: Row) -> Row:
    """Spell an event out: only the old spelling says whose it is."""
    written = {field: event[field] for field in ("id", "name", "data")}
    written["createdAt"] = whole(event["createdAt"], account.spelling)
    if account.spelling == "old":
        written["customer"] = event["customer"]
    return written


ROUTES: list[tuple[str, str, Endpoint]] = [("POST", "/events", create_event)]
