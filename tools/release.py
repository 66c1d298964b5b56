"""
What a deployment runs once before its processes start: check, migrate both databases as their owner, collect
the static files. With `--here`, as `make run` does it, the check is not the one for a public address.
"""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import arguments

ROOT = Path(__file__).resolve().parent.parent


class UnwritableError(Exception):
    """A file of the release cannot be written; the text says which, and what to do."""


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwritableError(
            f"{folder} cannot be written ({error.strerror or error}). CALLPRIVACY_STATE is a folder of the account that"
            " runs this, with all that is in it."
        ) from error


def main() -> int:
    """Do all of it in one process, or say in one line why not."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callprivacy.settings")
    os.environ["CALLPRIVACY_ROLE"] = "owner"
    here = arguments.parse(__doc__, flags=["--here"]).here
    import django
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import CommandError, call_command
    from django.db import DatabaseError, InterfaceError

    from callprivacy.lib import commands
    from tools import migrating

    try:
        django.setup()
        out = io.StringIO() if here else None
        call_command("check", deploy=not here, fail_level="ERROR" if here else "WARNING", stdout=out)
        static = Path(str(settings.STATIC_ROOT))
        # Before the databases: where it is somebody else's or cannot be made, nothing is done by half.
        with _writing(static):
            static.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=static).close()
        if here:
            migrating.both()
        else:
            for alias in ("default", "vault"):
                migrating.one(alias, verbosity=1)
        with _writing(static):
            call_command("collectstatic", interactive=False, verbosity=0, skip_checks=True)
    except (ImproperlyConfigured, CommandError, migrating.MigratingError, UnwritableError) as error:
        print(f"CallPrivacy is not released: {error}", file=sys.stderr)
        return 1
    except (DatabaseError, InterfaceError) as error:
        print(f"CallPrivacy is not released. {commands.trouble(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
