"""Conditions as they are typed, FIELD OPERATOR VALUE, read with the typed fields of `search`."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from helpcrunch_async import search as fields
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.search import (
    DateField,
    Filter,
    IdField,
    Query,
    RatingField,
    StringField,
    TagsField,
    all_of,
    any_of,
    body_of,
    raw_filter,
)

_CUSTOMER_FIELDS: Final = (
    *(fields.ID, fields.NAME, fields.EMAIL, fields.COMPANY, fields.PHONE, fields.USER_ID, fields.TAGS),
    *(fields.LAST_SEEN, fields.CITY, fields.REGION_CODE, fields.COUNTRY_CODE),
    *(fields.TELEGRAM_ID, fields.FACEBOOK_ID, fields.INSTAGRAM_ID, fields.VIBER_ID, fields.WHATSAPP_ID),
)
_CHAT_FIELDS: Final = (
    *(fields.CHAT_STATUS, fields.CHAT_ASSIGNEE, fields.CHAT_AGENTS, fields.CHAT_DEPARTMENT),
    *(fields.CHAT_CREATED_AT, fields.CHAT_UPDATED_AT, fields.CHAT_CLOSED_AT, fields.CHAT_RATING),
    *(fields.CHAT_CUSTOMER, fields.CHAT_CUSTOMER_EMAIL, fields.CHAT_CUSTOMER_USER_ID),
    fields.CHAT_CUSTOMER_TAGS,
)


def _shown(api_name: str) -> str:
    return api_name.partition(".")[2].replace("tagsData", "tags")


def _folded(name: str) -> str:
    return re.sub("[._-]", "", name).casefold()


FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "customers": {_shown(field.name): field for field in _CUSTOMER_FIELDS},
    "chats": {_shown(field.name): field for field in _CHAT_FIELDS},
}
"""What each noun is searched by: HelpCrunch's own names, but for `tags`."""

_METHODS: Final[Mapping[type, Mapping[str, str]]] = {
    StringField: {"=": "equals", "!=": "differs", "~": "contains", "!~": "lacks"},
    IdField: {
        "=": "equals",
        "!=": "differs",
        ">": "above",
        "<": "below",
        ">=": "at_least",
        "<=": "at_most",
    },
    DateField: {
        "=": "equals",
        "!=": "differs",
        ">": "after",
        "<": "before",
        ">=": "since",
        "<=": "until",
    },
    TagsField: {"=": "include"},
    RatingField: {"=": "equals", "!=": "differs"},
}
"""Which method of a field each operator stands for; a field has those that are legal for its type."""

_CONDITION: Final = re.compile(r"\s*([A-Za-z][\w.-]*)\s*(!=|!~|>=|<=|=|~|>|<)\s*(.*?)\s*", re.DOTALL)
_A_DAY: Final = timedelta(days=1)


def query_of(
    noun: str, conditions: Sequence[str], raw: Sequence[str], *, any_suffices: bool
) -> Query[Any] | None:
    """Make a query of what was typed; None without any condition.

    Raises:
        CommandError: a condition that cannot be asked.
    """
    filters: list[Filter[Any]] = []
    try:
        filters += [_filter(noun, each) for each in conditions]
        filters += [_raw(each) for each in raw]
        if not filters:
            return None
        query = any_of(*filters) if any_suffices else all_of(*filters)
        body_of(query, noun)  # which refuses a raw filter for something else
    except (TypeError, ValueError) as error:
        problem = str(error)
    else:
        return query
    raise CommandError(problem, ExitCode.USAGE)


def _filter(noun: str, condition: str) -> Filter[Any]:
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise ValueError(f"--where takes FIELD OPERATOR VALUE, such as email~@example.com, not: {condition}")
    given, operator, text = match.groups()
    by_folded = {_folded(name): name for name in FIELDS[noun]}
    name = by_folded.get(_folded(given))
    if name is None:
        raise ValueError(f"{noun} are not searched by {given}, but by {', '.join(FIELDS[noun])}")
    field = FIELDS[noun][name]
    methods = _METHODS[type(field)]
    if operator not in methods:
        raise ValueError(f"{name} takes {' '.join(methods)}, not {operator}")
    if not text:
        raise ValueError(f"{name}{operator}: which value?")
    if isinstance(field, DateField):
        return _date_filter(name, field, operator, text)
    value = _number(name, text) if isinstance(field, IdField) else text
    made: Filter[Any] = getattr(field, methods[operator])(value)
    return made


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError(f"{name} takes an id, not {text}")
    return int(text)


def _date_filter(name: str, field: DateField[Any], operator: str, text: str) -> Filter[Any]:
    """Read a moment; a date alone is the whole day, in UTC: after it is from the next one on."""
    day = _read(date.fromisoformat, text)
    moment = _read(datetime.fromisoformat, text)
    if moment is None or day == date.max:  # which has no day after it
        raise ValueError(f"{name} takes a moment such as 2026-01-31 or 2026-01-31T12:00Z, not {text}")
    if day is None:
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        made: Filter[Any] = getattr(field, _METHODS[DateField][operator])(moment)
        return made
    begin = datetime.combine(day, time(), UTC)
    match operator:
        case ">":
            return field.since(begin + _A_DAY)
        case ">=":
            return field.since(begin)
        case "<":
            return field.before(begin)
        case "<=":
            return field.before(begin + _A_DAY)
        case _:
            raise ValueError(
                f"{name}{operator}{text}: a day takes two conditions: {name}>={text} and {name}<={text}"
            )


def _read(reader: Callable[[str], Any], text: str) -> Any:
    try:
        return reader(text)
    except ValueError:
        return None


def _raw(text: str) -> Filter[Any]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or set(given) != {"field", "operator", "value"}:
        raise ValueError('--raw takes JSON such as {"field": "customers.x", "operator": "=", "value": 1}')
    return raw_filter(given["field"], given["operator"], given["value"])
