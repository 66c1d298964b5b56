"""
Figures of the running processes: how long requests and jobs take, and which workers and beats are there.

Each process counts for itself and adds what it counted to Valkey every few seconds, so that processes on several
machines make one figure. A figure names a room of the product, a job or a machine: no address, no id, nothing of
anybody. Valkey may lose them; who reads counters expects that they begin anew. Counting never fails, nor waits long.
"""

import os
import socket
import threading
import time
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, cast

import redis
from django.conf import settings
from django.core.cache import caches

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histograms' buckets, in seconds; what is above the last has a bucket of its own."""
REQUEST: Final = "request"
TASK: Final = "task"
FORWARDED: Final = "forwarded"
_EVERY: Final = 5.0
_AFTER_A_FAULT: Final = 30.0
_ALIVE_EVERY: Final = 10.0
_FORGOTTEN_AFTER: Final = 24 * 3600.0
_MOST_FORWARDED: Final = 5


@dataclass(frozen=True, slots=True)
class Histogram:
    """
    How often something took how long.

    :ivar buckets: counts by bucket, one more than `BOUNDS`, not added up. :ivar seconds: all of them together.
    """

    buckets: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Process:
    """
    A process that said that it is there.

    :ivar kind: worker or beat. :ivar age: seconds since it last said so.
    """

    kind: str
    host: str
    pid: int
    age: float


@dataclass(frozen=True, slots=True)
class Read:
    """
    What all processes counted together.

    :ivar requests: (room, class of status such as 2xx) -> histogram.
    :ivar tasks: (name, "done" or "failed") -> histogram.
    :ivar forwarded: how many addresses X-Forwarded-For had -> requests. :ivar task_age: seconds since a job ended.
    :ivar takes_writes: what is read may be old where Valkey is full, or cannot save, and refuses what is new.
    """

    requests: dict[tuple[str, str], Histogram]
    tasks: dict[tuple[str, str], Histogram]
    forwarded: dict[int, int]
    processes: list[Process]
    task_age: float | None
    takes_writes: bool = True


@dataclass(slots=True)
class _Pending:
    """What this process has counted and not yet added, and when it may try again."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    task_at: float = 0.0
    next_at: float = 0.0
    alive_at: float = 0.0


_pending = _Pending()
_lock = threading.Lock()
_lines: dict[tuple[int, str], redis.Redis] = {}
_has_fault: ContextVar[bool] = ContextVar("has_fault", default=False)


def count_request(*, room: str, status: int, seconds: float, forwarded: int = 0) -> None:
    """Count a request: which room answered, how, after how long, and how many proxies say that they forwarded it."""
    _count(f"{REQUEST}|{room}|{status // 100}xx", seconds, f"{FORWARDED}|{min(forwarded, _MOST_FORWARDED)}")


def begin_task() -> None:
    """Say that a job begins here: what went wrong before is none of its faults."""
    _has_fault.set(False)


def note_fault() -> None:
    """Say that the job under way failed at a part, such as one agency's, and goes on with the others."""
    _has_fault.set(True)


def has_fault() -> bool:
    """Whether the job under way failed at a part of it."""
    return _has_fault.get()


def count_task(*, name: str, is_done: bool, seconds: float) -> None:
    """Count a job: its name, whether it ended by itself and failed at no part, and after how long."""
    _count(f"{TASK}|{name}|{'done' if is_done else 'failed'}", seconds)


def _count(series: str, seconds: float, *more: str) -> None:
    bucket = sum(seconds > bound for bound in BOUNDS)
    with _lock:
        _pending.counts[f"{series}|{bucket}"] += 1
        _pending.counts.update(more)
        _pending.seconds[series] = _pending.seconds.get(series, 0.0) + seconds
        if series.startswith(TASK):
            _pending.task_at = time.time()
    add_up()


def add_up(*, at_once: bool = False) -> None:
    """Add what this process has counted to what all have, at most every few seconds; a fault is tried again later."""
    now = time.monotonic()
    with _lock:
        if not (_pending.counts and (at_once or now >= _pending.next_at)):
            return
        _pending.next_at = now + _EVERY
        counts, seconds, task_at = _pending.counts, _pending.seconds, _pending.task_at
        _pending.counts, _pending.seconds = Counter(), {}
    try:
        key = _key("figures")
        with _line().pipeline(transaction=False) as pipe:
            for name, count in counts.items():
                pipe.hincrby(key, name, count)
            for name, total in seconds.items():
                pipe.hincrbyfloat(key, f"{name}|seconds", round(total, 6))
            if task_at:
                pipe.hset(key, "task_at", str(task_at))
            pipe.execute()
    except redis.RedisError:
        with _lock:
            _pending.counts.update(counts)
            for name, total in seconds.items():
                _pending.seconds[name] = _pending.seconds.get(name, 0.0) + total
            _pending.next_at = now + _AFTER_A_FAULT


def say_alive(kind: str) -> None:
    """Say that this process is there, at most every few seconds."""
    now = time.monotonic()
    if now < _pending.alive_at:
        return
    _pending.alive_at = now + _ALIVE_EVERY
    try:
        _line().hset(_key("processes"), f"{kind}|{socket.gethostname()}|{os.getpid()}", str(time.time()))
    except redis.RedisError:
        return


def say_gone(kind: str) -> None:
    """Say that this process ends, so that nobody waits for it."""
    try:
        _line().hdel(_key("processes"), f"{kind}|{socket.gethostname()}|{os.getpid()}")
    except redis.RedisError:
        return


def read() -> Read:
    """
    What all processes counted, and who is there.

    :raises redis.RedisError: Valkey does not answer.
    """
    line, now = _line(), time.time()
    takes_writes = _takes_writes(line)
    counted = {name.decode(): value for name, value in cast("Any", line.hgetall(_key("figures"))).items()}
    said = cast("Any", line.hgetall(_key("processes")))
    processes = []
    for name, at in said.items():
        kind, host, pid = name.decode().split("|")
        age = _distance(now, at)
        if age > _FORGOTTEN_AFTER and takes_writes:
            line.hdel(_key("processes"), name)
        else:
            processes.append(Process(kind, host, int(pid), age))
    task_at = counted.pop("task_at", None)
    return Read(
        requests=_histograms(REQUEST, counted),
        tasks=_histograms(TASK, counted),
        forwarded={
            int(name.partition("|")[2]): int(value)
            for name, value in counted.items()
            if name.startswith(f"{FORWARDED}|")
        },
        processes=sorted(processes, key=lambda one: (one.kind, one.host, one.pid)),
        task_age=None if task_at is None else _distance(now, task_at),
        takes_writes=takes_writes,
    )


def _distance(now: float, at: str | bytes) -> float:
    """Seconds between now and a mark: one that a clock which was ahead has left is no sign of life either."""
    return abs(now - float(at))


def _takes_writes(line: redis.Redis) -> bool:
    try:
        line.set(_key("asked"), "1", ex=60)
    except redis.ResponseError:
        return False
    return True


def _histograms(kind: str, counted: dict[str, bytes]) -> dict[tuple[str, str], Histogram]:
    buckets: dict[tuple[str, str], list[int]] = {}
    seconds: dict[tuple[str, str], float] = {}
    for name, value in counted.items():
        parts = name.split("|")
        if parts[0] != kind:
            continue
        series = (parts[1], parts[2])
        if parts[3] == "seconds":
            seconds[series] = float(value)
        else:
            buckets.setdefault(series, [0] * (len(BOUNDS) + 1))[int(parts[3])] = int(value)
    return {
        series: Histogram(tuple(found), seconds.get(series, 0.0)) for series, found in sorted(buckets.items())
    }


def _key(name: str) -> str:
    """Under the prefix of the hints, which is the installation's own."""
    return caches["hints"].make_key(name)


def _line() -> redis.Redis:
    """This process's connection; a child makes its own. It waits as long as for hints, and no longer."""
    to = (os.getpid(), settings.REDIS_URL)
    found = _lines.get(to)
    if found is None:
        _lines.clear()
        found = _lines[to] = redis.Redis.from_url(settings.REDIS_URL, **settings.CACHES["hints"]["OPTIONS"])
    return found
