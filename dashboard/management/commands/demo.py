"""
`manage.py demo`: make the invented agency and print who can sign in, or remove it. A release never runs it.

It needs no worker.
"""

import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.scope import Actor
from dashboard import demo, services


class Command(OwnCommand):
    """Makes the demo once; a second call says that it exists. What an interrupted call left is made anew."""

    help = "Make an invented agency with twelve clients, nine people and ninety days of calls; or remove it."

    def add_arguments(self, parser: CommandParser) -> None:
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--remove", action="store_true", help="remove the demo with all that is in it")
        choice.add_argument(
            "--look", action="store_true", help="say what there is: nothing, unfinished, demo or agency"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["look"]:
            self.stdout.write(services.what_there_is())
        elif options["remove"]:
            self._remove()
        else:
            self._make()

    def _make(self) -> None:
        if settings.CALLPRIVACY_URL.startswith("https:"):
            raise CommandError("The demo is for this machine only: CALLPRIVACY_URL is a public address.")
        password = f"North-{secrets.token_urlsafe(9)}-7a"
        try:
            services.make_demo(password=password, at=timezone.now(), progress=self._tell)
        except services.DemoExistsError as error:
            raise CommandError(str(error)) from error
        self.stdout.write("Demo people, all with the password " + password)
        for name, short, role in demo.PEOPLE:
            self.stdout.write(f"  {role.label:<22} {short}{demo.MAIL}  ({name})")

    def _remove(self) -> None:
        agency_id = services.find_demo()
        if agency_id is None:
            raise CommandError("There is no demo.")
        try:
            services.remove_demo(
                agency_id=agency_id, by=Actor.job("dashboard.remove_demo"), at=timezone.now()
            )
        except services.NotADemoError:
            raise CommandError("There is no demo any more.") from None
        self.stdout.write(
            "The demo is gone. Make an agency of your own with make run, or with\n"
            "    .venv/bin/python manage.py create_agency NAME --officer EMAIL"
        )

    def _tell(self, client: str) -> None:
        self.stderr.write(f"  {client}")
