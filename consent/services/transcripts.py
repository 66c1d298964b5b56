"""
Transcripts as consent looks after them: whether the tracker redacts its own copy, which is what stays with it.

They come in redacted and sealed by `calls`; whether one may be read is decided with the recording and again when
somebody asks (`playing.open_transcript`).
"""

from datetime import datetime, timedelta
from typing import Final

from callprivacy.calls.enums import TranscriptState
from callprivacy.calls.models import Transcript
from callprivacy.tenancy.models import Client
from callprivacy.work import services as work
from consent import kinds
from consent.services.quarantine import JOB

LOOKS_BACK: Final = timedelta(days=7)


def not_redacted(client: Client, *, at: datetime) -> int:
    """How many transcripts of the last seven days the tracker had not redacted."""
    rows = Transcript.objects.for_client(client).filter(call__client_id=client.pk, vendor_redacted=False)
    return rows.exclude(state=TranscriptState.GONE).filter(received_at__gt=at - LOOKS_BACK).count()


def renew_item(*, client: Client, at: datetime) -> None:
    """Let a tracker that does not redact wait for somebody, or close the item where it does by now."""
    work.renew_item(
        kinds.VENDOR_NOT_REDACTING,
        agency_id=client.agency_id,
        client_id=client.pk,
        count=not_redacted(client, at=at),
        by=JOB,
        at=at,
    )
