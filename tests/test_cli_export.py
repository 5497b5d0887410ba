"""`helpcrunch export` and `helpcrunch tag`: many rows out, tags on and off."""

import csv
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from cli.running import ABSENT, IDS, Run, command, ids_of, lines_of, wait_for, write_ids

from helpcrunch_async.testing import FakeHelpCrunch

pytest_plugins = "cli.fixtures"

ADA, BOB = IDS[20:22]
needs_chats = pytest.mark.skipif(
    "chats" not in inspect.signature(FakeHelpCrunch).parameters, reason="the fake server has no chats yet"
)


class Torn:
    """A server of 250 customers and chats, of which some rows have no id that can be used."""

    def __init__(self) -> None:
        self.unreadable = {7, 120}
        self.broken_from = 1_000
        torn = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = parse_qs(url.query)
                body = json.dumps(torn.page(url.path, int(query["offset"][0]), int(query["limit"][0])))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.environment = {"HELPCRUNCH_BASE_URL": f"http://127.0.0.1:{self.server.server_port}"}

    def page(self, path: str, offset: int, limit: int) -> dict[str, Any]:
        if offset >= self.broken_from:
            return {"error": "none"}
        rows = range(1, 4) if path.endswith("/messages") else range(1, 251)
        chosen = rows[offset : offset + limit]
        return {
            "data": [{"id": "mara" if each - 1 in self.unreadable else each} for each in chosen],
            "total": len(rows),
        }


@pytest.fixture
def torn() -> Iterator[Torn]:
    torn = Torn()
    thread = threading.Thread(target=torn.server.serve_forever)
    thread.start()
    yield torn
    torn.server.shutdown()
    thread.join()
    torn.server.server_close()


def test_export_writes_all(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """A hundred a request, the oldest first, and the file is there only when it is whole."""
    out = tmp_path / "customers.jsonl"
    outcome = run("export", "customers", "--out", out)
    assert outcome.code == 0, outcome
    assert ids_of(out) == sorted(IDS)
    assert server.requests[0].query == {
        "limit": "100",
        "offset": "0",
        "sort": "customers.firstSeen",
        "order": "asc",
    }
    assert len(server.requests) <= 4
    (complaint,) = outcome.complaints
    assert complaint.startswith(f"300 customers in {out}; ")
    assert [each.name for each in tmp_path.iterdir()] == [out.name]


def test_export_of_some_into_a_csv(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """Conditions are those of a search."""
    out = tmp_path / "paid.csv"
    outcome = run("export", "customers", "--out", out, "--where", "tags=Paid", "--limit", 5, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert len(rows) == 5
    assert all("Paid" in row["tags"] for row in rows)
    assert outcome.objects[0]["customers"] == 5
    assert outcome.objects[0]["finished"] is True
    assert {request.path for request in server.requests} == {"/customers/search"}


def test_an_export_that_breaks_leaves_the_old_file_alone(
    run: Run, server: FakeHelpCrunch, tmp_path: Path
) -> None:
    """Nothing has arrived that could take its place."""
    out = tmp_path / "out"
    assert run("export", "customers", "--out", out, "--where", "id>1", "--limit", 100).code == 0
    whole = out.read_bytes()
    server.search = type(server.search)(max_filters=0)
    assert run("export", "customers", "--out", out, "--where", "id>1").code == 1
    server.search = type(server.search)()
    assert out.read_bytes() == whole
    assert [each.name for each in tmp_path.iterdir()] == ["out"], "nothing arrived, so nothing is kept"


def test_an_export_that_breaks_half_way_keeps_what_came(run: Run, torn: Torn, tmp_path: Path) -> None:
    """And says where it is."""
    out = tmp_path / "out"
    torn.broken_from = 200
    outcome = run("export", "customers", "--out", out, env=torn.environment)
    assert outcome.code == 1
    assert outcome.complaints[0].startswith(f"198 customers in {out}.part; ")
    assert outcome.complaints[0].endswith("; not finished: the same command starts over")
    assert "not a page of rows" in outcome.complaints[1]
    assert len(lines_of(tmp_path / "out.part")) == 198


def test_an_export_leaves_out_what_cannot_be_read(run: Run, torn: Torn, tmp_path: Path) -> None:
    """All others are there, the file of failures names those by their place, and the exit code says so."""
    out = tmp_path / "customers.jsonl"
    failures = tmp_path / "customers.jsonl.failures.jsonl"
    outcome = run("export", "customers", "--out", out, env=torn.environment)
    assert outcome.code == 1
    assert ids_of(out) == [each for each in range(1, 251) if each - 1 not in torn.unreadable]
    assert [(row["place"], row["code"]) for row in lines_of(failures)] == [
        ("offset 0: $.data[7].id", "unreadable"),
        ("offset 100: $.data[20].id", "unreadable"),
    ]
    (complaint,) = outcome.complaints
    assert f"248 customers in {out}; 2 rows could not be read: see {failures}; " in complaint
    assert "mara" not in outcome.err + failures.read_text()
    torn.unreadable.clear()
    kept = failures.read_bytes()
    failures.write_bytes(b"a diary\n")
    outcome = run("export", "customers", "--out", out, env=torn.environment)
    assert (outcome.code, failures.read_bytes()) == (2, b"a diary\n")
    assert outcome.complaints[-1] == f"{failures} is not a file of failures: move it away"
    failures.write_bytes(kept)
    assert run("export", "customers", "--out", out, env=torn.environment).code == 0
    assert [each.name for each in tmp_path.iterdir()] == [out.name], "the next run has its own failures"


def test_an_export_to_stdout_names_failures_on_stderr(process: Run, torn: Torn) -> None:
    """As JSON lines: a pipe has no file beside it."""
    outcome = process("export", "customers", "--out", "-", "--json", env=torn.environment)
    assert (outcome.code, len(outcome.objects)) == (1, 248)
    first, second, summary = (json.loads(line) for line in outcome.err.splitlines())
    assert [each["place"] for each in (first, second)] == [
        "offset 0: $.data[7].id",
        "offset 100: $.data[20].id",
    ]
    assert (summary["customers"], summary["failed"], summary["finished"]) == (248, 2, True)


def test_messages_that_cannot_be_read_are_named_with_their_chat(run: Run, torn: Torn, tmp_path: Path) -> None:
    """And so are chats of which no page can be read."""
    torn.unreadable = {1}
    out = tmp_path / "messages.jsonl"
    outcome = run("export", "messages", "--chat", 5, "--chat", 6, "--out", out, env=torn.environment)
    assert outcome.code == 1
    assert [row["id"] for row in lines_of(out)] == [1, 3, 1, 3]
    places = [row["place"] for row in lines_of(tmp_path / "messages.jsonl.failures.jsonl")]
    assert places == ["chat 5, offset 0: $.data[1].id", "chat 6, offset 0: $.data[1].id"]
    torn.broken_from = 0
    outcome = run("export", "messages", "--chat", 5, "--out", out, env=torn.environment)
    assert outcome.code == 1
    (failure,) = lines_of(tmp_path / "messages.jsonl.failures.jsonl")
    assert (failure["chat"], failure["code"]) == (5, "unreadable")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    "signal_", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name
)
def test_an_export_that_is_killed_keeps_what_came_and_starts_over(
    run: Run, server: FakeHelpCrunch, environment: dict[str, str], tmp_path: Path, signal_: signal.Signals
) -> None:
    """The old file stays until the new one is whole; what has arrived is beside it."""
    out = tmp_path / "out"
    arguments = ("export", "customers", "--out", out)
    assert run(*arguments, "--limit", 3).code == 0
    old = out.read_bytes()

    def parts() -> list[Path]:
        return list(tmp_path.glob("out.*part"))

    server.latency = 0.2
    with subprocess.Popen(command(*arguments), env={**os.environ, **environment}) as running:
        wait_for(lambda: any(each.read_bytes().count(b"\n") >= 100 for each in parts()))
        running.send_signal(signal_)
    assert running.returncode == (-signal_ if signal_ is signal.SIGKILL else 128 + signal_)
    assert out.read_bytes() == old
    (part,) = parts()
    assert part.name == "out.part" or signal_ is signal.SIGKILL
    arrived = [
        json.loads(line)["id"] for line in part.read_bytes().splitlines(keepends=True) if line[-1] == 10
    ]
    assert 100 <= len(set(arrived)) == len(arrived) < len(IDS)
    server.latency = 0.0
    assert run(*arguments).code == 0
    assert ids_of(out) == sorted(IDS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["customers", "--chat", "7"], "--chat is for messages"),
        (
            ["messages", "--chat", "7", "--where", "status=new"],
            "--chat says which chats: leave out conditions, order and limit",
        ),
        (["customers", "--where", "email>x"], "email takes = != ~ !~, not >"),
        (["messages", "--where", "email=x"], "chats are not searched by email"),
        (["customers", "--out", "absent/out"], "cannot write absent/out: No such file or directory"),
        (["customers", "--out", "."], "cannot write .: Is a directory"),
    ],
    ids=["chat of customers", "chat and more", "operator", "messages by chats", "no such folder", "folder"],
)
def test_a_senseless_export_is_not_sent(
    run: Run,
    server: FakeHelpCrunch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    arguments: list[str],
    said: str,
) -> None:
    """One line, exit 2."""
    monkeypatch.chdir(tmp_path)
    outcome = run("export", "--out", "out", *arguments)
    assert outcome.code == 2
    (complaint,) = outcome.complaints
    assert said in complaint
    assert server.requests == []


@needs_chats
def test_export_of_messages(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """Of one chat, of those that meet conditions, or of all; a chat that fails keeps no other back."""
    chats, some, one = tmp_path / "chats.jsonl", tmp_path / "some.jsonl", tmp_path / "one.jsonl"
    assert run("export", "chats", "--out", chats, "--limit", 5).code == 0
    first, second, *_ = (row["id"] for row in lines_of(chats))
    server.fail_next(1, "redirect", path=f"/chats/{second}/messages")
    outcome = run("export", "messages", "--out", some, "--limit", 5, "--budget", 100_000)
    assert outcome.code == 1
    assert outcome.complaints[0].startswith(f"chat {second}: 307")
    assert "1 chat failed" in outcome.complaints[1]
    found = {row["chat"] for row in lines_of(some)}
    assert first in found
    assert second not in found
    outcome = run("export", "messages", "--out", one, "--chat", first, "--chat", ABSENT)
    assert outcome.code == 4
    assert {row["chat"] for row in lines_of(one)} == {first}
    assert outcome.complaints[0] == f"chat {ABSENT}: not found"


@needs_chats
def test_tags_go_on_and_off(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """Of ids in the arguments and in a file, each once."""
    ids = write_ids(tmp_path / "ids", BOB, ADA, BOB)
    outcome = run("tag", ADA, "--ids", ids, "--add", "Ä", "--add", "new")
    assert outcome.code == 0, outcome
    assert outcome.complaints == ["2 customers changed"]
    assert {each["id"]: set(each["tags"]) >= {"Ä", "new"} for each in outcome.objects} == {
        ADA: True,
        BOB: True,
    }
    assert len(server.requests) == 2
    outcome = run("tag", ADA, BOB, ABSENT, "--remove", "Ä", "--add", "other")
    assert outcome.code == 4
    assert outcome.complaints == [f"customer {ABSENT}: not found", "2 customers changed; 1 failed"]
    for each in (ADA, BOB):
        assert {"new", "other"} <= {tag["name"] for tag in server.customer(each)["tags"]}
        assert "Ä" not in {tag["name"] for tag in server.customer(each)["tags"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["7"], "which tags? Give --add or --remove"),
        (["--add", "x"], "which customers? Give ids, or a file of them with --ids"),
        (["7", "--add", "x", "--remove", "x"], "both to add and to remove: x"),
        (["7", "--add", ""], "a tag has a name"),
        (["--add", "x", "--ids", "ids"], "ids, line 2: not a customer id: Ada"),
    ],
    ids=["no tags", "no customers", "both", "empty", "not an id"],
)
def test_a_senseless_tag_is_not_sent(
    run: Run,
    server: FakeHelpCrunch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    arguments: list[str],
    said: str,
) -> None:
    """Before a single customer is changed."""
    monkeypatch.chdir(tmp_path)
    write_ids(tmp_path / "ids", IDS[0], "Ada")
    outcome = run("tag", *arguments)
    assert (outcome.code, outcome.complaints) == (2, [said])
    assert server.requests == []


@pytest.mark.parametrize(
    ("env", "arguments", "code", "said"),
    [
        ({"HELPCRUNCH_API_KEY": "not-the-key"}, [], 3, "HelpCrunch refused the API key (401)"),
        (
            {},
            ["--base-url", "http://127.0.0.1:9"],
            1,
            "HelpCrunch cannot be reached: no connection: Connection refused",
        ),
    ],
    ids=["key", "network"],
)
def test_what_all_customers_would_meet_is_told_once(
    run: Run, env: dict[str, str], arguments: list[str], code: int, said: str
) -> None:
    """And ends the command."""
    outcome = run("tag", *IDS, "--add", "x", *arguments, env=env)
    assert (outcome.code, outcome.complaints) == (code, [said])


@needs_chats
def test_a_line_that_is_no_id_lets_those_before_it_be_tagged(process: Run, server: FakeHelpCrunch) -> None:
    """A pipe cannot be read ahead; what was sent is not cut off."""
    outcome = process("tag", "--ids", "-", "--add", "piped", stdin=f"{IDS[5]}\nAda\n{IDS[6]}\n".encode())
    assert outcome.code == 2
    assert outcome.complaints == ["1 customer changed", "stdin, line 2: not a customer id: Ada"]
    assert "piped" in json.dumps(server.customer(IDS[5])["tags"])
