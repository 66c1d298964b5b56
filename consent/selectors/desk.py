"""What an agent on the phone needs to see: who is on the line, the words to speak, what was said just now."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from callprivacy.calls.enums import Outcome
from callprivacy.calls.models import Call, CallRef, TrackingNumber, first_id_at
from callprivacy.tenancy.models import Client
from consent.enums import Channel, EventKind, Language, Purpose
from consent.models import CallBack, ConsentEvent, MenuSession, NoticeVersion, Withdrawal
from consent.selectors import notices, people

RUNS_AT_MOST: Final = timedelta(hours=4)
SHOWN: Final = 20
JUST_NOW: Final = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Running:
    """
    A call that runs now.

    :ivar call_id: by which the desk names it: the id of a session of the menu, or of a call.
    :ivar digest: by which the ledger names it.
    :ivar records: whether our menu records it; None where nobody knows.
    """

    client: Client
    call_id: uuid.UUID
    caller_id: uuid.UUID | None
    digest: bytes | None
    started_at: datetime
    line: str
    records: bool | None
    stopped_at: datetime | None = None

    @property
    def name(self) -> str:
        """The caller's stable name."""
        return people.name_of(self.caller_id) if self.caller_id else "Hidden number"


def running(clients: Sequence[Client], *, at: datetime) -> list[Running]:
    """The calls that run now at these clients, the newest first; three queries."""
    by_id = {client.pk: client for client in clients}
    sessions = list(
        MenuSession.objects.filter(client_id__in=list(by_id), ended_at=None, started_at__gt=at - RUNS_AT_MOST)
        .select_related("menu__tracking_number")
        .defer("vendor_call", "vendor_recording")
        .order_by("-started_at")[:SHOWN]
    )
    found = [_of_session(by_id[session.client_id], session) for session in sessions]
    known = {bytes(session.call_digest) for session in sessions}
    calls = list(
        Call.objects.filter(
            client_id__in=list(by_id), outcome=Outcome.UNDERWAY, pk__gte=first_id_at(at - RUNS_AT_MOST)
        )
        .select_related("tracking_number")
        .order_by("-pk")[:SHOWN]
    )
    digests: dict[uuid.UUID, list[bytes]] = {}
    for call_id, digest in CallRef.objects.filter(
        client_id__in=list(by_id), call_id__in=[call.pk for call in calls]
    ).values_list("call_id", "digest"):
        digests.setdefault(call_id, []).append(bytes(digest))
    for call in calls:
        named = sorted(digests.get(call.pk, []))
        if not known.intersection(named):
            found.append(_of_call(by_id[call.client_id], call, named[0] if named else None))
    return sorted(found, key=lambda one: one.started_at, reverse=True)[:SHOWN]


def _of_session(client: Client, session: MenuSession) -> Running:
    return Running(
        client=client,
        call_id=session.pk,
        caller_id=session.caller_id,
        digest=bytes(session.call_digest),
        started_at=session.started_at,
        line=_line(session.menu.tracking_number),
        records=session.is_recording,
        stopped_at=session.stopped_at,
    )


def _of_call(client: Client, call: Call, digest: bytes | None) -> Running:
    return Running(
        client=client,
        call_id=call.pk,
        caller_id=call.caller_id,
        digest=digest,
        started_at=call.started_at,
        line=_line(call.tracking_number),
        records=None,
    )


def _line(number: TrackingNumber | None) -> str:
    return "" if number is None else number.label or number.number


def call_of(
    calls: Sequence[Running],
    client: Client,
    *,
    caller_id: uuid.UUID | None = None,
    call_id: uuid.UUID | None = None,
) -> Running | None:
    """Among calls that run, the one of this id, or the newest of this caller."""
    for one in calls:
        if one.client.pk != client.pk:
            continue
        if (call_id is not None and one.call_id == call_id) or (caller_id and one.caller_id == caller_id):
            return one
    return None


def script(client: Client, language: Language) -> NoticeVersion | None:
    """The words that an agent speaks before a call is recorded, or None where none are in force."""
    return notices.in_force(client, purpose=Purpose.RECORD, channel=Channel.AGENT, language=language)


def spoken_lately(
    client: Client, *, caller_id: uuid.UUID | None, digest: bytes | None, at: datetime
) -> ConsentEvent | None:
    """The notice that an agent spoke to this person within the last hours, or on this call."""
    rows = ConsentEvent.objects.for_client(client).filter(
        channel=Channel.AGENT, kind=EventKind.NOTICED, version__isnull=False, happened_at__gt=at - JUST_NOW
    )
    rows = rows.filter(caller_id=caller_id) if caller_id else rows.filter(call_digest=digest)
    return rows.defer("evidence").order_by("-happened_at", "-pk").first()


def stopped_lately(client: Client, caller_id: uuid.UUID, *, at: datetime) -> Withdrawal | None:
    """The newest withdrawal of the last hours, for the word about it."""
    rows = Withdrawal.objects.for_client(client).filter(caller_id=caller_id, stopped_at__gt=at - JUST_NOW)
    return rows.order_by("-stopped_at", "-pk").first()


def call_back_of(client: Client, caller_id: uuid.UUID, user_id: int, *, at: datetime) -> CallBack | None:
    """The newest call back that this person asked for within the last hours."""
    rows = CallBack.objects.for_client(client).filter(
        caller_id=caller_id, user_id=user_id, created_at__gt=at - JUST_NOW
    )
    return rows.defer("agent_number").order_by("-created_at").first()
