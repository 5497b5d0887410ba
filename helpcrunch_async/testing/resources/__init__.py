"""The fake server's endpoints, one module per noun of the API."""

from helpcrunch_async.testing.resources import customers
from helpcrunch_async.testing.routing import Router

ROUTER = Router([*customers.ROUTES])
"""Every endpoint that the fake server has."""
