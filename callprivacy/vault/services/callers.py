"""Callers' keys: made for numbers that were never seen, held by who writes under them, and destroyed."""

import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connections, transaction

from callprivacy.vault import selectors
from callprivacy.vault.models import Caller, RecordingKey, Tombstone
from callprivacy.vault.sealing import Key, new_key
from callprivacy.vault.services.keys import VAULT, hold_keys, uuid_array, with_keys
from callprivacy.vault.services.noes import bring_noes_along


class CallerGoneError(LookupError):
    """A caller's keys were destroyed while somebody wanted to write under them."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """
    A caller to be forgotten: with `up_to`, a tombstone remembers the token; without, nothing does.

    With `keep_evidence` the evidence key stays, without the token: what is sealed under it can still be opened by
    whoever finds it through the tombstone, and everything else of the person is noise.
    """

    caller_id: uuid.UUID
    up_to: datetime | None = None
    tombstone_ends_on: date | None = None
    keep_evidence: bool = False


def ensure_callers(*, client_id: int, numbers: Collection[str], at: datetime) -> dict[str, uuid.UUID]:
    """
    Return the caller id of each number (E.164) of one client, making keys for those never seen.

    Commits by itself, before anything in `default` rests on the keys.
    """
    return with_keys(client_id, lambda keys: _ensure(keys, numbers, at))


def _ensure(keys: selectors.ClientKeys, numbers: Collection[str], at: datetime) -> dict[str, uuid.UUID]:
    found = selectors.ids_of_numbers(keys, numbers)
    missing = {keys.tokens.token(number): number for number in numbers if number not in found}
    if missing:
        # In the order of tokens, as everybody adds callers: two who add the same ones wait for each other one way.
        rows = [_fresh_caller(keys, token, at) for token in sorted(missing)]
        with transaction.atomic(using=VAULT):
            hold_keys(keys)
            bring_noes_along(keys, missing.values())
            Caller.objects.bulk_create(rows, ignore_conflicts=True)
        found |= selectors.ids_of_numbers(keys, list(missing.values()))
    return {number: found[number] for number in numbers}


def _fresh_caller(keys: selectors.ClientKeys, token: bytes, at: datetime) -> Caller:
    caller_id = uuid.uuid4()
    return Caller(
        id=caller_id,
        client_id=keys.client_id,
        token=token,
        token_generation=keys.tokens.newest,
        generation=keys.generation,
        content_key=keys.current.seal(new_key(), selectors.content_place(keys.client_id, caller_id)),
        evidence_key=keys.current.seal(new_key(), selectors.evidence_place(keys.client_id, caller_id)),
        created_at=at,
    )


@contextmanager
def hold_callers(*, client_id: int, caller_ids: Collection[uuid.UUID]) -> Iterator[dict[uuid.UUID, Key]]:
    """
    Hold callers' rows FOR SHARE, and give their content keys, until what rests on them has committed.

    Enter it outside the scope that writes, so that the scope commits first; erasure waits for it.

    :raises CallerGoneError: one of them was erased in the meantime; look the numbers up again.
    """
    with transaction.atomic(using=VAULT):
        keys = selectors.client_keys(client_id)
        with connections[VAULT].cursor() as cursor:
            cursor.execute(
                "SELECT id, generation, content_key FROM vault_caller"
                " WHERE client_id = %s AND id = ANY(%s) AND content_key IS NOT NULL ORDER BY id FOR SHARE",
                [client_id, list(caller_ids)],
            )
            opened = {row[0]: selectors.open_content_key(keys, *row) for row in cursor.fetchall()}
        gone = set(caller_ids) - opened.keys()
        if gone:
            raise CallerGoneError(f"{len(gone)} callers are gone.")
        yield opened


@contextmanager
def holding_callers(*, client_id: int, caller_ids: Collection[uuid.UUID]) -> Iterator[None]:
    """
    Hold callers' rows as `hold_callers` does, without opening a key: for who has them from `issue_keys`.

    :raises CallerGoneError: one of them was erased in the meantime; look the numbers up again.
    """
    with transaction.atomic(using=VAULT):
        with connections[VAULT].cursor() as cursor:
            # It only holds: nothing here has to be on the disk before somebody else goes on.
            cursor.execute(
                "SELECT count(*), set_config('synchronous_commit', 'off', true)"
                " FROM (SELECT 1 FROM vault_caller WHERE client_id = %s AND id = ANY(%s::uuid[])"
                " AND content_key IS NOT NULL ORDER BY id FOR SHARE) AS held",
                [client_id, uuid_array(caller_ids)],
            )
            held = cursor.fetchone()[0]
        if held != len(caller_ids):
            raise CallerGoneError(f"{len(caller_ids) - held} callers are gone.")
        yield


@contextmanager
def erasing_callers(*, client_id: int, caller_ids: Collection[uuid.UUID]) -> Iterator[None]:
    """
    Hold callers' rows FOR UPDATE while their owner decides which are erased, and until that has committed.

    Waits for writers that hold a row; a writer that comes later waits, finds it gone and makes a fresh one.
    """
    with transaction.atomic(using=VAULT):
        list(
            Caller.objects.select_for_update()
            .filter(client_id=client_id, id__in=list(caller_ids))
            .order_by("id")
            .values_list("id", flat=True)
        )
        yield


def erase_callers(
    *, client_id: int, erasures: Collection[Erasure], at: datetime, with_recordings: bool = True
) -> int:
    """
    Destroy callers' keys in one transaction; those with an end date leave a tombstone in the same one.

    Waits for writers that hold a row. Repeating it changes nothing. Returns how many rows were destroyed.

    :param with_recordings: remove the keys of their recordings, too; not needed where these have been destroyed one by
        one. Nothing opens them anyhow, and the sweep removes what is left.
    """
    wanted = {erasure.caller_id: erasure for erasure in erasures}
    with transaction.atomic(using=VAULT):
        rows = list(
            Caller.objects.select_for_update().filter(client_id=client_id, id__in=list(wanted)).order_by("id")
        )
        _remember(client_id, [(row, wanted[row.id]) for row in rows], at)
        if with_recordings:
            RecordingKey.objects.filter(client_id=client_id, caller_id__in=list(wanted)).delete()
        staying = [row.id for row in rows if wanted[row.id].keep_evidence]
        kept = Caller.objects.filter(client_id=client_id, id__in=staying, content_key__isnull=False).update(
            token=None, content_key=None
        )
        gone = [row.id for row in rows if not wanted[row.id].keep_evidence]
        return kept + Caller.objects.filter(client_id=client_id, id__in=gone).delete()[0]


def _remember(client_id: int, erased: Sequence[tuple[Caller, Erasure]], at: datetime) -> None:
    """Leave tombstones of callers, whose rows are held, where an end date says so."""
    tombs = [
        Tombstone(
            client_id=client_id,
            token=bytes(row.token),
            token_generation=row.token_generation,
            erased_caller_id=row.id,
            erased_up_to=erasure.up_to,
            ends_on=erasure.tombstone_ends_on,
            created_at=at,
        )
        for row, erasure in erased
        if row.token is not None and erasure.up_to is not None and erasure.tombstone_ends_on is not None
    ]
    Tombstone.objects.bulk_create(tombs)


def destroy_evidence(*, client_id: int, caller_ids: Collection[uuid.UUID]) -> int:
    """
    Destroy the evidence keys of erased callers whose evidence has come to its own date; returns how many.

    Callers that are still here keep theirs: it goes with them.
    """
    rows = Caller.objects.filter(client_id=client_id, id__in=list(caller_ids), content_key__isnull=True)
    return rows.delete()[0]


def renew_evidence(*, client_id: int, caller_ids: Collection[uuid.UUID]) -> int:
    """
    Give callers who are here a fresh evidence key: what was sealed under the old one opens no more, in no copy.

    For callers under whose key nothing that stays is sealed; hold them meanwhile (`erasing_callers`). Returns how many.
    """
    with transaction.atomic(using=VAULT):
        keys = selectors.client_keys(client_id)
        rows = list(
            Caller.objects.select_for_update()
            .filter(client_id=client_id, id__in=list(caller_ids), content_key__isnull=False)
            .order_by("id")
        )
        for row in rows:
            # Both keys of a caller are wrapped by one generation.
            wrapping = selectors.generation_key(keys, row.generation)
            row.evidence_key = wrapping.seal(new_key(), selectors.evidence_place(client_id, row.id))
        Caller.objects.bulk_update(rows, ["evidence_key"], batch_size=500)
    return len(rows)
