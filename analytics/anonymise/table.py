"""A table of texts, kept as numbers: each column is its distinct values and, for each row, which of them it is."""

import csv
import secrets
import unicodedata
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Self, TextIO

import numpy as np

from analytics.anonymise.arrays import Codes, Ints
from analytics.anonymise.errors import AnonymiseError


def alike(values: Sequence[str]) -> Ints:
    """
    For each value a number from 0 on (values), the same one for values that say the same: numbers that are equal, and
    texts that differ in case, space or form of characters only.
    """
    seen: dict[str | Decimal, int] = {}
    return np.array([seen.setdefault(_normal(value), len(seen)) for value in values], np.int64)


def _normal(value: str) -> str | Decimal:
    plain = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    try:
        number = Decimal(plain)
    except InvalidOperation:
        return plain
    return number if number.is_finite() else plain


@dataclass(frozen=True, slots=True)
class Column:
    """`values` are distinct and sorted; `codes` (rows) says for each row which of them it holds."""

    values: tuple[str, ...]
    codes: Codes

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Take a column's texts, one a row."""
        seen: dict[str, int] = {}
        codes = array("i", (seen.setdefault(text, len(seen)) for text in texts))
        return cls.coded(seen, codes)

    @classmethod
    def coded(cls, seen: dict[str, int], codes: array[int]) -> Self:
        """Take codes that `seen` explains; they are numbered anew, so that the order of rows leaves no trace."""
        values = sorted(seen)
        rank = np.empty(len(values), np.int32)
        rank[[seen[value] for value in values]] = np.arange(len(values), dtype=np.int32)
        return cls(tuple(values), rank[np.frombuffer(codes, np.int32)] if codes else np.empty(0, np.int32))

    def alike(self) -> Codes:
        """Codes (rows) that are equal where the values say the same (`alike`)."""
        found: Codes = alike(self.values).astype(np.int32)[self.codes]
        return found

    def texts(self) -> list[str]:
        return [self.values[code] for code in self.codes.tolist()]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, all with as many rows."""

    columns: dict[str, Column]

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[str]]) -> Self:
        """
        Take columns of texts.

        :raises AnonymiseError: they are not equally long, or there is none.
        """
        if len({len(texts) for texts in columns.values()}) != 1:
            raise AnonymiseError("A table has at least one column, and all its columns are equally long.")
        return cls({name: Column.of(texts) for name, texts in columns.items()})

    @classmethod
    def read(cls, lines: Iterable[str], *, delimiter: str = ",") -> Self:
        """
        Read CSV with a line of names on top. Rows are coded as they come, so a million of them need little room.

        :raises AnonymiseError: no names, a name twice, or a row with another number of cells (its line is named).
        """
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            names = next(reader, [])
            if not names or len(set(names)) != len(names):
                raise AnonymiseError("The first line must name the columns, each once.")
            seen: list[dict[str, int]] = [{} for _ in names]
            codes = [array("i") for _ in names]
            for row in reader:
                if len(row) != len(names):
                    if not row:
                        continue
                    raise AnonymiseError(
                        f"Line {reader.line_num} has {len(row)} cells where the first line names {len(names)}."
                    )
                for known, into, text in zip(seen, codes, row, strict=True):
                    into.append(known.setdefault(text, len(known)))
        except csv.Error as error:
            raise AnonymiseError(f"Line {reader.line_num} is not CSV: {error}.") from error
        found = zip(names, seen, codes, strict=True)
        return cls({name: Column.coded(known, into) for name, known, into in found})

    def shuffled(self) -> Self:
        """The same rows in an order drawn from the system's randomness, so that no place says where a row stood."""
        order = np.argsort(np.frombuffer(secrets.token_bytes(8 * len(self)), np.uint64))
        return type(self)(
            {name: Column(column.values, column.codes[order]) for name, column in self.columns.items()}
        )

    def write(self, file: TextIO, *, delimiter: str = ",") -> None:
        """Write CSV with the names on top."""
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(zip(*(column.texts() for column in self.columns.values()), strict=True))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).codes)
