"""Updates of many customers, ten a request, each with an outcome of its own.

Source: https://docs.helpcrunch.com/en/rest-api-v1/batch-update-customers-v1. It documents neither the answer
nor what becomes of nine good updates beside a bad one. So a batch that is refused is sent again one by one,
which is safe, since an update does the same twice.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from typing import Any, Final, TypeAlias

import attrs

from helpcrunch_async.converter import from_dict
from helpcrunch_async.endpoints import BATCH_UPDATE_CUSTOMERS
from helpcrunch_async.errors import (
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    DeadlineExceededError,
    DecodeError,
    HelpCrunchError,
    NotFoundError,
    PermissionDeniedError,
)
from helpcrunch_async.models import BatchOutcome, Customer
from helpcrunch_async.protocol import JSON
from helpcrunch_async.requester import CallOptions, Requester

Item: TypeAlias = Mapping[str, Any]
"""One update as the API takes it: `customer` and the fields to change."""

MOST_ITEMS: Final = 10  # documented
_TRUE_OF_ALL: Final = (AuthenticationError, PermissionDeniedError, ClientClosedError, DeadlineExceededError)
"""Errors that every later batch would meet, too."""


async def update_in_batches(
    requester: Requester, options: CallOptions, items: Sequence[Item]
) -> list[BatchOutcome]:
    """Send updates one batch after the other, in order; never raises a `HelpCrunchError`."""
    outcomes: list[BatchOutcome] = []
    ends_at = None if options.deadline is None else asyncio.get_running_loop().time() + options.deadline
    waiting = deque(_batches(items))
    while waiting:
        batch = waiting.popleft()
        sent = await _send(requester, options, batch, ends_at, expected=1 + len(waiting))
        if len(batch) > 1 and isinstance(sent, BadRequestError | NotFoundError):
            waiting.extendleft([item] for item in reversed(batch))
            continue
        outcomes += _outcomes(batch, sent)
        if isinstance(sent, _TRUE_OF_ALL):
            unsent = copy(sent)
            unsent.outcome_unknown = False
            outcomes += [BatchOutcome(item["customer"], None, unsent) for item in items[len(outcomes) :]]
            break
    return outcomes


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Cut into tens, and where a customer comes again: the order of two updates of one is the caller's."""
    start, seen = 0, set[int]()
    for index, item in enumerate(items):
        if item["customer"] in seen or index - start == MOST_ITEMS:
            yield items[start:index]
            start, seen = index, set()
        seen.add(item["customer"])
    if items:
        yield items[start:]


async def _send(
    requester: Requester,
    options: CallOptions,
    batch: Sequence[Item],
    ends_at: float | None,
    *,
    expected: int,
) -> JSON | HelpCrunchError:
    request = BATCH_UPDATE_CUSTOMERS.request(body=list(batch))
    if ends_at is not None:
        left = ends_at - asyncio.get_running_loop().time()
        if left <= 0:
            return DeadlineExceededError(f"{request.method} /{request.path}: the deadline passed before it")
        options = attrs.evolve(options, deadline=left)
    try:
        return await requester.send(request, options, expected=expected)
    except HelpCrunchError as error:
        return error


def _outcomes(batch: Sequence[Item], sent: JSON | HelpCrunchError) -> list[BatchOutcome]:
    ids = [item["customer"] for item in batch]
    if isinstance(sent, HelpCrunchError):
        return [BatchOutcome(each, None, sent) for each in ids]
    shown = {customer.id: customer for customer in _customers_in(sent)}
    return [BatchOutcome(each, shown.get(each), None) for each in ids]


def _customers_in(body: JSON) -> Iterator[Customer]:
    rows = body.get("data") if isinstance(body, dict) else body
    for row in rows if isinstance(rows, list) else ():
        with suppress(DecodeError):  # the batch was accepted; a row of another shape says no more than that
            yield from_dict(Customer, row)
