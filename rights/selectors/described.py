"""
Calls whose number was withheld, as somebody describes them, and which of a client's calls they may be.

Nothing finds such a call by itself: it has no caller. A person compares what was said with what is there, and notes the
call on the identity (`Identity.call_id`).
"""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from callprivacy.calls.models import Call, start_of
from callprivacy.tenancy.models import Client
from callprivacy.vault.sealing import Key
from rights.enums import IdentityKind, IdentityState
from rights.models import Case, Identity
from rights.selectors import words

NEAR: Final = timedelta(hours=12)
"""How far from the time that was said a call may be that it could have been."""
AT_MOST: Final = 40


@dataclass(frozen=True, slots=True)
class Described:
    """What the person said of the call: when, and which business was called."""

    at: datetime
    business: str


@dataclass(frozen=True, slots=True)
class Lone:
    """A call without a caller that is a person's, because somebody has looked."""

    client: Client
    call_id: uuid.UUID
    identity_id: uuid.UUID

    @property
    def started_at(self) -> datetime:
        """When it began."""
        return start_of(self.call_id)


def described(identity: Identity, key: Key | None) -> Described | None:
    """What was said of a withheld call; None where it is no such identity, or its words are erased."""
    if identity.kind != IdentityKind.WITHHELD:
        return None
    try:
        said = json.loads(words.text(identity.value, key))
        return Described(datetime.fromisoformat(str(said["at"])), str(said.get("business", "")))
    except (ValueError, KeyError, TypeError):
        return None


def candidates(client: Client, said: Described) -> list[Call]:
    """The client's calls around the time that was said whose caller is not known, the nearest first; one query."""
    rows = (
        Call.objects.for_client(client)
        .filter(caller=None)
        .started_from(said.at - NEAR)
        .started_before(said.at + NEAR)
        .select_related("tracking_number")
    )
    nearest = sorted(rows.order_by("pk")[:1000], key=lambda call: abs(call.started_at - said.at))
    return nearest[:AT_MOST]


def lone_calls(case: Case) -> list[Lone]:
    """The calls without a caller that a client's case reaches: noted on identities that are proven."""
    if case.client is None:
        return []
    rows = Identity.objects.filter(
        submission_id=case.submission_id, state=IdentityState.PROVEN, call_id__isnull=False
    )
    return [
        Lone(case.client, call_id, pk)
        for pk, call_id in rows.order_by("pk").values_list("pk", "call_id")
        if call_id is not None
    ]
