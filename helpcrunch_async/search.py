"""Searches: typed fields make filters, `all_of` and `any_of` make a query of them. No I/O.

    paid = all_of(EMAIL.contains("@example.com"), TAGS.include("Paid"))
    stuck = any_of(CHAT_STATUS.equals("pending"), CHAT_CREATED_AT.before(last_week))

A query is one flat list of filters under one AND or OR, because that is all the API has: (this or that) and
those cannot be said, so queries do not nest, and filters have no `&` and `|`. A field has a method for each
operator that is legal for its type, and refuses a wrong value before anything is sent; a `Filter` that is
made by hand is held to the same. What the API learns later is reached by `raw_filter`.

Not searchable: custom data and the first visit, though customers can be sorted by the latter. Not documented:
whether case counts in strings, and whether `differs` and `lacks` find those who have no value at all.

Sources: https://docs.helpcrunch.com/en/rest-api-v1/search-customers-v1 and .../search-chats-v1
"""

from datetime import datetime
from typing import Any, ClassVar, Final, Generic, Literal, NoReturn, TypeAlias, TypeVar, cast

from attrs import frozen

from helpcrunch_async import grammar
from helpcrunch_async.checks import check_text, unix_second
from helpcrunch_async.grammar import FieldType
from helpcrunch_async.models import Rating, Tag
from helpcrunch_async.strict_json import dumps

Customers: TypeAlias = Literal["customers"]
Chats: TypeAlias = Literal["chats"]
Noun = TypeVar("Noun", bound=Literal["customers", "chats"])
"""What is searched for; invariant, so that a filter of chats does not type-check among those of customers."""

Comparison: TypeAlias = Literal["AND", "OR"]

_NOUNS: Final[tuple[str, ...]] = ("customers", "chats")


@frozen(repr=False)
class Filter(Generic[Noun]):
    """One condition of a search, made by a field's methods or by `raw_filter`.

    One that is made by hand is held to what is documented of its field: the operators that are legal for the
    field's type, and values of that type. Of a field that is not documented, anything JSON can say will do.

    Raises:
        TypeError: field, operator or value_json is not a str, or the value is not of the field's type.
        ValueError: the field is of neither noun, the operator is not one of the field's, the value is empty
            or makes no sense, or value_json is not JSON.
    """

    field: str
    """Its name in the API, such as `customers.email`."""
    operator: str
    """`=`, `!=`, `>`, `<`, `>=`, `<=`, `~` (contains) or `!~`."""
    value_json: str
    """The value as JSON text, which nobody can change behind a filter's back."""

    def __attrs_post_init__(self) -> None:
        noun, dot, name = check_text("field", self.field).partition(".")
        if noun not in _NOUNS or not dot or not name:
            raise ValueError(f"a field's name begins with customers. or chats., not as {self.field!r} does")
        check_text("operator", self.operator)
        value = grammar.from_json(self.value_json)
        if value in ([], {}):
            raise ValueError(f"{self.field}: an empty value asks for nothing")
        self._check_grammar(value)

    def _check_grammar(self, value: object) -> None:
        if self.field in grammar.FIELDS:
            grammar.FIELDS[self.field].check(self.field, self.operator, value)

    def __repr__(self) -> str:
        return f"Filter({self.field} {self.operator} {self.value_json})"

    def __bool__(self) -> NoReturn:
        # `a and b` would quietly drop a, and find customers who were not meant
        raise TypeError("a filter is neither true nor false: combine filters with all_of or any_of")

    @property
    def noun(self) -> Noun:
        """What it filters: "customers" or "chats"."""
        return cast("Noun", self.field.partition(".")[0])

    @property
    def value(self) -> Any:
        """The value as it is sent."""
        return grammar.from_json(self.value_json)

    def to_dict(self) -> dict[str, Any]:
        """Write it as the API takes it."""
        return {"field": self.field, "operator": self.operator, "value": self.value}


@frozen
class Query(Generic[Noun]):
    """A search for customers or for chats, made by `all_of` or `any_of`.

    Raises:
        TypeError: not filters, or filters of customers and of chats together.
        ValueError: no filter at all, or a comparison that is neither AND nor OR.
    """

    filters: tuple[Filter[Noun], ...]
    comparison: Comparison

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.filters, tuple):
            raise TypeError(f"filters is a tuple, not {type(self.filters).__name__}")
        if self.comparison not in ("AND", "OR"):
            raise ValueError(f"comparison is AND or OR, not {self.comparison!r}")
        if not self.filters:
            raise ValueError("a query without filters finds everybody: give it one, or list instead")
        for each in self.filters:
            if isinstance(each, Query):
                raise TypeError("queries do not nest: the API knows one flat list and one AND or OR")
            if not isinstance(each, Filter):
                raise TypeError(f"a query is made of filters, not of {type(each).__name__}")
            if each.noun != self.noun:
                raise TypeError(f"one search is not for both {self.noun} and {each.noun}: {each.field}")

    def __bool__(self) -> NoReturn:
        raise TypeError("a query is neither true nor false, and queries do not combine")

    @property
    def noun(self) -> Noun:
        """What it searches for: "customers" or "chats"."""
        return self.filters[0].noun

    def to_body(self) -> dict[str, Any]:
        """Write it as the API takes it; sort, order, limit and offset are added by who sends it."""
        return {"comparison": self.comparison, "filter": [each.to_dict() for each in self.filters]}


def all_of(*filters: Filter[Noun]) -> Query[Noun]:
    """Search for what meets every one of the filters.

    Raises:
        TypeError: not filters, or filters of customers and of chats together.
        ValueError: no filter at all.
    """
    return Query(filters, "AND")


def any_of(*filters: Filter[Noun]) -> Query[Noun]:
    """Search for what meets at least one of the filters.

    Raises:
        TypeError: not filters, or filters of customers and of chats together.
        ValueError: no filter at all.
    """
    return Query(filters, "OR")


def body_of(query: Query[Noun] | Filter[Noun], noun: Noun) -> dict[str, Any]:
    """Give the body of a search for `noun`; a filter alone is a query, too.

    Raises:
        TypeError: neither a query nor a filter, or one for something else.
    """
    if isinstance(query, Filter):
        query = all_of(query)
    if not isinstance(query, Query):
        raise TypeError(f"a search takes a query made by all_of or any_of, not {type(query).__name__}")
    if query.noun != noun:
        raise TypeError(f"this is a search for {noun}, and the query is one for {query.noun}")
    return query.to_body()


@frozen(repr=False)
class _RawFilter(Filter[Noun]):
    def _check_grammar(self, value: object) -> None:
        """Let it pass: the documentation may be behind."""


def raw_filter(field: str, operator: str, value: Any) -> Filter[Any]:
    """Make a filter that is not held to the documented grammar, for what the typed fields do not know.

    All that is checked is that it can be sent, and asks for something.

    Args:
        field: its name in the API, which begins with `customers.` or `chats.`.
        operator: sent as it is.
        value: anything that JSON has a word for; moments are Unix seconds.

    Raises:
        TypeError: field or operator is not a str, or the value is not JSON; a datetime is not.
        ValueError: field or operator is empty, or the field is of neither noun; the value is an empty list or
            object, NaN or an infinity.
    """
    if isinstance(value, datetime):
        raise TypeError("a moment in a raw filter is a number of Unix seconds, not a datetime")
    return _RawFilter(field, operator, dumps(value))


@frozen
class _Field(Generic[Noun]):
    name: str
    """Its name in the API."""
    type: ClassVar[FieldType]

    def _filter(self, operator: str, value: object) -> Filter[Noun]:
        self.type.check(self.name, operator, value)
        return Filter(self.name, operator, dumps(value))


class StringField(_Field[Noun]):
    """A field that holds text.

    Every method raises TypeError for what is not a str, and ValueError for an empty one.
    """

    __slots__ = ()
    type: ClassVar[FieldType] = grammar.STRING

    def equals(self, text: str) -> Filter[Noun]:
        """Match exactly this text."""
        return self._filter("=", text)

    def differs(self, text: str) -> Filter[Noun]:
        """Match any text but this."""
        return self._filter("!=", text)

    def contains(self, part: str) -> Filter[Noun]:
        """Match text that has this anywhere in it."""
        return self._filter("~", part)

    def lacks(self, part: str) -> Filter[Noun]:
        """Match text that has this nowhere in it."""
        return self._filter("!~", part)


class IdField(_Field[Noun]):
    """A field that holds an id of HelpCrunch's, a positive int.

    Every method raises TypeError for what is not an int (a bool is none), and ValueError for a negative
    one. Zero is no id, but a bound to start from.
    """

    __slots__ = ()
    type: ClassVar[FieldType] = grammar.ID

    def equals(self, number: int) -> Filter[Noun]:
        """Match this id; for several, give `any_of` a filter for each."""
        return self._filter("=", number)

    def differs(self, number: int) -> Filter[Noun]:
        """Match any id but this."""
        return self._filter("!=", number)

    def above(self, number: int) -> Filter[Noun]:
        """Match ids greater than this."""
        return self._filter(">", number)

    def below(self, number: int) -> Filter[Noun]:
        """Match ids less than this."""
        return self._filter("<", number)

    def at_least(self, number: int) -> Filter[Noun]:
        """Match this id and greater ones."""
        return self._filter(">=", number)

    def at_most(self, number: int) -> Filter[Noun]:
        """Match this id and lesser ones."""
        return self._filter("<=", number)


class DateField(_Field[Noun]):
    """A field that holds a moment; it is searched by whole Unix seconds.

    Moments are aware datetimes of any time zone. A fraction of a second widens what is found to the whole
    second, so that nothing is lost. Every method raises TypeError for what is not a datetime, and
    ValueError for one that is naive or before 1970.
    """

    __slots__ = ()
    type: ClassVar[FieldType] = grammar.DATE

    def equals(self, moment: datetime) -> Filter[Noun]:
        """Match the second that this moment lies in."""
        return self._filter("=", unix_second(self.name, moment))

    def differs(self, moment: datetime) -> Filter[Noun]:
        """Match any second but the one that this moment lies in."""
        return self._filter("!=", unix_second(self.name, moment))

    def after(self, moment: datetime) -> Filter[Noun]:
        """Match later moments."""
        return self._filter(">", unix_second(self.name, moment))

    def before(self, moment: datetime) -> Filter[Noun]:
        """Match earlier moments."""
        return self._filter("<", unix_second(self.name, moment, up=True))

    def since(self, moment: datetime) -> Filter[Noun]:
        """Match this moment and later ones."""
        return self._filter(">=", unix_second(self.name, moment))

    def until(self, moment: datetime) -> Filter[Noun]:
        """Match this moment and earlier ones."""
        return self._filter("<=", unix_second(self.name, moment, up=True))


class TagsField(_Field[Noun]):
    """A field that holds a customer's tags."""

    __slots__ = ()
    type: ClassVar[FieldType] = grammar.TAGS

    def include(self, *tags: str | Tag) -> Filter[Noun]:
        """Match customers who have every one of these tags, and maybe others: several tags mean AND.

        For customers who have at least one of them, give `any_of` a filter for each tag.

        Args:
            tags: names, or tags, of which only the name counts.

        Raises:
            TypeError: a tag is neither a str nor a `Tag`.
            ValueError: no tag at all, or one without a name.
        """
        return self._filter("=", [{"name": each.name if isinstance(each, Tag) else each} for each in tags])


class RatingField(_Field[Noun]):
    """A field that holds a rating.

    Every method raises TypeError for what is not a str, and ValueError for one that is no `Rating`.
    """

    __slots__ = ()
    type: ClassVar[FieldType] = grammar.RATING

    def equals(self, rating: Rating) -> Filter[Noun]:
        """Match this rating."""
        return self._filter("=", rating)

    def differs(self, rating: Rating) -> Filter[Noun]:
        """Match any rating but this."""
        return self._filter("!=", rating)


ID: Final = IdField[Customers]("customers.id")
NAME: Final = StringField[Customers]("customers.name")
EMAIL: Final = StringField[Customers]("customers.email")
"""`contains` finds longer addresses, too, so ask for one address with `equals`; customers may share it."""
COMPANY: Final = StringField[Customers]("customers.company")
PHONE: Final = StringField[Customers]("customers.phone")
COUNTRY_CODE: Final = StringField[Customers]("customers.countryCode")
CITY: Final = StringField[Customers]("customers.city")
REGION_CODE: Final = StringField[Customers]("customers.regionCode")
USER_ID: Final = StringField[Customers]("customers.userId")
"""Your own id of a customer, text; HelpCrunch's is `ID`."""
LAST_SEEN: Final = DateField[Customers]("customers.lastSeen")
TAGS: Final = TagsField[Customers]("customers.tagsData")
TELEGRAM_ID: Final = StringField[Customers]("customers.telegramId")
FACEBOOK_ID: Final = StringField[Customers]("customers.facebookId")
INSTAGRAM_ID: Final = StringField[Customers]("customers.instagramId")
VIBER_ID: Final = StringField[Customers]("customers.viberId")
WHATSAPP_ID: Final = StringField[Customers]("customers.whatsappId")

CHAT_ASSIGNEE: Final = IdField[Chats]("chats.assignee")
"""The agent a chat is assigned to."""
CHAT_AGENTS: Final = IdField[Chats]("chats.agents")
"""An agent who wrote in a chat."""
CHAT_DEPARTMENT: Final = IdField[Chats]("chats.department")
CHAT_CREATED_AT: Final = DateField[Chats]("chats.createdAt")
CHAT_UPDATED_AT: Final = DateField[Chats]("chats.updatedAt")
"""Named by older pages only; HelpCrunch may have dropped it."""
CHAT_CLOSED_AT: Final = DateField[Chats]("chats.closedAt")
CHAT_STATUS: Final = StringField[Chats]("chats.status")
"""An open set: new, opened, pending, onhold, closed, no communication, empty; examples have numbers such as
"3", too. Pages spell onhold also as "on hold" and "on-hold"; `any_of` takes all of them."""
CHAT_RATING: Final = RatingField[Chats]("chats.rating")
CHAT_CUSTOMER: Final = IdField[Chats]("chats.customer")
"""The customer of a chat, by HelpCrunch's id."""
CHAT_CUSTOMER_EMAIL: Final = StringField[Chats]("chats.customer.email")
CHAT_CUSTOMER_USER_ID: Final = StringField[Chats]("chats.customer.userId")
"""Your own id of the customer. Not in the documented list; other clients use it."""
CHAT_CUSTOMER_TAGS: Final = TagsField[Chats]("chats.customer.tagsData")
"""The tags of a chat's customer; chats have none themselves."""
