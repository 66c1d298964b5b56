"""
The requests page of a client or an agency, and a client's privacy notice.

A published notice is never changed: what is set up otherwise later makes it old, which is said to staff, and another
version is published by a person who saw it.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Agency, Client, PublicKey
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from rights import kinds
from rights.models import PrivacyNotice, RequestPage
from rights.selectors import notice as selectors

JOB: Final = Actor.job("rights.watch_notices")
KEY_BYTES: Final = 24


class ChangedMeanwhileError(ValueError):
    """What would be published is not what was shown."""


class NothingNewError(ValueError):
    """The published notice says the same already."""


def open_page(*, agency_id: int, client: Client | None, at: datetime) -> RequestPage:
    """
    Return the requests page of a client, or of an agency, made with a key when first asked for.

    Inside a scope that may write it.
    """
    page = selectors.page_of(client, agency_id=agency_id)
    if page is not None:
        return page
    fresh = RequestPage(
        agency_id=agency_id,
        client=client,
        key=secrets.token_urlsafe(KEY_BYTES),
        created_at=at,
        key_changed_at=at,
    )
    with transaction.atomic():
        RequestPage.objects.bulk_create([fresh], ignore_conflicts=True)
        page = RequestPage.objects.get(agency_id=agency_id, client=client)
        if page.pk == fresh.pk:
            _open_key(page)
    return page


def _open_key(page: RequestPage) -> None:
    PublicKey.objects.create(
        key=page.key, purpose=KeyPurpose.REQUEST, agency_id=page.agency_id, client_id=page.client_id
    )


@transaction.atomic
def save_page(
    *, agency: Agency, client: Client | None, said: Mapping[str, Any], by: Actor, at: datetime
) -> RequestPage:
    """Change what stands on a requests page, opening it where it is not open yet; `said` names fields of the row."""
    page = open_page(agency_id=agency.pk, client=client, at=at)
    for name, value in said.items():
        setattr(page, name, value)
    page.save(update_fields=list(said))
    audit.record(
        "requests_page.changed", subject=client or agency, by=by, at=at, fields=" ".join(sorted(said))
    )
    return page


@transaction.atomic
def rotate_key(*, page: RequestPage, by: Actor, at: datetime) -> RequestPage:
    """Give a requests page another address. The old one opens nothing from now on."""
    old = page.key
    page.key, page.key_changed_at = secrets.token_urlsafe(KEY_BYTES), at
    page.save(update_fields=["key", "key_changed_at"])
    PublicKey.objects.filter(key=old, purpose=KeyPurpose.REQUEST, agency_id=page.agency_id).delete()
    _open_key(page)
    audit.record("requests_page.key_changed", subject=page.client or page.agency, by=by, at=at)
    return page


@transaction.atomic
def publish(*, client: Client, seen: bytes, by: Actor, at: datetime) -> PrivacyNotice:
    """
    Publish the notice as it was shown.

    :param seen: the digest that the page showed.
    :raises ChangedMeanwhileError: it would say something else by now.
    :raises NothingNewError: it says what the published one says.
    """
    page = open_page(agency_id=client.agency_id, client=client, at=at)
    # Two who publish at once take turns; the second sees what the first did.
    RequestPage.objects.select_for_update().get(pk=page.pk)
    stands = selectors.standing(client, page, at=at)
    facts, body = stands.facts.as_json(), selectors.body_of(stands.facts)
    digest = selectors.digest_of(facts, body)
    if stands.published is not None and bytes(stands.published.digest) == digest:
        raise NothingNewError("This is what the published notice says already.")
    if digest != seen:
        raise ChangedMeanwhileError("Something was changed meanwhile. Look at it again, then publish.")
    row = PrivacyNotice.objects.create(
        agency_id=client.agency_id,
        client=client,
        number=stands.published.number + 1 if stands.published else 1,
        facts=facts,
        body=body,
        digest=digest,
        published_by_id=by.user_id,
        published_at=at,
    )
    audit.record("privacy_notice.published", subject=row, by=by, at=at, number=row.number)
    _renew_item(client, is_old=False, by=by, at=at)
    return row


def watch(*, agency_id: int, at: datetime) -> int:
    """Let notices that are out of date wait for somebody; returns how many are. Called outside any scope."""
    found = 0
    with job_scope(agency_id=agency_id):
        pages = RequestPage.objects.filter(agency_id=agency_id, client__isnull=False)
        for page in pages.select_related("client__agency"):
            if page.client is None or page.client.archived_at is not None:
                continue
            is_old = selectors.standing(page.client, page, at=at).is_old
            found += is_old
            _renew_item(page.client, is_old=is_old, by=JOB, at=at)
    return found


def _renew_item(client: Client, *, is_old: bool, by: Actor, at: datetime) -> None:
    work.renew_item(
        kinds.NOTICE_OLD,
        agency_id=client.agency_id,
        client_id=client.pk,
        count=int(is_old),
        by=by,
        at=at,
    )
