"""
What erasures had to leave, because a hold or a law keeps it, and which of it nothing keeps any more.

It is noted on a step of the case (`StepKind.REST`), by caller, with the instant up to which the person was to be
erased: what the same number does later is none of it (docs/adr/0149).
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from django.db.models import Exists, OuterRef, Q

from callprivacy.calls.enums import Direction, RecordingState, TranscriptState
from callprivacy.calls.models import Call, CallQuerySet, Recording, Transcript, first_id_at
from callprivacy.tenancy.models import Client
from consent.enums import ReplyState
from consent.models import Reply
from retention.models import Hold, HoldCaller
from retention.selectors import holds
from rights.enums import Ask, Copies, StepKind, StepState
from rights.models import Case, Finding, Step
from rights.selectors import reach
from rights.selectors.reach import Target

WAITS: Final = frozenset({"hold", "law"})
"""Why something stays that leaves by itself once that ends (`Finding.kept_why`)."""
AT_ONCE: Final = 500
"""Callers whose calls are looked at together."""


@dataclass(frozen=True, slots=True)
class Seen:
    """
    As much of a call as says whether it stays.

    :ivar has_words: a recording or a transcript of it is here. A law keeps neither.
    """

    pk: uuid.UUID
    direction: str
    on_hold: bool
    has_words: bool


@dataclass(frozen=True, slots=True)
class Left:
    """
    A caller of a client of whom something was left by an erasure.

    :ivar up_to: what began before it was to be erased. :ivar others_until: what is older is of whoever had the number
    before. :ivar beyond_floor: no law keeps it, by the decision, and :ivar under_europe: as on `Target`.
    """

    client_id: int
    caller_id: uuid.UUID
    identity_id: uuid.UUID
    up_to: datetime
    others_until: datetime | None
    beyond_floor: bool
    under_europe: bool

    @classmethod
    def read(cls, row: dict[str, Any]) -> Self:
        """As a step has it noted."""
        until = row["others_until"]
        return cls(
            client_id=row["client"],
            caller_id=uuid.UUID(row["caller"]),
            identity_id=uuid.UUID(row["identity"]),
            up_to=datetime.fromisoformat(row["up_to"]),
            others_until=None if until is None else datetime.fromisoformat(until),
            beyond_floor=row["beyond_floor"],
            under_europe=row["under_europe"],
        )

    def as_json(self) -> dict[str, Any]:
        """As a step notes it."""
        return {
            "client": self.client_id,
            "caller": str(self.caller_id),
            "identity": str(self.identity_id),
            "up_to": self.up_to.isoformat(),
            "others_until": None if self.others_until is None else self.others_until.isoformat(),
            "beyond_floor": self.beyond_floor,
            "under_europe": self.under_europe,
        }

    def target(self, client: Client) -> Target:
        """What is erased once nothing keeps it."""
        return Target(
            client,
            self.caller_id,
            self.identity_id,
            others_until=self.others_until,
            under_europe=self.under_europe,
            up_to=self.up_to,
        )

    def is_before(self, call: Seen) -> bool:
        """Whether the erasure was before a call of the caller's."""
        return call.pk >= first_id_at(self.up_to)

    def covers(self, call: Seen) -> bool:
        """Whether a call of the caller's was to be erased."""
        if self.is_before(call):
            return False
        return self.others_until is None or call.pk >= first_id_at(self.others_until)


def left_of(step: Step) -> list[Left]:
    return [Left.read(row) for row in step.wanted.get("left", [])]


def waiting(agency_id: int) -> list[Step]:
    """An agency's steps that wait until nothing keeps what was left; the oldest first."""
    rows = Step.objects.filter(agency_id=agency_id, kind=StepKind.REST, state=StepState.KEPT)
    return list(rows.order_by("created_at", "pk"))


def clients_of(rows: Collection[Left]) -> dict[int, Client]:
    found = Client.objects.filter(archived_at=None).select_related("agency")
    return found.in_bulk({row.client_id for row in rows})


# --- What nothing keeps any more ----------------------------------------------------------------------------------


def freed(rows: Sequence[Left], *, at: datetime) -> set[Left]:
    """
    Those of whom something may leave now, or whom nothing keeps: then nothing is left to wait for.

    By the marks on calls, so that a hold that is just being placed may be found by who erases alone. Who is to be
    answered first waits. Some seven queries a client and 500 callers.
    """
    clients = clients_of(rows)
    found = {row for row in rows if row.client_id not in clients}
    for client in clients.values():
        mine = [row for row in rows if row.client_id == client.pk]
        named, law = holds.named_caller_ids(client), _by_law(client, at)
        for start in range(0, len(mine), AT_ONCE):
            batch = mine[start : start + AT_ONCE]
            calls, unanswered = _calls_of(client, batch), answered_first(batch)
            for row in batch:
                if row.caller_id in unanswered:
                    continue
                kept = [call for call in calls[row.caller_id] if row.covers(call)]
                stays = [call for call in kept if call.on_hold or law(row, call)]
                since = [call for call in calls[row.caller_id] if row.is_before(call)]
                if since and not (stays or row.caller_id in named or reach.is_back(row.target(client))):
                    kept += since
                    stays = [call for call in since if call.on_hold or law(row, call)]
                has_words = any(call.has_words and not call.on_hold for call in stays)
                if len(stays) < len(kept) or has_words or not (stays or row.caller_id in named):
                    found.add(row)
    return found


def _calls_of(client: Client, rows: Sequence[Left]) -> dict[uuid.UUID, list[Seen]]:
    calls = Call.objects.for_client(client).filter(caller_id__in={row.caller_id for row in rows})
    # What quarantine has begun with is quarantine's.
    recordings = Recording.objects.for_client(client).filter(
        ~Q(state=RecordingState.GONE) | Q(due_at=None), call_id=OuterRef("pk"), reference__isnull=False
    )
    transcripts = Transcript.objects.for_client(client).filter(
        ~Q(state=TranscriptState.GONE) | Q(due_at=None), call_id=OuterRef("pk"), text__isnull=False
    )
    found: dict[uuid.UUID, list[Seen]] = defaultdict(list)
    facts = ("caller_id", "pk", "direction", "on_hold", Exists(recordings), Exists(transcripts))
    for caller_id, pk, direction, on_hold, is_recorded, is_written in calls.values_list(*facts):
        if caller_id is not None:
            found[caller_id].append(Seen(pk, direction, on_hold, is_recorded or is_written))
    return found


def answered_first(rows: Sequence[Left]) -> set[uuid.UUID | None]:
    """
    Callers who are answered before they are erased: who have asked for a copy that nobody has decided, which would lack
    what was erased, or have written what nobody has read, which says whether they are back. Two queries.
    """
    theirs = {
        "client_id__in": {row.client_id for row in rows},
        "caller_id__in": {row.caller_id for row in rows},
    }
    asked = Case.objects.filter(
        submission=OuterRef("submission_id"), asks__in=[Ask.SEE, Ask.COPY], closed_at=None, decided_at=None
    )
    found = Finding.objects.filter(Exists(asked), copies=Copies.IDENTITY, **theirs)
    unread = Reply.objects.filter(state=ReplyState.WAITING, **theirs)
    return {*found.values_list("caller_id", flat=True), *unread.values_list("caller_id", flat=True)}


def _by_law(client: Client, at: datetime) -> Callable[[Left, Seen], bool]:
    """Whether the law makes a client keep the record of a call; each floor is asked for once."""
    floors: dict[bool, uuid.UUID | None] = {}

    def keeps(row: Left, call: Seen) -> bool:
        # What was decided about a law was about the calls of then.
        if call.direction != Direction.OUTBOUND or (row.beyond_floor and not row.is_before(call)):
            return False
        if row.under_europe not in floors:
            floor = reach.floor_of(row.target(client), at)
            floors[row.under_europe] = None if floor is None else first_id_at(floor[1])
        first = floors[row.under_europe]
        return first is not None and call.pk >= first

    return keeps


# --- What a hold alone keeps --------------------------------------------------------------------------------------


def freed_by_hold(hold: Hold, calls: CallQuerySet, *, at: datetime) -> tuple[int, int]:
    """
    How many calls, and how many numbers, people's erasures take once a hold is lifted.

    A call counts as well of which a law keeps the record, and what was said on it leaves.

    :param calls: that it alone keeps.
    """
    client = hold.client
    steps = Step.objects.filter(agency_id=client.agency_id, kind=StepKind.REST).exclude(state=StepState.DONE)
    newest: dict[uuid.UUID, Left] = {}
    for row in [row for step in steps for row in left_of(step) if row.client_id == client.pk]:
        before = newest.get(row.caller_id)
        newest[row.caller_id] = row if before is None or before.up_to < row.up_to else before
    rows, law, named = list(newest.values()), _by_law(client, at), _named(client)
    n_calls = n_numbers = 0
    for start in range(0, len(rows), AT_ONCE):
        batch = rows[start : start + AT_ONCE]
        freed = calls.filter(caller_id__in=[row.caller_id for row in batch])
        free, seen = set(freed.values_list("pk", flat=True)), _calls_of(client, batch)
        for row in batch:
            there = [call for call in seen[row.caller_id] if not row.is_before(call)]
            since = [call for call in seen[row.caller_id] if row.is_before(call)]
            mine = [call for call in there if row.covers(call) and call.pk in free]
            leaving = [call for call in mine if not law(row, call)]
            by = named[row.caller_id]
            is_freed = bool(leaving or by) or any(call.pk in free for call in since)
            if (
                is_freed
                and len(leaving) == len(there)
                and by <= {hold.pk}
                and not reach.is_back(row.target(client))
            ):
                ours = [call for call in since if call.pk in free or not call.on_hold]
                mine += ours
                leaving += [call for call in ours if not law(row, call)]
                n_numbers += len(leaving) == len(there) + len(since)
            n_calls += len(leaving) + sum(call.has_words and law(row, call) for call in mine)
    lone = Finding.objects.filter(
        client=client, caller_id=None, copies=Copies.CALLS, kept_why="hold", identity__call_id__isnull=False
    )
    return n_calls + calls.filter(pk__in=lone.values("identity__call_id")).count(), n_numbers


def _named(client: Client) -> dict[uuid.UUID, set[uuid.UUID]]:
    """Which open holds of a client name which callers."""
    found: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    rows = HoldCaller.objects.for_client(client).filter(hold__lifted_at__isnull=True)
    for caller_id, hold_id in rows.values_list("caller_id", "hold_id"):
        found[caller_id].add(hold_id)
    return found
