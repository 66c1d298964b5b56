"""
How much protected reports show: `python -m lab.bench.utility`, beside a site that `DEMO=1 make run` started.

For each client of the demo, the share of last month's calls that the usual views give in rows with a figure.
"""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import django

from callprivacy.lib import env

_STATE: Final = Path(__file__).resolve().parent.parent.parent / ".state" / "env"
VIEWS: Final = {
    "week": ("line", ()),
    "source": ("bars", ("source",)),
    "campaign": ("bars", ("campaign",)),
    "place": ("bars", ("region",)),
    "hour of week": ("heat", ()),
}
"""What a view is called -> its kind and its dimensions, as the explorer has them."""


def main() -> None:
    """Print a line for each client; a share below 90 % is marked."""
    from analytics.selectors import explorer
    from analytics.selectors.asked import Asked, period_of
    from analytics.selectors.showing import SHOWN
    from callprivacy.lib import calendars
    from callprivacy.tenancy import selectors as tenancy
    from callprivacy.tenancy.models import Client
    from callprivacy.tenancy.scope import job_scope

    sys.stdout.write(f"{'':24}{'calls':>8}" + "".join(f"{name:>14}" for name in VIEWS) + "\n")
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            for client in Client.objects.select_related("agency").order_by("pk"):
                first, last = period_of("month", calendars.day_in(client.time_zone, datetime.now(UTC)))
                shares, calls = [], 0
                for kind, by in VIEWS.values():
                    asked = Asked("calls", by, "week", "month", first, last, compare=False, kind=kind)
                    _, report = explorer.best_step(asked, explorer.query_of(client, asked), SHOWN["calls"])
                    calls = report.total.calls
                    share = round(100 * explorer.share_shown(report, SHOWN["calls"]))
                    shares.append(f"{share} %{'' if share >= 90 else ' *'}")
                sys.stdout.write(
                    f"{client.name:24}{calls:>8}" + "".join(f"{one:>14}" for one in shares) + "\n"
                )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    env.fill_from(_STATE)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callprivacy.settings")
    django.setup()
    main()
