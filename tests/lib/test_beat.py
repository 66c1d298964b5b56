"""The beat's table when the machine's clock was ahead and came back."""

from datetime import timedelta
from pathlib import Path

import pytest
from celery import Task

from callprivacy.celery import Scheduler, app, entries, periods

DAY = timedelta(days=1)
CLEANUP = "celery.backend_cleanup"  # Celery's own, by the hour of the day, which each start makes anew


def table(home: Path) -> Scheduler:
    """The beat's, as a start opens it; nothing is sent."""
    return Scheduler(app, schedule_filename=str(home / "beat"), lazy=False)


def due(scheduler: Scheduler) -> set[str]:
    return {entry.name for entry in scheduler.schedule.values() if entry.is_due().is_due}


def ahead(scheduler: Scheduler, by: timedelta) -> None:
    for entry in scheduler.schedule.values():
        entry.last_run_at = entry.default_now() + by


def test_what_was_asked_for_on_a_day_to_come_is_asked_for_after_a_start(tmp_path: Path) -> None:
    before = table(tmp_path)
    ahead(before, DAY)
    before.close()
    after = table(tmp_path)
    assert due(after) >= entries().keys() - {CLEANUP}
    after.close()


def test_a_clock_that_comes_back_while_the_beat_runs_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = table(tmp_path)
    ahead(beat, DAY)
    beat.populate_heap()
    sent: list[str] = []
    beat.send_task = lambda name, *_args, **_options: sent.append(name)
    monkeypatch.setattr(Task, "apply_async", lambda self, *_args, **_options: sent.append(self.name))
    while not beat.tick():
        pass
    assert sorted(sent) == sorted([*periods(), CLEANUP])
    beat.close()


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    before = table(tmp_path)
    ahead(before, timedelta(seconds=-1))
    before.close()
    after = table(tmp_path)
    assert due(after) - {CLEANUP} == set()
    after.close()
