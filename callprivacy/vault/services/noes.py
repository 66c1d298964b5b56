"""
Numbers that said no to a client.

Whoever holds noes takes callers first, by id, then noes, by token and purpose; fresh callers come after them, by token.
Whoever waits for noes to change their tokens does so in turn, before holding any: PostgreSQL also holds a row that was
waited for and has another token now, whose place is another one. The change itself passes over what is held.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connections, transaction

from callprivacy.vault import selectors
from callprivacy.vault.models import Suppression
from callprivacy.vault.services.keys import VAULT, hold_keys, uuid_array, with_keys


@dataclass(frozen=True, slots=True)
class No:
    """What a caller said no to, and when."""

    caller_id: uuid.UUID
    purpose: str
    since: datetime


def suppress(
    *,
    client_id: int,
    numbers: Collection[str],
    purposes: Collection[str],
    at: datetime,
    ends_on: date | None = None,
) -> int:
    """
    Remember that numbers (E.164) said no to a client for some purposes; returns how many pairs are new.

    It outlives the erasure of the person. Saying it again moves both dates out, never in.

    :param at: when they said it.
    """
    if not numbers or not purposes:
        return 0

    def write(keys: selectors.ClientKeys) -> int:
        with transaction.atomic(using=VAULT):
            hold_keys(keys)
            tokens = _tokens_for_noes(keys, numbers)
            pairs = {(token, purpose): (form, at) for token, form in tokens.items() for purpose in purposes}
            return _suppress_tokens(keys.client_id, pairs, ends_on=ends_on)

    return with_keys(client_id, write)


def suppress_callers(
    *,
    client_id: int,
    caller_ids: Collection[uuid.UUID],
    purposes: Collection[str],
    at: datetime,
    ends_on: date | None = None,
) -> int:
    """Remember the same of callers, without their numbers being opened; erased ones have no token any more."""
    said = [No(caller_id, purpose, at) for caller_id in caller_ids for purpose in purposes]
    return suppress_each(client_id=client_id, said=said, ends_on=ends_on)


def suppress_each(*, client_id: int, said: Collection[No], ends_on: date | None = None) -> int:
    """Remember what several callers said, each at its time, in the order of everybody else: all at once."""
    with transaction.atomic(using=VAULT):
        held = _held_tokens(client_id, {no.caller_id for no in said})
        tokens = {caller_id: (token, form) for caller_id, token, form in held}
        pairs: dict[tuple[bytes, str], tuple[int, datetime]] = {}
        for no in said:
            if no.caller_id in tokens:
                token, form = tokens[no.caller_id]
                pairs[token, no.purpose] = (form, no.since)
        return _suppress_tokens(client_id, pairs, ends_on=ends_on)


def _held_tokens(client_id: int, caller_ids: Collection[uuid.UUID]) -> list[tuple[uuid.UUID, bytes, int]]:
    """Callers' ids, tokens and their forms, which stay as they are until the transaction is over."""
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "SELECT id, token, token_generation FROM vault_caller WHERE client_id = %s AND id = ANY(%s::uuid[])"
            " AND token IS NOT NULL ORDER BY id FOR KEY SHARE",
            [client_id, uuid_array(caller_ids)],
        )
        return [(caller_id, bytes(token), form) for caller_id, token, form in cursor.fetchall()]


def _tokens_for_noes(keys: selectors.ClientKeys, numbers: Collection[str]) -> dict[bytes, int]:
    """
    Token -> its form, in which a no of each number has to stand: the form of its caller, who is held until then; the
    newest where there is none, and noes in an older one are brought there.
    """
    if not keys.tokens.is_changing:
        return {keys.tokens.token(number): keys.tokens.newest for number in numbers}
    found: dict[bytes, int] = {}
    older = {form: number for number in numbers for form in keys.tokens.forms(number)[1:]}
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "SELECT token, token_generation FROM vault_caller WHERE client_id = %s AND token = ANY(%s::bytea[])"
            " ORDER BY id FOR KEY SHARE",
            [keys.client_id, selectors.byte_array(older)],
        )
        found = {bytes(token): form for token, form in cursor.fetchall()}
    moved = set(numbers) - {older[token] for token in found}
    bring_noes_along(keys, moved)
    return found | {keys.tokens.token(number): keys.tokens.newest for number in moved}


def bring_noes_along(keys: selectors.ClientKeys, numbers: Collection[str]) -> None:
    """Bring noes of numbers without a caller in an older form to the newest, in which they are about to get one."""
    if keys.tokens.is_changing and numbers:
        move_noes(
            keys,
            {
                form: tokens[0]
                for number in numbers
                for tokens in [keys.tokens.forms(number)]
                for form in tokens[1:]
            },
        )


def move_noes(keys: selectors.ClientKeys, moves: Mapping[bytes, bytes]) -> None:
    """Give noes of a client their newest token, by the one under which they stand; in turn."""
    standing = Suppression.objects.filter(client_id=keys.client_id, token__in=list(moves))
    if not standing.exists():
        return  # Most often: whoever changes a row of these just now has not committed, and it is seen.
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('vault.move_noes', %s))", [keys.client_id]
        )
    held = _held_noes(keys.client_id, moves)
    if held:
        with connections[VAULT].cursor() as cursor:
            cursor.execute(
                "UPDATE vault_suppression AS no SET token = moves.token, token_generation = %s"
                " FROM unnest(%s::bytea[], %s::bytea[]) AS moves (former, token)"
                " WHERE no.id = ANY(%s) AND no.token = moves.former",
                [
                    keys.tokens.newest,
                    selectors.byte_array(moves),
                    selectors.byte_array(moves.values()),
                    held,
                ],
            )


def _held_noes(client_id: int, tokens: Iterable[bytes], purposes: Collection[str] | None = None) -> list[int]:
    """Ids of noes under these tokens, held until the transaction is over."""
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "SELECT id FROM vault_suppression WHERE client_id = %s AND token = ANY(%s::bytea[])"
            " AND (%s::text[] IS NULL OR purpose = ANY(%s::text[])) ORDER BY token, purpose FOR UPDATE",
            [client_id, selectors.byte_array(tokens), *[None if purposes is None else list(purposes)] * 2],
        )
        return [row[0] for row in cursor.fetchall()]


def _suppress_tokens(
    client_id: int, said: Mapping[tuple[bytes, str], tuple[int, datetime]], *, ends_on: date | None
) -> int:
    """
    Write noes down, inside a transaction that holds the forms of their tokens.

    :param said: (token, purpose) -> the token's form, and when it was said.
    """
    if not said:
        return 0
    pairs = sorted(said)
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "INSERT INTO vault_suppression (client_id, token, token_generation, purpose, since, ends_on)"
            " SELECT %s, token, form, purpose, since, %s"
            " FROM unnest(%s::bytea[], %s::smallint[], %s::text[], %s::timestamptz[])"
            " AS said (token, form, purpose, since)"
            " ON CONFLICT (client_id, token, purpose) DO UPDATE SET"
            " since = greatest(vault_suppression.since, excluded.since), ends_on ="
            " CASE WHEN vault_suppression.ends_on IS NULL OR excluded.ends_on IS NULL THEN NULL"
            " ELSE greatest(vault_suppression.ends_on, excluded.ends_on) END"
            " RETURNING xmax = 0",
            [
                client_id,
                ends_on,
                selectors.byte_array([token for token, _ in pairs]),
                [said[pair][0] for pair in pairs],
                [purpose for _, purpose in pairs],
                [said[pair][1] for pair in pairs],
            ],
        )
        return sum(fresh for (fresh,) in cursor.fetchall())


def lift_suppressions(*, client_id: int, caller_id: uuid.UUID, purposes: Collection[str]) -> int:
    """Forget that a caller said no for these purposes, because the person said yes again; returns how many."""
    with transaction.atomic(using=VAULT):
        tokens = [token for _, token, _ in _held_tokens(client_id, [caller_id])]
        held = _held_noes(client_id, tokens, purposes)
        return Suppression.objects.filter(pk__in=held).delete()[0]


def lift_suppressions_of(*, client_id: int, number: str, purposes: Collection[str]) -> int:
    """Forget what is kept of a number for these purposes, whether it has a caller or not; returns how many."""
    keys = selectors.client_keys(client_id)
    with transaction.atomic(using=VAULT):
        hold_keys(keys)
        held = _held_noes(client_id, keys.tokens.forms(number), purposes)
        return Suppression.objects.filter(pk__in=held).delete()[0]


def end_suppressions(*, client_id: int, on: date) -> int:
    """Remove a client's suppressions whose end date has come; returns how many. What is written just then stays."""
    with transaction.atomic(using=VAULT):
        ended = Suppression.objects.filter(client_id=client_id, ends_on__lte=on)
        # Passed over rather than waited for: they come in no order of tokens.
        held = list(ended.select_for_update(skip_locked=True).values_list("pk", flat=True))
        return Suppression.objects.filter(pk__in=held).delete()[0]
