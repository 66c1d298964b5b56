"""
Calls of a made-up agency as a CSV file, the same ones for the same seed: who called, when, for how long, by which
source, how old they are, and what became of it. Nothing in it is anybody's.
"""

import csv
import tomllib
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np

COLUMNS: Final = ("number", "started_at", "day", "seconds", "source", "age", "outcome")
SPEC: Final = """
k = 10

[columns.number]
role = "quasi"
hierarchy = "number"

[columns.started_at]
role = "quasi"
hierarchy = "instant"

[columns.day]
role = "quasi"
hierarchy = "day"

[columns.seconds]
role = "quasi"
hierarchy = "seconds"

[columns.source]
role = "quasi"
hierarchy = "source"

[columns.age]
role = "quasi"
hierarchy = "age"

[columns.outcome]
role = "sensitive"
l = 2
"""
_SOURCES: Final = (
    *("Google Ads", "Google Organic", "Google Business Profile", "Facebook Ads", "Direct", "Bing Ads"),
    *("Yelp", "Referral", "Email", "Radio", "Direct Mail", "Instagram"),
)
_OUTCOMES: Final = {
    "no tag": 0.4,
    "booked": 0.2,
    "quote": 0.12,
    "existing customer": 0.12,
    "complaint": 0.05,
    "wrong number": 0.05,
    "spam": 0.04,
    "job applicant": 0.02,
}
# How calls spread over the hours of a day.
_HOURS: Final = [1.4, 1, 1, 1, 1, 1, 2, 8, 30, 50, 60, 60, 50, 50, 52, 50, 48, 40, 28, 18, 14, 10, 6, 4]
_START: Final = datetime(2026, 8, 1, tzinfo=UTC)


def write(path: Path, *, calls: int, callers: int, days: int = 91, seed: int = 1) -> None:
    """Write so many calls of so many callers over so many days."""
    chance = np.random.default_rng(seed)
    codes = _area_codes()
    numbers = chance.choice(len(codes), callers, p=_falling(len(codes), 0.8)) * 10_000_000
    numbers += chance.integers(2_000_000, 9_999_999, callers)
    ages = np.clip(chance.normal(46, 16, callers), 18, 99).astype(int)
    caller = chance.choice(callers, calls, p=_falling(callers, 0.5))
    hours = np.array(_HOURS) / sum(_HOURS)
    minute = chance.choice(24, calls, p=hours) * 60 + chance.integers(0, 60, calls)
    day = chance.integers(0, days, calls)
    seconds = np.minimum(chance.lognormal(4.3, 1.2, calls), 10_800).astype(int)
    source = chance.choice(len(_SOURCES), calls, p=_falling(len(_SOURCES), 1.0))
    shares = np.array(list(_OUTCOMES.values()))
    outcome = chance.choice(len(shares), calls, p=shares / shares.sum())
    names = list(_OUTCOMES)
    columns = (
        caller.tolist(),
        minute.tolist(),
        day.tolist(),
        seconds.tolist(),
        source.tolist(),
        outcome.tolist(),
    )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for who, at, on, length, by, became in zip(*columns, strict=True):
            start = _START + timedelta(days=on, minutes=at)
            number = f"+1{codes[numbers[who] // 10_000_000][3:]}{numbers[who] % 10_000_000:07}"
            row = (
                number,
                f"{start:%Y-%m-%dT%H:%M}",
                f"{start:%Y-%m-%d}",
                length,
                _SOURCES[by],
                ages[who],
                names[became],
            )
            writer.writerow(row)


def _falling(count: int, power: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Shares that fall with their place, as sources and places do."""
    found = np.arange(1, count + 1) ** -power
    return found / found.sum()


def _area_codes() -> list[str]:
    """Every area code of the shipped hierarchy."""
    text = (resources.files("analytics.anonymise") / "hierarchies" / "number.toml").read_text(
        encoding="utf-8"
    )
    _, states, *_ = tomllib.loads(text)["levels"]
    return [code for codes in states["groups"].values() for code in codes]
