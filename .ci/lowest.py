"""Writes the lowest versions that pyproject.toml names as constraints for pip.

    python .ci/lowest.py > constraints.txt

Of the package, its extras and what the tests need: `attrs>=24.3` becomes `attrs==24.3`.
"""

import re
import tomllib
from pathlib import Path

_BOUND = re.compile(r"([\w-]+)(?:\[[\w,]+\])?>=([\w.]+)(.*)")

settings = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
project = settings["project"]
named = [*project["dependencies"], *settings["dependency-groups"]["test"]]
for extra in project["optional-dependencies"].values():
    named += extra
for requirement in named:
    bound = _BOUND.fullmatch(requirement)
    assert bound is not None, f"no lowest version in {requirement!r}"
    print(f"{bound[1]}=={bound[2]}{bound[3]}")
