"""Files of the command: records and cells, whole and harmless."""

import csv
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("typer")
pytest.importorskip("rich")

from helpcrunch_async import Agent, Chat, Customer, Location, Message, Tag, from_dict
from helpcrunch_async.cli.files.cells import PATHS, cells_of, names_of
from helpcrunch_async.cli.files.layouts import CsvLayout, Format, JsonLayout, layout_of
from helpcrunch_async.cli.files.splitting import Splitter

MODELS = (Customer, Chat, Message)


def cells_by_name(instance: Any) -> dict[str, str]:
    """What stands in which column, as far as anything does."""
    named = zip(names_of(type(instance)), cells_of(instance), strict=True)
    return {name: cell for name, cell in named if cell}


@pytest.mark.parametrize("model", MODELS)
def test_no_field_of_a_model_is_forgotten(model: type[Any]) -> None:
    """A field that models learn later needs a column, or a word on why it has none."""
    in_columns = {path.partition(".")[0] for path in PATHS[model]}
    assert in_columns == {field.name for field in attrs.fields(model)}
    assert len(set(names_of(model))) == len(PATHS[model])


@pytest.mark.parametrize("model", MODELS)
def test_an_empty_model_has_empty_cells(model: type[Any]) -> None:
    """Nothing is not the word None."""
    assert cells_by_name(model(7)) == {"id": "7"}


def test_cells_of_a_customer() -> None:
    """Times in UTC, tags joined, custom data as JSON, what the API adds later as JSON."""
    customer = Customer(
        7,
        name="Zoë",
        first_seen=datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC),
        location=Location(city="Kyiv"),
        blocked=False,
        tags=(Tag("Paid", "red"), Tag("vip")),
        custom_data={"Seats": 3, "Größe": None},
        extra={"mood": ["fine"]},
    )
    assert cells_by_name(customer) == {
        "id": "7",
        "name": "Zoë",
        "first_seen": "2026-01-31T12:00:05Z",
        "location_city": "Kyiv",
        "blocked": "false",
        "tags": "Paid; vip",
        "custom_data": '{"Seats": 3, "Größe": null}',
        "extra": '{"mood": ["fine"]}',
    }


def test_cells_of_a_chat_and_a_message() -> None:
    """People in them have a column each; agents are joined, by id without a name."""
    chat = from_dict(Chat, {"id": 1, "customer": {"id": 7, "name": "Ada"}, "department": {"id": 4}})
    chat = attrs.evolve(chat, agents=(Agent(2, "Bo"), Agent(3)))
    assert cells_by_name(chat) == {
        "id": "1",
        "customer_id": "7",
        "customer_name": "Ada",
        "department_id": "4",
        "agents": "Bo; 3",
    }
    message = from_dict(Message, {"id": 9, "chat": 1, "from": "agent", "agent": {"id": 2, "name": "Bo"}})
    assert cells_by_name(message) == {
        "id": "9",
        "chat_id": "1",
        "from": "agent",
        "agent_id": "2",
        "agent_name": "Bo",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+2", "'=1+2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3+cmd", "'-2+3+cmd"),
        ("\t=1", "'\t=1"),
        ("\r=1", "\n=1"),
        ("\uff1d1+2", "'\uff1d1+2"),
        ("+49 (89) 123-45", "+49 (89) 123-45"),
        ("-5", "-5"),
        ("a=1", "a=1"),
        ("two\r\nlines\rthree", "two\nlines\nthree"),
        ("\x1b]0;gotcha\x07\x00\x85", "\ufffd]0;gotcha\ufffd\ufffd\ufffd"),
    ],
    ids=ascii,
)
def test_cells_are_harmless(text: str, expected: str) -> None:
    """A spreadsheet runs none of them, a terminal obeys none; telephone numbers stay what they are."""
    assert cells_by_name(Customer(7, name=text))["name"] == expected


@given(st.text(), st.text())
def test_csv_reads_back(name: str, notes: str) -> None:
    """Whatever customers wrote, a record is one record, and its id is found."""
    layout = CsvLayout(Customer)
    record = layout.line(Customer(7, name=name, notes=notes))
    (cells,) = csv.reader(StringIO(record.decode(), newline=""), strict=True)
    assert len(cells) == len(PATHS[Customer])
    assert layout.id_of(record[:-1]) == 7
    for end in range(1, len(record) - 1):
        assert layout.is_torn(record[:end]), end


@given(st.lists(st.text(alphabet='a",\n;', max_size=8), min_size=1, max_size=8), st.data())
def test_records_are_the_same_however_bytes_come(cells: list[str], data: st.DataObject) -> None:
    """Cut anywhere, also between a quote and the line end behind it."""
    text = StringIO(newline="")
    for cell in cells:
        csv.writer(text, lineterminator="\n").writerow([cell, "x"])
    content = text.getvalue().encode()
    splitter = Splitter(quoted=True)
    records: list[bytes] = []
    while content:
        size = data.draw(st.integers(1, len(content)))
        records += splitter.feed(content[:size])
        content = content[size:]
    assert splitter.rest == b""
    read = [next(csv.reader(StringIO(record.decode(), newline="")))[0] for record in records]
    assert read == cells


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("out.csv", None, CsvLayout),
        ("OUT.CSV", None, CsvLayout),
        ("out.jsonl", None, JsonLayout),
        ("-", None, JsonLayout),
        ("out.csv", Format.JSONL, JsonLayout),
        ("-", Format.CSV, CsvLayout),
    ],
)
def test_the_name_asks_for_a_format(name: str, given: Format | None, expected: type) -> None:
    """Unless another one is asked for."""
    assert type(layout_of(Customer, Path(name), given)) is expected


@pytest.mark.parametrize("rest", [b"", b"{", b'{"i', b'{"id": ', b'{"id": 12, "name": "A'])
def test_half_a_json_line_is_known(rest: bytes) -> None:
    """It begins as all of ours do."""
    assert JsonLayout().is_torn(rest)
    assert not JsonLayout().is_torn(b"x" + rest)
