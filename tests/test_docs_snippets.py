"""The documentation runs: every Python block of every page, in the order of the page, against a fake server.

- Blocks of a page share one namespace, which holds `client`, open, `server`, which it talks to, and `ids`.
  `await`, `async for` and `async with` may stand at the top level.
- A block whose first line is a comment that names a file, `# bot.py`, is written to that file. One that calls
  `asyncio.run` is run as a program. Files named `test_...` are run by pytest when the page is done.
- A block of the language `output` is what the block before it printed.
- Blocks in comments, `<!--- invisible-code-block: python`, run too: they make what readers have at hand.
- HELPCRUNCH_API_KEY and HELPCRUNCH_BASE_URL lead to the server, the working directory is an empty one, and
  the modules of `examples` can be imported.

Nothing waits for real: retries and pacing are shown with `max_backoff=0` or in virtual time.
"""

import ast
import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from sybil import Document, Example
from sybil.evaluators.python import pad
from sybil.parsers.myst import CodeBlockParser

from helpcrunch_async import HelpCrunchClient
from helpcrunch_async.testing import FakeHelpCrunch, generate_customers

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
REDIS = "redis://localhost:6379"  # where the pages have one
FILE_NAME = re.compile(r"# ([\w/]+\.py)\n")


class PageRunner:
    """Runs the blocks of one page."""

    def __init__(
        self, server: FakeHelpCrunch, pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.redis = REDIS
        self._server = server
        self._pytester = pytester
        self._capsys = capsys
        self._loop = asyncio.Runner()
        self._client = HelpCrunchClient()
        self._has_tests = False

    def run(self, page: Path) -> int:
        """Run a page; tell how many Python blocks it has."""
        document = Document.parse(
            str(page), CodeBlockParser("python", self._python), CodeBlockParser("output", self._output)
        )
        examples = list(document.examples())
        if not examples:
            return 0
        ids = [row["id"] for row in generate_customers(5)]
        document.namespace.update(client=self._client, server=self._server, ids=ids)
        with self._loop:
            self._loop.run(self._client.open())
            try:
                for example in examples:
                    example.evaluate()
            finally:
                self._loop.run(self._client.close())
        if self._has_tests:
            result = self._pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
            assert result.ret == 0
        return len(examples)

    def _python(self, example: Example) -> None:
        self._capsys.readouterr()  # what nobody asked for
        named = FILE_NAME.match(example.parsed)
        if named is None:
            self._execute(example, example.namespace)
            return
        path = self._pytester.path / named[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(example.parsed, encoding="utf-8")
        if path.name.startswith("test_"):
            self._has_tests = True
        elif "asyncio.run(" in example.parsed:
            self._execute(example, {"__name__": "__main__"})

    def _execute(self, example: Example, namespace: dict[str, Any]) -> None:
        text = example.parsed.replace(REDIS, self.redis)
        source = pad(text, example.line + example.parsed.line_offset)
        code = compile(source, example.path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)

        async def execute() -> None:
            await eval(code, namespace)

        if code.co_flags & 0x80:  # CO_COROUTINE: there is an await at its top level
            self._loop.run(execute())
        else:
            exec(code, namespace)

    def _output(self, example: Example) -> None:
        assert str(example.parsed) == self._capsys.readouterr().out, f"{example.path}:{example.line}"


@pytest.fixture
def runner(
    helpcrunch_env: FakeHelpCrunch,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> PageRunner:
    """A runner whose programs start in an empty directory, which can import what is written there."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.syspath_prepend(pytester.path)
    return PageRunner(helpcrunch_env, pytester, capsys)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page(page: Path, runner: PageRunner, request: pytest.FixtureRequest) -> None:
    """Whoever copies a block from it gets what it says."""
    if page.name == "many-processes.md":
        runner.redis = request.getfixturevalue("redis_server").url
    runner.run(page)


def test_the_runner_sees_the_blocks() -> None:
    """As many as the eye: a parser that finds none would make every page pass."""
    for page in PAGES:
        seen = len(list(Document.parse(str(page), CodeBlockParser("python", lambda _: None)).examples()))
        text = page.read_text(encoding="utf-8")
        assert seen == len(re.findall(r"^```python$|invisible-code-block: python", text, re.MULTILINE)), page
