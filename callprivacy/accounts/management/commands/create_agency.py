"""Make an agency and print the link with which its first compliance officer comes in."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.core.validators import validate_email
from django.utils import timezone

from callprivacy.accounts.services import agencies, invitations
from callprivacy.lib import zones
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.scope import Actor


class Command(OwnCommand):
    help = "Make an agency, and print the invitation link of its first compliance officer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the agency's name")
        parser.add_argument(
            "--officer", required=True, metavar="EMAIL", help="the first compliance officer's e-mail"
        )
        parser.add_argument("--officer-name", default="", help="that person's name")
        parser.add_argument("--time-zone", default="America/New_York", help="such as America/Chicago")

    def handle(self, *args: Any, **options: Any) -> None:
        email, zone = options["officer"], options["time_zone"]
        try:
            validate_email(email)
        except ValidationError:
            raise CommandError(f"--officer {email} is no e-mail address.") from None
        if zone not in zones.known():
            raise CommandError(f"--time-zone {zone} is no time zone; write one such as America/Chicago.")
        by, at = Actor.operator(user_id=None), timezone.now()
        try:
            agency = agencies.create_agency(name=options["name"], time_zone=zone, by=by, at=at)
        except agencies.SlugTakenError as error:
            raise CommandError(str(error)) from None
        token = agencies.invite_officer(
            agency_id=agency.pk,
            email=email,
            name=options["officer_name"] or email.split("@")[0],
            by=by,
            at=at,
        )
        days = invitations.VALID_FOR.days
        self.stdout.write(
            f"{agency.name} is there. Open this link within {days} days to come in; it works once:"
        )
        self.stdout.write(invitations.url_of(token))
