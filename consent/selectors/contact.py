"""
What is known of numbers that somebody asks about, and of the client that asks: the same few queries for one number
or a thousand, none of which makes anything.
"""

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q, QuerySet

from callprivacy.calls.models import Caller
from callprivacy.lib import calendars, phone, statements
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault
from consent import decide, law
from consent.decide import Event
from consent.enums import Basis, ListKind, Purpose, State
from consent.law import Rules
from consent.law import places as law_places
from consent.models import ConsentState, ListCheck, NumberList, NumbersOut, RulePack
from consent.selectors import cases, minors, places, standards
from consent.selectors.law import rules_in
from consent.selectors.minors import Minor
from consent.selectors.places import ADDRESS, ALONE, AREA_CODE, CARRIER, TRACKER
from consent.selectors.standards import Asks

OF_CALLS_WITHIN: Final = timedelta(hours=2)
"""What was said of a single call longer ago is about none that begins now."""

_FACTS: Final = """
    SELECT
        (SELECT d.basis FROM consent_declaration d WHERE d.client_id = %(client)s AND d.ended_at IS NULL),
        (SELECT jsonb_build_array(s.standard, s.expires_on, s.counts_claimed, s.unknown_age, s.reason)
            FROM consent_clientstandard s WHERE s.client_id = %(client)s AND s.ended_at IS NULL),
        (SELECT jsonb_build_array(a.country, a.region) FROM consent_answeringsite a
            WHERE a.client_id = %(client)s AND a.is_default),
        (SELECT jsonb_agg(jsonb_build_array(p.country, p.region) ORDER BY p.country, p.region)
            FROM tenancy_place p WHERE p.client_id = %(client)s),
        (SELECT jsonb_agg(to_jsonb(n.purposes)) FROM consent_postednotice h
            LEFT JOIN consent_noticeversion v ON v.client_id = h.client_id AND v.id = h.version_id
            LEFT JOIN consent_notice n ON n.client_id = v.client_id AND n.id = v.notice_id
            WHERE h.client_id = %(client)s AND h.tracking_number_id IS NULL
                AND h.from_on <= %(today)s AND (h.to_on IS NULL OR h.to_on > %(today)s)),
        (SELECT jsonb_agg(jsonb_build_array(l.id, l.kind, l.name, l.as_of, to_jsonb(l.area_codes)) ORDER BY l.name)
            FROM consent_numberlist l WHERE l.agency_id = %(agency)s AND l.is_active
                AND (l.client_id IS NULL OR l.client_id = %(client)s)),
        (SELECT jsonb_build_array(r.id, r.digest) FROM consent_rulepack r
            WHERE r.agency_id = %(agency)s AND r.is_active)
"""

# Each table is read once and by itself: whatever the planner believes of tables that were just filled, nothing is read
# again for each caller. Of a single call only what was said lately can be about one that begins now.
_OF_MANY: Final = f"""
    SELECT NULL, {", ".join(cases.EVENT_COLUMNS)}, caller_id, NULL, NULL, false, NULL::date
    FROM consent_consentevent
    WHERE client_id = %(client)s AND caller_id = ANY(%(callers)s::uuid[]) AND purpose = ANY(%(purposes)s)
        AND (scope = 'standing' OR happened_at >= %(since)s)
    UNION ALL
    SELECT NULL, {"NULL, " * len(cases.EVENT_COLUMNS)} caller_id, country, region, false, NULL::date
    FROM consent_callerplace WHERE client_id = %(client)s AND caller_id = ANY(%(callers)s::uuid[])
    UNION ALL
    SELECT NULL, {"NULL, " * len(cases.EVENT_COLUMNS)} caller_id, NULL, NULL, true, majority_on
    FROM consent_minormark WHERE client_id = %(client)s AND caller_id = ANY(%(callers)s::uuid[])
"""  # noqa: S608  (names of columns)
# One caller is planned once a connection. A list is planned each time: in a plan that is kept, every row is compared
# with the list from its beginning on, whatever its length.
_OF_ONE: Final = _OF_MANY.replace("ANY(%(callers)s::uuid[])", "%(callers)s::uuid")


@dataclass(slots=True)
class _Told:
    """What the client's people wrote down of a caller, and the ledger."""

    address: tuple[str, str] | None = None
    minor: Minor | None = None
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """
    A number (E.164) that somebody asks about, and where the person is, as far as who asks knows.

    :ivar place: with the word for how it is known; one that is none of ours relaxes nothing.
    """

    number: str
    place: decide.Place | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """A register that counts at a client. `area_codes`: those that it is for; none, all."""

    id: uuid.UUID
    kind: ListKind
    name: str
    as_of: date
    area_codes: tuple[str, ...] = ()

    def covers(self, number: str) -> bool:
        """Whether it says anything of a number (E.164)."""
        return not self.area_codes or (number.startswith("+1") and number[2:5] in self.area_codes)


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What is known of a client, whoever is asked about.

    :ivar posted: the purposes of which a notice for all of its numbers tells today.
    :ivar asks: what it asks of itself. :ivar sites: where its calls are answered, or everywhere it does business.
    :ivar minors: whether its trade has everybody who calls taken for a minor.
    :ivar rules: of the law, as its agency put them in force.
    :ivar zone: the client's, in which texts show days.
    """

    asks: Asks
    declared: Basis
    posted: frozenset[str]
    sites: tuple[decide.Place, ...]
    registers: tuple[Register, ...]
    health: bool
    minors: bool
    rules: Rules
    zone: ZoneInfo


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """
    What is known of whoever has a number.

    :ivar place: the best that is known of where the person is; with no country where nothing is.
    :ivar own: (country, region) of the number's plan.
    :ivar minor: what the client knows of the person's being one.
    :ivar events: of the ledger, with what the number itself said no to.
    """

    number: str
    place: decide.Place
    own: tuple[str, str]
    events: tuple[Event, ...] = field(default=())
    minor: Minor | None = None

    @property
    def places(self) -> tuple[decide.Place, ...]:
        """Where the person is: an address alone, else what is said and what the number says (docs/adr/0143)."""
        return _places(self.place, self.own)


@lru_cache(maxsize=4096)
def _places(place: decide.Place, by_number: tuple[str, str]) -> tuple[decide.Place, ...]:
    """The same for everybody of whom the same is known: a list of numbers holds few different places."""
    if place.evidence in ALONE:
        return (place,)
    own = decide.Place(*by_number, AREA_CODE)
    said = decide.Place(*_plain(place), place.evidence)
    found = places.that_count(places.of_caller([said], _plain(own)))
    if own.country or said.evidence in {CARRIER, TRACKER}:
        return found
    # A number of no place may be anywhere, which a word that is no evidence does not narrow.
    return (*found, own)


def facts_of(client: Client, *, at: datetime) -> Facts:
    """What is known of a client and its agency's registers; one query."""
    today = calendars.day_in(client.time_zone, at)
    with statements.cursor() as cursor:
        cursor.execute(_FACTS, {"client": client.pk, "agency": client.agency_id, "today": today})
        declared, *rest = cursor.fetchone()
    standard, site, offices, posted, registers, pack = (
        None if text is None else json.loads(text) for text in rest
    )
    return Facts(
        asks=_asks(standard, today),
        declared=Basis(declared) if declared else Basis.LEGITIMATE_INTERESTS,
        posted=frozenset(
            purpose
            for purposes in posted or []
            # A notice without words of ours tells of whatever hangs there: its own text was checked by a person.
            for purpose in (Purpose.values if purposes is None else purposes)
        ),
        sites=_sites(site, offices),
        registers=tuple(
            Register(uuid.UUID(row[0]), ListKind(row[1]), row[2], date.fromisoformat(row[3]), tuple(row[4]))
            for row in registers or []
        ),
        health=client.sector in cases.HEALTH,
        minors=minors.are_presumed(client),
        rules=law.load_pack() if pack is None else rules_in(RulePack(pk=uuid.UUID(pack[0]), digest=pack[1])),
        zone=ZoneInfo(client.time_zone),
    )


def _asks(chosen: Any, today: date) -> Asks:
    if chosen is None:
        return Asks()
    standard, expires_on, claimed, unknown_age, reason = chosen
    return standards.asks(
        standard=standard,
        expires_on=None if expires_on is None else date.fromisoformat(expires_on),
        today=today,
        claimed=claimed,
        unknown_age=unknown_age,
        reason=reason,
    )


def _sites(site: Any, offices: Any) -> tuple[decide.Place, ...]:
    if site is not None:
        return (decide.Place(site[0], site[1], "site"),)
    return tuple(decide.Place(country, region, "office") for country, region in offices or []) or (
        decide.Place("", "", "site"),
    )


def number_of(client: Client, caller_id: uuid.UUID) -> str:
    """A caller's number, opened to write to whom it belongs; "" where the person was erased, or it opens no more."""
    caller = Caller.objects.for_client(client).filter(pk=caller_id).first()
    return "" if caller is None else vault.content_of(client.pk, caller_id, caller.number) or ""


def people_of(
    client: Client,
    asked: Sequence[Asked],
    purposes: Collection[Purpose],
    *,
    keys: vault.ClientKeys,
    at: datetime,
) -> list[Person]:
    """What is known of the people behind numbers, in their order; two queries."""
    on = calendars.day_in(client.time_zone, at)
    known = vault.known_numbers(keys, {one.number for one in asked}, on=on)
    callers = sorted({found.caller_id for found in known.values() if found.caller_id is not None})
    wanted = {purpose.value for purpose in purposes}
    told = _told(client, callers, wanted, at - OF_CALLS_WITHIN)
    return [_person(one, known.get(one.number), told, wanted) for one in asked]


def _person(
    asked: Asked,
    known: vault.Known | None,
    told: Mapping[uuid.UUID, _Told],
    wanted: Collection[str],
) -> Person:
    own = phone.place_of(asked.number)
    if known is None:
        return Person(asked.number, _place(asked, None, own), own)
    noted = _Told() if known.caller_id is None else told[known.caller_id]
    noes = [cases.refusal(purpose, since) for purpose, since in known.noes.items() if purpose in wanted]
    place = _place(asked, noted.address, own)
    return Person(asked.number, place, own, (*noted.events, *noes), noted.minor)


def _place(asked: Asked, address: tuple[str, str] | None, own: tuple[str, str]) -> decide.Place:
    """An address that the client's people wrote down, what who asks says, the number's own plan: the first there is."""
    if address is not None:
        return decide.Place(*address, ADDRESS)
    if asked.place is not None and _plain(asked.place)[0]:
        return asked.place
    return decide.Place(*own, AREA_CODE)


def _plain(place: decide.Place) -> tuple[str, str]:
    return law_places.plain(place.country, place.region)


def _told(
    client: Client, callers: Collection[uuid.UUID], wanted: Collection[str], since: datetime
) -> dict[uuid.UUID, _Told]:
    """Each caller -> what is known of them; one query. What was said of a single call before `since` is left out."""
    found = {caller_id: _Told() for caller_id in callers}
    if not found:
        return found
    ids = ",".join([caller_id.hex for caller_id in found])
    if len(found) == 1:
        opened, statement, asked = statements.cursor(), _OF_ONE, ids
    else:
        opened, statement, asked = connection.cursor(), _OF_MANY, f"{{{ids}}}"
    with opened as cursor:
        cursor.execute(
            statement, {"client": client.pk, "callers": asked, "purposes": list(wanted), "since": since}
        )
        for *event, country, region, minor, majority_on in cursor.fetchall():
            told = found[event[-1]]
            if minor:
                told.minor = Minor(majority_on)
            if country is not None:
                told.address = (country, region)
            if event[1] is not None:
                told.events.append(cases.event_of(event, call_id=None))
    return found


def reassigned_since(client: Client, at: datetime) -> list[uuid.UUID]:
    """The lists of reassigned numbers that count at a client and were read at this instant or later."""
    rows = NumberList.objects.filter(
        Q(client=None) | Q(client=client),
        agency_id=client.agency_id,
        kind=ListKind.REASSIGNED,
        is_active=True,
        finished_at__gte=at,
    )
    return list(rows.values_list("pk", flat=True))


# --- Lists, as pages show them ---


def registers() -> QuerySet[NumberList]:
    """The agency's registers, those that count first, then the newest."""
    rows = NumberList.objects.select_related("created_by", "client")
    return rows.order_by("-is_active", "-created_at", "-pk")


def register_of(row: NumberList) -> Register:
    """A stored register as the check looks at it."""
    return Register(row.pk, ListKind(row.kind), row.name, row.as_of, tuple(row.area_codes))


def checks_of(client: Client) -> QuerySet[ListCheck]:
    """A client's checked lists, newest first."""
    rows = ListCheck.objects.for_client(client).select_related("client", "created_by")
    return rows.order_by("-created_at", "-pk")


def numbers_out_of(client: Client) -> QuerySet[NumbersOut]:
    """What went out of a client's numbers to a vendor, newest first."""
    rows = NumbersOut.objects.for_client(client).select_related("created_by")
    return rows.order_by("-created_at", "-pk")


def resting_on_consent(client: Client) -> int:
    """How many of a client's callers stand by a consent to something."""
    rows = ConsentState.objects.for_client(client).filter(state=State.GIVEN)
    return rows.values("caller_id").distinct().count()
