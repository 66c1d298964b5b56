"""Put a new compliance officer in the place of the one person who managed an agency and cannot come in any more."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.core.validators import validate_email
from django.utils import timezone

from callprivacy.accounts.services import agencies, invitations
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy

_REFUSALS = (
    agencies.HasManagersError,
    agencies.NotTheManagerError,
    agencies.StillHereError,
    invitations.AlreadyInvitedError,
    invitations.AlreadyMemberError,
)


class Command(OwnCommand):
    help = (
        "Suspend the only person who manages an agency and has lost mailbox and sign-in, invite a compliance officer"
        " instead, and print the link. It stands in the agency's trail, and everybody there is told."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's short name")
        parser.add_argument("--lost", required=True, metavar="EMAIL", help="the address that is lost")
        parser.add_argument(
            "--officer", required=True, metavar="EMAIL", help="the new compliance officer's e-mail"
        )
        parser.add_argument("--officer-name", default="", help="that person's name")
        parser.add_argument(
            "--taken-over",
            action="store_true",
            help="somebody else is at the lost sign-in: do it although it was used within a day",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["officer"]
        try:
            validate_email(email)
        except ValidationError:
            raise CommandError(f"--officer {email} is no e-mail address.") from None
        agency_id = tenancy.agency_id_of(options["agency"])
        if agency_id is None:
            raise CommandError(f"There is no agency “{options['agency']}”.")
        try:
            token = agencies.replace_manager(
                agency_id=agency_id,
                lost=options["lost"],
                email=email,
                name=options["officer_name"] or email.split("@")[0],
                is_taken_over=options["taken_over"],
                by=Actor.operator(user_id=None),
                at=timezone.now(),
            )
        except _REFUSALS as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"{options['lost']} is suspended there. Open this link within {invitations.VALID_FOR.days} days to come"
            " in; it works once:"
        )
        self.stdout.write(invitations.url_of(token))
