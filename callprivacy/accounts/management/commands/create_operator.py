"""Make an operator of the platform, and print the link with which that person chooses a password."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.core.validators import validate_email
from django.utils import timezone

from callprivacy.accounts.services import operators
from callprivacy.lib.commands import OwnCommand


class Command(OwnCommand):
    help = "Make an operator of the platform, who makes agencies at /operator/; print their link."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the operator's e-mail")
        parser.add_argument("--name", default="", help="that person's name")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"]
        try:
            validate_email(email)
        except ValidationError:
            raise CommandError(f"{email} is no e-mail address.") from None
        name = options["name"] or email.split("@")[0]
        try:
            user = operators.make_operator(email=email, name=name, at=timezone.now())
        except operators.SwitchedOffError as error:
            raise CommandError(str(error)) from None
        where = f"{settings.CALLPRIVACY_URL.rstrip('/')}/operator/"
        if user.has_usable_password():
            self.stdout.write(
                f"{user.email} is an operator, with the sign-in they have: {where}. Operators need a second factor:"
                " without one, this person can only add one."
            )
            return
        hours = settings.PASSWORD_RESET_TIMEOUT // 3600
        self.stdout.write(
            f"{user.email} is an operator. Open this link within {hours} hours to choose a password; it works"
            f" once. Then sign in, add a second factor, which operators need, and open {where}. Run this again for a"
            " new link."
        )
        self.stdout.write(operators.password_link(user))
