"""Plain data: frozen attrs classes that compare and pickle."""

from helpcrunch_async.models.customer import Customer, CustomValue, Device, Location, Tag
from helpcrunch_async.models.lookup import Lookup
from helpcrunch_async.models.page import Page

__all__ = ["CustomValue", "Customer", "Device", "Location", "Lookup", "Page", "Tag"]
