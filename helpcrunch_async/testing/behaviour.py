"""How the fake server's answers may differ from the documented ones."""

from collections.abc import Callable, Collection
from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class Behaviour:
    """What a client has to survive, on demand; by default the fake server answers as documented.

    Of `POST /customers/search` there is more to get wrong: see `SearchBehaviour`.
    """

    total: Callable[[int], int | None] | None = None
    """From the true total of a listing or search to the one that is told; None leaves it out, `meta` too.

    `lambda true: 0`, `lambda true: true + 1`, `lambda true: None`.
    """
    ok_as_json: bool = False
    """`Ok` comes as a JSON string; else as plain text, without quotes."""
    messages_key: Literal["data", "messages"] = "data"
    """Under which key messages are listed; the oldest page has "messages", and no total beside them."""
    agents_as_object: bool = False
    """A chat's `agents` is the first of them, bare, as one old page has it; none is still an empty list."""
    wraps_objects: bool = False
    """Single objects come as `{"data": {...}}`, as some clients expect and only the organization does."""
    strict_types: bool = False
    """A number given as text is refused, and a `userId` given as a number, in filters and in bodies.

    The documentation says that the type has to match, and clients in use get through with the other one.
    Times are taken as numbers and as numeric text all the same: the documentation writes both.
    """
    bracketed_key: bool = False
    """The key is also taken in angle brackets, `Bearer <key>`, as two clients in use send it.

    Whether HelpCrunch takes that is not documented.
    """
    custom_attributes: Collection[str] | None = None
    """The only custom attributes that can be written, others are a 400; None takes every name.

    The documentation says that an attribute must exist before it is written, not what happens otherwise.
    """
    between_pages: Callable[[str], object] | None = None
    """Called with the path after every page of a listing or search has been made.

    It may add, change and remove rows by the methods of `FakeHelpCrunch`, so that they move under a reader.
    """
