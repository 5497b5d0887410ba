"""The HTTP conversation as plain functions: keys, URLs, headers, Retry-After, bodies and error bodies."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from helpcrunch_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    ErrorDetail,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    __version__,
)
from helpcrunch_async.endpoints import GET_CUSTOMER, LIST_CUSTOMERS, SEARCH_CUSTOMERS
from helpcrunch_async.protocol import (
    JSON,
    LONGEST_RETRY_AFTER,
    Reply,
    Request,
    authorization_of,
    check_api_key,
    check_base_url,
    encode_body,
    foreign_host,
    headers_of,
    parse_retry_after,
    path_segment,
    read,
    url_of,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
READ = Request("GET", "customers/7", "customers/{id}", repeatable=True)
WRITE = Request("POST", "customers", "customers", repeatable=False, changes=True)


def error_from(status: int, body: bytes, request: Request = READ) -> APIError:
    """The error that a reply is read as."""
    with pytest.raises(APIError) as caught:
        read(request, Reply(status, {}, body), attempts=2, retry_after=3.5)
    return caught.value


def decode_error_from(body: bytes, request: Request = READ) -> DecodeError:
    """The error that the body of a 200 is read as."""
    with pytest.raises(DecodeError) as caught:
        read(request, Reply(200, {"content-type": "text/x"}, body), attempts=1, retry_after=None)
    return caught.value


def plain(value: object) -> str:
    """Make an id that a command line takes: some values hold line breaks."""
    return quote(str(value), safe=" <>:/@?#.,;+")[:40]


# Keys


@pytest.mark.parametrize("key", ["k", "abc123", "e6=/+_-.~!*'", "x" * 5000])
def test_a_whole_key_is_taken(key: str) -> None:
    """Printable ASCII without spaces is a key, and stays as it is, but shows itself no more."""
    checked = check_api_key(key)
    assert key == checked.expose()
    assert repr(checked) == "Secret(***)"


@pytest.mark.parametrize(
    ("key", "match"),
    [
        ("", "no API key"),
        ("   ", "no API key"),
        ("\n", "no API key"),
        (" s3cret", "white space"),
        ("s3cret\n", "white space"),
        ("s3cret\r\n", "white space"),
        ("\ufeffs3cret", "non-ASCII"),
        ("s3 cret", "space"),
        ("s3\tcret", "control character"),
        ("s3\ncret", "control character"),
        ("s3\r\nX-Evil: s3cret", "control character"),
        ("s3\x00cret", "control character"),
        ("s3\x7fcret", "control character"),
        ("s3crét", "non-ASCII"),
        ("ключ", "non-ASCII"),
        ("<s3cret>", "brackets"),
        ("<your_api_key>", "brackets"),
        ("s3cret>", "brackets"),
        ("<s3cret", "brackets"),
        ("Bearer s3cret", "space"),
    ],
    ids=plain,
)
def test_a_key_with_something_stray_is_refused(key: str, match: str) -> None:
    """The error says what is wrong with the key, never the key."""
    with pytest.raises(ValueError, match=match) as caught:
        check_api_key(key)
    for shown in (str(caught.value), repr(caught.value)):
        assert "cret" not in shown
        assert "your_api_key" not in shown


@pytest.mark.parametrize("key", [None, b"s3cret", 7, ["s3cret"], {"key": "s3cret"}], ids=plain)
def test_a_key_is_a_string(key: object) -> None:
    """Anything else is a TypeError, and not shown either."""
    with pytest.raises(TypeError, match=f"the API key is a str, not {type(key).__name__}") as caught:
        check_api_key(key)
    assert "s3cret" not in str(caught.value)


@given(st.text())
def test_any_text_is_a_key_or_a_value_error(key: str) -> None:
    """What is taken can stand in a header."""
    try:
        taken = check_api_key(key)
    except ValueError:
        return
    assert all(0x21 <= ord(character) <= 0x7E for character in taken.expose())


# Base URLs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.helpcrunch.com/v1", "https://api.helpcrunch.com/v1"),
        ("https://api.helpcrunch.com/v1/", "https://api.helpcrunch.com/v1"),
        ("https://api.helpcrunch.com", "https://api.helpcrunch.com"),
        ("https://api.helpcrunch.com/XX/", "https://api.helpcrunch.com/XX"),
        ("https://api.helpcrunch.com:8443/v1", "https://api.helpcrunch.com:8443/v1"),
        ("HTTPS://api.helpcrunch.com/v1", "HTTPS://api.helpcrunch.com/v1"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("http://LOCALHOST/v1", "http://LOCALHOST/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.8.9.10:8000", "http://127.8.9.10:8000"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_base_urls_that_are_taken(url: str, expected: str) -> None:
    """https anywhere, http on this machine; a trailing slash is dropped."""
    assert expected == check_base_url(url)


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("http://api.helpcrunch.com/v1", "https"),
        ("http://10.0.0.5/v1", "https"),
        ("http://localhost.example.com/v1", "https"),
        ("http://127.0.0.1.example.com/v1", "https"),
        ("http://0.0.0.0/v1", "https"),
        ("https://user:s3cret@api.example/v1", "credentials"),
        ("https://s3cret@api.example/v1", "credentials"),
        ("https://@api.example/v1", "credentials"),
        ("http://localhost@evil.example/v1", "credentials"),
        ("https://api.example/v1?key=s3cret", "query"),
        ("https://api.example/v1?", "query"),
        ("https://api.example/v1#part", "fragment"),
        ("https://api.example/v1#", "fragment"),
        ("ftp://api.example/v1", "https"),
        ("ws://localhost/v1", "https"),
        ("file:///etc/passwd", "host"),
        ("//api.example/v1", "https"),
        ("api.example/v1", "host"),
        ("https:///v1", "host"),
        ("https://", "host"),
        ("", "host"),
        ("https://api.example /v1", "host"),
        (" https://api.example/v1", "host"),
        ("https://api.exa\nmple/v1", "host"),
        ("https://api.example/v1\r\nX: 1", "host"),
        ("https://äpi.example/v1", "host"),
        ("https://api.example:0/v1", "port"),
        ("https://api.example:99999/v1", "[Pp]ort"),
        ("https://api.example:abc/v1", "[Pp]ort"),
        ("https://[::1", "URL"),
        ("https://[api]/v1", "host"),
        ("https://[::1]x/v1", "host"),
        ("https://[::]]/v1", "host"),
        ("https://[v1.x]/v1", "host"),
        ("https://[fe80::1%25eth0]/v1", "host"),
        ("https://[1.2.3.4.5]/v1", "brackets|host"),
        ("https://api_key:s3cret/v1", "[Pp]ort"),
        ("https://user:s3cret@[api]/v1", "URL|credentials"),
        ("https://a,b/v1", "host"),
        ("https://a\\b/v1", "host"),
        ("https://api%2eexample/v1", "host"),
        ("https://api.example/v1\\x", "percent-encoded"),
        ("https://api.example/{id}", "percent-encoded"),
        ("https://api.example/50%", "percent-encoded"),
    ],
    ids=plain,
)
def test_base_urls_that_are_refused(url: str, match: str) -> None:
    """Each with its reason, and no secret that stood in it is shown."""
    with pytest.raises(ValueError, match=match) as caught:
        check_base_url(url)
    assert "s3cret" not in str(caught.value)


def test_a_strange_host_does_not_show_credentials() -> None:
    """Whoever complains about a URL, the credentials in it stay out of the text."""
    with pytest.raises(ValueError, match="base_url") as caught:
        check_base_url("https://user:s3cret@ex\u2100mple.com/v1")
    assert "s3cret" not in str(caught.value)


def test_allow_http_takes_plain_http_and_nothing_else() -> None:
    """A sandbox in another container is allowed on request; a query still is not."""
    assert check_base_url("http://sandbox:8000/v1", allow_http=True) == "http://sandbox:8000/v1"
    with pytest.raises(ValueError, match="query"):
        check_base_url("http://sandbox:8000/v1?x=1", allow_http=True)
    with pytest.raises(ValueError, match="https"):
        check_base_url("ftp://sandbox/v1", allow_http=True)


@given(
    st.from_regex(r"https://[\w.~\[\]:%@!,;*-]{1,12}(/[\w%{}.\\~-]{0,5}){0,2}", fullmatch=True),
)
@example("https://[::1]:8443/v1")
@example("https://[::ffff:127.0.0.1]")
def test_what_is_taken_is_a_url_to_yarl_too(url: str) -> None:
    """aiohttp goes by yarl: a URL that only one of the two can read would fail later, with other words."""
    try:
        taken = check_base_url(url)
    except ValueError:
        return
    seen, parts = URL(f"{taken}/customers/7", encoded=True), urlsplit(taken)
    assert (parts.hostname, parts.port or 443) == ((seen.host or "").lower(), seen.port)
    assert seen.raw_path == f"{parts.path}/customers/7"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.helpcrunch.com/v1", None),
        ("https://helpcrunch.com", None),
        ("http://127.0.0.1:8765/v1", None),
        ("http://localhost/v1", None),
        ("https://[::1]/v1", None),
        ("https://nothelpcrunch.com/v1", "nothelpcrunch.com"),
        ("https://api.helpcrunch.com.example/v1", "api.helpcrunch.com.example"),
        ("https://10.0.0.5:8443/v1", "10.0.0.5"),
    ],
)
def test_whose_host_it_is(url: str, host: str | None) -> None:
    """HelpCrunch's own and this machine are nobody else's."""
    assert host == foreign_host(url)


@pytest.mark.parametrize("url", [None, b"https://api.example", 7], ids=plain)
def test_a_base_url_is_a_string(url: object) -> None:
    """Anything else is a TypeError."""
    with pytest.raises(TypeError, match=f"base_url is a str, not {type(url).__name__}"):
        check_base_url(url)


# URLs and headers


def test_urls_are_joined_below_the_base() -> None:
    """The base's own path is kept, and a query is percent-encoded."""
    assert url_of("https://h/v1", GET_CUSTOMER.request(7)) == "https://h/v1/customers/7"
    assert url_of("https://h", LIST_CUSTOMERS.request()) == "https://h/customers"
    request = LIST_CUSTOMERS.request(query={"sort": "customers.firstSeen", "limit": 2, "x y": "&=?#/"})
    assert (
        url_of("https://h/v1", request)
        == "https://h/v1/customers?sort=customers.firstSeen&limit=2&x+y=%26%3D%3F%23%2F"
    )


@given(st.one_of(st.text(), st.integers()))
@example("1/../../admin")
@example("1?x=1")
@example("%2e%2e")
@example("a\r\nb")
def test_one_value_gives_exactly_one_segment(value: str | int) -> None:
    """Whatever is put in stands in the path as one segment, and reads back as what was put in."""
    try:
        segment = path_segment(value)
    except (ValueError, UnicodeEncodeError):
        assert value in {"", ".", ".."} or not str(value).isprintable()
        return
    parts = urlsplit(url_of("https://h/v1", Request("GET", f"customers/{segment}", "", repeatable=True)))
    assert (parts.netloc, parts.query, parts.fragment) == ("h", "", "")
    assert parts.path.split("/")[:3] == ["", "v1", "customers"]
    assert [unquote(last) for last in parts.path.split("/")[3:]] == [str(value)]
    assert segment not in {".", ".."}


@pytest.mark.parametrize("value", ["", ".", ".."], ids=plain)
def test_a_segment_that_names_another_resource_is_refused(value: str) -> None:
    """An empty or dotted segment would change the path, percent-encoded or not."""
    with pytest.raises(ValueError, match="segment"):
        path_segment(value)


def test_requests_of_endpoints_name_their_template() -> None:
    """Logs see the template, never the id; repeatable is the endpoint's, not the verb's."""
    request = GET_CUSTOMER.request(7)
    assert (request.method, request.path, request.template) == ("GET", "customers/7", "customers/{id}")
    assert request.repeatable
    assert SEARCH_CUSTOMERS.request().method == "POST"
    assert SEARCH_CUSTOMERS.request().repeatable


@pytest.mark.parametrize("with_body", [False, True])
def test_headers(*, with_body: bool) -> None:
    """What is accepted, and who asks; a content type only for a body; the key is not among them."""
    expected = {
        "Accept": "application/json",
        "User-Agent": f"helpcrunch-async/{__version__}",
    }
    if with_body:
        expected["Content-Type"] = "application/json"
    assert expected == headers_of(with_body=with_body)


def test_the_key_is_sent_as_bearer() -> None:
    """It stays a secret until then."""
    authorization = authorization_of(check_api_key("s3cret"))
    assert repr(authorization) == "Secret(***)"
    assert authorization.expose() == "Bearer s3cret"


def test_bodies_are_compact_utf_8_json() -> None:
    """Names beyond ASCII are sent as they are; no body is no body, not `null`."""
    body = encode_body({"name": "Björn", "n": [1, None]})
    assert body is not None
    assert '{"name":"Björn","n":[1,null]}'.encode() == body.expose()
    assert encode_body(None) is None


@pytest.mark.parametrize(
    "body",
    [{"x": math.nan}, [math.inf], -math.inf, {"x": object()}, {"x": {1}}, "\ud800"],
    ids=["NaN", "infinity", "minus infinity", "object", "set", "half a character"],
)
def test_bodies_without_a_json_form_are_refused(body: JSON) -> None:
    """Before anything is sent."""
    with pytest.raises((TypeError, ValueError)):
        encode_body(body)


# Retry-After


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        ("007", 7.0),
        (" 7 ", 7.0),
        ("86400", 86400.0),
        ("86401", 86400.0),
        ("99999", 86400.0),
        ("100000", 86400.0),
        ("9" * 6000, 86400.0),
        ("0" * 6000, 0.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        ("Sun, 01 Mar 2026 12:01:30 -0000", 90.0),
        ("Sun, 01 Mar 2026 14:01:30 +0200", 90.0),
        (format_datetime(NOW, usegmt=True), 0.0),
        (format_datetime(NOW - timedelta(seconds=1), usegmt=True), None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400.0),
        ("", None),
        (" ", None),
        ("-1", None),
        ("+7", None),
        ("1.5", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("1_000", None),
        ("²", None),
        ("٣", None),
        ("7;", None),
        ("0x10", None),
        ("soon", None),
        ("7, 8", None),
        ("Sun, 99 Mar 2026 12:01:30 GMT", None),
        ("Sun, 01 Mar 2026 12:01:30 +9999999999", None),
        ("Sun, 01 Mar 99999 12:01:30 GMT", None),
        ("Sun, 01 Mar 2026 99999999999999999999:01:30 GMT", None),
        ("\x00", None),
    ],
    ids=plain,
)
def test_retry_after(value: str | None, expected: float | None) -> None:
    """ASCII digits or an HTTP-date; anything else, and whatever is past, is no answer."""
    assert expected == parse_retry_after(value, NOW)


_DATE_WORDS = ["Sun,", "01", "Mar", "2026", "12:01:30", "GMT", "+0200", "-0000", "99", "", ":", "1", "-"]


@given(
    st.one_of(
        st.text(),
        st.text("0123456789.-+eE_ ²nainf:"),
        st.datetimes().map(lambda moment: format_datetime(moment.replace(tzinfo=UTC), usegmt=True)),
        st.lists(st.sampled_from(_DATE_WORDS) | st.text(max_size=4)).map(" ".join),
    ),
    st.datetimes(timezones=st.just(UTC)),
)
def test_the_retry_after_parser_is_total_and_clamped(value: str, now: datetime) -> None:
    """Any header gives None or a number of seconds up to a day; it never raises."""
    seconds = parse_retry_after(value, now)
    assert seconds is None or (type(seconds) is float and 0 <= seconds <= LONGEST_RETRY_AFTER)


# Bodies


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": [1, 2.5, true, null, "\xc3\xa9"]}', {"a": [1, 2.5, True, None, "é"]}),
        (b"[]", []),
        (b"null", None),
        (b' "x" ', "x"),
    ],
)
def test_json_is_read(body: bytes, expected: Any) -> None:
    """The body of a 2xx is its JSON."""
    for status in (200, 201, 202, 299):
        assert expected == read(READ, Reply(status, {}, body), attempts=1, retry_after=None)


UNREADABLE = [
    pytest.param(b"", id="empty"),
    pytest.param(b" \r\n", id="blank"),
    pytest.param(b"Ok", id="text"),
    pytest.param(b"<html><body>Sign in</body></html>", id="html"),
    pytest.param('\ufeff{"id": 7}'.encode(), id="BOM"),
    pytest.param('{"name": "Jos\xe9 S3cret"}'.encode("latin-1"), id="latin-1"),
    pytest.param('{"name": "S3cret"}'.encode("utf-16"), id="UTF-16"),
    pytest.param(b'{"x": NaN}', id="NaN"),
    pytest.param(b'{"x": -Infinity}', id="Infinity"),
    pytest.param(b"[" * 100_000, id="100k open"),
    pytest.param(b"[" * 100_000 + b"]" * 100_000, id="100k nested"),
    pytest.param(b'{"x": ' + b"9" * 5000 + b"}", id="5000 digits"),
    pytest.param(b'{"id": 7, "name": "S3cret S', id="truncated"),
    pytest.param(b'{"id": 7} {"id": 8}', id="two documents"),
    pytest.param(b"{'id': 7}", id="single quotes"),
    pytest.param(b'{"id": 7,}', id="trailing comma"),
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_what_is_not_json_is_a_decode_error(body: bytes) -> None:
    """It has the status and the content type on it, and nothing of what failed hangs on to it."""
    error = decode_error_from(body)
    assert (error.status, error.content_type) == (200, "text/x")
    assert error.__context__ is None
    assert error.__cause__ is None
    assert str(error).startswith("GET /customers/{id}: ")
    assert all(problem.startswith("$: ") for problem in error.problems)
    assert "S3cret" not in f"{error}{error!r}{error.problems}"
    assert error.snippet is not None
    assert len(error.snippet) <= 120
    assert not error.outcome_unknown


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\xff", "the body is not UTF-8"),
        (b"", "no body"),
        (b"<html>", "the body is not JSON: Expecting value at character 0"),
        (b'{"x": NaN}', "the body is not JSON: ValueError"),
        (b"[" * 100_000, "the body is not JSON: RecursionError"),
    ],
    ids=["not UTF-8", "empty", "html", "NaN", "100k open"],
)
def test_what_is_wrong_with_a_body_is_said(body: bytes, problem: str) -> None:
    """In the text, and as a problem of the whole document."""
    error = decode_error_from(body)
    assert str(error) == f"GET /customers/{{id}}: {problem}"
    assert error.problems == (f"$: {problem}",)


@pytest.mark.parametrize("body", UNREADABLE)
def test_an_unreadable_answer_to_a_write_leaves_it_in_doubt(body: bytes) -> None:
    """A 2xx says that it was done, or a proxy said so."""
    assert decode_error_from(body, WRITE).outcome_unknown


def test_the_malformed_sample_is_a_decode_error(sample: Callable[[str], bytes]) -> None:
    """The documentation's own broken JSON is told as such."""
    assert "not JSON" in str(decode_error_from(sample("customer-malformed.txt")))


# Snippets


# Request ids


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"cf-ray": "8a1b2c3d4e5f6071-FRA"}, "8a1b2c3d4e5f6071-FRA"),
        ({"x-request-id": "0b1f9f3e-6d8f-4a39-9a57-1c6d3f0c5a11"}, "0b1f9f3e-6d8f-4a39-9a57-1c6d3f0c5a11"),
        ({"x-request-id": "inner", "cf-ray": "outer"}, "outer"),
        ({"cf-ray": "mara@customer.example", "x-request-id": "req_7"}, "req_7"),
        ({"cf-ray": ""}, None),
        ({"cf-ray": "x" * 101}, None),
        ({"x-request-id": "two words"}, None),
        ({}, None),
    ],
)
def test_the_id_of_a_request_is_on_the_error(headers: dict[str, str], request_id: str | None) -> None:
    """What support asks for, in every class and text; what is no id, such as an address, is not taken."""
    for status in (400, 429, 503):
        with pytest.raises(APIError) as caught:
            read(READ, Reply(status, headers, b""), attempts=1, retry_after=None)
        assert request_id == caught.value.request_id
        assert ("request" in str(caught.value)) == (request_id is not None)


# Error bodies


@pytest.mark.parametrize(
    ("name", "kind", "errors"),
    [
        (
            "error-400-chat-not-closed.json",
            BadRequestError,
            [("invalid_request", "only a closed chat takes a rating")],
        ),
        ("error-400-duplicate-userid.json", BadRequestError, [("invalid_userId_value", "userId is taken")]),
        (
            "error-400-field-paths-g3.json",
            BadRequestError,
            [
                ("customer", "value must be numeric"),
                ("invalid_request", "Invalid request"),
                ("filter[0].field", "value must not be blank"),
            ],
        ),
        (
            "error-400-invalid-chat-value-g1.json",
            BadRequestError,
            [("invalid_chat_value", "status value not accepted")],
        ),
        ("error-401-g1.json", AuthenticationError, [("invalid_token", "Invalid token")]),
        (
            "error-401-g3.json",
            AuthenticationError,
            [("unauthorized", "Unauthorized"), ("invalid_request", "Invalid request")],
        ),
        ("error-404-code-typo.json", NotFoundError, [("not_fount", "no such chat")]),
        ("error-404-g1.json", NotFoundError, [("entity_not_found", "Customer not found")]),
        (
            "error-404-g3-misleading-message.json",
            NotFoundError,
            [("not_found", "Chat not found"), ("invalid_request", "Invalid request")],
        ),
        ("error-429-g1.json", RateLimitError, [("too_many_requests", "limit exceeded")]),
        (
            "error-429-g3.json",
            RateLimitError,
            [("too_many_requests", "Too many requests"), ("invalid_request", "Invalid request")],
        ),
        ("error-flat-shape.json", ServerError, [("serverError", '{"info":"Server error"}')]),
    ],
)
def test_error_samples(
    sample: Callable[[str], bytes], name: str, kind: type[APIError], errors: list[tuple[str, str]]
) -> None:
    """Every known error body gives its class, the telling code (first here), its words and the rest."""
    status = 500 if kind is ServerError else int(name.split("-")[1])
    error = error_from(status, sample(name))
    assert kind is type(error)
    assert status == error.status
    assert errors[0] == (error.code, error.message)
    assert {ErrorDetail(code, message) for code, message in errors} == set(error.errors)
    assert len(errors) == len(error.errors)
    assert (error.method, error.path, error.attempts) == ("GET", "/customers/7", 2)
    assert error.__context__ is None
    if isinstance(error, RateLimitError):
        assert error.retry_after == 3.5


def test_the_error_list_keeps_its_order(sample: Callable[[str], bytes]) -> None:
    """The list is the server's, as it came."""
    codes = [detail.code for detail in error_from(400, sample("error-400-field-paths-g3.json")).errors]
    assert codes == ["invalid_request", "customer", "filter[0].field"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, ConflictError),
        (429, RateLimitError),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
        (999, ServerError),
        (402, APIError),
        (418, APIError),
        (422, APIError),
        (451, APIError),
        (300, APIError),
        (301, APIError),
        (307, APIError),
        (101, APIError),
        (199, APIError),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", b"<h1>no</h1>", b'{"errors": [{"code": "unheard_of", "message": "m"}]}']
)
def test_the_class_follows_the_status(status: int, kind: type[APIError], body: bytes) -> None:
    """Whatever is in the body, an unknown code or no JSON at all; an unknown status has the nearest."""
    error = error_from(status, body)
    assert kind is type(error)
    assert status == error.status
    assert ("unheard_of" if b"errors" in body else None) == error.code


@pytest.mark.parametrize(
    ("body", "code", "errors"),
    [
        (b"", None, ()),
        (b"\xff\xfe", None, ()),
        (b"[]", None, ()),
        (b"null", None, ()),
        (b"7", None, ()),
        (b'"no"', None, ()),
        (b"{}", None, ()),
        (b'{"errors": []}', None, ()),
        (b'{"errors": {}}', None, ()),
        (b'{"errors": [7, null, "x", [[]]]}', None, ()),
        (b'{"errors": [{"code": 7, "message": "m"}]}', None, (ErrorDetail(None, "m"),)),
        (b'{"errors": [{"code": ["a"], "message": "m"}]}', None, (ErrorDetail(None, "m"),)),
        (
            b'{"errors": [{"code": null, "message": "m"}, {"code": "b", "message": "n"}]}',
            "b",
            (ErrorDetail(None, "m"), ErrorDetail("b", "n")),
        ),
        (b'{"code": "flat", "message": "m"}', "flat", (ErrorDetail("flat", "m"),)),
        (b'{"errors": null, "code": "flat", "message": "m"}', "flat", (ErrorDetail("flat", "m"),)),
        (b'{"message": "only words"}', None, (ErrorDetail(None, "only words"),)),
        (b'{"code": "only a code"}', "only a code", (ErrorDetail("only a code", ""),)),
        (
            '{"errors": [{"code": "x", "message": {"info":"é"}}]}'.encode(),
            "x",
            (ErrorDetail("x", '{"info":"é"}'),),
        ),
        (b'{"errors": [{"code": "a" "message": "m"}]}', None, ()),
        (b"[" * 100_000, None, ()),
        (b'{"errors": [{"code": NaN}]}', None, ()),
    ],
    ids=plain,
)
def test_error_bodies_of_any_shape(body: bytes, code: str | None, errors: tuple[ErrorDetail, ...]) -> None:
    """What can be read is read, the rest does not hide the status."""
    error = error_from(400, body)
    assert (code, errors) == (error.code, error.errors)


def test_an_error_without_a_message_has_no_words() -> None:
    """Nobody is told `null`."""
    error = error_from(400, b'{"errors": [{"code": "customer"}]}')
    assert (error.code, error.message) == ("customer", "")


def test_an_html_page_under_an_error_status_gives_its_beginning() -> None:
    """The real news is the status; the page's first words are the message, and stay out of `str`."""
    error = error_from(502, b"<html><title>502 Bad Gateway</title></html>")
    assert "Bad Gateway" in error.message
    assert str(error) == "502: GET /customers/7"


_JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["errors", "code", "message", "x"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_JSON_VALUES, st.integers(100, 199) | st.integers(300, 999))
def test_any_error_body_gives_an_api_error(body: JSON, status: int) -> None:
    """Nested junk of any kind under any status."""
    error = error_from(status, json.dumps(body).encode())
    assert status == error.status
    assert isinstance(error.message, str)
    assert error.code is None or isinstance(error.code, str)


@pytest.mark.parametrize(
    ("status", "request_", "unknown"),
    [
        (500, WRITE, True),
        (503, WRITE, True),
        (408, WRITE, True),
        (400, WRITE, False),
        (404, WRITE, False),
        (429, WRITE, False),
        (302, WRITE, False),
        (500, READ, False),
        (408, READ, False),
    ],
)
def test_which_errors_leave_a_write_in_doubt(status: int, request_: Request, *, unknown: bool) -> None:
    """A 5xx or a proxy's time-out may come after the work was done; a plain no does not."""
    assert unknown == error_from(status, b"", request_).outcome_unknown
