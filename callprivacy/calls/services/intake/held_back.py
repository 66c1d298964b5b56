"""Sources and mediums of a batch that are neither common nor confirmed: its calls get a placeholder (`values`)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from callprivacy.calls.services import values
from callprivacy.calls.services.intake.batch import Batch
from callprivacy.tenancy.scope import job_scope

# A provider module knows no client, and looks for numbers as they are written under country code 1.
_READ_BY_PROVIDERS: Final = frozenset({"US", "CA"})


def hold_back(batch: Batch) -> None:
    """Put what is known in place of each value that is no common one. Called outside any scope."""
    region = batch.client.home_country
    if region not in _READ_BY_PROVIDERS:
        for item in batch.items:
            item.facts = values.without_numbers(item.facts, region)
    came = {
        (field, value)
        for field in values.FIELDS
        for value in {getattr(item.facts, field) for item in batch.items}
        if not values.is_common(value)
    }
    if not came:
        return
    with job_scope(agency_id=batch.client.agency_id):
        found = values.find_or_note(client=batch.client, said=came, tokens=batch.keys.tokens, at=batch.at)
    batch.placeholders = {row.placeholder: row.pk for row in found.values() if row and not row.stored_as}
    _replace(batch, {said: row.kept_as if row else values.OTHER for said, row in found.items()})


def look_again(batch: Batch) -> None:
    """In the client's turn: what a person has decided on since; the job that fills calls came before this batch."""
    if not batch.placeholders:
        return
    decided = values.decided(client=batch.client, value_ids=batch.placeholders.values())
    if decided:
        _replace(batch, {(field, old): new for field in values.FIELDS for old, new in decided.items()})
        batch.loaded = []


def _replace(batch: Batch, kept: Mapping[values.Said, str]) -> None:
    for item in batch.items:
        changes = {
            field: new
            for field in values.FIELDS
            if (new := kept.get((field, old := getattr(item.facts, field)), old)) != old
        }
        if changes:
            item.facts = replace(item.facts, **changes)
