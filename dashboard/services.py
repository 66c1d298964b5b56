"""Making the demo, and removing it as a whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from django.apps import apps
from django.db import connection, models

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import ClientGrant, Membership, User
from callprivacy.accounts.services import agencies, grants
from callprivacy.audit import services as audit
from callprivacy.calls.services import intake
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency, AgencyOwned, Client, ClientOwned, PublicKey
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import services as vault
from dashboard import demo

_BATCH = 5_000


class DemoExistsError(ValueError):
    """There is a demo already."""


def make_demo(*, password: str, at: datetime, progress: Callable[[str], None]) -> Agency:
    """
    Make the invented agency with its clients, people and ninety days of calls.

    :param password: every demo person's; the caller prints it once.
    :param progress: told each client's name before its calls are taken in.
    :raises DemoExistsError: an agency of that name exists.
    """
    by = Actor.job("dashboard.demo")
    try:
        agency = agencies.create_agency(name=demo.AGENCY, time_zone=demo.ZONE, by=by, at=at, is_demo=True)
    except agencies.SlugTakenError as error:
        raise DemoExistsError("There is a demo already.") from error
    people = _make_people(agency, password, at)
    for about in demo.CLIENTS:
        progress(about.name)
        client = _make_client(agency, about, by, at)
        facts = list(demo.calls_of(about, until=at.astimezone(ZoneInfo(about.zone)).date()))
        for start in range(0, len(facts), _BATCH):
            intake.take_in(
                client=client,
                provider=about.provider,
                connection_id=None,
                facts=facts[start : start + _BATCH],
                way=intake.Way.IMPORT,
                at=at,
            )
    with job_scope(agency_id=agency.pk):
        for role, slugs in demo.GRANTED.items():
            for client in Client.objects.filter(slug__in=slugs):
                grants.set_bundle(
                    membership=people[role], client=client, bundle=role, by=by, at=at, ends_at=None
                )
    return agency


def _make_people(agency: Agency, password: str, at: datetime) -> dict[Role, Membership]:
    people = {}
    for name, short, role in demo.PEOPLE:
        user = User.objects.create_user(f"{short}{demo.MAIL}", password, name=name)
        with job_scope(agency_id=agency.pk):
            people[role] = Membership.objects.create(agency=agency, user=user, role=role, created_at=at)
    return people


def _make_client(agency: Agency, about: demo.DemoClient, by: Actor, at: datetime) -> Client:
    with job_scope(agency_id=agency.pk):
        return agencies.create_client(
            agency=agency,
            slug=about.slug,
            name=about.name,
            legal_name=about.legal_name,
            sector=about.sector,
            time_zone=about.zone,
            home_country=about.country,
            places=[(about.country, about.region)],
            brand_colour=about.colour,
            policy_url=f"https://{about.slug}.example/privacy",
            by=by,
            at=at,
        )


class NotADemoError(ValueError):
    """Only an agency that was made as a demo can be removed this way."""


def remove_demo(*, agency_id: int, by: Actor, at: datetime) -> None:
    """
    Destroy a demo's keys, then its files, rows and people; its trail stays, which holds no personal values.

    Called outside any scope; repeating it finishes what a crash left.

    :raises NotADemoError: the agency is none.
    """
    with job_scope(agency_id=agency_id):
        if not Agency.objects.filter(pk=agency_id, is_demo=True).exists():
            raise NotADemoError("This agency is not a demo.")
        audit.record("demo.removing", by=by, at=at)
        client_ids = list(Client.objects.values_list("pk", flat=True))
        user_ids = list(Membership.objects.values_list("user_id", flat=True))
    for client_id in client_ids:
        vault.destroy_client(client_id=client_id)
        files.delete_all(client_id)
    with job_scope(agency_id=agency_id):
        PublicKey.objects.filter(agency_id=agency_id).delete()
        with connection.cursor() as cursor:
            for table in _tables():
                cursor.execute(f"DELETE FROM {table} WHERE agency_id = %s", [agency_id])  # noqa: S608
        audit.record("demo.removed", by=by, at=at, agency_id=agency_id)
        invented = User.objects.filter(pk__in=user_ids, email__endswith=demo.MAIL, is_staff=False)
        invented.delete()
        Agency.objects.filter(pk=agency_id).remove()


def _tables() -> list[str]:
    """Tables with an agency, those that point at others first."""
    left: list[type[models.Model]] = [ClientGrant]
    left += [model for model in apps.get_models() if issubclass(model, AgencyOwned | ClientOwned)]
    ordered: list[type[models.Model]] = []
    while left:
        free = [
            model
            for model in left
            if not any(_points_at(other, model) for other in left if other is not model)
        ]
        if not free:
            raise AssertionError(f"These tables point at each other: {left}.")
        ordered += free
        left = [model for model in left if model not in free]
    return [connection.ops.quote_name(model._meta.db_table) for model in ordered]


def _points_at(model: type[models.Model], target: type[models.Model]) -> bool:
    return any(field.related_model is target for field in model._meta.local_fields)
