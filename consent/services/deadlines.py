"""Until when the law, and we ourselves, have a withdrawal carried out: working days of the place, by its calendar."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from callprivacy.lib import calendars
from consent.enums import Purpose
from consent.law import Days, Rules, Topic

TARGET: Final = timedelta(hours=24)
"""What we ask of ourselves at every vendor, whatever the law leaves."""

# The topic that says how long the law leaves, for what a person withdraws; for everything else consent as such.
_TOPICS: Final = {Purpose.CONTACT: Topic.OPT_OUT_DAYS, Purpose.SHARE: Topic.SALE_OPT_OUT_DAYS}


@dataclass(frozen=True, slots=True)
class Limit:
    """
    When something has to be done at the latest.

    :ivar law: what says so, as its citation; "" where it is our own target. :ivar rule: the rule's id, or "".
    """

    at: datetime
    law: str
    rule: str


def limit(
    rules: Rules, *, purpose: Purpose, places: Iterable[tuple[str, str]], zone: str, at: datetime
) -> Limit:
    """
    The outer limit of a withdrawal: the earliest that any of the places' laws sets, and never before our own target.

    Where a law says at once, or no law of the places names a time, our own target is the limit.

    :param places: (country, region) of the caller, as far as they are known; none counts as unknown.
    :param zone: the client's, whose days are counted.
    """
    own = at + TARGET
    topic = _TOPICS.get(purpose, Topic.WITHDRAWAL_DAYS)
    found: list[Limit] = []
    for country, region in list(places) or [("", "")]:
        rule = rules.find(country, region, topic, at.date())
        if rule is None:
            continue
        end = after(topic.read(rule.value), at=at, zone=zone, country=country)
        found.append(Limit(max(end, own), rule.citation, rule.id))
    return min(found, key=lambda one: (one.at, one.rule)) if found else Limit(own, "", "")


def after(days: Days, *, at: datetime, zone: str, country: str = "") -> datetime:
    """
    The end of the last of so many days after the day of `at`, local midnight as an instant in UTC.

    Working days leave out Saturdays, Sundays and the country's public holidays (the United States' where it is not
    known). Those of a state alone do not count: federal law leaves out federal holidays, and fewer holidays are sooner.
    """
    here = ZoneInfo(zone)
    day = at.astimezone(here).date()
    if days.business:
        where = country if calendars.is_known(country) else "US"
        day = calendars.add_working_days(day, days.count, country=where)
    else:
        day += timedelta(days=days.count)
    return calendars.end_of(day, here)
