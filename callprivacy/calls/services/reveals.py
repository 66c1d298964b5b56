"""
Showing a number: the event is written first, in the transaction that the answer waits for; what cannot be
recorded is not shown. More reveals an hour than the agency allows are refused and told to its officers, and
every week a random sample goes to them.
"""

import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, models, transaction
from django.utils.crypto import salted_hmac

from callprivacy.audit import services as audit
from callprivacy.audit.models import Event
from callprivacy.calls import kinds
from callprivacy.calls.enums import RevealReason
from callprivacy.calls.models import Call, Reveal
from callprivacy.calls.selectors import calls as selectors
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.tenancy.models import Agency
from callprivacy.vault import selectors as vault
from callprivacy.vault.sealing import SealBrokenError
from callprivacy.work import services as work

SHORTEST_REASON = 15
SHOWN_FOR = timedelta(seconds=60)
SAMPLE = 20
_REPEATS_WITHIN = timedelta(days=90)
_LOCK_CLASS = 0x63_72_76_6C
_SPACES = re.compile(r"\s+")


class NoNumberError(LookupError):
    """The call has no number to show: it was withheld, or is erased."""


class ReasonTooShortError(ValueError):
    """A reason says less than a sentence."""


class RevealLimitError(RuntimeError):
    """A person has shown as many numbers in the last hour as the agency allows."""


class HiddenSampleError(LookupError):
    """Some of a sample is of clients that are not granted to the person."""


class OwnSampleError(LookupError):
    """Some of a sample is of the person's own, and no other officer has read why."""


@dataclass(frozen=True, slots=True, repr=False)
class Revealed:
    """A number to be shown once. It prints as nothing."""

    number: str
    is_repeat: bool


def plain_reason(reason: str) -> str:
    """A reason without the spaces that are none of its words."""
    return _SPACES.sub(" ", reason).strip()


def checked_reason(reason: str) -> str:
    """
    A reason as it is written down.

    :raises ReasonTooShortError: it has fewer than 15 characters.
    """
    reason = plain_reason(reason)
    if len(reason) < SHORTEST_REASON:
        raise ReasonTooShortError(f"A reason has at least {SHORTEST_REASON} characters.")
    return reason


def reveal_number(
    *, call: Call, agency: Agency, reason_kind: RevealReason, reason: str, by: Actor, at: datetime
) -> Revealed:
    """
    Record why and return a call's number.

    A refusal for the limit is written down and told to the officers in the running transaction.

    :raises NoNumberError: there is none, or it does not open any more.
    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    :raises RevealLimitError: the person has reached the agency's limit.
    """
    about = _About(call, call.client_id, lambda: _number_of(call), call_id=call.pk)
    return _show(about, agency=agency, kind=reason_kind, reason=reason, by=by, at=at)


def reveal_number_for(
    *,
    subject: models.Model,
    client_id: int,
    caller_id: uuid.UUID,
    read: Callable[[], str],
    agency: Agency,
    reason_kind: RevealReason,
    reason: str,
    by: Actor,
    at: datetime,
) -> Revealed:
    """
    Record why and return a caller's number that is needed for something else than a call; it counts as any other.

    :param subject: what it is needed for, as the trail names it.
    :param read: opens the number, after it was written down that it is shown; may raise `NoNumberError`.
    :raises NoNumberError: there is none, or it does not open any more.
    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    :raises RevealLimitError: the person has reached the agency's limit.
    """
    about = _About(subject, client_id, read, caller_id=caller_id)
    return _show(about, agency=agency, kind=reason_kind, reason=reason, by=by, at=at)


@dataclass(frozen=True, slots=True, repr=False)
class _About:
    """What a number is shown for, whose it is, and how it opens."""

    subject: models.Model
    client_id: int
    read: Callable[[], str]
    call_id: uuid.UUID | None = None
    caller_id: uuid.UUID | None = None


def _show(
    about: _About, *, agency: Agency, kind: RevealReason, reason: str, by: Actor, at: datetime
) -> Revealed:
    if by.user_id is None or by.kind is not ScopeKind.STAFF:
        raise TypeError("A number is shown to a person.")
    reason = checked_reason(reason)
    with transaction.atomic():
        _wait_in_line(agency_id=agency.pk, user_id=by.user_id)
        allowed = _count_since(by.user_id, agency.pk, at - timedelta(hours=1)) < agency.reveals_per_hour
        if allowed:
            return _reveal(about, agency=agency, user_id=by.user_id, kind=kind, reason=reason, by=by, at=at)
        _tell_officers(about, agency=agency, user_id=by.user_id, by=by, at=at)
    raise RevealLimitError(f"{agency.reveals_per_hour} numbers an hour is this agency's limit.")


def _wait_in_line(*, agency_id: int, user_id: int) -> None:
    """One reveal of a person at a time, so that two at once do not both count one too few."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashint8(%s::bigint # (%s::bigint << 32)))",
            [_LOCK_CLASS, user_id, agency_id],
        )


def _count_since(user_id: int, agency_id: int, since: datetime) -> int:
    return Reveal.objects.filter(agency_id=agency_id, user_id=user_id, at__gt=since).count()


def _reveal(
    about: _About, *, agency: Agency, user_id: int, kind: RevealReason, reason: str, by: Actor, at: datetime
) -> Revealed:
    digest = salted_hmac("callprivacy.calls.reveal", reason.casefold(), algorithm="sha256").digest()
    is_repeat = Reveal.objects.filter(
        agency_id=agency.pk, user_id=user_id, at__gt=at - _REPEATS_WITHIN, reason_digest=digest
    ).exists()
    event = audit.record(
        "number.revealed",
        subject=about.subject,
        by=by,
        at=at,
        reason=reason,
        kind=kind.value,
        repeat=is_repeat,
    )
    Reveal.objects.create(
        agency_id=agency.pk,
        client_id=about.client_id,
        call_id=about.call_id,
        caller_id=about.caller_id,
        user_id=user_id,
        reason_kind=kind,
        reason_digest=digest,
        is_repeat=is_repeat,
        event_id=event.pk,
        at=at,
    )
    return Revealed(about.read(), is_repeat)


def _number_of(call: Call) -> str:
    caller = call.caller
    if caller is None:
        raise NoNumberError("This call has no number.")
    key = vault.content_keys({call.client_id: [caller.pk]}).get(caller.pk)
    if key is None:
        raise NoNumberError("This number was erased.")
    try:
        return str(caller.number.reveal(key))
    except SealBrokenError:
        raise NoNumberError("This number does not open any more.") from None


def _tell_officers(about: _About, *, agency: Agency, user_id: int, by: Actor, at: datetime) -> None:
    audit.record("reveal.blocked", subject=about.subject, by=by, at=at, limit=agency.reveals_per_hour)
    key = kinds.limit_key(user_id)
    work.open_item(kinds.REVEAL_LIMIT, agency_id=agency.pk, key=key, at=at, due_at=at)


# --- The weekly sample --------------------------------------------------------------------------------------


def week_before(agency: Agency, at: datetime) -> date:
    """The Monday of the last whole week, in the agency's zone."""
    today = calendars.day_in(agency.time_zone, at)
    return today - timedelta(days=today.weekday() + 7)


def _instants(agency: Agency, monday: date) -> tuple[datetime, datetime]:
    zone = ZoneInfo(agency.time_zone)
    days = (monday, monday + timedelta(days=7))
    first, last = (datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC) for day in days)
    return first, last


@transaction.atomic
def sample_week(*, agency: Agency, by: Actor, at: datetime) -> int | None:
    """
    Draw last week's sample for the officers and let it wait in their queue, once a week.

    :returns: how many were drawn; None where the week was drawn before, 0 where nothing was shown.
    """
    monday = week_before(agency, at)
    if not work.claim_period(
        agency_id=agency.pk,
        job="calls.sample_reveals",
        period=monday.isoformat(),
        at=at,
        kept_for=work.OF_A_CLOCK,
    ):
        return None
    first, last = _instants(agency, monday)
    shown = list(
        Reveal.objects.filter(agency_id=agency.pk, at__gte=first, at__lt=last)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    drawn = secrets.SystemRandom().sample(shown, min(SAMPLE, len(shown)))
    if drawn:
        Reveal.objects.filter(pk__in=drawn).update(sampled_on=monday)
        work.open_item(
            kinds.REVEAL_SAMPLE,
            agency_id=agency.pk,
            key=monday.isoformat(),
            at=at,
            due_at=at + timedelta(days=7),
            count=len(drawn),
        )
    audit.record("reveals.sampled", by=by, at=at, week=monday.isoformat(), shown=len(shown), drawn=len(drawn))
    return len(drawn)


@transaction.atomic
def read_reasons(*, reveals: list[Reveal], by: Actor, at: datetime) -> dict[int, str | None]:
    """Return event id -> the sentence behind each reveal; each reading is an event of its own."""
    events = {
        event.pk: event for event in Event.objects.filter(pk__in=[reveal.event_id for reveal in reveals])
    }
    return {
        reveal.event_id: audit.open_reason(event=events[reveal.event_id], by=by, at=at)
        for reveal in reveals
        if reveal.event_id in events
    }


@transaction.atomic
def finish_sample(*, agency: Agency, monday: date, by: Actor, at: datetime) -> bool:
    """
    Close a week's sample as read; returns whether it was still open.

    :raises HiddenSampleError: the person does not see all of it.
    :raises OwnSampleError: what the person showed themself another officer has still to read, where one sees it.
    """
    sample = selectors.sampled_reveals(agency, monday)
    if hidden := selectors.hidden_of_sample(sample, monday):
        names = ", ".join(client.name for client in hidden)
        raise HiddenSampleError(
            f"Some of it is of clients that are not granted to you: {names}. Leave it to an officer who has these"
            " clients."
        )
    if by.user_id is not None and selectors.own_of_sample(
        sample, agency_id=agency.pk, user_id=by.user_id, at=at
    ):
        raise OwnSampleError("Some of it you showed yourself. Let another officer read the reasons first.")
    closed = work.close_item(kinds.REVEAL_SAMPLE, agency_id=agency.pk, key=monday.isoformat(), at=at, by=by)
    if closed:
        audit.record("reveals.reviewed", by=by, at=at, week=monday.isoformat())
    return closed
