"""The public names: pinned, documented, and with the signatures that users' code relies on."""

import inspect
from typing import Any

import pytest

import helpcrunch_async
from helpcrunch_async import HelpCrunchClient, Listing, RetryPolicy, open_session

NAMES = [
    "NO_RETRY",
    "UNLIMITED",
    "UNSET",
    "APIError",
    "Agent",
    "AgentRole",
    "Application",
    "AuthenticationError",
    "BadRequestError",
    "BatchOutcome",
    "Chat",
    "ChatCustomer",
    "ChatRating",
    "ChatStatus",
    "ClientClosedError",
    "ConflictError",
    "ConnectionFailedError",
    "CustomValue",
    "Customer",
    "CustomerFields",
    "CustomerUpdate",
    "DeadlineExceededError",
    "DecodeError",
    "Department",
    "Device",
    "ErrorDetail",
    "Event",
    "Filter",
    "HelpCrunchClient",
    "HelpCrunchError",
    "Limiter",
    "Listing",
    "Location",
    "Lookup",
    "Message",
    "MessageType",
    "NotFoundError",
    "Organization",
    "Page",
    "PermissionDeniedError",
    "Priority",
    "Query",
    "RateLimitError",
    "RateLimiter",
    "Rating",
    "RequestTimeoutError",
    "ResponseTooLargeError",
    "RetryPolicy",
    "ServerError",
    "Statistics",
    "Tag",
    "TransportError",
    "Turn",
    "TurnRefusedError",
    "WebhookSignatureError",
    "__version__",
    "all_of",
    "any_of",
    "borrow_session",
    "from_dict",
    "open_session",
    "raw_filter",
    "same_word",
    "to_dict",
]


def test_the_public_names() -> None:
    """Each is a promise: one more or one less is decided, not slipped in."""
    assert helpcrunch_async.__all__ == NAMES
    assert len(NAMES) == len(set(NAMES))


def test_every_public_name_is_there() -> None:
    """`from helpcrunch_async import *` works."""
    for name in NAMES:
        assert hasattr(helpcrunch_async, name)


DOCUMENTED: list[Any] = [
    value
    for name in NAMES
    if inspect.isclass(value := getattr(helpcrunch_async, name)) or inspect.isfunction(value)
]


@pytest.mark.parametrize("thing", DOCUMENTED, ids=lambda thing: thing.__name__)
def test_every_public_name_is_documented(thing: Any) -> None:
    """A docstring of its own, not its parent's nor a generated one; and so its public methods."""
    doc = thing.__doc__
    assert doc
    assert doc.strip().splitlines()[0].rstrip().endswith((".", ":", ";", ","))
    if not inspect.isclass(thing):
        return
    assert all(doc != parent.__doc__ for parent in thing.__mro__[1:])
    for name, member in vars(thing).items():
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            assert inspect.getdoc(member), f"{thing.__name__}.{name}"


def _parameters(function: Any) -> dict[str, Any]:
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


def test_the_clients_signature() -> None:
    """The key may stand first; everything else is a keyword, with these defaults."""
    assert _parameters(HelpCrunchClient) == {
        "api_key": None,
        "base_url": None,
        "session": open_session,
        "retry": RetryPolicy(attempts=4, max_backoff=8.0),
        "rate_limiter": None,
        "timeout": 30.0,
        "deadline": None,
        "max_wait": None,
        "priority": "interactive",
        "max_in_flight": 100,
        "coalesce": False,
        "allow_http": False,
    }
    kinds = [parameter.kind for parameter in inspect.signature(HelpCrunchClient).parameters.values()]
    assert kinds == [inspect.Parameter.POSITIONAL_OR_KEYWORD, *[inspect.Parameter.KEYWORD_ONLY] * 11]


@pytest.mark.parametrize(
    ("method", "keywords"),
    [
        ("get_customer", "customer_id"),
        ("get_customers", "ids * return_exceptions batch"),
        ("stream_customers", "ids * batch"),
        ("list_customers", "* sort order offset limit"),
        ("with_options", "* timeout deadline retry max_wait priority"),
        ("open", ""),
        ("close", ""),
    ],
)
def test_signatures_of_methods(method: str, keywords: str) -> None:
    """Ids stand first, everything after them is a keyword."""
    parameters = list(inspect.signature(getattr(HelpCrunchClient, method)).parameters.values())[1:]
    words = []
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        words.append(parameter.name)
    assert keywords.split() == words


def test_the_methods_of_a_listing() -> None:
    """A page at a time, a list, or a walk."""
    assert _parameters(Listing.page) == {"self": inspect.Parameter.empty, "offset": 0, "limit": 100}
    assert _parameters(Listing.to_list) == {"self": inspect.Parameter.empty, "limit": None}
    assert hasattr(Listing, "__aiter__")


def test_the_options_of_a_session() -> None:
    """Nothing of the environment, and certificates checked, unless asked for."""
    assert _parameters(open_session) == {"proxy": None, "ssl": True, "trust_env": False}


def test_the_version_is_a_version() -> None:
    """Three numbers, the same that the User-Agent names."""
    assert all(part.isdigit() for part in helpcrunch_async.__version__.split(".")[:2])
