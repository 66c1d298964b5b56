"""The time zones there are, by their names."""

from functools import cache
from zoneinfo import available_timezones  # noqa: TID251  (asked here, once)


@cache
def known() -> frozenset[str]:
    """The names of all, as "Europe/Berlin": found out once, since six hundred files are opened for it."""
    return frozenset(available_timezones())
