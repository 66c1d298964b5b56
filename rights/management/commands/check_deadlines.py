"""Check the book of deadlines: what is wrong with it, and what nobody has looked at for 90 days."""

import sys
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.utils import timezone

from callprivacy.lib.commands import OwnCommand
from consent.law import Confidence
from rights.law import book


class Command(OwnCommand):
    help = (
        "Check the shipped book of deadlines: terms that overlap or leave a gap, laws without terms, missing "
        "citations, what cannot be counted, and rows that were not checked for 90 days. Each finding is a line on "
        "standard error. Exit status 0: nothing was found, 1: something was."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--on",
            type=date.fromisoformat,
            metavar="DATE",
            help="the day to check for, like 2026-11-25; today without it",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        on = options["on"] or timezone.now().date()
        try:
            shipped = book.load()
            found = book.stale(shipped, on)
        except book.BookError as error:
            shipped, found = book.Book([], []), list(error.faults)
        for fault in found:
            self.stderr.write(str(fault))
        doubtful = sum(term.confidence is not Confidence.VERIFIED for term in shipped.terms)
        self.stdout.write(
            f"Deadlines on {on}: {len(shipped.laws)} laws, {len(shipped.terms)} terms, {doubtful} of them not "
            f"verified yet; {len(found) or 'no'} finding{'' if len(found) == 1 else 's'}."
        )
        if found:
            sys.exit(1)
