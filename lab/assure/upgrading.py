"""`make upgrade`: from an earlier commit to this one under load, with kills, and back (lab/upgrade.py)."""

import json
import subprocess
import sys

from lab.assure.rows import ROOT, STATE, Figure, Row


def upgraded(seconds: float) -> Figure:
    """lab.upgrade, with its own verdicts and planted faults."""
    STATE.mkdir(parents=True, exist_ok=True)
    report = STATE / "upgrade.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "lab.upgrade", "--json", str(report)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=max(seconds, 600)
    )
    if not report.exists():
        return Figure("", (f"it did not end: {(done.stdout + done.stderr).strip()[-300:]}",))
    found = json.loads(report.read_text(encoding="utf-8"))
    caught = tuple((name, was) for name, was in found["planted"])
    return Figure(found["said"], tuple(found["failures"]), found["kills"], caught=caught)


ROWS: tuple[Row, ...] = (
    Row("27", "An upgrade loses nothing and stops nobody for long",
        "an earlier version serves at 50 events a second; `migrate` killed after each migration, processes changed,"
        " and back",
        "0 acknowledged events lost; 0 refused but while the web is changed, at most 30 s; no wait for a lock"
        " above 2 s; the trail verifies over both versions", trial=upgraded, minutes=14),
)  # fmt: skip
