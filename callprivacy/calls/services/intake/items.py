"""One fact on its way, what it is called by, and what becomes of it."""

import uuid
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from callprivacy.calls.models import call_id
from callprivacy.calls.providers.base import CallFacts, anonymous
from callprivacy.calls.services.intake.lines import EPOCH
from callprivacy.vault.sealing import TokenKey

TRACK: Final = "track"
"""The vault's word for a number that is not to be tracked: from then on its calls are nobody's."""
FACTS: Final = "facts"
"""The kind of reference of calls that nobody calls by an id."""
NO_ID: Final = uuid.UUID(int=0)


class Taken(StrEnum):
    """
    What became of one fact.

    DOUBTFUL is kept as a call of its own beside one that may be the same. EARLY is news (a recording) of a call that
    nobody has told us of yet: nothing was kept, bring it again later.
    """

    ADDED = "added"
    KNOWN = "known"
    CHANGED = "changed"
    FILLED = "filled"
    TOO_OLD = "too_old"
    ERASED = "erased"
    DOUBTFUL = "doubtful"
    EARLY = "early"


def facts_digest(tokens: TokenKey, provider: str, facts: CallFacts) -> bytes:
    """What stands in for a reference: start to the second, both numbers, length."""
    return tokens.digest(
        provider,
        FACTS,
        str((facts.started_at - EPOCH) // timedelta(seconds=1)),
        facts.caller or "",
        facts.tracking_number or "",
        "" if facts.seconds is None else str(facts.seconds),
    )


def untracked_call(facts: CallFacts) -> CallFacts:
    """The same call as one of nobody: no number, no recording, and no word of a first call, a lead or its value."""
    return replace(anonymous(facts), first_call=None, qualified=None, value_cents=None)


class Item:
    """One fact on its way: what the vault and the database said of it so far."""

    __slots__ = (
        "caller_id", "facts", "index", "is_outdated", "new_id", "new_recording", "recording", "recording_id",
        "references", "tracking_id", "wave",
    )  # fmt: skip

    def __init__(
        self, index: int, facts: CallFacts, references: tuple[tuple[str, bytes], ...], wave: int
    ) -> None:
        self.index = index
        self.facts = facts
        self.references = references
        self.wave = wave
        self.caller_id: uuid.UUID | None = None
        self.tracking_id: uuid.UUID | None = None
        self.new_id = call_id(facts.started_at)
        self.recording_id = NO_ID
        self.recording: bytes | None = None
        self.new_recording = True
        self.is_outdated = False

    @property
    def digests(self) -> list[bytes]:
        """What the call is called, by every kind of reference."""
        return [digest for _, digest in self.references]

    def leave_out_person(self) -> None:
        """Go on as news of a call from which the person was taken out."""
        self.facts = anonymous(self.facts)
        self.caller_id = None
        self.recording = None

    def leave_person_alone(self) -> None:
        """Go on as news that says nobody's name: who called so long ago is known or stays unknown."""
        self.caller_id = None
        self.facts = replace(self.facts, caller_withheld=False)

    def say_nothing_of_person(self) -> None:
        """Leave it to `redaction` what becomes of the person on a call that is here; it may be held."""
        self.facts = replace(
            self.facts, caller_withheld=False, modified_only=self.facts.modified_only - {"tags"}, tags=()
        )
