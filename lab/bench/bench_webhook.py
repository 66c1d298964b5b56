"""
Webhooks as they arrive: 200 signed events a second over loopback, to the processes of the Procfile, on
servers with production's durability.

How long the acknowledgement takes is counted from when the event was due, so that a slow server is not
spared by a slow sender. Its baseline is the same server answering /healthz at the same rate. Then the same again
while the worker is killed and Valkey is killed and comes back: every acknowledged event must be one call.
"""

import argparse
import asyncio
import base64
import hmac
import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import redis

from lab.bench import servers
from lab.bench.ground import quantile
from tools import services, supervise

PORT: Final = 8917
CLIENTS: Final = 4
CALLERS: Final = 3000
SECRET: Final = "0123456789abcdef0123456789abcdef"  # noqa: S105 of this benchmark alone
P99_AT_MOST: Final = 50.0
EMPTY_WITHIN: Final = 180.0
STATE: Final = servers.ROOT / ".state" / "bench-webhook"


# --- The processes --------------------------------------------------------------------------------------


class Processes:
    """Web, worker and beat of the Procfile; what dies is started again after a second."""

    def __init__(self, state: Path) -> None:
        self.log = (state / "processes.log").open("wb")
        self.commands = supervise.read_procfile(servers.ROOT / "Procfile")
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.away: set[str] = set()
        self.ending = threading.Event()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environ = os.environ | {"PATH": path, "PORT": str(PORT)}
        self.keeper = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        """Start all three and wait until the web answers."""
        for name in self.commands:
            self._start(name)
        self.keeper.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz", timeout=2):
                    return
            except OSError:
                time.sleep(0.2)
        raise SystemExit(f"The web does not answer; see {self.log.name}.")

    def _start(self, name: str) -> None:
        self.running[name] = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {self.commands[name]}"],
            cwd=servers.ROOT,
            env=self.environ,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _keep(self) -> None:
        while not self.ending.wait(1.0):
            for name, process in list(self.running.items()):
                if process.poll() is not None and name not in self.away:
                    self._start(name)

    def kill(self, name: str) -> None:
        """End a process and its children at once, and do not start it again before `bring_back`."""
        self.away.add(name)
        os.killpg(self.running[name].pid, signal.SIGKILL)
        self.running[name].wait()

    def bring_back(self, name: str) -> None:
        """Start what was killed."""
        self._start(name)
        self.away.discard(name)

    def end(self) -> None:
        """End all of them."""
        if self.ending.is_set():
            return
        self.ending.set()
        for process in self.running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(25)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.log.close()


# --- The senders ----------------------------------------------------------------------------------------


@dataclass
class Answers:
    """Milliseconds from when each was due to its answer, and what was answered otherwise than expected."""

    took: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def figures(self) -> tuple[float, float, float]:
        """p50, p95 and p99 in milliseconds; without end where fewer than two were answered."""
        if len(self.took) < 2:
            return math.inf, math.inf, math.inf
        return quantile(self.took, 0.5), quantile(self.took, 0.95), quantile(self.took, 0.99)

    def failures(self) -> str:
        """How many failed, and as what."""
        kinds = ", ".join(f"{count} as {kind}" for kind, count in Counter(self.failed).most_common())
        return f"{len(self.failed)} failed" + (f" ({kinds})" if kinds else "")


async def _send(
    requests: Sequence[bytes], rate: float, at_second: Callable[[int], None], expected: bytes
) -> Answers:
    answers = Answers()
    began = time.perf_counter() + 0.2

    async def one(number: int, request: bytes) -> None:
        due = began + number / rate
        await asyncio.sleep(due - time.perf_counter())
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            writer.write(request)
            status = (await asyncio.wait_for(reader.readline(), 30)).split(b" ", 2)[1:2]
            await reader.read()
            writer.close()
        except (OSError, TimeoutError) as error:
            answers.failed.append(type(error).__name__)
            return
        if status == [expected]:
            answers.took.append((time.perf_counter() - due) * 1000)
        else:
            answers.failed.append(b" ".join(status).decode("ascii", "replace") or "no answer")

    async def clock() -> None:
        for second in range(int(len(requests) / rate)):
            await asyncio.sleep(began + second - time.perf_counter())
            await asyncio.to_thread(at_second, second)

    await asyncio.gather(clock(), *(one(number, request) for number, request in enumerate(requests)))
    return answers


def send(
    requests: Sequence[bytes],
    rate: float,
    at_second: Callable[[int], None] | None = None,
    *,
    expected: bytes = b"200",
) -> Answers:
    """Send each request when it is due, on a connection of its own; `at_second` is called each second."""
    return asyncio.run(_send(requests, rate, at_second or (lambda _: None), expected))


def health_requests(count: int) -> list[bytes]:
    """The baseline: the same server, asked whether it stands."""
    return [f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nConnection: close\r\n\r\n".encode()] * count


def hook_requests(paths: Sequence[str], count: int, *, first: int, now: datetime) -> list[bytes]:
    """Signed events, each of a call of its own, spread over the connections."""
    chance = random.Random(first)
    found = []
    for number in range(first, first + count):
        body = json.dumps(
            {
                "id": number,
                "start_time": (now - timedelta(seconds=chance.randrange(86400))).isoformat(),
                "direction": "inbound",
                "duration": str(chance.randrange(600)),
                "answered": True,
                "customer_phone_number": f"+1404{2000000 + chance.randrange(CALLERS)}",
                "tracking_phone_number": f"+1404555{100 + chance.randrange(20):04}",
                "source_name": "Google Ads",
                "recording": f"https://app.callrail.com/calls/{number}/recording?access_key={number}",
                "note": "x" * 1200,
            }
        ).encode()
        signature = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha1")).decode()
        head = (
            f"POST {paths[number % len(paths)]} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nSignature: {signature}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


# --- The place ------------------------------------------------------------------------------------------


def prepare() -> tuple[Any, list[str]]:
    """An agency with clients and a connection each; returns it and the paths of the connections."""
    from callprivacy.calls.services import connections
    from callprivacy.tenancy.scope import job_scope
    from tests import make

    now = datetime.now(UTC)
    agency = make.agency("Benchmark", at=now)
    paths = []
    for number in range(CLIENTS):
        client = make.client(agency, f"Client {number}", at=now)
        with job_scope(agency_id=agency.pk):
            connection = connections.create_connection(
                client=client, provider="callrail", name="Main", secret=SECRET, by=make.JOB, at=now
            )
        paths.append(f"/hooks/callrail/{connection.key}/")
    return agency, paths


def count(agency: Any) -> tuple[int, int]:
    """How many calls there are, and how many events still wait."""
    from callprivacy.calls.models import Call, Inbox
    from callprivacy.tenancy.scope import job_scope

    with job_scope(agency_id=agency.pk):
        return Call.objects.count(), Inbox.objects.count()


def wait_until_empty(agency: Any) -> float:
    """Seconds until nothing waits in the inbox."""
    began = time.monotonic()
    while count(agency)[1]:
        if time.monotonic() - began > 2 * EMPTY_WITHIN:
            break
        time.sleep(0.25)
    return time.monotonic() - began


# --- The benchmark --------------------------------------------------------------------------------------


def show(name: str, figures: tuple[float, float, float], note: str = "") -> None:
    print(f"{name:44} {figures[0]:8.1f} {figures[1]:8.1f} {figures[2]:8.1f}  {note}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with servers.started(STATE):
        agency, paths = prepare()
        processes = Processes(STATE)
        try:
            processes.start()
            return measure(agency, paths, processes, asked.rate, asked.seconds)
        finally:
            processes.end()


def measure(agency: Any, paths: list[str], processes: Processes, rate: int, seconds: int) -> int:
    """The baseline, the steady run and the run with both ends failing."""
    now = datetime.now(UTC)
    total = rate * seconds
    send(hook_requests(paths, rate, first=10**9, now=now), 50)
    wait_until_empty(agency)
    before = count(agency)[0]

    print(f"{'milliseconds, at ' + str(rate) + ' a second':44} {'p50':>8} {'p95':>8} {'p99':>8}")
    health = send(health_requests(rate * min(seconds, 20)), rate)
    show("baseline: /healthz of the same server", health.figures())
    steady = send(hook_requests(paths, total, first=0, now=now), rate)
    waited = wait_until_empty(agency)
    calls = count(agency)[0] - before
    ratio = steady.figures()[2] / health.figures()[2]
    show(
        f"acknowledged in {seconds} s, worker running",
        steady.figures(),
        f"p99 {ratio:.2f} of the baseline's; inbox empty {waited:.1f} s after; "
        f"{len(steady.took)} acknowledged, {calls} calls, {len(steady.failed)} not acknowledged",
    )

    broken = outage(agency, paths, processes, rate, seconds, first=total)
    missed = (
        steady.figures()[2] >= P99_AT_MOST
        or waited > EMPTY_WITHIN
        or calls < len(steady.took)
        or bool(steady.failed)
        or broken
    )
    print("a goal is missed" if missed else "every goal is met")
    return int(missed)


def outage(
    agency: Any, paths: list[str], processes: Processes, rate: int, seconds: int, *, first: int
) -> bool:
    """Kill the worker, then Valkey, bring both back, and count; returns whether anything was lost."""
    before = count(agency)[0]
    valkey = services.Valkey(services.Place.of(STATE))
    fifth = max(seconds // 5, 1)
    happens: dict[int, Callable[[], None]] = {
        fifth: lambda: processes.kill("worker"),
        2 * fifth: lambda: kill_valkey(valkey),
        3 * fifth: lambda: processes.bring_back("worker"),
        # It outlives the thread that starts it.
        4 * fifth: lambda: valkey.start(stays=True),
    }
    now = datetime.now(UTC)
    try:
        answers = send(
            hook_requests(paths, rate * seconds, first=first, now=now),
            rate,
            lambda second: happens.get(second, lambda: None)(),
        )
        waited = wait_until_empty(agency)
    finally:
        processes.end()
        valkey.stop()
    calls = count(agency)[0] - before
    show(
        "the same, worker and Valkey killed midway",
        answers.figures(),
        f"inbox empty {waited:.1f} s after; {len(answers.took)} acknowledged, {calls} calls, "
        f"{len(answers.failed)} not acknowledged",
    )
    return calls < len(answers.took) or bool(answers.failed)


def kill_valkey(valkey: services.Valkey) -> None:
    """As a crash does: what it had not written yet is gone."""
    with redis.Redis.from_url(valkey.url()) as client:
        os.kill(client.info("server")["process_id"], signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
