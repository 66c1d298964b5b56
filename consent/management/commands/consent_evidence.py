"""Write one person's pack of evidence to a file."""

from __future__ import annotations

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
        raise ArgumentTypeError("that is no id of a caller") from None


class Command(OwnCommand):
    help = (
        "Write the pack of evidence of one person, who is named by id and never by number: the address of the person's "
        "page ends with it. That it was taken, and why, goes into the trail. Check it with tools/verify_evidence.py."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("caller", type=_uuid, help="id of the caller")
        parser.add_argument(
            "--client", required=True, metavar="SLUG", help="a client's slug, or agency/client"
        )
        parser.add_argument("--reason", required=True, help="why, in a sentence")
        parser.add_argument("--output", type=Path, metavar="FILE", help="a new file; else one beside you")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            client = keys.find_client(options["client"])
            with job_scope(agency_id=client.agency_id):
                person = people.find_person(client, options["caller"])
                if person is None:
                    raise CommandError(f"{client.slug} knows nobody of that id.")
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
        self.stdout.write(f"{target}: {pack.events:,} events, {pack.proven:,} of them under a seal")
