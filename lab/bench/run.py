"""
`make bench`: every measurement, one after the other, written to docs/benchmarks.md with its command.

Each prints a figure beside a named baseline measured in the same run, so that the ratio says more than the
machine does. `make bench ARGS="reveal list"` runs some of them; what was not run keeps its last entry.
`make bench ARGS="check --against v1.2"` instead runs the benchmarks in this version and in that one, in turn, writes
no entry, and says what became slower by more than 10 %; then it ends with 1.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lab.bench import against

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BENCHES = {
    "aggregates": "lab.bench.bench_aggregates",
    "anonymise": "lab.bench.bench_anonymise",
    "board": "lab.bench.bench_board",
    "check": "lab.bench.bench_check",
    "decide": "lab.bench.bench_decide",
    "impact": "lab.bench.bench_impact",
    "import": "lab.bench.bench_import",
    "list": "lab.bench.bench_list",
    "overview": "lab.bench.bench_overview",
    "portal": "lab.bench.bench_portal",
    "purge": "lab.bench.bench_purge",
    "replies": "lab.bench.bench_replies",
    "reports": "lab.bench.bench_reports",
    "reveal": "lab.bench.bench_reveal",
    "rights": "lab.bench.bench_rights",
    "rotate": "lab.bench.bench_rotate",
    "start": "lab.bench.bench_start",
    "stop": "lab.bench.bench_stop",
    "storage": "lab.bench.bench_storage",
    "webhook": "lab.bench.bench_webhook",
}
_HEAD = """# Benchmarks

Written by `make bench`; each entry names its command, the commit, and what the command printed. A figure stands
beside a baseline that was measured in the same run on the same machine. Milliseconds are those of its hour: the list of
calls of commit b9c2865 took 37 ms on 2026-11-25 (`python -m lab.bench.bench_list`) and 70 to 82 ms on
2026-11-28 (the same with `--calls 60000 --times 12`), on two cores that others share.

`make bench ARGS="check list --against COMMIT"` measures these benchmarks in the working tree and in another commit or
tag, each with its own code and its own servers, in the order earlier, present, present, earlier; `--pairs 4` does it
twice. `--against` as the last word takes the last release. It prints for each figure the median ratio of the pairs with
the lowest and the highest, then what became slower or faster by more than 10 % in every pair, and ends with 1 where
something became slower. It writes nothing here. The earlier version is checked out below `.state` and removed
afterwards; it runs with the packages that are installed now, except in `start`, which installs its own.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the named benchmarks, or all; 1 where one misses its goal, or became slower than in another version."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"a benchmark: {', '.join(BENCHES)}")
    parser.add_argument(
        "--against", nargs="?", const="", metavar="COMMIT", help="a commit or tag; alone, the last release"
    )
    parser.add_argument(
        "--pairs", type=int, default=2, help="how often both versions run, with --against (2)"
    )
    asked = parser.parse_args(arguments)
    names = asked.names or list(BENCHES)
    unknown = set(names) - BENCHES.keys()
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}. There are: {', '.join(BENCHES)}.")
    if asked.pairs < 1:
        parser.error("--pairs is 1 or more.")
    if asked.against is None:
        return run(names)
    try:
        return against.compare(asked.against, [BENCHES[name] for name in names], asked.pairs)
    except against.AgainstError as error:
        print(error, file=sys.stderr)
        return 2


def run(names: Sequence[str]) -> int:
    """Run benchmarks and write their entries; 1 where one misses its goal."""
    entries = _entries()
    missed = False
    for name in names:
        print(f"--- {name}", flush=True)
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", BENCHES[name]], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
        )
        print(done.stdout, flush=True)
        missed |= done.returncode != 0
        entries[name] = _entry(name, done.stdout, time.monotonic() - begin, done.returncode)
    PAGE.write_text(
        _HEAD + "".join(f"\n{entries[name]}" for name in BENCHES if name in entries), encoding="utf-8"
    )
    print(f"Written to {PAGE.relative_to(ROOT)}.")
    return int(missed)


def _entry(name: str, printed: str, seconds: float, code: int) -> str:
    verdict = "met its goals" if code == 0 else "missed a goal"
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    return (
        f"## {name}\n\n"
        f"`python -m {BENCHES[name]}` at commit {_commit()}, {datetime.now(UTC):%Y-%m-%d}, {machine}; "
        f"took {seconds:.0f} s and {verdict}.\n\n```\n{printed.strip()}\n```\n"
    )


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def _entries() -> dict[str, str]:
    """What the page holds already, by name."""
    if not PAGE.exists():
        return {}
    parts = re.split(r"^## (\w+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        name: f"## {name}\n{text.rstrip()}\n" for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


if __name__ == "__main__":
    sys.exit(main([*sys.argv[1:], *os.environ.get("ARGS", "").split()]))
