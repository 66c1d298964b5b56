"""`make soak`: the same work for long, while each process's memory is watched (ARGS="--minutes 480" for a night)."""

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from lab.assure import load
from lab.assure.load import Installation
from lab.assure.rows import Row

# Growth in an hour that is none, as a share; below so many bytes nothing is said of an hour.
AN_HOUR_AT_MOST, SMALL = 0.01, 4_000_000
_EVERY = 10.0


def slope(samples: list[tuple[float, float]]) -> float:
    """By least squares, what the second grows while the first grows by one."""
    if len(samples) < 2:
        return 0.0
    times, values = zip(*samples, strict=True)
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((one - middle) ** 2 for one in times)
    return sum((t - middle) * (v - mean) for t, v in samples) / spread if spread else 0.0


def grows(samples: list[tuple[float, float]]) -> bool:
    """Whether a process's memory grows by more than a hundredth in an hour, and by more than a little."""
    an_hour = slope(samples) * 3600
    return an_hour > max(samples[0][1] * AN_HOUR_AT_MOST, SMALL)


def _memory(at: Installation) -> dict[str, float]:
    """Bytes that each process of the Procfile and its children have in memory."""
    from lab.faults import site as sites

    page = os.sysconf("SC_PAGE_SIZE")
    found: dict[str, float] = {}
    for name, process in at.processes.running.items():
        for pid in (process.pid, *sites.children(process.pid)):
            with contextlib.suppress(OSError, IndexError):
                pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
                found[name] = found.get(name, 0.0) + pages * page
    return found


def warm_up(seconds: float) -> float:
    """How long caches and pools fill, which does not count: a fifth, ten minutes at least, half of it at most."""
    return min(max(seconds * 0.2, 600.0), seconds * 0.5)


def _soak(at: Installation, seconds: float) -> dict[str, Any]:
    """Events at 20 a second. A machine that stands still meanwhile is not counted as time."""
    samples: dict[str, list[tuple[float, float]]] = {}
    first: dict[str, float] = {}
    now, stood, slowest = 0.0, 0.0, 0.0
    while now < seconds:
        began = time.monotonic()
        answered = at.events(int(20 * _EVERY), 20)
        slowest = max(slowest, answered.figures()[2])
        took = time.monotonic() - began
        now, stood = now + min(took, 2 * _EVERY), stood + max(took - 2 * _EVERY, 0.0)
        first = first or _memory(at)
        if now > warm_up(seconds):
            for name, size in _memory(at).items():
                samples.setdefault(name, []).append((now, size))
    at.settle()
    lost = at.lost()
    failures = [f"{len(lost)} acknowledged events are lost"] if lost else []
    failures += [
        f"{name} grows by {slope(of) * 3600 / 1e6:.1f} MB an hour"
        for name, of in samples.items()
        if grows(of)
    ]
    sizes = ", ".join(
        f"{name} {first.get(name, 0) / 1e6:.0f} MB at first, {of[0][1] / 1e6:.0f} when it was warm,"
        f" {of[-1][1] / 1e6:.0f} at the end ({slope(of) * 3600 / 1e6:+.1f} MB an hour since it was warm)"
        for name, of in samples.items()
    )
    still = f", the machine stood still for {stood / 60:.0f} more" if stood > 60 else ""
    leak = [(float(second), 1e8 + second * 1e4) for second in range(0, 600, 10)]
    return {
        "said": f"{seconds / 60:.0f} minutes, {warm_up(seconds) / 60:.0f} of them to get warm{still};"
        f" {len(at.acknowledged):,} events, {len(lost)} lost, slowest p99"
        f" {slowest:.0f} ms; {sizes}",
        "failures": failures,
        "trials": len(at.acknowledged),
        "caught": [
            ("a process that grows by 36 MB an hour", grows(leak)),
            ("a lost event", at.plant_a_loss()),
        ],
    }


ROWS: tuple[Row, ...] = (
    Row("28", "Memory does not grow", "signed events at 20 a second, memory of each process every 10 s",
        "less than 1 % an hour, or 4 MB; 0 lost",
        trial=lambda seconds: load.own("soak", max(seconds - 120, 60), module="lab.assure.soak"), minutes=600),
)  # fmt: skip


if __name__ == "__main__":
    sys.exit(load.main({"soak": _soak}))
