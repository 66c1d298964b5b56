"""
May this person be called or texted now: asked before anybody dials.

Five things are looked at, and each that stands against it is named: what the person said, the registers of the
agency with their dates, the hours of each place that counts in all of its zones, consent in the form that marketing
needs, and whether the number has become somebody else's. Nothing is made, and what is not known is never a yes.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from callprivacy.lib import phone
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault
from consent.decide import Answer, Place, Question, decide
from consent.enums import NO_KINDS, YES_KINDS, EventKind, ListKind, Purpose, is_weak
from consent.law import Hours, NoRuleError, Rule, Rules, Topic, load_pack, places, zones
from consent.selectors import contact as selectors
from consent.selectors import minors
from consent.selectors.contact import Asked, Facts, Person, Register
from consent.selectors.law import rules_of, value_words
from consent.selectors.places import AREA_CODE

AT_MOST: Final = 1000
FRESH_FOR: Final = timedelta(days=31)
"""How old a do-not-call register may be: 16 CFR 310.4(b)(3)(iv), 47 CFR 64.1200(c)(2)(i)(D)."""
FOR_EVER: Final = 99
"""Years from which on a rule means "indefinitely"."""

__all__ = ["AT_MOST", "Aim", "Asked", "Code", "Contact", "Contacts", "Obstacle", "check", "kept_until"]


class Aim(StrEnum):
    """What for. Marketing needs consent; service answers what the person asked for."""

    MARKETING = "marketing"
    SERVICE = "service"


class Code(StrEnum):
    """What stands against calling; the values are what programs read."""

    DO_NOT_CALL = "do_not_call"
    REASSIGNED = "reassigned"
    NO_CONSENT = "no_consent"
    REGISTER = "register"
    STALE_REGISTER = "stale_register"
    NO_PLACE = "no_place"
    QUIET_HOURS = "quiet_hours"

    @property
    def words(self) -> str:
        """What it is called on a page."""
        return _WORDS[self]


_WORDS: Final = {
    Code.DO_NOT_CALL: "Opted out of contact",
    Code.REASSIGNED: "Number reassigned",
    Code.NO_CONSENT: "No valid consent to marketing",
    Code.REGISTER: "On a do-not-call list",
    Code.STALE_REGISTER: "Do-not-call list outdated",
    Code.NO_PLACE: "Local time unknown",
    Code.QUIET_HOURS: "Outside permitted hours",
}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """
    One thing that stands against calling.

    :ivar until: up to when; None where nobody can say, or for ever.
    :ivar rule: the id of the rule of the law, "" where it is none.
    """

    code: Code
    text: str
    until: datetime | None = None
    rule: str = ""


_NEVER: Final = (
    "No hour of the next two weeks is permitted everywhere. With an address, only its location counts."
)


@dataclass(frozen=True, slots=True)
class Contact:
    """
    The answer for one number.

    :ivar notes: what is worth knowing although it stands against nothing.
    :ivar next_at: from when on the call may be made: at once, at the next open hour, or None.
    """

    allowed: bool
    obstacles: tuple[Obstacle, ...]
    notes: tuple[str, ...]
    place: Place
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Contacts:
    """The answers in the order of the numbers, with the registers that were looked at and the rules that decided."""

    answers: list[Contact]
    registers: tuple[Register, ...]
    pack: str
    digest: str


def days_old(register: Register, at: datetime) -> int:
    """How old a register is, in days."""
    return (at.astimezone(UTC).date() - register.as_of).days


def is_fresh(register: Register, at: datetime) -> bool:
    """Whether a register is as new as the law asks for."""
    return days_old(register, at) <= FRESH_FOR.days


def is_reassigned(*, client: Client, caller_id: uuid.UUID, since: datetime) -> bool:
    """
    Whether it was learned after `since` that a caller's number had been disconnected. Inside a scope.

    The day of the disconnection tells less: it may be the earliest alone, and until the agency knew of it, it wrote to
    whoever had the number before.

    :param since: when what is asked about was made or given for whoever had the number then.
    """
    lists = selectors.reassigned_since(client, since)
    number = selectors.number_of(client, caller_id) if lists else ""
    if not number:
        return False
    holder = -client.agency_id
    return bool(vault.listed_numbers(vault.many_client_keys([holder])[holder], lists, [number]))


def check(*, client: Client, asked: Sequence[Asked], aim: Aim, at: datetime) -> Contacts:
    """Say of each number whether it may be called or texted now. Inside a scope; at most seven queries."""
    facts = selectors.facts_of(client, at=at)
    rules = facts.rules
    holder = -client.agency_id
    keys = vault.many_client_keys([client.pk, holder] if facts.registers else [client.pk])
    people = selectors.people_of(client, asked, [Purpose.CONTACT], keys=keys[client.pk], at=at)
    listed: dict[str, list[tuple[Register, date | None]]] = {}
    if facts.registers:
        by_id = {register.id: register for register in facts.registers}
        found = vault.listed_numbers(keys[holder], list(by_id), {one.number for one in asked})
        listed = {number: [(by_id[key], day) for key, day in rows] for number, rows in found.items()}
    desk = _Desk(rules, facts, aim, at)
    answers = [desk.answer(person, listed.get(person.number, [])) for person in people]
    return Contacts(answers, facts.registers, rules.version, rules.digest)


def is_quiet(*, agency_id: int, client: Client | None, number: str, at: datetime) -> bool:
    """
    Whether it is an hour at which nobody may be called where a number (E.164) is, by the rules that decide at an
    agency; False where nobody knows the hour. Inside its scope, or the client's.

    :param client: who knows more of the place than the number says; None: nobody does.
    """
    if client is not None:
        (answer,) = check(client=client, asked=[Asked(number)], aim=Aim.SERVICE, at=at).answers
        return any(one.code is Code.QUIET_HOURS for one in answer.obstacles)
    own = phone.place_of(number)
    person = Person(number, Place(*own, AREA_CODE), own)
    window = _look(rules_of(agency_id), _pairs(person), number.startswith("+1"), at=at)
    return bool(window.closed) and window.is_known


def consent_first(*, client: Client, numbers: Sequence[str], at: datetime) -> set[str]:
    """
    Those of these numbers (E.164) whose people may not be asked by mail for a consent to advertising: where they are,
    or where the client is, the law wants to have one first, and none to being contacted stands. Inside a scope.
    """
    facts = selectors.facts_of(client, at=at)
    asked = [Asked(number) for number in numbers]
    keys = vault.client_keys(client.pk)
    people = selectors.people_of(client, asked, [Purpose.CONTACT], keys=keys, at=at)
    desk = _Desk(facts.rules, facts, Aim.MARKETING, at)
    return {person.number for person in people if not desk.may_ask(person)}


def kept_until(
    rules: Rules, asked_at: datetime, where: Iterable[tuple[str, str]]
) -> tuple[datetime | None, Rule]:
    """
    Until when the law has a company keep a do-not-call request at least, by the strictest of the places; None for ever.

    Here no date ends one: it holds until the person says otherwise.

    :param where: (country, region) of the person; none counts as unknown.
    """
    found = [
        rules.for_place(country, region, Topic.DO_NOT_CALL_YEARS, asked_at.date())
        for country, region in list(where) or [("", "")]
    ]
    rule = max(found, key=lambda one: (one.strictness, one.id))
    years: int = rule.read()
    if years >= FOR_EVER:
        return None, rule
    try:
        return asked_at.replace(year=asked_at.year + years), rule
    except ValueError:
        return asked_at.replace(year=asked_at.year + years, month=3, day=1), rule


@dataclass(frozen=True, slots=True)
class _Closed:
    """A place where nobody may be called at the moment of asking."""

    rule: Rule
    text: str


@dataclass(frozen=True, slots=True)
class _Window:
    """
    The hours of the places of a person at the moment of asking.

    :ivar closed: where nobody may be called; open is what is open at each. :ivar next_at: when each is open.
    :ivar is_known: whether each has a time.
    """

    closed: tuple[_Closed, ...]
    next_at: datetime | None
    is_known: bool


@dataclass
class _Desk:
    """What all numbers of one question share; hours are worked out once for the same places."""

    rules: Rules
    facts: Facts
    aim: Aim
    at: datetime
    windows: dict[tuple[tuple[tuple[str, str], ...], bool], _Window] = field(default_factory=dict)

    def answer(self, person: Person, listed: Sequence[tuple[Register, date | None]]) -> Contact:
        """Look at all five."""
        found: list[Obstacle] = []
        notes: list[str] = []
        consent = self._consent(person)
        refusal = consent.event if consent.event is not None and consent.event.kind in NO_KINDS else None
        if refusal is not None and not self._texts_again(person, refusal.at):
            found.append(self._do_not_call(person, refusal.at))
        elif self.aim is Aim.MARKETING and not consent.allowed:
            found.append(Obstacle(Code.NO_CONSENT, _why_no_consent(consent), rule=_first(consent.rules)))
        self._registers(person, consent, listed, found, notes)
        window = self._window(person)
        found += self._hours(person, window)
        if person.place.evidence == AREA_CODE and person.place.country:
            notes.append("The location is estimated from the number. Send the person's state if you know it.")
        only_hours = all(one.code is Code.QUIET_HOURS for one in found)
        return Contact(
            allowed=not found,
            obstacles=tuple(found),
            notes=tuple(notes),
            place=person.place,
            next_at=window.next_at if only_hours else None,
        )

    def may_ask(self, person: Person) -> bool:
        """Whether a mail may ask for a consent to advertising."""
        there = {(place.country, place.region) for place in (*person.places, *self.facts.sites)}
        if all(_asking(self.rules, *place, self.at.date()).value == "asking_is_free" for place in there):
            return True
        return self._consent(person).allowed

    def _texts_again(self, person: Person, refused_at: datetime) -> bool:
        """
        Whether the person wrote START since: it lifts the refusal for what the person asked for, and gives no consent
        to marketing (docs/adr/0144).
        """
        return self.aim is Aim.SERVICE and any(
            event.kind == EventKind.RENEWED
            and event.purpose == Purpose.CONTACT
            and not is_weak(event.purpose, event.kind, event.strength)
            and event.at > refused_at
            for event in person.events
        )

    def _consent(self, person: Person) -> Answer:
        return decide(
            Question(
                purpose=Purpose.CONTACT,
                at=self.at,
                places=(*person.places, *self.facts.sites),
                events=person.events,
                standard=self.facts.asks.standard,
                claimed_reason=self.facts.asks.claimed_reason,
                unknown_age=self.facts.asks.unknown_age,
                age_reason=self.facts.asks.age_reason,
                **minors.asked(
                    person.minor, presumed=self.facts.minors, on=self.at.astimezone(self.facts.zone).date()
                ),
                health=self.facts.health,
                zone=self.facts.zone,
            ),
            self.rules,
        )

    def _do_not_call(self, person: Person, asked_at: datetime) -> Obstacle:
        """Nothing ends such a request but the person; the date is until when the law has it kept at least."""
        until, rule = kept_until(self.rules, asked_at, _pairs(person))
        at_least = "indefinitely" if until is None else f"at least until {self._day_of(until)}"
        return Obstacle(
            Code.DO_NOT_CALL,
            f"Opted out of contact on {self._day_of(asked_at)}. The opt-out applies until the person opts in again;"
            f" the law requires it to be kept {at_least} ({rule.citation}).",
            rule=rule.id,
        )

    def _day_of(self, at: datetime) -> str:
        return _day(at.astimezone(self.facts.zone).date())

    def _registers(
        self,
        person: Person,
        consent: Answer,
        listed: Sequence[tuple[Register, date | None]],
        found: list[Obstacle],
        notes: list[str],
    ) -> None:
        for register, day in listed:
            if register.kind is ListKind.REASSIGNED:
                since = day or register.as_of
                if not self._said_yes_after(person, since):
                    found.append(
                        Obstacle(
                            Code.REASSIGNED,
                            f"The number was disconnected on {_day(since)} ({register.name}). Its new holder has not"
                            " given consent.",
                        )
                    )
            elif self.aim is Aim.SERVICE:
                notes.append(f"On “{register.name}” of {_day(register.as_of)}, which is only for marketing.")
            elif consent.allowed and consent.event is not None:
                notes.append(
                    f"On “{register.name}” of {_day(register.as_of)}; the consent of"
                    f" {self._day_of(consent.event.at)} overrides it."
                )
            else:
                found.append(Obstacle(Code.REGISTER, f"On “{register.name}” as of {_day(register.as_of)}."))
        if self.aim is Aim.MARKETING:
            self._dates(person, found, notes)

    def _dates(self, person: Person, found: list[Obstacle], notes: list[str]) -> None:
        """Marketing asks a register of at most 31 days first: an older one knows nothing of who joined it since."""
        theirs = [one for one in self.facts.registers if one.kind is ListKind.DO_NOT_CALL]
        if not theirs:
            notes.append("No do-not-call list is imported, so none was checked.")
        elif not any(one.covers(person.number) for one in theirs):
            notes.append("No imported do-not-call list covers this number's area code.")
        found += [
            Obstacle(
                Code.STALE_REGISTER,
                f"“{one.name}” is of {_day(one.as_of)}, {days_old(one, self.at)} days old. The limit is"
                f" {FRESH_FOR.days} days. Import a current list.",
            )
            for one in theirs
            if one.covers(person.number) and not is_fresh(one, self.at)
        ]

    def _said_yes_after(self, person: Person, day: date) -> bool:
        return any(event.kind in YES_KINDS and event.at.date() > day for event in person.events)

    def _hours(self, person: Person, window: _Window) -> list[Obstacle]:
        if not window.closed:
            return []
        if not window.is_known:
            return [
                Obstacle(
                    Code.NO_PLACE, "The location of this number is unknown, and so is its local time.", None
                )
            ]
        text = " ".join(one.text for one in window.closed)
        if window.next_at is None:
            text = f"{text} {_NEVER}"
        return [Obstacle(Code.QUIET_HOURS, text, window.next_at, window.closed[0].rule.id)]

    def _window(self, person: Person) -> _Window:
        key = (_pairs(person), person.number.startswith("+1"))
        found = self.windows.get(key)
        if found is None:
            found = self.windows[key] = _look(self.rules, *key, at=self.at)
        return found


def _look(rules: Rules, where: Sequence[tuple[str, str]], is_american: bool, *, at: datetime) -> _Window:
    closed: list[_Closed] = []
    there: list[zones.There] = []
    for one in where:
        rule = rules.for_place(*one, Topic.QUIET_HOURS, at.date())
        hours, spots, holidays = _there(rule, one, is_american=is_american)
        there.append((hours, spots, holidays))
        if not zones.is_open(hours, spots, at, holidays):
            is_holiday = not hours.on_holidays and zones.falls_on_holiday(spots, at, holidays)
            when = "Public holiday" if is_holiday else "Outside permitted hours"
            allowed = f"calls are allowed {value_words(rule)}"
            closed.append(_Closed(rule, f"{when} in {_where(*one)}: {allowed} ({rule.citation})."))
    next_at = zones.next_open_everywhere(there, at) if closed else at
    return _Window(tuple(closed), next_at, all(spots for _, spots, _ in there))


def _there(rule: Rule, place: tuple[str, str], *, is_american: bool) -> zones.There:
    """What a rule on hours says at a place, by the clocks and holidays there."""
    hours: Hours = rule.read()
    there, where = zones.zones_of(*place), [place]
    if not there and is_american:
        # A number of no place under +1, such as a toll-free one: open where it is open everywhere it may be.
        where = [("US", ""), ("CA", "")]
        there = tuple(sorted({zone for one, _ in where for zone in zones.zones_of(one)}))
    return hours, there, where


def _pairs(person: Person) -> tuple[tuple[str, str], ...]:
    return tuple((place.country, place.region) for place in person.places)


def _asking(rules: Rules, country: str, region: str, on: date) -> Rule:
    try:
        return rules.for_place(country, region, Topic.ASKING_BY_MAIL, on)
    except NoRuleError:
        return load_pack().for_place(country, region, Topic.ASKING_BY_MAIL, on)


def _why_no_consent(consent: Answer) -> str:
    """The engine's reasons without the one about rules, which a note says."""
    return " ".join(reason for reason in consent.reasons if not reason.startswith("Decided by rules"))


def _first(rules: Sequence[str]) -> str:
    return rules[0] if rules else ""


def _where(country: str, region: str) -> str:
    code, regions = places.normalise(country, region)
    names = " or ".join(places.name(code, one) for one in regions) or places.name(code)
    return names if country else "one of its possible locations"


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
