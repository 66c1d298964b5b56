"""What leaves by a date of its own, which no policy moves: counted as previews and the calendar count the rest."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from callprivacy.lib import calendars
from callprivacy.tenancy.models import Agency
from retention import kinds
from retention.kinds import OwnDate
from retention.selectors.calendar import DAYS


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of row. :ivar due: how many are past their date now, and :ivar soon: by the calendar's last day."""

    kind: OwnDate
    due: int
    soon: int


def rows(agency: Agency, at: datetime) -> list[Row]:
    """Every kind, by title, counted as far as the scope sees it; two queries a kind at least."""
    today = calendars.day_in(agency.time_zone, at)
    last = today + timedelta(days=DAYS)
    return [Row(one, one.count(agency.pk, today), one.count(agency.pk, last)) for one in kinds.own_dates()]
