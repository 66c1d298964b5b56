"""The worker and the beat of a trial, each a process: `python -m lab.faults.product worker|beat`."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.faults import clock
from tools import arguments

BATCH = 40
# Seconds between two of what a night waits for. The rest keeps its own period, for the machine is no faster.
SOONER = {
    "retention.start_nightly": 1.0, "retention.work_runs": 1.0, "calls.sweep_inbox": 2.0, "audit.seal_events": 4.0,
    "retention.beat_pulse": 4.0, "retention.settle_holds": 4.0,
}  # fmt: skip
_STALE = 15.0


def work() -> None:
    """A worker by our clock, with small batches."""
    from callprivacy.celery import app
    from retention import targets

    for category, target in list(targets.TARGETS.items()):
        targets.TARGETS[category] = replace(target, batch=min(target.batch, BATCH))
    app.worker_main(
        [
            "worker", "--loglevel", "ERROR", "--concurrency", "2", "--without-gossip", "--without-mingle",
            "--without-heartbeat",
        ]
    )  # fmt: skip


def beat() -> None:
    """The product's whole schedule, what a night waits for more often; a file says when it last sent."""
    from celery.signals import after_task_publish

    from callprivacy import celery

    sent = Path(os.environ["FAULTS_SENT"])

    def note(**_: Any) -> None:
        sent.touch()

    after_task_publish.connect(note, weak=False)
    celery.periods().update(SOONER)
    entries = celery.entries
    celery.entries = lambda: {
        name: entry | {"options": {"expires": max(entry["schedule"], _STALE)}}
        for name, entry in entries().items()
    }
    celery.app.start(["beat", "--loglevel", "ERROR", "--pidfile="])


if __name__ == "__main__":
    import django

    role = arguments.parse(__doc__, "role").role
    if role not in {"worker", "beat"}:
        sys.exit("Write worker or beat.")
    django.setup()
    clock.rule()
    {"worker": work, "beat": beat}[role]()
