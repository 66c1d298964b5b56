"""
Lists of costs: a CSV file with the columns date, campaign and cost, one row for what a campaign cost on a day.

Read as a whole or not at all: what is wrong is said by line and column, and then nothing of the file counts.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from callprivacy.lib import bounds
from callprivacy.lib.money import Money

ROWS_AT_MOST: Final = 20_000
BYTES_AT_MOST: Final = 2_000_000
FAULTS_SHOWN: Final = 50
_NAMES: Final = {
    "date": ("date", "day", "on"),
    "campaign": ("campaign", "campaign name", "campaign_name"),
    "cost": ("cost", "costs", "spend", "amount", "amount spent", "cost_amount"),
}
_CAMPAIGN_AT_MOST: Final = 120
_FIRST_DAY: Final = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Fault:
    """
    What is wrong in a file.

    :ivar line: counted from 1, the head included; 0 where it is about the whole file.
    :ivar column: its name as the file writes it.
    """

    line: int
    column: str
    what: str


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one campaign cost on one day, in hundredths of the currency."""

    day: date
    campaign: str
    cents: int


class CostFileError(ValueError):
    """A file could not be read; `faults` say where, `more` how many others there are."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults[:FAULTS_SHOWN])
        self.more = max(0, len(faults) - FAULTS_SHOWN)
        super().__init__(f"{len(faults)} faults")


def read(data: bytes, *, today: date, money: Money) -> list[CostRow]:
    """
    Read a file of costs, in UTF-8 with commas, semicolons or tabs.

    :param today: the client's; costs of later days are refused.
    :param money: the client's; costs of another currency are refused.
    :raises CostFileError: something is wrong, with all that is.
    """
    if len(data) > BYTES_AT_MOST:
        raise CostFileError(
            [Fault(0, "", f"The file is larger than {BYTES_AT_MOST // 1_000_000} MB. Send parts.")]
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CostFileError([Fault(line, "", "This is not UTF-8. Save the file as CSV UTF-8.")]) from None
    if "\0" in text:
        raise CostFileError([Fault(0, "", "This is no text file. Save the sheet as CSV UTF-8.")])
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        head = next(lines, [])
        places, faults = _places(head)
        if faults:
            raise CostFileError(faults)
        return _rows(lines, head, places, today, money)
    except csv.Error as error:
        raise CostFileError(
            [Fault(lines.line_num, "", f"The line cannot be read: {bounds.csv_fault(error)}.")]
        ) from None


def _separator(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _places(head: list[str]) -> tuple[dict[str, int], list[Fault]]:
    said = [name.strip().casefold() for name in head]
    places, faults = {}, []
    for wanted, names in _NAMES.items():
        found = [place for place, name in enumerate(said) if name in names]
        if len(found) == 1:
            places[wanted] = found[0]
        else:
            problem = "is missing" if not found else "is there more than once"
            faults.append(
                Fault(1, wanted, f"The column {wanted} {problem}. The first line has date, campaign, cost.")
            )
    return places, faults


def _rows(reader: Any, head: list[str], places: dict[str, int], today: date, money: Money) -> list[CostRow]:
    faults: list[Fault] = []
    found: dict[tuple[date, str], tuple[int, CostRow]] = {}
    for cells in reader:
        line = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(found) >= ROWS_AT_MOST:
            faults.append(Fault(line, "", f"More than {ROWS_AT_MOST:,} rows. Send the file in parts."))
            break
        row = _row(cells, head, places, line=line, today=today, money=money, faults=faults)
        if row is None:
            continue
        key = (row.day, row.campaign.casefold())
        if key in found:
            what = f"The same day and campaign stand in line {found[key][0]} already. Add the two up."
            faults.append(Fault(line, head[places["campaign"]], what))
            continue
        found[key] = (line, row)
    if faults:
        raise CostFileError(faults)
    if not found:
        raise CostFileError([Fault(0, "", "The file has no rows below its first line.")])
    return [row for _, row in found.values()]


def _row(
    cells: list[str],
    head: list[str],
    places: dict[str, int],
    *,
    line: int,
    today: date,
    money: Money,
    faults: list[Fault],
) -> CostRow | None:
    if len(cells) < len(head) or any(cell.strip() for cell in cells[len(head) :]):
        what = f"The line has {len(cells)} cells, its head {len(head)}. An amount such as 1,200 needs quotes."
        faults.append(Fault(line, "", what))
        return None
    said = {name: cells[place].strip() for name, place in places.items()}
    before = len(faults)
    day, cents = _day(said["date"], today), money.read(said["cost"])
    if isinstance(day, str):
        faults.append(Fault(line, head[places["date"]], day))
    campaign = " ".join(said["campaign"].split())
    if not campaign or len(campaign) > _CAMPAIGN_AT_MOST or not campaign.isprintable():
        what = f"Write the campaign's name as the tracker has it, in 1 to {_CAMPAIGN_AT_MOST} signs."
        faults.append(Fault(line, head[places["campaign"]], what))
    if cents is None:
        what = f"Write the cost in {money.currency}, as {money.number(1250.5, 2)} or 1250.50, zero or more."
        faults.append(Fault(line, head[places["cost"]], what))
    if len(faults) > before or isinstance(day, str) or cents is None:
        return None
    return CostRow(day, campaign, cents)


def _day(text: str, today: date) -> date | str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return "Write the day as 2026-11-24."
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return "There is no such day."
    if day > today:
        return "The day lies in the future."
    return "The day lies before the year 2000." if day < _FIRST_DAY else day
