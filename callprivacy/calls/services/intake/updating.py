"""Calls that are known are brought up to date: what is filled in, what changes, and what is decided anew."""

# ruff: noqa: S608  names put into SQL are constants of this package

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from django.db import connection

from callprivacy.calls.models import Recording
from callprivacy.calls.providers.base import Stage
from callprivacy.calls.services import kept as rows
from callprivacy.calls.services.intake.batch import Batch, uuids
from callprivacy.calls.services.intake.items import Item, Taken
from callprivacy.calls.services.intake.lines import EPOCH, MILLISECOND
from callprivacy.calls.services.intake.loading import NULL, Escaped, array, fill, or_null
from callprivacy.calls.services.kept import Kept, Way
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault.sealing import Place

_HANGING: Final = ("callref", "recording", "reveal")
# What of a call decides whether it may be heard.
_DECIDED_BY: Final = (
    "caller_id", "tracking_number_id", "direction", "seconds", "outcome", "country", "region",
)  # fmt: skip


def bring_up_to_date(
    batch: Batch, items: Sequence[Item], known: Mapping[int, uuid.UUID]
) -> dict[int, uuid.UUID]:
    """Bring known calls up to date; returns index -> the id that the call has now."""
    if not items:
        return {}
    columns = ", ".join(f"c.{name}" for name in rows.COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.on_hold, {columns}, r.id, r.seconds"
            " FROM calls_call c LEFT JOIN calls_recording r ON r.call_id = c.id"
            " WHERE c.client_id = %s AND c.id = ANY(%s::uuid[]) FOR UPDATE OF c",
            [batch.client.pk, uuids(set(known.values()))],
        )
        found = [(on_hold, Kept(*row)) for on_hold, *row in cursor.fetchall()]
        stored = {row.id: row for _, row in found}
        held = {row.id for on_hold, row in found if on_hold}
    ids: dict[int, uuid.UUID] = {}
    changed: dict[uuid.UUID, Kept] = {}
    moves: dict[uuid.UUID, uuid.UUID] = {}
    undecided: set[uuid.UUID] = set()
    for item in items:
        identity = known[item.index]
        before = stored.get(identity)
        if before is None:
            batch.verdicts[item.index] = Taken.ERASED
            continue
        item.is_outdated = rows.is_outdated(before, item.facts)
        after, overruled = rows.updated(
            before,
            item.facts,
            way=batch.way,
            caller_id=item.caller_id,
            tracking_number_id=item.tracking_id,
        )
        after, recorded = _update_recording(batch, before, after, item)
        moved = _earlier_id(batch, moves.get(identity, identity), item)
        if identity in held:
            # A hold knows a call by its id, its time and its caller: no news takes it out of the hold.
            after, moved = _of_the_same(before, after), None
        if moved is not None:
            moves[identity] = moved
        if after != before:
            changed[identity] = stored[identity] = after
        if moved is not None or any(getattr(after, name) != getattr(before, name) for name in _DECIDED_BY):
            undecided.add(identity)
        filled = any(getattr(after, name) != getattr(before, name) for name in rows.COLUMNS[1:-1])
        if overruled or moved is not None or recorded is Taken.CHANGED:
            batch.verdicts[item.index] = Taken.CHANGED
        else:
            batch.verdicts[item.index] = Taken.FILLED if filled else recorded
        ids[item.index] = identity
    _write_changes(batch, list(changed.values()))
    for old, new in moves.items():
        _move_call(batch, old, new)
    _have_decided_anew(batch, {moves.get(identity, identity) for identity in undecided})
    return {index: moves.get(identity, identity) for index, identity in ids.items()}


def _have_decided_anew(batch: Batch, call_ids: set[uuid.UUID]) -> None:
    """What is known of these calls has changed, and with it perhaps whether they may be heard."""
    if not call_ids:
        return
    with connection.cursor() as cursor:
        for table in ("calls_recording", "calls_transcript"):
            cursor.execute(
                f"UPDATE {table} SET decided_at = NULL WHERE client_id = %s AND call_id = ANY(%s::uuid[])"
                " AND decided_at IS NOT NULL AND state <> 'gone'",
                [batch.client.pk, uuids(call_ids)],
            )


def _earlier_id(batch: Batch, identity: uuid.UUID, item: Item) -> uuid.UUID | None:
    """The id of a call whose tracker now says that it started earlier; its random part stays."""
    speaks = batch.way is Way.HOOK or item.facts.ranked
    if not speaks or item.facts.stage in {Stage.ADDENDUM, Stage.MODIFIED}:
        return None
    ms = (item.facts.started_at - EPOCH) // MILLISECOND
    if ms >= identity.int >> 80:
        return None
    return uuid.UUID(int=ms << 80 | identity.int & ((1 << 80) - 1))


def _move_call(batch: Batch, old: uuid.UUID, new: uuid.UUID) -> None:
    """Give a call another id, and what hangs on it: in one statement, at whose end the keys between them hold."""
    moved = [
        f"{table} AS (UPDATE calls_{table} SET call_id = %s WHERE client_id = %s AND call_id = %s)"
        for table in _HANGING
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {', '.join(moved)} UPDATE calls_call SET id = %s WHERE client_id = %s AND id = %s",
            [new, batch.client.pk, old] * (len(moved) + 1),
        )


def _update_recording(batch: Batch, before: Kept, after: Kept, item: Item) -> tuple[Kept, Taken]:
    """Add a recording that there was none of; where there is one, a tracker may change where it is."""
    if before.recording_id is None:
        if item.recording is None or not item.new_recording:
            return replace(after, recording_seconds=None), Taken.KNOWN
        Recording.objects.create(
            pk=item.recording_id,
            agency_id=batch.client.agency_id,
            client_id=batch.client.pk,
            call_id=before.id,
            reference=item.recording,
            provider=batch.provider,
            seconds=after.recording_seconds,
            came_late=batch.way is Way.IMPORT,
        )
        batch.used.add(item.recording_id)
        return replace(after, recording_id=item.recording_id), Taken.FILLED
    changes: dict[str, Any] = {}
    if before.recording_seconds != after.recording_seconds:
        changes["seconds"] = after.recording_seconds
    may_move = batch.way is Way.HOOK or (item.facts.ranked and not item.is_outdated)
    if may_move and item.recording is not None:
        old = Recording.objects.get(pk=before.recording_id)
        # No key: an erasing run is between the key and the row, which it removes in a moment.
        key = vault_selectors.recording_keys(batch.client.pk, [old.pk]).get(old.pk)
        address = item.facts.recording_reference or ""
        if key is not None and old.reference.reveal(key) != address:
            # The item's own may be sealed under a key of its own, from before another row of its batch came in.
            changes["reference"] = key.seal(
                address.encode(), Place(batch.client.pk, "calls_recording", "reference", old.pk)
            )
    if not changes:
        return after, Taken.KNOWN
    Recording.objects.filter(pk=before.recording_id).update(**changes)
    is_change = "reference" in changes or before.recording_seconds is not None
    return after, Taken.CHANGED if is_change else Taken.FILLED


def _write_changes(batch: Batch, changed: Sequence[Kept]) -> None:
    if not changed:
        return
    text = Escaped()
    lines = [
        f"0\t{row.id.hex}\t{row.caller_id.hex if row.caller_id else NULL}\t{row.caller_withheld}"
        f"\t{row.tracking_number_id.hex if row.tracking_number_id else NULL}\t{row.direction}\t{row.outcome}"
        f"\t{or_null(row.seconds)}\t{text[row.source]}\t{text[row.campaign]}\t{text[row.medium]}"
        f"\t{text[row.landing_page]}\t{text[row.keyword]}"
        f"\t{row.country}\t{row.region}\t{or_null(row.first_call)}\t{or_null(row.qualified)}"
        f"\t{or_null(row.value_cents)}\t{array(row.tags)}\t{row.sequence}\t{NULL}\t{NULL}\t{NULL}\n"
        for row in changed
    ]
    with connection.cursor() as cursor:
        fill(cursor, "intake_call", lines)
        names = rows.COLUMNS[1:]
        cursor.execute(
            f"UPDATE calls_call AS c SET {', '.join(f'{name} = t.{name}' for name in names)}"
            " FROM intake_call AS t WHERE c.client_id = %s AND c.id = t.id",
            [batch.client.pk],
        )


def _of_the_same(before: Kept, after: Kept) -> Kept:
    """The row after some news, of whom it was of before; where that was nobody, news may say who."""
    if before.caller_id is None:
        return after
    return replace(after, caller_id=before.caller_id, caller_withheld=before.caller_withheld)
