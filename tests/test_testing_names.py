"""The public names of `helpcrunch_async.testing`: pinned, and documented."""

import inspect
from typing import Any

import pytest

from helpcrunch_async import testing

NAMES = [
    "SIGNATURE_HEADER",
    "WEBHOOK_EVENTS",
    "Behaviour",
    "Change",
    "CustomerRow",
    "FakeHelpCrunch",
    "Fault",
    "FixedWindow",
    "InterpolatedWindow",
    "Penalty",
    "RateRule",
    "RecordedRequest",
    "RollingLog",
    "Row",
    "SearchBehaviour",
    "SentWebhook",
    "Shared",
    "Spelling",
    "TokenBucket",
    "VirtualTimeLoop",
    "WebhookAttempt",
    "WebhookEventName",
    "documented_customer",
    "forget_accounts",
    "generate_customers",
    "read_customer",
    "run_in_virtual_time",
    "serve_in_thread",
    "signed_webhook",
    "write_customer",
]
DOCUMENTED: list[Any] = [
    value
    for name in NAMES
    if inspect.isclass(value := getattr(testing, name)) or inspect.isfunction(value)
    if value is not dict and getattr(value, "__module__", "").startswith("helpcrunch_async")
]


def test_the_names() -> None:
    """One more or one less is decided, not slipped in."""
    assert testing.__all__ == NAMES


@pytest.mark.parametrize("thing", DOCUMENTED, ids=lambda thing: thing.__name__)
def test_each_is_documented(thing: Any) -> None:
    """A docstring of its own; and so its public methods."""
    assert thing.__doc__
    members = vars(thing).items() if inspect.isclass(thing) else ()
    for name, member in members:
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            assert inspect.getdoc(member), f"{thing.__name__}.{name}"


def test_what_a_server_offers() -> None:
    """To fill an account, to look at it, to let it misbehave."""
    offered = {name for name in dir(testing.FakeHelpCrunch) if not name.startswith("_")}
    assert offered == {
        *("customer", "chat", "messages"),
        *("customers", "chats", "agents", "departments", "applications", "organization", "events"),
        *("add_customer", "add_chat", "add_message", "add_agent", "add_department", "add_application"),
        *("remove_customer", "unsubscribed_agents"),
        *("open", "close", "port", "url", "fail_next", "forget", "search", "behaviour"),
        *("send_webhooks_to", "webhooks", "webhooks_settled", "redeliver"),
    }
