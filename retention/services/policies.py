"""How long calls are kept, and whether they may leave at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Agency, Client
from callprivacy.work import services as work
from consent.selectors import decisions
from consent.services import rejudging
from retention import targets
from retention.models import GoLive

_MAY_GROW_BY: Final = 10
"""How many more withheld recordings there may be than were shown, or a tenth; calls keep coming while people read."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person saw before signing: what is due, and the recordings by what was decided of them."""

    due: targets.Due
    allowed: int
    withheld: int
    leaving: int


class CountsChangedError(ValueError):
    """What would leave is no longer what the person was shown; show it again."""


@transaction.atomic
def set_client_days(*, client: Client, days: int | None, reason: str, by: Actor, at: datetime) -> None:
    """Keep a client's calls for so many days, or as the agency does (None); written down with the reason."""
    was = client.keep_for_days
    client.keep_calls_for_days = days
    client.save(update_fields=["keep_calls_for_days"])
    audit.record(
        "policy.changed", subject=client, by=by, at=at, reason=reason, was_days=was, days=client.keep_for_days
    )


@transaction.atomic
def set_agency_days(*, agency: Agency, days: int, reason: str, by: Actor, at: datetime) -> None:
    """Keep calls for so many days at every client without a policy of its own."""
    was = agency.keep_calls_for_days
    agency.keep_calls_for_days = days
    agency.save(update_fields=["keep_calls_for_days"])
    audit.record("policy.changed", subject=agency, by=by, at=at, reason=reason, was_days=was, days=days)


@transaction.atomic
def go_live(*, client: Client, shown: Shown, signed_by: int, at: datetime) -> GoLive:
    """
    Let a client's expired calls, and what is withheld, leave from now on, signed for with the counts that were shown.

    What is withheld already becomes due as long after this as anything that is withheld later.

    :param signed_by: user id of the officer.
    :raises CountsChangedError: what is due is not what was shown, or much more is withheld by now.
    """
    by = Actor.staff(user_id=signed_by)
    locked = Client.objects.select_for_update(of=("self",)).select_related("agency").get(pk=client.pk)
    cutoff = tenancy.cutoff_of(locked, at)
    due = targets.CALLS.count(locked, cutoff)
    counts = decisions.record_counts(locked)
    most = shown.leaving + max(_MAY_GROW_BY, shown.leaving // 10)
    if due != shown.due or counts.would_leave > most:
        raise CountsChangedError("What is due has changed since the page was shown.")
    locked.retention_state = RetentionState.LIVE
    locked.went_live_at = at
    locked.save(update_fields=["retention_state", "went_live_at"])
    signed = GoLive.objects.create(
        agency_id=locked.agency_id,
        client=locked,
        signed_by_id=signed_by,
        signed_at=at,
        keep_for_days=locked.keep_for_days,
        cutoff=cutoff,
        calls_due=due.calls,
        recordings_due=due.recordings,
        callers_due=due.callers,
        recordings_allowed=shown.allowed,
        recordings_withheld=shown.withheld,
        recordings_leaving=shown.leaving,
        quarantine_hours=locked.quarantine_hours,
    )
    audit.record(
        "client.went_live",
        subject=locked,
        by=by,
        at=at,
        calls=due.calls,
        recordings=due.recordings,
        callers=due.callers,
        days=locked.keep_for_days,
        withheld=shown.withheld,
        leaving=shown.leaving,
        hours=locked.quarantine_hours,
    )
    work.close_item("go_live", agency_id=locked.agency_id, key=str(locked.pk), at=at, by=by)
    rejudging.of_client(client=locked, cause="went live", at=at)
    return signed


@transaction.atomic
def observe(*, client: Client, reason: str, by: Actor, at: datetime) -> None:
    """Stop erasing a client's expired calls and withheld recordings: runs only count from now on."""
    Client.objects.filter(pk=client.pk).update(retention_state=RetentionState.OBSERVE, went_live_at=None)
    rejudging.of_client(client=client, cause="observed", at=at)
    audit.record("client.observed", subject=client, by=by, at=at, reason=reason)
