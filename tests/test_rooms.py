"""The rooms of the library: who may know whom, and who may know which other library."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import helpcrunch_async

ROOT = Path(helpcrunch_async.__file__).parent
PACKAGE = "helpcrunch_async"

FLOORS = (
    ("_version", "unset", "accounts", "checks", "redaction"),
    ("errors", "strict_json"),
    ("models", "rate_limit", "walk"),
    ("grammar",),
    ("protocol", "converter", "listing", "search", "writes", "redis_limit"),
    ("endpoints", "retry", "session", "webhooks"),
    ("requester",),
    ("bulk",),
    ("client",),
    ("__init__",),
    ("testing",),
    ("cli",),
    ("__main__",),
)
"""From the bottom up; a room imports only what is below it."""

ALLOWED_ON_LOWER_FLOORS = {
    "_version": set[str](),
    "unset": set[str](),
    "checks": set[str](),
    "redaction": set[str](),
    "errors": {"redaction"},
    "strict_json": {"redaction"},
    "accounts": set[str](),
    "models": {"errors"},
    "rate_limit": {"accounts", "checks", "errors"},
    "grammar": {"checks", "models", "strict_json"},
    "protocol": {"_version", "errors", "redaction", "strict_json"},
    "converter": {"errors", "models", "redaction", "strict_json"},
    "walk": set[str](),
    "listing": {"checks", "errors", "models", "walk"},
    "search": {"checks", "grammar", "models", "strict_json"},
    "writes": {"checks", "models", "unset"},
    "redis_limit": {"checks", "errors", "rate_limit", "redaction"},
    "endpoints": {"checks", "protocol"},
    "retry": {"checks", "errors"},
    "session": {"errors", "protocol", "redaction"},
    "webhooks": {"converter", "errors", "models", "protocol", "redaction", "strict_json"},
    "requester": {"checks", "errors", "protocol", "rate_limit", "redaction", "retry"},
    "testing": set[str](),
}
"""What the lower rooms need not know is not theirs to import."""

HOMES = {
    "aiohttp": {"session", "testing", "cli"},
    "yarl": {"session"},
    "cattrs": {"converter"},
    "tenacity": {"retry", "cli"},
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"cli"},
    "redis": {"redis_limit"},
    "pytest": {"testing"},
}
"""The rooms that may import each library."""

MODULES = {
    ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def room_of(module: str) -> str:
    """The first part of a module's name below the package."""
    return module.split(".")[1] if "." in module else "__init__"


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports_of(module: str) -> Iterator[str]:
    """Every module that a module imports, by its full name, wherever the import stands."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module is not None
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else node.module


def own_imports_of(module: str) -> set[str]:
    return {name for name in imports_of(module) if name.split(".")[0] == PACKAGE}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_imports_upward(module: str) -> None:
    """Arrows point down only: errors and models know nothing of what is built on them."""
    floor_of = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    room = room_of(module)
    assert room in floor_of, f"{room} is a new room: give it a floor"
    for imported in own_imports_of(module):
        other = room_of(imported)
        assert other == room or floor_of[other] < floor_of[room], f"{module} imports {imported}"


@pytest.mark.parametrize("room", ALLOWED_ON_LOWER_FLOORS)
def test_rooms_know_what_they_need(room: str) -> None:
    """A room that is to know nothing of another does not import it, be it below or not."""
    known = {
        room_of(imported)
        for module in MODULES
        if room_of(module) == room
        for imported in own_imports_of(module)
    }
    assert room in {room_of(module) for module in MODULES}
    assert known - {room} <= ALLOWED_ON_LOWER_FLOORS[room]


def test_every_lower_room_says_what_it_needs() -> None:
    """Only those on top may know everything below them."""
    lower = {room for floor in FLOORS[: FLOORS.index(("requester",)) + 1] for room in floor}
    assert ALLOWED_ON_LOWER_FLOORS.keys() == lower | {"testing"}


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_its_rooms(library: str) -> None:
    """aiohttp is known to the session, cattrs to the converter, tenacity to the retry policy alone."""
    rooms = {
        room_of(module)
        for module in MODULES
        if library in {imported.split(".")[0] for imported in imports_of(module)}
    }
    assert rooms <= HOMES[library]


def test_there_are_no_circles() -> None:
    """Not even among the modules of one room."""
    graph = {module: own_imports_of(module) - {module} for module in MODULES}
    order = list(TopologicalSorter(graph).static_order())
    assert set(order) == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_no_import_is_hidden(module: str) -> None:
    """No circle is papered over with TYPE_CHECKING or an import inside a function."""
    source = MODULES[module].read_text(encoding="utf-8")
    assert "TYPE_CHECKING" not in source
    top_level = {id(node) for node in tree_of(module).body}
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PACKAGE):
            assert id(node) in top_level or room_of(module) in {"cli", "__main__"}, node.module


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short_and_say_what_they_are(module: str) -> None:
    """A docstring each, and a length that can be read in one go."""
    assert ast.get_docstring(tree_of(module))
    # the client is one flat list of endpoints, each with its docstring: it grows with the API alone
    longest = 2_000 if room_of(module) == "client" else 400
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= longest


def test_importing_the_library_imports_no_extra() -> None:
    """A fresh interpreter gets the four dependencies and nothing that an extra brings."""
    code = "import helpcrunch_async, sys; print('\\n'.join(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
    )
    loaded = set(run.stdout.split())
    unwanted = {"typer", "click", "rich", "redis", "yaml", "orjson", "pydantic", "pytest", "aiohttp.web"}
    assert loaded & unwanted == set()
    rooms = {room_of(module) for module in loaded if module.startswith(PACKAGE)}
    assert rooms & {"testing", "cli", "redis_limit"} == set()
    assert run.stderr == ""


def test_the_package_is_typed() -> None:
    """Type checkers believe its annotations."""
    assert (ROOT / "py.typed").is_file()
