"""
Deadlines of a file: rows with law, kind, received_at and zone in, the same rows with their dates out.

A row may say `paused` ("2026-02-01/2026-02-05", several parted by a semicolon, without an end while it lasts),
`identified_at`, and of a breach `told_at`.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from rights.deadlines.engine import Deadlines, End, Pause, deadlines_of, zone_of
from rights.deadlines.ground import Place

COLUMNS: Final = ("law", "kind", "received_at", "zone")
MAY_HAVE: Final = ("paused", "identified_at", "told_at")
ADDED: Final = ("acknowledge_by", "answer_by", "in_force_from")
BREACH: Final = "breach"

type CountBreach = Callable[[str, datetime, ZoneInfo, datetime | None], tuple[datetime | None, bool]]
"""
Rule, moment of awareness, zone, moment at which residents were told -> the first instant that is too late, and whether
the law counts hours.
"""


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
    :ivar breach: counts rows of the kind "breach"; None: there are none.
    """

    extended: bool = False
    place: Place | None = None
    instants: bool = False
    breach: CountBreach | None = None


def answer(text: Iterable[str], options: Options) -> Iterator[list[str]]:
    """
    The header and the rows of a file, with three columns added; what else it holds stays as it is.

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
    places: dict[str, int] = {name: names.index(name) for name in (*COLUMNS, *MAY_HAVE) if name in names}
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


def _dates(cells: list[str], places: Mapping[str, int], width: int, options: Options) -> list[str]:
    if len(cells) != width:
        raise ValueError(f"has {len(cells)} cells, the header has {width}.")
    row = {name: cells[place].strip() for name, place in places.items()}
    here = zone_of(row["zone"])
    if row["kind"].casefold() == BREACH and options.breach is not None:
        return ["", _shown_breach(row, here, options, options.breach), ""]
    found = _count(row, here, options)
    dates = [_shown(end, here, options) for end in (found.acknowledge_by, found.answer_by)]
    return [*dates, str(found.in_force_from or "")]


def _count(row: Mapping[str, str], here: ZoneInfo, options: Options) -> Deadlines:
    pauses, standing_since = _pauses(row.get("paused", ""), here)

    def count(*, extended: bool) -> Deadlines:
        return deadlines_of(
            row["law"],
            row["kind"],
            read_instant(row["received_at"], here),
            row["zone"],
            paused=pauses,
            standing_since=standing_since,
            identified_at=_instant(row.get("identified_at", ""), here),
            place=options.place,
            extended=extended,
        )

    found = count(extended=False)
    return count(extended=True) if options.extended and found.extend_before is not None else found


def _pauses(text: str, here: ZoneInfo) -> tuple[list[Pause], datetime | None]:
    """The pauses that ended, and since when the one lasts that did not."""
    ended: list[Pause] = []
    since: datetime | None = None
    for span in filter(None, (part.strip() for part in text.split(";"))):
        start, slash, end = (part.strip() for part in span.partition("/"))
        if not slash or (not end and since is not None):
            raise ValueError(
                f'"{span}" is no pause; write 2026-02-01/2026-02-05, or 2026-02-01/ while it lasts.'
            )
        if end:
            ended.append((read_instant(start, here), read_instant(end, here)))
        else:
            since = read_instant(start, here)
    return ended, since


def _instant(text: str, here: ZoneInfo) -> datetime | None:
    return read_instant(text, here) if text else None


def _shown_breach(row: Mapping[str, str], here: ZoneInfo, options: Options, count: CountBreach) -> str:
    """The last day, or of a law that counts hours the instant; empty where the law names no number."""
    aware_at, told_at = read_instant(row["received_at"], here), _instant(row.get("told_at", ""), here)
    due, in_hours = count(row["law"], aware_at, here, told_at)
    if due is None:
        return ""
    if in_hours or options.instants:
        return due.astimezone(here).isoformat()
    return (due - timedelta(microseconds=1)).astimezone(here).date().isoformat()


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
