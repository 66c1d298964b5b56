"""
What rules are about, which values a topic knows, and which of two values is the stricter.

A value is text in a file; `Topic.read` makes of it what programs use and refuses anything else. Strictness orders
the values of one topic, so that of several rules the strictest can be taken.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Any, Final

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NOT_ON_HOLIDAYS: Final = "; not on holidays"
_SPAN = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))? )?([0-2][0-9]:[0-5][0-9])-([0-2][0-9]:[0-5][0-9])")


class Topic(StrEnum):
    """What a rule is about."""

    RECORDING_CONSENT = "recording_consent"
    NOTICE_SUFFICES = "notice_suffices"
    TERMS_COUNT = "terms_count"
    CONTACT_CONSENT = "contact_consent"
    SHARING_CONSENT = "sharing_consent"
    ASKING_BY_MAIL = "asking_by_mail"
    MINORS = "minors"
    OWN_CONSENT_AGE = "own_consent_age"
    HEALTH = "health"
    QUIET_HOURS = "quiet_hours"
    CONTACTS_PER_DAY = "contacts_per_day"
    DO_NOT_CALL_YEARS = "do_not_call_years"
    OPT_OUT_DAYS = "opt_out_days"
    OPT_OUT_REACH = "opt_out_reach"
    WITHDRAWAL_DAYS = "withdrawal_days"
    WITHDRAWAL_WORDS = "withdrawal_words"
    CONFIRMATION_MINUTES = "confirmation_minutes"
    SALE_OPT_OUT_DAYS = "sale_opt_out_days"
    SALE_WAIT_MONTHS = "sale_wait_months"
    SIGNAL_HONOURED = "signal_honoured"
    SIGNAL_CONFIRMED = "signal_confirmed"
    VENDOR_USE = "vendor_use"
    EVIDENCE_MONTHS = "evidence_months"
    RECORDING_MONTHS = "recording_months"

    def read(self, text: str) -> Any:
        """
        What the value says: a word, a number, `Days`, `Hours` or a tuple of words.

        :raises ValueError: the topic has no such value; the message says which it has.
        """
        return _KINDS[self].read(text)

    def strictness(self, text: str) -> float:
        """The higher, the stricter; comparable within the topic alone."""
        kind = _KINDS[self]
        return kind.strictness(kind.read(text))

    @property
    def meaning(self) -> str:
        """The question that a rule of this topic answers, for people."""
        return _KINDS[self].meaning

    @property
    def note(self) -> str:
        """What the product does where it does not act on rules of this topic; "" where it does."""
        return _FOR_READING.get(self, "")


@dataclass(frozen=True, slots=True)
class Days:
    """A number of days; working days of the place, or of the calendar."""

    count: int
    business: bool

    def __str__(self) -> str:
        return f"{self.count} {'business' if self.business else 'calendar'} days"


@dataclass(frozen=True, slots=True)
class Hours:
    """
    Permitted calling hours in local time: for each weekday from Monday the spans of the day, each from a
    time up to a time; a day without spans is a day without calls.

    :ivar on_holidays: whether public holidays of the place are days like others.
    """

    week: tuple[tuple[tuple[time, time], ...], ...]
    on_holidays: bool = True

    def allow(self, weekday: int, moment: time) -> bool:
        """Whether a call may be made then; Monday is 0, the end of a span is exclusive."""
        return any(start <= moment < end for start, end in self.week[weekday])

    @property
    def minutes(self) -> int:
        """How many minutes of a week are open."""
        return sum(_minutes(end) - _minutes(start) for day in self.week for start, end in day)


@dataclass(frozen=True, slots=True)
class _Kind:
    meaning: str
    read: Callable[[str], Any]
    strictness: Callable[[Any], float]


def _words(meaning: str, *words: str) -> _Kind:
    """Words, the least strict first."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f'"{text}" is none of {", ".join(words)}')
        return text

    return _Kind(meaning, read, words.index)


def _number(meaning: str, *, longer_is_stricter: bool) -> _Kind:
    def read(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,4}", text) is None:
            raise ValueError(f'"{text}" is not a number of at most four digits')
        return int(text)

    return _Kind(meaning, read, float if longer_is_stricter else lambda number: -float(number))


def _days(meaning: str) -> _Kind:
    def read(text: str) -> Days:
        found = re.fullmatch(r"([0-9]{1,3}) (business|calendar)", text)
        if found is None:
            raise ValueError(f'"{text}" is not a number and "business" or "calendar"')
        return Days(int(found[1]), found[2] == "business")

    # Five working days are about a week; which is stricter never hangs on a holiday.
    return _Kind(meaning, read, lambda days: -days.count * (7 / 5 if days.business else 1))


def _hours(meaning: str) -> _Kind:
    # Less than a minute: whether holidays are free tells apart only what is open as long otherwise.
    return _Kind(meaning, _read_hours, lambda hours: -hours.minutes - 0.5 * hours.on_holidays)


def _read_hours(text: str) -> Hours:
    """
    `mon-fri 09:00-21:30; sat-sun 10:00-18:00`, or one span for all days; a day not named is closed. At the end
    `not on holidays` may stand.
    """
    week: list[list[tuple[time, time]]] = [[] for _ in _WEEKDAYS]
    spans, mark, after = text.partition(_NOT_ON_HOLIDAYS)
    if after:
        raise ValueError(f'"{after}" comes after "{mark}"')
    for part in spans.split(";"):
        days, start, end = _read_span(part.strip())
        for day in days:
            if week[day] and week[day][-1][1] > start:
                raise ValueError(f'"{part.strip()}" begins before the previous span has ended')
            week[day].append((start, end))
    return Hours(tuple(tuple(day) for day in week), on_holidays=not mark)


def _read_span(text: str) -> tuple[range, time, time]:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is not like "mon-fri 09:00-21:00"')
    first, last = found[1] or "mon", found[2] or found[1] or "sun"
    if first not in _WEEKDAYS or last not in _WEEKDAYS:
        raise ValueError(f'"{text}" names no weekday (mon to sun)')
    start, end = time.fromisoformat(found[3]), time.fromisoformat(found[4])
    days = range(_WEEKDAYS.index(first), _WEEKDAYS.index(last) + 1)
    if start >= end or not days:
        raise ValueError(f'"{text}" ends before it begins')
    return days, start, end


def _minutes(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def _list(meaning: str) -> _Kind:
    def read(text: str) -> tuple[str, ...]:
        words = tuple(word.strip() for word in text.split("|"))
        if not all(words) or len(set(words)) != len(words):
            raise ValueError(f'"{text}" is not a list of different words separated by |')
        return words

    return _Kind(meaning, read, len)


_FOR_READING: Final = {
    Topic.OPT_OUT_REACH: "Information only: an opt-out ends all calls and texts of the client in every location.",
    Topic.SIGNAL_HONOURED: "Information only: the signal is honored for all callers in every location.",
    Topic.SIGNAL_CONFIRMED: "Information only: all callers see that the signal was honored.",
    Topic.CONTACTS_PER_DAY: "Information only: CallPrivacy does not enforce this. It does not count calls and texts.",
    Topic.VENDOR_USE: "Information only: CallPrivacy does not enforce this. The vendor's contract governs it.",
    Topic.EVIDENCE_MONTHS: "Information only: CallPrivacy does not enforce this. Evidence has no end date.",
    Topic.RECORDING_MONTHS: "Information only: CallPrivacy does not enforce this. Clients have their own periods.",
}
"""Topics that decide nothing, and what happens instead: pages and files that show their rules say so."""

CAME_LATER: Final = frozenset({Topic.ASKING_BY_MAIL, Topic.CONTACTS_PER_DAY, Topic.OWN_CONSENT_AGE})
"""Topics of which packs that were imported before say nothing: who asks takes the shipped rules then (`contact`)."""

_KINDS: Final[dict[Topic, _Kind]] = {
    Topic.RECORDING_CONSENT: _words(
        "Parties that must consent before a call is recorded, listened to, or analyzed",
        "one_party",
        "informed",
        "all_party",
        "express_only",
    ),
    Topic.NOTICE_SUFFICES: _words(
        "Whether staying on the line after an announcement counts as consent", "yes", "recorded", "no"
    ),
    Topic.TERMS_COUNT: _words(
        "Whether a clause among general terms counts as consent", "count", "do_not_count"
    ),
    Topic.CONTACT_CONSENT: _words("Form of consent required for marketing contact", "express", "written"),
    Topic.SHARING_CONSENT: _words(
        "Requirement before a person's data is sold or shared", "opt_out", "consent"
    ),
    Topic.ASKING_BY_MAIL: _words(
        "Whether people without consent can be asked by email for consent to contact or sharing",
        "asking_is_free",
        "consent_first",
    ),
    Topic.MINORS: _words("Requirement if the caller is a minor", "express"),
    Topic.OWN_CONSENT_AGE: _number(
        "Age from which a person can consent without a guardian", longer_is_stricter=True
    ),
    Topic.HEALTH: _words("Requirement if the call is about health", "express"),
    Topic.QUIET_HOURS: _hours("Permitted calling hours in local time"),
    Topic.CONTACTS_PER_DAY: _number(
        "Maximum marketing calls and texts to a person in 24 hours", longer_is_stricter=False
    ),
    Topic.DO_NOT_CALL_YEARS: _number("Years to keep a do-not-call request", longer_is_stricter=True),
    Topic.OPT_OUT_DAYS: _days("Deadline to honor an opt-out of calls and texts"),
    Topic.OPT_OUT_REACH: _words(
        "Whether an opt-out ends messages of its category or all messages", "category", "all"
    ),
    Topic.WITHDRAWAL_DAYS: _days("Deadline to stop processing after consent is withdrawn"),
    Topic.WITHDRAWAL_WORDS: _list("Text message keywords that always count as an opt-out"),
    Topic.CONFIRMATION_MINUTES: _number(
        "Minutes within which one text can confirm an opt-out", longer_is_stricter=False
    ),
    Topic.SALE_OPT_OUT_DAYS: _days("Deadline to honor an opt-out of sale or sharing"),
    Topic.SALE_WAIT_MONTHS: _number(
        "Months before a person can be asked again to opt in to sale", longer_is_stricter=True
    ),
    Topic.SIGNAL_HONOURED: _words("Whether a browser's opt-out signal must be honored", "no", "yes"),
    Topic.SIGNAL_CONFIRMED: _words(
        "Whether the person must be able to see that the signal was honored", "no", "yes"
    ),
    Topic.VENDOR_USE: _words(
        "Whether a vendor can use calls for its own purposes", "unrestricted", "no_own_use"
    ),
    Topic.EVIDENCE_MONTHS: _number(
        "Minimum months to keep evidence of consent and withdrawal", longer_is_stricter=True
    ),
    Topic.RECORDING_MONTHS: _number("Maximum months to keep a recording", longer_is_stricter=False),
}
