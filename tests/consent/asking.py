"""Questions to the engine, short enough to stand in a table."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from consent.decide import Answer, CallSpan, Event, Place, Question, decide
from consent.enums import Basis, Channel, EventKind, Purpose, Scope, Standard, Strength
from consent.law import Rule, Rules, digest_of, load_pack

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

SILENT = CallSpan(NOON)
"""A call at noon on which nothing was announced."""

TEXAS = Place("US", "TX", "address")
CALIFORNIA = Place("US", "CA", "address")
GERMANY = Place("DE", "", "address")
UNKNOWN = Place("", "", "address")


def event(
    kind: str,
    at: datetime,
    *,
    purpose: str = "record",
    scope: str = "standing",
    channel: str = "web",
    basis: str = "",
    strength: str | None = None,
    call_id: str | None = None,
    guardian_until: date | None = None,
) -> Event:
    """An event; a notice rests on notice, everything else on consent, unless the test says otherwise."""
    return Event(
        purpose=Purpose(purpose),
        kind=EventKind(kind),
        basis=Basis(basis or ("notice" if kind == "noticed" else "consent")),
        channel=Channel(channel),
        scope=Scope(scope),
        at=at,
        strength=None if strength is None else Strength(strength),
        call_id=call_id,
        guardian_until=guardian_until,
    )


def ask(
    purpose: str = "record",
    *events: Event,
    places: tuple[Place, ...] = (TEXAS,),
    standard: str = "legal_minimum",
    at: datetime = NOON,
    call: CallSpan | None = SILENT,
    posted: bool = False,
    minor: bool = False,
    health: bool = False,
    declared: str = "legitimate_interests",
    rules: Rules | None = None,
    **more: Any,
) -> Answer:
    """Ask by the shipped rules, of a call at noon with a caller in Texas and nobody's standard above the law's."""
    question = Question(
        purpose=Purpose(purpose),
        at=at,
        call=call,
        places=places,
        events=events,
        posted_notice=posted,
        standard=Standard(standard),
        minor=minor,
        health=health,
        declared=Basis(declared),
        **more,
    )
    return decide(question, rules or load_pack())


def announced(**kwargs: object) -> CallSpan:
    """A call at noon on which it was announced."""
    return CallSpan(NOON, announcement=True, **kwargs)  # type: ignore[arg-type]  # facts of a table


def with_rows(*changed: Rule) -> Rules:
    """The shipped rules with some rows in place of those of the same id, and new ones."""
    rows = {rule.id: rule for rule in load_pack()} | {rule.id: rule for rule in changed}
    return Rules(rows.values(), version="test", digest=digest_of(rows.values()))
