"""
Write a CallRail call log of any size, the same every time: `python lab/bench/callrail_csv.py ROWS CALLERS FILE`.

Nobody owns a number in it. The first callers have 555-0100 to 555-0199 in every assigned area code, which
the plan keeps for fiction (some 45,000 numbers). Beyond them it uses the area codes N90 to N99, which the
plan keeps for its own expansion and has never assigned: no telephone can be dialled there, while the numbers
keep the shape that every reader of numbers expects. Tracking numbers are 555-01xx of the toll-free codes.
Names and addresses are of nobody, and are there only so that the reader has something to drop.
"""

import argparse
import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TextIO

HEADER: Final = (
    "Call Status", "Company Name", "Company ID", "Number Name", "Tracking Number", "Name",
    "Phone Number", "Email",
    "First-Time Caller", "City", "State", "Country", "Agent Name", "Agent Number", "Source",
    "Duration (seconds)",
    "Start Time", "Device Type", "Keywords", "Referrer", "Medium", "Landing Page", "Campaign",
    "Value", "Tags",
    "Qualified", "Destination Number", "Browser", "Google Ads gclid", "Facebook fbclid", "Keywords Spotted",
    "Call Highlights", "Match Type", "Ad Group", "Ad Position", "utm_medium", "utm_source",
    "Customer Talk Time Percent", "Agent Talk Time Percent", "Active Page", "Recording Url", "Note",
)  # fmt: skip
ENDS: Final = datetime(2026, 11, 23)  # noqa: DTZ001  # local, as in the export
DAYS: Final = 90
_TOLL_FREE: Final = ("800", "833", "844", "855", "866", "877", "888")
_STATUS: Final = (
    ("Answered Call",) * 13 + ("Missed Call",) * 3 + ("Voicemail Call",) * 3 + ("Abandoned Call",)
)
_SOURCES: Final = (
    ("Google Ads", "cpc", "Spring Service"),
    ("Google Ads", "cpc", "Emergency Repair"),
    ("Google Organic", "organic", ""),
    ("Google My Business", "local", ""),
    ("Facebook", "paid social", "New Movers"),
    ("Bing Ads", "cpc", "Brand"),
    ("Direct", "", ""),
    ("Yelp", "referral", ""),
    ("Mailer", "print", "Autumn Postcard"),
    ("Radio", "offline", "Morning Show"),
)
# The hours of a day as often as people call in them.
_HOURS: Final = tuple(
    hour
    for hour, often in enumerate(
        (1, 1, 0, 0, 0, 1, 2, 5, 9, 12, 13, 12, 10, 11, 12, 11, 10, 8, 6, 4, 3, 2, 1, 1)
    )
    for _ in range(often)
)
_CITIES: Final = {"GA": "Atlanta", "CA": "Fresno", "TX": "Waco", "NY": "Utica", "FL": "Ocala"}


def numbers(count: int) -> list[str]:
    """That many different numbers of nobody, in E.164."""
    path = Path(__file__).parent.parent.parent / "callprivacy" / "lib" / "data" / "npa_region.csv"
    with path.open(encoding="utf-8", newline="") as file:
        places = [row["npa"] for row in csv.DictReader(file) if row["region"] != "NON-GEO"]
    found = [f"+1{npa}55501{line:02}" for line in range(100) for npa in places][:count]
    reserved = [f"{first}9{last}" for first in range(2, 10) for last in range(10)]
    for index in range(count - len(found)):
        rest, npa = divmod(index, len(reserved))
        exchange, line = divmod(rest, 10_000)
        found.append(f"+1{reserved[npa]}{200 + exchange}{line:04}")
    return found


def rows(count: int, callers: int) -> Iterator[tuple[str, ...]]:
    """The rows below the header; every caller is in them when there are at least as many rows."""
    people = numbers(callers)
    states = tuple(_CITIES)
    lines = [f"+1{npa}55501{line:02}" for line in range(30) for npa in _TOLL_FREE]
    for index in range(count):
        # Knuth's multiplicative hash: no order to be seen, nothing to seed.
        chance = (index * 2_654_435_761 + 97) & 0xFFFFFFFF
        person = index * 7_919 % callers if callers % 7_919 else index % callers
        start = ENDS - timedelta(
            days=chance % DAYS, hours=24 - _HOURS[chance // 97 % len(_HOURS)], seconds=chance // 7 % 3600
        )
        status = _STATUS[chance // 11 % len(_STATUS)]
        source, medium, campaign = _SOURCES[chance // 13 % len(_SOURCES)]
        state = states[person % len(states)]
        withheld = chance % 67 == 0
        first = index < callers
        call = 700_000_000 + index
        paid = medium == "cpc"
        yield (
            status, "Example Plumbing", "155920786", f"{source} line", lines[chance // 17 % len(lines)],
            f"Caller {person}", "Anonymous" if withheld else people[person], f"caller{person}@example.com",
            "Yes" if first else "No", _CITIES[state], state, "US", f"Agent {chance % 12}",
            "+12025550100", source,
            str(chance // 19 % 900 if status[0] in "AV" else 0), start.isoformat(" "),
            "mobile" if chance & 1 else "desktop", "plumber near me" if paid else "",
            "https://www.google.com/" if paid else "", medium,
            f"https://example.com/?utm_source=x&gclid=EAIaIQ{chance:08x}{index:08x}", campaign,
            f"${chance % 5000}.00" if chance % 9 == 0 else "",
            "quote, follow up" if chance % 5 == 0 else "", "Yes" if chance % 4 == 0 else "",
            "+12025550101", "Chrome", f"EAIaIQ{chance:08x}{index:08x}" if paid else "", "", "", "",
            "", "", "",
            medium, source.lower(), "55", "45", "https://example.com/contact?name=x",
            f"https://app.callrail.com/calls/{call}/recording/redirect?access_key={chance:08x}{index:08x}",
            'Called twice,\nwants a "quote"' if chance % 50 == 0 else "",
        )  # fmt: skip


def write(file: TextIO, *, count: int, callers: int) -> None:
    """Header and rows, as CallRail writes them; open the file with `utf-8-sig` and `newline=""`."""
    writer = csv.writer(file)
    writer.writerow(HEADER)
    writer.writerows(rows(count, callers))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("count", int), ("callers", int), ("file", Path)):
        parser.add_argument(name, type=kind)
    asked = parser.parse_args()
    with asked.file.open("w", encoding="utf-8-sig", newline="") as target:
        write(target, count=asked.count, callers=asked.callers)
