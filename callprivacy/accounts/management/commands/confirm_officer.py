"""Confirm the invitation of a compliance officer, where no other officer of the agency can."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from callprivacy.accounts import selectors
from callprivacy.accounts.services import agencies, officers
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.scope import job_scope


class Command(OwnCommand):
    help = "Confirm the invitation of an officer if no other officer of the agency can. The audit log records it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's short name")
        parser.add_argument("--officer", required=True, metavar="EMAIL", help="the invited address")

    def handle(self, *_: Any, **options: Any) -> None:
        agency_id, at = tenancy.agency_id_of(options["agency"]), timezone.now()
        if agency_id is None:
            raise CommandError(f"There is no agency “{options['agency']}”.")
        with job_scope(agency_id=agency_id):
            email = options["officer"].strip().lower()
            found = selectors.unconfirmed(at=at).filter(email=email).first()
        try:
            if found is None:
                raise officers.NotWaitingError
            agencies.confirm_officer(
                agency_id=agency_id, invitation_id=found.pk, by=Actor.operator(user_id=None), at=at
            )
        except (
            officers.NotWaitingError,
            officers.OfficersConfirmError,
            officers.RemovedLatelyError,
        ) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Confirmed. {email} gets a link by mail.")
