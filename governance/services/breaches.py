"""
Breaches: reported by anyone, looked at by who manages the agency, told to those whom the law names, and closed.

The clock starts with the instant that an officer names as that of awareness, never with our own. Every notice that a
rule calls for is a row with its date; a breach closes only when each of them is sent or has a written reason.

Where not all is known at once, a notice says by when more follows, and where facts change after it went out, what is
new waits to be told: either way the next notice is a row of its own, open until it is sent or somebody writes that
nothing further is to be told (GDPR article 33(4)). A reason why somebody need not be told counts for the facts on which
it was written. A closed breach opens again where facts follow.
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
"""For how many days a report is told of anew on each; after them the 72 hours of article 33 would be over."""

type _Place = tuple[str, int | None]
"""A rule's id, and the client that is told by it, where it is one."""


class NotOpenError(LookupError):
    """The breach is not in a state in which this can be done; look at it again."""


class NoticesOpenError(ValueError):
    """Somebody has still to be told, or a reason to be written why not."""


class ToldError(ValueError):
    """Somebody was told of it, so it is closed and not dismissed."""


class TooEarlyError(ValueError):
    """An instant lies in the future, or one lies before what it follows."""


class NotToldThenError(TooEarlyError):
    """Nobody can have been told at that instant."""


@dataclass(frozen=True, slots=True, repr=False)
class Assessment:
    """
    What is known of a breach so far; it may be written again as more is known.

    :ivar aware_at: when the agency knew with reasonable certainty; the clocks run from there.
    :ivar places: where the people concerned live: "DE", "US-CA".
    :ivar people: about how many people, and :ivar records: about how many records; None: not known yet.
    :ivar effects: the likely consequences, and :ivar remedy: what was and will be done about it.
    :ivar account: what happened as it is told; empty: in the words of the report.
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
    """
    Take the report of a possible breach from anybody of the agency, and let it wait for those who manage it.

    :param title: a few words without a person's name; it stands in lists.
    :param text: what happened, sealed.
    """
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
    """One after the last; a scope that sees only its own reports still counts all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT governance_next_breach(%s)", [agency_id])
        return int(cursor.fetchone()[0])


@transaction.atomic
def assess_breach(*, breach: Breach, said: Assessment, by: Actor, at: datetime) -> None:
    """
    Write down what is known, start the clocks, and make the notices that the law calls for.

    Notices that were sent stay; those that no rule calls for any more, and that nobody settled, go. Where somebody was
    left out with a reason that rests on other facts, that notice is due again.

    :raises NotOpenError: the breach is closed or dismissed.
    :raises TooEarlyError: awareness lies in the future, or the breach ends before it begins.
    """
    if said.aware_at > at:
        raise TooEarlyError("The agency cannot become aware in the future.")
    if said.began_at and said.ended_at and said.ended_at < said.began_at:
        raise TooEarlyError("It ends before it begins.")
    key = words.key_of(agency_id=breach.agency_id, breach_id=breach.pk, at=at)
    changed = (
        Breach.objects.open()
        .filter(pk=breach.pk)
        .update(
            state=BreachState.OPEN,
            aware_at=said.aware_at,
            kind=said.kind,
            risk=said.risk,
            categories=list(said.categories),
            places=list(said.places),
            clients=list(said.client_ids),
            began_at=said.began_at,
            ended_at=said.ended_at,
            people=said.people,
            records=said.records,
            effects=words.seal(said.effects, row=breach, column="effects", key=key),
            remedy=words.seal(said.remedy, row=breach, column="remedy", key=key),
            account=words.seal(said.account, row=breach, column="account", key=key) if said.account else None,
        )
    )
    if not changed:
        raise NotOpenError("This breach is closed.")
    breach.refresh_from_db()
    _make_notices(breach)
    _ask_again(breach, by=by, at=at)
    _make_further(breach, at=at)
    audit.record(
        "breach.assessed",
        subject=breach,
        by=by,
        at=at,
        risk=said.risk.value,
        kind=said.kind.value,
        clients=len(said.client_ids),
        people=said.people,
        aware_at=said.aware_at.isoformat(),
    )
    work.close_item(kinds.BREACH_REPORTED, agency_id=breach.agency_id, key=str(breach.pk), at=at, by=by)
    _renew_clock(breach, at=at, by=by)


def _make_notices(breach: Breach) -> None:
    """Make the notices that the law calls for, and take back what it does not call for any more."""
    wanted = _wanted(breach)
    for row in BreachNotice.objects.filter(breach=breach, phase=1, state=NoticeState.DUE):
        due = wanted.get((row.rule, row.client_id))
        if due is None:
            row.delete()
        elif row.due_at != due.due_at:
            BreachNotice.objects.filter(pk=row.pk, state=NoticeState.DUE).update(due_at=due.due_at)
    _add_missing(breach, wanted)


def _wanted(breach: Breach) -> Mapping[_Place, BreachNotice]:
    """The first notice of each rule that holds, by the rule and the client that it goes to."""
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
        for rule, client, due_at in _duties(breach, zone, told=_told_beside(breach))
    }


def _add_missing(breach: Breach, wanted: Mapping[_Place, BreachNotice]) -> bool:
    present = set(BreachNotice.objects.filter(breach=breach, phase=1).values_list("rule", "client_id"))
    return bool(
        BreachNotice.objects.bulk_create([row for place, row in wanted.items() if place not in present])
    )


def _ask_again(breach: Breach, *, by: Actor, at: datetime) -> None:
    """Let those be told after all who were left out with a reason that rests on other facts than today's."""
    wanted = _wanted(breach)
    left_out = BreachNotice.objects.filter(breach=breach, phase=1, state=NoticeState.NOT_NEEDED)
    key, now = words.find_key(breach), _facts(breach, at=at)
    stale = []
    for row in left_out:
        before = _known(row, key)
        if (row.rule, row.client_id) in wanted and (before is None or letters.is_changed(before, now)):
            stale.append(row)
    if stale:
        _untell(
            breach,
            stale,
            why="What is known has changed, so these are to be looked at again.",
            is_changed=True,
            by=by,
            at=at,
        )
        _make_notices(breach)


def _untell(
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
    Let settled notices be due again; what was written of each stands in a note. Nothing follows them any more.

    :param is_changed: the facts did, so the reason why somebody was left out is shown where it is to be judged anew.
    """
    key = words.key_of(agency_id=breach.agency_id, breach_id=breach.pk, at=at)
    said = [why]
    for row in sorted(rows, key=lambda row: row.phase, reverse=True):
        was = NoticeState(row.state)
        text = words.open_words(row, "words" if was == NoticeState.SENT else "why", key=key)
        said.append(f"{row.get_to_display()} ({row.rule}), {was.label.lower()} until now: {text}")
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
    note(breach=breach, text="\n\n".join(said), by=by, at=at)


def _after(row: BreachNotice) -> QuerySet[BreachNotice]:
    whose = Q(client=None) if row.client_id is None else Q(client_id=row.client_id)
    return BreachNotice.objects.filter(whose, breach_id=row.breach_id, rule=row.rule, phase__gt=row.phase)


def _make_further(breach: Breach, *, at: datetime) -> None:
    """Let what is new wait to be told to those who were told in phases, where no next notice is open yet."""
    newest: dict[_Place, BreachNotice] = {}
    for row in BreachNotice.objects.filter(breach=breach, to__in=PHASED).order_by("phase"):
        newest[row.rule, row.client_id] = row
    told = set(
        BreachNotice.objects.filter(breach=breach, phase=1, state=NoticeState.SENT).values_list(
            "rule", "client_id"
        )
    )
    key = words.find_key(breach)
    for place, row in newest.items():
        if row.state == NoticeState.DUE or place not in told:
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
    """What was known when a notice was settled; None where that was not kept."""
    text = words.open_words(row, "facts", key=key)
    return letters.Known.from_json(text) if text else None


def _facts(breach: Breach, *, at: datetime) -> letters.Facts:
    key = words.find_key(breach)
    said = {
        name: words.open_words(breach, name, key=key) for name in ("words", "account", "effects", "remedy")
    }
    return selectors.facts(breach, said, at=at)


def _told_beside(breach: Breach) -> dict[str, datetime]:
    """When residents of states were told, by their rule: some offices' days run from there."""
    rows = BreachNotice.objects.filter(breach=breach, to=NoticeTo.STATE, state=NoticeState.SENT)
    return {row.rule: row.went_out_at for row in rows if row.went_out_at is not None}


def _duties(
    breach: Breach, zone: ZoneInfo, *, told: Mapping[str, datetime]
) -> Sequence[tuple[law.Rule, int | None, datetime | None]]:
    """Each rule that holds, for whom it is told apart, and by when."""
    if breach.aware_at is None:
        return []
    risk = BreachRisk(breach.risk)
    agreed = {
        row.client_id: row
        for row in Engagement.objects.filter(agency_id=breach.agency_id, client_id__in=breach.clients)
    }
    processed = [pk for pk in breach.clients if PartyRole.PROCESSOR in _roles(agreed.get(pk))]
    controls = _controls(breach, agreed)
    found: list[tuple[law.Rule, int | None, datetime | None]] = []
    for rule in law.rules().values():
        if not rule.is_due_at(risk, people=breach.people):
            continue
        if rule.as_role == "processor":
            found += [
                (rule, pk, breach.aware_at + timedelta(hours=agreed[pk].breach_notice_hours))
                for pk in processed
            ]
        elif controls and rule.holds_in(breach.places):
            due_at = rule.due_at(breach.aware_at, zone=zone, told_at=told.get(rule.beside))
            found.append((rule, None, due_at))
    if controls:
        found += [(rule, None, None) for rule in law.unruled(breach.places)]
    return found


def _controls(breach: Breach, agreed: Mapping[int, Engagement]) -> bool:
    """Whether some of it is the agency's own to answer for: of its people, or of a client for any purpose."""
    if not breach.clients or DataCategory.STAFF in breach.categories:
        return True
    own = {PartyRole.CONTROLLER, PartyRole.JOINT}
    return any(own & _roles(agreed.get(pk)) for pk in breach.clients)


def _roles(engagement: Engagement | None) -> set[str]:
    """As what the agency acts for a client, over all purposes; alone where nothing was agreed."""
    if engagement is None:
        return {PartyRole.CONTROLLER}
    return {engagement.measure_as, engagement.record_as, engagement.contact_as}


def _renew_clock(breach: Breach, *, at: datetime, by: Actor) -> None:
    """Keep the one item of a breach's notices at the next date, or close it."""
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
    Write down that it was no breach, and why; it stays in the register. The reason settles each notice that is due.

    :raises NotOpenError: it is closed or dismissed.
    :raises ToldError: somebody was told of it.
    """
    row = Breach.objects.open().select_for_update().filter(pk=breach.pk).first()
    if row is None:
        raise NotOpenError("This breach is closed.")
    if BreachNotice.objects.filter(breach=row, state=NoticeState.SENT).exists():
        raise ToldError("Somebody was told of it: close it instead, with what was learned.")
    left = list(BreachNotice.objects.filter(breach=row, state=NoticeState.DUE))
    if left:
        _leave_all(row, left, why=reason, by=by, at=at)
    Breach.objects.filter(pk=row.pk).update(
        state=BreachState.DISMISSED, closed_at=at, closed_by_id=by.user_id
    )
    audit.record("breach.dismissed", subject=row, by=by, at=at, reason=reason, notices=len(left))
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
    Say that what was reported as a drill is none; it never becomes one again.

    What was kept as sent in the drill went to nobody, and who was left out had the drill for a reason, so all of it is
    due again, by days that run from awareness. Those who manage the agency are told.

    :raises NotOpenError: it is no drill, or it is closed or dismissed.
    """
    if not Breach.objects.open().filter(pk=breach.pk, is_drill=True).update(is_drill=False):
        raise NotOpenError("It is no drill, or it is closed: open it again first.")
    breach.refresh_from_db()
    audit.record("breach.made_real", subject=breach, by=by, at=at, reason=reason)
    settled = list(BreachNotice.objects.filter(breach=breach).exclude(state=NoticeState.DUE))
    if settled:
        _untell(breach, settled, why="It was a drill until now, so nobody was told.", by=by, at=at)
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
    """Add a note to a breach, sealed; also to a closed one, for what is learned later."""
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
    Write down since when nothing more is lost.

    :raises NotOpenError: the breach is not being handled.
    :raises TooEarlyError: the instant lies in the future.
    """
    if contained_at > at:
        raise TooEarlyError("It cannot be contained in the future.")
    if not Breach.objects.filter(pk=breach.pk, state=BreachState.OPEN).update(contained_at=contained_at):
        raise NotOpenError("This breach is not being handled.")
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
    Keep what was sent, as it was. Sending is done by the person, on the authority's own form.

    :param told_at: when it went out, where that was before now; the law's dates are judged by it. What was known then
        is not kept, so who is told in phases has the next notice open at once.
    :param more_on: the day by whose end more follows, where not all is known yet; the next notice is open until then.
    :raises NotOpenError: the notice is settled, or the breach is closed.
    :raises TooEarlyError: more is to follow on a day that had passed when it went out.
    :raises NotToldThenError: it went out in the future, before anybody was aware, or before the one that it follows.
    :raises ValueError: more is to follow for somebody who is not told in phases.
    """
    if more_on is not None and notice.to not in PHASED:
        raise ValueError("Only an authority or a controller is told in phases.")
    if told_at is not None and told_at > at:
        raise NotToldThenError("It cannot have gone out in the future.")
    if told_at is not None and notice.breach.aware_at is not None and told_at < notice.breach.aware_at:
        raise NotToldThenError("It cannot have gone out before the agency was aware.")
    earlier = selectors.told_before(notice)
    if told_at is not None and earlier and earlier.went_out_at and told_at < earlier.went_out_at:
        raise NotToldThenError("It cannot have gone out before the notice that it follows.")
    zone = ZoneInfo(notice.breach.agency.time_zone)
    out_at = told_at or at
    if more_on is not None and more_on < out_at.astimezone(zone).date():
        raise TooEarlyError("The day by which more follows had passed when it went out.")
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
    Write down why somebody need not be told, or, of a notice that follows another, that nothing further is.

    :raises NotOpenError: the notice is settled, or the breach is closed.
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
    Let a notice that was settled wrongly be due again, by its own date; what was written of it stands among the notes.

    Returns whether it is due: one that no rule calls for any more is gone.

    :raises NotOpenError: it is not settled, its breach is not being handled, or a later one to the same is settled.
    """
    breach = Breach.objects.select_for_update().get(pk=notice.breach_id)
    row = BreachNotice.objects.filter(pk=notice.pk).exclude(state=NoticeState.DUE).first()
    if row is None or breach.state != BreachState.OPEN:
        raise NotOpenError("This notice is not settled, or its breach is not being handled.")
    if _after(row).exclude(state=NoticeState.DUE).exists():
        raise NotOpenError("A later notice to the same is settled: take that one back first.")
    _untell(breach, [row], why=f"Taken back: {reason}", reason=reason, by=by, at=at)
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
    # Of what was told before now nobody knows what was known then.
    known = letters.Known.of(_facts(breach, at=at)).as_json() if told_at is None else None
    open_ones = BreachNotice.objects.filter(pk=notice.pk, state=NoticeState.DUE)
    changed = breach.state == BreachState.OPEN and open_ones.update(
        **_kept(notice, state, written, known=known, key=key),
        settled_at=at,
        settled_by_id=by.user_id,
        told_at=told_at,
    )
    if not changed:
        raise NotOpenError("This notice is settled.")
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
    Close a breach with what was learned from it.

    :raises NotOpenError: it is not being handled.
    :raises NoticesOpenError: somebody has still to be told.
    """
    row = Breach.objects.select_for_update().filter(pk=breach.pk, state=BreachState.OPEN).first()
    if row is None:
        raise NotOpenError("This breach is not being handled.")
    left = BreachNotice.objects.filter(breach=row, state=NoticeState.DUE).count()
    if left:
        raise NoticesOpenError(f"{left} still to be told, or a reason to be written why not.")
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
    Open a closed breach again, because facts follow (GDPR article 33(4)), or one that was said to be none.

    Why stands among its notes, sealed.

    The clocks run from the same awareness as before: what the new facts call for first is due by that. Whoever was
    told in phases is told what is new, so a next notice of theirs is open until it is sent or a reason is written. What
    the reason of a dismissal settled is due again; a report that nobody had assessed waits to be looked at again.

    :raises NotOpenError: it is neither closed nor dismissed.
    """
    over = [BreachState.CLOSED, BreachState.DISMISSED]
    row = Breach.objects.select_for_update().filter(pk=breach.pk, state__in=over).first()
    if row is None:
        raise NotOpenError("Only a breach that is closed or dismissed can be opened again.")
    state = BreachState.REPORTED if row.aware_at is None else BreachState.OPEN
    Breach.objects.filter(pk=row.pk).update(state=state, closed_at=None, closed_by=None)
    breach.refresh_from_db()
    audit.record(
        "breach.reopened", subject=breach, by=by, at=at, reason=reason, drill=breach.is_drill, was=row.state
    )
    note(breach=breach, text=f"Opened again: {reason}", by=by, at=at)
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
        left = BreachNotice.objects.filter(
            breach=breach, state=NoticeState.NOT_NEEDED, settled_at=row.closed_at
        )
        _untell(breach, list(left), why="It was said to be no breach.", by=by, at=at)
        _make_notices(breach)
    _await_news(breach)
    _renew_clock(breach, at=at, by=by)


def _await_news(breach: Breach) -> None:
    """A next notice, without a day, for each who was told in phases and has none open."""
    newest: dict[_Place, BreachNotice] = {}
    told: set[_Place] = set()
    for row in BreachNotice.objects.filter(breach=breach, to__in=PHASED).order_by("phase"):
        newest[row.rule, row.client_id] = row
        if row.phase == 1 and row.state == NoticeState.SENT:
            told.add((row.rule, row.client_id))
    for place, row in newest.items():
        if place in told and row.state != NoticeState.DUE:
            _open_next(row, due_at=None)


def watch_clocks(*, agency_id: int, at: datetime) -> int:
    """
    Tell those who manage the agency of notices that are due within a day, once each, and again when one is late.

    A date that moves is told of anew. A report that nobody has looked at is told of again after one, two and three
    days. Open breaches first get the notices that rules call for which were not there when somebody last assessed them.
    Called outside any scope; repeating it tells nobody twice. Returns how many were told of.
    """
    with job_scope(agency_id=agency_id):
        told = _watch_reports(agency_id, at=at)
        opened = Breach.objects.filter(state=BreachState.OPEN).select_related("agency")
        for breach in opened.select_for_update(of=("self",), skip_locked=True):
            if _add_missing(breach, _wanted(breach)):
                _renew_clock(breach, at=at, by=JOB)
        rows = BreachNotice.objects.filter(
            state=NoticeState.DUE, breach__state=BreachState.OPEN, due_at__lt=at + WARN
        ).select_related("breach")
        for row in rows:
            stage = "late" if row.due_at is not None and row.due_at <= at else "soon"
            # The date belongs to the claim: one that is corrected is told of anew. So is one of a drill that is none.
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
            told += 1
    return told


def _watch_reports(agency_id: int, *, at: datetime) -> int:
    """Let each report that nobody has looked at wait, and tell of it again; returns how many were told of."""
    told = 0
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
        told += is_new or is_due
    return told


def _managers(agency_id: int) -> Collection[int]:
    return access.people_with_right(AgencyRight.MANAGE_CLIENTS, agency_id=agency_id)
