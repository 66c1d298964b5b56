"""Files of calls for tests."""

import csv
import hashlib
import io
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from callprivacy.calls.models import CallImport, ImportRefusal
from callprivacy.calls.services import imports
from callprivacy.calls.services.imports import Layout, Stored
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from tests.make import NOON

ZONE = "America/New_York"
BY = Actor.job("tests")
FIRST = NOON.date() - timedelta(days=23)
"""The day of a file's first rows."""
HEADER = (
    "Call Status", "Tracking Number", "Name", "Phone Number", "Email", "Source", "Duration (seconds)", "Start Time",
    "Landing Page", "Campaign", "Note", "Recording Url",
)  # fmt: skip


def line(number: int = 1, **said: str) -> tuple[str, ...]:
    """A row of CallRail's export: call `number`, of the person whose number ends so."""
    values = {
        "Call Status": "Answered Call",
        "Tracking Number": "+18005550123",
        "Name": "Canary Person",
        "Phone Number": f"(202) 555-01{number % 100:02}",
        "Email": "canary@example.com",
        "Source": "Google Ads",
        "Duration (seconds)": "95",
        "Start Time": f"{FIRST + timedelta(number // 1440 % 20)} {number // 60 % 24:02}:{number % 60:02}:07",
        "Landing Page": "https://example.com/?gclid=canary-click",
        "Campaign": "Brand",
        "Note": "canary note,\nof two lines",
        "Recording Url": f"https://app.example.com/calls/{700_000_000 + number}/recording?access_key=canarykey",
    } | {name.replace("_", " "): value for name, value in said.items()}
    return tuple(values[name] for name in HEADER)


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER, delimiter: str = ",") -> bytes:
    """A file of these rows."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def stored(client: Client, content: bytes, *, at: datetime = NOON) -> Stored:
    """Seal a file as an upload does."""
    file_id = uuid.uuid4()
    size = files.write(client.pk, file_id, io.BytesIO(content), at=at)
    return Stored(file_id, size, hashlib.sha256(content).digest())


def draft(client: Client, content: bytes, layout: Layout | None = None, *, at: datetime = NOON) -> CallImport:
    """A file that was uploaded and looked through."""
    kept = stored(client, content, at=at)
    with job_scope(agency_id=client.agency_id):
        row = imports.create_import(
            client=client,
            connection=None,
            layout=layout or Layout("callrail", {}, ZONE),
            stored=kept,
            by=BY,
            at=at,
        )
    imports.check_import(agency_id=client.agency_id, import_id=row.pk, clock=lambda: at)
    return fresh(row)


def started(
    client: Client, content: bytes, layout: Layout | None = None, *, at: datetime = NOON
) -> CallImport:
    """A file that waits for a worker."""
    row = draft(client, content, layout, at=at)
    with job_scope(agency_id=client.agency_id):
        imports.start_import(row=row, by=BY, at=at)
    return fresh(row)


def fresh(row: CallImport) -> CallImport:
    """The row as it stands now."""
    with job_scope(agency_id=row.agency_id):
        return CallImport.objects.get(pk=row.pk)


def run(row: CallImport, *, clock: Callable[[], datetime] = lambda: NOON, workers: int = 0) -> CallImport:
    """Work an import off in this thread."""
    imports.run_import(agency_id=row.agency_id, import_id=row.pk, clock=clock, workers=workers)
    return fresh(row)


def imported(client: Client, content: bytes, layout: Layout | None = None) -> CallImport:
    """A file that was read to its end."""
    return run(started(client, content, layout))


def refusals(row: CallImport) -> list[tuple[int, str, str]]:
    """(line, column, reason) of what was refused."""
    with job_scope(agency_id=row.agency_id):
        found = ImportRefusal.objects.filter(call_import=row).order_by("line")
        return list(found.values_list("line", "column", "reason"))


def sealed_files(media: Path) -> list[Path]:
    """Every file that lies in the store."""
    return [path for path in media.rglob("*") if path.is_file()]


def now() -> datetime:
    """This machine's clock, for what a process of its own reads as well."""
    return datetime.fromtimestamp(time.time(), UTC)
