"""The fake server's endpoints, one module per noun of the API."""

from helpcrunch_async.testing.resources import chats, customers, events, messages, team
from helpcrunch_async.testing.routing import Router

ROUTER = Router(
    [*customers.ROUTES, *events.ROUTES, *chats.ROUTES, *messages.ROUTES, *team.ROUTES],
)
"""Every endpoint that the fake server has."""
