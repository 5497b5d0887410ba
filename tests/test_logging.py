"""What the one logger says: a line for each request, and one for each pause."""

import logging
import re

import pytest

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    ConnectionFailedError,
    HelpCrunchClient,
    NotFoundError,
    RateLimiter,
    RetryPolicy,
)
from helpcrunch_async.testing import FakeHelpCrunch

LINE = re.compile(r"GET /customers/\{id\}: (\d{3}) in \d+\.\d{3} seconds, attempt (\d), \d+ bytes")


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    records = [each for each in caplog.records if each.name.startswith("helpcrunch_async")]
    assert {"helpcrunch_async"} >= {each.name for each in records}
    return [each.getMessage() for each in records if each.levelno == level]


async def test_each_request_has_a_line_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """Method, path without ids, status, seconds, attempt and size; also when the answer is no."""
    caplog.set_level(logging.DEBUG, "helpcrunch_async")
    async with (
        FakeHelpCrunch(1) as server,
        HelpCrunchClient("key", base_url=server.url, retry=RetryPolicy(max_backoff=0.0)) as client,
    ):
        server.fail_next(1, "502")
        await client.get_customer(8737843)
        with pytest.raises(NotFoundError):
            await client.get_customer(8737844)
    matches = [LINE.fullmatch(line) for line in said(caplog, logging.DEBUG)]
    assert [match.groups() for match in matches if match] == [("502", "1"), ("200", "2"), ("404", "1")]


async def test_a_request_without_an_answer_has_its_line_too(caplog: pytest.LogCaptureFixture) -> None:
    """The kind of failure stands where the status would; also of a last attempt, which no retry tells of."""
    caplog.set_level(logging.DEBUG, "helpcrunch_async")
    async with (
        FakeHelpCrunch(1) as server,
        HelpCrunchClient("key", base_url=server.url, retry=NO_RETRY) as client,
    ):
        server.fail_next(1, "disconnect")
        with pytest.raises(ConnectionFailedError):
            await client.get_customer(8737843)
    (line,) = said(caplog, logging.DEBUG)
    assert re.fullmatch(
        r"GET /customers/\{id\}: ConnectionFailedError in \d+\.\d{3} seconds, attempt 1", line
    )


@pytest.mark.parametrize(
    ("fault", "limiter", "line"),
    [
        ("503", UNLIMITED, "GET /customers/{id}: 503 at attempt 1; again in 0.0 seconds"),
        (
            "disconnect",
            UNLIMITED,
            "GET /customers/{id}: ConnectionFailedError at attempt 1; again in 0.0 seconds",
        ),
        ("bad_json", UNLIMITED, "GET /customers/{id}: DecodeError at attempt 1; again in 0.0 seconds"),
        ("429", UNLIMITED, "GET /customers/{id}: 429 at attempt 1; again in 0.0 seconds"),
        (
            "429",
            RateLimiter(100, 0.1),
            "GET /customers/{id}: 429 at attempt 1; all calls pause until one gets through",
        ),
    ],
)
async def test_each_retry_and_pause_has_a_line_at_info(
    caplog: pytest.LogCaptureFixture, fault: str, limiter: RateLimiter, line: str
) -> None:
    """What went wrong, at which attempt, and what happens now; nothing for calls that go well."""
    caplog.set_level(logging.INFO, "helpcrunch_async")
    retry = RetryPolicy(max_backoff=0.0)
    async with (
        FakeHelpCrunch(1) as server,
        HelpCrunchClient("key", base_url=server.url, retry=retry, rate_limiter=limiter) as client,
    ):
        server.fail_next(1, fault)  # type: ignore[arg-type]  # a word of the table above
        await client.get_customer(8737843)
        await client.get_customer(8737843)
    assert [line] == said(caplog, logging.INFO)
