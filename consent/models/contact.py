"""Before somebody is called or texted: registers of numbers with their dates, and lists that were checked."""

from __future__ import annotations

import uuid

from django.db import models

from callprivacy.calls.enums import JobState
from callprivacy.tenancy.models import AgencyOwned, ClientOwned
from consent.enums import ListKind


class NumberList(AgencyOwned):
    """A register an agency uploaded (do-not-call, reassigned numbers), as of which day; its tokens are in the vault."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=ListKind)
    name = models.CharField(max_length=120)
    as_of = models.DateField()
    size = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    is_active = models.BooleanField(default=False)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "kind", "name"],
                condition=models.Q(is_active=True),
                name="consent_numberlist_one_active",
            ),
        )

    def __str__(self) -> str:
        return self.name


class ListCheck(ClientOwned):
    """A list of numbers that is checked before it is dialled: the file sealed, how far, and what came out."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    purpose = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    file_key = models.UUIDField(null=True)
    result_key = models.UUIDField(null=True)
    rows = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    allowed = models.PositiveIntegerField(default=0)
    blocked = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    reasons = models.JSONField(default=dict)
    failure = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        base_manager_name = "objects"
        indexes = (models.Index(fields=["client", "-created_at"], name="consent_listcheck_newest"),)

    def __str__(self) -> str:
        return self.name
