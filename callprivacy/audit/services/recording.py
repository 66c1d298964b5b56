"""
Writing a deed down, in the deed's own transaction: what cannot be recorded does not happen, and what does not
happen is not recorded.
"""

import hashlib
import re
import secrets
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import connection, models, transaction

from callprivacy.audit import leaves
from callprivacy.audit.models import ACTION, Event, HouseEvent, Reason
from callprivacy.lib import scope as lib_scope
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault_keys
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place

type Detail = str | int | bool | None

_ACTION = re.compile(ACTION)
_DETAIL = re.compile(r"^[a-z][a-z0-9_]*$")
_PERSONAL = re.compile(r"\+\d[\d ().-]{6,40}\d|[^@\s]@[^@\s]{1,253}\.[^@\s]")
_LONGEST_DETAIL = 500
_SALT_DIGITS = 64
_REASONS = uuid.UUID("6a1c6e0e-2f1b-4d4f-9f39-6f2f6b7f0f5d")


class NotInTransactionError(RuntimeError):
    """An event was about to be written outside the deed's transaction."""


class NotRecordableError(ValueError):
    """An event has a name or a detail that the trail does not take."""


class ReasonUnreadError(ValueError):
    """An officer agrees to a request whose reason the officer has not opened."""


class PersonalValueError(NotRecordableError):
    """A detail looks like a phone number or an e-mail address; it belongs in the reason or nowhere."""


def record(
    action: str,
    *,
    by: Actor,
    at: datetime,
    agency_id: int | None = None,
    subject: models.Model | None = None,
    client_id: int | None = None,
    reason: str | None = None,
    **details: Detail,
) -> Event:
    """
    Write an event into the running transaction.

    The agency is the scope's unless named; the client is the subject's unless named. A reason is sealed in a
    row that can be erased; the event holds its salted hash. Details are small facts, never personal values.

    :raises NoScopeError: outside a scope, and no agency named.
    :raises NotInTransactionError: outside a transaction.
    :raises NotRecordableError: the action is no `noun.verbed`, or a detail is no plain fact.
    """
    if not connection.in_atomic_block:
        raise NotInTransactionError(f"{action} is recorded outside the transaction of its deed.")
    _check(action, details)
    agency_id = lib_scope.require_agency() if agency_id is None else agency_id
    if client_id is None:
        client_id = _client_of(subject)
    words = f"{secrets.token_hex(_SALT_DIGITS // 2)}{reason}" if reason else ""
    event = Event.objects.create(
        agency_id=agency_id,
        client_id=client_id,
        actor_kind=by.kind.value,
        actor_user_id=by.user_id,
        actor_name=by.name,
        action=action,
        subject_kind="" if subject is None else subject._meta.label_lower,
        subject_id="" if subject is None else str(subject.pk),
        at=at,
        details=details,
        reason_hash=hashlib.sha256(words.encode()).hexdigest() if words else "",
    )
    if words:
        _seal_reason(event, words, at)
    return event


def record_house(action: str, *, at: datetime, **details: Detail) -> HouseEvent:
    """
    Write down what has no agency, such as a failed sign-in. Needs no scope.

    :raises NotRecordableError: as for `record`.
    """
    _check(action, details)
    return HouseEvent.objects.create(action=action, at=at, details=details)


def _check(action: str, details: dict[str, Detail]) -> None:
    if not _ACTION.match(action):
        raise NotRecordableError(f"{action!r} is no noun.verbed.")
    for name, value in details.items():
        if not _DETAIL.match(name):
            raise NotRecordableError(f"{name!r} is no name of a detail.")
        if value is not None and not isinstance(value, str | int | bool):
            raise NotRecordableError(f"{name} is a {type(value).__name__}, not a plain fact.")
        if isinstance(value, str):
            if len(value) > _LONGEST_DETAIL or "\0" in value:
                raise NotRecordableError(f"{name} is no short text.")
            if _PERSONAL.search(value):
                raise PersonalValueError(f"{name} looks like a personal value.")
    try:
        leaves.canonical(details)
    except leaves.NotCanonicalError as error:
        raise NotRecordableError(str(error)) from error


def _client_of(subject: models.Model | None) -> int | None:
    if isinstance(subject, Client):
        return subject.pk
    client_id: int | None = getattr(subject, "client_id", None)
    return client_id


def _seal_reason(event: Event, words: str, at: datetime) -> None:
    holder = -event.agency_id if event.client_id is None else event.client_id
    sealed = _reason_key(holder, event.agency_id, at).seal(words.encode(), _place(holder, event.pk))
    Reason.objects.bulk_create(
        [Reason(event_id=event.pk, agency_id=event.agency_id, client_id=holder, words=sealed)]
    )


def _reason_key(holder: int, agency_id: int, at: datetime) -> Key:
    """The holder's one key for reasons, made when first needed; rotating the holder's key re-wraps it."""
    key_id = reason_key_id(holder)
    try:
        found = vault_keys.recording_keys(holder, [key_id])
    except vault_keys.NoClientKeyError:
        if holder > 0:
            raise
        vault.create_client_keys(client_id=holder, agency_id=agency_id, at=at)
        found = {}
    if not found:
        found = vault.create_recording_keys(client_id=holder, recordings=[(key_id, None)], callers={}, at=at)
    return found[key_id]


def reason_key_id(holder: int) -> uuid.UUID:
    """The name under which the vault keeps a holder's key for reasons."""
    return uuid.uuid5(_REASONS, str(holder))


def _place(holder: int, event_id: int) -> Place:
    return Place(holder, Reason._meta.db_table, "words", event_id)


def open_reason(*, event: Event, by: Actor, at: datetime) -> str | None:
    """
    Return the words behind an event and record that they were read; None where they are erased or never were.

    The reading is written down first: when that fails, nothing is shown.
    """
    with transaction.atomic():
        row = Reason.objects.filter(event_id=event.pk).first()
        if row is None:
            return None
        record("reason.opened", by=by, at=at, subject=event)
        key = vault_keys.recording_keys(row.client_id, [reason_key_id(row.client_id)]).get(
            reason_key_id(row.client_id)
        )
        return None if key is None else str(row.words.reveal(key))[_SALT_DIGITS:]


def open_reason_of(
    subject: models.Model, action: str, *, agency_id: int, by: Actor, at: datetime
) -> str | None:
    """Open the words behind what was done to this row, as `open_reason` does; None where it was not done, too."""
    event = event_of(subject, action, agency_id=agency_id)
    return None if event is None else open_reason(event=event, by=by, at=at)


def event_of(subject: models.Model, action: str, *, agency_id: int) -> Event | None:
    """What was done to this row, or None."""
    return Event.objects.filter(
        agency_id=agency_id, subject_kind=subject._meta.label_lower, subject_id=str(subject.pk), action=action
    ).first()


def require_reason_read(*, event: Event | None, by: Actor) -> None:
    """
    Refuse a second signature of a person who has not opened the words behind the first.

    :raises ReasonUnreadError: there are words, and the person has not opened them.
    """
    if event is None or not Reason.objects.filter(event_id=event.pk).exists():
        return
    opened = Event.objects.filter(
        agency_id=event.agency_id,
        subject_kind=event._meta.label_lower,
        subject_id=str(event.pk),
        action="reason.opened",
        actor_user_id=by.user_id,
    )
    if not opened.exists():
        raise ReasonUnreadError("Open the reason first.")


@transaction.atomic
def erase_reasons(*, agency_id: int, client_id: int, before: datetime, by: Actor, at: datetime) -> int:
    """
    Erase the words behind a client's events up to an instant; their hashes stay and lead nowhere.

    :returns: how many were erased; the erasure is itself an event.
    """
    events = Event.objects.filter(agency_id=agency_id, client_id=client_id, at__lt=before).exclude(
        reason_hash=""
    )
    erased, _ = Reason.objects.filter(
        agency_id=agency_id, client_id=client_id, event_id__in=events.values("id")
    ).delete()
    if erased:
        record("reasons.erased", by=by, at=at, agency_id=agency_id, client_id=client_id, count=erased)
    return erased


def erase_reasons_about(
    *,
    agency_id: int,
    client_id: int,
    subject: type[models.Model],
    subject_ids: Collection[uuid.UUID],
    event_ids: Collection[int] = (),
) -> int:
    """
    Erase the words behind the events about rows of one client that are being erased themselves.

    Part of that deed: its own event says how many. Returns that number.

    :param event_ids: events about these rows that name them by an earlier id.
    """
    lib_scope.require()
    named = "{" + ",".join([subject_id.hex for subject_id in subject_ids]) + "}"
    with connection.cursor() as cursor:
        # Written by hand because thousands of rows leave at a time.
        cursor.execute(
            "DELETE FROM audit_reason r WHERE r.agency_id = %s AND r.client_id = %s AND r.event_id IN ("
            " SELECT e.id FROM audit_event e WHERE e.agency_id = %s AND e.client_id = %s AND e.subject_kind = %s"
            " AND e.subject_id = ANY(%s::uuid[]::text[]) AND e.reason_hash <> ''"
            " UNION ALL SELECT unnest(%s::bigint[]))",
            [agency_id, client_id, agency_id, client_id, subject._meta.label_lower, named, list(event_ids)],
        )
        return int(cursor.rowcount)


def count_reasons(client_ids: Sequence[int], befores: Sequence[datetime]) -> dict[int, int]:
    """How many words behind the events of several clients were written before each one's instant; one query."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.client_id, count(*) FROM unnest(%s::bigint[], %s::timestamptz[]) AS w (client_id, before)"
            " JOIN audit_reason r ON r.client_id = w.client_id"
            " JOIN audit_event e ON e.id = r.event_id AND e.at < w.before GROUP BY 1",
            [list(client_ids), list(befores)],
        )
        return dict(cursor.fetchall())


def reasons_before(*, client_id: int, before: datetime, after: int, limit: int) -> list[int]:
    """Ids of the events of a client before an instant that have words behind them still, in their order."""
    events = Event.objects.filter(client_id=client_id, at__lt=before).exclude(reason_hash="")
    rows = Reason.objects.filter(client_id=client_id, event_id__gt=after, event_id__in=events.values("id"))
    return list(rows.order_by("event_id").values_list("event_id", flat=True)[:limit])


def erase_reasons_of(*, client_id: int, event_ids: Collection[int]) -> list[int]:
    """Erase the words behind these events of a client; part of a deed whose own event counts them. Returns which."""
    rows = Reason.objects.filter(client_id=client_id, event_id__in=list(event_ids))
    found = sorted(rows.select_for_update().values_list("event_id", flat=True))
    rows.filter(event_id__in=found).remove()
    return found


# --- Words behind what no client is named in ----------------------------------------------------------------------


def _own(agency_id: int, before: datetime) -> models.QuerySet[Reason]:
    events = Event.objects.filter(agency_id=agency_id, client_id=None, at__lt=before).exclude(reason_hash="")
    rows = Reason.objects.filter(agency_id=agency_id, client_id=-agency_id)
    return rows.filter(event_id__in=events.values("id"))


def count_own_reasons(*, agency_id: int, before: datetime) -> int:
    """How many words an agency has behind events that name no client, written before an instant."""
    return _own(agency_id, before).count()


def own_reasons_by_day(*, agency_id: int, limits: Sequence[datetime]) -> dict[int, int]:
    """The same between each two limits, by the span's number from 0; one query."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT width_bucket(e.at, %s::timestamptz[]) - 1, count(*) FROM audit_reason r"
            " JOIN audit_event e ON e.id = r.event_id AND e.agency_id = r.agency_id AND e.client_id IS NULL"
            " AND e.at >= %s AND e.at < %s WHERE r.agency_id = %s AND r.client_id = %s GROUP BY 1",
            [list(limits[:-1]), limits[0], limits[-1], agency_id, -agency_id],
        )
        return dict(cursor.fetchall())


def own_reasons_before(*, agency_id: int, before: datetime, limit: int) -> list[int]:
    """Ids of the agency's events without a client before an instant that have words behind them still, in order."""
    rows = _own(agency_id, before)
    return list(rows.order_by("event_id").values_list("event_id", flat=True)[:limit])


def erase_own_reasons(*, agency_id: int, event_ids: Collection[int]) -> list[int]:
    """Erase the words behind these events, which name no client; part of a deed whose event counts them."""
    return erase_reasons_of(client_id=-agency_id, event_ids=event_ids)


def told_of(event_ids: Collection[int]) -> list[tuple[datetime, str]]:
    """When, and behind which deed, these words were written; in the order of the ids."""
    rows = Event.objects.filter(pk__in=list(event_ids)).order_by("pk")
    return [(at, f"reason behind {action}") for at, action in rows.values_list("at", "action")]
