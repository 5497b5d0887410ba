"""Runs the benchmarks, all or those named, and writes their tables into README.md beside it.

python benchmarks/run.py                    everything
python benchmarks/run.py calls structuring  some
python benchmarks/run.py --quick            a smoke run, whose figures mean little; writes nothing
"""

import argparse
from importlib import import_module
from time import perf_counter
from typing import Final

from tables import stamp, write_section

BENCHMARKS: Final = (
    "calls",
    "structuring",
    "import_time",
    "memory",
    "turns",
    "storm",
    "told",
    "discovery",
    "bulk",
    "idle",
    "interactive",
    "plots",
    "real_http",
    "redis_processes",
)
"""Their modules, which are imported one by one: the processes of simulations import this module, too."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="about a minute; the README stays as it is")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    for name in BENCHMARKS:
        if arguments.names and name not in arguments.names:
            continue
        started = perf_counter()
        print(f"\n## {name}\n", flush=True)
        benchmark = import_module(name)
        tables = benchmark.run(quick=arguments.quick)
        content = "\n\n".join(
            [stamp(f"python benchmarks/run.py {name}", benchmark.LIBRARIES)]
            + [table.markdown() for table in tables]
        )
        print(content)
        print(f"\n({perf_counter() - started:.0f} s)", flush=True)
        if not arguments.quick:
            write_section(name, content)


if __name__ == "__main__":
    main()
