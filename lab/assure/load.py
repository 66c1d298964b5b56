"""
`make load`: rates with p50, p95 and p99 over loopback to the processes of the Procfile, and nothing lost: every event
that was acknowledged is looked for by its own reference afterwards, and a lost one is planted.
"""

import argparse
import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.assure import tools
from lab.assure.rows import ROOT, STATE, Figure, Row, output_of

P99_STEADY, P95_PAGES, HEALTH_WITHIN = 250.0, 300.0, 1000.0
DAWDLERS, HEALTH_ASKED = 400, 20


@dataclass
class Answered:
    """By number of the request: its status (0: none came), and milliseconds since it was due."""

    status: dict[int, int] = field(default_factory=dict)
    took: dict[int, float] = field(default_factory=dict)

    def taken(self) -> list[int]:
        """The requests that were answered with 200."""
        return [number for number, status in self.status.items() if status == 200]

    def figures(self) -> tuple[float, float, float]:
        """p50, p95, p99 of what was answered with 200."""
        from lab.bench.ground import quantile

        times = [self.took[number] for number in self.taken()]
        return (
            (quantile(times, 0.5), quantile(times, 0.95), quantile(times, 0.99))
            if len(times) > 1
            else (0, 0, 0)
        )

    def said(self) -> str:
        """The figures, and what else was answered."""
        others = Counter(status for status in self.status.values() if status != 200)
        kinds = ", ".join(f"{count} answered {status or 'nothing'}" for status, count in others.items())
        p50, p95, p99 = self.figures()
        return f"p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms" + (f"; {kinds}" if kinds else "")


async def _send(port: int, requests: Sequence[bytes], rate: float, answered: Answered, **named: Any) -> None:
    began = time.perf_counter() + 0.2

    async def one(number: int, request: bytes) -> None:
        due = began + number / rate
        await asyncio.sleep(due - time.perf_counter())
        status = 0
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, **named)
            writer.write(request)
            word = (await asyncio.wait_for(reader.readline(), 30)).split(b" ", 2)[1:2]
            await asyncio.wait_for(reader.read(), 30)
            writer.close()
            status = int(word[0]) if word else 0
        except (OSError, TimeoutError, ValueError):
            status = 0
        answered.status[number] = status
        answered.took[number] = (time.perf_counter() - due) * 1000

    await asyncio.gather(*(one(number, request) for number, request in enumerate(requests)))


def send(port: int, requests: Sequence[bytes], rate: float) -> Answered:
    """Send each when it is due, on a connection of its own, whether or not the one before was answered."""
    answered = Answered()
    asyncio.run(_send(port, requests, rate, answered))
    return answered


# --- In a process of its own ------------------------------------------------------------------------------------------


class Installation:
    """Servers and processes with an agency that trackers call; what was acknowledged is remembered by its number."""

    def __init__(self, postgres: Any, processes: Any, state: Path) -> None:
        from lab.bench import bench_webhook

        self.postgres, self.processes, self.state = postgres, processes, state
        self.port = bench_webhook.PORT
        self.agency, self.paths = bench_webhook.prepare()
        self.acknowledged: set[int] = set()
        self.next = 1

    def events(self, count: int, rate: float) -> Answered:
        """So many signed events, each of a call of its own."""
        from lab.bench import bench_webhook

        requests = bench_webhook.hook_requests(self.paths, count, first=self.next, now=datetime.now(UTC))
        answered = send(self.port, requests, rate)
        self.acknowledged |= {self.next + number for number in answered.taken()}
        self.next += count
        return answered

    def settle(self) -> float:
        """Seconds until the inbox is empty."""
        from lab.bench import bench_webhook

        return bench_webhook.wait_until_empty(self.agency)

    def lost(self) -> list[int]:
        """Acknowledged events whose call is not there, found by the digest of the tracker's own number."""
        from callprivacy.calls.models import CallRef
        from callprivacy.tenancy.models import Client
        from callprivacy.tenancy.scope import job_scope
        from callprivacy.vault import selectors as vault

        with job_scope(agency_id=self.agency.pk):
            clients = list(Client.objects.order_by("pk").values_list("pk", flat=True))
            there = {
                client: {
                    bytes(one)
                    for one in CallRef.objects.filter(client_id=client, kind="id").values_list(
                        "digest", flat=True
                    )
                }
                for client in clients
            }
            tokens = {client: vault.client_keys(client).tokens for client in clients}
        return [
            number
            for number in sorted(self.acknowledged)
            if not any(tokens[one].digest("callrail", "id", str(number)) in there[one] for one in clients)
        ]

    def plant_a_loss(self) -> bool:
        """Take one call away by the superuser's hand; whether it is noticed."""
        self.postgres.sql(
            "SET session_replication_role = replica;"
            "DELETE FROM calls_callref WHERE id = (SELECT max(id) FROM calls_callref)",
            database=os.environ["DATABASE_URL"].rpartition("/")[2].partition("?")[0],
        )
        return len(self.lost()) == 1


def _installed(deed: Callable[[Installation], dict[str, Any]]) -> dict[str, Any]:
    from lab.assure import target
    from lab.bench import bench_webhook, servers

    bench_webhook.PORT = target.free_port()  # type: ignore[misc]  # another port for this trial
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    state = STATE / "load"
    with servers.started(state) as postgres:
        os.environ["CALLPRIVACY_URL"] = f"http://127.0.0.1:{bench_webhook.PORT}"
        servers.collect_static()
        processes = bench_webhook.Processes(state)
        try:
            processes.start()
            return deed(Installation(postgres, processes, state))
        finally:
            processes.end()


def _webhooks(at: Installation, seconds: float) -> dict[str, Any]:
    """Steady, then a burst, then the health asked through nginx while there others have sent half a request."""
    at.events(200, 50)
    steady = at.events(int(100 * seconds), 100)
    burst = at.events(500 * 10, 500)
    (health, held), (without, held_without) = _while_others_dawdle(at.port)
    waited = at.settle()
    lost = at.lost()
    total = len(at.acknowledged)
    failures = [f"{len(lost)} acknowledged events are lost: {lost[:5]}"] if lost else []
    if steady.figures()[2] >= P99_STEADY:
        failures.append(f"p99 at 100 a second: {steady.figures()[2]:.0f} ms")
    odd = {status for status in burst.status.values() if status not in {0, 200, 429, 502, 503}}
    if odd:
        failures.append(f"in the burst: {odd}")
    failures += of_dawdlers(health, held)
    said = (
        f"100 a second for {seconds:.0f} s: {steady.said()}; 500 a second for 10 s: {burst.said()}; inbox empty after"
        f" {waited:.0f} s; /.well-known/gpc.json at most {max(health.took.values()):.0f} ms through nginx beside {held}"
        f" connections there that dawdle; {total:,} acknowledged, {len(lost)} lost"
    )
    caught = [
        ("an acknowledged event whose call is taken away", at.plant_a_loss()),
        (
            "connections that dawdle with no nginx between",
            held_without == DAWDLERS and bool(of_dawdlers(without, held_without)),
        ),
        ("connections that nobody takes", bool(of_dawdlers(health, asyncio.run(_held_by_nobody())))),
    ]
    return {"said": said, "failures": failures, "trials": total, "caught": caught}


def of_dawdlers(health: Answered, held: int) -> list[str]:
    """What does not hold of a page beside so many connections that dawdle; fewer than were wanted try nothing."""
    failures = [] if held == DAWDLERS else [f"{held} of {DAWDLERS} connections were there to dawdle"]
    return failures + (
        [] if _is_well(health) else [f"/.well-known/gpc.json while others dawdled: {health.said()}"]
    )


def _is_well(health: Answered) -> bool:
    """Whether each question was answered with 200, within the second."""
    return len(health.taken()) == HEALTH_ASKED and max(health.took.values()) <= HEALTH_WITHIN


def _while_others_dawdle(port: int) -> tuple[tuple[Answered, int], tuple[Answered, int]]:
    """How a page was answered through deploy/nginx.conf while so many others dawdle there, and without it."""
    from lab.assure import edge

    tools.of_debian("nginx")
    conf = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    with edge.nginx("load", conf, web=port) as front:
        trusting = ssl.create_default_context(cafile=str(front.authority))
        through = asyncio.run(_dawdle(front.tls, of=port, ssl=trusting, server_hostname=edge.HOST))
    return through, asyncio.run(_dawdle(port, of=port))


async def _dawdle(port: int, *, of: int, **named: Any) -> tuple[Answered, int]:
    """
    Ask for /.well-known/gpc.json while others dawdle; how it was answered, and how many there were.

    :param of: the port of the product itself, whose name it answers to. :param named: how a connection is opened.
    """
    host, answered = f"127.0.0.1:{of}", Answered()
    held = await _held(port, host, **named)
    request = f"GET /.well-known/gpc.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    await _send(port, [request] * HEALTH_ASKED, 2, answered, **named)
    for writer in held:
        writer.close()
    return answered, len(held)


async def _held(port: int, host: str, **named: Any) -> list[asyncio.StreamWriter]:
    """Connections that were taken: half have sent a part of their headers, half a part of their body."""
    to_hook = f"POST /hooks/callrail/x/ HTTP/1.1\r\nHost: {host}\r\n"
    parts = (to_hook + "Content-Le", to_hook + "Content-Length: 1000\r\n\r\n{")
    held = []
    for number in range(DAWDLERS):
        with suppress(OSError):  # one that is not taken is missing in the count
            _, writer = await asyncio.open_connection("127.0.0.1", port, **named)
            writer.write(parts[number % 2].encode())
            held.append(writer)
    return held


async def _held_by_nobody() -> int:
    """How many are counted where nobody listens."""
    from lab.assure import target

    return len(await _held(target.free_port(), "nobody"))


def _pages(at: Installation, seconds: float) -> dict[str, Any]:
    """Staff open pages at ten a second while trackers call at fifty."""
    from django.conf import settings

    from callprivacy.accounts.enums import Role
    from callprivacy.tenancy.models import Client
    from callprivacy.tenancy.scope import job_scope
    from tests import make
    from tests.rules.world import browser_of

    at.events(2000, 200)
    at.settle()
    with job_scope(agency_id=at.agency.pk):
        clients = list(Client.objects.order_by("pk"))
    officer = make.person(at.agency, "officer", Role.OFFICER, at=datetime.now(UTC))
    for client in clients:
        make.grant(officer, client)
    cookie = browser_of(officer.user).cookies[settings.SESSION_COOKIE_NAME].value
    paths = ["/overview/", "/calls/", "/work/", f"/clients/{clients[0].slug}/", "/trail/", "/requests/"]
    requests = [
        f"GET {paths[number % len(paths)]} HTTP/1.1\r\nHost: 127.0.0.1:{at.port}\r\nConnection: close\r\n"
        f"Cookie: {settings.SESSION_COOKIE_NAME}={cookie}\r\n\r\n".encode()
        for number in range(int(10 * seconds))
    ]
    alone = send(at.port, requests, 10)
    failures = [] if alone.figures()[1] < P95_PAGES else [f"p95 of pages: {alone.figures()[1]:.0f} ms"]
    if len(alone.taken()) < len(requests):
        failures.append(f"{len(requests) - len(alone.taken())} pages were not answered with 200")
    bad = send(at.port, [request.replace(b"Cookie: ", b"Cookie: x") for request in requests[:5]], 10)
    caught = [("a page that is not answered with 200", len(bad.taken()) == 0)]
    said = f"{len(requests):,} pages at 10 a second over {len(at.acknowledged):,} calls: {alone.said()}"
    return {"said": said, "failures": failures, "trials": 0, "caught": caught}


def webhooks(seconds: float) -> Figure:
    """Events and connections that dawdle, where there is an nginx to put before the product."""
    try:
        tools.of_debian("nginx")
    except tools.NotHereError as error:
        return Figure("", skipped=str(error))
    return own("webhooks", seconds)


def own(name: str, seconds: float, *, module: str = "lab.assure.load") -> Figure:
    """One trial in a process of its own."""
    STATE.mkdir(parents=True, exist_ok=True)
    report = STATE / f"{name}.json"
    report.unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", module, name, str(report), str(seconds)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    output = output_of(process, seconds + 400)
    if output is None:
        os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate()
        return Figure(f"it did not end within {seconds + 400:.0f} s: {output.strip()[-200:]}", ended=False)
    if not report.exists():
        return Figure("", (f"{name} brought no figure: {output.strip()[-300:]}",))
    found = json.loads(report.read_text(encoding="utf-8"))
    caught = tuple((plant, was) for plant, was in found["caught"])
    return Figure(found["said"], tuple(found["failures"]), found["trials"], caught=caught)


def main(trials: dict[str, Callable[[Installation, float], dict[str, Any]]]) -> int:
    """Run one trial and write its figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=trials)
    parser.add_argument("report", type=Path)
    parser.add_argument("seconds", type=float)
    asked = parser.parse_args()
    found = _installed(lambda at: trials[asked.name](at, asked.seconds))
    asked.report.write_text(json.dumps(found), encoding="utf-8")
    return 0


ROWS: tuple[Row, ...] = (
    Row("8", "What is acknowledged is stored, also under more than there is power for",
        "signed events at 100 a second, a burst of 500 a second, connections that dawdle at nginx in front",
        "p99 below 250 ms at 100 a second; 0 acknowledged ones lost; /.well-known/gpc.json within 1 s",
        trial=lambda seconds: webhooks(min(max(seconds * 0.4, 20), 1800)), minutes=12),
    Row("28", "Pages are quick while there is much", "staff open pages at 10 a second", "p95 below 300 ms",
        trial=lambda seconds: own("pages", min(max(seconds * 0.3, 20), 1800)), minutes=8),
)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main({"webhooks": _webhooks, "pages": _pages}))
