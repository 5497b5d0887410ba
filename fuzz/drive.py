"""Feeds any bytes to `decoder`, led by coverage. Needs the group `fuzz`; the arguments are libFuzzer's.

make fuzz                                        # a minute
.venv/bin/python fuzz/drive.py fuzz/corpus         # until it is stopped; what is new goes into the folder
.venv/bin/python fuzz/drive.py fuzz/corpus/NAME    # one input again
"""

import sys
from importlib import import_module
from typing import Any

atheris: Any = import_module("atheris")  # it has no types, and type checkers run where it is not installed

with atheris.instrument_imports(include=["helpcrunch_async", "json", "email._parseaddr"]):
    from decoder import decode, split


def run(data: bytes) -> None:
    """Try one input."""
    decode(*split(data))


if __name__ == "__main__":
    atheris.Setup(sys.argv, run)
    atheris.Fuzz()
