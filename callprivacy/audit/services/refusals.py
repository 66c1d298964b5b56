"""
Refusals that repeat: the first one is an event at once, and those of the next hour are one event with their number.

Valkey counts, and is not believed: it keeps ids, numbers and instants, and the event that counts the others is made
from the first one. A count that Valkey loses is lost.
"""

import hashlib
import json
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.cache import caches
from redis.exceptions import RedisError

from callprivacy.audit.models import Event, HouseEvent
from callprivacy.audit.services.recording import record, record_house
from callprivacy.lib.caches import client
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.tenancy.scope import job_scope

log = logger(__name__)

WINDOW: Final = timedelta(hours=1)
_ACTION: Final = ".refused"
_AWAY: Final = (RedisError, OSError)
_NO_AGENCY: Final = 0


def record_refusal(
    action: str,
    *,
    by: Actor | None,
    at: datetime,
    agency_id: int | None = None,
    is_due: bool = True,
    **details: Any,
) -> None:
    """
    Record a refusal, or count it where the same one was recorded within the hour.

    :param action: ends with ".refused". :param by: the refused person; inside a job's scope of the agency.
    :param agency_id: None for what has no agency. :param is_due: whether to record it where Valkey does not answer.
    """
    who = None if by is None else by.user_id
    same = json.dumps([action, agency_id, who, details], sort_keys=True)
    name = hashlib.sha256(same.encode()).hexdigest()[:32]
    try:
        number, is_over = _count(name, at)
    except _AWAY as error:
        log.warning("refusal.not_counted", error=type(error).__name__)
        number, is_over = int(is_due), False
    if number == 1:
        first = (
            record_house(action, at=at, **details)
            if by is None
            else record(action, by=by, at=at, agency_id=agency_id, **details)
        )
        with suppress(*_AWAY):
            client().hset(_key(name), "event", f"{agency_id or _NO_AGENCY}:{first.pk}")
    elif is_over:
        _fold(name, at)


def fold_refusals(*, at: datetime) -> None:
    """Record the number of the refusals whose hour is over; called outside any scope."""
    try:
        names: Any = client().zrangebyscore(_windows(), 0, at.timestamp())
        for name in names:
            _fold(name.decode(), at)
    except _AWAY as error:
        log.warning("refusal.not_counted", error=type(error).__name__)


def _count(name: str, at: datetime) -> tuple[int, bool]:
    """How many there were in this window, and whether it is over."""
    with client().pipeline() as pipe:
        pipe.hincrby(_key(name), "number", 1)
        pipe.hset(_key(name), "until", at.isoformat())
        pipe.zadd(_windows(), {name: (at + WINDOW).timestamp()}, nx=True)
        pipe.zscore(_windows(), name)
        number, _, _, ends = pipe.execute()
    return number, ends <= at.timestamp()


def _fold(name: str, at: datetime) -> None:
    """Record a window's number, by the one who takes it out of Valkey; what was put there by others is left out."""
    with client().pipeline() as pipe:
        pipe.zrem(_windows(), name)
        pipe.hgetall(_key(name))
        pipe.delete(_key(name))
        is_ours, found, _ = pipe.execute()
    try:
        more = int(found.get(b"number", b"0")[:9]) - 1
        agency_id, event_id = map(int, found.get(b"event", b"0:0").split(b":"))
        until = datetime.fromisoformat(found.get(b"until", b"").decode()) if more > 0 else at
    except ValueError:
        return
    if not is_ours or more < 1:
        return
    span = {"more": more, "until": until.isoformat()}
    if agency_id == _NO_AGENCY:
        first = HouseEvent.objects.filter(pk=event_id, action__endswith=_ACTION).first()
        if first is not None:
            record_house(first.action, at=at, **first.details | span | {"since": first.at.isoformat()})
        return
    with job_scope(agency_id=agency_id):
        event = Event.objects.filter(agency_id=agency_id, pk=event_id, action__endswith=_ACTION).first()
        if event is not None:
            record(
                event.action,
                by=Actor(ScopeKind(event.actor_kind), event.actor_user_id, event.actor_name),
                at=at,
                **event.details | span | {"since": event.at.isoformat()},
            )


def _key(name: str) -> str:
    return caches["hints"].make_key(f"refused:{name}")


def _windows() -> str:
    return caches["hints"].make_key("refused")
