"""
What a decision is made from, read for a whole batch of calls at once.

Whatever a call may be, the number of queries is the same: about a dozen for one call or five hundred.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.models import Announcement, Call
from callprivacy.tenancy.enums import Sector
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault
from consent.decide import CallSpan, Event, Question
from consent.enums import Basis, Channel, EventKind, Purpose, Scope, Strength
from consent.models import ClientStandard, NoticeVersion, PostedNotice
from consent.selectors import minors, places, standards
from consent.selectors.places import Located
from consent.selectors.standards import Asks

HEALTH: Final = frozenset(sector for sector in Sector if sector.is_health)
"""Trades whose calls are about health."""

NOT_ON_CALLS_OUT: Final = "The announcement of this number is not played on outbound calls."

EVENT_COLUMNS: Final = (
    "id", "call_digest", "purpose", "kind", "basis", "channel", "scope", "strength", "happened_at", "recorded_at",
    "guardian_until",
)  # fmt: skip
# Events of a batch by its calls' references: the ledger names a call by one of them.
_OF_CALLS: Final = f"""
    SELECT r.call_id, {", ".join(f"e.{name}" for name in EVENT_COLUMNS)}, e.caller_id
    FROM calls_callref r
    JOIN consent_consentevent e ON e.client_id = r.client_id AND e.call_digest = r.digest
    WHERE r.client_id = %s AND r.call_id = ANY(%s::uuid[]) AND e.purpose = ANY(%s)
"""  # noqa: S608  (names of columns)
_OF_CALLERS: Final = f"""
    SELECT NULL, {", ".join(EVENT_COLUMNS)}, caller_id FROM consent_consentevent
    WHERE client_id = %s AND caller_id = ANY(%s::uuid[]) AND purpose = ANY(%s)
"""  # noqa: S608  (names of columns)
# Which calls of the same callers other events name.
_OTHER_CALLS: Final = """
    SELECT r.digest, r.call_id FROM calls_call c
    JOIN calls_callref r ON r.client_id = c.client_id AND r.call_id = c.id
    WHERE c.client_id = %s AND c.caller_id = ANY(%s::uuid[])
"""
_MENUS: Final = """
    SELECT r.call_id, min(m.recording_from)
    FROM calls_callref r
    JOIN consent_menusession m ON m.client_id = r.client_id AND m.call_digest = r.digest
    WHERE r.client_id = %s AND r.call_id = ANY(%s::uuid[]) AND m.recording_from IS NOT NULL
    GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Case:
    """
    One call as the engine is asked about it, and every piece of evidence of where it is.

    :ivar heard: what was announced on it and since when, or why what its number announces was not; "" for nothing.
    """

    call: Call
    question: Question
    places: tuple[Located, ...]
    heard: str = ""


def calls_for(client: Client, call_ids: Collection[uuid.UUID]) -> list[Call]:
    """Calls of a client with what `cases` needs of them; one query."""
    rows = Call.objects.for_client(client).filter(pk__in=list(call_ids))
    return list(rows.select_related("caller", "tracking_number").order_by("pk"))


def cases(client: Client, calls: Sequence[Call], purpose: Purpose, *, at: datetime) -> list[Case]:
    """
    The questions of a batch of calls of one client, in their order.

    Recording is asked over the call, by the standard of then; everything else at `at`, by the standard of now.
    Calls come with their caller and tracking number (`calls_for`).
    """
    return asked(client, calls, [purpose], at=at)[purpose] if calls else []


def asked(
    client: Client, calls: Sequence[Call], purposes: Collection[Purpose], *, at: datetime
) -> dict[Purpose, list[Case]]:
    """The questions of a batch for several purposes, of one reading."""
    found: dict[Purpose, list[Case]] = {purpose: [] for purpose in purposes}
    if not calls:
        return found
    batch = _Batch(client, calls, purposes, at)
    for call in calls:
        located = places.places_of(call, batch.places)
        for purpose, of_purpose in found.items():
            question = batch.question(call, purpose, located)
            of_purpose.append(Case(call, question, located, batch.heard.sentence(call)))
    return found


class _Batch:
    """What is known of a batch's calls. Read once, then asked call by call."""

    def __init__(
        self, client: Client, calls: Sequence[Call], purposes: Collection[Purpose], at: datetime
    ) -> None:
        self.client, self.at = client, at
        self.zone = ZoneInfo(client.time_zone)
        call_ids = [call.pk for call in calls]
        callers = sorted({call.caller_id for call in calls if call.caller_id is not None})
        self.places = places.known_of(client, callers)
        self.minors = minors.among(client, callers)
        self.presumes_minors = minors.are_presumed(client)
        self.health = client.sector in HEALTH
        self.standards = _Standards(client)
        self.heard = _Heard(client, calls, self.zone)
        self.posted = list(PostedNotice.objects.for_client(client).select_related("version__notice"))
        self.menus = dict(_fetch(_MENUS, client.pk, call_ids))
        self.declared = declared_by(client) if Purpose.MEASURE in purposes else Basis.LEGITIMATE_INTERESTS
        self._read_events(call_ids, callers, [purpose.value for purpose in purposes])

    def _read_events(
        self, call_ids: Sequence[uuid.UUID], callers: Sequence[uuid.UUID], purposes: list[str]
    ) -> None:
        self.of_call: dict[uuid.UUID, dict[uuid.UUID, Event]] = defaultdict(dict)
        self.of_caller: dict[uuid.UUID, list[Event]] = defaultdict(list)
        for row in _fetch(_OF_CALLS, self.client.pk, call_ids, purposes):
            self.of_call[row[0]][row[1]] = event_of(row, call_id=row[0])
        rows = _fetch(_OF_CALLERS, self.client.pk, callers, purposes) if callers else []
        named: dict[bytes, uuid.UUID] = {}
        if any(row[2] is not None for row in rows):
            named = {
                bytes(digest): call_id for digest, call_id in _fetch(_OTHER_CALLS, self.client.pk, callers)
            }
        for row in rows:
            call_id = None if row[2] is None else named.get(bytes(row[2]))
            self.of_caller[row[-1]].append(event_of(row, call_id=call_id))
        on = self.at.astimezone(self.zone).date()
        for caller_id, refused in vault.suppressed_callers(self.client.pk, callers, on=on).items():
            self.of_caller[caller_id] += [
                refusal(purpose, since) for purpose, since in refused.items() if purpose in purposes
            ]

    def question(self, call: Call, purpose: Purpose, located: Sequence[Located]) -> Question:
        started_at = call.started_at
        ended_at = None
        if call.seconds is not None and call.outcome != Outcome.UNDERWAY:
            ended_at = started_at + timedelta(seconds=call.seconds)
        day = started_at.astimezone(self.zone).date()
        judged_at = started_at if purpose is Purpose.RECORD else self.at
        asks = self.standards.of(judged_at)
        known = self.minors.get(call.caller_id) if call.caller_id is not None else None
        own = self.of_call.get(call.pk, {})
        heard = self.heard.on(call)
        others = self.of_caller.get(call.caller_id, []) if call.caller_id is not None else []
        return Question(
            purpose=purpose,
            at=self.at,
            call=CallSpan(
                started_at=started_at,
                ended_at=ended_at,
                announcement=heard is not None,
                call_id=call.pk,
                recording_started_at=self.menus.get(call.pk),
                announced_on_recording=heard is not None and heard.on_recording is True,
            ),
            places=places.that_count(located),
            events=(*own.values(), *(event for event in others if event.id is None or event.id not in own)),
            posted_notice=any(_hangs(notice, call, purpose, day) for notice in self.posted),
            standard=asks.standard,
            claimed_reason=asks.claimed_reason,
            unknown_age=asks.unknown_age,
            age_reason=asks.age_reason,
            **minors.asked(known, presumed=self.presumes_minors, on=judged_at.astimezone(self.zone).date()),
            health=self.health,
            declared=self.declared,
            zone=self.zone,
        )


class _Standards:
    """
    What a client asked of itself at each instant.

    A recording is judged by what counted when its call began, so that a choice that ends makes nobody destroy what
    was right then. Calls that came before the client chose anything take what it chose last.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.rows = list(ClientStandard.objects.for_client(client).order_by("chosen_at", "pk"))

    def of(self, instant: datetime) -> Asks:
        if not self.rows:
            return Asks()
        if instant < self.rows[0].chosen_at:
            return self._asks(self.rows[-1], date.min)
        for row in reversed(self.rows):
            if row.chosen_at <= instant and (row.ended_at is None or instant < row.ended_at):
                return self._asks(row, standards.today_at(self.client, instant))
        return Asks()

    @staticmethod
    def _asks(row: ClientStandard, today: date) -> Asks:
        return standards.asks(
            standard=row.standard,
            expires_on=row.expires_on,
            today=today,
            claimed=row.counts_claimed,
            unknown_age=row.unknown_age,
            reason=row.reason,
        )


class _Heard:
    """What callers of a batch's numbers heard at the beginning of each call, whatever is announced there today."""

    def __init__(self, client: Client, calls: Sequence[Call], zone: ZoneInfo) -> None:
        self.zone = zone
        self.of_number: dict[uuid.UUID, list[Announcement]] = defaultdict(list)
        numbers = {call.tracking_number_id for call in calls if call.tracking_number_id is not None}
        rows = Announcement.objects.for_client(client).filter(struck_at=None, tracking_number_id__in=numbers)
        for row in rows.order_by("from_at"):
            self.of_number[row.tracking_number_id].append(row)
        self.words = {row.pk: _plain(row.words) for rows in self.of_number.values() for row in rows}
        self.versions = self._versions(client) if self.words else []

    @staticmethod
    def _versions(client: Client) -> list[tuple[datetime, str, str]]:
        """Published words for announcements, the newest first: since when, the words, what they are called."""
        rows = NoticeVersion.objects.for_client(client).filter(
            notice__channel=Channel.ANNOUNCEMENT, published_at__isnull=False
        )
        found = rows.order_by("-published_at").values_list("published_at", "words", "notice__name", "number")
        return [(at, _plain(words), f", {name}, version {number}") for at, words, name, number in found if at]

    def on(self, call: Call) -> Announcement | None:
        """What was announced when a call began, if anything was: whom we call hears none of it."""
        return self._of_its_number(call) if call.direction == Direction.INBOUND else None

    def _of_its_number(self, call: Call) -> Announcement | None:
        if call.tracking_number_id is None:
            return None
        for row in self.of_number.get(call.tracking_number_id, ()):
            if row.from_at <= call.started_at and (row.until_at is None or call.started_at < row.until_at):
                return row
        return None

    def sentence(self, call: Call) -> str:
        """The same in a sentence, with the version of a notice that had these very words; "" for nothing."""
        row = self._of_its_number(call)
        if row is None:
            return ""
        if self.on(call) is None:
            return NOT_ON_CALLS_OUT
        words = self.words[row.pk]
        named = next(
            (name for at, said, name in self.versions if said == words and at <= call.started_at), ""
        )
        held = ", on the recording" if row.on_recording else ""
        return f"Announced since {row.from_at.astimezone(self.zone):%B %-d, %Y}{held}{named}: {words}"


def _plain(words: str) -> str:
    return " ".join(words.split())


def declared_by(client: Client) -> Basis:
    """On what a client rests measuring its calls; its legitimate interests where it has declared nothing yet."""
    declaration = standards.declaration_of(client)
    return Basis.LEGITIMATE_INTERESTS if declaration is None else Basis(declaration.basis)


def _hangs(notice: PostedNotice, call: Call, purpose: Purpose, day: date) -> bool:
    """Whether a posted notice told of a purpose when the call came: for its number or all, on that day."""
    if notice.tracking_number_id not in {None, call.tracking_number_id}:
        return False
    if not notice.from_on <= day or (notice.to_on is not None and notice.to_on <= day):
        return False
    return notice.version is None or purpose in notice.version.notice.purposes


def _fetch(
    statement: str, client_id: int, ids: Collection[uuid.UUID], purposes: list[str] | None = None
) -> list[Any]:
    """Rows of one statement; ids go as one text, since a list of hundreds takes the driver much longer."""
    array = "{" + ",".join([one.hex for one in ids]) + "}"
    values: list[Any] = [client_id, array]
    with connection.cursor() as cursor:
        cursor.execute(statement, values if purposes is None else [*values, purposes])
        return list(cursor.fetchall())


_PURPOSES: Final[Mapping[str, Purpose]] = {word.value: word for word in Purpose}
_KINDS: Final[Mapping[str, EventKind]] = {word.value: word for word in EventKind}
_BASES: Final[Mapping[str, Basis]] = {word.value: word for word in Basis}
_CHANNELS: Final[Mapping[str, Channel]] = {word.value: word for word in Channel}
_SCOPES: Final[Mapping[str, Scope]] = {word.value: word for word in Scope}
_STRENGTHS: Final[Mapping[str, Strength]] = {word.value: word for word in Strength}


def event_of(row: Any, *, call_id: uuid.UUID | None) -> Event:
    """The event of a row: whatever it was found by, the columns of EVENT_COLUMNS, the caller."""
    _, identity, _, purpose, kind, basis, channel, scope, strength, happened_at, recorded_at, until, _ = row
    return Event(
        purpose=_PURPOSES[purpose],
        kind=_KINDS[kind],
        basis=_BASES[basis],
        channel=_CHANNELS[channel],
        scope=_SCOPES[scope],
        at=happened_at,
        strength=_STRENGTHS[strength],
        id=identity,
        recorded_at=recorded_at,
        call_id=call_id,
        guardian_until=until,
    )


def refusal(purpose: str, since: datetime) -> Event:
    """An entry of the opt-out list, which outlives the ledger of an erased person, as the engine reads it."""
    return Event(
        purpose=_PURPOSES[purpose],
        kind=EventKind.WITHDRAWN,
        basis=Basis.CONSENT,
        channel=None,
        scope=Scope.STANDING,
        at=since,
    )
