"""
By when a request is acknowledged and answered: pure, from the book of `rights.law` and the calendars.

`deadlines_of` counts for one law; `zone_of` reads a zone's name.
"""

from rights.deadlines.engine import (
    Deadlines,
    End,
    NoExtensionError,
    OutOfRangeError,
    UnknownPlaceError,
    UnknownZoneError,
    deadlines_of,
    zone_of,
)
