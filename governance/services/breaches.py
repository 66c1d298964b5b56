"""
Breaches: report, assess, notify, close.

Deadlines run from the time of awareness that an officer enters. Each notification that a rule requires is a row. A
breach closes only when each is sent or has a reason.

An update (GDPR article 33(4)) is a row of its own. It is created when a notification promises one, or when facts change
after a notification was sent. A reason for not notifying holds only for the facts at that time.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.audit import services as audit
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import PartyRole
from callprivacy.tenancy.models import Agency, Engagement
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault.sealing import Key
from callprivacy.work import services as work
from governance import kinds, letters
from governance.enums import (
    PHASED,
    BreachKind,
    BreachRisk,
    BreachState,
    DataCategory,
    NoticeState,
    NoticeTo,
)
from governance.law import breaches as law
from governance.models import Breach, BreachNote, BreachNotice
from governance.selectors import breaches as selectors
from governance.services import words

JOB: Final = Actor.job("governance.watch_clocks")
WARN: Final = timedelta(hours=24)
_REMINDED: Final = 3
"""Daily reminders of a report; after them the 72 hours of article 33 are over."""

type _Place = tuple[str, int | None]
"""A rule's id and the notified client, if any."""


class NotOpenError(LookupError):
    """The state of the breach or notification does not allow this."""


class NoticesOpenError(ValueError):
    """Notifications are pending."""


class ToldError(ValueError):
    """A breach with sent notifications cannot be dismissed."""


class TooEarlyError(ValueError):
    """A time is in the future, or before an event that it must follow."""


class NotToldThenError(TooEarlyError):
    """A notification cannot have been sent at that time."""


@dataclass(frozen=True, slots=True, repr=False)
class Assessment:
    """
    The known facts of a breach.

    :ivar aware_at: when the agency was reasonably certain. Deadlines run from here.
    :ivar places: where affected people live: "DE", "US-CA".
    :ivar people: an estimate, like :ivar records:; None if unknown.
    :ivar effects: likely consequences. :ivar remedy: measures.
    :ivar account: the description for notifications; empty to use the report's text.
    """

    aware_at: datetime
    kind: BreachKind
    risk: BreachRisk
    categories: tuple[str, ...]
    places: tuple[str, ...]
    client_ids: tuple[int, ...]
    began_at: datetime | None
    ended_at: datetime | None
    people: int | None
    records: int | None
    effects: str
    remedy: str
    account: str = ""


@transaction.atomic
def report_breach(
    *, agency: Agency, title: str, text: str, is_drill: bool, reported_by: int, at: datetime
) -> Breach:
    """:param title: without a person's name, as lists show it. :param text: stored encrypted."""
    number = _next_number(agency.pk)
    breach = Breach(
        pk=uuid4(),
        agency=agency,
        number=number,
        title=title,
        is_drill=is_drill,
        reported_by_id=reported_by,
        reported_at=at,
    )
    key = words.key_of(agency_id=agency.pk, breach_id=breach.pk, at=at)
    breach.words = words.seal(text, row=breach, column="words", key=key)
    breach.save(force_insert=True)
    by = Actor.staff(user_id=reported_by)
    audit.record("breach.reported", subject=breach, by=by, at=at, number=number, drill=is_drill)
    work.open_item(kinds.BREACH_REPORTED, agency_id=agency.pk, key=str(breach.pk), at=at, due_at=at)
    return breach


def _next_number(agency_id: int) -> int:
    """Counts all breaches, also from a scope that sees only its own reports."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT governance_next_breach(%s)", [agency_id])
        return int(cursor.fetchone()[0])


@transaction.atomic
def assess_breach(*, breach: Breach, assessment: Assessment, by: Actor, at: datetime) -> None:
    """
    Save the facts and create the required notifications.

    Sent notifications stay. Pending ones that are no longer required are deleted. One that was marked as not required
    on other facts is due again.

    :raises NotOpenError: the breach is closed or dismissed.
    :raises TooEarlyError: awareness is in the future, or the breach ends before it begins.
    """
    if assessment.aware_at > at:
        raise TooEarlyError("The time of awareness cannot be in the future.")
    if assessment.began_at and assessment.ended_at and assessment.ended_at < assessment.began_at:
        raise TooEarlyError("The end must be after the start.")
    key, account = words.key_of(agency_id=breach.agency_id, breach_id=breach.pk, at=at), assessment.account
    changed = (
        Breach.objects.open()
        .filter(pk=breach.pk)
        .update(
            state=BreachState.OPEN,
            aware_at=assessment.aware_at,
            kind=assessment.kind,
            risk=assessment.risk,
            categories=list(assessment.categories),
            places=list(assessment.places),
            clients=list(assessment.client_ids),
            began_at=assessment.began_at,
            ended_at=assessment.ended_at,
            people=assessment.people,
            records=assessment.records,
            effects=words.seal(assessment.effects, row=breach, column="effects", key=key),
            remedy=words.seal(assessment.remedy, row=breach, column="remedy", key=key),
            account=words.seal(account, row=breach, column="account", key=key) if account else None,
        )
    )
    if not changed:
        raise NotOpenError("This breach is closed.")
    breach.refresh_from_db()
    _make_notices(breach)
    _reopen_changed(breach, by=by, at=at)
    _make_further(breach, at=at)
    audit.record(
        "breach.assessed",
        subject=breach,
        by=by,
        at=at,
        risk=assessment.risk.value,
        kind=assessment.kind.value,
        clients=len(assessment.client_ids),
        people=assessment.people,
        aware_at=assessment.aware_at.isoformat(),
    )
    work.close_item(kinds.BREACH_REPORTED, agency_id=breach.agency_id, key=str(breach.pk), at=at, by=by)
    _renew_clock(breach, at=at, by=by)


def _make_notices(breach: Breach) -> None:
    wanted = _wanted(breach)
    for row in BreachNotice.objects.filter(breach=breach, phase=1, state=NoticeState.DUE):
        due = wanted.get((row.rule, row.client_id))
        if due is None:
            row.delete()
        elif row.due_at != due.due_at:
            BreachNotice.objects.filter(pk=row.pk, state=NoticeState.DUE).update(due_at=due.due_at)
    _add_missing(breach, wanted)


def _wanted(breach: Breach) -> Mapping[_Place, BreachNotice]:
    """The first notification of each rule that applies, by rule and client."""
    zone = ZoneInfo(breach.agency.time_zone)
    return {
        (rule.id, client): BreachNotice(
            agency_id=breach.agency_id,
            breach=breach,
            to=rule.to,
            rule=rule.id,
            client_id=client,
            due_at=due_at,
        )
        for rule, client, due_at in _required(breach, zone, notified=_residents_notified(breach))
    }


def _add_missing(breach: Breach, wanted: Mapping[_Place, BreachNotice]) -> bool:
    present = set(BreachNotice.objects.filter(breach=breach, phase=1).values_list("rule", "client_id"))
    return bool(
        BreachNotice.objects.bulk_create([row for place, row in wanted.items() if place not in present])
    )


def _reopen_changed(breach: Breach, *, by: Actor, at: datetime) -> None:
    """Reopen notifications that were marked as not required on other facts."""
    wanted = _wanted(breach)
    left_out = BreachNotice.objects.filter(breach=breach, phase=1, state=NoticeState.NOT_NEEDED)
    key, now = words.find_key(breach), _facts(breach, at=at)
    stale = []
    for row in left_out:
        before = _known(row, key)
        if (row.rule, row.client_id) in wanted and (before is None or letters.is_changed(before, now)):
            stale.append(row)
    if stale:
        _reopen(
            breach,
            stale,
            why="Reopened because the facts have changed.",
            is_changed=True,
            by=by,
            at=at,
        )
        _make_notices(breach)


def _reopen(
    breach: Breach,
    rows: Sequence[BreachNotice],
    *,
    why: str,
    reason: str | None = None,
    is_changed: bool = False,
    by: Actor,
    at: datetime,
) -> None:
    """
    Reopen notifications. Their texts move to a note and pending updates are deleted.

    :param is_changed: the facts changed, so the reason for not notifying stays visible.
    """
    key = words.key_of(agency_id=breach.agency_id, breach_id=breach.pk, at=at)
    texts = [why]
    for row in sorted(rows, key=lambda row: row.phase, reverse=True):
        was = NoticeState(row.state)
        text = words.open_words(row, "words" if was == NoticeState.SENT else "why", key=key)
        texts.append(f"{row.get_to_display()} ({row.rule}), previously {was.label.lower()}: {text}")
        BreachNotice.objects.filter(pk=row.pk).update(
            state=NoticeState.DUE,
            words=None,
            facts=None,
            settled_at=None,
            settled_by=None,
            told_at=None,
            **({} if is_changed else {"why": None}),
        )
        _after(row).filter(state=NoticeState.DUE).delete()
        audit.record(
            "breach.untold",
            subject=breach,
            by=by,
            at=at,
            reason=reason,
            rule=row.rule,
            to=row.to,
            phase=row.phase,
            was=was.value,
        )
    note(breach=breach, text="\n\n".join(texts), by=by, at=at)


def _after(row: BreachNotice) -> QuerySet[BreachNotice]:
    whose = Q(client=None) if row.client_id is None else Q(client_id=row.client_id)
    return BreachNotice.objects.filter(whose, breach_id=row.breach_id, rule=row.rule, phase__gt=row.phase)


def _make_further(breach: Breach, *, at: datetime) -> None:
    """Create a pending update for each notification in phases whose facts changed, unless one is pending."""
    newest: dict[_Place, BreachNotice] = {}
    for row in BreachNotice.objects.filter(breach=breach, to__in=PHASED).order_by("phase"):
        newest[row.rule, row.client_id] = row
    notified = set(
        BreachNotice.objects.filter(breach=breach, phase=1, state=NoticeState.SENT).values_list(
            "rule", "client_id"
        )
    )
    key = words.find_key(breach)
    for place, row in newest.items():
        if row.state == NoticeState.DUE or place not in notified:
            continue
        before = _known(row, key)
        if before is None or letters.is_news(before, _facts(breach, at=at)):
            _open_next(row, due_at=None)


def _open_next(row: BreachNotice, *, due_at: datetime | None) -> None:
    BreachNotice.objects.create(
        agency_id=row.agency_id,
        breach_id=row.breach_id,
        to=row.to,
        rule=row.rule,
        client_id=row.client_id,
        phase=row.phase + 1,
        due_at=due_at,
    )


def _known(row: BreachNotice, key: Key | None) -> letters.Known | None:
    """The facts at the time of a notification; None if they were not stored."""
    text = words.open_words(row, "facts", key=key)
    return letters.Known.from_json(text) if text else None


def _facts(breach: Breach, *, at: datetime) -> letters.Facts:
    key = words.find_key(breach)
    texts = {
        name: words.open_words(breach, name, key=key) for name in ("words", "account", "effects", "remedy")
    }
    return selectors.facts(breach, texts, at=at)


def _residents_notified(breach: Breach) -> dict[str, datetime]:
    """When residents of states were notified, by rule. Deadlines of some offices run from there."""
    rows = BreachNotice.objects.filter(breach=breach, to=NoticeTo.STATE, state=NoticeState.SENT)
    return {row.rule: row.went_out_at for row in rows if row.went_out_at is not None}


def _required(
    breach: Breach, zone: ZoneInfo, *, notified: Mapping[str, datetime]
) -> Sequence[tuple[law.Rule, int | None, datetime | None]]:
    """Each rule that applies, with its client and deadline."""
    if breach.aware_at is None:
        return []
    risk = BreachRisk(breach.risk)
    agreed = {
        row.client_id: row
        for row in Engagement.objects.filter(agency_id=breach.agency_id, client_id__in=breach.clients)
    }
    processed = [pk for pk in breach.clients if PartyRole.PROCESSOR in _roles(agreed.get(pk))]
    controls = _controls(breach, agreed)
    required: list[tuple[law.Rule, int | None, datetime | None]] = []
    for rule in law.rules().values():
        if not rule.is_due_at(risk, people=breach.people):
            continue
        if rule.as_role == "processor":
            required += [
                (rule, pk, breach.aware_at + timedelta(hours=agreed[pk].breach_notice_hours))
                for pk in processed
            ]
        elif controls and rule.holds_in(breach.places):
            due_at = rule.due_at(breach.aware_at, zone=zone, told_at=notified.get(rule.beside))
            required.append((rule, None, due_at))
    if controls:
        required += [(rule, None, None) for rule in law.unruled(breach.places)]
    return required


def _controls(breach: Breach, agreed: Mapping[int, Engagement]) -> bool:
    """Whether the agency is a controller of some of the data."""
    if not breach.clients or DataCategory.STAFF in breach.categories:
        return True
    own = {PartyRole.CONTROLLER, PartyRole.JOINT}
    return any(own & _roles(agreed.get(pk)) for pk in breach.clients)


def _roles(engagement: Engagement | None) -> set[str]:
    """The agency's roles for a client over all purposes; controller without an agreement."""
    if engagement is None:
        return {PartyRole.CONTROLLER}
    return {engagement.measure_as, engagement.record_as, engagement.contact_as}


def _renew_clock(breach: Breach, *, at: datetime, by: Actor) -> None:
    """Update or close the inbox item of a breach's notifications."""
    waiting = BreachNotice.objects.filter(breach=breach, state=NoticeState.DUE)
    count = waiting.count()
    if count and breach.state == BreachState.OPEN:
        due = waiting.exclude(due_at=None).order_by("due_at").values_list("due_at", flat=True).first()
        work.open_item(
            kinds.BREACH_NOTICE,
            agency_id=breach.agency_id,
            key=str(breach.pk),
            at=at,
            due_at=due or at,
            count=count,
        )
    else:
        work.close_item(kinds.BREACH_NOTICE, agency_id=breach.agency_id, key=str(breach.pk), at=at, by=by)


@transaction.atomic
def dismiss_breach(*, breach: Breach, reason: str, by: Actor, at: datetime) -> None:
    """
    Dismiss a breach and mark its pending notifications as not required.

    :raises NotOpenError: it is closed or dismissed.
    :raises ToldError: a notification was sent.
    """
    row = Breach.objects.open().select_for_update().filter(pk=breach.pk).first()
    if row is None:
        raise NotOpenError("This breach is closed.")
    if BreachNotice.objects.filter(breach=row, state=NoticeState.SENT).exists():
        raise ToldError("Notifications of this breach were sent. Close it instead.")
    pending = list(BreachNotice.objects.filter(breach=row, state=NoticeState.DUE))
    if pending:
        _leave_all(row, pending, why=reason, by=by, at=at)
    Breach.objects.filter(pk=row.pk).update(
        state=BreachState.DISMISSED, closed_at=at, closed_by_id=by.user_id
    )
    audit.record("breach.dismissed", subject=row, by=by, at=at, reason=reason, notices=len(pending))
    work.close_item(kinds.BREACH_REPORTED, agency_id=row.agency_id, key=str(row.pk), at=at, by=by)
    _renew_clock(row, at=at, by=by)


def _leave_all(breach: Breach, rows: Sequence[BreachNotice], *, why: str, by: Actor, at: datetime) -> None:
    key = words.key_of(agency_id=breach.agency_id, breach_id=breach.pk, at=at)
    known = letters.Known.of(_facts(breach, at=at)).as_json()
    for row in rows:
        BreachNotice.objects.filter(pk=row.pk).update(
            **_kept(row, NoticeState.NOT_NEEDED, ("why", why), known=known, key=key),
            settled_at=at,
            settled_by_id=by.user_id,
        )


def _kept(
    row: BreachNotice, state: NoticeState, written: tuple[str, str], *, known: str | None, key: Key
) -> dict[str, Any]:
    column, text = written
    return {
        "state": state,
        "facts": words.seal(known, row=row, column="facts", key=key) if known else None,
        "why": None,
        column: words.seal(text, row=row, column=column, key=key),
    }


@transaction.atomic
def make_real(*, breach: Breach, reason: str, by: Actor, at: datetime) -> None:
    """
    Convert a drill to a real breach. All its notifications are due again, and the agency's managers are notified.

    :raises NotOpenError: it is not a drill, or it is closed or dismissed.
    """
    if not Breach.objects.open().filter(pk=breach.pk, is_drill=True).update(is_drill=False):
        raise NotOpenError("This is not a drill, or it is closed. Reopen it first.")
    breach.refresh_from_db()
    audit.record("breach.made_real", subject=breach, by=by, at=at, reason=reason)
    settled = list(BreachNotice.objects.filter(breach=breach).exclude(state=NoticeState.DUE))
    if settled:
        _reopen(breach, settled, why="Reopened because the drill became a real breach.", by=by, at=at)
        _make_notices(breach)
    _renew_clock(breach, at=at, by=by)
    waits = BreachNotice.objects.filter(breach=breach, state=NoticeState.DUE).exists()
    work.notify(
        kinds.BREACH_NOTICE if waits else kinds.BREACH_REPORTED,
        agency_id=breach.agency_id,
        user_ids=_managers(breach.agency_id),
        at=at,
        key=f"{breach.pk} real",
    )


@transaction.atomic
def note(*, breach: Breach, text: str, by: Actor, at: datetime) -> BreachNote:
    if by.user_id is None:
        raise TypeError("A person writes a note.")
    row = BreachNote(pk=uuid4(), agency_id=breach.agency_id, breach=breach, by_id=by.user_id, at=at)
    key = words.key_of(agency_id=breach.agency_id, breach_id=breach.pk, at=at)
    row.words = words.seal(text, row=row, column="words", key=key)
    row.save(force_insert=True)
    audit.record("breach.noted", subject=breach, by=by, at=at)
    return row


@transaction.atomic
def contain(*, breach: Breach, contained_at: datetime, by: Actor, at: datetime) -> None:
    """
    Record the time of containment.

    :raises NotOpenError: the breach is not open.
    :raises TooEarlyError: the time is in the future.
    """
    if contained_at > at:
        raise TooEarlyError("The time of containment cannot be in the future.")
    if not Breach.objects.filter(pk=breach.pk, state=BreachState.OPEN).update(contained_at=contained_at):
        raise NotOpenError("This breach is not open.")
    breach.refresh_from_db()
    _make_further(breach, at=at)
    _renew_clock(breach, at=at, by=by)
    audit.record("breach.contained", subject=breach, by=by, at=at, contained_at=contained_at.isoformat())


@transaction.atomic
def send_notice(
    *,
    notice: BreachNotice,
    text: str,
    more_on: date | None = None,
    told_at: datetime | None = None,
    by: Actor,
    at: datetime,
) -> None:
    """
    Record a notification that a person has sent outside the product.

    :param told_at: when it was sent, if before now. The facts of that time are unknown, so a notification in phases
        gets a pending update.
    :param more_on: the promised date of an update.
    :raises NotOpenError: the notification is not pending, or the breach is closed.
    :raises TooEarlyError: the update was promised for a date before the notification.
    :raises NotToldThenError: it was sent in the future, before awareness, or before the previous notification.
    :raises ValueError: the recipient gets no updates.
    """
    if more_on is not None and notice.to not in PHASED:
        raise ValueError("Only an authority or a controller gets updates.")
    if told_at is not None and told_at > at:
        raise NotToldThenError("The date sent cannot be in the future.")
    if told_at is not None and notice.breach.aware_at is not None and told_at < notice.breach.aware_at:
        raise NotToldThenError("The date sent cannot be before the time of awareness.")
    earlier = selectors.told_before(notice)
    if told_at is not None and earlier and earlier.went_out_at and told_at < earlier.went_out_at:
        raise NotToldThenError("The date sent cannot be before the previous notification.")
    zone = ZoneInfo(notice.breach.agency.time_zone)
    out_at = told_at or at
    if more_on is not None and more_on < out_at.astimezone(zone).date():
        raise TooEarlyError("The date of the update cannot be before the date sent.")
    _settle(notice, NoticeState.SENT, ("words", text), more_on=more_on, told_at=told_at, by=by, at=at)
    late = notice.due_at is not None and out_at >= notice.due_at
    audit.record(
        "breach.told",
        subject=notice.breach,
        by=by,
        at=at,
        rule=notice.rule,
        to=notice.to,
        late=late,
        phase=notice.phase,
        more_on=more_on.isoformat() if more_on else "",
        told_at=out_at.isoformat(),
    )


@transaction.atomic
def leave_notice(*, notice: BreachNotice, why: str, by: Actor, at: datetime) -> None:
    """
    Mark a notification as not required.

    :raises NotOpenError: it is not pending, or the breach is closed.
    """
    _settle(notice, NoticeState.NOT_NEEDED, ("why", why), by=by, at=at)
    audit.record(
        "breach.not_told",
        subject=notice.breach,
        by=by,
        at=at,
        rule=notice.rule,
        to=notice.to,
        phase=notice.phase,
    )


@transaction.atomic
def take_back_notice(*, notice: BreachNotice, reason: str, by: Actor, at: datetime) -> bool:
    """
    Reopen a notification. Returns False if it is no longer required and was deleted.

    :raises NotOpenError: it is pending, its breach is not open, or a later one to the same recipient is not pending.
    """
    breach = Breach.objects.select_for_update().get(pk=notice.breach_id)
    row = BreachNotice.objects.filter(pk=notice.pk).exclude(state=NoticeState.DUE).first()
    if row is None or breach.state != BreachState.OPEN:
        raise NotOpenError("This notification is pending, or its breach is not open.")
    if _after(row).exclude(state=NoticeState.DUE).exists():
        raise NotOpenError("Reopen the latest notification to this recipient first.")
    _reopen(breach, [row], why=f"Reopened: {reason}", reason=reason, by=by, at=at)
    _make_notices(breach)
    _renew_clock(breach, at=at, by=by)
    return BreachNotice.objects.filter(pk=row.pk).exists()


def _settle(
    notice: BreachNotice,
    state: NoticeState,
    written: tuple[str, str],
    *,
    more_on: date | None = None,
    told_at: datetime | None = None,
    by: Actor,
    at: datetime,
) -> None:
    breach = Breach.objects.select_for_update().get(pk=notice.breach_id)
    key = words.key_of(agency_id=notice.agency_id, breach_id=notice.breach_id, at=at)
    # The facts of an earlier time are unknown.
    known = letters.Known.of(_facts(breach, at=at)).as_json() if told_at is None else None
    open_ones = BreachNotice.objects.filter(pk=notice.pk, state=NoticeState.DUE)
    changed = breach.state == BreachState.OPEN and open_ones.update(
        **_kept(notice, state, written, known=known, key=key),
        settled_at=at,
        settled_by_id=by.user_id,
        told_at=told_at,
    )
    if not changed:
        raise NotOpenError("This notification is not pending.")
    if more_on is not None:
        _open_next(notice, due_at=calendars.end_of(more_on, ZoneInfo(breach.agency.time_zone)))
    elif told_at is not None and notice.to in PHASED:
        _open_next(notice, due_at=None)
    if notice.to == NoticeTo.STATE:
        _make_notices(breach)
    _renew_clock(breach, at=at, by=by)


@transaction.atomic
def close_breach(*, breach: Breach, lessons: str, by: Actor, at: datetime) -> None:
    """
    Close a breach.

    :raises NotOpenError: it is not open.
    :raises NoticesOpenError: notifications are pending.
    """
    row = Breach.objects.select_for_update().filter(pk=breach.pk, state=BreachState.OPEN).first()
    if row is None:
        raise NotOpenError("This breach is not open.")
    pending = BreachNotice.objects.filter(breach=row, state=NoticeState.DUE).count()
    if pending:
        raise NoticesOpenError(f"Pending notifications: {pending}. Send them or mark them as not required.")
    key = words.key_of(agency_id=row.agency_id, breach_id=row.pk, at=at)
    Breach.objects.filter(pk=row.pk).update(
        state=BreachState.CLOSED,
        closed_at=at,
        closed_by_id=by.user_id,
        lessons=words.seal(lessons, row=row, column="lessons", key=key),
    )
    audit.record("breach.closed", subject=row, by=by, at=at)


@transaction.atomic
def reopen_breach(*, breach: Breach, reason: str, by: Actor, at: datetime) -> None:
    """
    Reopen a closed or dismissed breach (GDPR article 33(4)).

    Deadlines still run from the original time of awareness. Recipients of notifications in phases get a pending update.
    Notifications that the dismissal marked as not required are due again.

    :raises NotOpenError: it is neither closed nor dismissed.
    """
    over = [BreachState.CLOSED, BreachState.DISMISSED]
    row = Breach.objects.select_for_update().filter(pk=breach.pk, state__in=over).first()
    if row is None:
        raise NotOpenError("Only a closed or dismissed breach can be reopened.")
    state = BreachState.REPORTED if row.aware_at is None else BreachState.OPEN
    Breach.objects.filter(pk=row.pk).update(state=state, closed_at=None, closed_by=None)
    breach.refresh_from_db()
    audit.record(
        "breach.reopened", subject=breach, by=by, at=at, reason=reason, drill=breach.is_drill, was=row.state
    )
    note(breach=breach, text=f"Reopened: {reason}", by=by, at=at)
    if state == BreachState.REPORTED:
        work.open_item(
            kinds.BREACH_REPORTED,
            agency_id=breach.agency_id,
            key=str(breach.pk),
            at=at,
            due_at=breach.reported_at,
        )
        return
    if row.state == BreachState.DISMISSED:
        dropped = BreachNotice.objects.filter(
            breach=breach, state=NoticeState.NOT_NEEDED, settled_at=row.closed_at
        )
        _reopen(breach, list(dropped), why="Reopened because the breach was dismissed.", by=by, at=at)
        _make_notices(breach)
    _open_updates(breach)
    _renew_clock(breach, at=at, by=by)


def _open_updates(breach: Breach) -> None:
    newest: dict[_Place, BreachNotice] = {}
    notified: set[_Place] = set()
    for row in BreachNotice.objects.filter(breach=breach, to__in=PHASED).order_by("phase"):
        newest[row.rule, row.client_id] = row
        if row.phase == 1 and row.state == NoticeState.SENT:
            notified.add((row.rule, row.client_id))
    for place, row in newest.items():
        if place in notified and row.state != NoticeState.DUE:
            _open_next(row, due_at=None)


def watch_clocks(*, agency_id: int, at: datetime) -> int:
    """
    Notify managers once of each notification due within a day and once when it is overdue, again if its date changes.

    Reports are repeated after one, two and three days. Open breaches first get the notifications of rules added since
    their assessment. Called outside any scope, and idempotent. Returns the number of notifications to managers.
    """
    with job_scope(agency_id=agency_id):
        count = _watch_reports(agency_id, at=at)
        opened = Breach.objects.filter(state=BreachState.OPEN).select_related("agency")
        for breach in opened.select_for_update(of=("self",), skip_locked=True):
            if _add_missing(breach, _wanted(breach)):
                _renew_clock(breach, at=at, by=JOB)
        rows = BreachNotice.objects.filter(
            state=NoticeState.DUE, breach__state=BreachState.OPEN, due_at__lt=at + WARN
        ).select_related("breach")
        for row in rows:
            stage = "late" if row.due_at is not None and row.due_at <= at else "soon"
            # The claim includes the date and the drill flag, so that a change of either notifies again.
            day = row.due_at.isoformat(timespec="minutes") if row.due_at is not None else ""
            job = f"breach {'drill' if row.breach.is_drill else 'notice'} {row.pk}"
            if not work.claim_period(agency_id=agency_id, job=job, period=f"{day} {stage}", at=at):
                continue
            work.notify(
                kinds.BREACH_NOTICE,
                agency_id=agency_id,
                user_ids=_managers(agency_id),
                at=at,
                key=f"{row.breach_id} {stage}",
            )
            count += 1
    return count


def _watch_reports(agency_id: int, *, at: datetime) -> int:
    count = 0
    waiting = Breach.objects.filter(state=BreachState.REPORTED)
    for breach in waiting.select_for_update(skip_locked=True):
        key, day = str(breach.pk), breach.reported_at
        is_new = work.open_item(kinds.BREACH_REPORTED, agency_id=agency_id, key=key, at=at, due_at=day)
        days = min((at - day) // timedelta(days=1), _REMINDED)
        job = f"breach {'drill' if breach.is_drill else 'report'} {breach.pk}"
        is_due = days > 0 and work.claim_period(agency_id=agency_id, job=job, period=f"{days} days", at=at)
        if is_due and not is_new:
            managers = _managers(agency_id)
            work.notify(kinds.BREACH_REPORTED, agency_id=agency_id, user_ids=managers, at=at, key=key)
        count += is_new or is_due
    return count


def _managers(agency_id: int) -> Collection[int]:
    return access.people_with_right(AgencyRight.MANAGE_CLIENTS, agency_id=agency_id)
