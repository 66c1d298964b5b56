"""Agencies and their clients: making them, with the keys and the rows they cannot do without."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import connection, transaction
from django.utils.text import slugify

from callprivacy.accounts import access
from callprivacy.accounts.enums import MembershipState, Role
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Sector
from callprivacy.tenancy.models import Agency, Client, Engagement, Place
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault


class SlugTakenError(ValueError):
    """Another agency, or another client of this agency, has that short name already."""


def create_agency(
    *, name: str, time_zone: str, by: Actor, at: datetime, is_demo: bool = False
) -> Agency:
    """
    Make an agency. It enters the new agency's scope itself, so it is called outside any.

    :raises SlugTakenError: an agency of that name exists.
    """
    slug = slugify(name)[:60] or "agency"
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('tenancy_agency', 'id'))")
        agency_id = cursor.fetchone()[0]
        cursor.execute("SELECT agency_slug_is_free(%s)", [slug])
        if not cursor.fetchone()[0]:
            raise SlugTakenError(f"There is an agency called {slug} already.")
    with job_scope(agency_id=agency_id):
        agency = Agency.objects.create(
            pk=agency_id,
            name=name,
            slug=slug,
            time_zone=time_zone,
            is_demo=is_demo,
            created_at=at,
        )
        audit.record("agency.created", subject=agency, by=by, at=at)
    return agency


@transaction.atomic
def create_client(
    *,
    agency: Agency,
    name: str,
    legal_name: str,
    by: Actor,
    at: datetime,
    slug: str | None = None,
    time_zone: str | None = None,
    sector: Sector = Sector.OTHER,
    home_country: str = "US",
    places: Collection[tuple[str, str]] = (),
    brand_colour: str = "#2f5d62",
    policy_url: str = "",
) -> Client:
    """
    Make a client with its keys, its places (country, region) and an engagement to fill in.

    Whoever is a compliance officer of the agency is granted it; everybody else is granted by hand.

    :raises SlugTakenError: the agency has a client of that short name.
    """
    slug = slug or slugify(name)[:60] or "client"
    if Client.objects.filter(agency=agency, slug=slug).exists():
        raise SlugTakenError(f"There is a client called {slug} already.")
    client = Client.objects.create(
        agency=agency,
        slug=slug,
        name=name,
        legal_name=legal_name,
        time_zone=time_zone or agency.time_zone,
        sector=sector,
        home_country=home_country,
        brand_colour=brand_colour,
        policy_url=policy_url,
        created_at=at,
    )
    Place.objects.bulk_create(
        Place(agency=agency, client=client, country=country, region=region)
        for country, region in places
    )
    Engagement.objects.create(agency=agency, client=client)
    vault.create_client_keys(client_id=client.pk, agency_id=agency.pk, at=at)
    audit.record("client.created", subject=client, by=by, at=at)
    officers = Membership.objects.filter(
        agency=agency, role=Role.OFFICER, state=MembershipState.ACTIVE
    )
    for user_id in officers.values_list("user_id", flat=True):
        access.write_bundle(
            agency_id=agency.pk,
            user_id=user_id,
            client_ids=[client.pk],
            bundle=Role.OFFICER,
            granted_by_id=by.user_id,
            at=at,
            ends_at=None,
        )
        audit.record(
            "grant.changed",
            subject=client,
            by=by,
            at=at,
            person=user_id,
            bundle=Role.OFFICER.value,
        )
    return client
