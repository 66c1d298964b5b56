"""Begin a new epoch of the trail after a restore, before anybody is let in."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from callprivacy.audit import services
from callprivacy.lib.commands import OwnCommand
from callprivacy.tenancy import selectors as agencies
from callprivacy.tenancy.scope import job_scope


class Command(OwnCommand):
    help = (
        "After the database was restored: begin a new epoch of the trail, and sign into the checkpoints "
        "which seals were lost. Run it with all else stopped, DATABASE_OWNER_URL set; after_restore does it by itself."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--why", required=True, help="what happened, such as: restored the dump of 3 May, 02:00"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        if settings.CALLPRIVACY_ROLE != "owner":
            raise CommandError("Only the owner may: set CALLPRIVACY_ROLE=owner.", returncode=2)
        agency_ids = list(agencies.agency_ids())
        is_carried = False
        for agency_id in agency_ids:
            with job_scope(agency_id=agency_id):
                is_carried = is_carried or services.ids_went_back(agency_id)
        epoch = services.start_epoch(why=options["why"], at=timezone.now(), is_carried=is_carried)
        lost = 0
        for agency_id in agency_ids:
            with job_scope(agency_id=agency_id):
                lost += services.declare_restore(agency_id=agency_id, epoch=epoch)
        self.stdout.write(f"Epoch {epoch.number} has begun; {lost} seals are declared lost.")
