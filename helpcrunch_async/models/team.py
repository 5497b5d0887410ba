"""The team: who answers, in which department, through which application, for which organization.

Sources: https://docs.helpcrunch.com/en/rest-api-v1/agent-model-v1, .../get-departments-v1 and
.../get-organization-v1. The page about applications was not seen: what is known of them, other clients know.
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from helpcrunch_async.models.extra import NO_EXTRA


@frozen(unsafe_hash=False)
class Agent:
    """A team member. The chatbot is an agent too, called HelpBot."""

    id: int
    name: str | None = None
    email: str | None = None
    role: str | None = None
    """As it came, an open set: see `AgentRole`."""
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class Department:
    """A department. Inside a chat it comes without its agents."""

    id: int
    name: str | None = None
    agents: tuple[Agent, ...] = ()
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class Application:
    """What customers write through: a web widget, an app, or a social network's account."""

    id: int
    name: str | None = None
    display_name: str | None = None
    active: bool | None = None
    type: str | None = None
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class Organization:
    """The account itself."""

    id: int
    domain: str | None = None
    """The first part of `<domain>.helpcrunch.com`."""
    team_online: bool | None = None
    chat_enabled: bool | None = None
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""
