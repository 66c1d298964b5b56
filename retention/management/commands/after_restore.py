"""Remove from a restored database what was deleted since the dump, and let web and worker start."""

import os
import subprocess
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from callprivacy.audit.services import lineage
from callprivacy.audit.services.lineage import Lineage
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.progress import Progress
from retention.services import restoring

_LABELS = {
    "noes": "withdrawals",
    "restricted": "restrictions",
    "held": "legal holds",
    "own": "agency records",
}


class Command(OwnCommand):
    help = (
        "After a dump of the database was put back, or a dump has carried both to another server: begin a new epoch of "
        "the trail, take out what the vault says is gone, say every no again, and let web and worker serve. Cut off and"
        " begun again, it goes on. Run it with web, worker and beat stopped, DATABASE_OWNER_URL set."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--why", default="a dump was put back", help="what happened, for the trail")
        parser.add_argument("--anyway", action="store_true", help="also where no restore was noticed")
        parser.add_argument(
            "--vault-is-older",
            action="store_true",
            help="the vault was put back, and there is no newer dump of it: whoever it does not know any more is taken "
            "out of the database; says first how many, and asks, unless --yes",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--everybody",
            action="store_true",
            help="also where the vault knows nobody who is in the database: all of them are taken out",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        if settings.CALLPRIVACY_ROLE != "app":
            raise CommandError("Run it as the app: leave CALLPRIVACY_ROLE out.", returncode=2)
        found = lineage.lineage()
        went_back = restoring.ids_went_back()
        has_begun = lineage.epoch_has_begun() and not went_back
        if found is Lineage.SAME and not (options["anyway"] or has_begun or went_back):
            self.stdout.write(
                "Both databases are of one age: nothing to do. To do it all the same: --anyway."
            )
            return
        self._look_first(found, options)
        if not has_begun:
            self._begin_epoch(options["why"])
        with Progress("Looked at", out=self.stderr) as progress:
            removed = restoring.take_out(at=timezone.now(), step=progress.step)
        restoring.made_good(found=removed, at=timezone.now())
        listed = ", ".join(
            f"{count:,} {_LABELS.get(name, name)}" for name, count in asdict(removed).items() if count
        )
        self.stdout.write(
            f"Removed or recorded again: {listed or 'nothing'}. Web, worker and beat may start."
        )

    def _look_first(self, found: Lineage, options: dict[str, Any]) -> None:
        """
        Take nothing out for a vault that is the wrong one.

        :raises CommandError: it knows nobody, or is the older one, and nobody has said that this is meant.
        """
        with Progress("Counted", out=self.stderr) as progress:
            lost = restoring.unopened(step=progress.step)
        if lost.is_everybody and not options["everybody"]:
            raise CommandError(
                f"The vault knows none of the {lost.of_people:,} people in the database: it is empty, or another "
                "installation's. See that VAULT_DATABASE_URL names the right one, and put the newest dump of the vault "
                "back. Only where there is none, add --everybody: all of them are taken out then. Nothing was changed.",
                returncode=2,
            )
        if found is not Lineage.VAULT_OLDER:
            return
        if not options["vault_is_older"]:
            raise CommandError(
                f"The vault is older than the database. It opens no more: {lost}. If a newer dump of the vault exists, "
                "put that one back instead. Only where there is none, add --vault-is-older: they are taken out then. "
                "Nothing was changed.",
                returncode=2,
            )
        if lost and not options["yes"]:
            self.asks(f"No key opens, and so would be taken out: {lost}.", word="take out")

    def _begin_epoch(self, why: str) -> None:
        done = subprocess.run(
            [sys.executable, str(Path(sys.argv[0]).resolve()), "start_epoch", "--why", why[:200]],
            env=os.environ | {"CALLPRIVACY_ROLE": "owner"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandError(f"The trail's new epoch could not begin. {done.stderr.strip()}", returncode=2)
        self.stdout.write(done.stdout.strip())
