"""What is known of files of calls on their way in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallImport, Connection, ImportRefusal
from callprivacy.tenancy.models import Client

RECENT: Final = 50
OPEN_STATES: Final = frozenset({JobState.DRAFT, JobState.QUEUED, JobState.RUNNING})


def imports_of(client: Client, *, limit: int = RECENT) -> list[CallImport]:
    """A client's newest imports."""
    rows = CallImport.objects.for_client(client).select_related("connection", "created_by")
    return list(rows.order_by("-created_at", "-pk")[:limit])


def import_rows(client: Client) -> QuerySet[CallImport]:
    """A client's imports, to find one among."""
    return CallImport.objects.for_client(client).select_related("client__agency", "connection", "created_by")


def connections_for_files(client: Client) -> QuerySet[Connection]:
    return Connection.objects.for_client(client).order_by("name", "pk")


@dataclass(frozen=True, slots=True)
class Refusals:
    """The first refused lines of an import, and whether there are more."""

    lines: list[ImportRefusal]
    more: bool


def refusals_of(row: CallImport, *, limit: int = 100) -> Refusals:
    """Refused lines, in the file's order."""
    found = list(ImportRefusal.objects.filter(call_import=row).order_by("line")[: limit + 1])
    return Refusals(found[:limit], len(found) > limit)


def every_refusal(row: CallImport) -> Iterator[tuple[int, str, str]]:
    """(line, column, reason) of every refused line."""
    found = ImportRefusal.objects.filter(call_import=row).order_by("line")
    yield from found.values_list("line", "column", "reason")
