"""Turns, the shared 429 gate and lanes. Knows a clock, not HTTP.

`machine` decides, and is made of `line` (who waits), `pace` (when a turn is due: `known_limit`,
`unknown_limit`), `gate` (the pause after a 429), `cells` (what was sent), `estimate` (what a rejection
teaches) and `climb` (the way back). `value` writes its state and reads it. Around it: `schedule`, the callers
of one process; `waiters`, the asyncio shell; `limiter`, the public face; `accounts`, which clients share one.
"""

from helpcrunch_async.rate_limit.accounts import limiter_of_account
from helpcrunch_async.rate_limit.limiter import UNLIMITED, Limiter, RateLimiter, Statistics, Turn
from helpcrunch_async.rate_limit.line import PRIORITIES, Priority
from helpcrunch_async.rate_limit.waiters import TurnRefusedError

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
