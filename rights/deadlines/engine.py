"""
Counts deadlines: the law's last day, the instant after it, and how both were found.

A day is a day of the client's zone: the day of receipt is the local day of the instant at which the request came in,
and a last day ends at its local midnight, however many hours it has.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from callprivacy.lib import calendars, zones
from consent.law import Confidence
from rights.deadlines import ground
from rights.deadlines.ground import Place
from rights.enums import Kind
from rights.law.book import Book, load
from rights.law.rows import Law, Span, Term, Unit

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2098
_RUNS_ON: Final = "The clock runs on while the person is asked what is meant."

type Pause = tuple[datetime, datetime]


class UnknownZoneError(LookupError):
    """There is no time zone of that name."""


class UnknownPlaceError(LookupError):
    """Nobody knows the public holidays of that place."""


class NoExtensionError(ValueError):
    """The law does not let this answer take longer."""


class OutOfRangeError(ValueError):
    """A request was received in a year that calendars do not reach."""


@dataclass(frozen=True, slots=True)
class End:
    """
    The end of a term.

    :ivar day: the last day in time, in the client's zone.
    :ivar at: the first instant that is too late, in UTC.
    :ivar counted: the last day before it was moved to a working day.
    """

    day: date
    at: datetime
    counted: date

    def __str__(self) -> str:
        return self.day.isoformat()


@dataclass(frozen=True, slots=True)
class Deadlines:
    """
    What a law wants by when; None where it sets no day.

    :ivar received_on: the local day of receipt.
    :ivar acknowledge_by: the person has heard that the request came in.
    :ivar answer_by: the person has the answer.
    :ivar extend_before: the person has been told by then, with the reason, that it takes longer; None: it may not.
    :ivar appeal_by: an appeal, where there is one, is answered.
    :ivar terms: ids of the terms that decided. :ivar why: sentences.
    :ivar stands: whether the answer has no day because its clock stands.
    :ivar in_force_from: the day from which the law or its term holds, where the request came in before it.
    """

    law: Law
    kind: Kind
    received_on: date
    acknowledge_by: End | None
    answer_by: End | None
    extend_before: End | None
    appeal_by: End | None
    terms: tuple[str, ...]
    why: tuple[str, ...]
    stands: bool = False
    in_force_from: date | None = None


@dataclass(slots=True)
class _Count:
    """One count: from which day, where, and the sentences that come of it."""

    term: Term
    start: date
    zone: ZoneInfo
    where: Place
    paused_days: int = 0
    why: list[str] = field(default_factory=list)

    def end_of(self, span: Span, what: str) -> End:
        counted = self._add(span) + timedelta(days=self.paused_days)
        day = counted
        if self.term.counting.moves:
            day = calendars.working_day_from(counted, country=self.where[0], region=self.where[1])
        self._explain(span, what, counted, day)
        return End(day, calendars.end_of(day, self.zone), counted)

    def stand(self, days: int) -> None:
        """Let the clock stand for so many days in all."""
        if days != self.paused_days:
            self.why.append(f"The clock stood for {days} day{'' if days == 1 else 's'}.")
        self.paused_days = days

    def _add(self, span: Span) -> date:
        if span.unit is Unit.MONTHS:
            return calendars.add_months(self.start, span.count)
        if span.unit is Unit.DAYS:
            return self.start + timedelta(days=span.count)
        return calendars.add_working_days(self.start, span.count, country=self.where[0], region=self.where[1])

    def _explain(self, span: Span, what: str, counted: date, day: date) -> None:
        within = f"within {span}" if span.count else "at once"
        self.why.append(f"{what} {within}: by the end of {_words(day)}.")
        if span.unit is Unit.WORKING_DAYS:
            self.why.append(
                f"Working days leave out weekends and the holidays of {ground.words(self.where)}."
            )
        if span.unit is Unit.MONTHS and not self.paused_days and counted.day != self.start.day:
            self.why.append(f"There is no {self.start.day} in that month, so its last day counts.")
        if day != counted:
            self.why.append(
                f"{_words(counted)} is no working day in {ground.words(self.where)}, so it moves to {_words(day)}."
            )


def deadlines_of(
    law: str,
    kind: str,
    received_at: datetime,
    zone: str,
    *,
    paused: Iterable[Pause] = (),
    standing_since: datetime | None = None,
    extended: bool = False,
    identified_at: datetime | None = None,
    appealed_at: datetime | None = None,
    place: Place | None = None,
    book: Book | None = None,
) -> Deadlines:
    """
    By when one law wants one request acknowledged and answered.

    :param law: its name in the book ("gdpr", "ccpa", "iowa") or an alias.
    :param kind: a value of `Kind`, or another word for it ("erasure").
    :param received_at: when the request first came in, with an offset.
    :param zone: the client's time zone, whose days are counted.
    :param paused: from when until when the person was asked, and had not yet said, what is meant; counts only by laws
        that stop the clock for it, and as far as the clock still ran: the days from the one to the other.
    :param standing_since: since when the person is being asked what is meant; laws that stop the clock for it set no
        day then, unless the clock had run out before.
    :param extended: the answer takes longer, and the person was told in time.
    :param identified_at: when the person had proven who asks; counts only by laws whose clock starts then.
    :param appealed_at: when an appeal came in.
    :param place: where the client is, as (country, region), where its zone does not say whose holidays it keeps.
    :raises UnknownLawError, UnknownKindError, UnknownZoneError, UnknownPlaceError: there is none of that name.
    :raises NoExtensionError: `extended`, and the law knows no longer time.
    :raises OutOfRangeError: the year is not within what calendars reach.
    """
    book = book or load()
    found = book.law(law)
    here = zone_of(zone)
    if place is not None and not ground.is_place(place):
        raise UnknownPlaceError(
            f"Nobody knows the holidays of {'-'.join(filter(None, place)) or 'no place'}."
        )
    received_on = _local(received_at, here)
    asked = book.kind(kind)
    term = book.term(found, asked, received_on)
    why = _opening(found, term, asked, received_on, zone)
    start = _start(term, received_on, identified_at, here, why)
    count = _Count(term, start, here, ground.calendar_of(term.holidays, zone, place), why=why)
    acknowledge_by = count.end_of(term.acknowledge, "Acknowledged") if term.acknowledge else None
    answer_by, extend_before = _answer(count, found, paused, extended=extended)
    stands = answer_by is not None and _stands(count, standing_since, extended=extended)
    ids, appeal_by = [term.id], None
    if appealed_at is not None:
        appeal = book.term(found, Kind.APPEAL, _local(appealed_at, here))
        ids.append(appeal.id)
        appeal_by = _appeal(appeal, _local(appealed_at, here), here, why)
    why += _closing(book, ids)
    return Deadlines(
        found,
        asked,
        received_on,
        acknowledge_by,
        None if stands else answer_by,
        extend_before,
        appeal_by,
        tuple(ids),
        tuple(why),
        stands,
        _comes(found, term, received_on),
    )


def zone_of(name: str) -> ZoneInfo:
    """
    The time zone of that name.

    :raises UnknownZoneError: the time zone database has none.
    """
    if name not in zones.known():
        raise UnknownZoneError(f'There is no time zone "{name}"; write one such as Europe/Berlin.')
    return ZoneInfo(name)


def _local(at: datetime, zone: ZoneInfo) -> date:
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()} has no offset.")
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise OutOfRangeError(f"{at.isoformat()} is not between {FIRST_YEAR} and {LAST_YEAR}.")
    return at.astimezone(zone).date()


def _comes(law: Law, term: Term, received_on: date) -> date | None:
    """The day from which a law and its term hold, where a request was received before it."""
    first = max(filter(None, (law.since, term.since)))
    return first if received_on < first else None


def _opening(law: Law, term: Term, kind: Kind, received_on: date, zone: str) -> list[str]:
    why = [f"{term.citation}.", f"Received on {_words(received_on)} ({zone})."]
    if (first := _comes(law, term, received_on)) is not None:
        why.append(f"It holds only since {_words(first)}, and is counted by as if it had held already.")
    if kind in term.silent_on:
        why.append(f"{law.name} grants no such right; that it is refused, and why, is said by the same day.")
    why.append(term.counting.words)
    if term.words:
        why.append(term.words)
    return why


def _start(
    term: Term, received_on: date, identified_at: datetime | None, zone: ZoneInfo, why: list[str]
) -> date:
    """The day from which the term runs: of receipt, or of proof where the law waits for it."""
    if identified_at is None:
        return received_on
    proven_on = _local(identified_at, zone)
    if not term.starts_when_identified:
        why.append("The clock does not wait until it is proven who asks.")
        return received_on
    if proven_on > received_on:
        why.append(f"It was proven on {_words(proven_on)} who asks; the clock starts then.")
    return max(received_on, proven_on)


def _answer(
    count: _Count, law: Law, paused: Iterable[Pause], *, extended: bool
) -> tuple[End | None, End | None]:
    term = count.term
    if extended and term.extension is None:
        raise NoExtensionError(f"{law.name} does not let this answer take longer ({term.id}).")
    if term.answer is None:
        return None, None
    pauses = [_days_of(pause, count) for pause in paused]
    if pauses and not term.pauses:
        count.why.append(_RUNS_ON)
        pauses = []
    count.stand(_paused_days(count, term.answer, pauses))
    first = count.end_of(term.answer, "Answered")
    if term.extension is None:
        return first, None
    count.why.append(
        f"An extension of {term.extension} requires that you notify the person of the reason by {_words(first.day)}."
    )
    if not extended:
        return first, first
    full = term.answer.plus(term.extension)
    count.stand(_paused_days(count, full, pauses))
    return count.end_of(full, "Extended: answered"), first


def _stands(count: _Count, since: datetime | None, *, extended: bool) -> bool:
    """Whether the clock of an answer that was counted stands: the law lets it, and it had not run out before."""
    term = count.term
    if since is None or term.answer is None:
        return False
    if not term.pauses:
        if _RUNS_ON not in count.why:
            count.why.append(_RUNS_ON)
        return False
    span = term.answer.plus(term.extension) if extended and term.extension else term.answer
    start = max(_local(since, count.zone), count.start)
    if start > count._add(span) + timedelta(days=count.paused_days):
        count.why.append("The clock had run out before the person was asked what is meant.")
        return False
    count.why.append(f"Since {_words(start)} the clock is paused until the person clarifies the request.")
    return True


def _days_of(pause: Pause, count: _Count) -> tuple[date, date]:
    start, end = pause
    if end < start:
        raise ValueError(f"A pause ends at {end.isoformat()}, before it begins.")
    return max(_local(start, count.zone), count.start), _local(end, count.zone)


def _paused_days(count: _Count, span: Span, pauses: list[tuple[date, date]]) -> int:
    """
    How many days the clock stood; days in two pauses count once.

    Later pauses count only if the clock, with the earlier ones, had not run out. The statute leaves out the first and
    the last day of a pause both; the ICO counted the days from the one to the other, which is sooner by a day.
    """
    days, covered = 0, count.start
    last = count._add(span)
    for start, end in sorted(pauses):
        if start > last + timedelta(days=days):
            break
        days += max((end - max(start, covered)).days, 0)
        covered = max(covered, end)
    return days


def _appeal(term: Term, appealed_on: date, zone: ZoneInfo, why: list[str]) -> End | None:
    count = _Count(term, appealed_on, zone, ground.calendar_of(term.holidays, "", None), why=why)
    return count.end_of(term.answer, "Appeal answered") if term.answer else None


def _closing(book: Book, ids: list[str]) -> list[str]:
    doubtful = [
        term.citation for term in book.terms if term.id in ids and term.confidence is not Confidence.VERIFIED
    ]
    return (
        [f"Counted by terms that are not yet verified: {'; '.join(dict.fromkeys(doubtful))}."]
        if doubtful
        else []
    )


def _words(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"
