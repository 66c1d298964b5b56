"""Check the rules of the law as files: what is wrong with them, and what nobody has looked at for 90 days."""

import sys
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from callprivacy.lib.commands import OwnCommand
from consent.law import pack


class Command(OwnCommand):
    help = (
        "Check the shipped rules, or a rule pack before import, for overlapping rows, gaps, missing places, missing "
        "citations, unknown places and topics, rows not checked for 90 days, and verified rows without an address, "
        "a date, and a quotation. Each finding is one line on standard error. Exit status: 0 without findings, 1 "
        "with findings."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "pack", nargs="?", type=Path, metavar="PACK", help="a rule pack (default: the shipped rules)"
        )
        parser.add_argument(
            "--on", type=_day, metavar="DATE", help="the date to check for, like 2026-11-25 (default: today)"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        on = options["on"] or timezone.now().date()
        try:
            raw = options["pack"].read_bytes() if options["pack"] else pack.shipped_text()
        except OSError as error:
            raise CommandError(f"{options['pack']} cannot be read: {error.strerror}.") from error
        version, rules, found = pack.read(raw)
        found = [*found, *pack.faults(rules), *pack.stale(rules, on), *pack.unread(rules)]
        for fault in found:
            self.stderr.write(str(fault))
        unverified = sum(not rule.is_verified for rule in rules)
        unsigned = sum(not rule.signed_off_by for rule in rules)
        self.stdout.write(
            f"Rules {version or 'without a version'} on {on}: {len(rules)} rows, {unverified} not verified yet, "
            f"{unsigned} not signed off by counsel yet, digest {pack.digest_of(rules)[:16]}; "
            f"{len(found) or 'no'} finding{'' if len(found) == 1 else 's'}."
        )
        if found:
            sys.exit(1)


def _day(text: str) -> date:
    return date.fromisoformat(text)
