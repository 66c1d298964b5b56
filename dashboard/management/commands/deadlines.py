"""Deadlines of requests and breaches in a file: CSV in, the same with their dates out. Needs no database."""

import csv
import io
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from callprivacy.lib.commands import OwnCommand
from governance.law import breaches
from rights.deadlines import ground, lines


class Command(OwnCommand):
    help = (
        "Read a CSV file with the columns law, kind, received_at and zone, one request a row, and print it with "
        "acknowledge_by and answer_by added: the last day in time, in that zone; empty where the law sets no day, or "
        "while the clock stands. in_force_from is the day from which the law holds, where the request came before it. "
        "The columns paused (2026-02-01/2026-02-05; without an end while it lasts) and identified_at are read where "
        "there are any. The kind breach takes a rule of breaches as its law (gdpr, us-ca, us-vt-office), the moment of "
        "awareness as received_at, and told_at. received_at is a time with an offset, or by the zone's clocks without "
        "one, or a day. `-` reads standard input. A row that cannot be answered is named by its line on standard "
        "error, nothing is printed and the exit status is 1; 2: there is no such file."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a CSV file in UTF-8, or - for standard input")
        parser.add_argument(
            "--extended", action="store_true", help="with the extension of each law that knows one"
        )
        parser.add_argument(
            "--instants",
            action="store_true",
            help="print the first instant that is too late, with its offset, in place of the last day",
        )
        parser.add_argument(
            "--place",
            type=_place,
            metavar="COUNTRY[-PART]",
            help="where the client is (GB-SCT, DE-BY), for laws that look at its holidays; by the zone without it",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        how = lines.Options(
            extended=options["extended"],
            place=options["place"],
            instants=options["instants"],
            breach=breaches.count,
        )
        try:
            rows = list(lines.answer(_text(options["file"]), how))
        except lines.LineError as error:
            raise CommandError(str(error)) from error
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows)
        self.stdout.write(out.getvalue(), ending="")


def _text(name: str) -> io.TextIOBase:
    """The file as UTF-8 text, a byte order mark taken off; line breaks stay as they are in quoted fields."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.", returncode=2) from error
    return io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", newline="")


def _place(text: str) -> tuple[str, str]:
    country, _, region = text.upper().partition("-")
    if not ground.is_place((country, region)):
        raise ArgumentTypeError(f"nobody knows the holidays of {text}")
    return country, region
