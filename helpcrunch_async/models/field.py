"""What a reader must know of a field beyond its type. It stands on the field, as attrs metadata."""

from typing import Final

REPEATED: Final = {"repeated": True}
"""Most rows of a reply have one of a few values here: equal ones are kept in memory once per reply."""

JSON_TEXT: Final = {"json_text": True}
"""The object may come as JSON that is written in a string."""
