"""Fields that the API added after us, kept as they came."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn


class _NoExtra(Mapping[str, Any]):
    """The empty mapping that models without unknown fields share: an empty dict takes 64 bytes."""

    __slots__ = ()

    def __getitem__(self, key: str) -> NoReturn:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "{}"

    def __reduce__(self) -> str:
        return "NO_EXTRA"  # pickled and copied by name: there is one


NO_EXTRA: Final[Mapping[str, Any]] = _NoExtra()
