"""Which backups were made and which are gone, and what the drills showed. The operator's: of no agency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from retention.models import Backup, Drill

_TITLES: Final = {
    "manifests": "Both backups are signed by this installation and whole",
    "restore": "Both were put back whole",
    "after_restore": "What was erased since was taken out again",
    "trail": "The trail verifies",
    "look": "The databases could be looked at",
    "rows": "Clients and calls are there",
    "seals": "What was sealed when the backup was made is in it",
    "canary": "What was erased between the two backups does not open",
    "control": "What was not erased opens",
    "watermarks": "No call lies before its line",
    "people": "Nobody is there whose key is destroyed",
    "drill": "The drill could be carried out",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing a drill looked at, in words. What it saw counts over every agency, and is the operator's to read."""

    title: str
    ok: bool


@dataclass(frozen=True, slots=True)
class DrillShown:
    """A drill and its checks, failures first."""

    row: Drill
    checks: list[Checked]

    @property
    def failed(self) -> list[Checked]:
        """What did not hold."""
        return [check for check in self.checks if not check.ok]


def backups() -> QuerySet[Backup]:
    """Every backup, newest first."""
    return Backup.objects.order_by("-made_at", "database")


def newest_at() -> dict[str, datetime | None]:
    """Database -> when its newest backup was made."""
    found: dict[str, datetime | None] = {"default": None, "vault": None}
    for row in Backup.objects.order_by("database", "-made_at").distinct("database"):
        found[row.database] = row.made_at
    return found


def drills() -> QuerySet[Drill]:
    """Every drill, newest first."""
    return Drill.objects.order_by("-started_at")


def shown(drill: Drill) -> DrillShown:
    """A drill as the page shows it."""
    found: list[dict[str, Any]] = drill.report.get("checks", [])
    checks = [
        Checked(_TITLES.get(str(one.get("name")), str(one.get("name"))), ok=bool(one.get("ok")))
        for one in found
    ]
    return DrillShown(drill, sorted(checks, key=lambda check: check.ok))
