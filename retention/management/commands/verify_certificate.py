"""Verify a certificate of destruction against this installation's own keys."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from callprivacy.lib.commands import OwnCommand
from callprivacy.vault import signing
from tools import verify_certificate


class Command(OwnCommand):
    help = (
        "Verify a certificate of destruction, JSON or PDF, against the keys of this installation. It is what "
        "tools/verify_certificate.py does anywhere, with the keys pinned. "
        "Exit status 0: it holds, 1: it does not, 2: it could not be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--key",
            action="append",
            metavar="KEY",
            help="another installation's public key instead of our own",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        pins = options["key"] or [public.hex() for public in signing.public_keys().values()]
        try:
            report = verify_certificate.verify(options["file"].read_bytes(), pins=pins)
        except (verify_certificate.UnreadableError, OSError) as error:
            raise CommandError(f"Cannot verify: {error}", returncode=2) from error
        for finding in report.findings:
            self.stdout.write(self.style.ERROR(f"FOUND {finding}"))
        if report.findings:
            sys.exit(1)
        self.stdout.write("\n".join(verify_certificate.told(report)))
        self.stdout.write(self.style.SUCCESS("The certificate holds."))
