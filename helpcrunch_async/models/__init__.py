"""Plain data: frozen attrs classes that compare and pickle."""

from helpcrunch_async.models.chat import Chat, ChatCustomer
from helpcrunch_async.models.customer import Customer, CustomValue, Device, Location, Tag
from helpcrunch_async.models.event import Event
from helpcrunch_async.models.lookup import BatchOutcome, Lookup
from helpcrunch_async.models.message import Message
from helpcrunch_async.models.page import Page
from helpcrunch_async.models.team import Agent, Application, Department, Organization
from helpcrunch_async.models.vocabulary import (
    AgentRole,
    ChatRating,
    ChatStatus,
    MessageType,
    Rating,
    same_word,
)

__all__ = [
    "Agent",
    "AgentRole",
    "Application",
    "BatchOutcome",
    "Chat",
    "ChatCustomer",
    "ChatRating",
    "ChatStatus",
    "CustomValue",
    "Customer",
    "Department",
    "Device",
    "Event",
    "Location",
    "Lookup",
    "Message",
    "MessageType",
    "Organization",
    "Page",
    "Rating",
    "Tag",
    "same_word",
]
