"""Write one person's pack of evidence to a file."""

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from callprivacy.accounts.services import keys
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from consent.selectors import people
from consent.services import evidence

BY = Actor.job("consent_evidence")


def _uuid(raw: str) -> UUID:
    try:
        return UUID(raw)
    except ValueError:
        raise ArgumentTypeError("this is not a caller ID") from None


class Command(OwnCommand):
    help = (
        "Write the evidence pack of one caller, selected by ID, not by number. The address of the caller's page ends "
        "with the ID. The audit log records the export and its reason. Verify the pack with tools/verify_evidence.py."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("caller", type=_uuid, help="ID of the caller")
        parser.add_argument(
            "--client", required=True, metavar="SLUG", help="a client's slug, or agency/client"
        )
        parser.add_argument("--reason", required=True, help="reason, in one sentence")
        parser.add_argument("--output", type=Path, metavar="FILE", help="new file (default: in this folder)")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            client = keys.find_client(options["client"])
            with job_scope(agency_id=client.agency_id):
                person = people.find_person(client, options["caller"])
                if person is None:
                    raise CommandError(f"{client.slug} has no caller with this ID.")
                pack = evidence.export(
                    person=person, agency=client.agency, reason=options["reason"], by=BY, at=timezone.now()
                )
                target = options["output"] or Path(pack.name)
                with target.open("xb") as file:
                    file.write(pack.data)
        except (keys.UnknownClientError, evidence.NothingKnownError, evidence.ReasonTooShortError) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from None
        self.stdout.write(f"{target}: {pack.events:,} events, {pack.proven:,} of them signed")
