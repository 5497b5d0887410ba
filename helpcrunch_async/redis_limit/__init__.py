"""A budget that many processes share through Redis (extra `redis`), imported only when asked for.

`lua/` is what is decided in Redis, in one run of one script: `state` the budget, `lesson` what a 429 does,
`line` who is next, `ask` one question of one process. `messages` is what is asked and answered, `budget`
the one place that talks to Redis, `ledger` what a process has to report, `schedule` what it knows meanwhile,
`waiters` its one asker, and `limiter` the public face.
"""

from importlib.util import find_spec

if find_spec("redis") is None:
    raise ImportError("RedisRateLimiter needs the package redis: pip install 'helpcrunch-async[redis]'")

from helpcrunch_async.redis_limit.budget import BudgetUnavailableError
from helpcrunch_async.redis_limit.limiter import RedisRateLimiter

__all__ = ["BudgetUnavailableError", "RedisRateLimiter"]
