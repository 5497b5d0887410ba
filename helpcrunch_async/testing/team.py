"""Agents, departments, applications and the organization of the fake account."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from helpcrunch_async.testing.rows import Row, Shelf, copy_of, id_of

HELP_BOT = 2
"""The agent that stands for the chatbot."""

_AGENTS: tuple[Row, ...] = (
    {"id": HELP_BOT, "name": "HelpBot", "email": "bot@sandbox.example", "role": "admin"},
    {"id": 301, "name": "Ines Adler", "email": "ines@sandbox.example", "role": "admin"},
    {"id": 302, "name": "Tomas Berg", "email": "tomas@sandbox.example", "role": "superviser"},
    {"id": 303, "name": "Олена Франко", "email": "olena@sandbox.example", "role": "agent"},
    {"id": 304, "name": "Ro", "email": "ro@sandbox.example", "role": "agentChatOnly"},
)
_DEPARTMENTS: tuple[Row, ...] = (
    {"id": 41, "name": "Support", "agents": [301, 303, 304]},
    {"id": 42, "name": "Billing", "agents": [302]},
)
_APPLICATIONS: tuple[Row, ...] = (
    {"id": 1, "name": "website", "displayName": "Website", "active": True, "type": "web"},
    {"id": 2, "name": "app", "displayName": "Phone app", "active": True, "type": "ios"},
)


def _shelf(noun: str, rows: Sequence[Row]) -> Shelf:
    shelf = Shelf(noun, first_id=rows[-1]["id"] + 1)
    for row in rows:
        shelf.put({**row})
    return shelf


@attrs.define
class Team:
    """Who works in the account, and where; it starts with five agents, two departments, two applications."""

    agents: Shelf = attrs.field(factory=lambda: _shelf("Agent", _AGENTS))
    departments: Shelf = attrs.field(factory=lambda: _shelf("Department", _DEPARTMENTS))
    """With the ids of their agents."""
    applications: Shelf = attrs.field(factory=lambda: _shelf("Application", _APPLICATIONS))
    organization: Row = attrs.field(
        factory=lambda: {"id": 7, "domain": "sandbox", "teamOnline": True, "chatEnabled": True}
    )
    unsubscribed: set[int] = attrs.field(factory=set)
    """The agents who want no more newsletters."""

    def add_agent(self, agent: Mapping[str, Any]) -> int:
        """Add or replace an agent; returns the id."""
        blank = {"id": None, "name": "", "email": "", "role": "agent"}
        return self.agents.put(copy_of("Agent", {**blank, **agent}))

    def add_department(self, department: Mapping[str, Any]) -> int:
        """Add or replace a department, its agents told by their ids or as objects; returns the id.

        Raises:
            ValueError: one of the agents is not there.
        """
        row = copy_of("Department", {"id": None, "name": "", "agents": [], **department})
        row["agents"] = [id_of(agent) for agent in row["agents"]]
        for agent_id in row["agents"]:
            if agent_id not in self.agents:
                raise ValueError(f"there is no agent {agent_id}")
        return self.departments.put(row)

    def add_application(self, application: Mapping[str, Any]) -> int:
        """Add or replace an application; returns the id."""
        blank = {"id": None, "name": "", "displayName": "", "active": True, "type": "web"}
        return self.applications.put(copy_of("Application", {**blank, **application}))

    def write_department(self, department: Row) -> Row:
        """Spell a department out, with its agents."""
        return {**department, "agents": [{**self.agents[each]} for each in department["agents"]]}
