"""The public names: pinned, documented, and with the signatures that users' code relies on."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import helpcrunch_async
from helpcrunch_async import (
    CustomerFields,
    CustomerUpdate,
    HelpCrunchClient,
    Listing,
    RetryPolicy,
    open_session,
    redis_limit,
)

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
    "Bookmark",
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
    "OnUnreadable",
    "Organization",
    "Page",
    "Pages",
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
    "webhooks",
]


def test_the_public_names() -> None:
    """Each is a promise: one more or one less is decided, not slipped in."""
    assert helpcrunch_async.__all__ == NAMES
    assert len(NAMES) == len(set(NAMES))


def test_every_public_name_is_there() -> None:
    """`from helpcrunch_async import *` works."""
    for name in NAMES:
        assert hasattr(helpcrunch_async, name)


def test_webhooks_are_there_without_an_import_of_their_own() -> None:
    """In a fresh interpreter, in which nothing else has imported them."""
    code = "import helpcrunch_async; print(helpcrunch_async.webhooks.verify_signature.__name__)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "verify_signature\n"


def test_the_public_names_of_redis_limit() -> None:
    """What the extra brings."""
    assert redis_limit.__all__ == ["BudgetUnavailableError", "RedisRateLimiter"]


DOCUMENTED: list[Any] = [
    value
    for name in NAMES
    if inspect.isclass(value := getattr(helpcrunch_async, name)) or inspect.isfunction(value)
] + [getattr(redis_limit, name) for name in redis_limit.__all__]


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


OTHERS = [
    name
    for name in NAMES
    if not (inspect.isclass(value := getattr(helpcrunch_async, name)) or inspect.isfunction(value))
]


def _names_with_a_text_below(tree: ast.Module) -> Iterator[str]:
    for node, below in pairwise(tree.body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            match below:
                case ast.Expr(ast.Constant(str())):
                    yield node.target.id


SELF_EXPLAINING = {"__version__", "webhooks"}


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in SELF_EXPLAINING])
def test_every_constant_and_alias_is_documented(name: str) -> None:
    """By a string below it, which is where editors and documentation look."""
    sources = Path(helpcrunch_async.__file__).parent.rglob("*.py")
    assert any(name in _names_with_a_text_below(ast.parse(path.read_text("utf-8"))) for path in sources)


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
        "coalesce": True,
        "allow_http": False,
    }
    kinds = [parameter.kind for parameter in inspect.signature(HelpCrunchClient).parameters.values()]
    assert kinds == [inspect.Parameter.POSITIONAL_OR_KEYWORD, *[inspect.Parameter.KEYWORD_ONLY] * 11]


SIGNATURES = {
    "get_customer": "customer_id",
    "get_customers": "ids * return_exceptions=False batch=True",
    "stream_customers": "ids * batch=True",
    "list_customers": "* sort=None order=None offset=0 limit=None on_unreadable='raise'",
    "search_customers": "filter * sort=None order=None offset=0 limit=None on_unreadable='raise'",
    "find_customer": "* user_id=None email=None",
    "create_customer": "**fields",
    "update_customer": "customer_id **fields",
    "replace_customer": "customer_id **fields",
    "batch_update_customers": "updates",
    "delete_customer": "customer_id",
    "tag_customer": "customer_id tags",
    "untag_customer": "customer_id tags",
    "create_event": "customer_id name data=None",
    "list_chats": "* sort=None order=None offset=0 limit=None on_unreadable='raise'",
    "search_chats": "filter * sort=None order=None offset=0 limit=None on_unreadable='raise'",
    "get_chat": "chat_id",
    "create_chat": "customer_id * application_id assignee_id=UNSET department_id=UNSET",
    "set_chat_status": "chat_id status",
    "assign_chat": "chat_id agent_id",
    "set_chat_department": "chat_id department_id",
    "snooze_chat": "chat_id until",
    "rate_chat": "chat_id rating",
    "mark_chat_read_by_agent": "chat_id read=True",
    "mark_chat_read_by_customer": "chat_id read=True",
    "list_messages": "chat_id * offset=0 limit=None on_unreadable='raise'",
    "send_message": "chat_id text * agent_id=None markdown=None",
    "send_private_note": "chat_id text * agent_id=None markdown=None",
    "list_agents": "* offset=0 limit=None on_unreadable='raise'",
    "unsubscribe_agent": "agent_id",
    "list_departments": "* offset=0 limit=None on_unreadable='raise'",
    "list_applications": "* offset=0 limit=None on_unreadable='raise'",
    "get_organization": "",
}
OF_THE_CLIENT_ITSELF = {
    "open": "",
    "close": "",
    "with_options": "* timeout=UNSET deadline=UNSET retry=UNSET max_wait=UNSET priority=UNSET",
    "request": "method path * query=None body=None repeatable=None",
}


def _words_of(function: Any) -> list[str]:
    words = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        stars = "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else ""
        default = "" if parameter.default is inspect.Parameter.empty else f"={parameter.default!r}"
        words.append(f"{stars}{parameter.name}{default}")
    return words


def test_the_signature_of_the_redis_limiter() -> None:
    """As a `RateLimiter`, with where the budget is kept in front."""
    parameters = _parameters(redis_limit.RedisRateLimiter)
    assert list(parameters)[:3] == ["redis", "limit", "period"]
    assert {name: parameters[name] for name in list(parameters)[1:-1]} == {
        "limit": 120,
        "period": 60.0,
        "key": "helpcrunch",
        "on_error": "raise",
        "expected_processes": None,
        "timeout": 1.0,
    }


@pytest.mark.parametrize(("method", "words"), {**SIGNATURES, **OF_THE_CLIENT_ITSELF}.items())
def test_signatures_of_methods(method: str, words: str) -> None:
    """Ids and what is nothing without a name stand first, everything after them is a keyword."""
    assert words.split() == _words_of(getattr(HelpCrunchClient, method))


def test_there_are_no_other_methods() -> None:
    """What is not written down here is not promised."""
    public = {name for name in vars(HelpCrunchClient) if not name.startswith("_")}
    assert set(SIGNATURES) | set(OF_THE_CLIENT_ITSELF) == public


def test_the_fields_that_can_be_written() -> None:
    """None of them must be there, save the customer of an update in a batch."""
    fields = CustomerFields.__annotations__
    assert " ".join(fields) == (
        "name email user_id company phone first_seen last_seen city region_code country_code unsubscribed "
        "blocked source referer last_page locale created_from integration_id notes tags custom_data"
    )
    assert CustomerFields.__required_keys__ == frozenset()
    assert CustomerUpdate.__required_keys__ == {"customer"}
    assert CustomerUpdate.__optional_keys__ == set(fields)


PAGE_OF_THE_VENDOR = re.compile(r"https://docs\.helpcrunch\.com/en/rest-api-v1/[a-z0-9-]+")


@pytest.mark.parametrize("method", SIGNATURES)
def test_every_method_names_its_page(method: str) -> None:
    """The docstring ends with where HelpCrunch documents it, so that anybody can compare."""
    doc = inspect.getdoc(getattr(HelpCrunchClient, method))
    assert doc
    last = doc.splitlines()[-1]
    assert re.match(r"Sources?: ", last)
    assert PAGE_OF_THE_VENDOR.search(last)


@pytest.mark.parametrize("method", SIGNATURES)
def test_every_docstring_names_every_argument(method: str) -> None:
    """Each once, in the order of the signature, and nothing that is not there."""
    doc = inspect.getdoc(getattr(HelpCrunchClient, method)) or ""
    _, _, after = doc.partition("\nArgs:\n")
    documented = re.findall(r"^ {4}(\w+): ", after.partition("\n\n")[0], re.MULTILINE)
    parameters = list(inspect.signature(getattr(HelpCrunchClient, method)).parameters)[1:]
    assert parameters == documented


NOT_REPEATED = ["create_customer", "create_event", "create_chat", "send_message", "send_private_note"]


@pytest.mark.parametrize("method", [*NOT_REPEATED, "unsubscribe_agent"])
def test_what_is_not_repeated_says_so(method: str) -> None:
    """And what the caller is left with."""
    doc = inspect.getdoc(getattr(HelpCrunchClient, method)) or ""
    assert "Sent again only when it certainly never left" in doc
    assert "`outcome_unknown`" in doc


def test_the_methods_of_a_listing() -> None:
    """A page at a time, a list, or a walk."""
    assert _parameters(Listing.page) == {"self": inspect.Parameter.empty, "offset": 0, "limit": 100}
    assert _parameters(Listing.to_list) == {"self": inspect.Parameter.empty, "limit": None}
    assert _parameters(Listing.prefetch) == {"self": inspect.Parameter.empty, "pages": 1}
    assert hasattr(Listing, "__aiter__")


def test_the_options_of_a_session() -> None:
    """Nothing of the environment, and certificates checked, unless asked for."""
    assert _parameters(open_session) == {
        "proxy": None,
        "ssl": True,
        "trust_env": False,
        "trace_configs": (),
        "middlewares": (),
    }


def test_the_version_is_a_version() -> None:
    """Three numbers, perhaps of a release to come."""
    assert re.fullmatch(r"\d+\.\d+\.\d+(rc\d+|\.dev\d+)?", helpcrunch_async.__version__)
