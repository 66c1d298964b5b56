"""Plain builders: each makes one thing in its agency's own scope, with every fact named."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from callprivacy.accounts import access
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import ClientGrant, Membership, User
from callprivacy.accounts.services import agencies
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.models import Announcement, Call, Caller, Recording, TrackingNumber, call_id
from callprivacy.lib import phone
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place
from retention.models import Errand
from tests import clock

NOON = (clock.BEGINS - timedelta(days=5)).replace(hour=12, minute=0, second=0, microsecond=0)
"""Noon five days before the suite's clock begins."""
PASSWORD = "Correct-Horse-7-Battery"
JOB = Actor.job("tests")


def now() -> datetime:
    """The machine's own instant, for pages and tasks that ask for it themselves."""
    return datetime.now(UTC)  # noqa: TID251  (what is tested reads the same clock)


# A name that ends its place in a header, or the header, where it is written down as it is.
HOSTILE_NAME = 'Acme "a"; filename="evil.html"\r\nX-Evil: 1'


def own_folders(*, at: datetime = NOON) -> None:
    """Let the places where files lie be known to be ours, as they are since the first sweep of an installation."""
    assert all(files.make_ours(folder, at=at) for folder in files.Folder)


def agency(name: str, *, at: datetime = NOON, is_demo: bool = False) -> Agency:
    """An agency in New York's zone."""
    return agencies.create_agency(name=name, time_zone="America/New_York", by=JOB, at=at, is_demo=is_demo)


def client(of: Agency, name: str, *, at: datetime = NOON, **fields: Any) -> Client:
    """A client of an agency, with its keys."""
    with job_scope(agency_id=of.pk):
        return agencies.create_client(
            agency=of,
            name=name,
            legal_name=fields.pop("legal_name", f"{name} LLC"),
            by=JOB,
            at=at,
            **fields,
        )


def person(of: Agency, name: str, role: Role, *, at: datetime = NOON) -> Membership:
    """A person with a membership; the e-mail follows from both names."""
    user = User.objects.create_user(
        f"{name}@{of.slug}.example", PASSWORD, name=name.capitalize(), password_changed_at=at
    )
    with job_scope(agency_id=of.pk):
        return Membership.objects.create(agency=of, user=user, role=role, created_at=at)


def grant(
    to: Membership,
    on: Client,
    bundle: Role | None = None,
    *,
    ends_at: datetime | None = None,
    without: Permission | None = None,
) -> None:
    """A bundle on a client, but for one permission of it; by default the one that the person's role proposes."""
    with job_scope(agency_id=on.agency_id):
        access.write_bundle(
            agency_id=on.agency_id,
            user_id=to.user_id,
            client_ids=[on.pk],
            bundle=bundle or Role(to.role),
            granted_by_id=None,
            at=NOON,
            ends_at=ends_at,
        )
        if without is not None:
            ClientGrant.objects.filter(
                user_id=to.user_id, content_object_id=on.pk, permission__codename=without.value
            ).delete()


def call(
    of: Client,
    number: str | None,
    *,
    at: datetime = NOON - timedelta(days=1),
    **fields: Any,
) -> Call:
    """A call from a number in E.164 (None: withheld) that started at `at`."""
    caller_ids = vault.ensure_callers(client_id=of.pk, numbers=[number] if number else [], at=at)
    with (
        vault.hold_callers(client_id=of.pk, caller_ids=list(caller_ids.values())) as keys,
        job_scope(agency_id=of.agency_id),
    ):
        return Call.objects.create(
            pk=call_id(at),
            agency_id=of.agency_id,
            client=of,
            caller=_caller(of, number, caller_ids[number], keys, at) if number else None,
            caller_withheld=number is None,
            direction=fields.pop("direction", Direction.INBOUND),
            outcome=fields.pop("outcome", Outcome.ANSWERED),
            seconds=fields.pop("seconds", 95),
            source=fields.pop("source", "Google Ads"),
            received_at=fields.pop("received_at", at),
            **fields,
        )


def _caller(
    of: Client, number: str, caller_id: uuid.UUID, keys: Mapping[uuid.UUID, Key], at: datetime
) -> Caller:
    known = Caller.objects.filter(pk=caller_id).first()
    if known is not None:
        return known
    country, region = phone.place_of(number)
    return Caller.objects.create(
        pk=caller_id,
        agency_id=of.agency_id,
        client=of,
        number=keys[caller_id].seal(number.encode(), Place(of.pk, "calls_caller", "number", caller_id)),
        country=country,
        region=region,
        created_at=at,
    )


def tracking_number(of: Client, number: str, *, at: datetime = NOON, **fields: Any) -> TrackingNumber:
    """A tracking number of a client, and what callers hear there since a day, if that is named."""
    with job_scope(agency_id=of.agency_id):
        row = TrackingNumber.objects.create(
            agency_id=of.agency_id, client=of, number=number, created_at=at, **fields
        )
        if row.announcement and row.announced_from:
            since = datetime.combine(row.announced_from, time.min, tzinfo=ZoneInfo(of.time_zone))
            Announcement.objects.create(
                agency_id=of.agency_id,
                client=of,
                tracking_number=row,
                words=row.announcement,
                from_at=since,
                on_recording=row.announced_on_recording,
                written_at=at,
            )
        return row


def recording(of: Call, reference: str) -> Recording:
    """A withheld recording of a call, its vendor's reference sealed under its own key."""
    recording_id = uuid.uuid4()
    callers = [of.caller_id] if of.caller_id else []
    with vault.hold_callers(client_id=of.client_id, caller_ids=callers) as keys:
        key = vault.create_recording_keys(
            client_id=of.client_id, recordings=[(recording_id, of.caller_id)], callers=keys, at=NOON
        )[recording_id]
        with job_scope(agency_id=of.agency_id):
            return Recording.objects.create(
                pk=recording_id,
                agency_id=of.agency_id,
                client_id=of.client_id,
                call=of,
                provider="callrail",
                reference=key.seal(
                    reference.encode(), Place(of.client_id, "calls_recording", "reference", recording_id)
                ),
            )


def bare_recording(of: Call) -> Recording:
    """A recording of a call of which we know no address."""
    with job_scope(agency_id=of.agency_id):
        return Recording.objects.create(
            agency_id=of.agency_id,
            client_id=of.client_id,
            call=of,
            provider="callrail",
            reference=b"\x01" + bytes(28),
        )


def errand(of: Client, reference: str, *, provider: str = "callrail", at: datetime = NOON) -> Errand:
    """An errand at a vendor, as they were opened before steps took their place."""
    key = vault.purpose_key(client_id=of.pk, purpose="errand", at=at)
    with job_scope(agency_id=of.agency_id):
        row = Errand(
            agency_id=of.agency_id,
            client_id=of.pk,
            recording_id=uuid.uuid4(),
            provider=provider,
            call_started_at=at,
            opened_at=at,
        )
        row.reference = key.seal(reference.encode(), Place(of.pk, "retention_errand", "reference", row.pk))
        row.save(force_insert=True)
        return row
