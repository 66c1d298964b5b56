"""What pages of the programme share."""

from datetime import date

from callprivacy.accounts.access import StaffRequest
from callprivacy.lib import calendars


def today(request: StaffRequest) -> date:
    """The day in the agency's zone."""
    return calendars.day_in(request.agency.time_zone, request.at)
