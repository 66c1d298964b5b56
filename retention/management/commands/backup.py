"""Dump the two databases, sealed, into folders apart; remove the vault's old dumps."""

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from callprivacy.lib.commands import OwnCommand
from callprivacy.vault import envelopes
from retention.services import backups


class Command(OwnCommand):
    help = (
        "Dump both databases, each into its folder, sealed to CALLPRIVACY_BACKUP_RECIPIENTS, and remove the vault's "
        "dumps of fourteen days ago. docs/backups.md says how to set it up."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "databases", nargs="*", metavar="DATABASE", help="default, vault; both unless named"
        )
        parser.add_argument(
            "--new-key",
            type=Path,
            metavar="FILE",
            help="make a pair of keys instead: the private half goes to FILE",
        )

        parser.add_argument(
            "--gone",
            metavar="NAME",
            help="note instead that this dump of the vault, and its key, were deleted by hand",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        at = timezone.now()
        if options["gone"]:
            self._note_gone(options["gone"], at)
            return
        if options["new_key"]:
            self._make_key(options["new_key"])
            return
        chosen = tuple(options["databases"]) or backups.DATABASES
        for name in chosen:
            if name not in backups.DATABASES:
                raise CommandError(
                    f"There is no database {name}: write default, vault or nothing.", returncode=2
                )
        if settings.CALLPRIVACY_ROLE != "owner":
            raise CommandError("Only the owner sees every row: set CALLPRIVACY_ROLE=owner.", returncode=2)
        gone = backups.expire_backups(at=at)
        try:
            made = backups.make_backups(databases=chosen, at=at)
        except backups.BackupError as error:
            raise CommandError(str(error), returncode=2) from None
        for row in made:
            self.stdout.write(f"{row.database}: {row.name}, {row.size:,} bytes, sealed to {row.recipient}")
        if gone:
            self.stdout.write(f"{len(gone)} dumps of the vault were fourteen days old and are gone.")

    def _note_gone(self, name: str, at: datetime) -> None:
        try:
            backups.note_gone(name=name, at=at)
        except backups.BackupError as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(f"{name} is noted as removed.")
        if not backups.has_folders():
            self.stdout.write("By your word: no folder of backups is configured here to look into.")

    def _make_key(self, path: Path) -> None:
        secret, public = envelopes.new_identity()
        try:
            backups.write_private(path, f"# public key: {public}\n{secret}\n".encode())
        except OSError as error:
            raise CommandError(f"{path} cannot be made: {error.strerror}.", returncode=2) from None
        self.stdout.write(f"CALLPRIVACY_BACKUP_RECIPIENTS={public}")
        self.stdout.write(f"Take {path} away from this machine: without it no dump opens, with it all do.")
