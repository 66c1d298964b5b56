"""What governance views share."""

from datetime import date

from callprivacy.accounts.access import StaffRequest
from callprivacy.lib import calendars


def today(request: StaffRequest) -> date:
    return calendars.day_in(request.agency.time_zone, request.at)
