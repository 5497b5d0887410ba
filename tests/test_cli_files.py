"""Files of the command: records and cells, whole and harmless."""

import csv
import os
import re
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("typer")
pytest.importorskip("rich")

from helpcrunch_async import Agent, Chat, Customer, Location, Message, Tag, from_dict
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.cells import PATHS, cell_of, name_of
from helpcrunch_async.cli.files.ids import IdParser
from helpcrunch_async.cli.files.layouts import CsvLayout, Format, JsonLayout, layout_of
from helpcrunch_async.cli.files.line_file import LineFile
from helpcrunch_async.cli.files.lines import LONGEST_RECORD, Lines, RecordTooLongError, csv_records
from helpcrunch_async.cli.files.row_file import RowFile

MODELS = (Customer, Chat, Message)


def cells_by_name(instance: Any) -> dict[str, str]:
    """What stands in which column, as far as anything does."""
    named = ((name_of(path), cell_of(instance, path)) for path in PATHS[type(instance)])
    return {name: cell for name, cell in named if cell}


@pytest.mark.parametrize("model", MODELS)
def test_no_field_of_a_model_is_forgotten(model: type[Any]) -> None:
    """A field that models learn later needs a column, or a word on why it has none."""
    in_columns = {path.partition(".")[0] for path in PATHS[model]}
    assert in_columns == {field.name for field in attrs.fields(model)}
    assert len(set(map(name_of, PATHS[model]))) == len(PATHS[model])


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
        ("\t=1", "\t'=1"),
        ("\r=1", "\n'=1"),
        (' "=1"', ' "\'=1"'),
        ("Paid; =1;-5; +49 89;@x", "Paid; '=1;'-5; '+49 89;'@x"),
        ("Paid;-5", "Paid;'-5"),
        ("-5;x", "'-5;x"),
        ("Paid\t=1", "Paid\t'=1"),
        ("- milk\n- tea\r\n-5\n", "'- milk\n'- tea\n'-5\n"),
        ("Mara;;\n\uff0b1", "Mara;;\n'\uff0b1"),
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


@given(st.text(alphabet="=+-@\uff1d1a ;,\"\t\n\r'", max_size=12))
@example("\n" * 60_000 + "-5")
@example("+" + " " * 60_000 + "a")
def test_no_reader_finds_a_formula(text: str) -> None:
    """Whichever delimiter it splits at: only a number may begin with a sign."""
    record = CsvLayout(Customer).line(Customer(7, name=text, notes=text)).decode()
    for delimiter in ",;\t":
        for cells in csv.reader(StringIO(record, newline=""), delimiter=delimiter):
            for cell in cells:
                bare = cell.strip(' "\t\n')
                assert bare[:1] not in set("=+-@\uff1d") or re.fullmatch(r"[+-][0-9 ()./-]*", bare), cell


def pieces_of(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


@given(st.text(), st.text())
def test_csv_reads_back(name: str, notes: str) -> None:
    """Whatever customers wrote, a record is one record, and its id is found."""
    layout = CsvLayout(Customer)
    record = layout.line(Customer(7, name=name, notes=notes))
    (cells,) = csv.reader(StringIO(record.decode(), newline=""), strict=True)
    assert len(cells) == len(PATHS[Customer])
    for size in (1, 7, len(record)):
        lines = Lines(pieces_of(layout.header + record, size), longest=LONGEST_RECORD)
        assert list(layout.ids_in(lines)) == [None, 7]
    for end in range(1, len(record) - 1):
        assert layout.is_torn(record[:end]), end


CELLS = st.text(alphabet='a",;\t\n\r é\u2028\x85\x1c\ufeff', max_size=6)


@given(
    st.lists(st.tuples(CELLS, st.integers(1, 10**18 - 1), CELLS), min_size=1, max_size=8),
    st.tuples(CELLS, CELLS),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.data(),
)
def test_ids_of_any_csv_are_read_back(  # noqa: PLR0917 - hypothesis gives them by position
    rows: list[tuple[str, int, str]],
    names: tuple[str, str],
    delimiter: str,
    line_end: str,
    has_mark: bool,  # noqa: FBT001 - the same
    data: st.DataObject,
) -> None:
    """All of them and no other, wherever the pieces are cut, whatever stands in the other cells."""
    text = StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([(names[0], "id", names[1]), *rows])
    content = (b"\xef\xbb\xbf" if has_mark else b"") + text.getvalue().encode()
    pieces = pieces_of(content, data.draw(st.integers(1, len(content)), "size of a piece"))
    assert list(IdParser(pieces, "ids", "customer", "id")) == [row[1] for row in rows]


@given(st.lists(st.text(alphabet='1",\n\r ;a', max_size=12), max_size=40), st.integers(1, 64))
def test_pieces_change_nothing(lines: list[str], size: int) -> None:
    """Ids and complaints of the most broken CSV are those of the whole of it."""

    def read(pieces: list[bytes]) -> tuple[list[int], str]:
        found = []
        try:
            for each in IdParser(pieces, "ids", "customer", "id"):
                found.append(each)  # noqa: PERF402 - what came before a problem counts
        except CommandError as error:
            return found, str(error)
        return found, ""

    content = "\n".join(["id,x", *lines]).encode()
    assert read(pieces_of(content, size)) == read([content])


def test_an_inch_mark_loses_no_id() -> None:
    """A quote inside of a cell is a character like others, also where a piece ends."""
    content = b'id,product\n1000001,12" pipe\n' + b"".join(b"%d,pipe\n" % each for each in range(1, 11_001))
    parser = IdParser(pieces_of(content, 65_536), "ids.csv", "customer", "id")
    assert list(parser) == [1_000_001, *range(1, 11_001)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            'id,product\n1,pipe\n2,"12 pipe\n' + "3,pipe\n" * 11_000,
            "ids.csv, line 3: a record of more than 100 lines; is a quote never closed there?",
        ),
        (
            'id,product\n1,pipe\n2,"12 pipe\n3,pipe\n',
            "ids.csv, line 3: not CSV: unexpected end of data; is a quote never closed there?",
        ),
        ('id,product\n1,pipe\n2,"12" pipe\n3,pipe\n', "ids.csv, line 3: not CSV: ',' expected after '\"'"),
        ('product,id\n"a\nb",1\n\n"c\r\nd\re",2\nf,x\n', "ids.csv, line 8: not a customer id: x"),
        ('"id\n1\n2', "ids.csv, line 1: not CSV: unexpected end of data; is a quote never closed there?"),
        ("name,product\n1,2\n", "ids.csv: no column 'id'; there are name, product"),
        ("name\tproduct\n1\t2\n", "ids.csv: no column 'id'; there are name, product"),
        ("", "ids.csv: no column 'id'; it is empty"),
        ("id,name\n,Ada\n", "ids.csv has no customer ids in it"),
    ],
    ids=["open, long", "open, short", "closed inside", "cells of several lines", "header", *"abcd"],
)
@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_a_csv_that_is_none_is_named_by_its_line(content: str, said: str, size: int) -> None:
    """That with which the record begins: the one after it may be many lines away."""
    with pytest.raises(CommandError) as raised:
        list(IdParser(pieces_of(content.encode(), size), "ids.csv", "customer", "id"))
    assert str(raised.value) == said
    assert raised.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32"])
@pytest.mark.parametrize("column", [None, "id"])
def test_an_encoding_that_is_not_read_is_named(encoding: str, column: str | None) -> None:
    """With the program that converts it, under which it reads."""
    content = "id\n1\n2\n".encode(encoding)
    with pytest.raises(CommandError) as raised:
        list(IdParser(pieces_of(content, 3), "ids.csv", "customer", column))
    assert str(raised.value) == (
        f"ids.csv is {encoding}: save it as UTF-8, or convert it with iconv -f {encoding} -t UTF-8"
    )


def test_reading_csv_leaves_the_limit_of_cells_to_others() -> None:
    """It is one for the whole process; ours has to hold for our own rows only."""
    before = csv.field_size_limit()
    row = b'1,"%s"\n' % (b"x" * 2 * before)
    records = csv_records(Lines([row, row], longest=LONGEST_RECORD))
    assert len(next(records)[1]) == 2 * before
    assert csv.field_size_limit() == before


def test_a_record_is_bounded_in_lines_and_bytes() -> None:
    """Whoever reads one gets no further than that."""
    lines = Lines([b"12345\n12345\n", b"123456"], longest=10, most=2)
    assert next(lines) == b"12345\n"
    with pytest.raises(RecordTooLongError, match="10 bytes"):
        next(lines)
    lines.take_back()
    lines.begin()
    assert [next(lines), lines.number, lines.size] == [b"12345\n", 1, 6]
    lines = Lines([b"1\n2\n3"], longest=10, most=2)
    assert [next(lines), next(lines)] == [b"1\n", b"2\n"]
    with pytest.raises(RecordTooLongError, match="2 lines"):
        next(lines)
    with pytest.raises(RecordTooLongError, match="10 bytes"):
        next(Lines([b"12345"] * 10_000_000, longest=10))


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


@pytest.mark.parametrize("bom", [False, True])
def test_a_csv_may_begin_with_a_byte_order_mark(tmp_path: Path, *, bom: bool) -> None:
    """By which Excel recognizes UTF-8; an earlier run may have written one or not."""
    (path := tmp_path / "out.csv").write_bytes(b"")
    for number, mark in enumerate((bom, not bom), start=1):
        with RowFile(path, layout_of(Customer, path, None, bom=mark), keep=True) as rows:
            assert rows.ids == set(range(1, number))
            rows.write(Customer(number, name="Zoë"))
    assert path.read_bytes().startswith(b"\xef\xbb\xbf") is bom
    assert path.read_bytes().count(b"\xef\xbb\xbf") == bom
    for torn in (b"\xef", b"\xef\xbb\xbf", b"\xef\xbb\xbfid,na", b"id,na"):
        path.write_bytes(torn)
        with RowFile(path, layout_of(Customer, path, None, bom=bom), keep=True) as rows:
            assert rows.ids == set()
        assert path.read_bytes() == CsvLayout(Customer, bom=bom).header
    with pytest.raises(CommandError, match="--bom is for CSV"):
        layout_of(Customer, Path("out.jsonl"), None, bom=True)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_a_terminal_is_shown_nothing_that_it_obeys() -> None:
    """Nor what would show names in an order that is not theirs; files have it as it is."""
    mine, theirs = os.openpty()
    row = CsvLayout(Customer).line(Customer(7, name="Zoë\u202e\u200b\n,\x9b2J", notes="\x1b[2J"))
    with LineFile(Path(os.ttyname(theirs))) as lines:
        lines.write(row)
    shown = os.read(mine, 4096).decode()
    os.close(mine)
    os.close(theirs)
    assert shown.startswith('7,"Zoë\ufffd\ufffd ,\ufffd2J",')
    assert shown.removesuffix("\r\n").isprintable()


@pytest.mark.parametrize("rest", [b"", b"{", b'{"i', b'{"id": ', b'{"id": 12, "name": "A'])
def test_half_a_json_line_is_known(rest: bytes) -> None:
    """It begins as all of ours do."""
    assert JsonLayout(Customer).is_torn(rest)
    assert not JsonLayout(Customer).is_torn(b"x" + rest)
