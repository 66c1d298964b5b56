"""`manage.py alerts`: what stands at which agency, and what the newest drill found, for who sees no agency's pages."""

from datetime import datetime
from itertools import groupby
from typing import Any

from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.logs import mask_text
from retention.selectors import backups
from retention.selectors.backups import DrillShown
from retention.services import watch


class Command(OwnCommand):
    """Reads alone."""

    help = "List the alerts that stand at each agency, and what did not hold in the newest restore drill."

    def handle(self, *_: Any, **__: Any) -> None:
        found, unread = watch.standing()
        for (section, title), rows in groupby(found, key=lambda one: (one.section, one.title)):
            self.stdout.write(f"{section}: {title}")
            for one in rows:
                words = (one.slug, one.about, f"since {_when(one.since)}")
                self.stdout.write("  " + "  ".join(word for word in words if word))
        if not found:
            self.stdout.write("No alert stands.")
        if unread:
            self.stdout.write(f"No figures are kept of: {', '.join(unread)}. See that worker and beat run.")
        drills = backups.newest_drills()
        for drill in drills:
            how = "passed" if drill.row.passed else "failed"
            which = "" if drill is drills[0] else " that"
            self.stdout.write(f"The newest restore drill{which} {how} ({_when(drill.row.started_at)}).")
            self._tell(drill)
        if not drills:
            self.stdout.write("No restore drill was ever tried.")

    def _tell(self, drill: DrillShown) -> None:
        for database, name, made_at in drill.dumps:
            self.stdout.write(f"  {database}  {name}" + (f"  of {_when(made_at)}" if made_at else ""))
        for check in drill.failed:
            self.stdout.write(f"  {check.name}: {check.title}: {mask_text(check.said)}")


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
