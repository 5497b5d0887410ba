"""Where `fetch` and `export` write: files of one's own, and nothing that is not theirs."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from cli.running import ABSENT, IDS, Run, ids_of, lines_of, write_ids

from helpcrunch_async.testing import FakeHelpCrunch

pytest_plugins = "cli.fixtures"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and pipes of POSIX")


@pytest.fixture(params=["fetch", "export"])
def write(request: pytest.FixtureRequest, run: Run, tmp_path: Path) -> Callable[..., tuple[int, list[str]]]:
    """Writes three customers; gives the exit code, and what was said but for the summary."""
    ids = write_ids(tmp_path / "ids", *IDS[:3])
    words = ("fetch", "--ids", ids) if request.param == "fetch" else ("export", "customers", "--limit", 3)

    def write(out: object, *more: object) -> tuple[int, list[str]]:
        outcome = run(*words, "--out", out, *more)
        return outcome.code, [each for each in outcome.complaints if not each.startswith("3 customers in ")]

    return write


@contextmanager
def breaking_off(server: FakeHelpCrunch) -> Iterator[None]:
    """Answers one page, and after that none."""
    server.on_request = lambda _: server.fail_next(9, "redirect")
    try:
        yield
    finally:
        server.on_request = None
        server.forget()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_files_are_for_their_owner_alone(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """Rows, failures, what has arrived of an export: whatever the umask says."""
    before = os.umask(0)
    try:
        fetched = tmp_path / "fetched"
        assert run("fetch", "--ids", write_ids(tmp_path / "ids", IDS[0], ABSENT), "--out", fetched).code == 4
        with breaking_off(server):
            assert run("export", "customers", "--out", tmp_path / "broken").code == 1
        assert run("export", "customers", "--out", tmp_path / "exported").code == 0
    finally:
        os.umask(before)
    made = {each.name: mode_of(each) for each in tmp_path.iterdir() if each.name != "ids"}
    assert made == dict.fromkeys(("fetched", "fetched.failures.jsonl", "broken.part", "exported"), 0o600)


def test_a_file_of_ones_own_keeps_its_mode(
    write: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    """Whoever was let in stays so, whether it is written on or replaced."""
    out = tmp_path / "out"
    assert write(out)[0] == 0
    out.chmod(0o640)
    assert write(out) == (0, [])
    assert mode_of(out) == 0o640
    assert write(out, "--overwrite") == (0, [])
    assert mode_of(out) == 0o640


def test_an_empty_file_of_ones_own_is_taken(
    write: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    """As OUT=$(mktemp) makes one."""
    (out := tmp_path / "out").touch(0o600)
    assert write(out) == (0, [])
    assert ids_of(out)


@pytest.mark.parametrize("option", [(), ("--overwrite",)], ids=["", "--overwrite"])
@pytest.mark.parametrize("target", ["there", "absent"])
def test_links_are_refused(
    write: Callable[..., tuple[int, list[str]]],
    server: FakeHelpCrunch,
    tmp_path: Path,
    option: tuple[str, ...],
    target: str,
) -> None:
    """Whoever can make one would choose which file is written to."""
    (tmp_path / "there").write_bytes(b"dear\n")
    (out := tmp_path / "out").symlink_to(target)
    assert write(out, *option) == (2, [f"{out} is a link: name the file itself"])
    assert (tmp_path / "there").read_bytes() == b"dear\n"
    assert not (tmp_path / "absent").exists()
    assert server.requests == []


def test_links_to_files_of_failures_are_refused_at_once(
    run: Run, server: FakeHelpCrunch, tmp_path: Path
) -> None:
    """Not only when the first failure is to be written."""
    (failures := tmp_path / "out.failures.jsonl").symlink_to("elsewhere")
    outcome = run("fetch", "--ids", write_ids(tmp_path / "ids", IDS[0]), "--out", tmp_path / "out")
    assert (outcome.code, outcome.complaints) == (2, [f"{failures} is a link: name the file itself"])
    assert server.requests == []


def test_traps_beside_are_not_walked_into(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """Links and files of others, under the names that what is under way once had."""
    (dear := tmp_path / "dear").write_bytes(b"dear\n")
    out = tmp_path / "out"
    (tmp_path / "out.part").symlink_to(dear)
    (tmp_path / "out.failures.jsonl.new").symlink_to(dear)
    with breaking_off(server):
        outcome = run("export", "customers", "--out", out)
    assert outcome.code == 1
    (part,) = (each for each in tmp_path.glob("out.*.part") if not each.is_symlink())
    assert f" customers in {part}; " in outcome.complaints[0]
    assert (len(lines_of(part)) % 100, mode_of(part)) == (0, 0o600)
    ids = write_ids(tmp_path / "ids", IDS[0], ABSENT)
    assert run("fetch", "--ids", ids, "--out", out).code == 4
    write_ids(tmp_path / "out.failures.jsonl", f'{{"id": {IDS[0]}, "reason": "", "code": ""}}')
    assert run("fetch", "--ids", ids, "--out", out).code == 4
    assert ids_of(tmp_path / "out.failures.jsonl") == [ABSENT]
    assert dear.read_bytes() == b"dear\n"


def test_a_part_that_export_did_not_write_stays(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """The rows so far have another name then, which is told."""
    (part := tmp_path / "out.part").write_bytes(b"a chapter of a novel\n")
    with breaking_off(server):
        outcome = run("export", "customers", "--out", tmp_path / "out")
    assert part.read_bytes() == b"a chapter of a novel\n"
    (other,) = tmp_path.glob("out.*.part")
    assert f" in {other}; " in outcome.complaints[0]


def test_files_of_others_are_refused(
    write: Callable[..., tuple[int, list[str]]],
    server: FakeHelpCrunch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who owns one can read what is written to it."""
    out = tmp_path / "out"
    assert write(out)[0] == 0
    before = out.read_bytes()
    server.forget()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    code, said = write(out)
    assert (code, len(said)) == (2, 1)
    assert said[0].startswith(f"{out} is another user's: write elsewhere")
    assert out.read_bytes() == before
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("out.jsonl", b"Dear diary\n"),
        ("out.jsonl", b'{"id": 7, "name": "Ada", "email": null}\n'),
        ("out.jsonl", b'[{"id": 7}]'),
        ("out.csv", b"id,name\n7,Ada\n"),
        ("out.csv", b'{"id": 7}\n'),
        ("out.csv", b"\x89PNG\r\n\x1a\n"),
    ],
    ids=["text", "other rows", "a list", "other columns", "not CSV", "binary"],
)
def test_export_replaces_nothing_that_it_did_not_write(
    run: Run, server: FakeHelpCrunch, tmp_path: Path, name: str, content: bytes
) -> None:
    """Unless it is told to; an earlier export it replaces without a word."""
    (out := tmp_path / name).write_bytes(content)
    outcome = run("export", "customers", "--out", out)
    assert (outcome.code, outcome.complaints) == (
        2,
        [f"{out}, line 1: not what this command writes: write elsewhere, or --overwrite the file"],
    )
    assert out.read_bytes() == content
    assert server.requests == []
    assert run("export", "customers", "--out", out, "--overwrite").code == 0
    written = out.read_bytes()
    out.write_bytes(written[:-30])
    assert run("export", "customers", "--out", out).code == 0
    assert out.read_bytes() == written
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_export_does_not_take_chats_for_customers(run: Run, tmp_path: Path) -> None:
    """One of them would be gone by a slip of the pen."""
    out = tmp_path / "out"
    assert run("export", "customers", "--out", out, "--limit", 3).code == 0
    assert run("export", "chats", "--out", out, "--limit", 3).code == 2


def test_failures_are_not_taken_for_rows(run: Run, tmp_path: Path) -> None:
    """Rows of an earlier run would be crossed out as failures that were overcome."""
    ids = write_ids(tmp_path / "ids", *IDS[:3])
    rows = tmp_path / "rows"
    assert run("fetch", "--ids", ids, "--out", rows).code == 0
    before = rows.read_bytes()
    outcome = run("fetch", "--ids", ids, "--out", tmp_path / "out", "--failures", rows)
    assert outcome.code == 2
    assert "is not a file of failures" in outcome.complaints[-1]
    assert rows.read_bytes() == before


def test_pipes_and_devices_are_written_straight(
    write: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    """Nothing beside them, and no other mode for them."""
    os.mkfifo(pipe := tmp_path / "pipe", 0o644)
    arrived: list[bytes] = []
    reader = Thread(target=lambda: arrived.append(pipe.read_bytes()))
    reader.start()
    assert write(pipe) == (0, [])
    reader.join(10)
    assert arrived[0].count(b"\n") == 3
    assert (mode_of(pipe), pipe.is_fifo()) == (0o644, True)
    assert write("/dev/null") == (0, [])
    assert [each.name for each in tmp_path.iterdir() if each.name != "ids"] == ["pipe"]


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout here")
def test_the_systems_own_links_are_followed(process: Run) -> None:
    """/dev/stdout is one, to a pipe as it may be."""
    outcome = process("export", "customers", "--limit", 3, "--out", "/dev/stdout")
    assert (outcome.code, len(outcome.objects)) == (0, 3)


def test_fetch_to_stdout_keeps_no_file(process: Run, tmp_path: Path) -> None:
    """What failed goes to stderr, also where nothing may be written; with --failures, into that file."""
    (folder := tmp_path / "folder").mkdir()
    arguments = ("fetch", "--ids", write_ids(tmp_path / "ids", IDS[0], ABSENT), "--out", "-")
    outcome = process(*arguments, cwd=folder)
    assert (outcome.code, [each["id"] for each in outcome.objects]) == (4, [IDS[0]])
    failure, summary = outcome.err.splitlines()
    assert failure == f'{{"id": {ABSENT}, "reason": "not found", "code": "not_found"}}'
    assert summary.startswith("helpcrunch: 1 customer in stdout; 1 failed; ")
    assert list(folder.iterdir()) == []
    outcome = process(*arguments, "--json", cwd=folder)
    assert '"failed": 1, "failures": null' in outcome.err
    outcome = process(*arguments, "--failures", "failures", cwd=folder)
    assert "1 failed, see failures; " in outcome.err
    assert ids_of(folder / "failures") == [ABSENT]
