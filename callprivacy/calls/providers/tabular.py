"""
Calls from tables: CSV with or without BOM, with commas, semicolons, tabs or bars, or a JSON array of flat objects;
plain or gzip.

Columns are found by their names, in any order; a column without a field of ours is never looked at. A row
becomes `CallFacts` or the `RefusedError` that names its column. The reader streams: its memory does not
depend on the file's size, a row of over a megabyte is refused, and a gzip file that unpacks beyond all
measure is abandoned.

JSON. An object is a row and its names are the columns, which are those of the first hundred objects. As a line counts
the place of the object in the array, from 1, plus 1, so that its numbers are those of a CSV of the same calls.

Local times. A time without an offset is read in the zone that the importer was told. A time that the clocks
skipped is read with the offset from before the change (02:30 becomes 03:30), a time that came twice is its
first occurrence: PEP 495's `fold=0`. Nothing in the row says which it was, so such a row is marked
(`CallFacts.first_of_two`), to be announced.

Encoding. UTF-8; a line that is not is read as Windows-1252 and counted (`Table.recoded_lines`), to be
announced.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import chain
from operator import itemgetter
from types import MappingProxyType
from typing import Any, BinaryIO, Final, Literal, NamedTuple

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.providers import base
from callprivacy.calls.providers.base import CallFacts, RefusedError, Stage, UnparsableError
from callprivacy.lib import bounds, phone
from callprivacy.lib.redact import is_personal

LINE_AT_MOST: Final = 1 << 20
COLUMNS_AT_MOST: Final = 2_000
UNPACKED_AT_MOST: Final = 8 << 30
RATIO_AT_MOST: Final = 150
RATIO_FROM: Final = 16 << 20
REMEMBERED_AT_MOST: Final = 20_000

FIELDS: Final[Mapping[str, str]] = {
    "started_at": "Start",
    "caller": "Caller's number",
    "tracking_number": "Tracking number",
    "seconds": "Length",
    "direction": "Direction",
    "outcome": "Outcome",
    "source": "Source",
    "campaign": "Campaign",
    "medium": "Medium",
    "landing_page": "Landing page",
    "keyword": "Keyword",
    "country": "Country",
    "region": "Region",
    "first_call": "First call",
    "qualified": "Qualified",
    "value_cents": "Value",
    "tags": "Tags",
    "reference": "Id of the call",
    "recording_reference": "Address of the recording",
    "account": "Account",
    "presses": "Keys pressed in the menu",
}
"""The fields that a column may be mapped to, with their titles."""

REQUIRED: Final = ("started_at", "caller")
ATTRIBUTION: Final = ("landing_page", "keyword")
"""Fields that are dropped unless the client keeps them."""

JSON_NAMES_FROM: Final = 100

type Slashes = Literal["month first", "day first"] | None


@dataclass(frozen=True, slots=True)
class Format:
    """
    How a kind of file names and writes its columns.

    :ivar columns: field -> names of the column that may hold it, the best first; compared without case and
        outer space.
    :ivar slashes: how 01/02/2026 is read; None refuses it.
    :ivar references: makes (kind, value) pairs of the reference cell and the recording's address.
    :ivar default_region: the country of numbers without `+`.
    :ivar direction: of rows that do not say it.
    :ivar has_epochs: whether a start may be a whole number, of seconds or milliseconds since 1970.
    :ivar also: what else `is_call` and `finish` are given of a row: key -> names of the column that may hold it.
    :ivar is_call: whether a row is one at all; those that are not are passed over.
    :ivar finish: the last word on a row's facts.
    """

    name: str
    title: str
    columns: Mapping[str, tuple[str, ...]]
    references: Callable[[str, str], tuple[tuple[str, str], ...]]
    slashes: Slashes = None
    default_region: str = "US"
    direction: Direction = Direction.INBOUND
    has_epochs: bool = False
    also: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    is_call: Callable[[Mapping[str, str]], bool] | None = None
    finish: Callable[[CallFacts, Mapping[str, str]], CallFacts] | None = None

    def without(self, fields: Collection[str]) -> Format:
        """The same without the columns of some fields."""
        return replace(self, columns={key: names for key, names in self.columns.items() if key not in fields})


class Columns(NamedTuple):
    """Which columns of a file are kept, as (column, field), and which are never read."""

    kept: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]
    missing: tuple[str, ...]


type Row = tuple[int, CallFacts | RefusedError]


def columns_dropped(header: list[str] | tuple[str, ...], layout: Format) -> Columns:
    """What is kept and dropped of a header, in its order, and which required fields have no column."""
    places = _places(header, layout.columns)
    fields_at = {index: key for key, index in _places(header, layout.also).items()}
    fields_at |= {index: field for field, index in places.items()}
    return Columns(
        kept=tuple((name, fields_at[index]) for index, name in enumerate(header) if index in fields_at),
        dropped=tuple(name for index, name in enumerate(header) if index not in fields_at),
        missing=tuple(field for field in REQUIRED if field not in places),
    )


def columns_found(header: list[str] | tuple[str, ...], layout: Format) -> dict[str, str]:
    """
    field -> name of the column that a format finds for it in a header.

    :raises UnparsableError: two columns have the name of one that is needed.
    """
    return {field: header[index] for field, index in _places(header, layout.columns).items()}


def _places(header: list[str] | tuple[str, ...], columns: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """
    field -> index of its column.

    :raises UnparsableError: two columns have the name of one that is needed.
    """
    by_name: dict[str, list[int]] = {}
    for index, name in enumerate(header):
        by_name.setdefault(name.strip().casefold(), []).append(index)
    places: dict[str, int] = {}
    for field, names in columns.items():
        for name in names:
            found = by_name.get(name.strip().casefold(), [])
            if len(found) > 1:
                raise UnparsableError(f"Two columns are named “{name[:80]}”.")
            if found and found[0] not in places.values():
                places[field] = found[0]
                break
    return places


def _named(names: tuple[str, ...], *, is_headed: bool) -> tuple[str, ...]:
    """Names of columns that nobody is recognized by."""
    return tuple(
        name if is_headed and not is_personal(name) else f"Column {place}"
        for place, name in enumerate(names, start=1)
    )


class Table:
    """
    One file of calls, read once from its start.

    :param source: the file's bytes, or a binary stream at its start. The caller closes it.
    :param is_headed: whether the first line names the columns; None: unless one of its cells is personal.
    :ivar header: the names of its columns. Of a first line that is a row, and in place of a name that is personal,
        they are "Column 1", "Column 2" and so on.
    :ivar is_headed: what was asked for, or found.
    :ivar delimiter: what was found to separate them; "" in JSON.
    :ivar compressed: whether it is a gzip file.
    :ivar recoded_lines: how many lines so far were not UTF-8 and were read as Windows-1252.
    :raises UnparsableError: it has no header that can be read.
    """

    def __init__(
        self,
        source: bytes | BinaryIO,
        *,
        is_headed: bool | None = None,
        unpacked_at_most: int = UNPACKED_AT_MOST,
        ratio_at_most: int = RATIO_AT_MOST,
    ) -> None:
        packed = _Counted(io.BytesIO(source) if isinstance(source, bytes) else source)
        first = io.BufferedReader(packed, 1 << 18)
        start = first.peek(4)[:4]
        self.compressed = start[:2] == b"\x1f\x8b"
        self._stream: BinaryIO = first
        if self.compressed:
            guarded = _Guarded(first, packed, total=unpacked_at_most, ratio=ratio_at_most)
            self._stream = io.BufferedReader(guarded, 1 << 18)
        self.recoded_lines = 0
        self._lines_read = 0
        self._found: Iterator[tuple[int, list[str] | None]]
        if _is_json(self._stream):
            objects = _Objects(self._stream)
            self.header, self.delimiter = _named(objects.header, is_headed=True), ""
            self.is_headed, self._found = True, objects.rows()
        else:
            first_line, self.delimiter = self._read_header(start)
            self.is_headed = not any(map(is_personal, first_line)) if is_headed is None else is_headed
            self.header, self._found = _named(first_line, is_headed=self.is_headed), self._csv_rows()
            if not self.is_headed:
                self._found = chain([(1, list(first_line))], self._found)

    def _csv_rows(self) -> Iterator[tuple[int, list[str] | None]]:
        """The first line of each row, with its cells; None where they cannot be told apart."""
        reader = csv.reader(self._lines(), delimiter=self.delimiter)
        while True:
            line = self._lines_read + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield line, None
            else:
                yield line, row

    def _read_header(self, start: bytes) -> tuple[tuple[str, ...], str]:
        if start[:2] in (b"\xff\xfe", b"\xfe\xff") or start == b"PK\x03\x04":
            raise UnparsableError(
                "Expected CSV or JSON text in UTF-8, plain or gzip; not UTF-16, a workbook or a zip file."
            )
        lines: list[str] = []
        length, is_quoted, is_blank = 0, False, True
        for line in self._lines():
            lines.append(line)
            length += len(line)
            is_quoted ^= line.count('"') % 2 == 1
            is_blank = is_blank and not line.strip()
            if not is_quoted and not is_blank:
                break
            if length > LINE_AT_MOST:
                raise UnparsableError("The first line never ends.")
        text = "".join(lines).removeprefix("\ufeff").lstrip("\r\n")
        if not text.strip():
            raise UnparsableError("The file is empty.")
        outside = re.sub(r'"[^"]*"', "", text)
        delimiter = max(",;\t|", key=outside.count)
        try:
            header = next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter), [])
        except csv.Error as error:
            raise UnparsableError(f"The first line is no header: {bounds.csv_fault(error)}.") from None
        names = tuple(name.strip() for name in header)
        if len(names) > COLUMNS_AT_MOST or any(not name.isprintable() for name in names):
            raise UnparsableError("The first line is no header.")
        return names, delimiter

    def _lines(self) -> Iterator[str]:
        readline = self._stream.readline
        try:
            while raw := readline(LINE_AT_MOST):
                self._lines_read += 1
                if len(raw) == LINE_AT_MOST:
                    raise UnparsableError(f"Line {self._lines_read} is longer than a megabyte.")
                try:
                    yield raw.decode()
                except UnicodeDecodeError:
                    self.recoded_lines += 1
                    yield raw.decode("cp1252", "replace")
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise UnparsableError(f"The gzip file is damaged after line {self._lines_read}.") from None

    def cells(self) -> Iterator[tuple[int, list[str] | None]]:
        """
        Line numbers with the cells of each row as they stand there, for who looks at columns of their own.

        None stands for cells that cannot be told apart; a row may have more or fewer than the header. Asked once, and
        in place of `rows`.

        :raises UnparsableError: the file is damaged, or it is a decompression bomb.
        """
        return self._found

    def rows(self, layout: Format, *, zone: tzinfo, at: datetime, after_line: int = 0) -> Iterator[Row]:
        """
        Line numbers (of a row's first line, the header's being 1) with facts, or with why the row is refused.

        Empty rows are skipped. May be asked once.

        :param zone: of times without an offset.
        :param at: now; a start more than ten minutes later is refused.
        :param after_line: rows that begin on this line or before are passed over unread.
        :raises UnparsableError: a required column is missing, the file is damaged, or it is a decompression
            bomb.
        """
        places = _places(self.header, layout.columns)
        missing = [
            layout.columns[field][0]
            for field in REQUIRED
            if field not in places and layout.columns.get(field)
        ]
        if missing or any(field not in layout.columns for field in REQUIRED):
            raise UnparsableError(f"Missing column: {', '.join(missing) or 'start and caller'}.")
        read = _finished(layout, self.header, _row_reader(layout, places, self.header, zone=zone, at=at))
        width = len(self.header)
        for line, row in self._found:
            if line <= after_line:
                continue
            if row is None:
                yield (
                    line,
                    RefusedError(
                        "row", f"quotes that close and cells of at most {bounds.CELL_AT_MOST:,} characters"
                    ),
                )
                continue
            if len(row) != width:
                if any(cell.strip() for cell in row):
                    yield line, RefusedError("row", f"{width} cells, as in the header")
                continue
            try:
                facts = read(row)
            except RefusedError as error:
                # A fresh one: the raised one's frames and causes hold what the row said.
                yield line, RefusedError(error.column, error.expected)
            else:
                if facts is not None:
                    yield line, facts


def _finished(
    layout: Format, header: tuple[str, ...], read: Callable[[list[str]], CallFacts | None]
) -> Callable[[list[str]], CallFacts | None]:
    """The same reader, with a format's own say on what is a call and what it is."""
    if layout.is_call is None and layout.finish is None:
        return read
    places = _places(header, layout.also)
    is_call, finish = layout.is_call, layout.finish

    def read_further(row: list[str]) -> CallFacts | None:
        cells = {key: row[place].strip() for key, place in places.items()}
        if is_call is not None and not is_call(cells):
            return None
        facts = read(row)
        return facts if facts is None or finish is None else finish(facts, cells)

    return read_further


def _is_json(stream: io.BufferedReader[Any]) -> bool:
    """Whether the text begins as an array of objects does; a header may begin with a bracket, too."""
    try:
        start = stream.peek(256).removeprefix(b"\xef\xbb\xbf").lstrip()
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False  # whoever reads its first line says so
    return start[:1] == b"[" and start[1:].lstrip()[:1] in (b"{", b"]", b"")


class _Objects:
    """The objects of a JSON array, one after the other, as rows."""

    def __init__(self, stream: io.BufferedReader[Any]) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="strict", newline="")
        self._decoder = json.JSONDecoder(parse_constant=_no_constant)
        self._buffer, self._at, self._is_over = "", 0, False
        self._place = 0
        self._skip()
        self._at += 1  # the bracket
        first = list(self._objects(JSON_NAMES_FROM))
        names = dict.fromkeys(name for found in first for name in found or ())
        if not names:
            raise UnparsableError("The file is empty.")
        if len(names) > COLUMNS_AT_MOST or any(not name.isprintable() for name in names):
            raise UnparsableError("The names in the first objects are no column names.")
        self._first = first
        self.header = tuple(name.strip() for name in names)
        self._names = tuple(names)

    def rows(self) -> Iterator[tuple[int, list[str] | None]]:
        """Place + 1 of each object, with its cells in the header's order; None where it is no object."""
        place = 1
        for found in self._first:
            place += 1
            yield place, self._cells(found)
        self._first = []
        for found in self._objects(None):
            place += 1
            yield place, self._cells(found)

    def _cells(self, found: dict[str, object] | None) -> list[str] | None:
        if found is None:
            return None
        return [_cell(found.get(name)) for name in self._names]

    def _objects(self, limit: int | None) -> Iterator[dict[str, object] | None]:
        while limit is None or limit > 0:
            sign = self._skip()
            if sign == "]":
                return
            if sign == "," and self._place:
                self._at += 1
                sign = self._skip()
            elif self._place:
                raise self._damaged()
            self._place += 1
            if limit is not None:
                limit -= 1
            yield self._next(sign)

    def _next(self, sign: str) -> dict[str, object] | None:
        if sign != "{":
            raise self._damaged()
        while True:
            try:
                found, end = self._decoder.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError):
                    raise UnparsableError(
                        f"Object {self._place} cannot be read: {bounds.TooDeepError()}."
                    ) from None
                if self._is_over:
                    raise self._damaged() from None
                if len(self._buffer) - self._at > LINE_AT_MOST:
                    raise UnparsableError(f"Object {self._place} is longer than a megabyte.") from None
                self._more()
            else:
                self._require_depth(self._buffer[self._at : end])
                self._at = end
                return found if isinstance(found, dict) else None

    def _require_depth(self, found: str) -> None:
        try:
            bounds.require_depth(found)
        except bounds.TooDeepError as error:
            raise UnparsableError(f"Object {self._place} cannot be read: {error}.") from None

    def _skip(self) -> str:
        """The next sign that is no white space."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in " \t\r\n":
                    return self._buffer[self._at]
                self._at += 1
            if self._is_over:
                raise self._damaged()
            self._more()

    def _more(self) -> None:
        try:
            read = self._text.read(1 << 18)
        except UnicodeDecodeError:
            raise UnparsableError("Expected JSON in UTF-8.") from None
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise UnparsableError(f"The gzip file is damaged after object {self._place}.") from None
        self._is_over = not read
        self._buffer, self._at = self._buffer[self._at :] + read, 0

    def _damaged(self) -> UnparsableError:
        return UnparsableError(f"Expected a JSON array of objects; it breaks off after object {self._place}.")


def _no_constant(_: str) -> None:
    raise ValueError


def _cell(value: object) -> str:
    """What a cell of a CSV would hold: the text of one value, or of a list of them."""
    if value is None or isinstance(value, dict):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value if not isinstance(item, list | dict))
    return str(value)


class _Counted(io.RawIOBase):
    """A stream that knows how much was read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than Buffer
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


class _Guarded(io.RawIOBase):
    """An unpacked gzip stream that ends in an error instead of in a full disk."""

    def __init__(self, stream: BinaryIO, packed: _Counted, *, total: int, ratio: int) -> None:
        self._stream = gzip.GzipFile(fileobj=stream)
        self._packed = packed
        self._total = total
        self._ratio = ratio
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than Buffer
        data = self._stream.read1(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        if self._count > self._total:
            raise UnparsableError(f"The file unpacks to more than {self._total} bytes.")
        if self._count > RATIO_FROM and self._count > self._ratio * self._packed.count:
            raise UnparsableError(f"The file unpacks to more than {self._ratio} times its size.")
        return len(data)


class _Remembered[K: Hashable, V](dict[K, V]):
    """What a cell's text means, worked out once for each text that comes again and again; never callers."""

    def __init__(self, read: Callable[[K], V]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, raw: K) -> V:
        value = self._read(raw)
        if len(self) >= REMEMBERED_AT_MOST:
            self.clear()
        self[raw] = value
        return value


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SLASHED = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}),? (\d{1,2}):(\d{2})(?::(\d{2}))?(?: ?([AaPp])\.?[Mm]\.?)?", re.ASCII
).fullmatch
_HALF_DAY = re.compile(
    r"(\d{4})-(\d\d)-(\d\d) (\d{1,2}):(\d\d)(?::(\d\d))? ?([AaPp])[Mm](?: ?(Z|[+-]\d\d:?\d\d))?", re.ASCII
).fullmatch
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:[.,]\d{1,6})?)? ?(Z|UTC|[+-]\d\d:?\d\d)?", re.ASCII
).fullmatch


def epoch(text: str) -> datetime | None:
    """A moment written as ten digits, seconds since 1970, or thirteen, milliseconds; None for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) in (10, 13)):
        return None
    return _EPOCH + timedelta(milliseconds=int(text) if len(text) == 13 else int(text) * 1000)


def _only_offset(hour: str, zone: tzinfo) -> timedelta | None:
    """The offset of an hour such as "2026-01-31 13"; None where a part of it has another, or comes twice or never."""
    first = datetime.fromisoformat(hour + ":00:00").replace(tzinfo=zone)
    last = first.replace(minute=59, second=59)
    found = {each.replace(fold=fold).utcoffset() for each in (first, last) for fold in (0, 1)}
    return found.pop() if len(found) == 1 else None


def _start_reader(
    column: str, slashes: Slashes, *, zone: tzinfo, at: datetime, has_epochs: bool = False
) -> Callable[[str], tuple[datetime, bool]]:
    """
    A function from a cell to UTC, and to whether that is the first of two times that the cell may mean.

    The zone's offset is looked up once for each hour that has only one.
    """
    latest = at.astimezone(UTC) + base.AHEAD_AT_MOST
    earliest = base.EARLIEST
    from_iso = datetime.fromisoformat

    offsets = _Remembered[str, timedelta | None](lambda hour: _only_offset(hour, zone))

    def otherwise(text: str) -> tuple[datetime, bool]:
        text = text.strip()
        found = epoch(text) if has_epochs else None
        if found is None:
            found = moment(text, slashes)
        if found is None:
            raise RefusedError(column, "a time such as 2026-01-31 13:05:09")
        try:
            if found.tzinfo:
                return found.astimezone(UTC), False
            first, second = (found.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        except OverflowError:
            raise RefusedError(column, "a time such as 2026-01-31 13:05:09") from None
        return first, first < second  # of a time that was skipped the second lies before

    def start_of(text: str) -> tuple[datetime, bool]:
        try:
            # The plain form, "2026-01-31 13:05:09": read as if it were UTC, then moved by the hour's offset.
            offset = offsets[text[:13]] if len(text) == 19 and text[13] == ":" else None
            found = (from_iso(text + "Z") - offset, False) if offset is not None else otherwise(text)
        except (ValueError, OverflowError) as error:
            if isinstance(error, RefusedError):
                raise
            found = otherwise(text)
        if not earliest <= found[0] <= latest:
            raise RefusedError(column, "a start since 2005 and not in the future")
        return found

    return start_of


def moment(text: str, slashes: Slashes) -> datetime | None:
    """A time as trackers write them, with or without an offset; None for anything else."""
    try:
        if _ISO(text) is not None:
            return datetime.fromisoformat(
                text.replace(" UTC", "Z").replace(" +", "+").replace(" -", "-").replace(" Z", "Z")
            )
        if (found := _HALF_DAY(text)) is not None:
            year, month, day = int(found[1]), int(found[2]), int(found[3])
            offset = found[8] or ""
        elif slashes is not None and (found := _SLASHED(text)) is not None:
            one, two, year = int(found[1]), int(found[2]), int(found[3])
            month, day = (one, two) if slashes == "month first" else (two, one)
            offset = ""
        else:
            return None
        hour = int(found[4])
        if found[7]:
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if found[7] in "Pp" else 0)
        minute, second = int(found[5]), int(found[6] or 0)
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # the zone is the caller's
        return datetime.fromisoformat(local.isoformat() + offset) if offset else local
    except ValueError:
        return None


# The first of these that is said counts: a call that went to voicemail was answered by nobody.
_SAID: Final[tuple[tuple[Outcome, frozenset[str]], ...]] = (
    (Outcome.VOICEMAIL, frozenset({"voicemail", "voicemails"})),
    (Outcome.ABANDONED, frozenset({"abandon", "abandoned", "hangup", "cancel", "canceled", "cancelled"})),
    (Outcome.MISSED, frozenset({"missed", "unanswered", "noanswer"})),
    (Outcome.BUSY, frozenset({"busy"})),
    (Outcome.FAILED, frozenset({"fail", "failed", "failure"})),
    (Outcome.ANSWERED, frozenset({"answered", "completed", "connected"})),
)
_OUTCOMES: Final = {word: outcome for outcome, words in _SAID for word in words}
_NOT: Final = frozenset(
    {
        "no", "not", "non", "never", "nobody", "none", "without", "cannot", "isnt", "wasnt", "didnt", "couldnt",
        "hasnt", "nor", "neither",
    }
)  # fmt: skip
_NOT_ANSWERED: Final = frozenset({"answer", "complete", "connect"})  # with one of those before it
_NO_OUTCOME: Final = (frozenset({"in", "progress"}), frozenset({"ringing"}))
_BESIDE: Final = frozenset({"call", "calls", "inbound", "outbound"})
_WORD: Final = re.compile(r"[^\W_]+")


def _outcome(raw: str, column: str) -> tuple[Outcome | None, Direction | None]:
    """
    What a status says about the outcome, and about the direction when it names it ("Outbound Call").

    By whole words, and a "not" before them counts: "Disconnected" is none of ours, "Never answered" is missed.
    """
    text = raw.lower().replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "")
    words = _WORD.findall(text.replace("voice mail", "voicemail"))
    direction = (
        Direction.OUTBOUND if "outbound" in words else Direction.INBOUND if "inbound" in words else None
    )
    said: set[Outcome] = set()
    negated = False
    for word in words:
        outcome = _OUTCOMES.get(word)
        if word in _NOT:
            negated = True
        elif not negated and outcome is not None:
            said.add(outcome)
        elif negated and (outcome is Outcome.ANSWERED or word in _NOT_ANSWERED):
            said.add(Outcome.MISSED)
        elif negated and outcome not in {None, Outcome.VOICEMAIL}:
            raise RefusedError(column, _EXPECTED)
    for outcome, _ in _SAID:
        if outcome in said:
            return outcome, direction
    rest = frozenset(words) - _BESIDE
    if rest in _NO_OUTCOME or not (rest or (text.strip(" -") and not words)):
        return None, direction
    raise RefusedError(column, _EXPECTED)


_EXPECTED: Final = "answered, missed, voicemail, abandoned, busy or failed"


def _direction(raw: str, column: str) -> Direction | None:
    text = raw.strip().lower()
    if text in {"inbound", "in", "incoming"}:
        return Direction.INBOUND
    if text in {"outbound", "out", "outgoing"} or text.startswith("outbound-"):
        return Direction.OUTBOUND
    if not text:
        return None
    raise RefusedError(column, "inbound or outbound")


def _row_reader(
    layout: Format, places: Mapping[str, int], header: tuple[str, ...], *, zone: tzinfo, at: datetime
) -> Callable[[list[str]], CallFacts | None]:
    """A function from a row's cells to its facts; None for a row of blanks."""
    blank = len(header)  # `read` puts an empty cell there, for the fields without a column
    pick = itemgetter(*(places.get(field, blank) for field in FIELDS))
    names = {field: header[place] for field, place in places.items()}
    region_of_numbers = layout.default_region

    start_of = _start_reader(
        names["started_at"], layout.slashes, zone=zone, at=at, has_epochs=layout.has_epochs
    )
    caller_column = names["caller"]
    normalise = phone.normalise
    references_of = layout.references
    lengths = _Remembered[str, int | None](lambda raw: base.seconds(raw, names.get("seconds", "")))
    directions = _Remembered[str, Direction | None](lambda raw: _direction(raw, names.get("direction", "")))
    outcomes = _Remembered[str, tuple[Outcome | None, Direction | None]](
        lambda raw: _outcome(raw, names.get("outcome", ""))
    )
    tracking_numbers = _Remembered[str, str | None](
        lambda raw: base.number(raw, names.get("tracking_number", ""), region_of_numbers)
    )
    texts = _Remembered[str, str](base.plain_text)
    pages = _Remembered[str, str](base.landing_path)
    media = _Remembered[str, str](lambda raw: base.plain_text(raw, base.MEDIUM_LENGTH))
    first_calls = _Remembered[str, bool | None](lambda raw: base.answer(raw, names.get("first_call", "")))
    qualifieds = _Remembered[str, bool | None](lambda raw: base.answer(raw, names.get("qualified", "")))
    values = _Remembered[str, int | None](lambda raw: base.cents(raw, names.get("value_cents", "")))
    tag_lists = _Remembered[str, tuple[str, ...]](base.tags)
    accounts = _Remembered[str, str](lambda raw: base.reference(raw.strip()) or "")
    # Places are remembered by what the row says and the area code, not by the number.
    places_said = _Remembered[tuple[str, str, str | None], tuple[str, str]](
        lambda said: base.place(said[0], said[1], said[2] and f"{said[2]}5550100")
    )
    presses_of = _Remembered[str, tuple[tuple[str, str], ...]](
        lambda raw: base.presses(raw, lambda place: f"menu {place}")
    )
    usual_direction = layout.direction
    ended = Stage.ENDED
    nothing: frozenset[str] = frozenset()

    def read(row: list[str]) -> CallFacts | None:
        row.append("")
        (
            start,
            caller_raw,
            tracking_raw,
            length,
            direction_raw,
            status,
            source,
            campaign,
            medium,
            page,
            keyword,
            country,
            region,
            first,
            qualified,
            value,
            tag_list,
            reference,
            recording,
            account,
            presses,
        ) = pick(row)
        if not start and not caller_raw and not any(row):
            return None
        caller = normalise(caller_raw, region_of_numbers)
        withheld = caller is None
        if caller is None and not phone.is_withheld(caller_raw):
            raise RefusedError(caller_column, "a telephone number")
        outcome, named_direction = outcomes[status]
        if caller is None or caller[1] == "1":
            said_country, said_region = places_said[country, region, caller and caller[:5]]
        else:
            said_country, said_region = base.place(country, region, caller)
        started_at, first_of_two = start_of(start)
        return CallFacts(
            started_at=started_at,
            direction=directions[direction_raw] or named_direction or usual_direction,
            seconds=lengths[length],
            outcome=outcome,
            caller=caller,
            caller_withheld=withheld,
            tracking_number=tracking_numbers[tracking_raw],
            source=texts[source],
            campaign=texts[campaign],
            medium=media[medium],
            landing_page=pages[page],
            keyword=texts[keyword],
            region=said_region,
            country=said_country,
            first_call=first_calls[first],
            qualified=qualifieds[qualified],
            value_cents=values[value],
            tags=tag_lists[tag_list],
            references=references_of(reference, recording) if reference or recording else (),
            recording_reference=base.recording_link(recording) if recording else None,
            recording_seconds=None,
            account=accounts[account],
            stage=ended,
            revision=0,
            modified_only=nothing,
            presses=presses_of[presses] if presses else (),
            first_of_two=first_of_two,
        )

    return read
