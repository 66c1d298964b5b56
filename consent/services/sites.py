"""Where a client's calls are answered: its law counts beside the caller's, so a change decides recordings anew."""

import uuid
from collections.abc import Mapping
from datetime import date, datetime

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import TrackingNumber
from callprivacy.calls.services import numbers
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from consent.models import Acknowledgement, AnsweringSite
from consent.selectors import sites as selectors
from consent.services import rejudging


class NameTakenError(ValueError):
    """The client has a site of that name."""


class StillNamedError(ValueError):
    """Tracking numbers name the site, or it is the default of several."""


class AcknowledgedError(ValueError):
    """That person's acknowledgement at this site is written down already."""


class LeftTooEarlyError(ValueError):
    """Nobody leaves before they acknowledged."""


@transaction.atomic
def add_site(
    *, client: Client, name: str, country: str, region: str, is_default: bool, by: Actor, at: datetime
) -> AnsweringSite:
    """
    Register a place where calls are answered; the first is the default.

    :raises NameTakenError: there is one of that name.
    """
    rows = _locked(client)
    if any(row.name.casefold() == name.casefold() for row in rows):
        raise NameTakenError(f"A site “{name}” already exists.")
    is_default = is_default or not rows
    if is_default:
        _no_default(client)
    site = AnsweringSite.objects.create(
        agency_id=client.agency_id,
        client=client,
        name=name,
        country=country,
        region=region,
        is_default=is_default,
        created_at=at,
    )
    audit.record("site.added", subject=site, by=by, at=at, country=country, region=region, default=is_default)
    rejudging.of_client(client=client, cause="site", at=at)
    return site


def _locked(client: Client) -> list[AnsweringSite]:
    """The client's sites, held in one order, so that there is never more than one default."""
    return list(AnsweringSite.objects.for_client(client).select_for_update().order_by("pk"))


def _no_default(client: Client) -> None:
    AnsweringSite.objects.for_client(client).filter(is_default=True).update(is_default=False)


@transaction.atomic
def change_site(
    *,
    site: AnsweringSite,
    client: Client,
    name: str,
    country: str,
    region: str,
    is_default: bool,
    by: Actor,
    at: datetime,
) -> None:
    """
    Change a site. Where its name changes, the tracking numbers that name it follow.

    :raises NameTakenError: another site has that name.
    :raises StillNamedError: it would leave the client without a default.
    """
    others = [row for row in _locked(client) if row.pk != site.pk]
    if any(row.name.casefold() == name.casefold() for row in others):
        raise NameTakenError(f"A site “{name}” already exists.")
    if site.is_default and not is_default:
        raise StillNamedError("Set another site as the default first.")
    if name != site.name:
        for number in selectors.numbers_at(site):
            numbers.describe_number(number=number, facts={"target_site": name}, by=by, at=at)
    if is_default and not site.is_default:
        _no_default(client)
    site.name, site.country, site.region, site.is_default = name, country, region, is_default
    site.save(update_fields=["name", "country", "region", "is_default"])
    audit.record(
        "site.changed", subject=site, by=by, at=at, country=country, region=region, default=is_default
    )
    rejudging.of_client(client=client, cause="site", at=at)


@transaction.atomic
def remove_site(*, site: AnsweringSite, client: Client, by: Actor, at: datetime) -> None:
    """
    Remove a site with the acknowledgements written down for it.

    :raises StillNamedError: numbers name it, or it is the default while there are others.
    """
    rows = _locked(client)
    if selectors.numbers_at(site).exists():
        raise StillNamedError("Tracking numbers use this site. Assign them to another site first.")
    if site.is_default and len(rows) > 1:
        raise StillNamedError("Set another site as the default first.")
    audit.record("site.removed", subject=site, by=by, at=at, country=site.country, region=site.region)
    Acknowledgement.objects.for_client(client).filter(site=site).remove()
    AnsweringSite.objects.for_client(client).filter(pk=site.pk).remove()
    rejudging.of_client(client=client, cause="site", at=at)


@transaction.atomic
def assign_numbers(
    *, client: Client, chosen: Mapping[uuid.UUID, uuid.UUID | None], by: Actor, at: datetime
) -> int:
    """
    Say at which site each of these tracking numbers is answered; None leaves it to the default.

    :returns: how many numbers changed.
    """
    known = {row.pk: row for row in AnsweringSite.objects.for_client(client)}
    rows = TrackingNumber.objects.for_client(client).filter(pk__in=list(chosen))
    changed = 0
    for number in rows.order_by("pk"):
        site_id = chosen[number.pk]
        site = known.get(site_id) if site_id is not None else None
        facts: dict[str, str | bool | date | datetime | None] = {
            "target_site": site.name if site is not None else ""
        }
        if site is not None and site.region:
            facts["region"] = site.region
        changed += numbers.describe_number(number=number, facts=facts, by=by, at=at)
    if changed:
        rejudging.of_client(client=client, cause="site", at=at)
    return changed


@transaction.atomic
def acknowledge(
    *, site: AnsweringSite, person: str, words: str, on: date, by: Actor, at: datetime
) -> Acknowledgement:
    """
    Write down that somebody who answers at a site knows of being recorded, and which words they signed.

    :raises AcknowledgedError: it is written down already.
    """
    row = Acknowledgement(
        agency_id=site.agency_id,
        client_id=site.client_id,
        site=site,
        person=person,
        words=words,
        acknowledged_on=on,
        recorded_by_id=by.user_id,
        created_at=at,
    )
    Acknowledgement.objects.bulk_create([row], ignore_conflicts=True)
    if not Acknowledgement.objects.filter(pk=row.pk).exists():
        raise AcknowledgedError("This site already has an acknowledgement of this person.")
    audit.record("staff.acknowledged", subject=row, by=by, at=at, on=on.isoformat())
    return row


@transaction.atomic
def note_left(*, acknowledgement: Acknowledgement, on: date, by: Actor, at: datetime) -> None:
    """
    Note that somebody no longer answers there.

    :raises LeftTooEarlyError: before the day on which they acknowledged.
    """
    if on < acknowledgement.acknowledged_on:
        raise LeftTooEarlyError("The date is before the acknowledgement.")
    acknowledgement.left_on = on
    acknowledgement.save(update_fields=["left_on"])
    audit.record("staff.left", subject=acknowledgement, by=by, at=at, on=on.isoformat())
