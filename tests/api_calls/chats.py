"""Calls about chats and their messages."""

from datetime import timedelta, timezone
from typing import Any, Final

from api_calls.call import MOMENT, Call, one, page, request_sample, rows, walked
from helpcrunch_async import UNSET, Chat, ChatRating, ChatStatus, Message, all_of, any_of
from helpcrunch_async.models.vocabulary import RATINGS
from helpcrunch_async.search import (
    CHAT_ASSIGNEE,
    CHAT_CLOSED_AT,
    CHAT_CUSTOMER_TAGS,
    CHAT_RATING,
    CHAT_STATUS,
)

CHAT: Final = "chat-g3.json"
OLD_CHAT: Final = "chat-g1-int-ts-fraction-snooze.json"
NEW_CHAT: Final = "chat-created-empty.json"
CHATS: Final = "chats-page-meta-total.json"
FOUND: Final = "chats-search-page-total.json"
MESSAGE: Final = "message-created.json"
ALL: Final = {"limit": "100", "offset": "0"}
SEARCH: Final = {"comparison": "AND", "filter": [{"field": "chats.assignee", "operator": "=", "value": 312}]}
IN_PARIS: Final = MOMENT.astimezone(timezone(timedelta(hours=2)))

STATUSES: Final = (
    ("new", "new"),
    ("opened", "opened"),
    ("open", "opened"),
    ("Pending", "pending"),
    (ChatStatus.ON_HOLD, "on hold"),
    ("onhold", "on hold"),
    ("on-hold", "on hold"),
    ("ON_HOLD", "on hold"),
    ("noCommunication", "no communication"),
    ("closed", "closed"),
    ("empty", "empty"),
    ("5", "5"),
    ("Waiting for parts", "Waiting for parts"),
)
"""What may be given, and what is sent."""


def change(method: str, where: str, sent: dict[str, Any], *given: Any, note: str = "") -> Call:
    """Make the line of a call that changes one thing of a chat."""
    return Call(
        f"{method}, {note}" if note else method,
        lambda client: getattr(client, method)(8803, *given),
        "PUT",
        f"/chats/{where}",
        CHAT,
        one(Chat),
        body={"id": 8803, **sent},
    )


def sorted_by(sort: Any) -> Call:
    """Make the line of a listing that is sorted one way."""
    return Call(
        f"list_chats, by {sort}",
        lambda client: client.list_chats(sort=sort).page(),
        "GET",
        "/chats",
        CHATS,
        page(Chat, total=2),
        {"sort": f"chats.{sort}", **ALL},
    )


READS: Final = (
    Call("list_chats", lambda client: walked(client.list_chats()), "GET", "/chats", CHATS, rows(Chat), ALL),
    Call(
        "list_chats, a part",
        lambda client: client.list_chats(offset=40, limit=2).to_list(),
        "GET",
        "/chats",
        CHATS,
        rows(Chat),
        {"limit": "2", "offset": "40"},
    ),
    Call(
        "list_chats, sorted page",
        lambda client: client.list_chats(sort="lastCustomerMessageAt", order="asc").page(200, 10),
        "GET",
        "/chats",
        CHATS,
        page(Chat, total=2, offset=200),
        {"sort": "chats.lastCustomerMessageAt", "order": "asc", "limit": "10", "offset": "200"},
    ),
    sorted_by("createdAt"),
    sorted_by("lastMessageAt"),
    sorted_by("closedAt"),
    Call(
        "list_chats, order alone",
        lambda client: client.list_chats(order="desc").page(),
        "GET",
        "/chats",
        CHATS,
        page(Chat, total=2),
        {"order": "desc", **ALL},
    ),
    Call(
        "search_chats",
        lambda client: walked(client.search_chats(CHAT_ASSIGNEE.equals(312))),
        "POST",
        "/chats/search",
        FOUND,
        rows(Chat),
        body={**SEARCH, "limit": 100, "offset": 0},
    ),
    Call(
        "search_chats, a part",
        lambda client: client.search_chats(CHAT_ASSIGNEE.equals(312), offset=40, limit=1).to_list(),
        "POST",
        "/chats/search",
        FOUND,
        rows(Chat),
        body={**SEARCH, "limit": 1, "offset": 40},
    ),
    Call(
        "search_chats, all of some, sorted page",
        lambda client: client.search_chats(
            all_of(CHAT_CLOSED_AT.before(MOMENT), CHAT_RATING.equals("very poor")),
            sort="closedAt",
            order="desc",
        ).page(200, 10),
        "POST",
        "/chats/search",
        FOUND,
        page(Chat, total=1, offset=200),
        body={
            "comparison": "AND",
            "filter": [
                {"field": "chats.closedAt", "operator": "<", "value": 1603800001},
                {"field": "chats.rating", "operator": "=", "value": "very poor"},
            ],
            "sort": "chats.closedAt",
            "order": "desc",
            "limit": 10,
            "offset": 200,
        },
    ),
    Call(
        "search_chats, any of some",
        lambda client: client.search_chats(
            any_of(CHAT_STATUS.equals("3"), CHAT_CUSTOMER_TAGS.include("vip")), order="asc"
        ).to_list(),
        "POST",
        "/chats/search",
        FOUND,
        rows(Chat),
        body={
            "comparison": "OR",
            "filter": [
                {"field": "chats.status", "operator": "=", "value": "3"},
                {"field": "chats.customer.tagsData", "operator": "=", "value": [{"name": "vip"}]},
            ],
            "order": "asc",
            "limit": 100,
            "offset": 0,
        },
    ),
    Call("get_chat", lambda client: client.get_chat(8803), "GET", "/chats/8803", CHAT, one(Chat)),
    Call("get_chat, old", lambda client: client.get_chat(8801), "GET", "/chats/8801", OLD_CHAT, one(Chat)),
    Call(
        "get_chat, one agent as an object",
        lambda client: client.get_chat(8802),
        "GET",
        "/chats/8802",
        "chat-g1-agents-single-object.json",
        one(Chat),
    ),
    Call(
        "list_messages",
        lambda client: walked(client.list_messages(8803)),
        "GET",
        "/chats/8803/messages",
        "messages-page-g3.json",
        rows(Message),
        ALL,
    ),
    Call(
        "list_messages, a part",
        lambda client: client.list_messages(8801, offset=40, limit=2).to_list(),
        "GET",
        "/chats/8801/messages",
        "messages-page-g1-fraction-ts.json",
        rows(Message),
        {"limit": "2", "offset": "40"},
    ),
    Call(
        "list_messages, the oldest spelling",
        lambda client: client.list_messages(8801).page(offset=200, limit=10),
        "GET",
        "/chats/8801/messages",
        "messages-page-oldest-messages-key.json",
        page(Message, total=None, offset=200, key="messages"),
        {"limit": "10", "offset": "200"},
    ),
)

CHANGES: Final = (
    Call(
        "create_chat",
        lambda client: client.create_chat(70012, application_id=2),
        "POST",
        "/chats",
        NEW_CHAT,
        one(Chat),
        body={"customer": 70012, "application": 2},
    ),
    Call(
        "create_chat, assigned",
        lambda client: client.create_chat(70012, application_id=2, assignee_id=312, department_id=41),
        "POST",
        "/chats",
        NEW_CHAT,
        one(Chat),
        body={"customer": 70012, "application": 2, "assignee": 312, "department": 41},
    ),
    Call(
        "create_chat, nobody in no department",
        lambda client: client.create_chat(70012, application_id=2, assignee_id=None, department_id=None),
        "POST",
        "/chats",
        NEW_CHAT,
        one(Chat),
        body={"customer": 70012, "application": 2, "assignee": None, "department": None},
    ),
    Call(
        "create_chat, left out by name",
        lambda client: client.create_chat(70012, application_id=2, assignee_id=UNSET, department_id=UNSET),
        "POST",
        "/chats",
        NEW_CHAT,
        one(Chat),
        body={"customer": 70012, "application": 2},
    ),
    *(
        change("set_chat_status", "status", {"status": sent}, given, note=f"{given}" if index else "")
        for index, (given, sent) in enumerate(STATUSES)
    ),
    change("assign_chat", "assignee", {"assignee": 312}, 312),
    change("assign_chat", "assignee", {"assignee": None}, None, note="to nobody"),
    change("set_chat_department", "department", {"department": 41}, 41),
    change("snooze_chat", "snooze", {"snoozedUntil": "1603800000"}, MOMENT),
    change("snooze_chat", "snooze", {"snoozedUntil": "1603800000"}, IN_PARIS, note="until a local time"),
    change("snooze_chat", "snooze", {"snoozedUntil": None}, None, note="wake"),
    change("rate_chat", "rate", {"rating": "perfect"}, ChatRating.PERFECT),
    *(change("rate_chat", "rate", {"rating": rating}, rating, note=rating) for rating in RATINGS),
    change("mark_chat_read_by_agent", "readByAgent", {"read": True}),
    change("mark_chat_read_by_agent", "readByAgent", {"read": False}, False, note="unread"),
    change("mark_chat_read_by_customer", "readByCustomer", {"read": True}),
    change("mark_chat_read_by_customer", "readByCustomer", {"read": False}, False, note="unread"),
    Call(
        "send_message",
        lambda client: client.send_message(8803, "Refund agreed"),
        "POST",
        "/messages",
        MESSAGE,
        one(Message),
        body={"chat": 8803, "text": "Refund agreed", "type": "message"},
    ),
    Call(
        "send_message, as an agent",
        lambda client: client.send_message(8803, "Refund agreed", agent_id=312, markdown="Refund **agreed**"),
        "POST",
        "/messages",
        MESSAGE,
        one(Message),
        body={
            "chat": 8803,
            "text": "Refund agreed",
            "type": "message",
            "agent": 312,
            "markdownText": "Refund **agreed**",
        },
    ),
    Call(
        "send_message, left out by name",
        lambda client: client.send_message(8803, "Refund agreed", agent_id=UNSET, markdown=UNSET),
        "POST",
        "/messages",
        MESSAGE,
        one(Message),
        body={"chat": 8803, "text": "Refund agreed", "type": "message"},
    ),
    Call(
        "send_private_note, left out by name",
        lambda client: client.send_private_note(8803, "Refund agreed", agent_id=UNSET, markdown=UNSET),
        "POST",
        "/messages",
        MESSAGE,
        one(Message),
        body={"chat": 8803, "text": "Refund agreed", "type": "private"},
    ),
    Call(
        "send_message, in many letters",
        lambda client: client.send_message(8803, text="Привіт,\n\t„Ада“ 🙂 \\u0041 \x00", agent_id=None),
        "POST",
        "/messages",
        MESSAGE,
        one(Message),
        body={"chat": 8803, "text": "Привіт,\n\t„Ада“ 🙂 \\u0041 \x00", "type": "message"},
    ),
    Call(
        "send_private_note",
        lambda client: client.send_private_note(
            8803, "Refund agreed", agent_id=312, markdown="Refund **agreed**"
        ),
        "POST",
        "/messages",
        MESSAGE,
        one(Message),
        body=request_sample("create-message-request-private.json"),
    ),
    Call(
        "send_private_note, by nobody",
        lambda client: client.send_private_note(8803, "Refund agreed"),
        "POST",
        "/messages",
        MESSAGE,
        one(Message),
        body={"chat": 8803, "text": "Refund agreed", "type": "private"},
    ),
)
