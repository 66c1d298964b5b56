"""Runs, what is due, and what vendors still hold, as the scope sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from callprivacy.accounts import access
from callprivacy.accounts.models import Membership
from callprivacy.calls.models import Call, Recording, Transcript
from callprivacy.calls.selectors import counts
from callprivacy.calls.selectors.counts import DueCount
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import Permission, RetentionState
from callprivacy.tenancy.models import Client
from retention import targets
from retention.enums import PartState
from retention.models import Errand, GoLive, Run, RunPart


def running_ids() -> list[UUID]:
    """Ids of the scope's runs that go on, oldest first."""
    return list(Run.objects.running().order_by("created_at").values_list("pk", flat=True))


def client_ids() -> list[int]:
    """Ids of the scope's clients."""
    return list(Client.objects.order_by("pk").values_list("pk", flat=True))


def clients_with_quarantined(agency_id: int, at: datetime) -> list[int]:
    """
    Ids of the clients of an agency with recordings or transcripts that are due, or that an erasure has begun with.
    """
    found: set[int] = set()
    for rows in (Recording.objects.all(), Transcript.objects.all()):
        due = rows.filter(agency_id=agency_id, due_at__lte=at)
        found |= set(due.order_by().values_list("client_id", flat=True).distinct())
    return sorted(found)


def newest_runs() -> QuerySet[Run]:
    """Runs, newest first."""
    return Run.objects.select_related("started_by").order_by("-created_at", "-pk")


def parts_of(run: Run) -> QuerySet[RunPart]:
    """A run's parts for the clients that the scope sees, by the client's name."""
    return RunPart.objects.filter(run=run).select_related("client").order_by("client__name")


def errands_of(client: Client) -> QuerySet[Errand]:
    """What vendors still hold of a client, oldest first."""
    return Errand.objects.for_client(client).order_by("opened_at", "pk")


@dataclass(frozen=True, slots=True)
class Outlook:
    """What stands at a client today: until when calls have expired, and what of it is due."""

    client: Client
    cutoff: datetime
    due: targets.Due
    kept: int

    @property
    def recorded_note(self) -> str:
        """How many of the due calls have a recording, in words."""
        return f"{self.due.recordings:,} of them recorded"

    @property
    def is_live(self) -> bool:
        """Whether what is due leaves."""
        return self.client.retention_state == RetentionState.LIVE


@dataclass(frozen=True, slots=True)
class Standing:
    """One client on the list: what of it is due now."""

    client: Client
    due: DueCount

    @property
    def is_live(self) -> bool:
        """Whether what is due leaves."""
        return self.client.retention_state == RetentionState.LIVE


def standings(clients: Sequence[Client], at: datetime) -> list[Standing]:
    """What is due at each of these clients, most first, counted in one statement."""
    due = counts.calls_before({client.pk: tenancy.cutoff_of(client, at) for client in clients})
    rows = [Standing(client, due.get(client.pk, DueCount())) for client in clients]
    return sorted(rows, key=lambda row: (-row.due.calls, row.client.name))


def outlook(client: Client, at: datetime) -> Outlook:
    """A client's outlook, as a run would find it at this instant."""
    cutoff = tenancy.cutoff_of(client, at)
    due = targets.count_due(client, cutoff, tenancy.cutoff_of(client, at, out=True))
    kept = Call.objects.for_client(client).started_from(cutoff).count()
    return Outlook(client=client, cutoff=cutoff, due=due, kept=kept)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a keep-for would do, before it is saved."""

    days: int
    due_now: int
    due_then: int
    live: int
    observed: int

    @property
    def more(self) -> int:
        """How many more calls become due; negative where fewer do."""
        return self.due_then - self.due_now


def effect(clients: Sequence[Client], days: int, at: datetime) -> Effect:
    """What keeping these clients' calls for `days` would make due, beside what is due now."""
    now = counts.calls_before({client.pk: tenancy.cutoff_of(client, at) for client in clients})
    then = counts.calls_before({client.pk: tenancy.cutoff_for_days(client, days, at) for client in clients})
    live = sum(client.retention_state == RetentionState.LIVE for client in clients)
    return Effect(
        days=days,
        due_now=sum(count.calls for count in now.values()),
        due_then=sum(count.calls for count in then.values()),
        live=live,
        observed=len(clients) - live,
    )


def heirs() -> list[Client]:
    """The scope's clients without a keep-for of their own."""
    return list(Client.objects.filter(keep_calls_for_days=None).select_related("agency").order_by("name"))


def heirs_unseen(membership: Membership, *, at: datetime) -> list[Client]:
    """Clients that inherit the agency's keep-for, and whose calls this person cannot count."""
    seen = set(access.client_ids_with(membership, Permission.VIEW_CALLS, at=at))
    return [client for client in heirs() if client.pk not in seen]


def newest_signature(client: Client) -> GoLive | None:
    """Who signed last that a client's expired calls may leave."""
    return GoLive.objects.for_client(client).select_related("signed_by").order_by("-signed_at").first()


@dataclass(frozen=True, slots=True)
class Totals:
    """A run's parts, added up: those that erase, and those that were only counted."""

    due: int
    erased: int
    recordings: int
    callers: int
    observed: int


def totals(parts: Sequence[RunPart]) -> Totals:
    """Add up a run's parts."""
    live = [part for part in parts if part.state != PartState.OBSERVED]
    return Totals(
        due=sum(part.rows_due for part in live),
        erased=sum(part.rows_erased for part in live),
        recordings=sum(part.recordings_erased for part in live),
        callers=sum(part.callers_erased for part in live),
        observed=sum(part.rows_due for part in parts if part.state == PartState.OBSERVED),
    )
