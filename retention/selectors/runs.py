"""Runs, what is due, and what vendors still hold, as the scope sees them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from callprivacy.calls.models import Call, Recording, Transcript
from callprivacy.calls.selectors.counts import DueCount
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Agency, Client
from callprivacy.work import selectors as work
from consent.selectors import decisions
from retention import targets
from retention.enums import Category
from retention.law import categories
from retention.models import Errand, GoLive, Run
from retention.selectors import policies, preview

NIGHT_BEGINS: Final = 2
"""The hour in the agency's zone from which the night's run starts."""

NIGHTLY: Final = "retention.run"
"""The job of which each night's run claims its local date."""


def next_night(agency: Agency, at: datetime) -> datetime | None:
    """From when the next night's run starts; None: within minutes, for tonight's is late."""
    local = at.astimezone(ZoneInfo(agency.time_zone))
    day = local.date()
    if work.is_claimed(agency_id=agency.pk, job=NIGHTLY, period=day.isoformat()):
        day += timedelta(days=1)
    night = datetime.combine(day, time(NIGHT_BEGINS), tzinfo=local.tzinfo)
    return night if night > at else None


def running_ids() -> list[UUID]:
    """Ids of the scope's runs that go on, oldest first."""
    return list(Run.objects.running().order_by("created_at").values_list("pk", flat=True))


def client_ids() -> list[int]:
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


def errands_of(client: Client) -> QuerySet[Errand]:
    """What vendors still hold of a client, oldest first."""
    return Errand.objects.for_client(client).select_related("client").order_by("opened_at", "pk")


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


_SHOWN_AT_ONCE: Final = (Category.CALL, Category.CALL_OUT, Category.RECORDING)


def standings(clients: Sequence[Client], at: datetime) -> list[Standing]:
    """What is due at each of these clients, most first, by a run's own selection; a statement a category."""
    lines = preview.lines(clients, at)
    calls: Counter[int] = Counter()
    recordings: Counter[int] = Counter()
    for category in _SHOWN_AT_ONCE:
        for client_id, found in (
            targets.TARGETS[category].count([one.of(category) for one in lines.values()]).items()
        ):
            if category is Category.RECORDING:
                recordings[client_id] += found.rows
            else:
                calls[client_id] += found.rows
                recordings[client_id] += found.recordings
    rows = [Standing(client, DueCount(calls[client.pk], recordings[client.pk])) for client in clients]
    return sorted(rows, key=lambda row: (-row.due.calls, row.client.name))


def outlook(client: Client, at: datetime) -> Outlook:
    """A client's outlook, as a run would find it at this instant."""
    cutoff = tenancy.cutoff_of(client, at)
    due = targets.count_due(client, cutoff, tenancy.cutoff_of(client, at, out=True))
    kept = Call.objects.for_client(client).count() - due.calls
    return Outlook(client=client, cutoff=cutoff, due=due, kept=kept)


@dataclass(frozen=True, slots=True)
class Terms:
    """
    By what a client's rows would leave, as who signs is shown it.

    :ivar others: how many days each category but the call records is kept, as a form carries it.
    :ivar at_vendor: whether withheld recordings are deleted at the tracker too.
    """

    keep_for_days: int
    keep_out_for_days: int
    others: str
    quarantine_hours: int
    at_vendor: bool


def terms_of(client: Client) -> Terms:
    """What holds at a client now; two queries. Its `agency` must have been read along."""
    kept = policies.all_effective(client)
    return Terms(
        keep_for_days=client.keep_for_days,
        keep_out_for_days=client.keep_out_for_days,
        others=" ".join(
            f"{category.value}:{one.days}"
            for category, one in sorted(kept.items())
            if category not in categories.RECORDS
        ),
        quarantine_hours=client.quarantine_hours,
        at_vendor=decisions.deletes_at_vendor(client),
    )


def newest_signature(client: Client) -> GoLive | None:
    """Who signed last that a client's expired calls may leave."""
    return GoLive.objects.for_client(client).select_related("signed_by").order_by("-signed_at").first()
