"""Runs the benchmarks, all or those named, and writes their tables into README.md beside it.

python benchmarks/run.py                    everything
python benchmarks/run.py calls structuring  some
python benchmarks/run.py --quick            a smoke run, whose figures mean little; writes nothing
"""

import argparse
from collections.abc import Sequence
from time import perf_counter
from types import ModuleType

import bulk
import calls
import discovery
import import_time
import interactive
import memory
import plots
import real_http
import redis_processes
import storm
import structuring
import told
from tables import stamp, write_section

BENCHMARKS: Sequence[ModuleType] = (
    calls,
    structuring,
    import_time,
    memory,
    storm,
    told,
    discovery,
    bulk,
    interactive,
    plots,
    real_http,
    redis_processes,
)


def main() -> None:
    names = [benchmark.NAME for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="some minutes; the README stays as it is")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    for benchmark in BENCHMARKS:
        if arguments.names and benchmark.NAME not in arguments.names:
            continue
        started = perf_counter()
        print(f"\n## {benchmark.NAME}\n", flush=True)
        tables = benchmark.run(quick=arguments.quick)
        content = "\n\n".join(
            [stamp(f"python benchmarks/run.py {benchmark.NAME}", benchmark.LIBRARIES)]
            + [table.markdown() for table in tables]
        )
        print(content)
        print(f"\n({perf_counter() - started:.0f} s)", flush=True)
        if not arguments.quick:
            write_section(benchmark.NAME, content)


if __name__ == "__main__":
    main()
