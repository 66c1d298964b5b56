"""Try the newest backups out beside the live system, and report."""

import io
import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from callprivacy.lib.commands import OwnCommand
from retention.services import backups, drills


class Command(OwnCommand):
    help = (
        "Put the newest backups back on a server of their own, run after_restore there, look whether the promises "
        "hold, remove everything, and write down what was seen. Exit status 1: something does not hold."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--identity", type=Path, metavar="FILE", help="the private key; CALLPRIVACY_DRILL_IDENTITY"
        )
        parser.add_argument(
            "--look-inside", type=Path, metavar="FILE", help="used by the drill on what it put back"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        if options["look_inside"]:
            manifest = backups.read_manifest(options["look_inside"])
            checks = [
                _run("after_restore", "after_restore", why="a drill", anyway=True, everybody=True),
                _run("trail", "verify_audit"),
                *drills.look_inside(manifest),
            ]
            self.stdout.write(json.dumps([asdict(check) for check in checks]))
            return
        identity = options["identity"] or (settings.CALLPRIVACY_DRILL_IDENTITY or None)
        if identity is None:
            raise CommandError(
                "Name the private key: --identity FILE, or CALLPRIVACY_DRILL_IDENTITY.", returncode=2
            )
        # Before a drill is noted: one that could not open anything says nothing of the backups.
        try:
            Path(identity).read_bytes()
        except OSError as error:
            raise CommandError(
                f"{identity} cannot be read: {error.strerror}. Let the account that runs this read it (in a container"
                " 10001). No drill was begun.",
                returncode=2,
            ) from None
        drill = drills.begin(at=timezone.now())
        if drill is None:
            raise CommandError("Another drill begins just now.", returncode=2)
        drill = drills.run_drill(drill=drill, identity=Path(identity), clock=timezone.now)
        for check in drill.report["checks"]:
            self.stdout.write(f"{'holds' if check['ok'] else 'FAILS'}  {check['name']}: {check['said']}")
        if not drill.passed:
            raise CommandError("The drill failed.", returncode=1)
        self.stdout.write("The drill passed.")


def _run(name: str, command: str, **options: Any) -> drills.Check:
    """Run another command here, and take what it says last for what was seen."""
    out = io.StringIO()
    try:
        call_command(command, stdout=out, **options)
    except CommandError as error:
        return drills.Check(name, ok=False, said=drills.last_line(str(error)))
    except SystemExit as ended:
        return drills.Check(name, ok=not ended.code, said=drills.last_line(out.getvalue()))
    return drills.Check(name, ok=True, said=drills.last_line(out.getvalue()))
