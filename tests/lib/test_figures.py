"""Processes count for themselves and add up in Valkey; without it nothing waits, and counts are kept."""

import time

import pytest
from django.conf import settings as configured
from pytest_django import Settings

from callprivacy.lib import figures


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_pending", figures._Pending())


def added() -> figures.Read:
    figures.add_up(at_once=True)
    return figures.read()


def test_requests_add_up_by_room_and_status() -> None:
    figures.count_request(room="calls", status=200, seconds=0.003, forwarded=1)
    figures.count_request(room="calls", status=204, seconds=0.3, forwarded=1)
    added()
    figures.count_request(room="calls", status=503, seconds=90.0, forwarded=9)
    found = added()
    assert set(found.requests) == {("calls", "2xx"), ("calls", "5xx")}
    good = found.requests["calls", "2xx"]
    assert (sum(good.buckets), good.buckets[0], round(good.seconds, 3)) == (2, 1, 0.303)
    assert found.requests["calls", "5xx"].buckets[-1] == 1
    assert found.forwarded == {1: 2, 5: 1}


def test_jobs_add_up_and_say_when_the_last_ended() -> None:
    assert figures.read().task_age is None
    figures.count_task(name="calls.sweep_inbox", is_done=True, seconds=0.1)
    figures.count_task(name="calls.sweep_inbox", is_done=False, seconds=0.1)
    found = added()
    assert set(found.tasks) == {("calls.sweep_inbox", "done"), ("calls.sweep_inbox", "failed")}
    assert found.task_age is not None
    assert found.task_age < 5


def test_what_a_clock_that_was_ahead_has_left_is_no_sign_of_life() -> None:
    figures.say_alive("beat")
    figures.count_task(name="calls.sweep_inbox", is_done=True, seconds=0.1)
    added()
    later = str(time.time() + 3600)
    (name,) = figures._line().hkeys(figures._key("processes"))
    figures._line().hset(figures._key("processes"), name, later)
    figures._line().hset(figures._key("figures"), "task_at", later)
    found = figures.read()
    assert found.processes[0].age > 3500
    assert found.task_age is not None
    assert found.task_age > 3500


def test_without_valkey_nothing_waits_and_counts_are_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = configured.REDIS_URL
    monkeypatch.setattr(figures, "_lines", {})
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    began = time.monotonic()
    for _ in range(100):
        figures.count_request(room="calls", status=200, seconds=0.01)
    figures.say_alive("worker")
    assert time.monotonic() - began < 1
    settings.REDIS_URL = there
    monkeypatch.setattr(figures, "_lines", {})
    assert sum(added().requests["calls", "2xx"].buckets) == 100


def test_processes_say_that_they_are_there_and_that_they_go() -> None:
    figures.say_alive("worker")
    (one,) = figures.read().processes
    assert (one.kind, one.age < 5) == ("worker", True)
    figures.say_gone("worker")
    assert figures.read().processes == []
    line, key = figures._line(), figures._key("processes")
    line.hset(key, "beat|here|1", str(time.time() - 100))
    line.hset(key, "beat|here|2", str(time.time() - 25 * 3600))
    assert [one.pid for one in figures.read().processes] == [1]
    assert line.hlen(key) == 1
