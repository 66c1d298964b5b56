"""
How far a new client has come, out of what is there: nothing counts as done that no row shows.

What is found in its calls is said as one sentence a person can check, and what would mend it is proposed.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import Q

from callprivacy.accounts import selectors as accounts
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import Call, CallImport, Connection, TrackingNumber
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client, Engagement
from consent.enums import (
    Basis,
    Channel,
    Language,
    NoticeState,
    Purpose,
    SetupStep,
    Standard,
    VendorStep,
)
from consent.law import Rules, Topic
from consent.models import Notice, NoticeVersion, PhoneMenu, PostedNotice, Rejudgement, SetupMark, VendorTask
from consent.selectors import decisions, law, notices, sites, standards
from consent.selectors.decisions import Counts

BACKFILL: Final = timedelta(days=30)
_A_DAY: Final = timedelta(days=1)
NUMBERS_SHOWN: Final = 60
LEFT_AS_IT_IS: Final = "left as it is"
DONE, TODO, WAITING, OPEN = "done", "todo", "waiting", "open"


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step and where it stands.

    :ivar state: "done", "todo", "waiting" (for a machine, or for somebody else), or "open": it may be done later.
    :ivar said: what shows it, in a few words.
    """

    step: SetupStep
    state: str
    said: str

    @property
    def title(self) -> str:
        return self.step.label

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left."""
        return self.state == DONE


@dataclass(frozen=True, slots=True)
class Setup:
    """All steps of a client, and which is next."""

    steps: tuple[Step, ...]
    marks: Mapping[str, SetupMark]

    @property
    def next(self) -> Step | None:
        """The first step of which something is left to do."""
        return next((step for step in self.steps if step.state in {TODO, WAITING}), None)

    @property
    def done(self) -> int:
        return sum(step.is_done for step in self.steps)

    @property
    def before_live(self) -> list[Step]:
        """The steps of which something is left before the client goes live."""
        return [step for step in self.steps if not step.is_done and step.step != SetupStep.LIVE]

    def get(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.step == name), None)


def setup_of(client: Client, *, at: datetime) -> Setup:
    """Where each step of a client stands now."""
    marks = {row.step: row for row in SetupMark.objects.for_client(client).select_related("marked_by")}
    counts = decisions.record_counts(client)
    numbers = list(TrackingNumber.objects.for_client(client).order_by("label", "number")[:NUMBERS_SHOWN])
    steps = (
        _blueprint(client, marks),
        _engagement(client),
        _tracker(client, marks),
        _backfill(client, marks, at),
        _numbers(numbers, marks),
        _findings(client, marks, counts, at),
        _people(client, at),
        _words(client, marks),
        _live(client),
    )
    return Setup(steps, marks)


def _plural(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _blueprint(client: Client, marks: Mapping[str, SetupMark]) -> Step:
    rows = NoticeVersion.objects.for_client(client)
    published = rows.filter(state=NoticeState.PUBLISHED).count()
    drafts = rows.filter(state=NoticeState.DRAFT).count()
    mark = marks.get(SetupStep.BLUEPRINT)
    said = []
    if mark is not None and mark.note:
        said.append(mark.note)
    if published:
        said.append(f"{_plural(published, 'notice')} in force")
    if drafts:
        said.append(_plural(drafts, "draft"))
    is_done = mark is not None or published > 0
    return Step(SetupStep.BLUEPRINT, DONE if is_done else TODO, ", ".join(said) or "no notices yet")


def _engagement(client: Client) -> Step:
    row = Engagement.objects.for_client(client).first()
    contract = row is not None and row.contract_on is not None
    dpa = row is not None and row.dpa_on is not None
    said = {
        (True, True): "contract and data processing agreement have dates",
        (True, False): "the data processing agreement has no date",
        (False, True): "the contract has no date",
        (False, False): "neither contract nor data processing agreement has a date",
    }[contract, dpa]
    return Step(SetupStep.ENGAGEMENT, DONE if contract and dpa else TODO, said)


def _tracker(client: Client, marks: Mapping[str, SetupMark]) -> Step:
    ways = list(Connection.objects.for_client(client).filter(is_active=True))
    if any(way.last_event_at is not None for way in ways):
        newest = max(way.last_event_at for way in ways if way.last_event_at is not None)
        day = calendars.day_in(client.time_zone, newest)
        return Step(SetupStep.TRACKER, DONE, f"connected, last event {day:%-d %b %Y}")
    if SetupStep.TRACKER in marks:
        return Step(SetupStep.TRACKER, DONE, marks[SetupStep.TRACKER].note)
    if ways:
        return Step(SetupStep.TRACKER, OPEN, "connected, no event has arrived yet")
    return Step(SetupStep.TRACKER, TODO, "no tracker is connected")


def _backfill(client: Client, marks: Mapping[str, SetupMark], at: datetime) -> Step:
    files = CallImport.objects.for_client(client)
    if files.filter(state__in=(JobState.QUEUED, JobState.RUNNING)).exists():
        return Step(SetupStep.BACKFILL, WAITING, "import in progress")
    calls = Call.objects.for_client(client).started_from(at - BACKFILL)
    # The calls of the first day are the tracker's, not the past.
    if files.filter(state=JobState.DONE, added__gt=0).exists() or calls.started_before(at - _A_DAY).exists():
        return Step(SetupStep.BACKFILL, DONE, f"{_plural(calls.count(), 'call')} from the last 30 days")
    if SetupStep.BACKFILL in marks:
        return Step(SetupStep.BACKFILL, DONE, marks[SetupStep.BACKFILL].note)
    return Step(SetupStep.BACKFILL, TODO, "no calls from the last 30 days yet")


def is_settled(number: TrackingNumber) -> bool:
    """Whether it is known of a number if it is recorded, and what callers hear where it is."""
    if number.records is None:
        return False
    return not number.records or bool(number.announcement) == (number.announced_from is not None)


def _numbers(numbers: Sequence[TrackingNumber], marks: Mapping[str, SetupMark]) -> Step:
    if not numbers:
        return Step(SetupStep.NUMBERS, TODO, "numbers appear with their first call")
    left = sum(not is_settled(number) for number in numbers)
    if left:
        return Step(SetupStep.NUMBERS, TODO, f"{left} of {_plural(len(numbers), 'number')} to confirm")
    if SetupStep.NUMBERS not in marks:
        return Step(SetupStep.NUMBERS, TODO, f"{_plural(len(numbers), 'number')} described, not confirmed")
    announced = sum(bool(number.announcement) for number in numbers if number.records)
    recorded = sum(bool(number.records) for number in numbers)
    return Step(SetupStep.NUMBERS, DONE, f"{recorded} recorded, {announced} of them announced")


def _findings(client: Client, marks: Mapping[str, SetupMark], counts: Counts, at: datetime) -> Step:
    if counts.undecided:
        said = f"{_plural(counts.undecided, 'recording')} with a pending decision"
        return Step(SetupStep.FINDINGS, WAITING, said)
    if not counts.recorded:
        return Step(SetupStep.FINDINGS, OPEN, "no recorded calls yet")
    if _is_decided_anew(client):
        return Step(SetupStep.FINDINGS, WAITING, "recordings are being decided again")
    fixes = proposals(client, at=at)
    said = f"{counts.allowed:,} of {_plural(counts.recorded, 'recording')} can be kept"
    mark = marks.get(SetupStep.FINDINGS)
    if fixes and mark is not None and mark.note == LEFT_AS_IT_IS:
        said = f"{said}; suggested fixes skipped"
    elif fixes:
        return Step(
            SetupStep.FINDINGS, TODO, f"{said}; {_plural(len(fixes), 'suggested fix', 'suggested fixes')}"
        )
    waiting = open_fixes(client)
    if waiting:
        said = f"{said}; {_plural(waiting, 'task')} at the tracker"
    return Step(SetupStep.FINDINGS, DONE, said)


def _is_decided_anew(client: Client) -> bool:
    """Whether all of a client's recordings are to be decided anew, so that what was found is about to change."""
    causes = Rejudgement.objects.for_client(client).filter(finished_at=None)
    return causes.filter(caller_id=None, call_digest=None).exists()


def _people(client: Client, at: datetime) -> Step:
    number = accounts.count_people_of([client.pk], at=at).get(client.pk, 0)
    if number:
        return Step(SetupStep.PEOPLE, DONE, f"{_plural(number, 'person has', 'people have')} access")
    return Step(SetupStep.PEOPLE, TODO, "no team member has access")


def _words(client: Client, marks: Mapping[str, SetupMark]) -> Step:
    posted = PostedNotice.objects.for_client(client).filter(to_on=None).count()
    if posted:
        return Step(SetupStep.WORDS, DONE, f"{_plural(posted, 'posted notice')} recorded")
    if SetupStep.WORDS in marks:
        return Step(SetupStep.WORDS, DONE, "delivered")
    return Step(SetupStep.WORDS, TODO, "not delivered yet")


def _live(client: Client) -> Step:
    if client.retention_state == RetentionState.LIVE:
        return Step(SetupStep.LIVE, DONE, "live")
    return Step(SetupStep.LIVE, TODO, "dry run: nothing is deleted automatically")


# --- What was found -----------------------------------------------------------------------------------------------

# Withheld recordings by number, direction, and the caller's places that the decision counted.
_WITHHELD: Final = """
SELECT c.tracking_number_id, c.direction = 'outbound', ARRAY(
    SELECT concat_ws('-', e ->> 'country', e ->> 'region')
    FROM jsonb_array_elements(d.places) WITH ORDINALITY AS p (e, place)
    WHERE e ->> 'side' = 'caller' AND coalesce((e ->> 'counts')::boolean, true) ORDER BY place
), count(*)
FROM consent_decision d
JOIN calls_call c ON c.client_id = d.client_id AND c.id = d.call_id
JOIN calls_recording r ON r.call_id = c.id AND r.state = 'withheld'
WHERE d.client_id = %s AND d.purpose = 'record' AND NOT d.allowed
GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Withheld:
    """
    Withheld recordings of one number in one direction, with callers of the same places.

    :ivar places: (country, region) of the caller, all that counted; ("", "") where none is known.
    """

    number_id: uuid.UUID | None
    is_out: bool
    places: tuple[tuple[str, str], ...]
    calls: int

    def strictest(self, rules: Rules, on: date) -> tuple[str, str]:
        """The place of these that asks the most."""

        def strictness(place: tuple[str, str]) -> float:
            country, region = place
            return rules.for_place(country, region, Topic.RECORDING_CONSENT, on).strictness

        return max(self.places, key=strictness)


@dataclass(frozen=True, slots=True)
class FromPlace:
    """Withheld recordings of callers from one place, and what the law there asks."""

    name: str
    key: str
    calls: int
    asks: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in a client's recorded calls."""

    counts: Counts
    places: tuple[FromPlace, ...]

    @property
    def sentence(self) -> str:
        """The whole of it: "Of 412 recorded calls: 371 announced, 29 from California (US) without"."""
        parts = [
            f"{row.calls:,} {_BASES.get(row.basis, 'allowed by law without consent')}"
            for row in self.counts.by_basis
        ]
        parts += [f"{place.calls:,} from {place.name} without" for place in self.places]
        if self.counts.undecided:
            parts.append(f"{self.counts.undecided:,} pending")
        return f"Of {_plural(self.counts.recorded, 'recorded call')}: {', '.join(parts) or 'none decided'}."


_BASES: Final = {Basis.CONSENT.value: "agreed to", Basis.NOTICE.value: "announced"}


def withheld_of(client: Client) -> list[Withheld]:
    """Withheld recordings of a client by number, direction and places of the caller; one query."""
    with connection.cursor() as cursor:
        cursor.execute(_WITHHELD, [client.pk])
        return [
            Withheld(number_id, is_out, tuple(_place(key) for key in keys) or (("", ""),), calls)
            for number_id, is_out, keys, calls in cursor.fetchall()
        ]


def _place(key: str) -> tuple[str, str]:
    country, _, region = key.partition("-")
    return country, region


def findings_of(client: Client, *, at: datetime) -> Findings:
    """What was found in a client's recorded calls."""
    rules = law.rules_of(client.agency_id)
    today = standards.today_at(client, at)
    calls: dict[tuple[str, str], int] = defaultdict(int)
    for row in withheld_of(client):
        calls[row.strictest(rules, today)] += row.calls
    found = [
        FromPlace(
            "an unknown location" if not country else law.place_name(country, region),
            law.place_key(country, region),
            number,
            law.value_words(rules.for_place(country, region, Topic.RECORDING_CONSENT, today)),
        )
        for (country, region), number in calls.items()
    ]
    found.sort(key=lambda place: (-place.calls, place.name))
    return Findings(decisions.record_counts(client), tuple(found))


# --- What would mend it -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proposal:
    """One fix at the tracker for one number, why, and how many recordings are withheld for want of it."""

    number: TrackingNumber
    step: VendorStep
    why: str
    calls: int

    @property
    def key(self) -> str:
        """What a form knows it by."""
        return f"{self.number.pk}.{self.step.value}"


def proposals(client: Client, *, at: datetime) -> list[Proposal]:
    """
    What would keep recordings of a client's numbers from being withheld, most calls first.

    Where an announcement is enough there and the client asks no more of itself, the announcement; otherwise our
    phone menu, which asks before it records. What is a task already is not proposed again.
    """
    numbers = {row.pk: row for row in TrackingNumber.objects.for_client(client)}
    asked = {
        (task.tracking_number_id, task.step)
        for task in VendorTask.objects.for_client(client).filter(tracking_number__isnull=False)
    }
    gated = set(
        PhoneMenu.objects.for_client(client)
        .filter(is_active=True)
        .values_list("tracking_number_id", flat=True)
    )
    wanted = _wanted(client, numbers, at=at)
    found = [
        Proposal(numbers[number_id], step, _why(step, numbers[number_id], places), calls)
        for (number_id, step), (calls, places) in wanted.items()
        if number_id not in gated and (number_id, step.value) not in asked
    ]
    return sorted(found, key=lambda each: (-each.calls, str(each.number), each.step))


type _Wanted = dict[tuple[uuid.UUID, VendorStep], tuple[int, list[str]]]


def _wanted(client: Client, numbers: Mapping[uuid.UUID, TrackingNumber], *, at: datetime) -> _Wanted:
    rules = law.rules_of(client.agency_id)
    today = standards.today_at(client, at)
    standard = standards.standard_of(client, at=at)
    known = sites.sites_by_name(client)
    wanted: _Wanted = {}
    for row in withheld_of(client):
        number = numbers.get(row.number_id) if row.number_id is not None else None
        if number is None or number.records is False or row.is_out:
            continue  # neither an announcement nor a menu is heard by whom we call
        site = known.of_number(number.target_site)
        where = [*row.places] + ([(site.country, site.region)] if site is not None else [])
        enough = standard != Standard.EXPRESS and _announcement_suffices(
            rules, where, today, on_recording=number.announced_on_recording is True
        )
        if enough and number.announcement:
            continue  # calls from before it was announced; those to come are
        step = VendorStep.ANNOUNCE if enough else VendorStep.MOVE_TO_MENU
        calls, places = wanted.setdefault((number.pk, step), (0, []))
        country, region = row.strictest(rules, today)
        name = law.place_name(country, region) if country else "unknown locations"
        wanted[number.pk, step] = (calls + row.calls, places if name in places else [*places, name])
    return wanted


def _announcement_suffices(
    rules: Rules, where: Sequence[tuple[str, str]], on: date, *, on_recording: bool
) -> bool:
    suffices = {"yes", "recorded"} if on_recording else {"yes"}
    return all(
        rules.for_place(country, region, Topic.NOTICE_SUFFICES, on).value in suffices
        and rules.for_place(country, region, Topic.RECORDING_CONSENT, on).value != "express_only"
        for country, region in where
    )


def _why(step: VendorStep, number: TrackingNumber, places: Sequence[str]) -> str:
    listed = ", ".join(places[:3]) + (f" and {len(places) - 3} more places" if len(places) > 3 else "")
    if step == VendorStep.ANNOUNCE:
        return f"Callers from {listed} hear no announcement. An announcement is enough there."
    heard = (
        "hear an announcement, which is" if number.announcement else "hear nothing, and an announcement is"
    )
    said = f"Callers from {listed} {heard} not enough there. Our phone menu asks them first."
    if number.announcement and number.announced_on_recording is None:
        said += " In some places it is enough if it is on the recording: say so on the number's page."
    return said


def open_fixes(client: Client) -> int:
    """How many tasks about this client's numbers are open at trackers."""
    rows = VendorTask.objects.for_client(client).open().filter(tracking_number__isnull=False)
    return rows.filter(Q(withdrawal=None)).count()


# --- What a person is offered -------------------------------------------------------------------------------------


def announcement_words(client: Client) -> str:
    """The words in force for an announcement, or those of the notice that is drafted for it, or nothing."""
    version = notices.in_force(
        client, purpose=Purpose.RECORD, channel=Channel.ANNOUNCEMENT, language=Language.ENGLISH
    )
    if version is None:
        drafted = NoticeVersion.objects.for_client(client).filter(
            notice__in=Notice.objects.for_client(client).filter(
                channel=Channel.ANNOUNCEMENT, language=Language.ENGLISH
            )
        )
        version = drafted.order_by("-number").first()
    return " ".join(notices.said_in_full(version).split()) if version is not None else ""


def running_import(client: Client) -> CallImport | None:
    """The file that is being read now, if one is."""
    rows = CallImport.objects.for_client(client).filter(state__in=(JobState.QUEUED, JobState.RUNNING))
    return rows.order_by("-created_at").first()


def numbers_to_confirm(client: Client) -> list[TrackingNumber]:
    """A client's numbers, those of which something is not known yet first."""
    rows = list(TrackingNumber.objects.for_client(client).order_by("label", "number")[:NUMBERS_SHOWN])
    return sorted(rows, key=is_settled)


def recorded_by_number(client: Client) -> dict[uuid.UUID, tuple[int, int]]:
    """Tracking number id -> (calls, recorded calls) of a client; one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.tracking_number_id, count(*), count(r.id) FROM calls_call c"
            " LEFT JOIN calls_recording r ON r.call_id = c.id"
            " WHERE c.client_id = %s AND c.tracking_number_id IS NOT NULL GROUP BY 1",
            [client.pk],
        )
        return {row[0]: (row[1], row[2]) for row in cursor.fetchall()}
