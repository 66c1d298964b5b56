"""
Recordings and words of calls that only the call tracker has, fetched for a package: a person is owed what others keep
for the company.

A recording comes from where the tracker has said that it is, by the same guarded way as those that are stored here
(`consent.channels.recordings`): Twilio's with the account's token, every other as far as its address opens by itself.
It is in memory, goes into the package and is stored nowhere else.

For words CallRail alone is asked, by its interface and with the key that an officer gave (`retention.services.truth`);
a call is found by its name in the address of its recording. The words are in memory, redacted as all words are, and go
into the package; nothing of them is stored here. What does not answer is left out and said.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Final

from callprivacy.calls.models import Recording
from callprivacy.lib import redact
from callprivacy.lib.logs import logger
from callprivacy.lib.redact import Redacted
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from consent.channels import callrail
from consent.channels import recordings as wire
from consent.selectors.vendors import call_in
from consent.services import store
from retention.services import truth

log = logger(__name__)

AT_MOST: Final = 200
"""Questions for one client in one package: CallRail answers 1,000 an hour."""
LARGEST: Final = 64 * 1024 * 1024
SECONDS: Final = 60.0


def sound_at_vendor(*, client: Client, recording: Recording, at: datetime) -> bytes | None:
    """
    A recording that is not stored here, as its tracker gives it out; None where it does not.

    Called outside any scope; it never raises for a vendor.
    """
    with job_scope(agency_id=client.agency_id):
        row = Recording.objects.for_client(client).filter(pk=recording.pk).select_related("call").first()
        source = store.source_of(row, at) if row is not None else None
    if source is None:
        return None
    taken = bytearray()
    try:
        wire.fetch(source, taken.extend, at_most=LARGEST, seconds=SECONDS)
    except wire.FetchError as error:
        log.warning("sound.not_fetched", client=client.pk, why=error.why)
        return None
    return bytes(taken)


def words_at_vendor(
    *, client: Client, call_ids: Collection[uuid.UUID], at: datetime
) -> dict[uuid.UUID, Redacted]:
    """
    What the tracker says was said on these calls, redacted. Called outside any scope; it never raises for a vendor.

    Calls of which it has no words, and all of a client without a key, are left out.
    """
    with job_scope(agency_id=client.agency_id):
        doors = truth.callrail_access(client, at=at)
        names = _names(client, call_ids) if doors else {}
    found: dict[uuid.UUID, Redacted] = {}
    for call_id, name in list(names.items())[:AT_MOST]:
        for door in doors:
            try:
                words = callrail.read_words(door, name)
            except callrail.CallRailError as error:
                log.warning("words.not_fetched", client=client.pk, why=str(error))
                continue
            if words is not None:
                found[call_id] = redact.redact(words.text)
                break
    return found


def _names(client: Client, call_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """By what CallRail knows each call that it recorded."""
    rows = list(
        Recording.objects.for_client(client).filter(
            call_id__in=list(call_ids), provider=callrail.NAME, reference__isnull=False
        )
    )
    keys = vault.recording_keys(client.pk, [row.pk for row in rows]) if rows else {}
    names = {
        row.call_id: call_in(row.reference.reveal(keys[row.pk]))
        for row in rows
        if row.pk in keys and row.reference is not None
    }
    return {call_id: name for call_id, name in names.items() if name}
