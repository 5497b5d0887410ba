"""A pytest plugin for mutmut, which runs pytest several times in one process.

From the second time on, pytest would double the backslashes in the ids of cases that `ids=repr` gave, and not
find those cases any more.
"""

from typing import Any

from _pytest import python
from _pytest.compat import ascii_escaped


def _unchanged(value: str | bytes, _: Any) -> str:
    return value if isinstance(value, str) else ascii_escaped(value)


python._ascii_escaped_by_config = _unchanged  # noqa: SLF001 - there is an option for it, which fails on bytes
