"""Backups and drills: how old the newest are, which are gone, and what the drills showed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.html import format_html
from django.views.decorators.http import require_GET

from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.tables import Column, Empty, Pill, Table
from callprivacy.lib.rows import when
from callprivacy.lib.status import Reader, Thing, words_for
from retention.models import Backup
from retention.selectors import backups as selectors
from retention.services import backups

_DRILLS_SHOWN: Final = 5


def _checks(one: selectors.DrillShown) -> str:
    if one.failed:
        return f"Does not hold: {'; '.join(check.title for check in one.failed)}"
    return f"{len(one.checks)} checks hold" if one.checks else ""


def _result(one: selectors.DrillShown) -> Pill:
    if one.row.finished_at is None:
        return Pill("Not finished", "warn")
    return Pill("Passed", "good") if one.row.passed else Pill("Failed", "bad")


_DRILLS: Final = Table(
    label="Drills",
    columns=(
        Column("Started", "row.started_at"),
        Column("Result", _result),
        Column(
            "Checks",
            _checks,
            note=lambda one: "" if one.failed else "; ".join(check.title for check in one.checks),
            nothing="none yet",
        ),
    ),
    empty=Empty(
        "No drill yet",
        "A drill restores the newest backups beside the live system, takes out what was deleted since, and checks"
        " whether the promises hold. The operator starts one with manage.py restore_drill, or has one run each week.",
        "retention",
    ),
)


@dataclass(frozen=True, slots=True)
class _Line:
    row: Backup
    words: str
    tested_at: datetime | None


def _lines(request: StaffRequest, rows: list[Backup]) -> Iterator[_Line]:
    restored = selectors.restored()
    for row in rows:
        gone_on = backups.no_copy_opens_after(row.made_at)
        progress = selectors.progress_of(row, restored.get(row.name), gone_on=gone_on, at=request.at)
        words = words_for(progress, Reader.OFFICER, thing=Thing.BACKUP)
        if row.removed_at is not None:
            words = format_html("{}, {}", words, when(row.removed_at, request.agency.time_zone))
        yield _Line(row, words, progress.acknowledged_at)


_BACKUPS: Final = Table(
    label="Backups",
    columns=(
        Column("Made", "row.made_at"),
        Column("Of", lambda line: "the vault" if line.row.database == "vault" else "the main database"),
        Column("File", "row.name"),
        Column("State", "words"),
        Column("Drill", "tested_at"),
    ),
    empty=Empty("None yet", picture="retention"),
    lines=_lines,
    size=25,
)


@require_GET
@needs_right(AgencyRight.MANAGE_CLIENTS)
def show_backups(request: StaffRequest) -> HttpResponse:
    """The newest backup of each database, the drills, and the list of backups."""
    drills = [selectors.shown(drill) for drill in selectors.drills()[:_DRILLS_SHOWN]]
    newest = selectors.newest_at()
    context: dict[str, Any] = {
        "main_at": newest["default"],
        "vault_at": newest["vault"],
        "drill": next((one for one in drills if one.row.finished_at), None),
        "drills": _DRILLS.draw(request, drills),
        "backups": _BACKUPS.draw(request, selectors.backups()),
        "gone_on": backups.no_copy_opens_after(request.at),
        "is_configured": settings.CALLPRIVACY_BACKUP_DIR is not None,
    }
    return render(request, "retention/backups.html", context)
