"""Say that the folders of files are right as they are, where they are not known to be ours."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from callprivacy.audit.services import NotRecordableError, lineage
from callprivacy.lib.commands import OwnCommand
from retention.services import own_folders


class Command(OwnCommand):
    help = (
        "Declare that the folder of files, and the place of recordings, are this installation's as they are now. Files "
        "that are not there count as lost from then on: their rows forget them. Run it as the app, with the state "
        "folder that the worker has. It stands in the trail of the house."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--why", required=True, help="what happened, such as: the disk burnt")

    def handle(self, *_: Any, **options: Any) -> None:
        if settings.CALLPRIVACY_ROLE != "app":
            raise CommandError("Run it as the app: leave CALLPRIVACY_ROLE out.", returncode=2)
        try:
            lineage.require_together()
        except lineage.NotTogetherError as error:
            raise CommandError(str(error), returncode=2) from None
        found = own_folders.settle(at=timezone.now())
        if not found:
            self.stdout.write("Both are known to be ours: nothing to do.")
            return
        try:
            own_folders.declare(found, why=options["why"], at=timezone.now())
        except NotRecordableError as error:
            raise CommandError(f"--why: {error}", returncode=2) from None
        self.stdout.write(f"Ours from now on: {', '.join(found)}. What is not there is lost.")
