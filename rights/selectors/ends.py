"""Which requests and packages have come to their date: counted by previews, and taken by the sweep, alike."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time

from django.db.models import QuerySet

from callprivacy.tenancy.models import Client
from retention.models import Hold
from retention.selectors import holds
from rights.models import Finding, Identity, Package, Submission


def due(agency_id: int, on: date) -> QuerySet[Submission]:
    """Submissions whose date has come by a day, without those of people of whom a hold keeps something."""
    rows = Submission.objects.filter(agency_id=agency_id, erase_on__lte=on)
    held = _held(agency_id)
    return rows.exclude(pk__in=held) if held else rows


def _held(agency_id: int) -> set[uuid.UUID]:
    """Submissions of people of whom an open hold keeps something; some queries for each client that has a hold."""
    found: set[uuid.UUID] = set()
    open_at = Hold.objects.open().filter(agency_id=agency_id).values("client_id")
    for client in Client.objects.filter(pk__in=open_at):
        callers = holds.held_caller_ids(client)
        for rows in (Identity.objects.all(), Finding.objects.all()):
            found |= set(
                rows.filter(client_id=client.pk, caller_id__in=callers).values_list(
                    "submission_id", flat=True
                )
            )
    return found


def count(agency_id: int, on: date) -> int:
    """How many submissions leave by a day."""
    return due(agency_id, on).count()


def count_packages(agency_id: int, on: date) -> int:
    """How many packages leave by the end of a day."""
    ends = datetime.combine(on, time.max, tzinfo=UTC)
    return Package.objects.filter(agency_id=agency_id, gone_at=None, expires_at__lte=ends).count()
