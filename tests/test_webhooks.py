"""Webhooks: what is not from HelpCrunch is refused before a byte of it is read; the rest is typed events."""

import copy
import hmac
import importlib.util
import json
import pickle
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import aiohttp
import attrs
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async import (
    DecodeError,
    HelpCrunchError,
    WebhookSignatureError,
    from_dict,
    to_dict,
    webhooks,
)
from helpcrunch_async.webhooks import (
    CHAT_EVENTS,
    CUSTOMER_EVENTS,
    MESSAGE_EVENTS,
    SIGNATURE_HEADER,
    ChatEvent,
    CustomerEvent,
    MessageEvent,
    UnknownEvent,
    WebhookAgent,
    WebhookChat,
    WebhookChatMessage,
    WebhookCustomer,
    WebhookDepartment,
    WebhookEvent,
    WebhookMessage,
    parse_webhook,
    verify_signature,
)

Sample = Callable[[str], bytes]

KEY = "s1gning-key-that-nobody-may-see"
BODY = b'{"event":"chat.new","eventData":{"chat_id":7},"id":"e-1"}'
CALLS: tuple[Callable[..., object], ...] = (verify_signature, parse_webhook)
EXAMPLES = Path(__file__).parent.parent / "examples"


def sign(body: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), body, "sha1").hexdigest()


def parse(envelope: object) -> WebhookEvent:
    """Read an envelope that is signed as it should be."""
    body = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
    return parse_webhook(body, sign(body), KEY)


def least(event: str, data: object) -> dict[str, object]:
    """As little of an envelope as there can be."""
    return {"event": event, "eventData": data, "id": "e-1"}


# --- signatures


def test_a_known_signature() -> None:
    """HMAC-SHA1 in hex, as two other implementations computed it (RFC 2202, case 2)."""
    body, signature = b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    assert sign(body, "Jefe") == signature
    verify_signature(body, signature, "Jefe")


@pytest.mark.parametrize(
    "body", [BODY, b"", b"\xff\x00", b'{"name": "\xd0\x9c\xd0\xb0\xd1\x80\xd0\xb0"}\r\n']
)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_a_right_signature_is_accepted(body: bytes, case: Callable[[str], str]) -> None:
    """Over whatever bytes, in either letter case; and nothing is returned that could be ignored."""
    answer: object = verify_signature(body, case(sign(body)), KEY)
    assert answer is None


RIGHT = sign(BODY)
WRONG_SIGNATURES = [
    pytest.param(None, id="missing"),
    pytest.param("", id="empty"),
    pytest.param(sign(BODY, "another key"), id="another key"),
    pytest.param(sign(BODY + b"\n"), id="another body"),
    pytest.param(hmac.new(KEY.encode(), BODY, "sha256").hexdigest(), id="SHA-256"),
    pytest.param(hmac.new(KEY.encode(), BODY, "sha256").hexdigest()[:40], id="SHA-256, cut"),
    pytest.param("0" * 40, id="zeros"),
    pytest.param(RIGHT[:-1], id="truncated by one"),
    pytest.param(RIGHT[:-2], id="truncated by a byte"),
    pytest.param(RIGHT + "0", id="one too many"),
    pytest.param(RIGHT * 2, id="twice"),
    pytest.param(f"{RIGHT}, {RIGHT}", id="two headers"),
    pytest.param(f"sha1={RIGHT}", id="prefixed"),
    pytest.param(f" {RIGHT}", id="space before"),
    pytest.param(f"{RIGHT}\n", id="newline behind"),
    pytest.param(" ".join(RIGHT[i : i + 2] for i in range(0, 40, 2)), id="spaced bytes"),
    pytest.param("g" * 40, id="not hex"),
    pytest.param("8a3h6k9lz1q4w7e0r2t5y8u1i4o7p0a3s6d9f2g5", id="letters as in the vendor's sample"),
    pytest.param("é" + RIGHT[1:], id="Latin-1"),
    pytest.param("\uff10" * 40, id="full-width zeros"),
    pytest.param("٣" * 40, id="Arabic digits"),
    pytest.param("\ud800" * 40, id="lone surrogates"),
    pytest.param("\x00" * 40, id="NULs"),
    pytest.param("a" * 1_000_000, id="very long"),
]


@pytest.mark.parametrize("signature", WRONG_SIGNATURES)
def test_any_other_signature_is_refused(signature: str | None) -> None:
    """One error for wrong, missing and odd; it shows neither what came nor what was expected."""
    for call in CALLS:
        with pytest.raises(WebhookSignatureError) as caught:
            call(BODY, signature, KEY)
        assert isinstance(caught.value, HelpCrunchError)
        assert caught.value.__context__ is None
        assert RIGHT[:8] not in str(caught.value)
        assert len(str(caught.value)) < 100
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_missing_signature_names_the_header() -> None:
    """So that whoever reads the log knows what to look for."""
    with pytest.raises(WebhookSignatureError, match="no X-HelpCrunch-Signature header"):
        verify_signature(BODY, None, KEY)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_one_flipped_bit_of_the_body_is_refused(body: bytes, data: st.DataObject) -> None:
    """Whichever it is."""
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    with pytest.raises(WebhookSignatureError):
        verify_signature(flipped(body, bit), sign(body), KEY)


@given(st.binary(max_size=200), st.integers(0, 159))
def test_one_flipped_bit_of_the_signature_is_refused(body: bytes, bit: int) -> None:
    """Of its hundred and sixty."""
    with pytest.raises(WebhookSignatureError):
        verify_signature(body, flipped(bytes.fromhex(sign(body)), bit).hex(), KEY)


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=40), st.data())
def test_another_key_is_refused(key: str, data: st.DataObject) -> None:
    """And the same one accepted, whatever it is made of."""
    verify_signature(BODY, sign(BODY, key), key)
    other = key + data.draw(st.sampled_from("aZ0."))
    with pytest.raises(WebhookSignatureError):
        verify_signature(BODY, sign(BODY, key), other)


@given(st.text(max_size=60))
def test_any_text_for_a_signature_is_refused(signature: str) -> None:
    """Never another error than the one that callers catch."""
    with pytest.raises(WebhookSignatureError):
        verify_signature(BODY, signature, KEY)


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the function that is made for it, once, over all of both."""
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return False

    monkeypatch.setattr("helpcrunch_async.webhooks.hmac.compare_digest", compare)
    with pytest.raises(WebhookSignatureError):
        verify_signature(BODY, RIGHT, KEY)
    assert compared == [(20, 20)]


def test_nothing_is_parsed_before_it_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's bytes meet the hash and nothing else."""

    def explode(*_: object) -> NoReturn:
        raise AssertionError("parsed")

    monkeypatch.setattr(webhooks, "loads", explode)
    monkeypatch.setattr(webhooks, "from_dict", explode)
    for signature in (None, "", "0" * 40, "odd"):
        with pytest.raises(WebhookSignatureError):
            parse_webhook(b"[" * 1_000_000, signature, KEY)
    with pytest.raises(AssertionError, match="parsed"):
        parse_webhook(BODY, RIGHT, KEY)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", [BODY.decode(), json.loads(BODY), bytearray(BODY), memoryview(BODY), None])
def test_a_body_that_is_not_raw_bytes(call: Callable[..., object], body: object) -> None:
    """The usual mistake is told as one, not as a forged webhook."""
    with pytest.raises(TypeError, match=f"raw bytes of the request.*not {type(body).__name__}"):
        call(body, RIGHT, KEY)


@pytest.mark.parametrize("call", CALLS)
def test_other_mistakes_of_the_caller(call: Callable[..., object]) -> None:
    """An empty key would let anyone sign; a stray newline would refuse every webhook."""
    with pytest.raises(ValueError, match="no signing key"):
        call(BODY, sign(BODY, ""), "")
    for key in (f"{KEY}\n", f" {KEY}", "\t"):
        with pytest.raises(ValueError, match="white space"):
            call(BODY, RIGHT, key)
    with pytest.raises(TypeError, match="signing key is a str, not NoneType"):
        call(BODY, RIGHT, None)
    with pytest.raises(TypeError, match="signature is a str or None, not bytes"):
        call(BODY, RIGHT.encode(), KEY)


MISTAKES = [
    pytest.param(BODY, "0" * 40, KEY, id="wrong signature"),
    pytest.param(BODY, None, KEY, id="no signature"),
    pytest.param(BODY, "odd", KEY, id="odd signature"),
    pytest.param("text", RIGHT, KEY, id="str body"),
    pytest.param(BODY, 7, KEY, id="signature of a wrong type"),
    pytest.param(BODY, RIGHT, KEY.encode(), id="key as bytes"),
    pytest.param(BODY, RIGHT, f"{KEY}\n", id="key with a newline"),
    pytest.param(BODY, RIGHT, KEY + "\ud800", id="key with a surrogate"),
    pytest.param(b"not JSON", sign(b"not JSON"), KEY, id="not JSON"),
    pytest.param(b"{}", sign(b"{}"), KEY, id="not an event"),
]


@pytest.mark.parametrize(("body", "signature", "key"), MISTAKES)
def test_the_key_is_in_no_traceback(body: Any, signature: Any, key: Any) -> None:
    """Error trackers capture locals; the right signature of a forged body is as good as the key."""
    for call in (parse_webhook,) if signature in {sign(b"not JSON"), sign(b"{}")} else CALLS:
        with pytest.raises((HelpCrunchError, TypeError, ValueError)) as caught:
            call(body, signature, key)
        error = caught.value
        assert error.__traceback__ is not None
        ours = error.with_traceback(error.__traceback__.tb_next)  # this test's own frame holds it too
        shown = "".join(traceback.TracebackException.from_exception(ours, capture_locals=True).format())
        assert KEY not in shown
        assert KEY.encode().hex() not in shown
        if signature != RIGHT:
            assert RIGHT not in shown
            assert repr(bytes.fromhex(RIGHT)) not in shown


# --- events

PAUL = WebhookCustomer(70011, "Mara Quill", "mara@customer.example", "acct_501")
MARA = attrs.evolve(PAUL, id=70012, user_id="acct_502")
SAMPLES: list[tuple[str, WebhookEvent]] = [
    (
        "webhook-chat-snoozed.json",
        ChatEvent(
            id="3f0a1c52-6d6e-4c0e-9f5b-1a2b3c4d5e6f",
            name="chat.snoozed",
            data=WebhookChat(
                chat_id=8801,
                customer=PAUL,
                communicated_agents=(311,),
                status="pending",
                created_at=datetime(2020, 12, 9, 19, 6, 7, 414000, tzinfo=UTC),
                snoozed_until=datetime(2020, 12, 10, 22, 40, tzinfo=UTC),
                application_id=2,
                department=WebhookDepartment(41, "Billing"),
            ),
            attempts=1,
            last_attempt_at=datetime(2020, 12, 9, 19, 6, 10, tzinfo=UTC),
            created_at=datetime(2020, 12, 9, 19, 6, 9, tzinfo=UTC),
        ),
    ),
    (
        "webhook-customer-email-updated.json",
        CustomerEvent(
            id="0b9c8d7e-6f5a-4b3c-9d2e-1f0a9b8c7d6e",
            name="customer.email_updated",
            data=WebhookCustomer(
                70012, "Mara Quill", "new@customer.example", "acct_502", False, {"plan": "team", "seats": 12}
            ),
            attempts=0,
            last_attempt_at=datetime(2021, 12, 7, 18, 11, 40, tzinfo=UTC),
            created_at=datetime(2021, 12, 7, 18, 11, 40, tzinfo=UTC),
        ),
    ),
    (
        "webhook-eventdata-as-string.json",
        MessageEvent(
            id="5e4d3c2b-1a09-4f8e-8d7c-6b5a49382716",
            name="message.chat.agent",
            data=WebhookChatMessage(8803, WebhookMessage(550131, "On its way")),
            attempts=0,
            last_attempt_at=datetime(2021, 12, 7, 18, 13, 20, tzinfo=UTC),
            created_at=datetime(2021, 12, 7, 18, 13, 20, tzinfo=UTC),
        ),
    ),
    (
        "webhook-message-chat-customer.json",
        MessageEvent(
            id="7c1d2e3f-0a1b-4c2d-8e3f-4a5b6c7d8e9f",
            name="message.chat.customer",
            data=WebhookChatMessage(
                chat_id=8803,
                message=WebhookMessage(
                    id=550130,
                    text="Thanks",
                    application_id=2,
                    created_at=datetime(2021, 12, 7, 18, 9, 46, 915000, tzinfo=UTC),
                    updated_at=datetime(2021, 12, 7, 18, 9, 46, 915000, tzinfo=UTC),
                    edited=False,
                    read=False,
                ),
                customer=MARA,
            ),
            attempts=0,
            last_attempt_at=datetime(2021, 12, 7, 18, 9, 48, tzinfo=UTC),
            created_at=datetime(2021, 12, 7, 18, 9, 48, tzinfo=UTC),
        ),
    ),
]
BY_NAME = pytest.mark.parametrize(("name", "expected"), SAMPLES, ids=[name for name, _ in SAMPLES])


@BY_NAME
def test_the_samples(sample: Sample, name: str, expected: WebhookEvent) -> None:
    """Read field by field, from the bytes as they came."""
    body = sample(name)
    event = parse_webhook(body, sign(body), KEY)
    assert expected == event
    assert event.created_at is not None
    assert event.created_at.tzinfo is UTC


@BY_NAME
def test_events_are_plain_frozen_data(name: str, expected: WebhookEvent) -> None:
    """They go through JSON, pickle and copy, for queues; nothing changes them."""
    assert expected == from_dict(type(expected), json.loads(json.dumps(to_dict(expected))))
    assert expected == parse(to_dict(expected))
    assert expected == pickle.loads(pickle.dumps(expected))
    assert expected == copy.deepcopy(expected)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(expected, "name", name)  # noqa: B010 - type checkers refuse the plain spelling
    with pytest.raises(TypeError, match="unhashable"):
        hash(expected)
    assert not hasattr(expected, "__dict__")


def test_what_is_written_is_spelt_as_it_came(sample: Sample) -> None:
    """chat_id is the one key of HelpCrunch's that is not in camelCase; the envelope has its own words."""
    for name, event in SAMPLES:
        came, written = json.loads(sample(name)), to_dict(event)
        assert set(came) == set(written)
        if isinstance(came["eventData"], dict):
            assert set(came["eventData"]) - set(written["eventData"]) == set()
    assert to_dict(SAMPLES[0][1])["eventData"]["chat_id"] == 8801


DOCUMENTED = {
    *("chat.new", "chat.status_updated", "chat.assigned", "chat.snoozed", "chat.unsnoozed", "chat.closed"),
    *("chat.rated", "customer.new", "customer.email_updated", "customer.tags_changed"),
    *("customer.unsubscribed", "customer.subscribed", "customer.blocked", "customer.unblocked"),
    *("customer.deleted", "message.chat.customer", "message.email.customer", "message.private"),
    *("message.chat.agent", "message.email.agent"),
}
DATA: dict[str, dict[str, Any]] = {
    "chat": {"chat_id": 7},
    "customer": {"id": 7},
    "message": {"chat_id": 7, "message": {"id": 8}},
}


def test_the_documented_names() -> None:
    """Twenty, of three kinds."""
    names = [*CHAT_EVENTS, *CUSTOMER_EVENTS, *MESSAGE_EVENTS]
    assert set(names) == DOCUMENTED
    assert len(names) == len(DOCUMENTED) == 20


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
@pytest.mark.parametrize("written", [dict, json.dumps], ids=["object", "string"])
def test_every_documented_event_is_typed(name: str, written: Callable[[Any], Any]) -> None:
    """With the least that it must hold, the data as an object or as a string."""
    kind = name.partition(".")[0]
    event = parse({"event": name, "id": "e-1", "eventData": written(DATA[kind])})
    match event:
        case ChatEvent(data=WebhookChat(chat_id=7)):
            assert kind == "chat"
        case CustomerEvent(data=WebhookCustomer(id=7)):
            assert kind == "customer"
        case MessageEvent(data=WebhookChatMessage(chat_id=7, message=WebhookMessage(id=8))):
            assert kind == "message"
        case _:
            pytest.fail(f"{event}")
    assert (event.id, event.name, event.attempts, event.last_attempt_at, event.created_at, event.extra) == (
        *("e-1", name),
        *(None, None, None, {}),
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"chat_id": 7, "deep": [1]}, {"chat_id": 7, "deep": [1]}),
        ('{"chat_id": 7}', {"chat_id": 7}),
        ("not JSON", "not JSON"),
        ('"a string in a string"', '"a string in a string"'),
        ("[1]", "[1]"),
        ("[" * 100_000, "[" * 100_000),
        (None, None),
        ([], []),
        (7, 7),
    ],
    ids=lambda value: repr(value)[:30],
)
@pytest.mark.parametrize("name", ["chat.merged", "", "CHAT.NEW", "chat.new ", "sla.breached"])
def test_an_unknown_event_keeps_its_data(name: str, data: object, expected: object) -> None:
    """Whatever HelpCrunch adds later does not break who is subscribed to it."""
    event = parse({"event": name, "id": "e-1", "eventData": data, "attempts": 2, "createdAt": 1638900800})
    created_at = datetime(2021, 12, 7, 18, 13, 20, tzinfo=UTC)
    assert event == UnknownEvent("e-1", name, expected, attempts=2, created_at=created_at)
    assert event == pickle.loads(pickle.dumps(event))
    assert event == from_dict(UnknownEvent, to_dict(event))


def test_fields_that_are_added_later_are_kept() -> None:
    """In the envelope, in the data and below."""
    chat = {
        "chat_id": 7,
        "applications": [{"id": 2}],
        "customer": {"id": 1, "phone": "+49"},
        "department": {"id": 3, "agents": []},
        "assignee": {
            "id": 4,
            "name": "Ada",
            "email": "ada@shop.example",
            "role": "superviser",
            "avatar": None,
        },
    }
    envelope = {"event": "chat.assigned", "id": "e-1", "eventData": chat, "organization": 5}
    event = parse(envelope)
    assert isinstance(event, ChatEvent)
    assert event.extra == {"organization": 5}
    assert event.data.extra == {"applications": [{"id": 2}]}
    assert event.data.customer == WebhookCustomer(1, extra={"phone": "+49"})
    assert event.data.department == WebhookDepartment(3)
    assert event.data.assignee == WebhookAgent(
        4, "Ada", "ada@shop.example", "superviser", extra={"avatar": None}
    )
    assert event == parse(to_dict(event))


@pytest.mark.parametrize(
    ("told", "assignee", "department"),
    [
        ({"name": "Ada"}, WebhookAgent(name="Ada"), WebhookDepartment(name="Ada")),
        ({"id": None, "name": "Ada"}, WebhookAgent(name="Ada"), WebhookDepartment(name="Ada")),
        ({"id": 4}, WebhookAgent(4), WebhookDepartment(4)),
        (4, WebhookAgent(4), WebhookDepartment(4)),
        ({"fullName": "Ada"}, WebhookAgent(extra={"fullName": "Ada"}), None),
        (None, None, None),
        ([], None, None),
    ],
    ids=str,
)
def test_agents_and_departments_need_no_id(
    told: Any, assignee: WebhookAgent | None, department: WebhookDepartment | None
) -> None:
    """The page about them could not be read to its end: whatever there is of them is kept."""
    chat = {"chat_id": 7, "assignee": told}
    assert WebhookChat(7, assignee=assignee) == parse(least("chat.assigned", chat)).data
    said = {"chat_id": 7, "message": {"id": 8}, "agent": told}
    expected = WebhookChatMessage(7, WebhookMessage(8), agent=assignee)
    assert expected == parse(least("message.private", said)).data
    if department is not None:
        chat = {"chat_id": 7, "department": told}
        assert WebhookChat(7, department=department) == parse(least("chat.new", chat)).data


def test_the_agents_message() -> None:
    """An agent comes with two keys or with four; nulls and null lists are survived."""
    said = {"chat_id": 7, "message": {"id": 8, "text": None}, "agent": {"id": 9, "name": "HelpBot"}}
    event = parse({"event": "message.private", "id": "e-1", "eventData": {**said, "customer": None}})
    assert event == MessageEvent(
        "e-1",
        "message.private",
        WebhookChatMessage(7, WebhookMessage(8), agent=WebhookAgent(9, "HelpBot")),
    )
    bare = {"chat_id": 7, "customer": None, "communicatedAgents": None, "department": None, "assignee": None}
    assert parse({"event": "chat.new", "id": "e-1", "eventData": bare}) == ChatEvent(
        "e-1", "chat.new", WebhookChat(7)
    )


@pytest.mark.parametrize("moment", [1638900800, "1638900800", "1638900800.000"], ids=repr)
def test_moments_in_every_spelling(moment: object) -> None:
    """Integers in the envelope, strings with milliseconds inside, by the pages; either in either place."""
    data = {"chat_id": 7, "createdAt": moment}
    event = parse(
        {"event": "chat.new", "id": "1", "eventData": data, "createdAt": moment, "lastAttemptAt": moment}
    )
    assert isinstance(event, ChatEvent)
    moments = {event.created_at, event.last_attempt_at, event.data.created_at}
    assert moments == {datetime(2021, 12, 7, 18, 13, 20, tzinfo=UTC)}


UNFIT_DATA: list[tuple[object, str]] = [
    (None, "null"),
    ([], "a list"),
    (7, "an integer"),
    *((text, "a string") for text in ("", "null", "[]", '{"chat_id": 7', '"{}"')),
]


def envelope(**changes: Any) -> dict[str, Any]:
    return {"event": "chat.new", "id": "e-1", "eventData": {"chat_id": 7}, **changes}


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (b"", ["$: no body"]),
        (b"Ok", ["$: the body is not JSON: Expecting value at character 0"]),
        (b"\xff\xfe", ["$: the body is not UTF-8"]),
        (b'{"id": NaN}', ["$: the body is not JSON: ValueError"]),
        (b"[" * 1_000_000, ["$: the body is not JSON: RecursionError"]),
        (b"7" * 5_000, ["$: the body is not JSON: ValueError"]),
        (b"[]", ["$: expected an object"]),
        (b"null", ["$: expected an object"]),
        (b"{}", ["$.event: expected a string"]),
        (envelope(event=None), ["$.event: expected a string"]),
        (envelope(event=["chat.new"]), ["$.event: expected a string"]),
        (envelope(id=None), ["$.id: expected a string, not null"]),
        (envelope(id=[]), ["$.id: expected a string, not a list"]),
        ({"event": "chat.new", "eventData": {"chat_id": 7}}, ["$.id: missing"]),
        ({"event": "chat.merged"}, ["$.id: missing"]),
        ({"event": "chat.new", "id": "e-1"}, ["$.eventData: missing"]),
        *(
            (envelope(eventData=data), [f"$.eventData: expected an object, not {kind}"])
            for data, kind in UNFIT_DATA
        ),
        (envelope(eventData={}), ["$.eventData.chat_id: missing"]),
        (envelope(eventData={"id": 7, "chatId": 7}), ["$.eventData.chat_id: missing"]),
        (envelope(eventData='{"chat_id": "x"}'), ["$.eventData.chat_id: expected an integer, not a string"]),
        (
            envelope(eventData={"chat_id": True, "customer": {"userId": 5}, "communicatedAgents": [1, "x"]}),
            ["$.eventData.chat_id: expected an integer, not true or false"],
        ),
        (
            envelope(event="message.private", eventData={"chat_id": 7, "message": {"createdAt": "soon"}}),
            ["$.eventData.message.id: missing"],
        ),
        (envelope(event="customer.new"), ["$.eventData.id: missing"]),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_signed_body_that_is_not_an_event(body: object, problems: list[str]) -> None:
    """The signature is right, so it is not forged: the error says where it is not as documented."""
    with pytest.raises(DecodeError) as caught:
        parse(body)
    assert sorted(problems) == sorted(caught.value.problems)
    assert caught.value.__context__ is None
    assert problems[0] in str(caught.value) or len(problems) > 3
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems


def test_what_does_not_fit_does_not_lose_the_event() -> None:
    """Only ids are needed: whatever else is odd stays in `extra`, where it stood."""
    data = {"chat_id": "7", "customer": {"name": "Mara"}, "communicatedAgents": [1, "2", "x"], "rating": 5}
    event = parse(envelope(id=9, attempts="0", createdAt=[], eventData=json.dumps(data)))
    assert isinstance(event, ChatEvent)
    assert (event.id, event.attempts, event.created_at, event.extra) == ("9", 0, None, {"createdAt": []})
    assert event.data == WebhookChat(
        7,
        communicated_agents=(1, 2),
        rating="5",
        extra={"customer": {"name": "Mara"}, "communicatedAgents": [1, "2", "x"]},
    )
    assert event == from_dict(ChatEvent, to_dict(event))


def test_what_a_customer_wrote_is_in_no_error() -> None:
    """Errors are logged; texts and addresses are not to be."""
    for body in (
        b'{"event": "chat.new", "text": "my secret", "mail": "mara@customer.example",',
        json.dumps(envelope(eventData={"chat_id": "my secret", "mail": "mara@customer.example"})).encode(),
        json.dumps(envelope(eventData="my secret mara@customer.example")).encode(),
        json.dumps(envelope(id=["my secret", "mara@customer.example"])).encode(),
    ):
        with pytest.raises(DecodeError) as caught:
            parse(body)
        shown = f"{caught.value} {caught.value!r} {caught.value.problems} {caught.value.snippet}"
        assert "secret" not in shown
        assert "mara" not in shown


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda value: st.lists(value, max_size=4) | st.dictionaries(st.text(), value, max_size=4),
    max_leaves=10,
)
FIELDS = (
    *("chat_id", "id", "name", "customer", "communicatedAgents", "closedAt", "department", "assignee"),
    *("agent", "message", "customData", "text", "later"),
)
EVENT_DATA = JSON_VALUES | st.dictionaries(
    st.sampled_from(FIELDS), JSON_VALUES | st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES)
)
ENVELOPES = st.fixed_dictionaries(
    {
        "event": st.sampled_from(sorted(DOCUMENTED)) | JSON_VALUES,
        "eventData": EVENT_DATA | EVENT_DATA.map(json.dumps),
    },
    optional={
        "id": st.text() | JSON_VALUES,
        "attempts": st.integers() | JSON_VALUES,
        "createdAt": JSON_VALUES,
        "later": JSON_VALUES,
    },
)


@given(JSON_VALUES | ENVELOPES)
def test_whatever_is_signed_is_an_event_or_a_decode_error(value: object) -> None:
    """Nothing else gets out, so two `except` clauses are all that a handler needs."""
    try:
        event = parse(json.dumps(value).encode())
    except DecodeError as error:
        told = bool(error.problems)
    else:
        told = pickle.loads(pickle.dumps(event)) == event
    assert told


# --- examples


def example(name: str) -> ModuleType:
    """Import one of the examples, which are files and no package."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Handled:
    """A handler that fails when told to, and keeps what it was given."""

    def __init__(self) -> None:
        self.events: list[WebhookEvent] = []
        self.failing = False

    async def __call__(self, event: WebhookEvent) -> None:
        self.events.append(event)
        if self.failing:
            raise RuntimeError("told to")


Post = Callable[[bytes, str | None], Any]


async def use(post: Post, handled: Handled, sample: Sample) -> None:
    """What both examples promise: each event once, forgeries refused, a failure may be sent again."""
    for name, event in SAMPLES:
        body = sample(name)
        assert await post(body, sign(body)) == 204
        assert handled.events[-1] == event
        assert await post(body, sign(body).upper()) == 204
    assert len(handled.events) == len(SAMPLES)

    fresh = json.dumps(envelope(id="fresh")).encode()
    assert await post(fresh, None) == 401
    assert await post(fresh, "0" * 40) == 401
    assert await post(b"{}", sign(b"{}")) == 400
    assert len(handled.events) == len(SAMPLES)

    handled.failing = True
    assert await post(fresh, sign(fresh)) == 500
    handled.failing = False
    assert await post(fresh, sign(fresh)) == 204
    assert await post(fresh, sign(fresh)) == 204
    assert len(handled.events) == len(SAMPLES) + 2


async def test_the_aiohttp_example(sample: Sample) -> None:
    """It runs, over real HTTP on loopback."""
    handled = Handled()
    runner = web.AppRunner(example("webhook_aiohttp").make_app(KEY, handled), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/helpcrunch"
        async with aiohttp.ClientSession() as session:

            async def post(body: bytes, signature: str | None) -> int:
                headers = {"Content-Type": "application/json"}
                if signature is not None:
                    headers[SIGNATURE_HEADER.lower()] = signature
                async with session.post(url, data=body, headers=headers) as reply:
                    await reply.read()
                    return reply.status

            await use(post, handled, sample)
    finally:
        await runner.cleanup()


async def test_the_fastapi_example(sample: Sample) -> None:
    """It runs, asked by ASGI as a server would."""
    pytest.importorskip("fastapi", reason="FastAPI is no dependency; its example runs where it is installed")
    handled = Handled()
    app = example("webhook_fastapi").make_app(KEY, handled)

    async def post(body: bytes, signature: str | None) -> int:
        headers = [(b"content-type", b"application/json")]
        if signature is not None:
            headers.append((SIGNATURE_HEADER.lower().encode(), signature.encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/helpcrunch",
            "raw_path": b"/helpcrunch",
            "query_string": b"",
            "headers": headers,
        }
        half = len(body) // 2
        parts = [(body[:half], True), (body[half:], False)]
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            part, more = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": more}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        with suppress(RuntimeError):  # the handler's: a server logs it, and the answer went out before
            await app(scope, receive, send)
        return statuses[0]

    await use(post, handled, sample)


@pytest.mark.parametrize("name", ["webhook_aiohttp", "webhook_fastapi"])
async def test_the_examples_own_handlers_take_every_event(name: str) -> None:
    """None of the twenty, nor an unknown one, falls through or fails."""
    if name == "webhook_fastapi":
        pytest.importorskip(
            "fastapi", reason="FastAPI is no dependency; its example runs where it is installed"
        )
    module = example(name)
    for event in sorted(DOCUMENTED):
        await module.handle(parse(envelope(event=event, eventData=DATA[event.split(".")[0]])))
    await module.handle(parse(envelope(event="chat.merged")))


def test_the_aiohttp_example_forgets_old_ids() -> None:
    """Its memory is bounded."""
    seen = example("webhook_aiohttp").Seen(size=2)
    assert [seen.add(each) for each in ("a", "b", "a", "c", "b", "a")] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]
    seen.forget("a")
    seen.forget("never seen")
    assert seen.add("a")
