"""Keys of badge systems and their events. A key sends events of one site; repeated events are ignored."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import PublicKey
from callprivacy.tenancy.scope import job_scope, scope_of_key
from governance.enums import EntrySource
from governance.models import Site, SiteKey
from governance.services import premises
from governance.services.premises import Passing

LIFE: Final = timedelta(days=365)
SECRET_BYTES: Final = 32
_NAME_BYTES: Final = 10
_SHAPE: Final = re.compile(r"cps_([0-9a-f]{20})\.[A-Za-z0-9_-]{43}", re.ASCII)
# Compared for unknown keys, so that timing does not reveal which keys exist.
_NO_NAME: Final = "0" * 20
_NO_DIGEST: Final = hashlib.sha256(b"no key has this digest").digest()


class WrongKeyError(PermissionError):
    """A missing, unknown, expired, revoked or wrong key. The response does not say which."""


class KeyMadeError(ValueError):
    """The form already created its key."""


class SiteClosedError(LookupError):
    """The site of this key is closed."""


@dataclass(frozen=True, slots=True, repr=False)
class Made:
    """:ivar text: of the new key, shown once and not stored."""

    key: SiteKey
    text: str


@dataclass(frozen=True, slots=True)
class Holder:
    key_id: UUID
    agency_id: int
    site_id: UUID

    @property
    def actor(self) -> Actor:
        return Actor.client(f"premises:{self.key_id}")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@transaction.atomic
def create_key(*, site: Site, name: str, key_id: UUID | None = None, by: Actor, at: datetime) -> Made:
    """
    Create a key, valid for a year.

    :param key_id: of the form, which creates one key only.
    :raises KeyMadeError: the form already created its key.
    """
    if by.user_id is None:
        raise TypeError("Only a user creates a key.")
    if key_id is not None and SiteKey.objects.filter(pk=key_id).exists():
        raise KeyMadeError
    public = secrets.token_hex(_NAME_BYTES)
    text = f"cps_{public}.{secrets.token_urlsafe(SECRET_BYTES)}"
    key = SiteKey.objects.create(
        pk=key_id or uuid4(),
        agency_id=site.agency_id,
        site=site,
        name=name,
        key=public,
        digest=_digest(text),
        created_by_id=by.user_id,
        created_at=at,
        ends_at=at + LIFE,
    )
    PublicKey.objects.create(key=public, purpose=KeyPurpose.PREMISES, agency_id=site.agency_id)
    audit.record("site_key.created", subject=key, by=by, at=at, until=key.ends_at.isoformat())
    return Made(key, text)


@transaction.atomic
def revoke_key(*, key: SiteKey, by: Actor, at: datetime) -> bool:
    """Return whether the key was not revoked before."""
    revoked = SiteKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at)
    if revoked:
        PublicKey.objects.filter(key=key.key, purpose=KeyPurpose.PREMISES).delete()
        audit.record("site_key.revoked", subject=key, by=by, at=at)
    return revoked > 0


def holder_of(text: str, *, at: datetime) -> Holder:
    """
    The holder of a key. Called outside any scope.

    :raises WrongKeyError: it is not valid. Every invalid key takes the same steps.
    """
    shaped = _SHAPE.fullmatch(text)
    public = shaped[1] if shaped else _NO_NAME
    with scope_of_key(public, KeyPurpose.PREMISES):
        key = SiteKey.objects.filter(key=public).first()
        is_same = secrets.compare_digest(_digest(text), bytes(key.digest) if key else _NO_DIGEST)
        if key is None or not is_same or key.revoked_at is not None or at >= key.ends_at:
            raise WrongKeyError
        return Holder(key.pk, key.agency_id, key.site_id)


def take_events(*, holder: Holder, passings: Sequence[Passing], at: datetime) -> tuple[int, int]:
    """
    Save events. Returns the numbers of new and of flagged entries. Called outside any scope.

    :raises SiteClosedError: the site is closed.
    """
    with job_scope(agency_id=holder.agency_id):
        site = Site.objects.filter(pk=holder.site_id, closed_on=None).first()
        if site is None:
            raise SiteClosedError("The site of this key is closed.")
        today = at.astimezone(UTC).date()
        SiteKey.objects.filter(pk=holder.key_id).exclude(last_used_on=today).update(last_used_on=today)
        return premises.take_in(
            site=site, passings=passings, source=EntrySource.SYSTEM, by=holder.actor, at=at
        )
