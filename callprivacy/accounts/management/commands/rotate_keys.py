"""Change the master key, or one client's keys, while everybody works."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from callprivacy.accounts.services import keys
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.progress import Progress
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault_keys
from callprivacy.vault import services as vault


class Command(OwnCommand):
    help = (
        "Wrap keys again, in batches and online; a run that was killed is taken up by the next. "
        "--master: put a new key first in FIELD_ENCRYPTION_KEY, restart, run this, then do what it says "
        "before the old one goes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--master", action="store_true", help="bring everything under the newest master key"
        )
        which.add_argument("--client", metavar="SLUG", help="a client's slug, or agency/client")
        which.add_argument("--tokens", metavar="SLUG", help="the same, for the key of its numbers' tokens")

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        if options["master"]:
            self._rotate_master(at)
            return
        try:
            client = keys.find_client(options["tokens"] or options["client"])
        except keys.UnknownClientError as error:
            raise CommandError(str(error)) from None
        try:
            if options["tokens"]:
                self._rotate_tokens(client, at)
                return
            total = keys.count_client_rows(client)
            with Progress(f"Key of {client.slug}", out=self.stderr, total=total or None) as progress:
                moved = keys.rotate_client(client=client, at=at, step=progress.step)
        except (keys.RotationStuckError, vault_keys.NoClientKeyError) as error:
            raise CommandError(str(error)) from None
        except tenancy.ClientLeftError:
            raise CommandError(f"{client.slug} has left: its keys go with it.") from None
        self.stdout.write(f"{moved:,} keys of {client.slug} are under its new key; the old one is destroyed.")

    def _rotate_master(self, at: datetime) -> None:
        if not vault.has_older_masters():
            raise CommandError(str(keys.NoNewerKeyError()), returncode=2)
        total = vault_keys.clients_behind_master(vault.master_fingerprint())
        with Progress("Master key", out=self.stderr, total=total or None) as progress:
            moved = keys.rotate_master(at=at, step=progress.step)
        if moved:
            self.stdout.write(
                f"{moved:,} secrets are under the newest master key; nothing here needs an older one."
            )
        else:
            self.stdout.write(
                "Everything was under the first key of FIELD_ENCRYPTION_KEY already; nothing here needs the others."
            )
        self.stdout.write(
            "Dumps of before do. Run manage.py backup and manage.py restore_drill; only then take the older key out, "
            "and keep it in the safe as long as a dump of before exists (docs/backups.md)."
        )

    def _rotate_tokens(self, client: Client, at: datetime) -> None:
        with Progress(f"Tokens of {client.slug}", out=self.stderr) as progress:
            moved = keys.rotate_tokens(client=client, at=at, step=progress.step)
        self.stdout.write(
            f"{moved:,} tokens of {client.slug} are made with its new key; no older form is left."
        )
