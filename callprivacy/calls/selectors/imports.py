"""What is known of imports of calls."""

from collections.abc import Iterator
from typing import Final

from django.db.models import QuerySet

from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallImport, Connection, ImportRefusal
from callprivacy.tenancy.models import Client

OPEN_STATES: Final = frozenset({JobState.DRAFT, JobState.QUEUED, JobState.RUNNING})


def import_rows(client: Client) -> QuerySet[CallImport]:
    return CallImport.objects.for_client(client).select_related("client__agency", "connection", "created_by")


def connections_for_files(client: Client) -> QuerySet[Connection]:
    return Connection.objects.for_client(client).order_by("name", "pk")


def refusals_of(row: CallImport) -> QuerySet[ImportRefusal]:
    """Refused lines, in the file's order."""
    return ImportRefusal.objects.filter(call_import=row).order_by("line")


def every_refusal(row: CallImport) -> Iterator[tuple[int, str, str]]:
    """(line, column, reason) of every refused line."""
    yield from refusals_of(row).values_list("line", "column", "reason")
