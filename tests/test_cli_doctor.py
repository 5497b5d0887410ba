"""`helpcrunch doctor`: what stands between this machine and HelpCrunch, and what to do about it."""

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from cli.running import Run

from helpcrunch_async.cli.account import Account
from helpcrunch_async.cli.doctor.finding import Finding, State
from helpcrunch_async.cli.doctor.machine import _look_at_needed, _numbers, look_at_proxies
from helpcrunch_async.cli.doctor.reach import Watch, _findings_of, look_at_clock, look_at_helpcrunch
from helpcrunch_async.errors import ConnectionFailedError
from helpcrunch_async.protocol import check_api_key
from helpcrunch_async.testing import FakeHelpCrunch

pytest_plugins = "cli.fixtures"


def lines_by_check(text: str) -> dict[str, str]:
    """What it says of each check."""
    return {line[6:22].strip(): f"{line[:4].strip()} {line[24:]}" for line in text.splitlines()}


def test_all_is_well(run: Run, server: FakeHelpCrunch) -> None:
    """Every check has a line, and the account pays one request."""
    outcome = run("doctor")
    assert outcome.code == 0, outcome
    found = lines_by_check(outcome.out.decode())
    assert {*found} >= {"python", "aiohttp", "typer", "proxy", "base URL", "reach", "key", "clock"}
    assert found["key"].startswith("ok accepted: it opens 30")
    assert found["clock"] == "ok right to the minute"
    assert len(server.requests) == 1


def test_a_refused_key(run: Run) -> None:
    """It is told where to get another; the code is that of all commands."""
    outcome = run("doctor", env={"HELPCRUNCH_API_KEY": "not-the-key"})
    assert outcome.code == 3
    assert lines_by_check(outcome.out.decode())["key"].startswith("fail refused (401) -> copy it again")
    assert "not-the-key" not in outcome.out.decode() + outcome.err


def test_no_key(run: Run, server: FakeHelpCrunch) -> None:
    """Nothing is sent."""
    outcome = run("doctor", env={"HELPCRUNCH_API_KEY": None})
    assert outcome.code == 3
    assert "HELPCRUNCH_API_KEY" in lines_by_check(outcome.out.decode())["key"]
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "check", "said", "code"),
    [
        ("http://127.0.0.1:9", "reach", "fail no connection: Connection refused ->", 1),
        ("http://host.invalid", "base URL", "fail the base URL is plain http off this machine", 2),
    ],
    ids=["nobody there", "unfit"],
)
def test_no_way_there(run: Run, url: str, check: str, said: str, code: int) -> None:
    """What could not be tried is told, too."""
    outcome = run("doctor", "--base-url", url)
    assert outcome.code == code
    assert lines_by_check(outcome.out.decode())[check].startswith(said)


def test_doctor_for_scripts(run: Run) -> None:
    """One object."""
    (told,) = run("doctor", "--json").objects
    assert told["ok"] is True
    assert {"check": "clock", "state": "ok", "found": "right to the minute", "advice": None} in told["checks"]


@pytest.mark.parametrize(
    ("fault", "what", "state", "said"),
    [
        ("429", "key", State.ODD, "budget is spent"),
        ("503", "reach", State.BAD, "HelpCrunch failed (503)"),
        ("html", "reach", State.BAD, "not JSON"),
        ("redirect", "key", State.BAD, "307"),
        ("disconnect", "reach", State.BAD, "the connection broke"),
    ],
)
async def test_what_may_come_back(fault: str, what: str, state: State, said: str) -> None:
    """Each has its own words, and none is asked for again."""
    async with FakeHelpCrunch(customers=1) as server:
        server.fail_next(1, fault)  # type: ignore[arg-type]  # a Fault each
        findings = await look_at_helpcrunch(Account(check_api_key("key"), server.url), Watch())
        assert len(server.requests) == 1
    found = {each.what: each for each in findings}
    assert found[what].state is state
    assert said in found[what].words


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("the server's certificate is not valid: it is another host's (Hostname mismatch)", "guest network"),
        ("the server's certificate is not valid: it is not made as this Python asks for (x)", "Python 3.13"),
        ("the server's certificate is not valid: it has expired (x)", "clock"),
        ("the proxy refused the connection with status 407", "login"),
        ("the proxy refused the connection with status 403", "who runs the proxy"),
        ("no connection: Connection refused", "check the network"),
    ],
)
def test_what_to_do_follows_from_what_is_wrong(text: str, advice: str) -> None:
    """By how the words begin: the rest is OpenSSL's."""
    [reach, _] = _findings_of(ConnectionFailedError(text, sent=False))
    assert (text, True) == (reach.words, advice in (reach.advice or ""))


async def test_the_clock_is_compared_with_the_servers() -> None:
    """By the Date of an answer, whatever the answer is."""
    async with FakeHelpCrunch(customers=1) as server:
        watch = Watch(clock=lambda: 0.0)
        findings = await look_at_helpcrunch(Account(check_api_key("wrong"), server.url), watch)
    (clock,) = (each for each in findings if each.what == "clock")
    assert clock.state is State.ODD
    assert "behind HelpCrunch" in clock.words


@pytest.mark.parametrize(
    ("apart", "state", "said"),
    [
        (None, State.SKIPPED, "no answer told the time"),
        (-59.0, State.GOOD, "right"),
        (300.0, State.ODD, "0:05:00 ahead of HelpCrunch"),
        (-7200.0, State.ODD, "2:00:00 behind HelpCrunch"),
    ],
)
def test_clocks(apart: float | None, state: State, said: str) -> None:
    """A minute is nothing, and an answer without a Date is no reason for alarm."""
    found = look_at_clock(apart)
    assert (found.state, said in found.words) == (state, True)


@pytest.mark.parametrize(
    ("environment", "use_proxy", "state", "said"),
    [
        ({}, False, State.GOOD, "none set"),
        ({}, True, State.ODD, "--use-proxy, and HTTPS_PROXY is not set"),
        (
            {"https_proxy": "http://me:secret@proxy.example:3128"},
            False,
            State.ODD,
            "set, and not used: HTTPS_PROXY=proxy.example:3128",
        ),
        (
            {"HTTPS_PROXY": "http://proxy.example:3128"},
            True,
            State.GOOD,
            "used: HTTPS_PROXY=proxy.example:3128",
        ),
        (
            {"HTTPS_PROXY": "proxy.example:3128"},
            True,
            State.BAD,
            "not usable: HTTPS_PROXY=proxy.example:3128",
        ),
        ({"HTTPS_PROXY": "https://p.example"}, True, State.BAD, "not usable: HTTPS_PROXY=p.example"),
        ({"HTTPS_PROXY": "socks5://p.example"}, True, State.BAD, "not usable: HTTPS_PROXY=p.example"),
        (
            {"HTTPS_PROXY": "//upper", "https_proxy": "http://lower.example", "ALL_PROXY": "http://all"},
            True,
            State.GOOD,
            "used: HTTPS_PROXY=lower.example",
        ),
        ({"HTTP_PROXY": "http://p:x:y"}, False, State.ODD, "set, and not used: HTTP_PROXY=p"),
        (
            {"ALL_PROXY": "all.example", "HTTP_PROXY": "http.example:80"},
            True,
            State.ODD,
            "not used: HTTP_PROXY=http.example:80, ALL_PROXY=all.example",
        ),
        (
            {"HTTPS_PROXY": "http://proxy.example", "NO_PROXY": "helpcrunch.com"},
            True,
            State.ODD,
            "not used, because of NO_PROXY=helpcrunch.com",
        ),
    ],
    ids=[
        *("none", "none to use", "unused", "used", "no scheme", "https", "socks", "spelt twice", "strange"),
        *("for others", "not for this host"),
    ],
)
def test_proxies(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    *,
    use_proxy: bool,
    state: State,
    said: str,
) -> None:
    """It says what aiohttp does with them, and their passwords are nobody's business."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = look_at_proxies("https://api.helpcrunch.com/v1", use_proxy=use_proxy)
    assert (found.state, found.words) == (state, said)
    assert "secret" not in repr(found)


def test_old_libraries_are_told() -> None:
    """With what to do."""
    needed = {each.what: each for each in _look_at_needed({"aiohttp": "99.1", "attrs": "1.0"})}
    assert needed["aiohttp"].state is State.BAD
    assert "99.1 or newer is needed" in needed["aiohttp"].words
    assert needed["attrs"] == Finding("attrs", State.GOOD, needed["attrs"].words)


def test_versions_compare_as_numbers() -> None:
    """Also those with letters behind, or of different lengths."""
    assert _numbers("3.14") == _numbers("3.14.0")
    assert _numbers("3.9.1") < _numbers("3.14rc1")
