"""
Keys that callers pressed in a tracker's own menu, read by what their connection says that they mean.

What no rule names means nothing and is done with at once. No tracker says when in the call a key was pressed: a no
covers the whole call, and a yes counts from its end, unless the tracker starts to record only after that key. What only
a file says is not proven.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from callprivacy.calls.models import CallPress, CallRef, Connection
from callprivacy.calls.selectors import connections
from callprivacy.calls.selectors.connections import PressRule
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.enums import Channel, EventKind, Purpose, Scope, Strength
from consent.services import ledger
from consent.services.ledger import CallerGoneError, ClientGoneError, Said

log = logger(__name__)

JOB: Final = Actor.job("consent.read_presses")
BATCH: Final = 500
LASTS_AT_MOST: Final = timedelta(hours=1)
"""How long a call is taken to last whose end is not known."""


def has_due(*, agency_id: int) -> bool:
    """Whether a press waits to be read."""
    with job_scope(agency_id=agency_id):
        return _waiting(agency_id).exists()


def _waiting(agency_id: int) -> QuerySet[CallPress]:
    """What waits, but at clients that have left: their ledger takes nothing in any more."""
    return CallPress.objects.filter(agency_id=agency_id, handled_at=None, client__archived_at=None)


def read(*, agency_id: int, at: datetime, limit: int = BATCH, after: int = 0) -> tuple[int, int]:
    """
    Read the next presses of an agency; returns how many were done with, and the last id that was looked at (0: none).

    Presses of a person who is being erased in this moment are left for the next run.
    """
    with job_scope(agency_id=agency_id):
        rows = list(
            _waiting(agency_id)
            .filter(pk__gt=after)
            .select_related("call", "client")
            .select_for_update(of=("self",), skip_locked=True)
            .order_by("pk")[:limit]
        )
        by_client: dict[int, list[CallPress]] = defaultdict(list)
        for row in rows:
            by_client[row.client_id].append(row)
        done = sum(_read_client(presses[0].client, presses, at) for presses in by_client.values())
        return done, rows[-1].pk if rows else 0


def _read_client(client: Client, presses: Sequence[CallPress], at: datetime) -> int:
    rules = _rules(client, {press.call.connection_id for press in presses})
    names = _names(client, {press.call_id for press in presses})
    said = {
        press.pk: [
            fact
            for rule in connections.rules_for(
                rules.get(press.call.connection_id, ((), ""))[0], name=press.name, value=press.value
            )
            for fact in _facts(press, rule, names, rules[press.call.connection_id][1], at)
        ]
        for press in presses
    }
    done: list[int] = []
    try:
        with transaction.atomic():
            ledger.record_events(
                client=client, said=[fact for facts in said.values() for fact in facts], by=JOB, at=at
            )
        done = [press.pk for press in presses]
    except ClientGoneError:
        return 0  # It left in this moment; of what waits no run reads any more.
    except CallerGoneError:
        done = [pk for pk, facts in said.items() if _recorded(client, facts, at)]
    return CallPress.objects.for_client(client).filter(pk__in=done, handled_at=None).update(handled_at=at)


def _recorded(client: Client, facts: Sequence[Said], at: datetime) -> bool:
    """Record what one press says; whether that could be done."""
    try:
        with transaction.atomic():
            ledger.record_events(client=client, said=facts, by=JOB, at=at)
    except CallerGoneError:
        return False
    return True


def _rules(
    client: Client, connection_ids: Iterable[uuid.UUID | None]
) -> dict[uuid.UUID | None, tuple[tuple[PressRule, ...], str]]:
    """Connection -> what its keys mean, and its tracker; one query."""
    rows = Connection.objects.for_client(client).filter(pk__in=[one for one in connection_ids if one])
    return {row.pk: (connections.press_rules(row), row.provider) for row in rows}


def _names(client: Client, call_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, bytes]:
    """Call -> the oldest of its references, by which the ledger names it; one query."""
    rows = CallRef.objects.for_client(client).filter(call_id__in=list(call_ids)).order_by("-pk")
    return {call_id: bytes(digest) for call_id, digest in rows.values_list("call_id", "digest")}


def _facts(
    press: CallPress, rule: PressRule, names: Mapping[uuid.UUID, bytes], tracker: str, at: datetime
) -> Iterable[Said]:
    call_digest = names.get(press.call_id)
    if call_digest is None:
        log.warning("press.nameless_call", press=press.pk)
        return
    # Of who withholds the number nothing stands beyond the call.
    scope = Scope(rule.scope) if press.call.caller_id is not None else Scope.THIS_CALL
    for purpose in rule.purposes:
        yield Said(
            purpose=Purpose(purpose),
            kind=EventKind(rule.kind),
            channel=Channel.TRACKER,
            scope=scope,
            strength=_strength(press, scope),
            happened_at=_counts_from(press, rule, at),
            source=f"press {call_digest.hex()} {press.name}={press.value} {scope}{' file' * press.from_file}",
            caller_id=press.call.caller_id,
            call_digest=call_digest,
            evidence=_evidence(press, rule, tracker),
        )


def _strength(press: CallPress, scope: Scope) -> Strength:
    """
    A key speaks for the call on which it is pressed, whoever holds the phone. For later calls nobody vouches for the
    number: no tracker passes the carrier's word on. Nobody vouches for a file either.
    """
    return Strength.A if scope is Scope.THIS_CALL and not press.from_file else Strength.C


def _counts_from(press: CallPress, rule: PressRule, at: datetime) -> datetime:
    """A no covers its whole call; a yes nothing that may have been recorded before the key was pressed."""
    if rule.kind != EventKind.GIVEN or rule.gates:
        return press.at
    lasted = LASTS_AT_MOST if press.call.seconds is None else timedelta(seconds=press.call.seconds)
    return max(press.at + timedelta(seconds=1), min(press.at + lasted, at))


def _evidence(press: CallPress, rule: PressRule, tracker: str) -> dict[str, Any]:
    return {
        "tracker": tracker,
        "menu": press.name,
        "key": press.value,
        "means": {"kind": rule.kind, "scope": rule.scope, "purposes": list(rule.purposes)},
        "rule": {"menu": rule.name, "key": rule.value},
        "call_came_at": press.at.isoformat(),
        "recording_waits_for_it": rule.gates,
        "told_by": "file" if press.from_file else "tracker",
        "number_withheld": press.call.caller_id is None,
    }
