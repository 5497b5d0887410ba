"""Any key, against any server: it appears nowhere."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from leaks.watch import locals_of, pickles_of, places, texts_of

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    ConnectionFailedError,
    HelpCrunchClient,
    RequestTimeoutError,
    RetryPolicy,
    TransportError,
    endpoints,
)
from helpcrunch_async.protocol import Reply
from helpcrunch_async.redaction import RedactedBytes, Secret
from helpcrunch_async.requester import CallOptions, Requester

PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="<>")
KEYS = st.text(PRINTABLE, min_size=1, max_size=40).map(lambda text: f"k~{text}~k")  # in no other text
STRAY = st.sampled_from(["{}\n", " {}", "<{}>", "Bearer {}", "{}\x00", "{}é", "\ufeff{}"])
BODIES = st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["errors", "code", "message", "id", "data"]), inner, max_size=3)
    ),
    max_leaves=6,
).map(lambda body: json.dumps(body).encode())
OUTCOMES = st.builds(
    Reply,
    st.integers(100, 599),
    st.just({}) | st.builds(lambda text: {"retry-after": text}, st.text()),
    BODIES,
) | st.sampled_from(
    [
        ConnectionFailedError("refused", sent=False),
        ConnectionFailedError("broke"),
        RequestTimeoutError("late"),
        TransportError("not HTTP"),
    ]
)
REQUESTS = st.sampled_from(
    [
        endpoints.GET_CUSTOMER.request(7),
        endpoints.CREATE_CUSTOMER.request(body={"email": "mara@customer.example"}),
        endpoints.DELETE_CUSTOMER.request(7),
    ]
)


def assert_without(key: str, error: Exception) -> None:
    """The key is in no text of an error, in no pickle, and in no local of its frames."""
    assert places([key], [*texts_of(error), *pickles_of(error), *locals_of(error)]) == []


class Scripted:
    """A transport that meets each request with the next outcome, the last one for ever."""

    def __init__(self, outcomes: list[Reply | TransportError]) -> None:
        self.outcomes = outcomes
        self.sent = 0

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: RedactedBytes | None,
        timeout: float,  # noqa: ASYNC109 - the transport's interface
    ) -> Reply:
        """Answer one request."""
        outcome = self.outcomes[min(self.sent, len(self.outcomes) - 1)]
        self.sent += 1
        if isinstance(outcome, TransportError):
            raise outcome
        return outcome


@given(KEYS, st.lists(OUTCOMES, min_size=1, max_size=3), REQUESTS, st.booleans())
@settings(max_examples=150)
def test_no_error_shows_the_key(key: str, outcomes: list[Any], request_: Any, again: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    """Whatever a server says, or does not: not in texts, pickles, or locals of any frame."""

    async def main() -> None:
        requester = Requester(Scripted(outcomes), "https://h", UNLIMITED, max_in_flight=1)
        retry = RetryPolicy(attempts=3, max_backoff=0.0) if again else NO_RETRY
        options = CallOptions(retry, 30.0, None, None, "interactive")
        try:
            await requester.send(request_, options)
        except Exception as error:  # noqa: BLE001 - each is looked at
            assert_without(key, error)
        assert key not in f"{requester!r}{vars(requester)!r}"

    asyncio.run(main())


@given(KEYS, STRAY)
def test_no_refusal_shows_the_key(key: str, stray: str) -> None:
    """One with something stray around it is still a key."""
    try:
        HelpCrunchClient(stray.format(key))
    except ValueError as error:
        assert_without(key, error)
    else:
        raise AssertionError("taken")


@given(
    st.text(min_size=1).map(lambda text: f"k~{text}~k"), st.sampled_from(["", "s", ">99", "*^9", ".3", "<1s"])
)
def test_no_format_shows_a_secret(text: str, spec: str) -> None:
    """Nor does a container, whatever it is made of."""
    secret = Secret(text)
    shown = f"{secret:{spec}}{[secret]}{(secret,)!r}{ {'key': secret}!s}{ {secret} }{secret!r:{spec}}"
    assert text not in shown
    assert repr(text) not in shown
    assert text == secret.expose()
