"""A tracker that takes the connection and does not answer is noticed, in a time that a worker has."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.utils import timezone

from callprivacy.calls.channels import LISTS, asking, callrail
from callprivacy.calls.enums import JobState, PullKind
from callprivacy.calls.models import Pull
from callprivacy.calls.services import pulls
from callprivacy.calls.tasks import pulls as tasks
from callprivacy.tenancy.scope import job_scope
from callprivacy.work.models import Item
from tests.aside import Aside
from tests.calls.test_hooks import connect
from tests.calls.test_pulls import opened, run_of, start, work
from tests.cast import Cast, assemble
from tests.make import NOON
from tests.scale import some

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def cast() -> Cast:
    return assemble()


type Manner = Callable[[socket.socket], None]


def says_nothing(line: socket.socket) -> None:
    """Take the question, and keep the line."""
    while line.recv(4096):
        pass


def dripping(head: bytes, drop: bytes) -> Manner:
    """Begin an answer, and go on with it a byte or a line at a time, each well within any wait for one."""

    def drip(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(head)
        while True:
            line.sendall(drop)
            time.sleep(0.05)

    return drip


MANNERS = {
    "says nothing": says_nothing,
    "drips its head": dripping(HEAD, b"X-Wait: 1\r\n"),
    "drips a body of a length": dripping(HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "drips a body without one": dripping(HEAD + b"Connection: close\r\n\r\n", b" "),
    "drips pieces": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Manner], list[socket.socket]]]:
    """A tracker on this machine that behaves in a manner, and the lines that it took."""
    lines: list[socket.socket] = []
    monkeypatch.setattr(asking, "LONGEST", timedelta(seconds=0.5))
    with socket.create_server(("127.0.0.1", 0)) as door:
        monkeypatch.setattr(callrail, "BASE", f"http://127.0.0.1:{door.getsockname()[1]}")

        def behave(manner: Manner) -> list[socket.socket]:
            def serve(line: socket.socket) -> None:
                with suppress(OSError), line:
                    manner(line)

            def accept() -> None:
                with suppress(OSError):
                    while True:
                        line, _ = door.accept()
                        lines.append(line)
                        threading.Thread(target=serve, args=[line], daemon=True).start()

            threading.Thread(target=accept, daemon=True).start()
            return lines

        yield behave
        with suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("manner", some(MANNERS, one_in=3))
def test_a_question_has_one_time_however_it_is_spent(
    slow: Callable[[Manner], list[socket.socket]], manner: str
) -> None:
    lines = slow(MANNERS[manner])
    began = time.monotonic()
    with pytest.raises(asking.AskError, match="in time") as caught:
        asking.get(f"{callrail.BASE}/v3/a/ACC1/calls.json", {}, {})
    assert (
        0.4 < time.monotonic() - began < 4
    )  # the tries that are left end at once, with their pauses between
    assert not caught.value.final
    assert lines


@pytest.mark.thorough
def test_tries_end_within_the_same_time(
    slow: Callable[[Manner], list[socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "TIMEOUT", asking.TIMEOUT.from_float(0.3))
    lines = slow(says_nothing)
    began = time.monotonic()
    with pytest.raises(asking.AskError):
        asking.get(f"{callrail.BASE}/v3/a/ACC1/calls.json", {}, {})
    assert time.monotonic() - began < 4
    assert len(lines) == 2


def test_a_worker_has_time_for_the_slowest_question_whenever_it_begins_one() -> None:
    pauses = asking.RETRIES.backoff_factor * 2 + asking.RETRIES.backoff_jitter
    longest = asking.LONGEST + timedelta(seconds=pauses)
    assert tasks.BUDGET + longest < timedelta(seconds=settings.CELERY_TASK_SOFT_TIME_LIMIT)
    assert longest < pulls._LEASE


@pytest.mark.thorough
@pytest.mark.django_db
def test_a_tracker_that_does_not_answer_rests_and_somebody_hears_of_it(
    cast: Cast, slow: Callable[[Manner], list[socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "LONGEST", timedelta(seconds=0.3))
    slow(says_nothing)
    pull, at = opened(connect(cast.dentist)), NOON
    run = start(pull)
    for failures in range(1, 4):
        assert work(cast, at=at) == 1
        with job_scope(agency_id=cast.acme.pk):
            row = Pull.objects.get(pk=pull.pk)
        assert (row.failures, row.last_error) == (failures, asking.LATE)
        assert row.rests_until == at + pulls.rest_after(failures, 0.0)
        at = row.rests_until
    assert run_of(run).state == JobState.RUNNING
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().filter(kind="pull_failing").exists()


@pytest.mark.django_db
def test_a_tracker_that_outlasts_the_worker_rests_as_well(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outlasts(*_: Any) -> asking.Page:
        raise SoftTimeLimitExceeded

    monkeypatch.setitem(LISTS, "callrail", outlasts)
    pull = opened(connect(cast.dentist))
    start(pull)
    tested = start(pull, PullKind.TEST)
    with pytest.raises(SoftTimeLimitExceeded):
        work(cast)
    with job_scope(agency_id=cast.acme.pk):
        row = Pull.objects.get(pk=pull.pk)
    assert (row.failures, row.last_error, row.leased_until) == (1, asking.LATE, None)
    assert row.rests_until == NOON + pulls.rest_after(1, 0.0)
    assert (run_of(tested).state, run_of(tested).failure) == (JobState.FAILED, asking.LATE)


@pytest.mark.django_db
def test_the_last_question_begins_within_the_time_of_the_task(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [NOON]
    planned, asked = [], []

    def page(*, agency_id: int, **_: Any) -> bool:
        asked.append((agency_id, now[0]))
        now[0] += timedelta(seconds=30)
        return True

    monkeypatch.setattr(timezone, "now", lambda: now[0])
    monkeypatch.setattr(pulls, "plan", lambda *, agency_id, at: planned.append(agency_id))
    monkeypatch.setattr(pulls, "pull_page", page)
    tasks.pull_calls()
    tasks.pull_agency(agency_id=cast.acme.pk)
    assert {cast.acme.pk, cast.globex.pk} <= set(planned)
    assert len(asked) == 1
    assert max(at for _, at in asked) < NOON + tasks.BUDGET


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_two_workers_that_are_told_to_pause_for_one_account_do_not_wait_for_each_other(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pull in [opened(connect(client)) for client in (cast.dentist, cast.plumber)]:
        start(pull)
    claimed = [pulls.claim(agency_id=cast.acme.pk, at=NOON) for _ in range(2)]
    both, free = threading.Barrier(2), pulls._free

    def freed(one: pulls.Claimed) -> None:
        free(one)
        with suppress(threading.BrokenBarrierError):  # where one waits for the other, they do not meet here
            both.wait(1)

    def rest(one: pulls.Claimed | None, seconds: int) -> None:
        assert one is not None
        wait = asking.AskError("It asked for a pause.", wait=timedelta(seconds=seconds))
        pulls._rest(one, wait, chance=0.0, at=NOON)

    monkeypatch.setattr(pulls, "_free", freed)
    resting = [Aside(partial(rest, one, seconds)) for one, seconds in zip(claimed, (30, 60), strict=True)]
    for one in resting:
        one.end()
    with job_scope(agency_id=cast.acme.pk):
        rows = set(Pull.objects.values_list("rests_until", "leased_until"))
    assert rows == {(NOON + timedelta(seconds=60), None)}
