"""`client.request`: endpoints that appear after us, with the same pace, retries and errors."""

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from aioresponses import aioresponses
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from helpcrunch_async import (
    UNLIMITED,
    ClientClosedError,
    DecodeError,
    HelpCrunchClient,
    NotFoundError,
    RetryPolicy,
    ServerError,
)
from helpcrunch_async.endpoints import raw_request
from helpcrunch_async.protocol import url_of

BASE_URL = "https://api.helpcrunch.com/v1"


def make_client(**options: Any) -> HelpCrunchClient:
    options.setdefault("retry", RetryPolicy(attempts=3, max_backoff=0.0))
    return HelpCrunchClient("s3cret", rate_limiter=UNLIMITED, **options)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_what_is_sent_and_what_comes_of_it(mocked: aioresponses, method: str) -> None:
    """Method, path, query and body as given, with the client's headers; the answer is decoded JSON."""
    mocked.add(f"{BASE_URL}/articles/7?limit=10", method=method, body=b'{"a": [1, null]}')
    async with make_client() as client:
        answer = await client.request(method, "/articles/7", query={"limit": 10}, body={"title": "É"})
    assert answer == {"a": [1, None]}
    [((sent_method, url), [sent])] = mocked.requests.items()
    assert (method, URL(f"{BASE_URL}/articles/7?limit=10")) == (sent_method, url)
    assert json.loads(sent.kwargs["data"]) == {"title": "É"}
    assert "Authorization" not in sent.kwargs["headers"], "it is added on the way"
    assert sent.kwargs["headers"]["Content-Type"] == "application/json"


@pytest.mark.parametrize(("body", "expected"), [(b"", None), (b"Ok", None), (b'"Ok"', "Ok"), (b"[]", [])])
async def test_answers_that_say_little(mocked: aioresponses, body: bytes, expected: Any) -> None:
    """No body and a bare Ok are None; JSON of any kind is what it is."""
    mocked.delete(f"{BASE_URL}/articles/7", body=body)
    async with make_client() as client:
        assert expected == await client.request("DELETE", "articles/7")


async def test_an_answer_that_is_no_json(mocked: aioresponses) -> None:
    """A page for people is not passed on as an answer."""
    mocked.get(f"{BASE_URL}/articles", body=b"<html>", repeat=True)
    async with make_client() as client:
        with pytest.raises(DecodeError):
            await client.request("GET", "articles")


@pytest.mark.parametrize(
    ("method", "repeatable", "attempts"),
    [
        ("GET", None, 3),
        ("GET", False, 1),
        ("POST", None, 1),
        ("PUT", None, 1),
        ("DELETE", None, 1),
        ("POST", True, 3),
    ],
)
async def test_what_is_sent_again(
    mocked: aioresponses,
    method: str,
    repeatable: bool | None,  # noqa: FBT001 - a parameter of the table above
    attempts: int,
) -> None:
    """A GET, and what the caller calls repeatable; the rest is not, whatever its verb."""
    mocked.add(f"{BASE_URL}/articles", method=method, status=503, repeat=True)
    async with make_client() as client:
        with pytest.raises(ServerError) as caught:
            await client.request(method, "articles", repeatable=repeatable)
    assert attempts == caught.value.attempts == sum(map(len, mocked.requests.values()))


async def test_errors_are_those_of_the_client(mocked: aioresponses) -> None:
    """By status, naming method and path."""
    mocked.get(f"{BASE_URL}/articles/7", status=404)
    async with make_client() as client:
        with pytest.raises(NotFoundError, match="404: GET /articles/7"):
            await client.request("GET", "articles/7")
    with pytest.raises(ClientClosedError):
        await client.request("GET", "articles/7")


async def test_what_a_path_holds_is_escaped(mocked: aioresponses) -> None:
    """One segment in gives one segment out."""
    mocked.get(URL(f"{BASE_URL}/customers/by%20mail/%C3%A9%40x.example", encoded=True), body=b"{}")
    async with make_client() as client:
        assert await client.request("GET", "customers/by mail/é@x.example") == {}


async def test_logs_show_no_ids(mocked: aioresponses, caplog: pytest.LogCaptureFixture) -> None:
    """A path of the caller's may hold an e-mail address; the template does not."""
    caplog.set_level("DEBUG", "helpcrunch_async")
    mocked.get(URL(f"{BASE_URL}/people/ada%40x.example", encoded=True), body=b"{}")
    async with make_client() as client:
        await client.request("GET", "people/ada@x.example")
    assert "/people/{}" in caplog.text
    assert "ada" not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"method": "get"}, ValueError, "method is one of"),
        ({"method": "TRACE"}, ValueError, "method is one of"),
        ({"path": ""}, ValueError, "path is empty"),
        ({"path": 7}, TypeError, "path is a str"),
        ({"path": "a//b"}, ValueError, "path segment"),
        ({"path": "../other"}, ValueError, "path segment"),
        ({"path": "//evil.example/x"}, ValueError, "path segment"),
        ({"path": "a?b=c"}, ValueError, "query"),
        ({"path": "a#b"}, ValueError, "fragment"),
        ({"query": {"a": True}}, TypeError, "query"),
        ({"query": {"a": None}}, TypeError, "query"),
        ({"query": {1: "a"}}, TypeError, "query"),
        ({"body": {"a": float("nan")}}, ValueError, "Out of range"),
        ({"body": {"a": object()}}, TypeError, "not JSON serializable"),
        ({"repeatable": "no"}, TypeError, "repeatable"),
    ],
)
async def test_wrong_arguments(
    mocked: aioresponses, arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    """A clear error, and nothing is sent."""
    async with make_client() as client:
        with pytest.raises(error, match=text):
            await client.request(**{"method": "POST", "path": "articles", **arguments})
    assert not mocked.requests


@given(
    st.lists(st.text(max_size=6) | st.sampled_from(["..", ".", "%2e%2e", "a\r\nb", "@", ":80"])).map("/".join)
)
@example("../admin")
@example("//evil.example/x")
@example("contacts/mara@customer.example")
def test_a_path_stays_below_the_base_and_keeps_its_segments(path: str) -> None:
    """Any text is refused, or is as many segments of our own URL as it says."""
    try:
        request = raw_request("GET", path, query=None, body=None, repeatable=None)
    except ValueError:
        return
    parts = urlsplit(url_of(BASE_URL, request))
    assert parts._replace(path="").geturl() == "https://api.helpcrunch.com"
    assert parts.path.isascii()
    assert parts.path.isprintable()
    segments = parts.path.removeprefix("/v1/").split("/")
    assert path.removeprefix("/").split("/") == [unquote(each) for each in segments]
    assert not {".", "..", ""} & set(segments)
