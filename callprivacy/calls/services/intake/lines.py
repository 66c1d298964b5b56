"""Starts before which something of a call is not let in."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from callprivacy.calls.enums import Direction
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.services import erasure
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.selectors import cutoff_of
from callprivacy.vault import selectors as vault_selectors

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Lines:
    """
    Starts before which something of a call is not let in.

    :ivar calls: a call that came in, and :ivar calls_out: one that went out: past its retention period where the client
    is live, or past what has already been erased. :ivar recordings: its recording, and :ivar identities: a person of
    whom nothing newer is known, because they have been erased until then. :ivar attribution: whether landing pages and
    keywords are let in.
    """

    calls: datetime
    calls_out: datetime
    recordings: datetime
    identities: datetime
    attribution: bool = False

    def refuse(self, facts: CallFacts) -> bool:
        """Whether a call stays out. One whose direction nobody says stays out where either kind would."""
        if facts.direction is None:
            return facts.started_at < max(self.calls, self.calls_out)
        is_out = facts.direction is Direction.OUTBOUND
        return facts.started_at < (self.calls_out if is_out else self.calls)

    def keep_out(self, facts: CallFacts) -> CallFacts:
        """The same call without a recording whose time is over, and without what the client does not keep."""
        if not self.attribution and (facts.landing_page or facts.keyword):
            facts = replace(facts, landing_page="", keyword="")
        if facts.recording_reference is None or facts.started_at >= self.recordings:
            return facts
        return replace(facts, recording_reference=None, recording_seconds=None)


def lines_of(client: Client, *, at: datetime) -> Lines:
    """Where a client's lines stand; `agency` must have been read along."""
    stand = vault_selectors.watermarks(client.pk)
    calls, calls_out = stand.get(erasure.WATERMARK, EPOCH), stand.get(erasure.WATERMARK_OUT, EPOCH)
    # In dry run a policy deletes nothing, so it drops nothing here.
    if client.retention_state == RetentionState.LIVE:
        calls, calls_out = max(cutoff_of(client, at), calls), max(cutoff_of(client, at, out=True), calls_out)
    return Lines(
        calls=calls,
        calls_out=calls_out,
        recordings=stand.get(erasure.RECORDING, EPOCH),
        identities=stand.get(erasure.IDENTITY, EPOCH),
        attribution=client.keeps_attribution,
    )
