"""Another master key, and another key of a client: what they wrap is wrapped anew, and no call is rewritten."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections, transaction

from callprivacy.vault import selectors
from callprivacy.vault.models import ClientKey
from callprivacy.vault.sealing import Place, new_key
from callprivacy.vault.services.keys import VAULT, lock_keys, master_fingerprint, uuid_array


def rewrap_master(*, limit: int) -> int:
    """
    Re-encrypt up to `limit` client keys under the newest master key; returns how many were not there yet.

    Repeat until it returns 0; then the old master key opens nothing any more.
    """
    newest = master_fingerprint()
    with transaction.atomic(using=VAULT):
        rows = list(
            ClientKey.objects.select_for_update(skip_locked=True)
            .exclude(master=newest)
            .order_by("id")[:limit]
        )
        for row in rows:
            row.master = newest
            row.save(update_fields=["key", "token_key", "master"])
    return len(rows)


def start_generation(*, client_id: int, at: datetime) -> int:
    """Give a client a new key beside the old one; new callers are wrapped by it. Returns its number."""
    with transaction.atomic(using=VAULT):
        newest = lock_keys(client_id)[-1]
        if selectors.behind_generation(client_id, newest.generation):
            return newest.generation
        row = ClientKey.objects.create(
            client_id=client_id,
            agency_id=newest.agency_id,
            generation=newest.generation + 1,
            key=new_key().hex(),
            token_key=newest.token_key,
            token_generation=newest.token_generation,
            token_oldest=newest.token_oldest,
            token_made_at=newest.token_made_at,
            master=master_fingerprint(),
            created_at=at,
        )
    return row.generation


def rewrap_client(*, client_id: int, limit: int) -> int:
    """
    Re-wrap up to `limit` keys of a client under its newest generation; returns how many were re-wrapped.

    Rows that a writer holds are skipped and met again. When nothing is left the old keys are destroyed.
    """
    keys = selectors.client_keys(client_id)
    moved = 0
    for table in _WRAPPED:
        if moved < limit:
            moved += _rewrap(keys, table, limit=limit - moved, after=None)[0]
    return moved


def rewrap_client_whole(*, client_id: int, limit: int) -> Iterator[int]:
    """
    Re-wrap everything of a client under its newest generation, one transaction for each step of up to `limit` keys;
    gives how many each step moved, and 0 where all that is left is held by writers. Ends when nothing is left.

    Who stops in between loses nothing: the next goes on with what is left.
    """
    keys = selectors.client_keys(client_id)
    while True:
        for table in _WRAPPED:
            after: Any = None
            while (step := _rewrap(keys, table, limit=limit, after=after))[0]:
                yield step[0]
                after = step[1]
        if not selectors.behind_generation(client_id, keys.generation):
            return
        yield 0


@dataclass(frozen=True, slots=True)
class _Wrapped:
    """
    Rows whose keys a client's key wraps: where they are, and by which of their columns a pass walks along an index.
    """

    table: str
    columns: tuple[str, ...]
    where: str
    key: str


_WRAPPED = (
    _Wrapped("vault_caller", ("content_key", "evidence_key"), "token IS NOT NULL", "token"),
    _Wrapped("vault_caller", ("content_key", "evidence_key"), "token IS NULL", "id"),
    _Wrapped("vault_recordingkey", ("wrapped",), "caller_id IS NULL", "id"),
)


def _rewrap(keys: selectors.ClientKeys, kind: _Wrapped, *, limit: int, after: Any) -> tuple[int, Any]:
    """Re-wrap up to `limit` rows of a kind that come after one; returns how many, and where the last one stands."""
    names = ", ".join(kind.columns)
    onward = "" if after is None else f" AND {kind.key} >= %(after)s"
    with transaction.atomic(using=VAULT), connections[VAULT].cursor() as cursor:
        cursor.execute(
            f"SELECT id, {kind.key}, generation, {names} FROM {kind.table}"  # noqa: S608  (names of columns)
            f" WHERE client_id = %(client)s AND {kind.where} AND generation < %(generation)s{onward}"
            f" ORDER BY {kind.key} LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
            {"client": keys.client_id, "generation": keys.generation, "limit": limit, "after": after},
        )
        rows = cursor.fetchall()
        if not rows:
            return 0, after
        columns: list[list[bytes | None]] = [[] for _ in kind.columns]
        for row_id, _, generation, *wrapped in rows:
            old = selectors.generation_key(keys, generation)
            for name, value, into in zip(kind.columns, wrapped, columns, strict=True):
                if value is None:
                    into.append(None)
                    continue
                place = Place(keys.client_id, kind.table, name, row_id)
                into.append(keys.current.seal(old.unseal(bytes(value), place), place))
        cursor.execute(
            f"UPDATE {kind.table} AS row SET generation = %s, "  # noqa: S608  (names of columns)
            + ", ".join(f"{name} = fresh.{name}" for name in kind.columns)
            + f" FROM unnest(%s::uuid[], {', '.join(['%s::bytea[]'] * len(columns))}) AS fresh (id, {names})"
            " WHERE row.id = fresh.id",
            [
                keys.generation,
                uuid_array([row[0] for row in rows]),
                *(selectors.byte_array(column) for column in columns),
            ],
        )
    return len(rows), rows[-1][1]


def retire_generations(*, client_id: int) -> int:
    """Destroy a client's old keys once they wrap nothing; returns how many were destroyed."""
    with transaction.atomic(using=VAULT):
        newest = lock_keys(client_id)[-1]
        if selectors.behind_generation(client_id, newest.generation):
            return 0
        old = ClientKey.objects.filter(client_id=client_id, generation__lt=newest.generation)
        return old.delete()[0]
