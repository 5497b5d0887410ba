"""Serve HelpCrunch's customers to your own callers with aiohttp.web: one client for all requests.

    export HELPCRUNCH_API_KEY=...
    python examples/aiohttp_service.py    # GET http://127.0.0.1:8080/customers/8737843

Whoever reaches the port reads your customers: keep it to your own machines, or put a login before it.
"""

import json
from collections.abc import AsyncGenerator, Callable
from math import ceil
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from helpcrunch_async import (
    DeadlineExceededError,
    HelpCrunchClient,
    HelpCrunchError,
    NotFoundError,
    RateLimitError,
    to_dict,
)

CLIENT: Final = web.AppKey("CLIENT", HelpCrunchClient)
MOST_IDS: Final = 1_000

routes = web.RouteTableDef()


@web.middleware
async def tell_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell our caller what went wrong, without HelpCrunch's own words: they may hold other people's data."""
    try:
        return await handler(request)
    except NotFoundError:
        return web.json_response({"detail": "no such customer"}, status=404)
    except RateLimitError as error:
        # 503, not 429: the account's budget is spent, which is no fault of this caller
        again = "1" if error.retry_after is None else str(max(1, ceil(error.retry_after)))
        answer = {"detail": "busy, come back later"}
        return web.json_response(answer, status=503, headers={"Retry-After": again})
    except DeadlineExceededError:
        return web.json_response({"detail": "HelpCrunch took too long"}, status=504)
    except HelpCrunchError:
        return web.json_response({"detail": "HelpCrunch cannot be asked"}, status=502)


@routes.get(r"/customers/{id:[1-9]\d{0,17}}")
async def get_customer(request: web.Request) -> web.Response:
    """Give one customer."""
    customer = await request.app[CLIENT].get_customer(int(request.match_info["id"]))
    return web.json_response(to_dict(customer))


@routes.post("/customers/lookup")
async def look_up(request: web.Request) -> web.StreamResponse:
    """Give many customers, one JSON object a line, as they arrive."""
    try:
        ids = json.loads(await request.read())["ids"]
    except (ValueError, TypeError, KeyError, RecursionError, web.RequestPayloadError):
        ids = None
    if not isinstance(ids, list) or not all(type(each) is int and each > 0 for each in ids):
        raise web.HTTPBadRequest(text='the body is {"ids": [1, 2, 3]}')
    if len(ids) > MOST_IDS:
        raise web.HTTPRequestEntityTooLarge(max_size=MOST_IDS, actual_size=len(ids))
    answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await answer.prepare(request)
    async for lookup in request.app[CLIENT].stream_customers(ids):
        line = (
            to_dict(lookup.customer)
            if lookup.customer is not None
            else {"id": lookup.id, "error": type(lookup.error).__name__}
        )
        await answer.write(json.dumps(line).encode() + b"\n")
    await answer.write_eof()
    return answer


def make_app(new_client: Callable[[], HelpCrunchClient] = HelpCrunchClient) -> web.Application:
    """Make the application."""

    async def hold_client(app: web.Application) -> AsyncGenerator[None]:
        async with new_client() as client:
            # Somebody waits for each of these answers: refuse at once what would stand in line for longer
            app[CLIENT] = client.with_options(max_wait=5.0, deadline=20.0)
            yield

    app = web.Application(middlewares=[tell_errors])
    app.cleanup_ctx.append(hold_client)
    app.add_routes(routes)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=8080)
