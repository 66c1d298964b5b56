"""
Jobs: tasks that beat starts at a period, and the messages that start one sooner.

A message is a hint. A job finds what is due in the database, so a lost message costs one period, and a second one finds
nothing to do.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial, wraps
from inspect import signature
from typing import Any, Final, Protocol

from celery import Task, shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from callprivacy.lib.logs import logger
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.scope import in_each_agency, job_scope

log = logger(__name__)

PERIODS: Final[dict[str, float]] = {}
"""Name of a job -> seconds between two runs."""
_STALE: Final = 600.0


class Step(Protocol):
    """What is done, or asked, of one agency."""

    def __call__(self, *, agency_id: int, at: datetime) -> object: ...


def always(*, agency_id: int, at: datetime) -> bool:
    """Every agency gets a message of its own."""
    return True


def job(*, name: str, every: float, **options: Any) -> Callable[[Callable[..., None]], Task]:
    """Declare a job of the whole installation. :param options: of the Celery task."""
    PERIODS[name] = every
    return shared_task(name=name, acks_late=True, **options)  # type: ignore[no-any-return]  # of Celery


def agency_job(
    *,
    name: str,
    every: float = 0,
    due: Step | None = None,
    work_for: float = 0,
    in_scope: bool = False,
    **options: Any,
) -> Callable[[Step], Task]:
    """
    Declare a job as one step for one agency. Its task goes through all agencies, or takes one `agency_id`.

    :param every: seconds between two runs; 0: only messages start it.
    :param due: which agencies get a message of their own, so that none waits for another.
    :param work_for: seconds in which a step that returns something true is repeated. Where they were not enough for
        the one agency of a message, another message is sent.
    :param in_scope: the step runs in the agency's job scope.
    :param options: of the Celery task.
    """

    def decorate(step: Step) -> Task:
        def take(agency_id: int, until: float) -> bool:
            has_more = True
            while has_more and time.monotonic() < until:
                with job_scope(agency_id=agency_id) if in_scope else nullcontext():
                    has_more = bool(step(agency_id=agency_id, at=timezone.now())) and work_for > 0
            return has_more

        @wraps(step)
        def run(*, agency_id: int = 0, **_: Any) -> None:
            until = time.monotonic() + work_for if work_for else float("inf")
            if agency_id:
                if agency_id in tenancy.agency_ids() and take(agency_id, until):
                    wake(task, agency_id=agency_id)
            elif due is not None:
                in_each_agency(partial(_wake_if, due, task))
            else:
                in_each_agency(partial(take, until=until))

        run.__signature__ = signature(run, follow_wrapped=False)  # type: ignore[attr-defined]  # Celery's arguments
        task: Task = shared_task(name=name, acks_late=True, **options)(run)
        if every:
            PERIODS[name] = every
        return task

    return decorate


def share(time_of_all: timedelta, *, least: timedelta) -> timedelta:
    """Return an agency's share of the time that a run has for all of them."""
    return max(time_of_all / max(len(tenancy.agency_ids()), 1), least)


def wake(task: Task, *, expires: float = _STALE, **ids: int | str) -> None:
    """
    Send a task once the running transaction, if any, commits. Never raises: its job finds the same rows.

    :param expires: seconds after which the message is not worth a run. :param ids: the task's arguments.
    """
    transaction.on_commit(partial(_send, task, ids, expires))


def waker(task: Task) -> Callable[[int], None]:
    """Return what wakes an agency's job."""
    return lambda agency_id: wake(task, agency_id=agency_id)


def _send(task: Task, ids: dict[str, int | str], expires: float) -> None:
    try:
        task.apply_async(kwargs=ids, expires=expires)
    except (RedisError, KombuError, OSError) as error:
        log.warning("job.not_woken", what=task.name, error=type(error).__name__)


def _wake_if(due: Step, task: Task, agency_id: int) -> None:
    if due(agency_id=agency_id, at=timezone.now()):
        wake(task, agency_id=agency_id)
