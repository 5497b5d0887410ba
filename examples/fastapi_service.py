"""Serve HelpCrunch's customers to your own callers with FastAPI: one client for all requests.

    pip install helpcrunch-async fastapi uvicorn
    export HELPCRUNCH_API_KEY=...
    uvicorn --app-dir examples --factory fastapi_service:make_app

Whoever reaches the port reads your customers: keep it to your own machines, or put a login before it.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from math import ceil
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from helpcrunch_async import (
    Customer,
    DeadlineExceededError,
    HelpCrunchClient,
    HelpCrunchError,
    NotFoundError,
    RateLimitError,
)

LARGEST_ID: Final = 2**63 - 1

Id = Annotated[int, Path(gt=0, le=LARGEST_ID)]


class Wanted(BaseModel):
    """The body of a look-up."""

    ids: list[Annotated[int, Field(gt=0, le=LARGEST_ID)]] = Field(max_length=1_000)


class Found(BaseModel):
    """What a look-up found; the models of the library stand in ours as they are."""

    customers: list[Customer] = []
    missing: list[int] = []


def client_of(request: Request) -> HelpCrunchClient:
    """Give the one client; `lifespan` put it there."""
    client: HelpCrunchClient = request.state.client
    return client


Client = Annotated[HelpCrunchClient, Depends(client_of)]


def answer_to(error: HelpCrunchError) -> JSONResponse:
    """Tell our caller what went wrong, without HelpCrunch's own words: they may hold other people's data."""
    match error:
        case NotFoundError():
            return JSONResponse({"detail": "no such customer"}, 404)
        case RateLimitError(retry_after=seconds):
            # 503, not 429: the account's budget is spent, which is no fault of this caller
            again = "1" if seconds is None else str(max(1, ceil(seconds)))
            return JSONResponse({"detail": "busy, come back later"}, 503, {"Retry-After": again})
        case DeadlineExceededError():
            return JSONResponse({"detail": "HelpCrunch took too long"}, 504)
        case _:
            return JSONResponse({"detail": "HelpCrunch cannot be asked"}, 502)


def make_app(new_client: Callable[[], HelpCrunchClient] = HelpCrunchClient) -> FastAPI:
    """Make the application."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        async with new_client() as client:
            # Somebody waits for each of these answers: refuse at once what would stand in line for longer
            yield {"client": client.with_options(max_wait=5.0, deadline=20.0)}

    app = FastAPI(lifespan=lifespan)

    @app.exception_handler(HelpCrunchError)
    async def tell(_: Request, error: HelpCrunchError) -> JSONResponse:
        return answer_to(error)

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
        # FastAPI's own handler gives the input back, and fails where that is not text
        return JSONResponse({"detail": [each["msg"] for each in error.errors()]}, 422)

    @app.get("/customers/{customer_id}")
    async def get_customer(customer_id: Id, client: Client) -> Customer:
        return await client.get_customer(customer_id)

    @app.post("/customers/lookup")
    async def look_up(wanted: Wanted, client: Client) -> Found:
        outcomes = await client.get_customers(wanted.ids, return_exceptions=True)
        found = Found()
        for customer_id, outcome in zip(wanted.ids, outcomes, strict=True):
            if isinstance(outcome, NotFoundError):
                found.missing.append(customer_id)
            elif isinstance(outcome, HelpCrunchError):
                raise outcome
            else:
                found.customers.append(outcome)
        return found

    return app
