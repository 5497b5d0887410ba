"""The mark of an argument that was left out, where None means something of its own."""

from enum import Enum
from typing import Final, Literal, TypeAlias


class _Unset(Enum):
    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


Unset: TypeAlias = Literal[_Unset.UNSET]
"""The type of `UNSET`."""
UNSET: Final = _Unset.UNSET
"""Stands for an argument or a field that is left out: what it names stays as it is."""
