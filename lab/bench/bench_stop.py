"""
From the text STOP to a check that says no: each text goes signed to the public door that Twilio uses, and the interface
for programs is asked at once, again and again, until it refuses. Web, worker and beat of the Procfile run, on servers
with production's durability; the worker carries each withdrawal on meanwhile.

The clock runs from before the text is sent to the answer that says no. The baseline is the same door and one check with
a text that withdraws nothing.
"""

import argparse
import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from lab.bench import servers
from lab.bench.bench_webhook import PORT, Processes, show
from lab.bench.ground import quantile

TEXTED: Final = "+14045550199"
ACCOUNT: Final = "AC" + "5" * 32
SECRET: Final = "0123456789abcdef0123456789abcdef"  # noqa: S105 of this benchmark alone
WITHIN: Final = 1_000.0
GIVEN_UP: Final = 30.0
STATE: Final = servers.ROOT / ".state" / "bench-stop"


@dataclass(frozen=True)
class Place:
    """A client with callers who agreed, its door for texts, and the key of a system of it."""

    agency_id: int
    path: str
    url: str
    key: str
    numbers: list[str]


@dataclass
class Stopped:
    """Milliseconds from the text to the no, how often it was asked, and what went wrong."""

    took: list[float] = field(default_factory=list)
    asked: int = 0
    failed: list[str] = field(default_factory=list)

    def figures(self) -> tuple[float, float, float]:
        """p50, p95 and p99 in milliseconds."""
        return quantile(self.took, 0.5), quantile(self.took, 0.95), quantile(self.took, 0.99)


def prepare(count: int) -> Place:
    """Callers who all agreed to being recorded and contacted, at a client that takes texts."""
    from django.conf import settings

    from callprivacy.accounts.enums import ApiScope, Role
    from callprivacy.accounts.services import api_keys
    from callprivacy.calls.services import connections, people
    from callprivacy.lib.scope import Actor
    from callprivacy.tenancy.scope import job_scope
    from consent.enums import Channel, EventKind, Purpose, Strength
    from consent.services import ledger
    from consent.services.ledger import Said
    from tests import make

    now = datetime.now(UTC)
    agency = make.agency("Benchmark", at=now)
    officer = make.person(agency, "officer", Role.OFFICER, at=now)
    client = make.client(agency, "Client", at=now, places=[("US", "CA")])
    make.tracking_number(client, TEXTED, at=now, provider="twilio")
    numbers = [f"+1404{2_000_000 + number}" for number in range(count)]
    with job_scope(agency_id=agency.pk):
        connection = connections.create_connection(
            client=client, provider="twilio", name="Main", secret=SECRET, by=make.JOB, at=now
        )
        callers = people.add_callers(client=client, numbers=numbers, at=now)
        said = [
            Said(
                purpose=purpose, kind=EventKind.GIVEN, channel=Channel.WEB, strength=Strength.C,
                happened_at=now - timedelta(days=30), source=number, caller_id=caller_id,
                evidence={"words": "You may record my calls, and call me."},
            )
            for number, caller_id in callers.items()
            for purpose in (Purpose.RECORD, Purpose.CONTACT)
        ]  # fmt: skip
        ledger.record_events(client=client, said=said, by=make.JOB, at=now)
    with job_scope(agency_id=agency.pk):
        made = api_keys.create_key(
            client=client,
            name="Dialler",
            scopes=list(ApiScope),
            by=Actor.staff(user_id=officer.user_id),
            at=now,
        )
    path = f"/twilio/{connection.key}/sms/"
    return Place(agency.pk, path, f"{settings.CALLPRIVACY_URL}{path}", made.text, numbers)


def post(path: str, body: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    line = http.client.HTTPConnection("127.0.0.1", PORT, timeout=GIVEN_UP)
    try:
        line.request("POST", path, body, headers)
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


def text(place: Place, number: str, words: str) -> int:
    """Somebody texts, and Twilio tells us of it; returns what was answered."""
    from callprivacy.calls.providers import twilio

    said = {
        "MessageSid": f"SM{os.urandom(16).hex()}", "AccountSid": ACCOUNT, "From": number, "To": TEXTED,
        "Body": words, "NumMedia": "0",
    }  # fmt: skip
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": twilio.signature(place.url, said, SECRET),
    }
    return post(place.path, urlencode(said), headers)[0]


def ask(place: Place, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the interface answers of one number."""
    headers = {"Authorization": f"Bearer {place.key}", "Content-Type": "application/json"}
    status, content = post(f"/api/v1/{path}", json.dumps(body), headers)
    if status != 200:
        raise SystemExit(f"The interface answered {status}: {content.decode(errors='replace')[:300]}")
    (answer,) = json.loads(content)["answers"]
    found: dict[str, Any] = answer
    return found


def may_record(place: Place, number: str) -> bool:
    """Whether a call of this number may be recorded now."""
    found = ask(place, "consent/check", {"number": number, "purposes": ["record"]})
    return bool(found["decisions"]["record"]["allowed"])


def stop(place: Place, numbers: Sequence[str], words: str, *, is_no: bool) -> Stopped:
    """Text from each number, one after the other, and ask until the answer is as it has to be."""
    found = Stopped()
    for number in numbers:
        begin = time.perf_counter()
        status = text(place, number, words)
        if status != 200:
            found.failed.append(str(status))
            continue
        while True:
            found.asked += 1
            if may_record(place, number) is not is_no:
                found.took.append((time.perf_counter() - begin) * 1000)
                break
            if time.perf_counter() - begin > GIVEN_UP:
                found.failed.append("never")
                break
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=300)
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with servers.started(STATE):
        place = prepare(2 * asked.texts + 20)
        processes = Processes(STATE)
        try:
            processes.start()
            return measure(place, asked.texts)
        finally:
            processes.end()


def measure(place: Place, count: int) -> int:
    """The baseline, then a STOP from each number; every one has to be refused for contact, too."""
    warm, idle, stopping = (
        place.numbers[:20],
        place.numbers[20 : 20 + count],
        place.numbers[20 + count :],
    )
    stop(place, warm, "STOP", is_no=True)
    before = sum(may_record(place, number) for number in stopping)

    print(
        f"{'milliseconds, ' + str(count) + ' texts one after the other':44} {'p50':>8} {'p95':>8} {'p99':>8}"
    )
    baseline = stop(place, idle, "Thanks, see you on Monday", is_no=False)
    show("baseline: a text that withdraws nothing", baseline.figures(), f"{len(baseline.failed)} failed")
    stopped = stop(place, stopping, "STOP", is_no=True)
    contacted = [ask(place, "contact/check", {"number": number, "purpose": "service"}) for number in stopping]
    still = sum(bool(answer["allowed"]) for answer in contacted)
    ratio = stopped.figures()[0] / baseline.figures()[0]
    show(
        "STOP to a check that says no, worker running",
        stopped.figures(),
        f"p50 {ratio:.2f} of the baseline's; slowest {max(stopped.took):.1f}; {stopped.asked / count:.2f} checks each; "
        f"{before} of {count} allowed before, {still} may be contacted after; {len(stopped.failed)} failed",
    )
    missed = (
        stopped.figures()[2] >= WITHIN
        or bool(stopped.failed or baseline.failed)
        or before < count
        or still > 0
    )
    print("the goal is missed" if missed else "the goal is met")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
