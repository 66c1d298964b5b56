#!/usr/bin/env python3
"""Django's command line, with the settings that `make run` wrote unless the environment says otherwise."""

import gc
import os
import sys
from pathlib import Path


def main() -> int:
    """Run one command; a wrong setting is one line, not a traceback."""
    # A start makes two hundred thousand objects that stay; to look them over after each two thousand more is an
    # eighth of its time.
    gc.set_threshold(50_000)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callprivacy.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from callprivacy.lib import env

    state = Path(os.environ.get("CALLPRIVACY_STATE") or Path(__file__).resolve().parent / ".state")
    env.fill_from(state / "env")
    offline = sys.argv[1:2] in (["decide"], ["classify_replies"], ["deadlines"], ["anonymise"])
    if offline or not {"-h", "--help"}.isdisjoint(sys.argv):
        env.fill_with_nothing()
    elif sys.argv[1:2] in (["migrate"], ["backup"], ["restore"], ["start_epoch"]):
        os.environ.setdefault("CALLPRIVACY_ROLE", "owner")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"CallPrivacy does not start: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
