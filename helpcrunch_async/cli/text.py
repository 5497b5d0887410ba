"""What may be printed: customers' own words can hold control characters, which terminals obey."""

import json
from typing import Any


def printable(text: str) -> str:
    """Put a substitute for every character that a terminal might obey; line breaks become spaces."""
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def json_line(document: Any) -> bytes:
    """Write JSON as one line of UTF-8, escaped where something in it does not print."""
    line = json.dumps(document, ensure_ascii=False, separators=(", ", ": "))
    # also lone surrogates, which have no UTF-8, and separators that some readers take for line ends
    if not line.isprintable():
        line = json.dumps(document)
    return line.encode() + b"\n"


def pretty_json(document: Any) -> bytes:
    """Write JSON for the eye, over several lines."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    if not text.replace("\n", "").isprintable():
        text = json.dumps(document, indent=2)
    return text.encode() + b"\n"


def counted(count: int, noun: str) -> str:
    """Say how many there are."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
