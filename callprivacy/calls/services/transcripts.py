"""
The words of calls on their way in: redacted first, then sealed under a key of their own, and withheld.

What the tracker sent is in memory only; what is stored has lost its numbers, cards and addresses. Whether it may be
read is `consent`'s to decide, as with the recording. Taking the same words in twice changes nothing.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from callprivacy.calls.enums import TranscriptState
from callprivacy.calls.models import Call, CallRef, Transcript, start_of
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.providers.transcripts import Words
from callprivacy.calls.services import confidential_rules, erasure, turns
from callprivacy.lib import redact
from callprivacy.lib.health_words import speaks_of_health
from callprivacy.lib.redact import Redacted
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place

ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, repr=False)
class _Saying:
    """Redacted words of one call that is here."""

    call_id: uuid.UUID
    caller_id: uuid.UUID | None
    said: Redacted
    vendor_redacted: bool | None
    known: uuid.UUID | None


def take_in(*, client: Client, provider: str, said: Sequence[tuple[CallFacts, Words]], at: datetime) -> int:
    """
    Keep the words of calls that are here; returns how many are new or changed. Called outside any scope.

    Only for a client that takes transcripts in. Words of calls that are not here, were erased or redacted are dropped,
    and so are those of calls from before the client's words have expired.

    :raises CallerGoneError: a caller was erased again and again while we wrote; try later.
    """
    if not client.takes_transcripts or not said:
        return 0
    for attempt in range(ATTEMPTS):
        sayings = _find(client, provider, said)
        if not sayings:
            return 0
        try:
            return _keep(client, provider, sayings, at)
        except vault.CallerGoneError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError  # pragma: no cover


def _find(client: Client, provider: str, said: Sequence[tuple[CallFacts, Words]]) -> list[_Saying]:
    """The calls that these words are of, the words redacted; the last of several words of one call counts."""
    tokens = vault_selectors.client_keys(client.pk).tokens
    named = [
        ([tokens.digest(provider, kind, value) for kind, value in facts.references], words)
        for facts, words in said
    ]
    every = {digest for digests, _ in named for digest in digests}
    gone = vault_selectors.entombed(client.pk, every) if every else set()
    line = vault_selectors.watermark(client.pk, erasure.TRANSCRIPT)
    with job_scope(agency_id=client.agency_id):
        references = CallRef.objects.for_client(client).filter(provider=provider, digest__in=list(every))
        calls = {bytes(digest): call_id for digest, call_id in references.values_list("digest", "call_id")}
        callers = dict(
            Call.objects.for_client(client).filter(pk__in=list(calls.values())).values_list("pk", "caller_id")
        )
        known = {
            row.call_id: row
            for row in Transcript.objects.for_client(client).filter(call_id__in=list(callers)).defer("text")
        }
    found: dict[uuid.UUID, _Saying] = {}
    for digests, words in named:
        call_id = next((calls[digest] for digest in digests if digest in calls), None)
        if call_id is None or call_id not in callers or gone & set(digests):
            continue
        if line is not None and start_of(call_id) < line:
            continue
        row = known.get(call_id)
        if row is not None and row.state == TranscriptState.GONE:
            continue
        clean = redact.redact(words.text)
        vendor = words.redacted if words.redacted is not None else (False if clean.count else None)
        found[call_id] = _Saying(call_id, callers[call_id], clean, vendor, None if row is None else row.pk)
    return list(found.values())


def _keep(client: Client, provider: str, sayings: Collection[_Saying], at: datetime) -> int:
    fresh = {saying.call_id: uuid.uuid4() for saying in sayings if saying.known is None}
    callers = sorted({saying.caller_id for saying in sayings if saying.caller_id is not None})
    with vault.hold_callers(client_id=client.pk, caller_ids=callers) as held:
        keys = vault.create_recording_keys(
            client_id=client.pk,
            recordings=[
                (fresh[saying.call_id], saying.caller_id) for saying in sayings if saying.call_id in fresh
            ],
            callers=held,
            at=at,
        )
        known = [saying.known for saying in sayings if saying.known is not None]
        keys |= vault_selectors.recording_keys(client.pk, known, callers=held)
        with job_scope(agency_id=client.agency_id):
            count = _add(client, provider, sayings, fresh=fresh, keys=keys, at=at)
            count += sum(
                _change(client, saying, keys.get(saying.known)) for saying in sayings if saying.known
            )
            confidential_rules.mark_spoken(
                client=client,
                call_ids=[one.call_id for one in sayings if speaks_of_health(one.said.text)],
                at=at,
            )
            used = set(
                Transcript.objects.for_client(client)
                .filter(pk__in=list(fresh.values()))
                .values_list("pk", flat=True)
            )
    unused = [identity for identity in fresh.values() if identity not in used]
    if unused:
        vault.destroy_recording_keys(client_id=client.pk, recording_ids=unused)
    return count


def _sealed(client: Client, identity: uuid.UUID, saying: _Saying, key: Key) -> bytes:
    return key.seal(saying.said.text.encode(), Place(client.pk, "calls_transcript", "text", identity))


def _add(
    client: Client,
    provider: str,
    sayings: Collection[_Saying],
    *,
    fresh: dict[uuid.UUID, uuid.UUID],
    keys: dict[uuid.UUID, Key],
    at: datetime,
) -> int:
    """
    New rows; a call that left meanwhile, or that another worker was quicker with, gets none.

    In the client's turn, as the line moves in it: what is added before is found due, and what comes later meets it.
    """
    turns.lock_client(client.pk)
    line = vault_selectors.watermark(client.pk, erasure.TRANSCRIPT)
    fresh = {call_id: key for call_id, key in fresh.items() if line is None or start_of(call_id) >= line}
    there = set(
        Call.objects.for_client(client)
        .filter(pk__in=list(fresh))
        .select_for_update(no_key=True)
        .values_list("pk", flat=True)
    )
    rows = [
        Transcript(
            pk=fresh[saying.call_id],
            agency_id=client.agency_id,
            client_id=client.pk,
            call_id=saying.call_id,
            provider=provider,
            text=_sealed(client, fresh[saying.call_id], saying, keys[fresh[saying.call_id]]),
            vendor_redacted=saying.vendor_redacted,
            redactions=saying.said.count,
            received_at=at,
        )
        for saying in sayings
        if saying.call_id in there
    ]
    return len(Transcript.objects.bulk_create(rows, ignore_conflicts=True))


def _change(client: Client, saying: _Saying, key: Key | None) -> int:
    """Newer words in place of older ones; where they are the same nothing is written."""
    if key is None or saying.known is None:
        return 0
    row: Any = (
        Transcript.objects.for_client(client)
        .filter(pk=saying.known)
        .exclude(state=TranscriptState.GONE)
        .select_for_update()
        .first()
    )
    if row is None or row.text is None or row.text.reveal(key) == saying.said.text:
        return 0
    return Transcript.objects.filter(pk=row.pk).update(
        text=_sealed(client, row.pk, saying, key),
        vendor_redacted=saying.vendor_redacted,
        redactions=saying.said.count,
    )
