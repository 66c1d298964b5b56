"""Another token key: every token of a client is brought to its form, while everybody works."""

import uuid
from collections.abc import Collection, Iterator
from datetime import datetime

from django.db import connections, transaction

from callprivacy.vault import selectors
from callprivacy.vault.models import ClientKey
from callprivacy.vault.sealing import new_key
from callprivacy.vault.services.keys import VAULT, lock_keys, uuid_array
from callprivacy.vault.services.noes import move_noes


def start_token_key(*, client_id: int, at: datetime) -> int:
    """
    Add a token key to a client's chain; returns the form that tokens have from now on.

    Waits for everybody who writes under the old chain, so that no token in an older form is written any more, but for
    a no that stands beside a caller who is not moved yet. Until `settle_tokens` numbers are asked for in both forms.
    Nothing happens while an earlier change has rows to move.

    :raises NoClientKeyError: the client has none.
    """
    with transaction.atomic(using=VAULT):
        rows = lock_keys(client_id)
        newest = rows[-1]
        if newest.token_oldest < newest.token_generation:
            return newest.token_generation
        chain = newest.token_key + new_key().hex()
        for row in rows:
            row.token_key = chain
            row.token_generation = newest.token_generation + 1
            row.token_made_at = at
            row.save(update_fields=["token_key", "token_generation", "token_made_at"])
    return newest.token_generation


def retoken_client(*, client_id: int, limit: int, list_ids: Collection[uuid.UUID] = ()) -> Iterator[int]:
    """
    Bring every token of a client to the newest form, one transaction for each step of up to `limit` rows; gives how
    many each step moved, and 0 where all that is left is held by others. Ends when none is left in an older form.

    A caller moves together with the noes of that number, so that the two stand in one form at every moment. What
    stands alone, tombstones and noes, follows when no caller is left. Who stops in between loses nothing.

    :param list_ids: the holder's registers, where it is an agency that holds some.
    """
    keys = selectors.client_keys(client_id)
    if not keys.tokens.is_changing:
        return
    owners: list[tuple[str, str, int | uuid.UUID]] = [
        ("vault_caller", "client_id", client_id),
        ("vault_tombstone", "client_id", client_id),
        ("vault_suppression", "client_id", client_id),
        *(("vault_listednumber", "list_id", list_id) for list_id in list_ids),
    ]
    for table, column, owner in owners:
        while True:
            after = b""
            while (step := _retoken(keys, table, column, owner, limit=limit, after=after))[0]:
                yield step[0]
                after = step[1]
            if not selectors.has_older_form(table, column, owner, keys.tokens.newest):
                break
            yield 0


def _retoken(
    keys: selectors.ClientKeys, table: str, column: str, owner: int | uuid.UUID, *, limit: int, after: bytes
) -> tuple[int, bytes]:
    """Move up to `limit` rows whose token comes after one; returns how many, and the last one's former token."""
    newest = keys.tokens.newest
    with transaction.atomic(using=VAULT), connections[VAULT].cursor() as cursor:
        cursor.execute(
            f"SELECT id, token, token_generation FROM {table} WHERE {column} = %s AND token >= %s"  # noqa: S608  (names of tables of ours)
            " AND token_generation < %s ORDER BY token LIMIT %s FOR UPDATE SKIP LOCKED",
            [owner, after, newest, limit],
        )
        rows = [(row_id, bytes(token), form) for row_id, token, form in cursor.fetchall()]
        if not rows:
            return 0, after
        moves = {token: keys.tokens.advance(token, form) for _, token, form in rows}
        row_ids = [row_id for row_id, _, _ in rows]
        cursor.execute(
            f"UPDATE {table} AS row SET token = moves.token, token_generation = %s"  # noqa: S608  (names)
            f" FROM unnest(%s::{'uuid' if table == 'vault_caller' else 'bigint'}[], %s::bytea[]) AS moves (id, token)"
            " WHERE row.id = moves.id",
            [
                newest,
                uuid_array(row_ids) if table == "vault_caller" else row_ids,
                selectors.byte_array([moves[token] for _, token, _ in rows]),
            ],
        )
        if table == "vault_caller":
            move_noes(keys, moves)
    return len(rows), rows[-1][1]


def settle_tokens(*, client_id: int, list_ids: Collection[uuid.UUID] = ()) -> bool:
    """
    Stop asking for older forms where no row stands in one; returns whether none does.

    Looks at callers first: as long as one is in an older form a no beside it may be written in that form too, and an
    erasure that makes a tombstone of it holds it.
    """
    newest = selectors.client_keys(client_id).tokens.newest
    owners: list[tuple[str, str, int | uuid.UUID]] = [
        ("vault_caller", "client_id", client_id),
        ("vault_tombstone", "client_id", client_id),
        ("vault_suppression", "client_id", client_id),
        *(("vault_listednumber", "list_id", list_id) for list_id in list_ids),
    ]
    if any(selectors.has_older_form(*owner, newest) for owner in owners):
        return False
    with transaction.atomic(using=VAULT):
        rows = [row.pk for row in lock_keys(client_id) if row.token_generation == newest]
        ClientKey.objects.filter(pk__in=rows).update(token_oldest=newest)
    return bool(rows)
