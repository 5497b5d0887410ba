"""A fake HelpCrunch to test against: a real HTTP server on the loopback, real rate rules, faults on order.

from helpcrunch_async.testing import FakeHelpCrunch, FixedWindow

async with FakeHelpCrunch(rate_rule=FixedWindow(120, 60.0)) as server:
    server.fail_next(1, "503")
    ...  # point your client at server.url, with the key "key"
    assert [request.status for request in server.requests] == [503, 200]
"""

from helpcrunch_async.testing.answers import Spelling
from helpcrunch_async.testing.behaviour import Behaviour
from helpcrunch_async.testing.between_tests import forget_accounts
from helpcrunch_async.testing.customers import CustomerRow, read_customer, write_customer
from helpcrunch_async.testing.faults import Fault
from helpcrunch_async.testing.generation import documented_customer, generate_customers
from helpcrunch_async.testing.happenings import WEBHOOK_EVENTS, WebhookEventName
from helpcrunch_async.testing.in_thread import serve_in_thread
from helpcrunch_async.testing.rate_rules import (
    Change,
    FixedWindow,
    InterpolatedWindow,
    Penalty,
    RateRule,
    RollingLog,
    Shared,
    TokenBucket,
)
from helpcrunch_async.testing.record import RecordedRequest
from helpcrunch_async.testing.rows import Row
from helpcrunch_async.testing.search import SearchBehaviour
from helpcrunch_async.testing.server import FakeHelpCrunch
from helpcrunch_async.testing.virtual_time import VirtualTimeLoop, run_in_virtual_time
from helpcrunch_async.testing.webhooks import SIGNATURE_HEADER, SentWebhook, WebhookAttempt, signed_webhook

__all__ = [
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
