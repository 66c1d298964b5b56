"""What keeps the erased from coming back: tombstones and watermarks; and the pulse, by which a restore is seen."""

from collections.abc import Collection
from datetime import date, datetime

from django.db import connections, transaction

from callprivacy.vault import selectors
from callprivacy.vault.models import CallTombstone, Tombstone
from callprivacy.vault.services.keys import VAULT


def entomb_calls(
    *,
    client_id: int,
    digests: Collection[bytes],
    ends_on: date,
    at: datetime,
    are_starts: bool = False,
) -> None:
    """
    Remember the references of calls erased on request, so that no replay brings them back. One statement.

    :param are_starts: these are no references, but what stands for calls' numbers and starts.
    """
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "INSERT INTO vault_calltombstone (client_id, digest, is_start, ends_on, created_at)"
            " SELECT %s, digest, %s, %s, %s FROM unnest(%s::bytea[]) AS gone (digest) ON CONFLICT DO NOTHING",
            [client_id, are_starts, ends_on, at, selectors.byte_array(sorted(digests))],
        )


def expire_tombstones(*, client_id: int, on: date) -> int:
    """Remove a client's tombstones whose end date has come; returns how many."""
    ended = [
        model._default_manager.filter(client_id=client_id, ends_on__lte=on).delete()[0]
        for model in (Tombstone, CallTombstone)
    ]
    return sum(ended)


def advance_watermark(*, client_id: int, category: str, before: datetime) -> datetime:
    """Move a client's watermark forward to `before`, never back, and return where it stands."""
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "INSERT INTO vault_watermark (client_id, category, before) VALUES (%s, %s, %s)"
            " ON CONFLICT (client_id, category) DO UPDATE"
            " SET before = GREATEST(vault_watermark.before, EXCLUDED.before) RETURNING before",
            [client_id, category, before],
        )
        stands: datetime = cursor.fetchone()[0]
    return stands


def note_pulse(count: int) -> None:
    """Note that `default` has committed this count; never a smaller one than before. Commits by itself."""
    with transaction.atomic(using=VAULT, durable=True), connections[VAULT].cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = on")
        cursor.execute(
            "INSERT INTO vault_pulse (id, count) VALUES (1, %s)"
            " ON CONFLICT (id) DO UPDATE SET count = greatest(vault_pulse.count, excluded.count)",
            [count],
        )
