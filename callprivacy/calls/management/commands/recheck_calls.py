"""Pass texts of calls that were stored before the recognizer of numbers through it."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from callprivacy.calls.services import rechecking
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.progress import Progress
from callprivacy.tenancy import selectors as tenancy


class Command(OwnCommand):
    help = (
        "Pass the source, campaign, medium, landing page, keyword and tags of stored calls through the recognizer of "
        "telephone numbers, once after an update that recognizes more. Texts with a number are removed; calls on hold "
        "stay as they are. Safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", metavar="SLUG", help="only this agency")
        parser.add_argument(
            "--client", metavar="SLUG", help="only this client, of --agency or of all agencies"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        at = timezone.now()
        clients = tenancy.clients_chosen(options["agency"], options["client"])
        if not clients:
            raise CommandError("There is no such client.", returncode=2)
        for client, name in clients:
            with Progress(name, out=self.stderr) as progress:
                found = rechecking.recheck(client=client, at=at, step=progress.step)
            self.stdout.write(
                f"{name}: {found.calls:,} calls, {found.changed:,} changed, {found.on_hold:,} on hold and left,"
                f" {found.values:,} known values forgotten"
            )
