"""Deadlines of a file: rows with law, kind, received_at and zone in, the same rows with their dates out."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from rights.deadlines.engine import Deadlines, End, deadlines_of, zone_of
from rights.deadlines.ground import Place

COLUMNS: Final = ("law", "kind", "received_at", "zone")
ADDED: Final = ("acknowledge_by", "answer_by")


class LineError(ValueError):
    """A file that cannot be answered; `faults` names each line and what is wrong with it."""

    def __init__(self, faults: Iterable[tuple[int, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"line {line}: {text}" for line, text in self.faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    How a file is answered.

    :ivar extended: with the extension of each law that knows one. :ivar place: where the client is.
    :ivar instants: dates as the first instant that is too late, with the zone's offset.
    """

    extended: bool = False
    place: Place | None = None
    instants: bool = False


def answer(text: Iterable[str], options: Options) -> Iterator[list[str]]:
    """
    The header and the rows of a file, with two columns added; what else it holds stays as it is.

    :param text: lines of CSV.
    :raises LineError: with every line that is wrong. Nothing is yielded before all are read.
    """
    rows = _rows(text)
    _, header = next(rows, (1, []))
    names = [cell.strip().casefold() for cell in header]
    missing = [name for name in COLUMNS if names.count(name) != 1]
    if missing:
        raise LineError(
            [(1, f"expected the columns {', '.join(COLUMNS)}, each once; look at {', '.join(missing)}.")]
        )
    places = [names.index(name) for name in COLUMNS]
    answered: list[list[str]] = []
    faults: list[tuple[int, str]] = []
    for line, cells in rows:
        try:
            answered.append([*cells, *_dates(cells, places, len(header), options)])
        except (LookupError, ValueError) as error:
            faults.append((line, str(error.args[0])))
    if faults:
        raise LineError(faults)
    yield [*header, *ADDED]
    yield from answered


def _rows(text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold anything, each with the number of the line on which it ends."""
    reader: Any = csv.reader(text, strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise LineError([(max(reader.line_num, 1), f"is not CSV: {error}.")]) from error
        except UnicodeDecodeError as error:
            raise LineError([(reader.line_num + 1, "is not UTF-8; save it as CSV in UTF-8.")]) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _dates(cells: list[str], places: list[int], width: int, options: Options) -> list[str]:
    if len(cells) != width:
        raise ValueError(f"has {len(cells)} cells, the header has {width}.")
    law, kind, received_at, zone = (cells[place].strip() for place in places)
    here = zone_of(zone)
    found = _count(law, kind, read_instant(received_at, here), zone, options)
    return [_shown(end, here, options) for end in (found.acknowledge_by, found.answer_by)]


def _count(law: str, kind: str, at: datetime, zone: str, options: Options) -> Deadlines:
    found = deadlines_of(law, kind, at, zone, place=options.place)
    if options.extended and found.extend_before is not None:
        return deadlines_of(law, kind, at, zone, place=options.place, extended=True)
    return found


def _shown(end: End | None, zone: ZoneInfo, options: Options) -> str:
    if end is None:
        return ""
    return end.at.astimezone(zone).isoformat() if options.instants else str(end)


def read_instant(text: str, zone: ZoneInfo) -> datetime:
    """
    An instant as files write it: with an offset, by the clocks of the zone without one, or a day alone.

    :raises ValueError: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f'"{text}" is no time; write 2026-01-31T10:15:00+01:00, 2026-01-31 10:15 or 2026-01-31.'
        ) from None
    if found.utcoffset() is None:
        found = found.replace(tzinfo=zone)
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError(f'"{text}" is out of range.') from None
