"""Rows that need servers of their own: nights under kills, and a broker that dies or hangs."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab.assure.rows import ROOT, STATE, Figure, output_of
from tools import arguments


def own_process(name: str, *arguments: str, seconds: float, module: str = "lab.assure.kills") -> Figure:
    """A trial in a process of its own, for Django is set up once a process; it prints its figure as JSON."""
    STATE.mkdir(parents=True, exist_ok=True)
    report = STATE / f"{name}.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", module, name, str(report), *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    output = output_of(process, seconds + 60)
    if output is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            output, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        return Figure(f"it did not end within {seconds + 60:.0f} s: {output.strip()[-200:]}", ended=False)
    if not report.exists():
        return Figure("", (f"{name} brought no figure: {output.strip()[-300:]}",))
    found = json.loads(report.read_text(encoding="utf-8"))
    return Figure(
        found["said"], tuple(found["failures"]), found["trials"],
        caught=tuple((plant, was) for plant, was in found["caught"]),
    )  # fmt: skip


# --- Nights under kills -----------------------------------------------------------------------------------------------


def nights(seconds: float, *, count: int = 60) -> Figure:
    """lab.faults with so many kills, with its own checker and its own planted faults."""
    STATE.mkdir(parents=True, exist_ok=True)
    report = STATE / "faults.json"
    report.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "lab.faults", "--kills", str(count), "--a-night", "10",
        "--minutes", str(max(seconds / 60 - 4, 1)), "--json", str(report),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"ARGS": ""}, capture_output=True, text=True, check=False
    )
    if not report.exists():
        return Figure("", (f"it did not end: {(done.stdout + done.stderr).strip()[-300:]}",))
    found = json.loads(report.read_text(encoding="utf-8"))
    kills = sum(found["kills"].values())
    said = ", ".join(f"{count} kills of {victim}" for victim, count in found["kills"].items())
    compared = ", ".join(f"{count:,} {what}" for what, count in found["compared"].items())
    caught = tuple((name, was) for name, was in found["planted"])
    text = f"{said}; compared: {compared}. {found['facts']}"
    findings = tuple(found["findings"]) if kills else (*found["findings"], "nothing was killed")
    return Figure(text, findings, kills, caught=caught)


# --- The broker -------------------------------------------------------------------------------------------------------

WITHIN = 60.0


def broker(seconds: float) -> Figure:
    """Valkey killed and stopped under a worker."""
    return own_process("broker", str(seconds), seconds=seconds)


class _Taker:
    """
    Writes an event, sends the task that seals, and waits until a seal covers that very event.

    What counts is the effect by its id: a message that was taken from the queue and lost leaves none.
    """

    def __init__(self, site: Any) -> None:
        from datetime import UTC, datetime

        import redis
        from kombu.exceptions import KombuError

        from callprivacy.celery import app
        from tests import make

        self.site, self.app = site, app
        self.agency = make.agency("Broker", at=datetime.now(UTC))
        self.faults = (redis.RedisError, OSError, KombuError, *app.connection_for_write().connection_errors)

    def took(self, within: float, *, keep: bool = True) -> float | None:
        """Seconds until a task that is sent now has had its effect; None if it has not within so many."""
        began, sent, event = time.monotonic(), False, self._event()
        while time.monotonic() - began < within:
            if keep:
                self.site.keep()
            if not sent:
                with contextlib.suppress(*self.faults):
                    self.app.send_task("audit.seal_events", retry=False)
                    sent = True
            if self._is_sealed(event):
                return time.monotonic() - began
            time.sleep(0.1)
        return None

    def _event(self) -> int:
        from datetime import UTC, datetime

        from callprivacy.audit import services as audit
        from callprivacy.tenancy.scope import job_scope
        from tests import make

        with job_scope(agency_id=self.agency.pk):
            return int(audit.record("call.revealed", by=make.JOB, at=datetime.now(UTC)).pk)

    def _is_sealed(self, event: int) -> bool:
        from callprivacy.audit.models import Seal
        from callprivacy.tenancy.scope import job_scope

        with job_scope(agency_id=self.agency.pk):
            return Seal.objects.filter(first_event__lte=event, last_event__gte=event).exists()


# In turn: kills cost little, the others 20 seconds each.
_KINDS = ("killed", "cut", "killed", "stopped for 20 s", "cut", "killed", "silent for 20 s", "killed", "cut",
          "silent for 20 s, then cut")  # fmt: skip


def _disturb(site: Any, line: Any, kind: str) -> None:
    """End Valkey at once and start it again, let it hang, or disturb the line to it."""
    from lab.faults import site as sites

    assert site.valkey.process is not None  # noqa: S101  (for the type checker)
    if kind == "killed":
        sites.kill_all(site.valkey.process)
        site.valkey.start()
    elif kind == "stopped for 20 s":
        os.kill(site.valkey.process.pid, signal.SIGSTOP)
        time.sleep(20)
        os.kill(site.valkey.process.pid, signal.SIGCONT)
    elif kind == "cut":
        line.cut_all()
    else:
        line.silence(20, then_cut=kind.endswith("cut"))


def _broker(seconds: float) -> dict[str, Any]:
    """How long after each fault a task that was sent then has its effect; and a worker that never comes is noticed."""
    from lab.assure import outages
    from lab.faults import site as sites

    took: dict[str, list[float]] = {}
    until, failures, number = time.monotonic() + seconds, list[str](), 0
    lines: list[Any] = []

    def between(_: Any, valkey: Any, addresses: dict[str, str]) -> None:
        line, addresses["REDIS_URL"] = outages.between(valkey.socket, addresses["REDIS_URL"])
        lines.append(line)

    with sites.standing(between=between) as (site, _):
        taker = _Taker(site)
        site.start("worker")
        if taker.took(60) is None:
            failures.append("the worker never started")
        while not failures and number < 100 and time.monotonic() + 60 < until:
            kind = _KINDS[number % len(_KINDS)]
            _disturb(site, lines[0], kind)
            found = taker.took(WITHIN + 5)
            number += 1
            if found is None or found > WITHIN:
                failures.append(f"after Valkey was {kind} no task had its effect within {WITHIN:.0f} s")
            else:
                took.setdefault(kind, []).append(found)
        site.worker.kill()
        caught = [("a worker that is not started again", taker.took(8, keep=False) is None)]
        ended = site.ended_by_themselves
    parts = [
        f"Valkey {kind} {len(times)} times, what was sent then was done after {max(times):.1f} s at most"
        for kind, times in took.items()
    ]
    done = sum(map(len, took.values()))
    parts.append(f"{done} of {number} events, each looked for by its id, under a seal")
    said = "; ".join([*parts, f"the worker ended by itself {ended} times"])
    return {"said": said, "failures": failures, "trials": number, "caught": caught}


def main() -> int:
    """One trial in this process."""
    asked = arguments.parse(__doc__, "name", "report", "seconds")
    # So that what was started is ended where the suite's time is over.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    found = _broker(float(asked.seconds))
    Path(asked.report).write_text(json.dumps(found), encoding="utf-8")
    from lab.faults import site as sites

    shutil.rmtree(sites.STATE, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
