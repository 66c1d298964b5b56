"""
The present version against an earlier one: both run the same benchmarks, each with its own code and its own servers,
pair by pair in the order A B B A, so that a machine that slows down meanwhile slows both.
"""

import contextlib
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from tools import services

ROOT: Final = Path(__file__).resolve().parent.parent.parent
TREE: Final = ROOT / ".state" / "bench-against"
SLOWER: Final = 1.1
Pair = tuple[Mapping[str, float], Mapping[str, float]]
"""What the earlier version took, and what the present one took; figure -> time."""

_NUMBER: Final = r"\d[\d,]*(?:\.\d+)?"
_FIGURE: Final = re.compile(rf"(?P<time>{_NUMBER}) m?s\b|(?P<pace>{_NUMBER})(?: \w+)?(?:/s| a second)\b")


class AgainstError(Exception):
    """Nothing can be compared; the text says why."""


def compare(commit: str, modules: Sequence[str], pairs: int) -> int:
    """Measure both versions and say what became slower; 1 where something did."""
    measured: list[Pair] = []
    with _tree_of(_hash_of(commit or _last_release())) as tree:
        there = [module for module in modules if _program(tree, module)]
        for module in sorted(set(modules) - set(there)):
            print(f"{module} is not in that version and is left out.", flush=True)
        for number in range(pairs):
            order = (tree, ROOT) if number % 2 == 0 else (ROOT, tree)
            took = {place: _measure(place, there) for place in order}
            measured.append((took[tree], took[ROOT]))
    lines, code = verdict(measured)
    print("\n".join(lines))
    return code


def _program(place: Path, module: str) -> str:
    """The benchmark's module in a version, or nothing: up to 0.1.0 `bench` was a folder of its own."""
    names = (module, module.removeprefix("lab."))
    return next((name for name in names if (place / f"{name.replace('.', '/')}.py").is_file()), "")


def _measure(place: Path, modules: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for module in modules:
        print(f"--- {module}, {'present' if place == ROOT else 'earlier'} version", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", _program(place, module)],
            cwd=place, stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        print(done.stdout, flush=True)
        read = figures(done.stdout)
        if not read:
            raise AgainstError(f"{module} measured nothing; what it said is above.")
        found |= {f"{module.rpartition('bench_')[2]}: {name}": value for name, value in read.items()}
    return found


def figures(printed: str) -> dict[str, float]:
    """
    What a benchmark printed: figure -> time, a pace as the time of one. Figures of fewer than two digits are left out,
    since rounding alone changes them by more than what is looked for; so are preparations.
    """
    found: dict[str, float] = {}
    columns: list[str] = []
    for line in printed.splitlines():
        head, *cells = re.split(r"\s{2,}", line.strip())
        if cells and all(re.fullmatch(r"p\d+", cell) for cell in cells):
            columns = cells
            continue
        if columns and cells and re.fullmatch(_NUMBER, cells[0]):
            for column, cell in zip(columns, cells, strict=False):
                if re.fullmatch(_NUMBER, cell):
                    _add(found, f"{head}, {column}", cell)
        elif not head.startswith("filled"):
            name = ""
            for number, match in enumerate(_FIGURE.finditer(line), 1):
                # Counts of thousands differ from run to run.
                name = name or re.sub(r"\d+(,\d{3})+", "…", " ".join(line[: match.start()].split()))
                said = name if number == 1 else f"{name}, figure {number}"
                _add(found, said, match["time"] or match["pace"], is_pace=match["pace"] is not None)
    return found


def _add(found: dict[str, float], name: str, text: str, *, is_pace: bool = False) -> None:
    value = float(text.replace(",", ""))
    if len(re.sub(r"[.,]", "", text).lstrip("0")) < 2:
        return
    free = next(
        said for number in count(1) if (said := name if number == 1 else f"{name} ({number})") not in found
    )
    found[free] = 1 / value if is_pace else value


def verdict(pairs: Sequence[Pair]) -> tuple[list[str], int]:
    """
    What became slower and faster by more than 10 %, in sentences, and the exit code: 1 where something became slower.

    A figure counts as changed where every pair says so; where they disagree, it stays open.
    """
    names = list(dict.fromkeys(name for pair in pairs for side in pair for name in side))
    both = [name for name in names if all(name in side for pair in pairs for side in pair)]
    if not both:
        return ["Nothing was measured by both versions."], 1
    lines = [
        "Time of the present version by that of the earlier one: median of the pairs, lowest and highest"
    ]
    slower: list[str] = []
    faster: list[str] = []
    still_open: list[str] = []
    for name in both:
        ratios = [present[name] / earlier[name] for earlier, present in pairs]
        middle = statistics.median(ratios)
        lines.append(f"{middle:6.2f} ({min(ratios):.2f} to {max(ratios):.2f})  {name}")
        if 1 / SLOWER <= middle <= SLOWER:
            continue
        if min(ratios) <= 1 <= max(ratios):
            still_open.append(name)
        else:
            (slower if middle > 1 else faster).append(name)
    for found, said in (
        (slower, "Slower by more than 10 %"),
        (faster, "Faster by more than 10 %"),
        (still_open, "More than 10 % apart, but the pairs disagree; measure more pairs"),
        ([name for name in names if name not in both], "Not measured in every run, so not compared"),
    ):
        if found:
            lines.append(f"{said}: {'; '.join(found)}.")
    if not slower:
        lines.append("Nothing became slower by more than 10 %.")
    return lines, int(bool(slower))


# --- The earlier version ---


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _last_release() -> str:
    found = _git("describe", "--tags", "--abbrev=0", "HEAD^")
    if not found:
        raise AgainstError("There is no released version here. Name a commit: --against COMMIT.")
    return found


def _hash_of(commit: str) -> str:
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if not found:
        raise AgainstError(f"{commit} is no commit or tag here. Name benchmarks before --against.")
    return found


@contextlib.contextmanager
def _tree_of(commit: str) -> Iterator[Path]:
    """A worktree of a commit, with no state; gone afterwards, also one that an interrupted run left."""
    _remove()
    TREE.parent.mkdir(exist_ok=True)
    _git("worktree", "add", "--detach", "--force", str(TREE), commit)
    if not (TREE / "bench").is_dir():
        _remove()
        raise AgainstError(f"No worktree of {commit} with benchmarks can be made in {TREE}.")
    try:
        yield TREE
    finally:
        _remove()


def _remove() -> None:
    for state in (TREE / ".state").glob("*/services"):
        services.Place.of(state.parent).forget_if_elsewhere()
    shutil.rmtree(TREE, ignore_errors=True)
    _git("worktree", "prune")
