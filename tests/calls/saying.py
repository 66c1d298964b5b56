"""What is said of calls in tests: facts with sensible defaults, and what is kept of them."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.models import Call, Caller, CallRef, Recording
from callprivacy.calls.providers.base import CallFacts, Stage
from callprivacy.calls.services import intake
from callprivacy.calls.services.intake import Taken, Way
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from tests.make import NOON

YESTERDAY = NOON - timedelta(hours=20, minutes=29, seconds=48)
CALLER = "+12025550147"
OTHER_CALLER = "+12025550148"
TRACKING = "+18005550123"


def fact(**said: Any) -> CallFacts:
    """An answered call of 95 seconds to our number, known as 1 to who tells."""
    defaults: dict[str, Any] = {
        "started_at": YESTERDAY,
        "direction": Direction.INBOUND,
        "seconds": 95,
        "outcome": Outcome.ANSWERED,
        "caller": None if said.get("caller_withheld") else CALLER,
        "tracking_number": TRACKING,
        "source": "Google Ads",
        "references": (("id", "1"),),
        "stage": Stage.ENDED,
    }
    return CallFacts(**(defaults | said))


def told(
    client: Client,
    *facts: CallFacts,
    way: Way = Way.HOOK,
    provider: str = "callrail",
    at: datetime = NOON,
    **rest: Any,
) -> list[Taken]:
    """Take facts in."""
    return intake.take_in(
        client=client, provider=provider, connection_id=None, facts=facts, way=way, at=at, **rest
    )


def calls(client: Client) -> list[Call]:
    """Every call of a client, oldest first, with what hangs on it."""
    with job_scope(agency_id=client.agency_id):
        rows = Call.objects.for_client(client).select_related("caller", "tracking_number", "recording")
        return list(rows.order_by("pk"))


def the_call(client: Client) -> Call:
    """The only call there is."""
    (call,) = calls(client)
    return call


def number_of(call: Call) -> str:
    """The caller's number, opened."""
    with job_scope(agency_id=call.agency_id):
        assert call.caller_id is not None
        caller = Caller.objects.get(pk=call.caller_id)
        keys = vault_selectors.content_keys({call.client_id: [caller.pk]})
        return str(caller.number.reveal(keys[caller.pk]))


def recording_of(call: Call) -> str:
    """Where the recording is, opened."""
    with job_scope(agency_id=call.agency_id):
        recording = Recording.objects.get(call_id=call.pk)
        keys = vault_selectors.recording_keys(call.client_id, [recording.pk])
        return str(recording.reference.reveal(keys[recording.pk]))


def references(client: Client) -> set[tuple[str, str]]:
    """(provider, kind) of every reference."""
    with job_scope(agency_id=client.agency_id):
        return set(CallRef.objects.for_client(client).values_list("provider", "kind"))


def kept(call: Call) -> dict[str, Any]:
    """Everything of a call but its random parts."""
    recording: Sequence[Any] = ()
    if hasattr(call, "recording"):
        recording = (recording_of(call), call.recording.seconds)
    names = (
        "direction", "outcome", "seconds", "source", "campaign", "medium", "country", "region", "first_call",
        "qualified", "value_cents", "tags", "caller_withheld", "sequence", "started_at",
    )  # fmt: skip
    return {name: getattr(call, name) for name in names} | {
        "number": number_of(call) if call.caller_id else None,
        "tracking": call.tracking_number.number if call.tracking_number else None,
        "recording": recording,
    }


def in_the_clear(*needles: str) -> set[tuple[str, str]]:
    """(table, needle) for each of these that stands in `default`, as text or as bytes, read as its owner."""
    found = set()
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table))
            content = "\n".join(row[0] for row in owner.execute(query))
            for needle in needles:
                if needle in content or needle.encode().hex() in content:
                    found.add((table, needle))
    return found
