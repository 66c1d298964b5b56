"""
What a deployment runs once before its processes start: check, migrate both databases as their owner, collect
the static files. With `--here`, as `make run` does it, the check is not the one for a public address.
"""

import io
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Do all of it in one process, or say in one line why not."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callprivacy.settings")
    os.environ["CALLPRIVACY_ROLE"] = "owner"
    here = "--here" in sys.argv[1:]
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
        # Before the databases: where it cannot be made, nothing is done by half.
        Path(str(settings.STATIC_ROOT)).mkdir(parents=True, exist_ok=True)
        if here:
            migrating.both()
        else:
            for alias in ("default", "vault"):
                migrating.one(alias, verbosity=1)
        call_command("collectstatic", interactive=False, verbosity=0, skip_checks=True)
    except (ImproperlyConfigured, CommandError, migrating.MigratingError) as error:
        print(f"CallPrivacy is not released: {error}", file=sys.stderr)
        return 1
    except (DatabaseError, InterfaceError) as error:
        print(f"CallPrivacy is not released. {commands.trouble(error)}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"CallPrivacy is not released: {error.filename or 'a file'} cannot be written"
            f" ({error.strerror or error}). CALLPRIVACY_STATE is a folder of the account that runs this.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
