"""The worker's application and the beat's table, which is all the periodic work there is."""

import os
import sys
import time
from datetime import timedelta
from typing import Any, Final

import structlog
from celery import Celery
from celery.beat import PersistentScheduler
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
"""No job comes more seldom."""


class Scheduler(PersistentScheduler):
    """
    The beat's table, and when each job was asked for, which a restart finds in a file.

    A clock that was ahead and came back leaves instants there that are still to come, and no job would be asked for
    before them. Such a job is asked for at once: each claims its period in the database, so that one too many costs
    nothing.
    """

    def setup_schedule(self) -> None:
        """Read the file."""
        super().setup_schedule()
        self.forget_what_is_to_come()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Ask for what is due; returns after how many seconds to look again."""
        self.forget_what_is_to_come()
        return float(super().tick(*args, **kwargs))

    def forget_what_is_to_come(self) -> None:
        """Have jobs due now that were last asked for at an instant more than a minute ahead."""
        ahead = [
            entry
            for entry in self.schedule.values()
            if entry.schedule.maybe_make_aware(entry.last_run_at) > entry.default_now() + _AHEAD
        ]
        for entry in ahead:
            entry.last_run_at = entry.default_now() - _LONGEST
        if ahead:
            log.warning("beat.clock_came_back", jobs=len(ahead))
            self._heap = None


app = Celery("callprivacy", task_cls=TogetherTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Name of the job -> task and seconds between two runs. A job claims its period in the database, so that
# a lost or doubled message costs nothing.
_EVERY: dict[str, tuple[str, float]] = {
    "analytics-mail": ("analytics.mail_reports", 300),
    "analytics-costs": ("analytics.discard_costs", 3600),
    "accounts-sign-ins": ("accounts.purge_sign_ins", 3600),
    "accounts-passwords": ("accounts.rotate_passwords", 600),
    "accounts-reviews": ("accounts.mind_reviews", 3600),
    "analytics-releases": ("analytics.sweep_releases", 60),
    "analytics-scores": ("analytics.score_releases", 3600),
    "analytics-cells": ("analytics.make_cells", 45),
    "analytics-refusals": ("analytics.watch_refusals", 60),
    "analytics-rolled": ("analytics.roll_cells", 3600),
    "audit-seals": ("audit.seal_events", 60),
    "calls-inbox": ("calls.sweep_inbox", 60),
    "calls-imports": ("calls.sweep_imports", 60),
    "calls-pulls": ("calls.pull_calls", 60),
    "calls-drops": ("calls.take_drops", 60),
    "calls-exports": ("calls.sweep_exports", 60),
    "calls-confidential": ("calls.apply_confidential_rules", 60),
    "calls-day-keys": ("calls.sweep_day_keys", 21600),
    "calls-redactions": ("calls.redact_released", 3600),
    "calls-reveal-sample": ("calls.sample_reveals", 3600),
    "consent-decisions": ("consent.decide_recordings", 20),
    "consent-changes": ("consent.notice_changes", 60),
    "consent-decided": ("consent.purge_decisions", 6 * 3600),
    "consent-fetches": ("consent.fetch_recordings", 60),
    "consent-packs": ("consent.count_packs", 30),
    "consent-standards": ("consent.expire_standards", 3600),
    "consent-ages": ("consent.expire_consents", 600),
    "consent-registers": ("consent.sweep_registers", 60),
    "consent-call-backs": ("consent.sweep_call_backs", 20),
    "consent-presses": ("consent.read_presses", 30),
    "consent-updates": ("consent.send_updates", 60),
    "consent-menu-calls": ("consent.sweep_menu_calls", 30),
    "consent-texts": ("consent.sweep_texts", 30),
    "consent-invitations": ("consent.sweep_invitations", 60),
    "consent-lists": ("consent.sweep_lists", 60),
    "consent-withdrawals": ("consent.sweep_withdrawals", 60),
    "consent-purge-public": ("consent.purge_public", 3600),
    "consent-purge-writes": ("consent.purge_writes", 3600),
    "rights-codes": ("rights.purge_codes", 3600),
    "rights-notices": ("rights.watch_notices", 3600),
    "dashboard-duties": ("dashboard.look_at_duties", 900),
    "dashboard-records": ("dashboard.read_records", 900),
    "dashboard-binders": ("dashboard.sweep_binders", 120),
    "governance-clocks": ("governance.watch_clocks", 300),
    "governance-premises": ("governance.watch_premises", 3600),
    "governance-training": ("governance.watch_training", 3600),
    "governance-vendors": ("governance.watch_vendors", 6 * 3600),
    "retention-nightly": ("retention.start_nightly", 300),
    "retention-runs": ("retention.work_runs", 30),
    "retention-secrets": ("retention.check_secrets", 3600),
    "retention-rotations": ("retention.rotate_keys", 30),
    "retention-offboardings": ("retention.work_offboardings", 60),
    "retention-watch": ("retention.watch_agencies", 300),
    "retention-alerts": ("retention.send_alerts", 30),
    "retention-holds": ("retention.settle_holds", 60),
    "retention-policies": ("retention.apply_policies", 60),
    "retention-quarantine": ("retention.erase_quarantined", 120),
    "retention-pulse": ("retention.beat_pulse", 60),
    "retention-backups": ("retention.expire_backups", 3600),
    "retention-drill": ("retention.run_drill", 3600),
    "retention-old": ("retention.remove_old", 3600),
    "retention-files": ("retention.sweep_files", 3600),
    "retention-vendors": ("retention.check_vendors", 120),
    "retention-vendor-steps": ("retention.settle_vendors", 300),
    "retention-leftovers": ("retention.sweep_leftovers", 6 * 3600),
    "rights-searches": ("rights.search_people", 20),
    "rights-steps": ("rights.work_steps", 20),
    "rights-sweep": ("rights.sweep_requests", 300),
    "rights-queue": ("rights.renew_queue", 60),
    "rights-letters": ("rights.send_letters", 30),
    "rights-clients": ("rights.ask_clients", 30),
    "rights-reminders": ("rights.remind_staff", 600),
    "work-mail": ("work.send_mail", 60),
    "work-people": ("work.mind_people", 300),
    "work-old": ("work.remove_old", 3600),
}

app.conf.beat_schedule = {
    # A message that waited longer than its period is stale: the next one finds the same rows.
    name: {"task": task, "schedule": seconds, "options": {"expires": seconds}}
    for name, (task, seconds) in _EVERY.items()
}


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
