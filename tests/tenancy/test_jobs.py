"""Jobs: which agencies a run reaches, when it repeats its step, and which message it sends."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from celery import Task
from celery.contrib.django.task import DjangoTask

from callprivacy.celery import app
from callprivacy.lib import scope
from callprivacy.tenancy import jobs
from tests.cast import Cast

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Name and arguments of each message."""
    messages: list[tuple[str, Any]] = []
    monkeypatch.setattr(
        DjangoTask, "apply_async", lambda self, *, kwargs, **_: messages.append((self.name, kwargs))
    )
    return messages


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    for name in [name for name in app.tasks if name.startswith("trial.")]:
        app.tasks.unregister(name)
        jobs.PERIODS.pop(name, None)


def counting(steps: list[int], *, more: bool = False, **options: Any) -> Task:
    def step(agency_id: int, at: datetime) -> bool:
        assert at.tzinfo
        steps.append(agency_id)
        return more and len(steps) < 3

    return jobs.agency_job(name="trial.count_up", every=60, **options)(step)


def test_a_run_reaches_every_agency_and_a_message_one(cast: Cast, sent: list[Any]) -> None:
    steps: list[int] = []
    task = counting(steps)
    task()
    assert sorted(steps) == [cast.acme.pk, cast.globex.pk]
    task(agency_id=cast.globex.pk)
    assert steps[2:] == [cast.globex.pk]
    task(agency_id=999_999)
    assert (len(steps), sent) == (3, [])


def test_a_step_is_repeated_while_there_is_more(cast: Cast, sent: list[Any]) -> None:
    steps: list[int] = []
    counting(steps, more=True, work_for=30)(agency_id=cast.acme.pk)
    assert (steps, sent) == ([cast.acme.pk] * 3, [])


def test_what_a_message_has_no_time_for_gets_another(cast: Cast, sent: list[Any]) -> None:
    steps: list[int] = []
    counting(steps, more=True, work_for=1e-9)(agency_id=cast.acme.pk)
    assert sent == [("trial.count_up", {"agency_id": cast.acme.pk})]


def test_only_agencies_with_work_get_a_message(cast: Cast, sent: list[Any]) -> None:
    steps: list[int] = []
    task = counting(steps, due=lambda *, agency_id, at: agency_id == cast.globex.pk and at)
    task()
    assert (steps, sent) == ([], [("trial.count_up", {"agency_id": cast.globex.pk})])


def test_a_step_may_run_in_its_agencys_scope(cast: Cast) -> None:
    scopes: list[scope.Scope] = []

    @jobs.agency_job(name="trial.look_around", in_scope=True)
    def look_around(agency_id: int, at: datetime) -> None:
        scopes.append(scope.require())

    look_around()
    assert {(one.kind, one.agency_id) for one in scopes} == {
        (scope.ScopeKind.JOB, cast.acme.pk), (scope.ScopeKind.JOB, cast.globex.pk)
    }  # fmt: skip


def test_a_broker_that_is_away_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("nobody listens")

    monkeypatch.setattr(DjangoTask, "apply_async", refuse)
    jobs.wake(counting([]), agency_id=1)
