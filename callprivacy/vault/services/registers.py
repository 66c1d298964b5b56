"""Numbers on registers that an agency holds, under its own token key."""

import uuid
from collections.abc import Mapping
from datetime import date

from django.db import connections, transaction

from callprivacy.vault import selectors
from callprivacy.vault.services.keys import VAULT, hold_keys, with_keys


def list_numbers(*, holder_id: int, list_id: uuid.UUID, numbers: Mapping[str, date | None]) -> int:
    """
    Put numbers (E.164) on a register, each with the day that stands there, if any; returns how many are new on it.

    Of two days for one number the later stays. Repeating it changes nothing.

    :param holder_id: whose token key it is: minus the agency's id.
    """
    if not numbers:
        return 0

    def write(keys: selectors.ClientKeys) -> int:
        with transaction.atomic(using=VAULT):
            hold_keys(keys)
            return _list_tokens(keys, list_id, numbers)

    return with_keys(holder_id, write)


def _list_tokens(keys: selectors.ClientKeys, list_id: uuid.UUID, numbers: Mapping[str, date | None]) -> int:
    rows = sorted((keys.tokens.token(number), number, day) for number, day in numbers.items())
    with connections[VAULT].cursor() as cursor:
        if keys.tokens.is_changing:
            moves = {form: token for token, number, _ in rows for form in keys.tokens.forms(number)[1:]}
            cursor.execute(
                "SELECT FROM vault_listednumber WHERE list_id = %s AND token = ANY(%s::bytea[])"
                " ORDER BY token FOR UPDATE",
                [list_id, selectors.byte_array(moves)],
            )
            cursor.execute(
                "UPDATE vault_listednumber AS listed SET token = moves.token, token_generation = %s"
                " FROM unnest(%s::bytea[], %s::bytea[]) AS moves (former, token)"
                " WHERE listed.list_id = %s AND listed.token = moves.former",
                [
                    keys.tokens.newest,
                    selectors.byte_array(moves),
                    selectors.byte_array(moves.values()),
                    list_id,
                ],
            )
        cursor.execute(
            'INSERT INTO vault_listednumber (list_id, token, token_generation, "on")'
            " SELECT %s, token, %s, day FROM unnest(%s::bytea[], %s::date[]) AS listed (token, day)"
            ' ON CONFLICT (list_id, token) DO UPDATE SET "on" = excluded."on"'
            ' WHERE vault_listednumber."on" < excluded."on" RETURNING xmax = 0',
            [
                list_id,
                keys.tokens.newest,
                selectors.byte_array([token for token, _, _ in rows]),
                [day for _, _, day in rows],
            ],
        )
        return sum(fresh for (fresh,) in cursor.fetchall())


def unlist_numbers(*, list_id: uuid.UUID, limit: int) -> int:
    """Remove up to `limit` numbers of a register that no longer counts; returns how many. Repeat until it is 0."""
    with transaction.atomic(using=VAULT), connections[VAULT].cursor() as cursor:
        cursor.execute(
            "DELETE FROM vault_listednumber WHERE id IN"
            " (SELECT id FROM vault_listednumber WHERE list_id = %s LIMIT %s)",
            [list_id, limit],
        )
        removed: int = cursor.rowcount
    return removed
