"""A customer, as HelpCrunch keeps it. Source: https://docs.helpcrunch.com/en/rest-api-v1/customer-model-v1."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from attrs import field, frozen

from helpcrunch_async.models.extra import NO_EXTRA
from helpcrunch_async.models.field import REPEATED

CustomValue: TypeAlias = str | int | float | bool | None
"""The value of a custom attribute, left as it came: dates are strings or numbers, by the account's choice."""


@frozen(unsafe_hash=False)
class Location:
    """Where a customer was last seen from. Opaque strings: not every code is an ISO code."""

    region_code: str | None = field(default=None, metadata=REPEATED)
    country_code: str | None = field(default=None, metadata=REPEATED)
    city: str | None = field(default=None, metadata=REPEATED)
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class Device:
    """The device a customer used last. Opaque strings: not every time zone is an IANA name."""

    id: int | None = None
    ip: str | None = None
    timezone: str | None = field(default=None, metadata=REPEATED)
    platform: str | None = field(default=None, metadata=REPEATED)
    user_agent: str | None = field(default=None, metadata=REPEATED)
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class Tag:
    """A tag: its name, and its colour as any CSS colour."""

    name: str
    color: str | None = None
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class Customer:
    """A customer. Only `id` is always there; a field that the answer left out or set to null is None.

    `location` and `device` are never None: absent means that all their fields are. `first_seen` and
    `last_seen` are aware, in UTC. `custom_data` is one mapping whichever way the answer spelt it, its
    values left as they came.
    """

    id: int
    """HelpCrunch's own id."""
    name: str | None = None
    email: str | None = None
    user_id: str | None = None
    """Your id of this customer, given when it was created; never HelpCrunch's."""
    company: str | None = field(default=None, metadata=REPEATED)
    phone: str | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    location: Location = field(default=Location(), metadata=REPEATED)
    device: Device = Device()
    unsubscribed: bool | None = None
    """Whether the customer opted out of e-mails."""
    blocked: bool | None = None
    source: str | None = field(default=None, metadata=REPEATED)
    referer: str | None = field(default=None, metadata=REPEATED)
    last_page: str | None = None
    locale: str | None = field(default=None, metadata=REPEATED)
    created_from: str | None = field(default=None, metadata=REPEATED)
    """The channel the customer came through, such as `telegram`; newer accounts only."""
    integration_id: str | None = None
    """The customer's id in that channel."""
    notes: str | None = None
    tags: tuple[Tag, ...] = field(default=(), metadata=REPEATED)
    custom_data: dict[str, CustomValue] = field(factory=dict)
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""
