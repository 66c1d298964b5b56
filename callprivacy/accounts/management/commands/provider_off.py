"""Let an agency's people in by password again, where its own provider does not answer and nobody named can get in."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from callprivacy.accounts import selectors
from callprivacy.accounts.services import sso
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.scope import job_scope


class Command(OwnCommand):
    help = "Switch off an agency's own sign-in provider. It stands in the agency's trail."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's short name")

    def handle(self, *_: Any, **options: Any) -> None:
        agency_id = tenancy.agency_id_of(options["agency"])
        if agency_id is None:
            raise CommandError(f"There is no agency “{options['agency']}”.")
        with job_scope(agency_id=agency_id):
            row = selectors.provider()
            was_on = row is not None and row.is_on
            if was_on:
                sso.switch_off(by=Actor.job("provider_off"), at=timezone.now())
        self.stdout.write("It is off: passwords count again." if was_on else "There was none that is on.")
