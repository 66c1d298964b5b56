"""`manage.py demo`: make the invented agency and print who can sign in. A release never runs it."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dashboard import demo, services


class Command(BaseCommand):
    """Makes the demo once; a second call says that it exists."""

    help = "Make an invented agency with twelve clients, eight people and ninety days of calls."

    def handle(self, *args: Any, **options: Any) -> None:
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

    def _tell(self, client: str) -> None:
        self.stderr.write(f"  {client}")
