"""Keys of recordings, and those of a purpose or a day, which lie beside them."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from django.db import transaction

from callprivacy.lib import statements
from callprivacy.vault import selectors
from callprivacy.vault.models import RecordingKey
from callprivacy.vault.sealing import Key, TokenKey, new_key
from callprivacy.vault.services.keys import VAULT, hold_keys, with_keys


def create_recording_keys(
    *,
    client_id: int,
    recordings: Sequence[tuple[uuid.UUID, uuid.UUID | None]],
    callers: Mapping[uuid.UUID, Key],
    at: datetime,
) -> dict[uuid.UUID, Key]:
    """
    Make a key for each (recording id, caller id or None) and return them; an existing one is kept.

    :param callers: the held callers' content keys, from `hold_callers`.
    """
    return with_keys(client_id, lambda keys: _create_recording_keys(keys, recordings, callers, at))


def _create_recording_keys(
    keys: selectors.ClientKeys,
    recordings: Sequence[tuple[uuid.UUID, uuid.UUID | None]],
    callers: Mapping[uuid.UUID, Key],
    at: datetime,
) -> dict[uuid.UUID, Key]:
    fresh: dict[uuid.UUID, bytes] = {}
    rows = []
    for recording_id, caller_id in recordings:
        raw = new_key()
        wrapping = keys.current if caller_id is None else callers[caller_id]
        fresh[recording_id] = raw
        rows.append(
            RecordingKey(
                id=recording_id,
                client_id=keys.client_id,
                caller_id=caller_id,
                generation=keys.generation,
                wrapped=wrapping.seal(raw, selectors.recording_place(keys.client_id, recording_id)),
                created_at=at,
            )
        )
    rows.sort(key=lambda row: row.id)
    with transaction.atomic(using=VAULT):
        hold_keys(keys)
        RecordingKey.objects.bulk_create(rows, ignore_conflicts=True)
    stored = dict(
        RecordingKey.objects.filter(client_id=keys.client_id, id__in=list(fresh)).values_list("id", "wrapped")
    )
    made = {row.id: bytes(row.wrapped) for row in rows}
    if any(bytes(stored[key]) != made[key] for key in stored):
        return selectors.recording_keys(keys.client_id, list(fresh), callers=callers)
    return {recording_id: Key(raw) for recording_id, raw in fresh.items()}


def purpose_key(
    *, client_id: int, purpose: str, at: datetime, keys: selectors.ClientKeys | None = None
) -> Key:
    """
    Return a client's one key for a purpose ("inbox", "errand", "file"), made when first needed.

    The client's key wraps it, so that a rotation re-wraps it and nothing sealed under it is rewritten.

    :param keys: the client's keys, where they are open already.
    """
    key_id = selectors.purpose_id(client_id, purpose)
    found = selectors.uncalled_key(keys or selectors.client_keys(client_id), key_id)
    if found is not None:
        return found
    return create_recording_keys(client_id=client_id, recordings=[(key_id, None)], callers={}, at=at)[key_id]


def purpose_token_key(*, client_id: int, purpose: str, at: datetime) -> TokenKey:
    """
    Return a client's one key of a purpose that makes tokens and seals nothing ("recipient/..."), made when first
    needed.
    """
    found = selectors.token_key_of_purpose(client_id, purpose)
    if found is None:
        purpose_key(client_id=client_id, purpose=purpose, at=at)
        found = selectors.token_key_of_purpose(client_id, purpose)
    if found is None:
        raise LookupError("The key was destroyed as soon as it was made.")
    return found


def day_key(*, client_id: int, purpose: str, at: datetime, keys: selectors.ClientKeys | None = None) -> Key:
    """
    Return a client's key of a purpose for the UTC day of `at`, made when first needed.

    For what lives a few days: with the day's key every copy of it goes, also those in old backups.
    """
    return purpose_key(
        client_id=client_id, purpose=selectors.of_day(purpose, at.astimezone(UTC).date()), at=at, keys=keys
    )


def destroy_purpose_key(*, client_id: int, purpose: str) -> bool:
    key_id = selectors.purpose_id(client_id, purpose)
    return bool(RecordingKey.objects.filter(client_id=client_id, id=key_id, caller_id=None).delete()[0])


def destroy_recording_keys(*, client_id: int, recording_ids: Collection[uuid.UUID]) -> int:
    """Destroy recordings' keys; what they sealed is noise from now on, in every copy. Returns how many."""
    if not recording_ids:
        return 0
    with statements.cursor(VAULT) as cursor:
        cursor.execute(
            "DELETE FROM vault_recordingkey WHERE client_id = %s AND id = ANY(%s::uuid[])",
            [client_id, list(recording_ids)],
        )
        return int(cursor.rowcount)
