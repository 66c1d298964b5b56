"""What replies mean: a CSV file with a column `text` in, `text,label,why` out. Needs no database."""

import csv
import io
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from django.core.management.base import CommandError

from callprivacy.lib.commands import OwnCommand
from consent import replies

COLUMN = "text"
CHANNELS = ("sms", "email", "web", "voice")


class Command(OwnCommand):
    help = (
        "Read a CSV file with a column `text`, one reply per row, and print CSV with text, label, and why. "
        "The label is withdraw, consent, help, review (a person decides), or none. "
        "`-` reads standard input. Exit status 2: the file cannot be read."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a CSV file in UTF-8, or - for standard input")
        parser.add_argument("--channel", choices=CHANNELS, default="sms", help="channel of the replies (sms)")

    def handle(self, *_: Any, **options: Any) -> None:
        writer = csv.writer(_Out(self.stdout), lineterminator="\n")
        with _opened(options["file"]) as file:
            rows = _texts(file, options["file"])
            writer.writerow([COLUMN, "label", "why"])
            for text in rows:
                verdict = replies.classify(text, channel=options["channel"])
                writer.writerow([text, verdict.label, verdict.why])


class _Out:
    """Django's output, which adds a line break to what has none, as a plain file."""

    def __init__(self, out: Any) -> None:
        self._out = out

    def write(self, text: str) -> int:
        self._out.write(text, ending="")
        return len(text)


@contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    """The file as UTF-8 text, a byte order mark taken off; line breaks stay as they are in quoted fields."""
    if name == "-":
        yield _decoded(sys.stdin.buffer)
        return
    try:
        with Path(name).open("rb") as file:
            yield _decoded(file)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.", returncode=2) from error


def _decoded(file: BinaryIO) -> TextIO:
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def _texts(file: TextIO, name: str) -> Iterator[str]:
    """
    The column `text`, row by row, from a file that has been looked at already: the header is read here and now.

    :raises CommandError: not CSV, not UTF-8, or no such column.
    """
    reader = csv.reader(file)
    try:
        header = next(reader, None)
    except (csv.Error, UnicodeDecodeError) as error:
        raise _unreadable(name, 1, error) from error
    if not header:
        raise CommandError(f"{name} is empty; its first line must name a column {COLUMN!r}.", returncode=2)
    names = [cell.strip().casefold() for cell in header]
    if COLUMN not in names:
        raise CommandError(
            f"{name} has no column {COLUMN!r}; its first line names: {', '.join(header)}.", returncode=2
        )
    return _column(reader, names.index(COLUMN), name)


def _column(reader: Any, place: int, name: str) -> Iterator[str]:
    while True:
        try:
            row = next(reader, None)
        except (csv.Error, UnicodeDecodeError) as error:
            raise _unreadable(name, max(reader.line_num, 1), error) from error
        if row is None:
            return
        if row:
            yield row[place] if place < len(row) else ""


def _unreadable(name: str, line: int, error: Exception) -> CommandError:
    what = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"is not CSV ({error})"
    return CommandError(f"{name}, at line {line}: {what}. Save it as CSV in UTF-8.", returncode=2)
