"""The worker's application, and beat, which sends the jobs that `tenancy/jobs.py` knows at their periods."""

import os
import sys
import time
from datetime import timedelta
from typing import Any, Final

import structlog
from celery import Celery
from celery.beat import PersistentScheduler, ScheduleEntry
from celery.contrib.django.task import DjangoTask
from celery.signals import (
    after_task_publish,
    beat_init,
    before_task_publish,
    heartbeat_sent,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
    worker_shutdown,
)

from callprivacy.lib import env, figures
from callprivacy.lib.logs import logger

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callprivacy.settings")
if "beat" in sys.argv and "REDIS_URL" in os.environ:
    env.fill_with_nothing()  # it asks for jobs by name


class TogetherTask(DjangoTask):
    """A task that does nothing while a database put back or carried here is not made good; its rows stay due."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from callprivacy.audit.services import lineage  # noqa: PLC0415  (models load after Django's setup)

        if lineage.known() in lineage.WORDS:
            return None
        return super().__call__(*args, **kwargs)


log = logger(__name__)

_AHEAD: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=1)
"""No period is longer."""


def periods() -> dict[str, float]:
    """Name of each job -> seconds between two runs."""
    from callprivacy.tenancy import jobs  # noqa: PLC0415  (models load after Django's setup)

    app.loader.import_default_modules()
    return jobs.PERIODS


def entries() -> dict[str, dict[str, Any]]:
    """
    Beat's entries: one for each period.

    A message that waited longer than its period is stale: the next one finds the same rows.
    """
    return {
        _entry(seconds): {"task": _entry(seconds), "schedule": seconds, "options": {"expires": seconds}}
        for seconds in sorted(set(periods().values()))
    }


def _entry(seconds: float) -> str:
    return f"every-{seconds:g}-seconds"


class Scheduler(PersistentScheduler):
    """
    Sends all jobs of a period when it is over; a file says when each period began, for a restart.

    A clock that was ahead and came back leaves instants there that are still to come, and no job would be sent before
    them. Such a period is over at once: a message too many finds nothing to do.
    """

    def setup_schedule(self) -> None:
        """Read the file."""
        self.app.conf.beat_schedule = entries()
        super().setup_schedule()
        self.forget_what_is_to_come()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; returns after how many seconds to look again."""
        self.forget_what_is_to_come()
        return float(super().tick(*args, **kwargs))

    def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **_: Any) -> None:
        """Send all jobs of the entry's period."""
        entry = self.reserve(entry) if advance else entry
        names = [name for name, seconds in periods().items() if _entry(seconds) == entry.name]
        for name in names or [entry.task]:
            super().apply_async(type(entry)(**dict(entry, task=name)), producer=producer, advance=False)

    def forget_what_is_to_come(self) -> None:
        """End periods that began at an instant more than a minute ahead."""
        ahead = [
            entry
            for entry in self.schedule.values()
            if entry.schedule.maybe_make_aware(entry.last_run_at) > entry.default_now() + _AHEAD
        ]
        for entry in ahead:
            entry.last_run_at = entry.default_now() - _LONGEST
        if ahead:
            log.warning("beat.clock_came_back", count=len(ahead))
            self._heap = None


app = Celery("callprivacy", task_cls=TogetherTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_began: dict[str, float] = {}
_REQUEST: str = "request_id"


@before_task_publish.connect
def _name_the_request(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """What a request sets off is logged by that request's id."""
    request_id = structlog.contextvars.get_contextvars().get(_REQUEST)
    if request_id and headers is not None:
        headers[_REQUEST] = request_id


@task_prerun.connect
def _begin_to_count(task_id: str, task: Any, **_: Any) -> None:
    if task.request.called_directly or task.request.is_eager:
        return
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)
    if request_id := getattr(task.request, _REQUEST, None):
        structlog.contextvars.bind_contextvars(request_id=str(request_id)[:40])
    figures.begin_task()
    _began[task_id] = time.perf_counter()


@task_postrun.connect
def _count_the_job(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    began = _began.pop(task_id, None)
    if began is None:
        return
    seconds = time.perf_counter() - began
    is_done = state == "SUCCESS" and not figures.has_fault()
    figures.count_task(name=task.name, is_done=is_done, seconds=seconds)
    structlog.contextvars.clear_contextvars()


@worker_process_shutdown.connect
def _bring_the_last_figures(**_: Any) -> None:
    figures.add_up(at_once=True)


@heartbeat_sent.connect
def _worker_is_here(**_: Any) -> None:
    figures.say_alive("worker")


@worker_shutdown.connect
def _worker_is_gone(**_: Any) -> None:
    figures.say_gone("worker")


@beat_init.connect
def _watch_the_beat(**_: Any) -> None:
    """A beat is there while it sends: a process that hangs says nothing."""
    after_task_publish.connect(_beat_is_here, weak=False)
    _beat_is_here()


def _beat_is_here(**_: Any) -> None:
    figures.say_alive("beat")


@worker_process_init.connect
def _let_the_web_go_first(**_: Any) -> None:
    """What a tracker or a person waits for is answered before what can wait."""
    os.nice(5)


@setup_logging.connect
def _use_our_logging(**_: Any) -> None:
    """Keep Celery from setting up logs of its own, which would not pass the mask."""
