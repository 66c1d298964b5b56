"""
What open holds keep, as the scope sees it.

A hold keeps the calls of its time: those of its numbers where it names any, all of them where it names neither
numbers nor calls. Beside them it keeps the calls that it names, and what is known of the numbers that it names.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from callprivacy.audit.models import Event
from callprivacy.calls.enums import Direction, RecordingState, TranscriptState
from callprivacy.calls.models import Call, CallQuerySet, Recording, Transcript, first_id_at
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from consent.selectors import decisions
from retention import targets
from retention.enums import DESTROYING, Category, EndState
from retention.models import Hold, HoldCall, HoldCaller, HoldPerson, Offboarding, RunPart
from retention.selectors import policies, trail

LEASED_AT_MOST: Final = timedelta(minutes=2)
"""For how long a batch of a run holds its part, see `retention.services.runs`."""
WIDENED: Final = "hold.widened"
"""The trail's word for a hold that came to cover more."""
_IN_TURN: Final = timedelta(seconds=10)
"""
How long after the instant of a request a batch may still take the client's turn before it: longer than one waits.
"""
_SAMPLE: Final = 10


def is_too_late(client: Client) -> bool:
    """Whether the keys of a client that leaves are going or gone: nothing of it is left to be kept."""
    rows = Offboarding.objects.for_client(client)
    return rows.filter(Q(state=EndState.DONE) | Q(state=EndState.ERASING, step=DESTROYING)).exists()


def open_holds(client: Client) -> QuerySet[Hold]:
    """A client's holds that nobody has lifted, oldest first."""
    return Hold.objects.for_client(client).open().order_by("placed_at", "pk")


def client_ids() -> list[int]:
    """Ids of the scope's clients that have, or ever had, a hold."""
    return sorted(set(Hold.objects.order_by().values_list("client_id", flat=True).distinct()))


def kept_by(holds: Iterable[Hold]) -> Q:
    """A condition on calls of one client: at least one of these holds keeps it. None of them: no call."""
    found = Q(pk__in=[])
    for hold in holds:
        found |= _kept_by(hold)
    return found


def _kept_by(hold: Hold) -> Q:
    callers = HoldCaller.objects.filter(client_id=hold.client_id, hold=hold)
    calls = HoldCall.objects.filter(client_id=hold.client_id, hold=hold)
    in_time = ~Q(pk__in=[])
    if hold.from_at is not None:
        in_time &= Q(pk__gte=first_id_at(hold.from_at))
    if hold.until_at is not None:
        in_time &= Q(pk__lt=first_id_at(hold.until_at))
    named = Q(pk__in=calls.values("call_id"))
    if callers.exists():
        return named | (in_time & Q(caller_id__in=callers.values("caller_id")))
    return named if calls.exists() else in_time


def kept_calls(hold: Hold) -> CallQuerySet:
    """The calls that a hold keeps, or would keep again were it open."""
    return Call.objects.for_client(hold.client_id).filter(_kept_by(hold))


def held_calls(client: Client) -> CallQuerySet:
    return Call.objects.for_client(client).filter(on_hold=True)


def named_caller_ids(client: Client | int) -> set[UUID]:
    """The callers whose numbers open holds of a client name."""
    rows = HoldCaller.objects.for_client(client).filter(hold__lifted_at__isnull=True)
    return set(rows.values_list("caller_id", flat=True))


def held_caller_ids(client: Client) -> set[UUID]:
    """The callers of a client of whom nothing may leave: named by open holds, or with a call that is held."""
    calls = held_calls(client).filter(caller__isnull=False)
    return named_caller_ids(client) | set(calls.values_list("caller_id", flat=True).distinct())


def keeps(client: Client, caller_id: UUID) -> list[Hold]:
    """
    The open holds of a client that keep something of one caller: its number, or one of its calls; oldest first.

    For who is asked to erase this person, and has to say why not.
    """
    named = HoldCaller.objects.for_client(client).filter(hold=OuterRef("pk"), caller_id=caller_id)
    calls = Call.objects.for_client(client).filter(caller_id=caller_id)
    found = open_holds(client).annotate(is_named=Exists(named))
    return [hold for hold in found if hold.is_named or calls.filter(_kept_by(hold)).exists()]


def covering(call_ids: Collection[UUID]) -> dict[UUID, list[Hold]]:
    """
    Which open holds keep which of these calls, oldest first; a call that none keeps is left out.

    Looks at what the holds say, not at the mark on the call. For a page of calls: one query a hold.
    """
    calls = Call.objects.filter(pk__in=list(call_ids))
    client_ids = set(calls.order_by().values_list("client_id", flat=True).distinct())
    found: dict[UUID, list[Hold]] = {}
    rows = Hold.objects.filter(client_id__in=client_ids).open().order_by("placed_at", "pk")
    for hold in rows:
        kept = calls.for_client(hold.client_id).filter(_kept_by(hold))
        for call_id in kept.values_list("pk", flat=True):
            found.setdefault(call_id, []).append(hold)
    return found


# --- Being placed -------------------------------------------------------------------------------------------------


def is_of_everything(hold: Hold) -> bool:
    """Whether a hold names neither numbers nor calls: it keeps everything of its time."""
    callers = HoldCaller.objects.for_client(hold.client_id).filter(hold=hold)
    calls = HoldCall.objects.for_client(hold.client_id).filter(hold=hold)
    return not callers.exists() and not calls.exists()


def keep_all(found: Iterable[Hold]) -> bool:
    """Whether any of these holds keeps everything of its client, whenever it was."""
    return any(hold.from_at is None and hold.until_at is None and is_of_everything(hold) for hold in found)


def is_passed_by(hold: Hold, at: datetime) -> bool:
    """
    Whether something that a hold covers may still be leaving, because a batch had chosen it before.

    A run's batch had begun before while its lease still runs and ends earlier than one that was taken since would, or
    later than any that is taken now: the clock went back;
    a quarantine's is over when nothing that was taken out of use waits to be cleared.
    """
    leased = RunPart.objects.for_client(hold.client_id).filter(leased_until__gt=at)
    is_older = Q(leased_until__lte=_widened_at(hold) + LEASED_AT_MOST + _IN_TURN)
    is_ahead = Q(leased_until__gt=at + LEASED_AT_MOST + _IN_TURN)
    if leased.filter(is_older | is_ahead).exists():
        return True
    calls = kept_calls(hold).values("pk")
    for rows, gone in ((Recording, RecordingState.GONE), (Transcript, TranscriptState.GONE)):
        leaving = rows.objects.for_client(hold.client_id).filter(state=gone, due_at__isnull=False)
        if leaving.filter(call_id__in=calls).exists():
            return True
    return False


def _widened_at(hold: Hold) -> datetime:
    """When a hold came to cover the last of what it covers."""
    widened = Event.objects.filter(
        agency_id=hold.agency_id,
        subject_kind=Hold._meta.label_lower,
        subject_id=str(hold.pk),
        action=WIDENED,
    )
    newest = widened.order_by("-at").values_list("at", flat=True).first()
    return hold.placed_at if newest is None else max(newest, hold.placed_at)


# --- Being lifted -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FallsDue:
    """
    What leaves, were a hold lifted now, for nothing else keeps it: with the next run what its date has come for, and
    within minutes what people have asked to be erased.

    :ivar calls: past the date of call records, whatever hangs on them along. :ivar recordings: past their own date,
    of calls that stay, and :ivar transcripts: the same. :ivar requests: of people, and :ivar reasons: in the trail,
    past theirs. :ivar own: rows of the agency's own, where the hold keeps them. :ivar redactions: calls out of which
    the tracker has taken the person, which ours still has. :ivar withheld: recordings and transcripts that get the
    date of their quarantine again; they change while people read, so they are shown and not compared. :ivar numbers:
    of people whose calls stay, or have none any more, and :ivar evidence: of what people said, past their dates.
    :ivar asked: calls of people whose erasure was carried out but for what is held, those too of which a law keeps the
    record and only what was said leaves, and :ivar people: numbers that leave with it; some of both may be past their
    dates as well.
    """

    calls: int = 0
    recordings: int = 0
    transcripts: int = 0
    redactions: int = 0
    numbers: int = 0
    evidence: int = 0
    requests: int = 0
    reasons: int = 0
    own: int = 0
    asked: int = 0
    people: int = 0
    withheld: int = field(default=0, compare=False)


def freed_calls(hold: Hold) -> CallQuerySet:
    others = [one for one in open_holds(hold.client) if one.pk != hold.pk]
    return kept_calls(hold).exclude(kept_by(others)) if others else kept_calls(hold)


def falls_due(hold: Hold, at: datetime) -> FallsDue:
    """
    Count what would leave, by the days that a run goes by.

    At a client that is observed nothing is erased by its date, so that only what the tracker or people asked for
    counts.
    """
    client = hold.client
    freed = freed_calls(hold)
    redactions = freed.filter(redact_due_at__isnull=False, redact_due_at__lte=at).count()
    own = _own_due(hold, at)
    asked, people = _asked(hold, freed, at)
    if not decisions.is_live(client):
        return FallsDue(redactions=redactions, own=own, asked=asked, people=people)
    limits = policies.all_cutoffs([client], at)[client.pk]
    is_out = Q(direction=Direction.OUTBOUND)
    expired = (~is_out & Q(pk__lt=first_id_at(limits[Category.CALL]))) | (
        is_out & Q(pk__lt=first_id_at(limits[Category.CALL_OUT]))
    )
    staying = freed.exclude(expired)
    recordings = Recording.objects.for_client(client).filter(call_id__in=staying.values("pk"))
    transcripts = Transcript.objects.for_client(client).filter(call_id__in=staying.values("pk"))
    past = Q(call_id__lt=first_id_at(limits[Category.RECORDING]))
    past_words = Q(call_id__lt=first_id_at(limits[Category.TRANSCRIPT]))
    there, words = ~Q(state=RecordingState.GONE), ~Q(state=TranscriptState.GONE)
    quarantined = recordings.filter(~past, state=RecordingState.WITHHELD, came_late=False).count()
    quarantined += transcripts.filter(
        ~past_words, state=TranscriptState.WITHHELD, call__came_late=False
    ).count()
    return FallsDue(
        calls=freed.filter(expired).count(),
        recordings=recordings.filter(past & there).count(),
        transcripts=transcripts.filter(past_words & words).count(),
        redactions=redactions,
        withheld=quarantined,
        numbers=_numbers_due(hold, limits),
        evidence=_due_of(hold, limits, Category.CONSENT) + _due_of(hold, limits, Category.WITHDRAWAL),
        requests=_due_of(hold, limits, Category.REQUEST),
        reasons=_due_of(hold, limits, Category.TRAIL),
        own=own,
        asked=asked,
        people=people,
    )


def _asked(hold: Hold, freed: CallQuerySet, at: datetime) -> tuple[int, int]:
    """Calls and numbers that people's erasures take once a hold is lifted."""
    found = [count(hold, freed, at=at) for count in targets.ASKED]
    return sum(calls for calls, _ in found), sum(numbers for _, numbers in found)


def _others(hold: Hold) -> list[Hold]:
    return [one for one in open_holds(hold.client) if one.pk != hold.pk]


def _held_by(client: Client, holds: Collection[Hold]) -> frozenset[UUID]:
    """Callers of whom these holds keep something."""
    if not holds:
        return frozenset()
    named = HoldCaller.objects.for_client(client).filter(hold__in=[one.pk for one in holds])
    calls = Call.objects.for_client(client).filter(kept_by(holds), caller__isnull=False)
    return frozenset(named.values_list("caller_id", flat=True)) | frozenset(
        calls.values_list("caller_id", flat=True).distinct()
    )


def _line(
    hold: Hold,
    limits: Mapping[Category, datetime],
    category: Category,
    held: frozenset[UUID],
    by: Collection[Hold],
) -> targets.Line:
    """A line as it would stand with these holds and no other."""
    return targets.Line(
        client=hold.client,
        cutoff=limits[category],
        call_cutoff=limits[Category.CALL],
        call_out_cutoff=limits[Category.CALL_OUT],
        held=held,
        is_held=bool(by),
        keeps_all=keep_all(by),
    )


def _numbers_due(hold: Hold, limits: Mapping[Category, datetime]) -> int:
    """People whose date has come, and whom this hold alone keeps."""
    others = _others(hold)
    line = _line(hold, limits, Category.IDENTITY, _held_by(hold.client, others), others)
    found = targets.kept_back(line, _held_by(hold.client, [hold]))
    marked = Call.objects.for_client(hold.client).filter(caller_id__in=found, on_hold=True)
    kept = marked.exclude(pk__in=freed_calls(hold).values("pk")).values_list("caller_id", flat=True)
    return len(set(found) - set(kept.distinct()))


def _due_of(hold: Hold, limits: Mapping[Category, datetime], category: Category) -> int:
    """Rows of a category whose date has come and which this hold alone keeps, by a run's own counts."""
    others = _others(hold)
    held = _held_by(hold.client, others)
    after = _line(hold, limits, category, held, others)
    before = _line(hold, limits, category, held | _held_by(hold.client, [hold]), [hold, *others])
    count, none = targets.TARGETS[category].count, targets.Extent()
    return count([after]).get(hold.client_id, none).rows - count([before]).get(hold.client_id, none).rows


def _own_due(hold: Hold, at: datetime) -> int:
    """Rows of the agency's own whose date has come and which this hold alone keeps."""
    others = Hold.objects.open().filter(agency_id=hold.agency_id).exclude(pk=hold.pk)
    agency = hold.client.agency
    kept = policies.house_effective(agency)
    events = 0
    if not others.exists():
        # Every open hold keeps the trail's months, so that lifting the last one frees them.
        months = trail.months(agency, kept[Category.TRAIL], at)
        found = None if months is None else trail.due(months)
        events = 0 if found is None else found.held
    if not hold.keeps_house or others.filter(keeps_house=True).exists():
        return events
    return events + sum(
        target.count(
            targets.HouseLine(agency, tenancy.cutoff_in_zone(agency.time_zone, kept[category].days, at))
        ).rows
        for category, target in targets.HOUSE.items()
    )


# --- Pages --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """
    One hold on a list.

    :ivar calls: how many calls it keeps now; None where the person may not count them, or it is lifted.
    :ivar numbers: how many numbers it names, and :ivar named: how many calls.
    """

    hold: Hold
    numbers: int
    named: int
    calls: int | None

    @property
    def is_open(self) -> bool:
        """Whether it still keeps anything."""
        return self.hold.lifted_at is None

    @property
    def has_dates(self) -> bool:
        """Whether its dates say anything: calls that it names are kept whenever they were."""
        return bool(self.numbers or not self.named)

    @property
    def scope(self) -> str:
        """What it covers, in words, without its dates."""
        parts = []
        if self.numbers:
            parts.append(f"{self.numbers} number{'' if self.numbers == 1 else 's'}")
        if self.named:
            parts.append(f"{self.named} call{'' if self.named == 1 else 's'}")
        return " and ".join(parts) or "Everything of the client"


def holds_of(client: Client) -> QuerySet[Hold]:
    """A client's holds: open ones first, the newest first."""
    return _with_counts(Hold.objects.for_client(client)).order_by(
        F("lifted_at").desc(nulls_first=True), "-placed_at", "pk"
    )


def open_holds_of(client_ids: Collection[int]) -> QuerySet[Hold]:
    """The open holds of several clients, by the day on which they are looked at again."""
    rows = _with_counts(Hold.objects.filter(client_id__in=list(client_ids)).open())
    return rows.order_by("review_on", "client__name", "pk")


def _with_counts(rows: QuerySet[Hold]) -> QuerySet[Hold]:
    callers = HoldCaller.objects.filter(hold=OuterRef("pk"), client_id=OuterRef("client_id"))
    calls = HoldCall.objects.filter(hold=OuterRef("pk"), client_id=OuterRef("client_id"))
    return rows.select_related("client__agency", "placed_by", "lifted_by").annotate(
        n_callers=_counted(callers), n_calls=_counted(calls)
    )


def _counted(rows: QuerySet[Any]) -> Coalesce:
    count = rows.order_by().values("hold").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(count, output_field=IntegerField()), 0)


def lines(holds: Iterable[Any], *, may_count: Collection[int]) -> list[Line]:
    """
    Holds as pages list them; one query more for each open one.

    :param may_count: ids of the clients whose calls the person may see.
    """
    found = []
    for hold in holds:
        shown = hold.lifted_at is None and hold.client_id in may_count
        calls = kept_calls(hold).count() if shown else None
        found.append(Line(hold=hold, numbers=hold.n_callers, named=hold.n_calls, calls=calls))
    return found


def find(client: Client, hold_id: UUID) -> Hold | None:
    return holds_of(client).filter(pk=hold_id).first()


def people_of(hold: Hold) -> QuerySet[HoldPerson]:
    rows = HoldPerson.objects.for_client(hold.client_id).filter(hold=hold)
    return rows.select_related("user").order_by("user__name", "user__email")


def names_of(call: Call) -> list[Hold]:
    """The open holds that keep one call, as who manages retention sees them; nobody else sees any."""
    return covering([call.pk]).get(call.pk, [])


def widenable(client: Client) -> list[Hold]:
    """The open holds of a client to which a call may be added: those that name numbers or calls."""
    rows = _with_counts(open_holds(client))
    return [hold for hold in rows if hold.n_callers or hold.n_calls]  # type: ignore[attr-defined]  # annotated above


def kept_sample(hold: Hold) -> QuerySet[Call]:
    """The newest calls that a hold keeps, for its page."""
    rows = kept_calls(hold).select_related("caller", "tracking_number", "recording", "client")
    return rows.order_by("-pk")[:_SAMPLE]


def last_day(hold: Hold) -> datetime | None:
    """The last instant that a hold keeps, so that its day is the one that was typed."""
    return None if hold.until_at is None else hold.until_at - timedelta(milliseconds=1)
