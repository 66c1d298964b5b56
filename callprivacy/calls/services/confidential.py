"""
Confidential calls: marking one, naming people for it until a day, and lifting the mark.

What staff see of a call PostgreSQL's policies decide. These functions write the rows that the policies ask.
"""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.contrib.auth.models import Permission as PermissionRow
from django.db import connection, transaction

from callprivacy.accounts import access
from callprivacy.audit import services as audit
from callprivacy.calls.enums import ConfidentialCause
from callprivacy.calls.models import Call, CallGrant, ConfidentialCall
from callprivacy.calls.services.reveals import checked_reason
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


class AlreadyConfidentialError(ValueError):
    """The call is confidential."""


class NotConfidentialError(LookupError):
    """The call is not confidential any more."""


class NotNameableError(ValueError):
    """A person cannot be named for a call."""


# A rule does not mark again what an officer opened.
_MARK: Final = """
    INSERT INTO calls_confidentialcall (agency_id, client_id, call_id, cause, marked_by_id, marked_at)
    SELECT c.agency_id, c.client_id, c.id, %(cause)s, %(user)s, %(at)s FROM calls_call c
    WHERE c.client_id = %(client)s AND c.id = ANY (%(calls)s::uuid[]) AND (%(user)s IS NOT NULL OR NOT EXISTS (
        SELECT FROM calls_confidentialcall k
        WHERE k.client_id = c.client_id AND k.call_id = c.id AND k.cause = %(cause)s))
    ON CONFLICT (client_id, call_id) WHERE lifted_at IS NULL DO NOTHING
    RETURNING call_id
"""


@transaction.atomic
def mark_call(
    *, call: Call, reason: str, people: Collection[int], ends_at: datetime, by: Actor, at: datetime
) -> None:
    """
    Make a call confidential, and name people for it beside the officer who does so.

    :param people: user ids.
    :raises AlreadyConfidentialError: it is.
    :raises NotNameableError: a person does not view the client's calls, or the end is past.
    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    """
    if by.user_id is None:
        raise TypeError("A rule marks calls by mark_by_rule.")
    reason = checked_reason(reason)
    # Before the mark: nobody names themselves for a call that they do not see.
    for user_id in sorted({by.user_id, *people}):
        _name(call.client_id, call.agency_id, call.pk, user_id, ends_at=ends_at, by=by, at=at)
    if not _mark(call.client_id, [call.pk], ConfidentialCause.OFFICER, by, at):
        raise AlreadyConfidentialError("This call is confidential.")
    audit.record("call.made_confidential", subject=call, by=by, at=at, reason=reason, cause="officer")


@transaction.atomic
def mark_by_rule(
    *, client: Client, call_ids: Collection[uuid.UUID], cause: ConfidentialCause, by: Actor, at: datetime
) -> int:
    """Make calls confidential by a rule of the client's, naming nobody; returns how many were not. In a job's scope."""
    marked = _mark(client.pk, call_ids, cause, by, at)
    for call_id in marked:
        audit.record(
            "call.made_confidential", subject=_of(client.pk, call_id), by=by, at=at, cause=cause.value
        )
    return len(marked)


def _mark(
    client_id: int, call_ids: Collection[uuid.UUID], cause: ConfidentialCause, by: Actor, at: datetime
) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            _MARK,
            {
                "client": client_id,
                "calls": list(call_ids),
                "cause": cause.value,
                "user": by.user_id,
                "at": at,
            },
        )
        return [call_id for (call_id,) in cursor.fetchall()]


def _of(client_id: int, call_id: uuid.UUID) -> Call:
    """The call as the trail names it, which the officer may not see."""
    return Call(pk=call_id, client_id=client_id)


@transaction.atomic
def name_person(
    *, confidential: ConfidentialCall, user_id: int, ends_at: datetime, by: Actor, at: datetime
) -> None:
    """
    Name a person for a confidential call until an instant; who is named already gets the new end.

    :raises NotConfidentialError: the mark was lifted.
    :raises NotNameableError: the person does not view the client's calls, the end is past, or it is oneself.
    """
    _require_open(confidential)
    if user_id == by.user_id:
        raise NotNameableError("You cannot name yourself. Another officer names you.")
    _name(
        confidential.client_id,
        confidential.agency_id,
        confidential.call_id,
        user_id,
        ends_at=ends_at,
        by=by,
        at=at,
    )
    subject = _of(confidential.client_id, confidential.call_id)
    audit.record(
        "call.person_named", subject=subject, by=by, at=at, user_id=user_id, until=ends_at.isoformat()
    )


def _name(
    client_id: int,
    agency_id: int,
    call_id: uuid.UUID,
    user_id: int,
    *,
    ends_at: datetime,
    by: Actor,
    at: datetime,
) -> None:
    if ends_at <= at:
        raise NotNameableError("The last day is past.")
    if user_id not in access.people_with(Permission.VIEW_CALLS, client_id, agency_id=agency_id, at=at):
        raise NotNameableError("This person does not view calls of the client. Grant that first.")
    permission = PermissionRow.objects.get(
        content_type__app_label="calls", content_type__model="call", codename="view_call"
    )
    row = CallGrant(
        agency_id=agency_id,
        client_id=client_id,
        content_object_id=call_id,
        user_id=user_id,
        permission=permission,
        granted_by_id=by.user_id,
        granted_at=at,
        ends_at=ends_at,
    )
    CallGrant.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["client", "content_object", "user", "permission"],
        update_fields=["granted_by", "granted_at", "ends_at"],
    )


@transaction.atomic
def remove_person(*, confidential: ConfidentialCall, user_id: int, by: Actor, at: datetime) -> None:
    """Let a person see a confidential call no more; nothing where the person is not named."""
    rows = CallGrant.objects.filter(client_id=confidential.client_id, content_object_id=confidential.call_id)
    if rows.filter(user_id=user_id).remove():
        subject = _of(confidential.client_id, confidential.call_id)
        audit.record("call.person_removed", subject=subject, by=by, at=at, user_id=user_id)


@transaction.atomic
def lift(*, confidential: ConfidentialCall, reason: str, by: Actor, at: datetime) -> None:
    """
    Let everybody who views the client's calls see this one again; whom it named is forgotten.

    :raises NotConfidentialError: the mark was lifted.
    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    """
    reason = checked_reason(reason)
    rows = ConfidentialCall.objects.filter(pk=confidential.pk, lifted_at=None)
    if not rows.update(lifted_at=at, lifted_by_id=by.user_id):
        raise NotConfidentialError("The call is not confidential any more.")
    CallGrant.objects.filter(
        client_id=confidential.client_id, content_object_id=confidential.call_id
    ).remove()
    subject = _of(confidential.client_id, confidential.call_id)
    audit.record("call.confidentiality_lifted", subject=subject, by=by, at=at, reason=reason)


def _require_open(confidential: ConfidentialCall) -> None:
    if not ConfidentialCall.objects.filter(pk=confidential.pk, lifted_at=None).exists():
        raise NotConfidentialError("The call is not confidential any more.")
