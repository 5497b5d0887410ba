"""What users' type checkers say: nothing of the accepted program, something of every rejected line."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import helpcrunch_async

HERE = Path(__file__).parent
ROOT = Path(helpcrunch_async.__file__).parents[1]
EXCUSE = re.compile(r"  # type: ignore\[[a-z,-]+\]$")
COMPLAINT = re.compile(r"(?P<file>\w+)\.py:(?P<line>\d+):(?:\d+ -)? error:")


@pytest.mark.parametrize(
    ("checker", "options"),
    [
        # none of our own configuration: users have theirs
        ("mypy", ["--strict", "--config-file=", "--no-pretty"]),
        ("pyright", ["--pythonpath", sys.executable]),
    ],
)
def test_type_checkers_draw_the_line(checker: str, options: list[str], tmp_path: Path) -> None:
    """They accept what is right, and complain of each wrong line and no other."""
    if find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    lines = (HERE / "rejected.py").read_text(encoding="utf-8").splitlines()
    wrong = {("rejected", number) for number, line in enumerate(lines, start=1) if EXCUSE.search(line)}
    assert len(wrong) == sum("type: ignore" in line for line in lines) > 50
    rejected = tmp_path / "rejected.py"
    rejected.write_text("\n".join(EXCUSE.sub("", line) for line in lines) + "\n", encoding="utf-8")

    run = subprocess.run(
        [sys.executable, "-m", checker, *options, str(HERE / "accepted.py"), str(rejected)],
        cwd=ROOT,
        env={
            **os.environ,
            "MYPYPATH": str(ROOT),
            "MYPY_CACHE_DIR": str(tmp_path / "cache"),
            "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    complaints = {(found["file"], int(found["line"])) for found in COMPLAINT.finditer(run.stdout)}
    assert complaints == wrong, run.stdout + run.stderr
