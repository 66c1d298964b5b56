"""
Trackers' ways in, as people set them up: made, given another secret, told what keys mean, closed and opened again.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from callprivacy.audit import services as audit
from callprivacy.calls.kinds import PULL_FAILING
from callprivacy.calls.models import Connection, ConnectionSecret, Pull
from callprivacy.calls.providers.mapped import Fields
from callprivacy.calls.selectors.connections import PressRule, calls_us, press_rules, title_of
from callprivacy.calls.services import drops, inbox
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Agency, Client, PublicKey
from callprivacy.work import services as work

TOLD_AFTER: Final = 3
"""Somebody hears of a list that did not open so often in a row."""


class VendorNotReviewedError(ValueError):
    """The agency opens connections for reviewed vendors alone, and this one's review is missing, refused or over."""

    def __init__(self, provider: str) -> None:
        super().__init__(
            f"Your agency opens connections for reviewed vendors alone, and there is no review of {title_of(provider)} "
            "that counts today. Whoever manages the agency reviews it under Programme, Vendors; then open this "
            "connection."
        )


def _require_review(agency_id: int, provider: str, at: datetime) -> None:
    """
    Refuse a vendor without a review where the agency wants one.

    :raises VendorNotReviewedError: there is none that counts today.
    """
    agency = Agency.objects.get(pk=agency_id)
    if not agency.needs_reviewed_vendors:
        return
    until = agency.reviewed_vendors.get(provider, "")
    if until <= calendars.day_in(agency.time_zone, at).isoformat():
        raise VendorNotReviewedError(provider)


@transaction.atomic
def create_connection(
    *, client: Client, provider: str, name: str, secret: str, by: Actor, at: datetime
) -> Connection:
    """
    Open a way in for a tracker, with the key that its url will carry.

    One whose calls come by files has no url: its key opens nothing, and it has no secret.

    :param secret: what the vendor signs with: CallRail's signing key, Twilio's auth token, the secret key of
        CallTrackingMetrics.
    :raises VendorNotReviewedError: the agency wants the vendor reviewed first. :raises ClientLeftError: it has left.
    """
    tenancy.require_here(client.pk)
    _require_review(client.agency_id, provider, at)
    connection = Connection.objects.create(
        agency_id=client.agency_id,
        client=client,
        provider=provider,
        name=name,
        key=secrets.token_urlsafe(24),
        created_at=at,
    )
    if calls_us(provider):
        PublicKey.objects.create(
            key=connection.key, purpose=KeyPurpose.HOOK, agency_id=client.agency_id, client_id=client.pk
        )
        _add_secret(connection, secret, at)
    audit.record("connection.created", subject=connection, by=by, at=at, provider=provider)
    return connection


def _add_secret(connection: Connection, secret: str, at: datetime) -> None:
    ConnectionSecret.objects.create(
        agency_id=connection.agency_id,
        client_id=connection.client_id,
        connection=connection,
        secret=secret,
        created_at=at,
    )


@transaction.atomic
def rotate_secret(
    *, connection: Connection, secret: str, overlap: timedelta, by: Actor, at: datetime
) -> datetime:
    """
    Give a connection a new secret; those before count until the overlap is over, or their own earlier end.

    :param overlap: zero when a secret has leaked.
    :returns: when the earlier secrets end.
    """
    ends_at = at + overlap
    Connection.objects.select_for_update().get(pk=connection.pk)
    ConnectionSecret.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=ends_at), connection=connection
    ).update(ends_at=ends_at)
    _add_secret(connection, secret, at)
    audit.record(
        "connection.secret_rotated",
        subject=connection,
        by=by,
        at=at,
        earlier_end_at=ends_at.isoformat(),
    )
    return ends_at


@transaction.atomic
def deactivate_connection(*, connection: Connection, by: Actor, at: datetime) -> bool:
    """Close the way in; what it brought stays, what waits is still read. Returns whether it was open."""
    closed = Connection.objects.filter(pk=connection.pk, is_active=True).update(is_active=False)
    if closed:
        audit.record("connection.deactivated", subject=connection, by=by, at=at)
        _renew_items(connection, by=by, at=at)
    return closed > 0


@transaction.atomic
def reactivate_connection(*, connection: Connection, by: Actor, at: datetime) -> bool:
    """
    Open the way in again under its old url and secrets. Returns whether it was closed.

    :raises VendorNotReviewedError: the agency wants the vendor reviewed first. :raises ClientLeftError: the client has
        left.
    """
    tenancy.require_here(connection.client_id)
    _require_review(connection.agency_id, connection.provider, at)
    opened = Connection.objects.filter(pk=connection.pk, is_active=False).update(is_active=True)
    if opened:
        audit.record("connection.reactivated", subject=connection, by=by, at=at)
        _renew_items(connection, by=by, at=at)
    return opened > 0


def _renew_items(connection: Connection, *, by: Actor, at: datetime) -> None:
    """A connection that is closed fails nobody; one that is open again may."""
    renew_failing(agency_id=connection.agency_id, client_id=connection.client_id, by=by, at=at)
    if connection.provider == drops.FOLDER:
        drops.renew_item(agency_id=connection.agency_id, client_id=connection.client_id, by=by, at=at)


def renew_failing(*, agency_id: int, client_id: int, by: Actor, at: datetime) -> None:
    """Let a client's trackers whose lists do not open wait for somebody, or close that where all do."""
    count = Pull.objects.filter(
        agency_id=agency_id,
        client_id=client_id,
        is_on=True,
        connection__is_active=True,
        failures__gte=TOLD_AFTER,
    ).count()
    work.renew_item(PULL_FAILING, agency_id=agency_id, client_id=client_id, count=count, by=by, at=at)


@transaction.atomic
def map_presses(*, connection: Connection, rules: Sequence[PressRule], by: Actor, at: datetime) -> bool:
    """Say what keys mean that callers press, in place of what was said before; returns whether anything changed."""
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    if press_rules(row) == tuple(rules):
        return False
    row.mapping["presses"] = [
        {
            "name": rule.name,
            "value": rule.value,
            "purpose": list(rule.purposes),
            "kind": rule.kind,
            "scope": rule.scope,
            **({"gates": True} if rule.gates else {}),
        }
        for rule in rules
    ]
    row.save(update_fields=["mapping"])
    audit.record("connection.presses_mapped", subject=row, by=by, at=at, rules=len(rules))
    return True


@transaction.atomic
def map_fields(*, connection: Connection, fields: Fields, by: Actor, at: datetime) -> bool:
    """
    Say what the fields of a tracker without a module mean, and let what was refused for that be read; returns whether
    anything changed.
    """
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    if row.mapping.get("fields") == fields.stored():
        return False
    row.mapping["fields"] = fields.stored()
    row.save(update_fields=["mapping"])
    audit.record("connection.fields_mapped", subject=row, by=by, at=at, fields=" ".join(sorted(fields.paths)))
    inbox.retry_rejected(client=row.client, by=by, at=at)
    return True
