"""What was decided of calls, counted and found again; and the calls that may be measured."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

from django.db.models import FETCH_RAISE, Count, Exists, OuterRef, Q, QuerySet

from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import (
    Call,
    CallPress,
    CallRef,
    Recording,
    TrackingNumber,
    Transcript,
    first_id_at,
)
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client, Engagement
from callprivacy.vault import selectors as vault
from consent.decide import words
from consent.enums import NO_KINDS, NO_STATES, Basis, EventKind, Purpose, Scope, State
from consent.law import places as law_places
from consent.models import CallerPlace, ConsentEvent, ConsentState, Decision, Rejudgement
from consent.selectors import cases, places, standards


def calls_open_to(
    client: Client, purpose: Purpose, *, at: datetime, with_confidential: bool = False
) -> QuerySet[Call]:
    """
    The calls of a client that may be measured: on its declared basis, without those of people who opted out, and
    without confidential ones, which are in no report and no file for others.

    :param with_confidential: with those confidential calls that the scope's person sees.
    :raises ValueError: any other purpose is judged at the moment of use (`services.decisions.may_use`).
    """
    if purpose is not Purpose.MEASURE:
        raise ValueError(f"{purpose.label} is decided call by call, when it is done.")
    calls = Call.objects.for_client(client).in_use()
    if not with_confidential:
        calls = calls.filter(confidential=False)
    said = ConsentState.objects.for_client(client).filter(
        purpose=Purpose.MEASURE, caller_id=OuterRef("caller_id")
    )
    of_before = _before_a_no(client)
    if cases.declared_by(client) == Basis.CONSENT:
        calls = calls.filter(Exists(said.filter(state=State.GIVEN)))
    else:
        calls = calls.filter(~Exists(said.filter(state__in=NO_STATES)) | of_before)
    refused = ConsentEvent.objects.for_client(client).filter(
        purpose=Purpose.MEASURE,
        scope=Scope.THIS_CALL,
        kind__in=NO_KINDS,
    )
    if refused.exists():
        references = CallRef.objects.for_client(client).filter(digest__in=refused.values("call_digest"))
        calls = calls.exclude(pk__in=references.values("call_id"))
    on = standards.today_at(client, at)
    gone = vault.callers_who_refused(client.pk, Purpose.MEASURE, on=on)
    given = set(
        ConsentState.objects.for_client(client)
        .filter(purpose=Purpose.MEASURE, state=State.GIVEN, caller_id__in=gone)
        .values_list("caller_id", flat=True)
    )
    gone = [caller_id for caller_id in gone if caller_id not in given]
    # A call without a caller has nobody who could have opted out.
    return calls.filter(Q(caller_id=None) | ~Q(caller_id__in=gone) | of_before) if gone else calls


def _before_a_no(client: Client) -> Q:
    """
    A condition on calls: a no to measuring was said by today's holder of the number, and they are of whoever had it
    before. Who had it before has said nothing against it.
    """
    noes = ConsentState.objects.for_client(client).filter(purpose=Purpose.MEASURE, state__in=NO_STATES)
    events = ConsentEvent.objects.for_client(client).filter(caller_id__in=noes.values("caller_id"))
    ended = events.filter(kind=EventKind.INVALIDATED).order_by("happened_at")
    handed = dict(ended.values_list("caller_id", "happened_at"))
    found = Q(pk__in=[])
    if not handed:
        return found
    said = events.filter(purpose=Purpose.MEASURE, kind__in=NO_KINDS, caller_id__in=list(handed))
    first = dict(said.order_by("-happened_at").values_list("caller_id", "happened_at"))
    for caller_id, said_at in first.items():
        if caller_id is not None and said_at >= handed[caller_id]:
            found |= Q(caller_id=caller_id, pk__lt=first_id_at(handed[caller_id]))
    return found


@dataclass(frozen=True, slots=True)
class ByBasis:
    """How many recorded calls of a client rest on one basis."""

    basis: str
    calls: int

    @property
    def words(self) -> str:
        return {
            Basis.CONSENT: "Express consent",
            Basis.NOTICE: "Announced on the call",
        }.get(Basis(self.basis), "Legal minimum, no consent required")


@dataclass(frozen=True, slots=True)
class Counts:
    """
    Recorded calls of a client by what was decided, and what quarantine would do.

    :ivar withheld: among them those that `came_late` with imported history, which quarantine never erases.
    :ivar would_leave: withheld ones that become due once the client is live. :ivar due: those that have a date already.
    :ivar held: withheld ones that a hold keeps.
    """

    by_basis: tuple[ByBasis, ...]
    withheld: int
    undecided: int
    came_late: int
    held: int
    would_leave: int
    due: int
    gone: int

    @property
    def allowed(self) -> int:
        """How many may be kept."""
        return sum(row.calls for row in self.by_basis)

    @property
    def recorded(self) -> int:
        """How many there are, those that were erased left out."""
        return self.allowed + self.withheld + self.undecided


def record_counts(client: Client) -> Counts:
    """Count a client's recorded calls by what was decided of them; two queries."""
    allowed = Decision.objects.for_client(client).filter(
        purpose=Purpose.RECORD, allowed=True, call__recording__state=RecordingState.ALLOWED
    )
    by_basis = allowed.order_by("basis").values_list("basis").annotate(calls=Count("pk"))
    rows = Recording.objects.filter(call__client_id=client.pk, client_id=client.pk)
    withheld = Q(state=RecordingState.WITHHELD, decided_at__isnull=False)
    in_time = Q(came_late=False)
    found = rows.aggregate(
        n_withheld=Count("pk", filter=withheld),
        n_undecided=Count("pk", filter=Q(decided_at=None) & ~Q(state=RecordingState.GONE)),
        n_came_late=Count("pk", filter=withheld & Q(came_late=True)),
        n_held=Count("pk", filter=withheld & in_time & Q(call__on_hold=True)),
        n_would_leave=Count("pk", filter=withheld & in_time & Q(call__on_hold=False)),
        n_due=Count("pk", filter=Q(due_at__isnull=False) & ~Q(state=RecordingState.GONE)),
        n_gone=Count("pk", filter=Q(state=RecordingState.GONE)),
    )
    counted = {name.removeprefix("n_"): value for name, value in found.items()}
    return Counts(by_basis=tuple(ByBasis(basis, calls) for basis, calls in by_basis), **counted)


def recorded_since(client_ids: Sequence[int], since: datetime) -> dict[int, list[ByBasis]]:
    """Client id -> its recorded calls from an instant on that may be kept, by basis; one query, for many clients."""
    rows = (
        Decision.objects.filter(
            client_id__in=client_ids,
            call_id__gte=first_id_at(since),
            purpose=Purpose.RECORD,
            allowed=True,
            call__recording__state=RecordingState.ALLOWED,
        )
        .order_by("client_id", "basis")
        .values_list("client_id", "basis")
        .annotate(calls=Count("pk"))
    )
    found: dict[int, list[ByBasis]] = {}
    for client_id, basis, calls in rows:
        found.setdefault(client_id, []).append(ByBasis(basis, calls))
    return found


def being_decided(client: Client) -> Exists:
    """A condition on recordings: evidence of their caller, or of all, has come in that nobody has looked at yet."""
    waiting = Rejudgement.objects.for_client(client).filter(finished_at=None)
    return Exists(
        waiting.filter(
            Q(caller_id=OuterRef("call__caller_id"))
            | Q(caller_id=None, call_digest=None)
            | Q(
                call_digest__in=CallRef.objects.for_client(client)
                .filter(call_id=OuterRef(OuterRef("call_id")))
                .values("digest")
            )
        )
    )


def is_live(client: Client) -> bool:
    """Whether an officer has signed that what is withheld leaves."""
    return client.retention_state == RetentionState.LIVE and client.went_live_at is not None


def deletes_at_vendor(client: Client) -> bool:
    """Whether the client has instructed that withheld recordings are deleted at the tracker too."""
    return Engagement.objects.for_client(client).filter(delete_at_vendor=True).exists()


def address_of(call: Call) -> CallerPlace | None:
    """Where a call's caller lives by an address, if that is known."""
    rows = CallerPlace.objects.for_client(call.client_id)
    return rows.filter(caller_id=call.caller_id).first() if call.caller_id is not None else None


# --- One call ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AboutCall:
    """Everything that is said of a call's recording and words on its page."""

    recording: Recording | None
    transcript: Transcript | None
    decision: Decision | None
    event: ConsentEvent | None
    uses: tuple[Decision, ...]
    address: CallerPlace | None
    is_live: bool
    deletes_at_vendor: bool
    presses: tuple[CallPress, ...]

    @property
    def is_undecided(self) -> bool:
        """Whether the job has not come to it yet."""
        return self.decision is None or (self.recording is not None and self.recording.decided_at is None)

    @property
    def places(self) -> "list[PlaceSaid]":
        """Where both sides are, and how that is known."""
        return [PlaceSaid.of(one) for one in (self.decision.places if self.decision else [])]

    @property
    def is_in_part(self) -> bool:
        """Whether people agreed to the beginning of it."""
        return self.recording is not None and self.recording.withheld_from is not None


@dataclass(frozen=True, slots=True)
class PlaceSaid:
    """One piece of evidence of where a side is, in words."""

    side: str
    name: str
    how: str
    counts: bool

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "PlaceSaid":
        """Out of what a decision keeps."""
        country, region = str(kept["country"]), str(kept["region"])
        codes = region.split("|") if region else [""]
        name = " or ".join(law_places.name(country, code) for code in codes) if country else "unknown"
        side = "Caller" if kept["side"] == places.CALLER else "Answered"
        how = places.WORDS.get(str(kept["evidence"]), "") if country else ""
        return cls(side, name.removeprefix("the "), how, bool(kept["counts"]))


def about_call(client: Client, call: Call) -> AboutCall:
    """What was decided of a call, and from what; six queries at most."""
    recording: Recording | None = getattr(call, "recording", None)
    transcript = Transcript.objects.for_client(client).filter(call_id=call.pk).defer("text").first()
    rows = {
        row.purpose: row for row in Decision.objects.for_client(client).filter(call_id=call.pk).order_by("pk")
    }
    decision = rows.get(Purpose.RECORD)
    event = None
    if decision is not None and decision.event_id is not None:
        event = ConsentEvent.objects.for_client(client).filter(pk=decision.event_id).defer("evidence").first()
    uses = tuple(row for purpose, row in rows.items() if purpose != Purpose.RECORD)
    return AboutCall(
        recording=recording,
        transcript=transcript,
        decision=decision,
        event=event,
        uses=uses,
        address=address_of(call) if recording is not None or transcript is not None else None,
        is_live=is_live(client),
        deletes_at_vendor=deletes_at_vendor(client) if recording is not None else False,
        presses=tuple(CallPress.objects.for_client(client).filter(call_id=call.pk).order_by("pk")),
    )


# --- The list of recordings ---------------------------------------------------------------------------------------

PAGE: Final = 50
MANY: Final = 5
MANY_WITHIN: Final = timedelta(hours=24)


class Shown(StrEnum):
    """Which recordings the list shows."""

    WITHHELD = "withheld"
    LEAVING = "leaving"
    KEPT = "kept"
    NOT_FETCHED = "not_fetched"
    GONE = "gone"

    @classmethod
    def of(cls, word: str) -> Self:
        """The one that an address names; withheld ones where it names none."""
        return cls(word) if word in cls else cls("withheld")

    @property
    def label(self) -> str:
        """As the page calls them."""
        return {
            "withheld": "Quarantined",
            "leaving": "Scheduled for deletion",
            "kept": "Kept",
            "not_fetched": "Not fetched",
            "gone": "Deleted",
        }[self.value]


_SHOWN: Final[dict[str, Q]] = {
    "withheld": Q(recording__state=RecordingState.WITHHELD),
    "leaving": Q(recording__state=RecordingState.WITHHELD, recording__due_at__isnull=False),
    "kept": Q(recording__state=RecordingState.ALLOWED),
    "not_fetched": Q(
        recording__state=RecordingState.ALLOWED, recording__file_key=None, recording__fetch_attempts__gte=8
    ),
    "gone": Q(recording__state=RecordingState.GONE),
}


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """A line of the list: the call, its recording, and what was decided."""

    call: Call
    recording: Recording
    decision: Decision | None

    @property
    def why(self) -> str:
        """The sentence that says most: why it is kept, or why it is not."""
        return said_first(self.decision)


@dataclass(frozen=True, slots=True)
class RecordingPage:
    """One page, newest first, and the cursor of the older ones."""

    rows: list[RecordingRow]
    older: str | None


def recording_page(client: Client, shown: Shown, *, before: str = "") -> RecordingPage:
    """A page of a client's recorded calls, two queries."""
    calls = Call.objects.for_client(client).in_use().filter(_SHOWN[shown.value], recording__isnull=False)
    if (cursor := _cursor(before)) is not None:
        calls = calls.filter(pk__lt=cursor)
    rows = calls.select_related("recording", "caller", "tracking_number").fetch_mode(FETCH_RAISE)
    found = list(rows.order_by("-pk")[: PAGE + 1])
    decided = {
        row.call_id: row
        for row in Decision.objects.for_client(client).filter(
            call_id__in=[call.pk for call in found], purpose=Purpose.RECORD
        )
    }
    return RecordingPage(
        [RecordingRow(call, call.recording, decided.get(call.pk)) for call in found[:PAGE]],
        str(found[PAGE - 1].pk) if len(found) > PAGE else None,
    )


def _cursor(raw: str) -> UUID | None:
    try:
        return UUID(raw) if raw else None
    except ValueError:
        return None


def said_first(decision: Decision | None) -> str:
    """
    The sentence of a decision that says most: the places come first in it, then what was or was not said.
    """
    if decision is None:
        return "Decision pending."
    own = [reason for reason in decision.reasons if not _OF_A_PLACE(reason)]
    said = own or decision.reasons
    if not decision.allowed and said and said[0] in _NOTICES:
        return next((reason for reason in said if reason in _LACKING), said[0])
    return said[0] if said else ""


_NOTICES: Final = {words.ANNOUNCED, words.POSTED}
"""What was said, which is no reason to withhold."""
_LACKING: Final = {
    words.NOT_ON_RECORDING, words.NOTICE_ALONE, words.POSTED_ALONE, words.UNTOLD, words.UNWRITTEN, words.UNSAID,
    *words.NOT_MET.values(),
}  # fmt: skip


_OF_A_PLACE: Final = re.compile(
    r".*: (?:the consent of one party|the caller must be (?:told|notified)|everybody on the call"
    r"|all parties must consent|only express consent).*"
    r"|Decided by rules that are not yet verified.*"
).fullmatch


@dataclass(frozen=True, slots=True)
class NumberWithMany:
    """A tracking number with many withheld calls in the last day."""

    number: TrackingNumber
    calls: int


def numbers_with_many(client: Client, *, at: datetime) -> list[NumberWithMany]:
    """Numbers on which many calls of the last 24 hours are withheld, most first; two queries."""
    counts = withheld_by_number(client, at=at)
    rows = TrackingNumber.objects.for_client(client).in_bulk(list(counts))
    found = [
        NumberWithMany(rows[number_id], count) for number_id, count in counts.items() if number_id in rows
    ]
    return sorted(found, key=lambda row: (-row.calls, str(row.number)))


def withheld_by_number(
    client: Client, *, at: datetime, number_ids: QuerySet[Call, Any] | None = None
) -> dict[UUID, int]:
    """Tracking number -> how many of its calls of the last 24 hours are withheld, where they are many."""
    recent = Call.objects.for_client(client).started_from(at - MANY_WITHIN)
    recent = recent.filter(
        recording__state=RecordingState.WITHHELD,
        recording__decided_at__isnull=False,
        recording__came_late=False,
        tracking_number__isnull=False,
    )
    if number_ids is not None:
        recent = recent.filter(tracking_number_id__in=number_ids)
    many = recent.order_by().values("tracking_number_id").annotate(count=Count("pk")).filter(count__gte=MANY)
    return {row["tracking_number_id"]: row["count"] for row in many}
