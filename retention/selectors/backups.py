"""Which backups were made and which are gone, and what the drills showed. The operator's: of no agency."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from django.db.models import QuerySet

from callprivacy.lib.status import Progress
from retention.models import Backup, Drill

_TITLES: Final = {
    "manifests": "Both backups are signed by this installation and whole",
    "restore": "Both were put back whole",
    "migrations": "What was put back could be brought to this version of the program",
    "after_restore": "What was erased since was taken out again",
    "trail": "The audit log verifies",
    "look": "The databases could be looked at",
    "rows": "Clients and calls are there",
    "seals": "What was sealed when the backup was made is in it",
    "canary": "What was erased between the two backups does not open",
    "control": "What was not erased opens",
    "watermarks": "No call lies before its line",
    "people": "No caller remains whose key was destroyed",
    "drill": "The drill could be carried out",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """
    One thing a drill looked at, in words.

    :ivar said: what it saw. It counts over every agency, is the operator's to read, and on no page.
    """

    title: str
    ok: bool
    name: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class DrillShown:
    """
    A drill and its checks, failures first.

    :ivar dumps: (database, name of the dump it put back, when that was made, where it is known).
    """

    row: Drill
    checks: list[Checked]
    dumps: list[tuple[str, str, datetime | None]]

    @property
    def failed(self) -> list[Checked]:
        """What did not hold."""
        return [check for check in self.checks if not check.ok]


def backups() -> QuerySet[Backup]:
    """Every backup, newest first."""
    return Backup.objects.order_by("-made_at", "database")


def newest_at() -> dict[str, datetime | None]:
    """Database -> when its newest backup was made that is not known to be removed."""
    found: dict[str, datetime | None] = {"default": None, "vault": None}
    for row in Backup.objects.filter(removed_at=None).order_by("database", "-made_at").distinct("database"):
        found[row.database] = row.made_at
    return found


def restored() -> dict[str, Drill]:
    """The name of a dump -> the newest drill that is over and was about it."""
    found: dict[str, Drill] = {}
    for drill in drills().filter(finished_at__isnull=False):
        for name in drill.report.get("backups", {}).values():
            found.setdefault(name, drill)
    return found


def progress_of(row: Backup, drill: Drill | None, *, gone_on: date, at: datetime) -> Progress:
    """
    How far a backup is. Of the main database's nothing says whether the operator has removed it.

    :param drill: the newest one about it. :param gone_on: the first day (UTC) on which the vault's has to be removed.
    """
    is_late = row.database == "vault" and row.removed_at is None and at.astimezone(UTC).date() >= gone_on
    return Progress(
        planned=1,
        sent=1,
        sent_at=row.made_at,
        acknowledged=int(drill is not None and bool(drill.passed)),
        acknowledged_at=drill.finished_at if drill else None,
        failed=int(drill is not None and not drill.passed),
        late=int(is_late),
        gone=int(row.removed_at is not None),
    )


def drills() -> QuerySet[Drill]:
    """Every drill, newest first."""
    return Drill.objects.order_by("-started_at")


def newest_drills() -> list[DrillShown]:
    """The newest drill that is over and, where that one failed, the newest that passed."""
    over = drills().filter(finished_at__isnull=False)
    newest = over.first()
    if newest is None:
        return []
    passed = None if newest.passed else over.filter(passed=True).first()
    return [shown(drill) for drill in (newest, passed) if drill is not None]


def shown(drill: Drill) -> DrillShown:
    found: list[dict[str, Any]] = drill.report.get("checks", [])
    checks = [
        Checked(
            _TITLES.get(str(one.get("name")), str(one.get("name"))),
            ok=bool(one.get("ok")),
            name=str(one.get("name")),
            said=str(one.get("said", "")),
        )
        for one in found
    ]
    used: dict[str, str] = drill.report.get("backups", {})
    made = dict(Backup.objects.filter(name__in=list(used.values())).values_list("name", "made_at"))
    dumps = [(database, name, made.get(name)) for database, name in sorted(used.items())]
    return DrillShown(drill, sorted(checks, key=lambda check: check.ok), dumps)
