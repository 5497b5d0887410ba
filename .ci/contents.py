"""What is in the built wheel and sdist: all that users need, and nothing else.

    python .ci/contents.py dist

Needs a directory that holds one of each.
"""

import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

PLUGIN = "pytest_helpcrunch.py"
SDIST_HAS = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE",
    "Makefile",
    "pyproject.toml",
    PLUGIN,
    "helpcrunch_async/py.typed",
    "tests/conftest.py",
    "docs/conf.py",
    "docs/tutorial.md",
    "examples/fastapi_service.py",
    "benchmarks/run.py",
    "benchmarks/plots/rolling-log.svg",
    ".ci/run",
)
NEVER = ("__pycache__", ".pyc", ".git/", ".venv", "node_modules", ".env", ".sqlite", ".coverage", "build/")
ROOT = Path(__file__).parents[1]


def problems_of_wheel(path: Path) -> list[str]:
    """Tell what is wrong with the wheel."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        info = next(name.partition("/")[0] for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
        entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    wanted = {
        str(each.relative_to(ROOT))
        for each in (ROOT / "helpcrunch_async").rglob("*")
        if each.suffix in {".py", ".lua"} or each.name == "py.typed"
    } | {PLUGIN}
    here = {name for name in names if not name.startswith(f"{info}/")}
    dependencies = {each.split(">=")[0] for each in metadata.get_all("Requires-Dist", []) if ";" not in each}
    problems = [f"wheel: {name} is missing" for name in sorted(wanted - here)]
    problems += [f"wheel: {name} should not be there" for name in sorted(here - wanted)]
    if f"{info}/licenses/LICENSE" not in names:
        problems.append("wheel: no licence")
    if dependencies != {"aiohttp", "attrs", "cattrs", "tenacity"}:
        problems.append(f"wheel: depends on {sorted(dependencies)}")
    if metadata["License-Expression"] != "MIT" or metadata["Requires-Python"] != ">=3.11":
        problems.append("wheel: licence or Python is not what it was")
    problems += [
        f"wheel: no entry point {each}"
        for each in ("helpcrunch = helpcrunch_async.__main__:main", "helpcrunch = pytest_helpcrunch")
        if each not in entry_points
    ]
    return problems


def problems_of_sdist(path: Path) -> list[str]:
    """Tell what is wrong with the sdist."""
    with tarfile.open(path) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    problems = [f"sdist: {name} is missing" for name in SDIST_HAS if name not in names]
    problems += [f"sdist: {name} should not be there" for name in names if any(x in name for x in NEVER)]
    return problems


def main(directory: Path) -> None:
    """Say what is wrong, and exit with 1; or what was seen."""
    [wheel], [sdist] = directory.glob("*.whl"), directory.glob("*.tar.gz")
    problems = [*problems_of_wheel(wheel), *problems_of_sdist(sdist)]
    if problems:
        sys.exit("\n".join(problems))
    print(f"{wheel.name} and {sdist.name}: everything is there, and nothing else")


main(Path(sys.argv[1]))
