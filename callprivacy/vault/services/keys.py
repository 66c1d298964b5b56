"""A client's keys: made, held by who writes under them, and destroyed."""

import hashlib
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime

from django.conf import settings
from django.db import connections, transaction
from django.db.models import Model

from callprivacy.vault import selectors
from callprivacy.vault.models import (
    Caller,
    CallTombstone,
    ClientKey,
    RecordingKey,
    Suppression,
    Tombstone,
    Watermark,
)
from callprivacy.vault.sealing import new_key

VAULT = "vault"


class StaleKeysError(LookupError):
    """A rotation went on after keys were read; read them again."""


def master_fingerprint() -> str:
    """Return the name of the newest master key: 16 hex digits of its SHA-256, which say nothing about it."""
    return hashlib.sha256(settings.FIELD_ENCRYPTION_KEY[0].encode()).hexdigest()[:16]


def has_older_masters() -> bool:
    """Whether there is a master key behind the newest one, whose secrets can be brought under it."""
    return len(settings.FIELD_ENCRYPTION_KEY) > 1


def create_client_keys(*, client_id: int, agency_id: int, at: datetime) -> None:
    """Make a client's first key and its token key; nothing happens where they exist."""
    ClientKey.objects.bulk_create(
        [
            ClientKey(
                client_id=client_id,
                agency_id=agency_id,
                generation=1,
                key=new_key().hex(),
                token_key=new_key().hex(),
                token_made_at=at,
                master=master_fingerprint(),
                created_at=at,
            )
        ],
        ignore_conflicts=True,
    )


def with_keys[T](
    client_id: int, write: Callable[[selectors.ClientKeys], T], keys: selectors.ClientKeys | None = None
) -> T:
    """
    Write something under a client's keys; once more where a rotation went on after they were read.

    :param keys: the client's keys, where they are open already.
    """
    while True:
        try:
            return write(keys or selectors.client_keys(client_id))
        except StaleKeysError:
            keys = None


def hold_keys(keys: selectors.ClientKeys) -> None:
    """
    Keep the generation that new rows are wrapped by from being retired, and a token key from being added, before they
    commit.

    :raises StaleKeysError: one of the two has happened.
    """
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "SELECT token_generation FROM vault_clientkey WHERE client_id = %s AND generation = %s FOR SHARE",
            [keys.client_id, keys.generation],
        )
        row = cursor.fetchone()
    if row is None or row[0] != keys.tokens.newest:
        raise StaleKeysError(f"Keys of client {keys.client_id} went on.")


def lock_keys(client_id: int) -> list[ClientKey]:
    """
    A client's keys FOR UPDATE, oldest first; waits for everybody who writes under them.

    :raises NoClientKeyError: it has none.
    """
    held: list[ClientKey] = []
    while True:
        rows = list(ClientKey.objects.select_for_update().filter(client_id=client_id).order_by("generation"))
        if not rows:
            raise selectors.NoClientKeyError(f"Client {client_id} has no key.")
        if [row.pk for row in rows] == [row.pk for row in held]:
            return rows
        held = rows  # Who was waited for may have added one.


def destroy_client(*, client_id: int) -> None:
    """
    Destroy every key of a client: whatever it sealed anywhere is noise from now on.

    Its own keys go first and alone: some hold them before noes, others hold callers before them, so that whoever took
    all at once would wait for one of them without end. Nobody writes under them any more then. Rows that others take as
    well are taken in their order. Who is killed in between has destroyed everything; the rest goes with the next call.
    """
    with transaction.atomic(using=VAULT):
        _destroy(ClientKey, "generation", client_id)
    with transaction.atomic(using=VAULT):
        for model, order in (
            (RecordingKey, ""),
            (Caller, "id"),
            (Tombstone, ""),
            (CallTombstone, ""),
            (Watermark, ""),
            (Suppression, "token, purpose"),
        ):
            _destroy(model, order, client_id)


def _destroy(model: type[Model], order: str, client_id: int) -> None:
    """Delete a client's rows, held in an order before where there is one."""
    if order:
        _take_in_order(model._meta.db_table, order, client_id)
    model._default_manager.filter(client_id=client_id).delete()


def _take_in_order(table: str, order: str, client_id: int) -> None:
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM (SELECT FROM {table} WHERE client_id = %s ORDER BY {order} FOR UPDATE) AS held",  # noqa: S608  (names from above)
            [client_id],
        )


def uuid_array(values: Iterable[uuid.UUID]) -> str:
    return "{" + ",".join([value.hex for value in values]) + "}"
