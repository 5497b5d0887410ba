"""One process of several that share a budget; the tests start it, kill it and pause it.

Its argument is JSON: `redis` and `server` (URLs), `calls`, and the options of the limiter. It gathers the
calls, prints a line when it begins, and at the end what became of them.
"""

import asyncio
import json
import logging
import sys
from collections import Counter
from typing import Any

from helpcrunch_async import HelpCrunchClient, HelpCrunchError
from helpcrunch_async.redis_limit import RedisRateLimiter


async def main(redis: str, server: str, calls: int, limiter: dict[str, Any]) -> None:
    async with (
        RedisRateLimiter(redis, **limiter) as rate_limiter,
        HelpCrunchClient("key", base_url=server, rate_limiter=rate_limiter, coalesce=False) as client,
    ):
        print("begun", flush=True)
        results = await asyncio.gather(
            *(client.get_customer(8737843) for _ in range(calls)), return_exceptions=True
        )
    failures = Counter(type(each).__name__ for each in results if isinstance(each, HelpCrunchError))
    done = sum(1 for each in results if not isinstance(each, BaseException))
    print(json.dumps({"done": done, "failures": failures}), flush=True)


logging.basicConfig(level=logging.INFO)
asyncio.run(main(**json.loads(sys.argv[1])))
