"""
Which laws apply to a case, and by when each wants it acknowledged and answered.

Nothing is relaxed by not knowing: an area code says a country and no more, what a client did not say of itself counts
as reached, and where no law that we know sets a day the house's own does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

from callprivacy.lib import calendars, phone
from callprivacy.tenancy.models import Agency, Client, Place
from rights.deadlines import engine
from rights.deadlines.engine import Deadlines, NoExtensionError, Pause
from rights.enums import Kind
from rights.law import load, reach
from rights.law.reach import Applies, Facts
from rights.law.rows import Term
from rights.models import Case, ClientFacts

HOUSE_DAYS: Final = 45
"""Days within which a request is answered where no law that we know sets any."""

type Where = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Dated:
    """One law that applies, and its days."""

    applies: Applies
    deadlines: Deadlines

    def as_json(self) -> dict[str, Any]:
        """As `Case.laws` keeps it."""
        found = self.deadlines
        return {
            "law": self.applies.law.id,
            "name": self.applies.law.name,
            "title": self.applies.law.title,
            "citation": self.applies.law.citation,
            "sure": self.applies.sure,
            "why": list(self.applies.why),
            "acknowledge_by": str(found.acknowledge_by) if found.acknowledge_by else None,
            "answer_by": str(found.answer_by) if found.answer_by else None,
            "extend_before": str(found.extend_before) if found.extend_before else None,
            "terms": list(found.terms),
            "counted": list(found.why),
        }


@dataclass(frozen=True, slots=True)
class Clock:
    """
    A case's days: of each the soonest of all laws that apply.

    :ivar law: the law whose answer is soonest, of those that stand where none runs; "" where none sets a day and the
        house's own counts.
    :ivar laws: all that apply, soonest first.
    :ivar answer_by: and :ivar answer_due_at: None where the clock stands by all that set a day.
    """

    law: str
    laws: tuple[Dated, ...]
    acknowledge_by: date | None
    acknowledge_due_at: datetime | None
    extend_before: date | None
    answer_by: date | None
    answer_due_at: datetime | None


def place_of_number(number: str) -> Where:
    """Where a number's owner may be: its country. An area code is too weak a sign to leave a state's law out."""
    return phone.place_of(number)[0], ""


def facts_of(client: Client | None) -> Facts:
    """What a client said of itself and where it does business; nothing for the agency's own cases."""
    if client is None:
        return Facts()
    said = ClientFacts.objects.for_client(client).first()
    places = Place.objects.for_client(client).values_list("country", "region")
    where = frozenset({(client.home_country, ""), *places})
    if said is None:
        return Facts(places=where)
    return Facts(
        places=where,
        revenue=said.revenue,
        sale_share=said.sale_share,
        sensitive=said.sensitive,
        people=said.people,
        traded=said.traded,
        nonprofit=said.nonprofit,
    )


def clock_of(
    *,
    agency: Agency,
    client: Client | None,
    kind: Kind,
    place: Where,
    received_at: datetime,
    facts: Facts | None = None,
    paused: Sequence[Pause] = (),
    standing_since: datetime | None = None,
    extended: bool = False,
    identified_at: datetime | None = None,
) -> Clock:
    """
    The days of one case, counted in the client's zone, or the agency's where there is no client.

    :param place: where the person is, ("", "") where nobody knows.
    :param standing_since: since when the person is being asked what is meant; laws that stop the clock set no day.
    :param extended: the person was told in time that it takes longer; moves the day of laws that allow it.
    """
    zone = (client or agency).time_zone
    on = received_at.astimezone(engine.zone_of(zone)).date()
    applying = reach.which_laws(place, facts or facts_of(client), on=on, kind=kind)
    dated = [
        Dated(
            applies,
            _deadlines(
                applies.law.id,
                kind,
                received_at,
                zone,
                paused=paused,
                standing_since=standing_since,
                extended=extended,
                identified_at=identified_at,
            ),
        )
        for applies in applying
    ]
    dated.sort(key=lambda one: (one.deadlines.answer_by is None, _at(one.deadlines)))
    return _soonest(dated, on, zone)


def _deadlines(
    law: str,
    kind: Kind,
    received_at: datetime,
    zone: str,
    *,
    paused: Iterable[Pause],
    standing_since: datetime | None,
    extended: bool,
    identified_at: datetime | None,
) -> Deadlines:
    count = partial(
        engine.deadlines_of,
        law,
        kind,
        received_at,
        zone,
        paused=paused,
        standing_since=standing_since,
        identified_at=identified_at,
    )
    try:
        return count(extended=extended)
    except NoExtensionError:
        return count()


def _at(found: Deadlines) -> float:
    return found.answer_by.at.timestamp() if found.answer_by else 0.0


def _soonest(dated: Sequence[Dated], on: date, zone: str) -> Clock:
    acknowledge = min(
        (one.deadlines.acknowledge_by for one in dated if one.deadlines.acknowledge_by),
        key=lambda end: end.at,
        default=None,
    )
    extend = min(
        (one.deadlines.extend_before for one in dated if one.deadlines.extend_before),
        key=lambda end: end.at,
        default=None,
    )
    running = next((one for one in dated if one.deadlines.answer_by), None)
    first = running or next((one for one in dated if one.deadlines.stands), None)
    answer = running.deadlines.answer_by if running else None
    day = answer.day if answer else None if first else on + timedelta(days=HOUSE_DAYS)
    return Clock(
        law=first.applies.law.id if first else "",
        laws=tuple(dated),
        acknowledge_by=acknowledge.day if acknowledge else None,
        acknowledge_due_at=acknowledge.at if acknowledge else None,
        extend_before=extend.day if extend else None,
        answer_by=day,
        answer_due_at=calendars.end_of(day, engine.zone_of(zone)) if day else None,
    )


def terms_of(case: Case) -> list[Term]:
    """The terms that a case's answer was counted by, of the laws that set a day."""
    counted = {name for one in case.laws for name in one.get("terms", ())}
    return [term for term in load().terms if term.id in counted and term.answer is not None]
