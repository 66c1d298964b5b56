"""
How a request comes to its end: 24 months after it was answered its key is destroyed, and its rows leave.

The record of a request has a date of its own, which no policy moves; of whom a hold keeps anything it stays. Keys
first, then files, then rows; each step may be repeated, and what a crash leaves is found by its date again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import services as vault
from rights.models import Case, Package, Proof, Submission
from rights.selectors import ends, words

JOB: Final = Actor.job("rights.end_requests")
BATCH: Final = 100


def erase_submissions(*, agency_id: int, at: datetime) -> int:
    """
    Erase the submissions whose date has come; returns how many. Called outside any scope.

    One in which a case was opened again meanwhile stays.
    """
    with job_scope(agency_id=agency_id):
        due = list(ends.due(agency_id, at.date()).order_by("erase_on")[:BATCH])
        open_ids = set(
            Case.objects.filter(submission_id__in=[row.pk for row in due])
            .open()
            .values_list("submission_id", flat=True)
        )
        due = [row for row in due if row.pk not in open_ids]
        stored = {row.pk: _files(row) for row in due}
    for row in due:
        vault.destroy_purpose_key(client_id=row.holder_id, purpose=words.purpose_of(row))
        for file_key in stored[row.pk]:
            files.delete(row.holder_id, file_key)
    if due:
        with job_scope(agency_id=agency_id):
            for row in due:
                audit.record("request.erased", subject=row, by=JOB, at=at)
            Submission.objects.filter(pk__in=[row.pk for row in due]).remove()
    return len(due)


def _files(row: Submission) -> list[UUID]:
    packages = Package.objects.filter(case__submission=row).values_list("file_key", flat=True)
    proofs = Proof.objects.filter(submission=row).values_list("file_key", flat=True)
    return [key for key in (*packages, *proofs) if key is not None]
