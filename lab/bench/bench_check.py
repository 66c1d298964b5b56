"""
What a dialler waits for: 200 checks a second over loopback, of one number each, and then of 1,000 at once, to the
processes of the Procfile on servers with production's durability.

Half the numbers are known, with a ledger and a list of numbers that said no; the other half nobody has seen. How long
an answer takes is counted from when the question was due. The baseline is the same server refusing a GET of the same
address at the same rate, which passes everything before the question (docs/adr/0159): a check takes at most 2.5 times
its p50 and 3.5 times its p99, and a thousand numbers less than 40 times its p50 at p95. Beside the thousand stands
decide() alone, in this process, a thousand times; beside the baseline, /healthz.
"""

import argparse
import json
import random
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any, Final

from lab.bench import servers
from lab.bench.bench_webhook import PORT, Answers, Processes, health_requests, send, show
from tools import run

CALLERS: Final = 3_000
# Of the baseline in the same run: its p50, its p99, and for 1,000 numbers at p95 its p50.
P50_AT_MOST: Final = 2.5
P99_AT_MOST: Final = 3.5
THOUSAND_BELOW: Final = 40.0
STATE: Final = servers.ROOT / ".state" / "bench-check"


@dataclass(frozen=True)
class Place:
    """
    A client with its callers, and the keys of its systems: one each for what is measured, since a key may ask about
    60,000 numbers a minute.
    """

    keys: list[str]
    known: list[str]


def prepare() -> Place:
    """Fill a client's ledger: seven of ten callers agreed to being recorded and contacted, three took it back."""
    from callprivacy.accounts.enums import ApiScope, Role
    from callprivacy.accounts.services import api_keys
    from callprivacy.calls.services import people
    from callprivacy.lib.scope import Actor
    from callprivacy.tenancy.scope import job_scope
    from consent.enums import Channel, EventKind, Purpose, Strength
    from consent.services import ledger
    from consent.services.ledger import Said
    from tests import make

    now = datetime.now(UTC)
    agency = make.agency("Benchmark", at=now)
    officer = make.person(agency, "officer", Role.OFFICER, at=now)
    client = make.client(agency, "Client", at=now, places=[("US", "CA"), ("US", "NV")])
    codes = ("404", "212", "415", "305", "312")
    numbers = [f"+1{codes[number % 5]}{2_000_000 + number}" for number in range(CALLERS)]
    for part in batched(numbers, 500):
        with job_scope(agency_id=agency.pk):
            callers = people.add_callers(client=client, numbers=part, at=now)
            said = []
            for number, caller_id in callers.items():
                for purpose in (Purpose.RECORD, Purpose.CONTACT):
                    for kind, age in ((EventKind.GIVEN, 30), (EventKind.WITHDRAWN, 3)):
                        if kind is EventKind.GIVEN or int(number[-1]) < 3:
                            said.append(
                                Said(
                                    purpose=purpose, kind=kind, channel=Channel.WEB, strength=Strength.C,
                                    happened_at=now - timedelta(days=age), source=f"{number} {age}",
                                    caller_id=caller_id, evidence={"words": "You may record my calls."},
                                )
                            )  # fmt: skip
            ledger.record_events(client=client, said=said, by=make.JOB, at=now)
    with job_scope(agency_id=agency.pk):
        made = [
            api_keys.create_key(
                client=client,
                name=f"Dialler {number}",
                scopes=list(ApiScope),
                by=Actor.staff(user_id=officer.user_id),
                at=now,
            )
            for number in range(4)
        ]
    return Place([one.text for one in made], numbers)


def requests(path: str, key: str, bodies: Sequence[dict[str, Any]]) -> list[bytes]:
    """Questions as they go over the wire, each on a connection of its own."""
    found = []
    for body in bodies:
        text = json.dumps(body).encode()
        head = (
            f"POST /api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nConnection: close\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n"
        )
        found.append(head.encode() + text)
    return found


def refused_requests(count: int) -> list[bytes]:
    """The baseline: what goes the way of a question and asks nothing."""
    head = f"GET /api/v1/consent/check HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nConnection: close\r\n\r\n"
    return [head.encode()] * count


def some(place: Place, count: int, chance: random.Random) -> list[str]:
    """Numbers, every other one known."""
    return [
        chance.choice(place.known) if index % 2 else f"+1404{chance.randrange(3_000_000, 9_999_999)}"
        for index in range(count)
    ]


def thousand(place: Place, path: str, key: str, more: dict[str, Any], rounds: int) -> Answers:
    """A thousand numbers, again and again, one question at a time."""
    chance = random.Random(7)
    answers = Answers()
    for _ in range(rounds):
        one = send(requests(path, key, [{"numbers": some(place, 1000, chance), **more}]), 1000)
        answers.took += one.took
        answers.failed += one.failed
    return answers


def decide_alone() -> float:
    """Milliseconds for a thousand decisions in this process."""
    from consent.decide import Place as Where
    from consent.decide import Question, decide
    from consent.enums import Purpose
    from consent.law import load_pack

    rules, now = load_pack(), datetime.now(UTC)
    question = Question(
        Purpose.RECORD, now, places=(Where("US", "CA", "area_code"), Where("US", "NV", "office"))
    )
    decide(question, rules)
    begin = time.perf_counter()
    for _ in range(1000):
        decide(question, rules)
    return (time.perf_counter() - begin) * 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=30)
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with servers.started(STATE) as postgres:
        place = prepare()
        # What is filled in one go has no statistics yet; a minute later it would.
        postgres.sql("ANALYZE", database=run.DATABASES[""])
        processes = Processes(STATE)
        try:
            processes.start()
            return measure(place, asked.rate, asked.seconds)
        finally:
            processes.end()


def measure(place: Place, rate: int, seconds: int) -> int:
    """The baseline, one number at a time, a thousand at once."""
    chance = random.Random(1)
    record, market = {"purposes": ["record"]}, {"purpose": "marketing"}
    single = [{"number": number, **record} for number in some(place, rate * seconds, chance)]
    dialled = [{"number": number, **market} for number in some(place, rate * 10, chance)]
    one, other, many, others = place.keys
    send(requests("consent/check", other, single[: rate * 3]), 100)

    print(f"{'milliseconds, at ' + str(rate) + ' a second':44} {'p50':>8} {'p95':>8} {'p99':>8}")
    show("/healthz of the same server", send(health_requests(rate * 10), rate).figures())
    refused = send(refused_requests(rate * 10), rate, expected=b"405")
    show("baseline: a GET of the same address, refused", refused.figures(), refused.failures())
    checked = send(requests("consent/check", one, single), rate)
    show("consent/check of one number", checked.figures(), of_one(checked, refused))
    contacted = send(requests("contact/check", other, dialled), rate)
    show("contact/check of one number", contacted.figures(), of_one(contacted, refused))

    print(f"{'milliseconds, one after the other':44} {'p50':>8} {'p95':>8} {'p99':>8}")
    print(f"{'baseline: decide() alone, 1,000 times':44} {decide_alone():8.1f}")
    thousands = thousand(place, "consent/check", many, record, 60)
    show("consent/check of 1,000 numbers", thousands.figures(), of_thousand(thousands, refused))
    dialled_thousands = thousand(place, "contact/check", others, market, 60)
    show(
        "contact/check of 1,000 numbers", dialled_thousands.figures(), of_thousand(dialled_thousands, refused)
    )

    missed = misses(refused, [checked, contacted], [thousands, dialled_thousands])
    print("a goal is missed" if missed else "every goal is met")
    return int(missed)


def of_one(answers: Answers, baseline: Answers) -> str:
    """How a check of one number stands to the baseline."""
    (p50, _, p99), (base50, _, base99) = answers.figures(), baseline.figures()
    return (
        f"p50 {p50 / base50:.2f} of the baseline's (at most {P50_AT_MOST}), "
        f"p99 {p99 / base99:.2f} (at most {P99_AT_MOST}); {answers.failures()}"
    )


def of_thousand(answers: Answers, baseline: Answers) -> str:
    """How a check of a thousand numbers stands to the baseline."""
    times = answers.figures()[1] / baseline.figures()[0]
    return f"p95 {times:.1f} of the baseline's p50 (below {THOUSAND_BELOW:g}); {answers.failures()}"


def misses(baseline: Answers, singles: Sequence[Answers], thousands: Sequence[Answers]) -> bool:
    """Whether a goal is missed."""
    base50, _, base99 = baseline.figures()
    return any(
        one.failed or one.figures()[0] > P50_AT_MOST * base50 or one.figures()[2] > P99_AT_MOST * base99
        for one in singles
    ) or any(one.failed or one.figures()[1] >= THOUSAND_BELOW * base50 for one in thousands)


if __name__ == "__main__":
    sys.exit(main())
