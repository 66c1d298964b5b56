"""
Files of numbers, line by line: do-not-call registers, and answers about numbers that were reassigned. Pure.

A register is the FTC's full list as a flat text file, with an area code and seven digits on each line, or any file
with one number a line. Answers are those of the FCC's database, or of a vendor that asks it: a number, "yes", "no" or
"no data", and dates. What is wrong with a line is said without what stood in it.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from callprivacy.lib import phone

LONGEST_LINE: Final = 2000
_AREA: Final = re.compile(r"[2-9][0-9]{2}", re.ASCII).fullmatch
_SEVEN: Final = re.compile(r"[2-9][0-9]{2}-?[0-9]{4}", re.ASCII).fullmatch
_ISO: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ].*)?", re.ASCII).fullmatch
_AMERICAN: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?: .*)?", re.ASCII).fullmatch
_ENDED: Final = re.compile(r"disconnect|deactivat|reassigned[ _-]*(on|at|date)", re.IGNORECASE).search
_NO_NUMBER: Final = "no phone number"


class UnreadableError(ValueError):
    """A file that is none of these; the text says what to do."""


class Answer(StrEnum):
    """What was answered of a number: whether it was permanently disconnected since the day that was asked about."""

    YES = "yes"
    NO = "no"
    NO_DATA = "no_data"


_ANSWERS: Final = {
    **dict.fromkeys(("yes", "y", "true"), Answer.YES),
    **dict.fromkeys(("no", "n", "false"), Answer.NO),
    **dict.fromkeys(("no data", "no_data", "nodata", "no-data"), Answer.NO_DATA),
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a line was not taken; never what stood in it."""

    why: str


@dataclass(frozen=True, slots=True, repr=False)
class Answered:
    """
    One answer.

    :ivar asked_on: the day that was asked about. :ivar ended_on: when the number was disconnected, where it says so.
    """

    number: str
    answer: Answer
    asked_on: date | None = None
    ended_on: date | None = None


def read_register(
    lines: Iterable[str], *, country: str, area_codes: Sequence[str] = (), after_line: int = 0
) -> Iterator[tuple[int, str | Refused]]:
    """
    Line by line the number (E.164), or why there is none.

    :param area_codes: those that the register is for; other numbers are refused. None named: all.
    :param after_line: lines up to this one are passed over.
    :raises UnreadableError: it is no list of numbers.
    """
    for line, cells in _rows(lines, after_line):
        if len(cells) >= 3 and cells[-1].upper() in {"A", "D"}:
            raise UnreadableError("This is a list of changes. Download the full list, as a flat text file.")
        number = _number(cells, country)
        if number is None:
            if line > 1 or any(sign.isdigit() for sign in "".join(cells)):
                yield line, Refused(_NO_NUMBER)
        elif area_codes and not (number.startswith("+1") and number[2:5] in area_codes):
            yield line, Refused("its area code is not in the list")
        else:
            yield line, number


def read_answers(
    lines: Iterable[str], *, country: str, after_line: int = 0
) -> Iterator[tuple[int, Answered | Refused]]:
    """
    Line by line what was answered of a number.

    A first line of words names the columns: a date under a name such as "disconnected on" is when the number was
    disconnected; any other is the day that was asked about.

    :raises UnreadableError: it is no list of answers.
    """
    ended_column: int | None = None
    for line, cells in _rows(lines, 0):
        if line == 1 and _number(cells, country) is None:
            ended_column = next((place for place, name in enumerate(cells) if _ENDED(name)), None)
            continue
        if line > after_line:
            yield line, _answered(cells, country, ended_column)


def _answered(cells: Sequence[str], country: str, ended_column: int | None) -> Answered | Refused:
    number = _number(cells, country)
    if number is None:
        return Refused(_NO_NUMBER)
    answer = next((found for cell in cells if (found := _ANSWERS.get(cell.lower())) is not None), None)
    if answer is None:
        return Refused("not “yes”, “no”, or “no data”")
    days = {place: day for place, cell in enumerate(cells) if (day := _day(cell)) is not None}
    ended_on = days.pop(ended_column, None) if ended_column is not None else None
    return Answered(number, answer, next(iter(days.values()), None), ended_on)


def _rows(lines: Iterable[str], after_line: int) -> Iterator[tuple[int, list[str]]]:
    """Cells of each line that has any, with its number in the file."""
    for line, text in enumerate(lines, start=1):
        if line == 1:
            _refuse_others(text)
        if line <= after_line:
            continue
        if len(text) > LONGEST_LINE:
            raise UnreadableError(
                f"Line {line} is longer than {LONGEST_LINE} characters. This is not a list."
            )
        cells = [cell.strip() for cell in next(csv.reader([text.replace("\0", "")]), [])]
        if any(cells):
            yield line, cells


def _refuse_others(text: str) -> None:
    if text.startswith("PK"):
        raise UnreadableError("This is a ZIP file. Unzip it and upload the text file inside.")
    if text.lstrip().startswith("<"):
        raise UnreadableError("This is an XML file. Download the list as a flat text file.")


def _number(cells: Sequence[str], country: str) -> str | None:
    """The first number of a line; an area code and seven digits in two cells are one."""
    for place, cell in enumerate(cells):
        if _AREA(cell) and place + 1 < len(cells) and _SEVEN(cells[place + 1]):
            return phone.normalise(cell + cells[place + 1].replace("-", ""), "US")
        if _day(cell) is None and (found := phone.normalise(cell, country)) is not None:
            return found
    return None


def _day(cell: str) -> date | None:
    iso, american = _ISO(cell), _AMERICAN(cell)
    try:
        if iso is not None:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if american is not None:
            return date(int(american[3]), int(american[1]), int(american[2]))
    except ValueError:
        return None
    return None
