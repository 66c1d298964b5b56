"""
Keys of the agency's systems: for one client each, with what they may do and until when.

A key is a name that stands in the directory of public keys, and 256 random bits. Only the SHA-256 of the whole is
kept, which is enough for a secret that nobody can guess. A key that is wrong in any way is answered alike, after the
same work.
"""

import hashlib
import re
import secrets
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db import connection, transaction

from callprivacy.accounts.enums import ApiScope
from callprivacy.accounts.models import ApiKey
from callprivacy.audit import services as audit
from callprivacy.lib import networks as networks_of
from callprivacy.lib import statements
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import scope_of_key

log = logger(__name__)

DEFAULT_LIFE: Final = timedelta(days=90)
LONGEST_LIFE: Final = timedelta(days=365)
LONGEST_OVERLAP: Final = timedelta(days=30)
SECRET_BYTES: Final = 32
_NAME_BYTES: Final = 10
_SHAPE: Final = re.compile(r"cpk_([0-9a-f]{20})\.[A-Za-z0-9_-]{43}", re.ASCII)
# Compared with where there is no key, so that nobody learns from the clock which names there are.
_NO_NAME: Final = "0" * 20
_NO_DIGEST: Final = hashlib.sha256(b"no key has this digest").digest()


class WrongKeyError(PermissionError):
    """No key, none of ours, one that has ended or was revoked, or whose secret is another. Nobody is told which."""


class KeyOverError(ValueError):
    """The key has ended or was revoked, so it cannot be exchanged for another."""


class KeyMadeError(ValueError):
    """This form made its key already, which was shown then. Revoke it and make another if it is lost."""

    def __init__(self) -> None:
        super().__init__("The key was made and shown already. Revoke it and make another if it is lost.")


class LifeError(ValueError):
    """A key lives for a day at least and a year at most."""


@dataclass(frozen=True, slots=True, repr=False)
class Made:
    """A key that was made just now, and the text of it, which is shown once and never again."""

    key: ApiKey
    text: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose system it is, inside the scope of its client."""

    key_id: str
    client: Client
    scopes: frozenset[str]
    actor: Actor

    def may(self, scope: ApiScope) -> bool:
        return scope.value in self.scopes


# --- What people do with keys --------------------------------------------------------------------------------------


@transaction.atomic
def create_key(
    *,
    client: Client,
    name: str,
    scopes: Collection[ApiScope],
    life: timedelta = DEFAULT_LIFE,
    networks: Collection[str] = (),
    key_id: uuid.UUID | None = None,
    by: Actor,
    at: datetime,
) -> Made:
    """
    Make a key for a system of the agency's.

    :param networks: from where it opens anything (see `lib.networks`); none: from everywhere.
    :param key_id: the form's own; the same one again makes no other key.
    :raises KeyMadeError: it made one.
    :raises LifeError: it would live for less than a day or more than a year.
    """
    made = _make(
        client_id=client.pk,
        agency_id=client.agency_id,
        name=name,
        scopes=scopes,
        life=life,
        networks=networks,
        key_id=key_id,
        by=by,
        at=at,
    )
    audit.record(
        "api_key.created",
        subject=made.key,
        by=by,
        at=at,
        scopes=" ".join(made.key.scopes),
        until=made.key.ends_at.isoformat(),
    )
    return made


@transaction.atomic
def rotate_key(
    *,
    key: ApiKey,
    overlap: timedelta,
    life: timedelta,
    key_id: uuid.UUID | None = None,
    by: Actor,
    at: datetime,
) -> Made:
    """
    Make another key of the same name and scopes; the earlier one goes on for the overlap, never longer than before.

    :param overlap: zero where the earlier one is known to somebody.
    :param key_id: the form's own; the same one again makes no other key.
    :raises KeyMadeError: it made one.
    :raises KeyOverError: the earlier one is over already.
    :raises LifeError: it would live for less than a day or more than a year.
    """
    earlier = ApiKey.objects.select_for_update().get(pk=key.pk)
    if not _is_alive(earlier, at):
        raise KeyOverError("This key is over. Make a new one.")
    made = _make(
        client_id=earlier.client_id,
        agency_id=earlier.agency_id,
        name=earlier.name,
        scopes=[ApiScope(scope) for scope in earlier.scopes],
        life=life,
        networks=earlier.networks,
        key_id=key_id,
        by=by,
        at=at,
    )
    earlier.ends_at = min(earlier.ends_at, at + min(overlap, LONGEST_OVERLAP))
    earlier.save(update_fields=["ends_at"])
    audit.record(
        "api_key.rotated",
        subject=earlier,
        by=by,
        at=at,
        by_key=str(made.key.pk),
        earlier_end_at=earlier.ends_at.isoformat(),
        until=made.key.ends_at.isoformat(),
    )
    return made


@transaction.atomic
def revoke_key(*, key: ApiKey, by: Actor, at: datetime) -> bool:
    """Let a key open nothing from this moment; returns whether it was not revoked before."""
    revoked = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at)
    if revoked:
        PublicKey.objects.filter(key=key.key, purpose=KeyPurpose.API, client_id=key.client_id).delete()
        audit.record("api_key.revoked", subject=key, by=by, at=at)
    return revoked > 0


def end_keys_of(
    *, user_id: int, agency_id: int, by: Actor, at: datetime, scope: ApiScope | None = None
) -> int:
    """
    Revoke the keys that a person made for an agency's systems; returns how many opened something.

    :param scope: those alone that have it.
    """
    alive = ApiKey.objects.filter(agency_id=agency_id, created_by_id=user_id, revoked_at=None, ends_at__gt=at)
    if scope is not None:
        alive = alive.filter(scopes__contains=[scope.value])
    return sum(revoke_key(key=key, by=by, at=at) for key in alive.defer("digest"))


def _make(
    *,
    client_id: int,
    agency_id: int,
    name: str,
    scopes: Collection[ApiScope],
    life: timedelta,
    networks: Collection[str],
    key_id: uuid.UUID | None,
    by: Actor,
    at: datetime,
) -> Made:
    if by.user_id is None:
        raise TypeError("A key is made by a person.")
    if not timedelta(days=1) <= life <= LONGEST_LIFE:
        raise LifeError("A key lives for a day at least and a year at most.")
    if key_id is not None and ApiKey.objects.filter(pk=key_id).exists():
        raise KeyMadeError
    public = secrets.token_hex(_NAME_BYTES)
    text = f"cpk_{public}.{secrets.token_urlsafe(SECRET_BYTES)}"
    key = ApiKey.objects.create(
        pk=key_id or uuid.uuid4(),
        agency_id=agency_id,
        client_id=client_id,
        name=name,
        key=public,
        digest=_digest(text),
        scopes=sorted(scope.value for scope in scopes),
        created_by_id=by.user_id,
        created_at=at,
        ends_at=at + life,
        networks=list(networks),
    )
    PublicKey.objects.create(key=public, purpose=KeyPurpose.API, agency_id=agency_id, client_id=client_id)
    return Made(key, text)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _is_alive(key: ApiKey, at: datetime) -> bool:
    return key.revoked_at is None and at < key.ends_at


# --- At the door ---------------------------------------------------------------------------------------------------


@contextmanager
def entered(*, text: str, address: str | None = None, at: datetime) -> Iterator[Holder]:
    """
    Enter the scope of the client whose system brings a key; everything inside is one transaction.

    Called outside any scope. Two statements, and a third on a key's first use of a day.

    :param text: the key as it came.
    :param address: from where it came, as our own proxies say; None where nobody knows.
    :raises WrongKeyError: it opens nothing. Every wrong key takes the same steps.
    """
    shaped = _SHAPE.fullmatch(text)
    public = shaped[1] if shaped else _NO_NAME
    with scope_of_key(public, KeyPurpose.API) as scope:
        found = _find(scope.client_id, public)
        digest = found.digest if found is not None else _NO_DIGEST
        is_same = secrets.compare_digest(_digest(text), digest)
        if found is None or not is_same or not found.is_alive(at):
            raise WrongKeyError
        if found.networks and not networks_of.holds(found.networks, address):
            log.warning("api_key.elsewhere", key=str(found.id))
            raise WrongKeyError
        _note_use(found, at)
        yield Holder(
            key_id=str(found.id),
            client=found.client,
            scopes=found.scopes,
            actor=Actor.client(f"api:{found.id}"),
        )


@dataclass(frozen=True, slots=True, repr=False)
class _Found:
    id: uuid.UUID
    digest: bytes
    scopes: frozenset[str]
    ends_at: datetime
    revoked_at: datetime | None
    last_used_on: date | None
    networks: tuple[str, ...]
    client: Client

    def is_alive(self, at: datetime) -> bool:
        return self.revoked_at is None and at < self.ends_at and self.client.archived_at is None


# Written by hand because it runs for every question, while a system waits. What is not read of the client is read when
# somebody asks for it.
_OF_CLIENT: Final = (
    "id", "agency_id", "slug", "name", "legal_name", "time_zone", "sector", "home_country", "archived_at",
)  # fmt: skip
_KEY: Final = f"""
    SELECT k.id, k.digest, k.scopes, k.ends_at, k.revoked_at, k.last_used_on, k.networks,
        {", ".join(f"c.{n}" for n in _OF_CLIENT)}
    FROM accounts_apikey k JOIN tenancy_client c ON c.id = k.client_id
    WHERE k.client_id = %s AND k.key = %s
"""  # noqa: S608  (names of columns)


def _find(client_id: int | None, public: str) -> _Found | None:
    with statements.cursor() as cursor:
        cursor.execute(_KEY, [client_id, public])
        row = cursor.fetchone()
    if row is None:
        return None
    return _Found(
        id=row[0],
        digest=bytes(row[1]),
        scopes=frozenset(row[2]),
        ends_at=row[3],
        revoked_at=row[4],
        last_used_on=row[5],
        networks=tuple(row[6]),
        client=Client.from_db(connection.alias, _OF_CLIENT, row[7:]),
    )


def _note_use(found: _Found, at: datetime) -> None:
    today = at.astimezone(UTC).date()
    if found.last_used_on is None or found.last_used_on < today:
        ApiKey.objects.filter(pk=found.id).update(last_used_on=today)
