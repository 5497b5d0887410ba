"""`helpcrunch sandbox` as a process of its own, and as a program in any language would talk to it."""

import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from typer.testing import CliRunner

from helpcrunch_async.cli.app import app
from helpcrunch_async.cli.oddities import ODDITIES, Oddity
from helpcrunch_async.testing import FakeHelpCrunch


class Sandbox:
    """A running sandbox: what it printed, in words or as JSON, and requests to it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout is not None
        self.lines = [process.stdout.readline()]
        while not self.lines[-1].startswith(("curl", "{")):
            assert self.lines[-1], f"it ended: {process.communicate()}"
            self.lines.append(process.stdout.readline())
        found = re.search(r"http://(127\.0\.0\.1|localhost|\[::1\]):(\d+)/v1", self.lines[0])
        assert found is not None, self.lines
        self.host, self.port = found[1].strip("[]"), int(found[2])

    def told(self, what: str) -> str:
        """What stands behind a word at the beginning of a line."""
        [line] = [line for line in self.lines if line.startswith(what)]
        return line.removeprefix(what).strip()

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "sandbox") -> tuple[int, Any]:
        """Status and JSON of one request."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        sent = None if body is None else json.dumps(body)
        connection.request(method, f"/v1/{path}", sent, {"Authorization": f"Bearer {key}"})
        reply = connection.getresponse()
        content = reply.read()
        self.headers = dict(reply.headers)
        connection.close()
        return reply.status, content.decode() if content == b"Ok" else json.loads(content)

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """The exit code and what it had written on stderr."""
        self.process.send_signal(how)
        _, complaints = self.process.communicate(timeout=10)
        return self.process.returncode, complaints


Start = Callable[..., Sandbox]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(*options: object, env: Mapping[str, str] | None = None) -> Sandbox:
        command = [sys.executable, "-m", "helpcrunch_async", "sandbox", "--port", "0", *map(str, options)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})},
        )
        started.append(process)
        return Sandbox(process)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_what_it_says_is_so(start: Start) -> None:
    """The URL, the key, examples of what is in it, and a line for the shell."""
    sandbox = start()
    assert sandbox.told("base URL") == f"http://127.0.0.1:{sandbox.port}/v1"
    assert sandbox.told("API key") == "sandbox"
    for noun in ("customers", "chats"):
        count, example = re.findall(r"\d+", sandbox.told(noun))
        assert sandbox.ask("GET", f"{noun}/{example}")[1]["id"] == int(example)
        _, page = sandbox.ask("GET", f"{noun}?limit=1")
        assert page.get("meta", page)["total"] == int(count)
    for noun in ("agents", "departments", "applications"):
        rows = sandbox.ask("GET", noun)[1]["data"]
        ids = ", ".join(str(row["id"]) for row in rows)
        assert sandbox.told(noun) == f"{len(rows)}, with id{'s' * (len(rows) > 1)} {ids}"
    assert sandbox.lines[-1].startswith("curl -H 'Authorization: Bearer sandbox' http://127.0.0.1:")
    assert sandbox.ask("GET", "customers/8737843")[1]["name"] == "Cindy Mindy"


def test_json_tells_programs_how_to_reach_it(start: Start) -> None:
    """One line of JSON on stdout: where it is, its key, its limit, and the ids of what is there."""
    sandbox = start("--json", "--customers", 3, "--chats", 1, "--limit", 60, "--period", 30)
    told = json.loads(sandbox.lines[0])
    assert told["baseUrl"] == f"http://127.0.0.1:{sandbox.port}/v1"
    assert told["apiKey"] == "sandbox"
    assert told["limit"] == {"requests": 60, "seconds": 30.0}
    assert told["madeUpSigningKey"] is None
    assert len(told["customers"]) == 3
    assert sandbox.ask("GET", f"chats/{told['chats'][0]}")[0] == 200
    assert sandbox.ask("GET", "agents")[1]["data"][0]["id"] in told["agents"]
    assert sandbox.end() == (0, f"GET /chats/{told['chats'][0]} 200\nGET /agents 200\n")


def test_it_remembers(start: Start) -> None:
    """A bot's day: a customer, a chat, words, an end."""
    sandbox = start("--customers", 0, "--limit", 0)
    assert (sandbox.told("customers"), sandbox.told("chats"), sandbox.told("limit")) == (
        "none",
        "none",
        "none",
    )
    status, customer = sandbox.ask("POST", "customers", {"name": "Zoë"})
    assert status == 201
    _, chat = sandbox.ask("POST", "chats", {"customer": customer["id"], "application": 1})
    sandbox.ask("POST", "messages", {"chat": chat["id"], "text": "Дякую", "type": "message"})
    sandbox.ask("PUT", "chats/status", {"id": chat["id"], "status": "closed"})
    _, chat = sandbox.ask("PUT", "chats/rate", {"id": chat["id"], "rating": "perfect"})
    assert (chat["lastMessageText"], chat["rating"]) == ("Дякую", "perfect")


def test_a_line_for_every_request(start: Start) -> None:
    """Method, path and status on stderr; never the key."""
    sandbox = start("--key", "s3cret")
    sandbox.ask("GET", "organization?x=1", key="s3cret")
    sandbox.ask("GET", "organization", key="other")
    sandbox.ask("POST", "chats", {}, key="s3cret")
    code, complaints = sandbox.end()
    assert code == 0
    assert complaints.splitlines() == ["GET /organization 200", "GET /organization 401", "POST /chats 400"]


def test_quiet(start: Start) -> None:
    """No such lines."""
    sandbox = start("--quiet")
    sandbox.ask("GET", "organization")
    assert sandbox.end() == (0, "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told(start: Start, how: signal.Signals) -> None:
    """Cleanly, with 0, also while a client is connected; the port is free again."""
    sandbox = start()
    with socket.create_connection(("127.0.0.1", sandbox.port)):
        assert sandbox.end(how) == (0, "")
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", sandbox.port))


def test_a_port_that_is_taken(start: Start) -> None:
    """One line, and the documented exit code."""
    port = start().port
    command = [sys.executable, "-m", "helpcrunch_async", "sandbox", "--port", str(port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert f"port {port}" in line
    assert "--port" in line


def test_the_limit(start: Start) -> None:
    """So many in a period, then 429, and when to come back if it is asked to say."""
    sandbox = start("--limit", 2, "--period", 30, "--retry-after")
    assert sandbox.told("limit") == "2 requests in any 30 s"
    assert [sandbox.ask("GET", "organization")[0] for _ in range(3)] == [200, 200, 429]
    assert 1 <= int(sandbox.headers["Retry-After"]) <= 30


def test_seed_and_spelling(start: Start) -> None:
    """The same seed, the same account; the older bodies on demand."""
    one, two, other = start("--seed", 5), start("--seed", 5, "--spelling", "old"), start("--seed", 6)
    customer_id = re.findall(r"\d+", one.told("customers"))[1]
    assert one.told("customers") == two.told("customers") != other.told("customers")
    new, old = (each.ask("GET", f"customers/{customer_id}")[1] for each in (one, two))
    assert int(new["lastSeen"]) == old["lastSeen"]
    assert (type(new["customData"]), type(old["customData"])) == (dict, list)


def test_oddities(start: Start) -> None:
    """Several at once; without any, answers are as documented."""
    odd = ("ok-as-json", "no-total", "messages-key", "agents-as-object", "wrapped", "search-all")
    plain, strange = start(), start(*(word for name in odd for word in ("--odd", name)))
    assert strange.told("odd") == ", ".join(odd)
    chat_id = re.findall(r"\d+", plain.told("chats"))[1]
    shown = []
    for sandbox in (plain, strange):
        chat = sandbox.ask("GET", f"chats/{chat_id}")[1]
        search = {"filter": [{"field": "customers.id", "operator": "=", "value": 8737843}]}
        shown.append(
            (
                sandbox.ask("GET", "customers?limit=1")[1].keys(),
                sandbox.ask("GET", "agents?limit=1")[1].keys(),
                sandbox.ask("GET", f"chats/{chat_id}/messages")[1].keys(),
                chat.keys() == {"data"},
                type(chat.get("data", chat)["agents"]),
                len(sandbox.ask("POST", "customers/search", search)[1]["data"]),
                sandbox.ask("GET", "agents/301/unsubscribe")[1],
                sandbox.ask("DELETE", "customers/8737843")[1],
            )
        )
    assert shown == [
        ({"data", "total"}, {"data", "meta"}, {"data", "total"}, False, list, 1, "Ok", "Ok"),
        ({"data"}, {"data"}, {"messages"}, True, dict, 100, "Ok", "Ok"),
    ]
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert strange.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize(("name", "total"), [("zero-total", 0), ("high-total", 101)])
def test_wrong_totals(start: Start, name: str, total: int) -> None:
    """Fewer than there are, or more."""
    assert start("--odd", name).ask("GET", "customers?limit=1")[1]["total"] == total


def test_odd_types_and_keys(start: Start) -> None:
    """A server that insists on the documented types, and one that takes the key as two clients send it."""
    body = {"filter": [{"field": "customers.id", "operator": "=", "value": "8737843"}]}
    kind = start(), start("--odd", "strict-types")
    assert [each.ask("POST", "customers/search", body)[0] for each in kind] == [200, 400]
    keys = [
        start("--odd", name).ask("GET", "organization", key="<sandbox>")[0]
        for name in ("bracketed-key", "strict-types")
    ]
    assert keys == [200, 401]


def test_odd_searches(start: Start) -> None:
    """Rows missing, and in the wrong order."""
    pages = [
        sandbox.ask("POST", "customers/search", {"limit": 4})[1]["data"]
        for sandbox in (start(), start("--odd", "search-half"), start("--odd", "search-reversed"))
    ]
    whole, half, reverse = [[row["id"] for row in page] for page in pages]
    assert (half, reverse) == (whole[::2], whole[::-1])


@pytest.mark.parametrize("order", ["", "&sort=customers.lastSeen&order=desc", "&sort=customers.firstSeen"])
def test_moving_rows(start: Start, order: str) -> None:
    """Who pages by offset meets a row twice and misses another, in any order; nobody is lost for good."""
    sandbox = start("--odd", "moving-rows", "--customers", 30)
    before = {row["id"] for row in sandbox.ask("GET", "customers")[1]["data"]}
    sandbox.ask("GET", "customers?limit=1")  # they go again
    seen: list[int] = []
    for offset in (0, 10, 20):
        seen += [
            row["id"] for row in sandbox.ask("GET", f"customers?limit=10&offset={offset}{order}")[1]["data"]
        ]
    assert len(set(seen)) < len(seen)
    assert before - set(seen)
    now = {row["id"] for _ in range(2) for row in sandbox.ask("GET", "customers")[1]["data"]}
    assert before < now


def test_latency(start: Start) -> None:
    """An answer is held back for that long, so nothing is there before."""
    sandbox = start("--latency", 30)
    with socket.create_connection(("127.0.0.1", sandbox.port), 0.2) as asking:
        asking.sendall(b"GET /v1/organization HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sandbox\r\n\r\n")
        with pytest.raises(TimeoutError):
            asking.recv(1)
    assert sandbox.end() == (0, "GET /organization 200\n")


def can_listen_on(host: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind((host, 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_another_address(start: Start, host: str) -> None:
    """Where it is told to listen; of a loopback there is nothing to warn about."""
    if host == "::1" and not can_listen_on(host):
        pytest.skip("there is no IPv6 here")
    sandbox = start("--host", host)
    assert sandbox.host == host
    assert sandbox.ask("GET", "organization")[0] == 200
    assert [line for line in sandbox.lines if line.startswith("open to")] == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "sandbox.example"])
def test_whoever_reaches_it_can_use_it(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """That is said beyond the loopback; nothing is opened there by this test."""
    told: list[str] = []

    async def serve(_: FakeHelpCrunch, place: str, introduce: Callable[[], str]) -> None:
        told.extend([place, *introduce().splitlines()])

    monkeypatch.setattr(FakeHelpCrunch, "url", "http://sandbox/v1")
    monkeypatch.setattr("helpcrunch_async.cli.sandbox._serve_until_told", serve)
    result = CliRunner().invoke(app, ["sandbox", "--host", host, "--port", "8765"])
    assert result.exit_code == 0
    assert told[0] == f"port 8765 of {host}"
    assert f"open to       anybody who reaches {host} and knows the key" in told


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("192.0.2.7", None),  # somebody else's
        ("x" * 64, None),
        ("sandbox.example", socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
    ],
    ids=["of another machine", "no name", "of nobody"],
)
def test_an_address_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, host: str, error: Exception | None
) -> None:
    """One line, and the documented exit code."""

    async def fail(_: FakeHelpCrunch) -> None:
        assert error is not None
        raise error

    if error is not None:
        monkeypatch.setattr(FakeHelpCrunch, "open", fail)
    result = CliRunner().invoke(app, ["sandbox", "--host", host, "--port", "0"])
    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert f"of {host} cannot be had (" in line
    assert "--host" in line


@pytest.fixture
def hooks() -> Iterator[tuple[str, list[tuple[bytes, str | None]]]]:
    """A bot's endpoint in a thread: its URL, and the bodies and signatures that arrive."""
    arrived: list[tuple[bytes, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.append((body, self.headers["X-HelpCrunch-Signature"]))
            self.send_response(204)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", arrived
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("key", ["whsec-7", None], ids=["from the environment", "made up"])
def test_webhooks(start: Start, hooks: tuple[str, list[tuple[bytes, str | None]]], key: str | None) -> None:
    """Signed with a key that is shown only if it was made up."""
    url, arrived = hooks
    sandbox = start("--webhooks-to", url, env={} if key is None else {"HELPCRUNCH_SIGNING_KEY": key})
    told = sandbox.told("webhooks")
    assert told.startswith(f"to {url}, signed with ")
    assert "whsec-7" not in told
    signing_key = key or told.split()[-1]
    sandbox.ask("POST", "customers", {"name": "Zoë"})
    for _ in range(500):
        if arrived:
            break
        threading.Event().wait(0.01)
    [(body, signature)] = arrived
    assert signature == hmac.new(signing_key.encode(), body, hashlib.sha1).hexdigest()
    assert json.loads(body)["event"] == "customer.new"
    assert sandbox.end()[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--webhooks-to", "https://hooks.example.com"], "loopback"),
        (["--port", "70000"], "--port"),
        (["--limit", "-1"], "--limit"),
        (["--period", "0"], "--period"),
        (["--spelling", "ancient"], "--spelling"),
        (["--odd", "weird"], "--odd"),
        (["--odd", "no-total", "--odd", "ok-as-json", "--odd", "zero-total"], "no-total and zero-total"),
        (["--latency", "-1"], "--latency"),
        (["--host", ""], "--host"),
    ],
)
def test_wrong_usage(options: list[str], words: str) -> None:
    """Refused before anything is opened."""
    result = CliRunner().invoke(app, ["sandbox", *options], env={"COLUMNS": "100", "NO_COLOR": "1"})
    assert result.exit_code == 2
    assert words in result.stderr


def test_the_documentation_knows_every_oddity() -> None:
    """In the words of the help, but for marks."""
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "sandbox.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", page, re.MULTILINE))
    assert {str(name): text for name, text in ODDITIES.items()} == {
        name: text.replace("`", "") for name, text in rows.items()
    }


def test_help_tells_the_exit_codes() -> None:
    """Scripts are written by it."""
    result = CliRunner().invoke(app, ["sandbox", "--help"], env={"COLUMNS": "100", "NO_COLOR": "1"})
    text = " ".join(result.stdout.split())
    assert "0 ended by Ctrl-C or SIGTERM" in text
    assert "HELPCRUNCH_SIGNING_KEY" in text
    for name in Oddity:
        assert f"{name}: " in text
