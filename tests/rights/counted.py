"""
Deadlines once more, written apart from the product: days are walked one by one, holidays are kept by own rules, zones
are read by another library, and what each law wants is written down here in plain numbers.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

from dateutil import tz

EASTER = {
    2023: date(2023, 4, 9),
    2024: date(2024, 3, 31),
    2025: date(2025, 4, 20),
    2026: date(2026, 4, 5),
    2027: date(2027, 3, 28),
    2028: date(2028, 4, 16),
    2029: date(2029, 4, 1),
}
DAY = timedelta(days=1)

DAYS = {
    "ccpa": 45,
    "virginia": 45,
    "colorado": 45,
    "connecticut": 45,
    "utah": 45,
    "texas": 45,
    "oregon": 45,
    "florida": 45,
    "montana": 45,
    "delaware": 45,
    "nebraska": 45,
    "new_hampshire": 45,
    "iowa": 90,
    "new_jersey": 45,
    "tennessee": 45,
    "minnesota": 45,
    "maryland": 45,
    "indiana": 45,
    "kentucky": 45,
    "rhode_island": 45,
    "oklahoma": 45,
    "louisiana": 45,
    "alabama": 45,
    "vermont": 45,
}
MORE_DAYS = dict.fromkeys(DAYS, 45) | {"florida": 15}
APPEALS = dict.fromkeys(DAYS, 60) | {"colorado": 45, "oregon": 45, "new_jersey": 45, "minnesota": 45}
REVOCATIONS = {
    "connecticut": 15,
    "oregon": 15,
    "montana": 45,
    "delaware": 15,
    "new_hampshire": 15,
    "new_jersey": 15,
    "minnesota": 15,
    "maryland": 30,
    "rhode_island": 15,
    "vermont": 15,
}

COUNTRY_OF = {
    "Europe/Berlin": "DE",
    "Europe/Busingen": "DE",
    "Europe/Paris": "FR",
    "Indian/Reunion": "FR",
    "Europe/Dublin": "IE",
    "Europe/Madrid": "ES",
    "Atlantic/Canary": "ES",
    "Europe/Rome": "IT",
    "Europe/Amsterdam": "NL",
}


def count(law: str, kind: str, received_at: str, zone: str, *, extended: bool = False) -> tuple[str, str]:
    """The last day for the word of receipt and that for the answer, "" where there is none."""
    start = local_day(received_at, zone)
    if kind == "complaint":
        return str(walk(start, 30)), ""
    if law == "ccpa" and kind not in {"opt_out", "limit", "revocation"}:
        return str(walk(start, 10, united_states)), str(walk(start, 90 if extended else 45))
    if law in {"gdpr", "uk_gdpr"}:
        return "", str(start if kind == "revocation" else europe(law, start, zone, 3 if extended else 1))
    return "", str(america(law, kind, start, extended=extended))


def europe(law: str, start: date, zone: str, months: int) -> date:
    closed = england if law == "uk_gdpr" else HOLIDAYS.get(COUNTRY_OF.get(zone, ""), nowhere)
    end = months_later(start, months)
    while not works(end, closed):
        end += DAY
    return end


def america(law: str, kind: str, start: date, *, extended: bool) -> date:
    if law == "tcpa" and kind == "opt_out" and start < date(2025, 4, 11):
        return walk(start, 30)
    if law in {"tcpa", "ccpa"}:
        return walk(start, 10 if law == "tcpa" else 15, united_states)
    length = {"appeal": APPEALS, "revocation": REVOCATIONS}.get(kind, DAYS)[law]
    return walk(start, length + (MORE_DAYS[law] if extended else 0))


def local_day(received_at: str, zone: str) -> date:
    """The day on the clocks of the zone."""
    moment = datetime.fromisoformat(received_at)
    return (moment if moment.tzinfo is None else moment.astimezone(tz.gettz(zone))).date()


def walk(day: date, length: int, closed: Callable[[date], bool] | None = None) -> date:
    """So many days on; only those on which somebody works, where it is said when nobody does."""
    while length:
        day += DAY
        length -= closed is None or works(day, closed)
    return day


def works(day: date, closed: Callable[[date], bool]) -> bool:
    return day.isoweekday() not in {6, 7} and not closed(day)


def months_later(start: date, months: int) -> date:
    """Walk until the same date has come so often, or the month in which it should is over."""
    day, turned = start, 0
    while True:
        day += DAY
        if day.day == 1:
            turned += 1
        if turned == months and day.day == start.day:
            return day
        if turned > months:
            return day - DAY


def nowhere(day: date) -> bool:
    return False


def nth(day: date, month: int, weekday: int, number: int) -> bool:
    """Whether it is the month's nth weekday (Monday is 1); -1 is the last."""
    if day.month != month or day.isoweekday() != weekday:
        return False
    return (day + 7 * DAY).month != month if number == -1 else (day.day + 6) // 7 == number


def fixed(day: date, *days: tuple[int, int]) -> bool:
    return (day.month, day.day) in days


def easter(day: date, *after: int) -> bool:
    return (day - EASTER[day.year]).days in after


def united_states(day: date) -> bool:
    """Federal holidays by 5 U.S.C. 6103; of those that fall on a weekend the working day next to it as well."""
    dates = ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))
    if fixed(day, *dates):
        return True
    if day.isoweekday() == 5 and fixed(day + DAY, *dates):
        return True
    if day.isoweekday() == 1 and fixed(day - DAY, *dates):
        return True
    mondays = ((1, 3), (2, 3), (5, -1), (9, 1), (10, 2))
    return any(nth(day, month, 1, number) for month, number in mondays) or nth(day, 11, 4, 4)


def england(day: date) -> bool:
    """Bank holidays of England and Wales, with their substitute days and that of the coronation."""
    if day == date(2023, 5, 8) or easter(day, -2, 1):
        return True
    if nth(day, 5, 1, 1) or nth(day, 5, 1, -1) or nth(day, 8, 1, -1):
        return True
    return day in set(_substituted(day.year, [(1, 1)])) | set(_substituted(day.year, [(12, 25), (12, 26)]))


def _substituted(year: int, days: list[tuple[int, int]]) -> Iterator[date]:
    """The days themselves, and for each on a weekend the next weekday that is not taken."""
    taken = [date(year, month, number) for month, number in days]
    yield from taken
    for day in list(taken):
        if day.isoweekday() > 5:
            while day.isoweekday() > 5 or day in taken:
                day += DAY  # noqa: PLW2901  (the day moves on)
            taken.append(day)
            yield day


def germany(day: date) -> bool:
    return fixed(day, (1, 1), (5, 1), (10, 3), (12, 25), (12, 26)) or easter(day, -2, 1, 39, 50)


def france(day: date) -> bool:
    return fixed(day, (1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)) or easter(
        day, 1, 39, 50
    )


def ireland(day: date) -> bool:
    mondays = ((2, 1), (5, 1), (6, 1), (8, 1), (10, -1))
    return (
        fixed(day, (1, 1), (3, 17), (12, 25), (12, 26))
        or easter(day, 1)
        or any(nth(day, month, 1, number) for month, number in mondays)
    )


def spain(day: date) -> bool:
    return fixed(
        day, (1, 1), (1, 6), (5, 1), (8, 15), (10, 12), (11, 1), (12, 6), (12, 8), (12, 25)
    ) or easter(day, -2)


def italy(day: date) -> bool:
    return fixed(
        day, (1, 1), (1, 6), (4, 25), (5, 1), (6, 2), (8, 15), (11, 1), (12, 8), (12, 25), (12, 26)
    ) or easter(day, 1)


def netherlands(day: date) -> bool:
    return fixed(day, (1, 1), (4, 27), (12, 25), (12, 26)) or easter(day, 1, 39, 50)


HOLIDAYS = {
    "DE": germany,
    "FR": france,
    "IE": ireland,
    "ES": spain,
    "IT": italy,
    "NL": netherlands,
}
