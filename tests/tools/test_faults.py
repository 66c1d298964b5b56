"""What a trial under kills goes by: its clock, what trackers write down, what is kept running, what is compared."""

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.faults import checker, nights, product, site, trackers
from lab.faults.clock import Clock
from lab.faults.history import History

FIRST = trackers.FIRST


def test_every_process_reads_a_clock_that_went_back(tmp_path: Path) -> None:
    here, elsewhere = Clock(tmp_path / "clock", fresh=True), Clock(tmp_path / "clock")
    before = here.now()
    here.jump(-nights.BACK)
    assert timedelta(minutes=59) < before - elsewhere.now() <= timedelta(hours=1)
    here.jump(timedelta(days=1))
    assert elsewhere.now() > before + timedelta(hours=22)


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ({1: 1, 2: 1}, []),
        ({1: 1, 2: 1, 3: 1}, []),
        ({1: 1}, ["One: 1 acknowledged events are no calls: ['2']"]),
        ({1: 1, 2: 2}, ["One: 1 events are calls twice: ['2']"]),
        ({1: 1, 2: 1, 3: 2}, ["One: 1 events are calls twice: ['3']"]),
        ({1: 1, 2: 1, None: 1}, ["One: 1 calls are of no event: ['None']"]),
    ],
)
def test_an_acknowledged_event_is_one_call_and_one_without_an_answer_at_most_one(
    here: dict[int | None, int], said: list[str]
) -> None:
    assert checker._events("One", Counter(here), {1, 2}, {3}) == said


@contextlib.contextmanager
def _door(*, cuts: int, status: str = "200 OK") -> Iterator[int]:
    """The port of a server that ends the first connections without an answer, and answers the others by one status."""
    left = iter(range(cuts))
    with socket.create_server(("127.0.0.1", 0)) as line:
        line.settimeout(0.05)
        ending = threading.Event()

        def serve() -> None:
            while not ending.is_set():
                with contextlib.suppress(TimeoutError), line.accept()[0] as at:
                    at.settimeout(5)
                    at.recv(1 << 16)
                    if next(left, None) is None:
                        at.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

        server = threading.Thread(target=serve)
        server.start()
        yield line.getsockname()[1]
        ending.set()
        server.join()


def _tracker(port: int) -> trackers.Tracker:
    client = SimpleNamespace(pk=7)
    world: Any = SimpleNamespace(
        history=History(), clients=[client], people={7: [("+14042000001", None)]},
        clock=SimpleNamespace(now=lambda: datetime(2026, 5, 4, 12, tzinfo=UTC)),
        doors={7: {"callrail": "key", "twilio": "key"}},
    )  # fmt: skip
    at: Any = SimpleNamespace(port=port, asking=threading.Event())
    return trackers.Tracker(world, at, 1)


def _until(tracker: trackers.Tracker, vendor: str, monkeypatch: pytest.MonkeyPatch, tries: int) -> History:
    """It runs until it has tried so often."""
    monkeypatch.setattr(trackers, "VENDORS", (vendor,))
    monkeypatch.setattr(trackers, "_EVERY", 0.01)
    history, until = tracker.world.history, time.monotonic() + 20
    tracker.start()
    while history.unanswered + len(history.taken) < tries and time.monotonic() < until:
        time.sleep(0.01)
    tracker.ending.set()
    tracker.join(10)
    return history


def test_a_vendor_sends_again_what_got_no_answer_or_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with _door(cuts=1) as port:
        history = _until(_tracker(port), "twilio", monkeypatch, 2)
    assert (history.cut, history.again) == (1, 1)
    assert FIRST in history.unsure
    assert FIRST in history.taken

    with _door(cuts=1) as port:
        history = _until(_tracker(port), "callrail", monkeypatch, 2)
    assert (history.cut, history.again) == (1, 0)
    assert FIRST in history.unsure.keys() - history.taken.keys()


def test_what_was_never_heard_is_no_call_and_what_failed_may_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with _door(cuts=0) as gone:
        pass
    history = _until(_tracker(gone), "callrail", monkeypatch, 1)
    assert history.away
    assert not history.unsure

    with _door(cuts=0, status="503 No") as port:
        history = _until(_tracker(port), "callrail", monkeypatch, 1)
    assert history.failed
    assert FIRST in history.unsure

    tracker = _tracker(0)
    tracker._note(tracker._made(), 403)
    assert tracker.world.history.refused == [403]
    assert not tracker.world.history.taken


def test_what_is_killed_is_started_again_and_not_counted_as_an_end_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "_COMMANDS", {"web": ("-c", "import time; time.sleep(60)")})
    process = site.Process("web", tmp_path)
    process.keep()
    assert not process.is_running
    process.start()
    process.kill()
    assert not process.is_running
    _kept(process)
    assert process.ended == 0
    assert process.process is not None
    process.process.kill()
    process.process.wait()
    _kept(process)
    assert process.ended == 1
    process.end()
    process.keep()
    assert not process.is_running


def _kept(process: site.Process) -> None:
    until = time.monotonic() + 10
    while not process.is_running and time.monotonic() < until:
        process.keep()
        time.sleep(0.02)
    assert process.is_running


def test_a_victim_that_is_only_loading_waits_for_its_turn() -> None:
    at: Any = SimpleNamespace(is_ready=lambda victim: victim != "web")
    plan = ["worker", "web", "beat", "web"]
    assert nights._taken_from(plan, at) == "beat"
    assert plan == ["worker", "web", "web"]
    assert nights._taken_from(["web"], at) is None


def test_nothing_is_ready_before_it_runs(tmp_path: Path) -> None:
    servers: Any = SimpleNamespace()
    made = site.Site(
        servers, servers, tmp_path, 0, {name: site.Process(name, tmp_path) for name in site._COMMANDS}
    )
    found = {victim: made.is_ready(victim) for victim in (*site.VICTIMS, "a full disk")}
    assert found == {
        "worker": False,
        "Valkey": True,
        "PostgreSQL": True,
        "web": False,
        "beat": False,
        "a full disk": True,
    }


def test_what_a_night_waits_for_is_in_the_schedule_and_comes_sooner_than_there() -> None:
    from callprivacy.celery import periods

    every = periods()
    assert [name for name, seconds in product.SOONER.items() if not seconds < every[name]] == []
