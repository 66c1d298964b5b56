"""Recorded calls, what is said about them, and the job that decides; for tests of decisions and what follows."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from callprivacy.calls.models import Call, CallRef, Recording, Transcript
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Place
from consent.enums import Channel, EventKind, Purpose, Standard, Strength
from consent.models import ClientStandard, Decision
from consent.services import decisions, ledger
from consent.services.ledger import Said
from tests import make
from tests.make import NOON

CALIFORNIA = "+14155550101"
NEW_YORK = "+12125550102"
START = NOON - timedelta(days=1)
BY = Actor.client("tests")


def work(client: Client, *, at: datetime = NOON, for_: timedelta = timedelta(minutes=5)) -> bool:
    """One run of the job at `at`."""
    return decisions.work(agency_id=client.agency_id, until=at + for_, clock=lambda: at)


def recorded(
    client: Client, number: str | None = CALIFORNIA, *, at: datetime = START, sid: str = "", **fields: Any
) -> Call:
    """A recorded call; with `sid`, known by that reference."""
    late = fields.pop("came_late", False)
    call = make.call(client, number, at=at, **fields)
    recording = make.recording(call, f"https://app.callrail.com/recordings/{call.pk}")
    with job_scope(agency_id=client.agency_id):
        Recording.objects.filter(pk=recording.pk).update(came_late=late, seconds=call.seconds)
        if sid:
            CallRef.objects.create(
                agency_id=client.agency_id, client=client, provider="twilio", kind="sid",
                digest=digest(client, sid), call=call,
            )  # fmt: skip
    return call


def worded(call: Call, text: str) -> Transcript:
    """A transcript of a call, sealed under a key of its own."""
    transcript_id = uuid.uuid4()
    callers = [call.caller_id] if call.caller_id else []
    with vault.hold_callers(client_id=call.client_id, caller_ids=callers) as keys:
        key = vault.create_recording_keys(
            client_id=call.client_id, recordings=[(transcript_id, call.caller_id)], callers=keys, at=NOON
        )[transcript_id]
        with job_scope(agency_id=call.agency_id):
            return Transcript.objects.create(
                pk=transcript_id,
                agency_id=call.agency_id,
                client_id=call.client_id,
                call=call,
                provider="callrail",
                text=key.seal(
                    text.encode(), Place(call.client_id, "calls_transcript", "text", transcript_id)
                ),
                received_at=NOON,
            )


def digest(client: Client, sid: str) -> bytes:
    """What a call's id at Twilio is kept as."""
    return vault_selectors.client_keys(client.pk).tokens.digest("twilio", "sid", sid)


def say(
    client: Client,
    kind: EventKind,
    caller_id: uuid.UUID | None,
    *,
    happened_at: datetime = START - timedelta(days=1),
    recorded_at: datetime = NOON,
    **fields: Any,
) -> None:
    """One event of the ledger."""
    facts: dict[str, Any] = {
        "purpose": Purpose.RECORD,
        "channel": Channel.WEB,
        "strength": Strength.A,
        "source": f"{kind} {happened_at} {fields}",
        "caller_id": caller_id,
    }
    said = Said(kind=kind, happened_at=happened_at, **(facts | fields))
    with client_scope(agency_id=client.agency_id, client_id=client.pk):
        ledger.record_events(client=client, said=[said], by=BY, at=recorded_at)


def choose(
    client: Client, standard: Standard, *, at: datetime = START - timedelta(days=30)
) -> ClientStandard:
    """What a client asks of itself from an instant on."""
    with job_scope(agency_id=client.agency_id):
        ClientStandard.objects.for_client(client).filter(ended_at=None).update(ended_at=at)
        return ClientStandard.objects.create(
            agency_id=client.agency_id, client=client, standard=standard, chosen_at=at,
            expires_on=at.date() + timedelta(days=365),
        )  # fmt: skip


def live(client: Client, *, since: datetime = START, **fields: Any) -> Client:
    """The client, live since an instant."""
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(
            retention_state=RetentionState.LIVE, went_live_at=since, **fields
        )
        return Client.objects.select_related("agency").get(pk=client.pk)


def decision(call: Call, purpose: Purpose = Purpose.RECORD) -> Decision:
    """What was decided of a call."""
    with job_scope(agency_id=call.agency_id):
        return Decision.objects.get(call_id=call.pk, purpose=purpose)


def recording(call: Call) -> Recording:
    """A call's recording as it is now."""
    with job_scope(agency_id=call.agency_id):
        return Recording.objects.get(call_id=call.pk)


def transcript(call: Call) -> Transcript:
    """A call's transcript as it is now."""
    with job_scope(agency_id=call.agency_id):
        return Transcript.objects.get(call_id=call.pk)
