"""Tests in virtual time: waits take none, and one that would never end fails at once."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

from helpcrunch_async.testing import run_in_virtual_time

P = ParamSpec("P")


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a test of a coroutine function."""

    @wraps(test)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        run_in_virtual_time(test(*arguments, **options))

    return run
