"""A page of a listing. Source: https://docs.helpcrunch.com/en/rest-api-v1/get-customers-v1."""

from typing import Generic, TypeVar

from attrs import Factory, field, frozen

T = TypeVar("T")


@frozen(unsafe_hash=False)
class Page(Generic[T]):
    """Some rows of a listing: `items`, the `offset` of the first, and the server's `total`.

    `received` counts the rows that came, whether they could be read or not: the next page begins that much
    further on. The total is a hint: HelpCrunch documents answers without one, and samples in which it is
    wrong.
    """

    items: tuple[T, ...]
    total: int | None
    offset: int
    received: int = field(default=Factory(lambda page: len(page.items), takes_self=True))
