"""Verify the trail of one agency or of all; write a bundle that can be verified without us."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from callprivacy.audit import services
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.progress import Progress
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as agencies
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope

BY = Actor.job("verify_audit")


class Command(OwnCommand):
    help = (
        "Verify the trail: every event against its seal, every seal against its signature and the "
        "checkpoints kept outside the database. "
        "Exit status 0: it holds, 1: it does not, 2: it could not be verified."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--agency", metavar="SLUG", help="only this agency")
        parser.add_argument(
            "--export", type=Path, metavar="FILE", help="also write the bundle of --agency to a new file"
        )
        parser.add_argument(
            "--rebuild-checkpoints",
            action="store_true",
            help="write the lost checkpoint file of --agency anew, when its trail holds otherwise",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        at = timezone.now()
        if options["agency"] is None and (options["export"] or options["rebuild_checkpoints"]):
            raise CommandError("Name the --agency that is meant.", returncode=2)
        chosen = self._chosen(options["agency"])
        holds = verified = True
        for agency_id, slug in chosen:
            if options["rebuild_checkpoints"]:
                self._rebuild(agency_id, slug, at)
            try:
                holds = self._verify(agency_id, slug) and holds
            except Exception as error:  # noqa: BLE001  (whatever stands in one agency's rows, the others are verified)
                self.stdout.write(self.style.ERROR(f"{slug}: could not be verified: {type(error).__name__}"))
                verified = False
                continue
            if options["export"]:
                self._export(agency_id, slug, options["export"], at)
        if not verified:
            sys.exit(2)
        if not holds:
            sys.exit(1)

    def _chosen(self, slug: str | None) -> list[tuple[int, str]]:
        if slug is not None:
            agency_id = agencies.agency_id_of(slug)
            if agency_id is None:
                raise CommandError(f"There is no agency {slug}.", returncode=2)
            return [(agency_id, slug)]
        chosen = []
        for agency_id in agencies.agency_ids():
            with job_scope(agency_id=agency_id):
                chosen.append((agency_id, Agency.objects.values_list("slug", flat=True).get(pk=agency_id)))
        return chosen

    def _verify(self, agency_id: int, slug: str) -> bool:
        with job_scope(agency_id=agency_id), Progress(f"{slug}: verified", out=self.stderr) as progress:
            found = services.verify_agency(agency_id, progress=_counting(progress))
        for note in found.notes:
            self.stdout.write(f"{slug}: note: {note}")
        for finding in found.findings:
            self.stdout.write(self.style.ERROR(f"{slug}: FOUND {finding}"))
        summary = (
            f"{slug}: {found.events:,} events, {found.sealed:,} under {found.seals:,} seals, "
            f"{found.unsealed:,} not sealed yet{_left(found)}: "
            f"{_verdict(found)}"
        )
        self.stdout.write(summary)
        return found.holds

    def _export(self, agency_id: int, slug: str, path: Path, at: datetime) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{path} cannot be made: {error.strerror}.", returncode=2) from error
        with (
            os.fdopen(descriptor, "wb") as file,
            job_scope(agency_id=agency_id),
            Progress(f"{slug}: exported", out=self.stderr) as progress,
        ):
            services.export_bundle(agency_id=agency_id, file=file, by=BY, at=at, progress=_counting(progress))
        self.stdout.write(f"{slug}: written to {path}; verify it with tools/verify_bundle.py")

    def _rebuild(self, agency_id: int, slug: str, at: datetime) -> None:
        try:
            with job_scope(agency_id=agency_id):
                count = services.rebuild_checkpoints(agency_id=agency_id, by=BY, at=at)
        except services.SinkError as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"{slug}: {count:,} checkpoints written anew")


def _verdict(found: services.Verification) -> str:
    if not found.holds:
        return f"{len(found.findings)} findings"
    return "the trail holds" if found.seals else "nothing is sealed yet"


def _left(found: services.Verification) -> str:
    return f", {found.left:,} left by policy" if found.left else ""


def _counting(progress: Progress) -> Callable[[int], None]:
    """Progress counts steps, the services say how far they are."""

    def tell(done: int) -> None:
        progress.step(done - progress.done)

    return tell
