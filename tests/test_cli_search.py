"""`helpcrunch search`: conditions as they are typed, rows as they are shown."""

import json
from datetime import UTC, datetime

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from cli.running import IDS, Run
from rich.console import Console

from helpcrunch_async import Agent, Chat, ChatCustomer, Customer, Tag
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.search.where import FIELDS, query_of
from helpcrunch_async.cli.show.table import table_of
from helpcrunch_async.testing import FakeHelpCrunch

pytest_plugins = "cli.fixtures"


def filters_of(noun: str, *conditions: str) -> list[tuple[str, str, object]]:
    """What conditions become."""
    query = query_of(noun, conditions, (), any_suffices=False)
    assert query is not None
    return [(each.field, each.operator, each.value) for each in query.filters]


@pytest.mark.parametrize(
    ("noun", "condition", "expected"),
    [
        ("customers", "email~@example.com", ("customers.email", "~", "@example.com")),
        ("customers", "email !~ @example.com ", ("customers.email", "!~", "@example.com")),
        ("customers", "user_id=a=b", ("customers.userId", "=", "a=b")),
        ("customers", "USERID!=7", ("customers.userId", "!=", "7")),
        ("customers", "id>=8737843", ("customers.id", ">=", 8737843)),
        ("customers", "tags=churn risk", ("customers.tagsData", "=", [{"name": "churn risk"}])),
        ("customers", "last-seen>2026-01-31T12:00Z", ("customers.lastSeen", ">", 1769860800)),
        ("customers", "lastSeen<2026-01-31T12:00", ("customers.lastSeen", "<", 1769860800)),
        ("customers", "lastSeen=2026-01-31T14:00+02:00", ("customers.lastSeen", "=", 1769860800)),
        ("customers", "lastSeen>=2026-01-31", ("customers.lastSeen", ">=", 1769817600)),
        ("customers", "lastSeen>2026-01-30", ("customers.lastSeen", ">=", 1769817600)),
        ("customers", "lastSeen<2026-01-31", ("customers.lastSeen", "<", 1769817600)),
        ("customers", "lastSeen<=2026-01-30", ("customers.lastSeen", "<", 1769817600)),
        ("chats", "status=on hold", ("chats.status", "=", "on hold")),
        ("chats", "assignee!=4", ("chats.assignee", "!=", 4)),
        ("chats", "rating=very poor", ("chats.rating", "=", "very poor")),
        ("chats", "customer.email=a@b.example", ("chats.customer.email", "=", "a@b.example")),
        ("chats", "customer.tags=vip", ("chats.customer.tagsData", "=", [{"name": "vip"}])),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_conditions_become_filters(noun: str, condition: str, expected: tuple[str, str, object]) -> None:
    """Names in any usual spelling; a date alone is the whole day."""
    assert filters_of(noun, condition) == [expected]


@pytest.mark.parametrize(
    ("noun", "condition", "said"),
    [
        ("customers", "tags~Paid", "tags takes =, not ~"),
        ("customers", "email>a", "email takes = != ~ !~, not >"),
        ("customers", "id~7", "id takes = != > < >= <=, not ~"),
        ("chats", "rating~poor", "rating takes = !=, not ~"),
        ("chats", "rating=superb", "chats.rating is one of perfect, great, average, poor, very poor"),
        ("chats", "email=x", "chats are not searched by email, but by status, assignee,"),
        ("customers", "customData=x", "customers are not searched by customData, but by id, name,"),
        ("customers", "email", "--where takes FIELD OPERATOR VALUE, such as email~@example.com, not: email"),
        ("customers", "=x", "--where takes FIELD OPERATOR VALUE"),
        ("customers", "name=", "name=: which value?"),
        ("customers", "id=0", "positive int"),
        ("customers", "id=-7", "id takes an id, not -7"),
        ("customers", "id=\u0661", "id takes an id, not"),
        ("customers", "lastSeen>tuesday", "lastSeen takes a moment such as 2026-01-31"),
        ("customers", "lastSeen>1960-12-31", "is before 1970"),
        ("customers", "lastSeen>9999-12-31", "lastSeen takes a moment"),
        (
            "customers",
            "lastSeen=2026-01-31",
            "a day takes two conditions: lastSeen>=2026-01-31 and lastSeen<=2026-01-31",
        ),
    ],
    ids=lambda value: value,
)
def test_what_cannot_be_asked_is_refused(noun: str, condition: str, said: str) -> None:
    """With a line that says what can."""
    with pytest.raises(CommandError) as raised:
        filters_of(noun, condition)
    assert said in str(raised.value)
    assert raised.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("noun", ["customers", "chats"])
def test_every_field_can_be_asked(noun: str) -> None:
    """Each is listed in the help, and takes a value of some kind."""
    for name in FIELDS[noun]:
        value = (
            "great" if name == "rating" else "2026-01-31T00:00Z" if "At" in name or "Seen" in name else "7"
        )
        ((field, operator, _),) = filters_of(noun, f"{name}={value}")
        assert (field.partition(".")[0], operator) == (noun, "=")


def test_raw_filters_go_as_they_are() -> None:
    """For what the API learns later."""
    raw = ['{"field": "customers.mood", "operator": "in", "value": ["fine"]}']
    query = query_of("customers", ["name=Ada"], raw, any_suffices=True)
    assert query is not None
    assert query.to_body() == {
        "comparison": "OR",
        "filter": [
            {"field": "customers.name", "operator": "=", "value": "Ada"},
            {"field": "customers.mood", "operator": "in", "value": ["fine"]},
        ],
    }


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "[]",
        '{"field": "customers.x"}',
        '{"field": "chats.x", "operator": "=", "value": 1}',
        '{"field": 1, "operator": "=", "value": 1}',
    ],
)
def test_raw_filters_have_a_shape(raw: str) -> None:
    """One line, not a traceback."""
    with pytest.raises(CommandError):
        query_of("customers", (), [raw], any_suffices=False)


def test_search_sends_what_was_typed(run: Run, server: FakeHelpCrunch) -> None:
    """One request for a page, and the rows in the order asked for."""
    outcome = run(
        *("search", "customers", "--where", "email~@elm.example", "--where", "tags=vip", "--any"),
        *("--sort", "lastseen", "--order", "DESC", "--limit", 3),
    )
    assert outcome.code == 0, outcome
    (request,) = server.requests
    assert json.loads(request.body) == {
        "comparison": "OR",
        "filter": [
            {"field": "customers.email", "operator": "~", "value": "@elm.example"},
            {"field": "customers.tagsData", "operator": "=", "value": [{"name": "vip"}]},
        ],
        "sort": "customers.lastSeen",
        "order": "desc",
        "limit": 3,
        "offset": 0,
    }
    seen = [int(each["lastSeen"]) for each in outcome.objects]
    assert len(seen) == 3
    assert seen == sorted(seen, reverse=True)
    assert outcome.complaints == ["these are the first 3: --limit gives more, `export customers` gives all"]


def test_search_goes_on_to_its_limit(run: Run, server: FakeHelpCrunch) -> None:
    """Over as many pages as it takes."""
    outcome = run("search", "customers", "--where", "id>1", "--limit", 250, "--json")
    assert [each["id"] for each in outcome.objects] == sorted(IDS)[:250]
    assert len(server.requests) == 3


def test_nothing_found_is_told(run: Run) -> None:
    """On stderr; a script sees no lines and no error."""
    outcome = run("search", "customers", "--where", "name=Nobody")
    assert (outcome.code, outcome.out) == (0, b"")
    assert outcome.complaints == ["no customers found"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["customers"], "search for what? Give --where; all customers is `export customers`"),
        (["customers", "--where", "tags~x"], "tags takes =, not ~"),
        (
            ["customers", "--where", "id=7", "--sort", "name"],
            "customers are sorted by firstSeen, lastSeen, not by name",
        ),
    ],
    ids=["no condition", "operator", "sort"],
)
def test_a_senseless_search_is_not_sent(
    run: Run, server: FakeHelpCrunch, arguments: list[str], said: str
) -> None:
    """It is told even without a key."""
    outcome = run("search", *arguments, env={"HELPCRUNCH_API_KEY": None})
    assert (outcome.code, outcome.complaints) == (2, [said])
    assert server.requests == []


def drawn(rows: list[Customer] | list[Chat], width: int) -> list[str]:
    """A table as a terminal of that width shows it."""
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(table_of(rows, width))
    return [line.rstrip() for line in captured.get().splitlines() if line.strip()]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables_fit(width: int) -> None:
    """Ids, states and times are whole at any width; what customers wrote drives no terminal."""
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    customers = [
        Customer(
            8737843, name="Zoë\x1b[2J" + "y" * 50, email="e" * 60, last_seen=moment, tags=(Tag("Paid"),)
        ),
        Customer(7),
    ]
    chats = [
        Chat(
            12345678,
            status="no communication",
            customer=ChatCustomer(7),
            assignee=Agent(3),
            last_message_at=moment,
            last_message_text="long\n" * 30,
        ),
        Chat(9, status="new", customer=ChatCustomer(8, email="a@b.example")),
    ]
    for lines in (drawn(customers, width), drawn(chats, width)):
        text = "\n".join(lines)
        assert max(map(len, lines)) <= width
        assert "2026-01-31" in text
        assert "\x1b[2J" not in text
    assert "8737843" in "\n".join(drawn(customers, width))
    assert "12345678" in text
    assert "no communication" in text
    assert ("tags" in "\n".join(drawn(customers, width))) is (width >= 100)
