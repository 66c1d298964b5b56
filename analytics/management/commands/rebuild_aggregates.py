"""Make the cells of reports anew from the calls, or hold them against what they would be."""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from analytics.services import rebuilding
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.progress import Progress
from callprivacy.tenancy import selectors as tenancy


class Command(OwnCommand):
    help = (
        "Make the cells that reports are made of anew from the calls, while everybody works; afterwards they are what "
        "they were, unless something was wrong. Spans whose calls have begun to expire stay as they are. With --check "
        "nothing is kept: exit status 1 when something differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", metavar="SLUG", help="only this agency")
        parser.add_argument(
            "--client", metavar="SLUG", help="only this client, of --agency or of all agencies"
        )
        parser.add_argument("--check", action="store_true", help="compare, keep nothing")

    def handle(self, *_: Any, **options: Any) -> None:
        at, check = timezone.now(), options["check"]
        clients = tenancy.clients_chosen(options["agency"], options["client"])
        if not clients:
            raise CommandError("There is no such client.", returncode=2)
        differing = 0
        for client, name in clients:
            with Progress(name, out=self.stderr) as progress:
                outcome = rebuilding.rebuild(client=client, at=at, check=check, step=progress.step)
            differing += outcome.differing
            found = "differ" if check else "were put right"
            self.stdout.write(f"{name}: {outcome.spans:,} spans, {outcome.differing:,} {found}")
        if check and differing:
            sys.exit(1)
