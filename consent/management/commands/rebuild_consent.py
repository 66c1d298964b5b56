"""Make the projection of consent anew from the ledger, or hold one against the other."""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.progress import Progress
from callprivacy.tenancy import selectors as tenancy
from consent.services import rebuilding


class Command(OwnCommand):
    help = (
        "Rebuild the consent status of callers from their consent events while the site is in use. "
        "With --check, write nothing and exit with status 1 if something differs. The vault's list of opt-outs does "
        "not change."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", metavar="SLUG", help="only this agency")
        parser.add_argument(
            "--client", metavar="SLUG", help="only this client, of --agency or of all agencies"
        )
        parser.add_argument("--check", action="store_true", help="compare and write nothing")

    def handle(self, *_: Any, **options: Any) -> None:
        at, check = timezone.now(), options["check"]
        clients = tenancy.clients_chosen(options["agency"], options["client"])
        if not clients:
            raise CommandError("No client has this slug.", returncode=2)
        differing = 0
        for client, name in clients:
            with Progress(name, out=self.stderr) as progress:
                outcome = rebuilding.rebuild(client=client, at=at, check=check, step=progress.step)
            differing += outcome.differing
            found = f"{outcome.differing:,} differ" if check else f"{outcome.differing:,} corrected"
            self.stdout.write(f"{name}: {outcome.callers:,} callers, {found}")
            for caller_id in outcome.examples:
                self.stdout.write(f"{name}: caller {caller_id}")
        if check and differing:
            sys.exit(1)
