"""A page of a listing. Source: https://docs.helpcrunch.com/en/rest-api-v1/get-customers-v1."""

from typing import Generic, TypeVar

from attrs import frozen

T = TypeVar("T")


@frozen(unsafe_hash=False)
class Page(Generic[T]):
    """Some rows of a listing: `items`, the `offset` of the first, and the server's `total`.

    The total is a hint: HelpCrunch documents answers without one, and samples in which it is wrong.
    """

    items: tuple[T, ...]
    total: int | None
    offset: int
