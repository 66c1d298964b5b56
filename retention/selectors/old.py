"""How long what runs and alerts leave behind is kept, and how much of it goes."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from retention.models import Alert

EMPTY_FOR: Final = timedelta(days=35)
"""How long the part of a run stays that had nothing to do."""
ALERTS_FOR: Final = timedelta(days=400)
"""How long an alert stays that is over: a year, and the month in which one looks back at it."""


def count_alerts(agency_id: int, on: date) -> int:
    """How many alerts that are over leave by a day, as far as the scope sees them."""
    before = datetime.combine(on + timedelta(days=1), time.min, tzinfo=UTC) - ALERTS_FOR
    return Alert.objects.filter(agency_id=agency_id, ended_at__lt=before, due_at=None).count()
