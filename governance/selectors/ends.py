"""Which rows of the programme have come to their date: counted by previews of retention, and taken by jobs, alike."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from callprivacy.tenancy.models import ScopedQuerySet
from governance.models import Attempt, Completion, Entry

ENTRIES_FOR: Final = timedelta(days=90)
TRAINING_FOR: Final = timedelta(days=1096)
"""How long tries stay after they began, and proofs of a course after their validity ended: three years."""


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time.min, tzinfo=UTC)


def old_tries(agency_id: int, before: date) -> ScopedQuerySet[Attempt]:
    """Tries at courses that began before a day."""
    return Attempt.objects.filter(agency_id=agency_id, started_at__lt=_midnight(before))


def old_proofs(agency_id: int, before: date) -> ScopedQuerySet[Completion]:
    """Proofs of courses whose validity ended before a day."""
    return Completion.objects.filter(agency_id=agency_id, valid_until__lt=before)


def count_training(agency_id: int, on: date) -> int:
    """How many tries and proofs leave by a day."""
    before = on - TRAINING_FOR
    return old_tries(agency_id, before).count() + old_proofs(agency_id, before).count()


def count_entries(agency_id: int, on: date) -> int:
    """How many entries of premises leave by a day."""
    return Entry.objects.filter(agency_id=agency_id, entered_at__lt=_midnight(on - ENTRIES_FOR)).count()
