"""
Decisions on one core, against reading the same questions from JSON with `json.loads`.

    python -m lab.bench.bench_decide [--questions 20000] [--rounds 5]

Every question is another one: purposes as they come on calls, callers of all states and some countries with an
area code and a site beside them, up to eight events of all purposes, every standard. Time is the process's own on
the processor, so a busy machine does not change it. Goal: at least 50,000 decisions a second.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from consent import law
from consent.decide import CallSpan, Event, Place, Question, decide
from consent.decide.ground import ground_of
from consent.enums import Basis, Channel, EventKind, Purpose, Scope, Standard
from consent.law import places

GOAL = 50_000
START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
KINDS = [EventKind.GIVEN] * 4 + [EventKind.NOTICED] * 2 + list(EventKind)
PURPOSES = [Purpose.RECORD] * 5 + [Purpose.REVIEW] * 2 + list(Purpose)


def main() -> int:
    """Measure, print the figure with its baseline; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    rules = law.load_pack()
    questions = [_question(random.Random(seed)) for seed in range(asked.questions)]
    lines = [_line(question) for question in questions]

    def decide_all() -> None:
        for question in questions:
            decide(question, rules)

    def read_all() -> None:
        for line in lines:
            json.loads(line)

    first = _a_second(decide_all, len(questions))
    # In turns, so that a slow moment of the processor does not fall on one of them alone.
    took = [
        (_a_second(decide_all, len(questions)), _a_second(read_all, len(lines))) for _ in range(asked.rounds)
    ]
    decided = statistics.median(pair[0] for pair in took)
    read = statistics.median(pair[1] for pair in took)
    allowed = sum(decide(question, rules).allowed for question in questions)
    events = sum(len(question.events) for question in questions) / len(questions)
    print(
        f"{len(questions):,} questions with {events:.1f} events each by {len(rules)} rules, "
        f"{allowed / len(questions):.0%} allowed; median of {asked.rounds} rounds"
    )
    print(f"decide(), places seen before:    {decided:>9,.0f} a second of processor time")
    print(
        f"decide(), every place the first: {first:>9,.0f} a second ({ground_of.cache_info().currsize:,} combinations)"
    )
    print(f"json.loads of the same question: {read:>9,.0f} a second")
    print(f"ratio of decide() to json.loads {decided / read:.2f}")
    met = min(decided, first) >= GOAL
    print("met" if met else f"missed: {GOAL:,} a second")
    return int(not met)


def _a_second(work: Callable[[], None], count: int) -> float:
    begin = time.process_time()
    work()
    return count / (time.process_time() - begin)


def _question(chance: random.Random) -> Question:
    at = START + timedelta(seconds=chance.randrange(20 * 86_400))
    purpose = chance.choice(PURPOSES)
    state = chance.choice(list(places.REGIONS["US"]))
    caller = [Place("US", state, "address")] if chance.random() < 0.6 else []
    if chance.random() < 0.05:
        caller = [Place(chance.choice(sorted(places.MEMBERS)), "", "address")]
    return Question(
        purpose=purpose,
        at=at + timedelta(minutes=chance.randrange(60)),
        call=CallSpan(at, at + timedelta(seconds=chance.randrange(900)), announcement=chance.random() < 0.6),
        places=(
            *caller,
            Place("US", state, "area_code"),
            Place("US", chance.choice(["TX", "CA", "NY"]), "site"),
        ),
        events=tuple(_event(chance, at) for _ in range(chance.randrange(9))),
        posted_notice=chance.random() < 0.3,
        standard=chance.choice(list(Standard)),
    )


def _event(chance: random.Random, at: datetime) -> Event:
    kind = chance.choice(KINDS)
    return Event(
        purpose=chance.choice(PURPOSES),
        kind=kind,
        basis=Basis.NOTICE if kind is EventKind.NOTICED else Basis.CONSENT,
        channel=chance.choice(list(Channel)),
        scope=chance.choice(list(Scope)),
        at=at - timedelta(seconds=chance.randrange(-600, 40 * 86_400)),
    )


def _line(question: Question) -> str:
    """The question as `manage.py decide` reads it."""
    call = question.call
    return json.dumps(
        {
            "purpose": question.purpose,
            "at": question.at.isoformat(),
            "call": call and {"started_at": call.started_at.isoformat(), "announcement": call.announcement},
            "places": [
                {"country": place.country, "region": place.region, "evidence": place.evidence}
                for place in question.places
            ],
            "events": [
                {
                    "purpose": event.purpose,
                    "kind": event.kind,
                    "basis": event.basis,
                    "channel": event.channel,
                    "scope": event.scope,
                    "at": event.at.isoformat(),
                }
                for event in question.events
            ],
            "posted_notice": question.posted_notice,
            "standard": question.standard,
        }
    )


if __name__ == "__main__":
    sys.exit(main())
