"""Turns, the shared 429 gate and lanes. Knows a clock, not HTTP.

`line` is who is next, `told` when a turn is due, `gate` the pause after a 429, `lesson` what a contact with
the limit teaches, `schedule` these together, `waiting` the asyncio shell, `limiter` the public face and
`accounts` who shares one.
"""

from helpcrunch_async.rate_limit.accounts import limiter_of_account
from helpcrunch_async.rate_limit.limiter import UNLIMITED, Limiter, RateLimiter, Statistics, Turn
from helpcrunch_async.rate_limit.line import PRIORITIES, Priority
from helpcrunch_async.rate_limit.waiting import TurnRefusedError

__all__ = [
    "PRIORITIES",
    "UNLIMITED",
    "Limiter",
    "Priority",
    "RateLimiter",
    "Statistics",
    "Turn",
    "TurnRefusedError",
    "limiter_of_account",
]
