"""Before the client's turn: what stays out, the keys that the vault makes, and what is sealed under them."""

import operator
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.services.intake.batch import (
    Batch,
    caller_line,
    find_erased_starts,
    find_known,
    find_pairs,
    leave_out_erased,
    leave_out_people,
)
from callprivacy.calls.services.intake.items import FACTS, TRACK, Item, Taken, facts_digest, untracked_call
from callprivacy.calls.services.intake.lines import lines_of
from callprivacy.calls.services.kept import Way
from callprivacy.lib import ids as new_ids
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place, TokenKey
from callprivacy.vault.selectors import ClientKeys

_start_of: Final = operator.attrgetter("facts.started_at")


def sort_out(batch: Batch, facts: Sequence[CallFacts]) -> None:
    """
    Refuse what is too old or of erased people, and find the references of the rest.

    Facts that share a reference are of one call: each waits for the wave after the one before it.
    """
    client_id = batch.client.pk
    with job_scope(agency_id=batch.client.agency_id):
        batch.client = Client.objects.select_related("agency").get(pk=client_id)
        batch.lines = lines = lines_of(batch.client, at=batch.at)
    numbers = {fact.caller for fact in facts if fact.caller is not None}
    erased = vault_selectors.erased_up_to(client_id, numbers) if numbers else {}
    keys = batch.keys
    tokens = keys.tokens
    untracked = _untracked(keys, numbers, batch.at)
    waves: dict[bytes, int] = {}
    for index, told in enumerate(facts):
        if lines.refuse(told):
            continue
        fact = lines.keep_out(told)
        if erased and fact.caller in erased and fact.started_at <= erased[fact.caller]:
            batch.verdicts[index] = Taken.ERASED
            continue
        references = _references_of(batch, tokens, fact)
        if fact.caller in untracked and fact.started_at >= untracked[fact.caller]:
            fact = untracked_call(fact)
        wave = 0
        for _, digest in references:
            if digest in waves:
                wave = max(wave, waves[digest] + 1)
        for _, digest in references:
            waves[digest] = wave
        batch.items.append(Item(index, fact, references, wave))
    # An id begins with its call's start: a page of an index is looked for once for all rows of the batch that go there.
    batch.items.sort(key=_start_of)
    _leave_out_erased(batch)
    _leave_out_forgotten(batch)
    # No caller is made for a call from which the person was taken out; `_write_wave` looks again.
    leave_out_people(batch, batch.items)


def _untracked(keys: ClientKeys, numbers: Collection[str], at: datetime) -> dict[str, datetime]:
    """Number -> since when its calls are not to be tracked."""
    if not numbers:
        return {}
    found = vault_selectors.suppressed(keys.client_id, numbers, on=at.date(), keys=keys)
    return {number: said[TRACK] for number, said in found.items() if TRACK in said}


def _leave_out_erased(batch: Batch) -> None:
    """Leave out what comes again under another name, before a caller is made for it; `_write_wave` looks again."""
    suspects = find_erased_starts(batch, batch.items)
    if not suspects:
        return
    with job_scope(agency_id=batch.client.agency_id):
        known = find_known(batch, suspects)
    gone = {item.index: item for item in suspects if item.index not in known}
    leave_out_erased(batch, gone.values())
    batch.items = [item for item in batch.items if item.index not in gone]


def _leave_out_forgotten(batch: Batch) -> None:
    """
    Leave the person out of calls from before people were erased, unless something newer is known of that number,
    also by what comes with it.
    """
    old = [item for item in batch.items if item.facts.started_at < batch.lines.identities]
    numbers = {item.facts.caller for item in old if item.facts.caller is not None}
    if not numbers:
        return
    numbers -= {item.facts.caller for item in batch.items if item.facts.started_at >= batch.lines.identities}
    keys = vault_selectors.client_keys(batch.client.pk)
    known = vault_selectors.known_numbers(keys, numbers, on=batch.at.date()) if numbers else {}
    here = {number for number, found in known.items() if found.caller_id is not None}
    for item in old:
        if item.facts.caller in numbers - here:
            item.leave_out_person()


def _references_of(batch: Batch, tokens: TokenKey, fact: CallFacts) -> tuple[tuple[str, bytes], ...]:
    if fact.references:
        return tuple((kind, tokens.digest(batch.provider, kind, value)) for kind, value in fact.references)
    return ((FACTS, facts_digest(tokens, batch.provider, fact)),)


def seal_batch(batch: Batch, *, look_first: bool) -> None:
    """Have the vault make the keys, and seal numbers and references under them."""
    wanted, existing = _recordings_wanted(batch, look_first=look_first)
    numbers = {item.facts.caller for item in batch.items if item.facts.caller is not None}
    batch.issued = issued = vault.issue_keys(
        client_id=batch.client.pk,
        numbers=numbers,
        recordings=[(item.recording_id, item.facts.caller) for item in wanted],
        at=batch.at,
        keys=batch.keys,
    )
    batch.unused = [item.recording_id for item in wanted]
    for number, caller_id in issued.callers.items():
        batch.callers[caller_id] = number
        if number in issued.fresh:
            batch.caller_lines[caller_id] = caller_line(batch, caller_id, number)
    for item in batch.items:
        if item.facts.caller is not None:
            item.caller_id = issued.callers[item.facts.caller]
    for item, key in zip(wanted, issued.recordings, strict=True):
        _seal_reference(batch, item, key)
    if existing:
        keys = vault_selectors.recording_keys(batch.client.pk, {item.recording_id for item in existing})
        for item in existing:
            if item.recording_id in keys:
                _seal_reference(batch, item, keys[item.recording_id])


def _seal_reference(batch: Batch, item: Item, key: Key) -> None:
    place = Place(batch.client.pk, "calls_recording", "reference", item.recording_id)
    item.recording = key.seal((item.facts.recording_reference or "").encode(), place)


def _recordings_wanted(batch: Batch, *, look_first: bool) -> tuple[list[Item], list[Item]]:
    with_recording = [item for item in batch.items if item.facts.recording_reference is not None]
    known: dict[int, uuid.UUID] = {}
    recorded: dict[uuid.UUID, uuid.UUID] = {}
    if with_recording and look_first:
        with job_scope(agency_id=batch.client.agency_id):
            known = find_known(batch, with_recording)
            recorded = find_pairs(
                batch,
                "SELECT call_id, id FROM calls_recording WHERE client_id = %s AND call_id = ANY(%s::uuid[])",
                set(known.values()),
            )
    wanted, existing = [], []
    for item in with_recording:
        here = recorded.get(known[item.index]) if item.index in known else None
        if here is None:
            wanted.append(item)
        elif batch.way is Way.HOOK or item.facts.ranked:
            item.recording_id = here
            item.new_recording = False
            existing.append(item)
    for item, recording_id in zip(wanted, new_ids.made_at(batch.at, len(wanted)), strict=True):
        item.recording_id = recording_id
    return wanted, existing
