"""Let an agency's people in from everywhere again, where its own list of networks has locked them out."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from callprivacy.accounts.models import SignInPolicy
from callprivacy.accounts.services import passwords
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope


class Command(OwnCommand):
    help = (
        "Empty the list of networks from which an agency's people may work. It stands in the agency's trail."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's short name")

    def handle(self, *_: Any, **options: Any) -> None:
        for agency_id in tenancy.agency_ids():
            with job_scope(agency_id=agency_id):
                agency = Agency.objects.get(pk=agency_id)
                if agency.slug != options["agency"]:
                    continue
                changed = SignInPolicy.objects.filter(agency=agency).exists() and passwords.change_policy(
                    agency=agency, values={"networks": []}, by=Actor.job("open_everywhere"), at=timezone.now()
                )
            self.stdout.write("Open from everywhere." if changed else "There was no list of networks.")
            return
        raise CommandError(f"There is no agency “{options['agency']}”.")
