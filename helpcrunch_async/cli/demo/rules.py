"""The ways in which a server may count requests: HelpCrunch does not say which is its own."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from helpcrunch_async.testing import FixedWindow, InterpolatedWindow, RateRule, RollingLog, TokenBucket


class Rule(StrEnum):
    """What `--rule` takes."""

    FIXED = "fixed"
    LOG = "log"
    INTERPOLATED = "interpolated"
    BUCKET = "bucket"


_MAKERS: Final[Mapping[Rule, Callable[[int, float], RateRule]]] = {
    Rule.FIXED: FixedWindow,
    Rule.LOG: RollingLog,
    Rule.INTERPOLATED: InterpolatedWindow,
    Rule.BUCKET: TokenBucket,
}


def make_rule(rule: Rule, limit: int, period: float) -> RateRule:
    """Make a rule whose budget is whole."""
    return _MAKERS[rule](limit, period)
