"""Put a dump back into an empty database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import CommandError

from callprivacy.lib.commands import OwnCommand
from retention.services import backups, restoring


class Command(OwnCommand):
    help = (
        "Put a dump back into the configured database of its name, which must be empty. Stop web, worker and beat "
        "before; run after_restore afterwards: nothing is served until it has run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "dump", type=Path, metavar="FILE", help="a dump that backup made, its manifest beside it"
        )
        parser.add_argument("--identity", type=Path, required=True, metavar="FILE", help="the private key")
        parser.add_argument(
            "--key", type=Path, metavar="FILE", help="the key of this dump, for one of the vault"
        )
        parser.add_argument(
            "--replace",
            action="store_true",
            help="first drop everything that is in the database, once the dump was opened; asks, unless --yes",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *_: Any, **options: Any) -> None:
        if settings.CALLPRIVACY_ROLE != "owner":
            raise CommandError("Only the owner may: set CALLPRIVACY_ROLE=owner.", returncode=2)
        try:
            manifest = backups.read_manifest(options["dump"])
            secret = restoring.secret_for(manifest, identity=options["identity"], key=options["key"])
            access = backups.Access.of(manifest.database)
            if options["replace"]:
                restoring.check(options["dump"], secret=secret, access=access)
                name = access.parts["dbname"]
                if not options["yes"]:
                    self.asks(f"Everything in the database {name} is dropped.", word=name)
                restoring.empty(manifest.database)
            restoring.restore_dump(options["dump"], manifest=manifest, secret=secret, access=access)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.", returncode=2) from None
        except psycopg.OperationalError as error:
            raise CommandError(f"The database does not answer: {error}", returncode=2) from None
        except backups.BackupError as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(f"{manifest.database} is back as of {manifest.made_at}.")
        if manifest.database == "default":
            self.stdout.write("Now run: manage.py migrate, then manage.py after_restore --why ...")
        else:
            self.stdout.write(
                "If the program is newer than the dump: manage.py migrate vault --database vault"
            )
