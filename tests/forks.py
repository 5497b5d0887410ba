"""Programs that fork, each in an interpreter of its own: pytest's has threads, which no fork survives."""

import subprocess
import sys
from textwrap import dedent

_IN_CHILD = '''
import asyncio, os, sys

def in_child(work):
    """Fork, let the child do something, and give what it wrote."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, str(work()).encode())
            os._exit(0)
        except BaseException as error:
            sys.stderr.write(f"child: {error!r}")
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    return said
'''


def run_forking(program: str, *arguments: str) -> list[str]:
    """Run a program, which may call `in_child(work)`, and give the lines it printed; warnings are errors."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", _IN_CHILD + dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout.splitlines()
