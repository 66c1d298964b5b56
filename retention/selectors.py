"""Runs, what is due, and what vendors still hold, as the scope sees them."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from callprivacy.tenancy.models import Client
from retention.models import Errand, Run, RunPart


def running_ids() -> list[UUID]:
    """Ids of the scope's runs that go on, oldest first."""
    return list(Run.objects.running().order_by("created_at").values_list("pk", flat=True))


def client_ids() -> list[int]:
    """Ids of the scope's clients."""
    return list(Client.objects.order_by("pk").values_list("pk", flat=True))


def newest_runs() -> QuerySet[Run]:
    """Runs, newest first."""
    return Run.objects.select_related("started_by").order_by("-created_at", "-pk")


def parts_of(run: Run) -> QuerySet[RunPart]:
    """A run's parts for the clients that the scope sees, by the client's name."""
    return RunPart.objects.filter(run=run).select_related("client").order_by("client__name")


def errands_of(client: Client) -> QuerySet[Errand]:
    """What vendors still hold of a client, oldest first."""
    return Errand.objects.for_client(client).order_by("opened_at", "pk")
