"""Asyncio client for the HelpCrunch REST API that spends the request budget to the last request."""

from helpcrunch_async._version import __version__
from helpcrunch_async.client import HelpCrunchClient
from helpcrunch_async.converter import from_dict, to_dict
from helpcrunch_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConflictError,
    ConnectionFailedError,
    DeadlineExceededError,
    DecodeError,
    ErrorDetail,
    HelpCrunchError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ServerError,
    TransportError,
    WebhookSignatureError,
)
from helpcrunch_async.listing import Listing
from helpcrunch_async.models import Customer, CustomValue, Device, Location, Lookup, Page, Tag
from helpcrunch_async.rate_limit import (
    UNLIMITED,
    Limiter,
    Priority,
    RateLimiter,
    Statistics,
    Turn,
    TurnRefusedError,
)
from helpcrunch_async.retry import NO_RETRY, RetryPolicy
from helpcrunch_async.search import Filter, Query, all_of, any_of, raw_filter
from helpcrunch_async.session import borrow_session, open_session
from helpcrunch_async.unset import UNSET

__all__ = [
    "NO_RETRY",
    "UNLIMITED",
    "UNSET",
    "APIError",
    "AuthenticationError",
    "BadRequestError",
    "ClientClosedError",
    "ConflictError",
    "ConnectionFailedError",
    "CustomValue",
    "Customer",
    "DeadlineExceededError",
    "DecodeError",
    "Device",
    "ErrorDetail",
    "Filter",
    "HelpCrunchClient",
    "HelpCrunchError",
    "Limiter",
    "Listing",
    "Location",
    "Lookup",
    "NotFoundError",
    "Page",
    "PermissionDeniedError",
    "Priority",
    "Query",
    "RateLimitError",
    "RateLimiter",
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
    "to_dict",
]
