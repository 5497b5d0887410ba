"""The reference is complete: whatever is public stands in it."""

import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import helpcrunch_async
from helpcrunch_async import HelpCrunchClient, search, testing, webhooks

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"


def text_of(*pages: str) -> str:
    return "\n".join((REFERENCE / f"{page}.md").read_text(encoding="utf-8") for page in pages)


@pytest.mark.parametrize(
    ("module", "pages"),
    [
        (helpcrunch_async, ["client", "models", "errors", "rate-limiter", "policies", "search", "webhooks"]),
        (webhooks, ["webhooks"]),
        (testing, ["testing"]),
    ],
    ids=["helpcrunch_async", "webhooks", "testing"],
)
def test_every_public_name_is_in_the_reference(module: ModuleType, pages: list[str]) -> None:
    """By the name that users import it by; the version needs no page."""
    text = text_of(*pages)
    missing = [name for name in module.__all__ if name not in text and name != "__version__"]
    assert missing == []


@pytest.mark.parametrize(
    "page",
    [*(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_no_line_of_a_page_vanishes(page: Path) -> None:
    """One that begins with a % is a comment there, and one of plusses a break, also within a paragraph."""
    in_code, vanishing = False, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and line.lstrip().startswith(("%", "+++")):
            vanishing.append(f"{number}: {line}")
    assert vanishing == []


def test_every_method_of_the_client_is_in_the_reference() -> None:
    """Once."""
    text = text_of("client")
    for name, member in vars(HelpCrunchClient).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            assert text.count(f":: helpcrunch_async.HelpCrunchClient.{name}\n") == 1, name


def test_every_field_that_can_be_searched_is_in_the_reference() -> None:
    """With its kind, and its name in the API."""
    text = text_of("search")
    fields = {name: field for name, field in vars(search).items() if isinstance(field, search._Field)}
    assert len(fields) == 28
    for name, field in fields.items():
        assert f"| `{name}` | `{type(field).__name__}` | `{field.name}` |" in text


def test_every_variable_and_code_of_the_command_is_in_the_reference() -> None:
    """And every code of a failure: scripts are written by them."""
    pytest.importorskip("typer")
    from helpcrunch_async.cli import exits, reasons  # noqa: PLC0415 - they need an extra

    text = text_of("command")
    sources = (ROOT / "helpcrunch_async" / "cli").rglob("*.py")
    variables = {
        each for path in sources for each in re.findall(r"HELPCRUNCH_[A-Z_]+", path.read_text("utf-8"))
    }
    assert {"HELPCRUNCH_API_KEY", "HELPCRUNCH_BASE_URL"} <= variables
    assert {each for each in variables if f"| `{each}` |" not in text} == set()
    assert [code for _, code, _ in reasons._REASONS if f"\n| `{code}` |" not in text] == []
    assert [each for each in exits.ExitCode if f"\n| {each:d} |" not in text] == []


@pytest.mark.filterwarnings("ignore:.*Sphinx API modifications")  # between Sphinx and its extensions
def test_every_option_that_the_command_tells_of_is_in_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The built page has what `--help` of each part says, word for word but for marks and line breaks."""
    pytest.importorskip("typer")
    pytest.importorskip("myst_parser")
    sphinx = pytest.importorskip("sphinx.application")
    from typer.main import get_command  # noqa: PLC0415 - it needs an extra

    from helpcrunch_async.cli.app import app  # noqa: PLC0415 - the same

    (tmp_path / "index.md").write_text(text_of("command"), encoding="utf-8")
    monkeypatch.syspath_prepend(ROOT / "docs")
    settings = {"extensions": ["myst_parser", "command_reference"], "smartquotes": 0}
    out = tmp_path / "out"
    sphinx.Sphinx(tmp_path, None, out, out, "text", settings, status=None, warning=None).build()
    words = _words((out / "index.txt").read_text(encoding="utf-8"))
    parts = vars(get_command(app))["commands"]
    assert len(parts) >= 8
    for name, unloaded in parts.items():
        part = unloaded.load()
        for parameter in part.params:
            if parameter.name != "help":
                written = "/".join((*parameter.opts, *parameter.secondary_opts))
                assert _words(parameter.help) in words, (name, written)
                assert parameter.param_type_name == "argument" or parameter.opts[0] in words, (name, written)
        assert _words(part.help) in words, name


def _words(text: str) -> str:
    text = re.sub(r"--\n +|--\n", "--", text)  # where the builder of text breaks a line within an option
    return " ".join(re.sub(r"[`\"*]", "", text).split())
