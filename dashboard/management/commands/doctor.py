"""`manage.py doctor`: find what is likely to be set up wrongly, and say what to do."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from callprivacy.lib.commands import OwnCommand
from dashboard.services import doctor


class Command(OwnCommand):
    """Exits with 1 where something is wrong; with --strict also where something wants a look."""

    help = "Look at the databases, Valkey, keys, processes, proxies, mail, TLS, disks and backups; say what to do."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--strict", action="store_true", help="what wants a look counts as wrong")

    def handle(self, *args: Any, **options: Any) -> None:
        graves = []
        for looked in doctor.examine(timezone.now):
            self.stdout.write(f"{'good' if not looked.findings else 'LOOK':<5} {looked.title}")
            for one in looked.findings:
                self.stdout.write(f"      {one.grave.upper()}: {one.fact}\n        -> {one.to_do}")
            graves += [one.grave for one in looked.findings]
        wrong, to_see = graves.count(doctor.WRONG), graves.count(doctor.LOOK)
        self.stdout.write(f"{wrong} wrong, {to_see} to look at.")
        if wrong or (options["strict"] and to_see):
            raise SystemExit(1)
