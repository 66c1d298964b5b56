"""
Asking trackers for their calls, so that a webhook that never came costs nothing.

A tracker may not send again what we did not take, so each connection whose interface we may read is asked each hour
for the last hours, and each night for the last days; a person may have a time in the past asked for. What its list says
goes the way that its events go: sealed into the inbox, then past tombstones, watermarks and the keep-for.

Two beats make one run, because a run's period is unique. A page is claimed, asked for outside any scope, and written
down together with what follows, so that a crash repeats a page, which changes nothing. Limits of the vendors are
counted here; a tracker that fails rests, longer each time.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Greatest

from callprivacy.audit import services as audit
from callprivacy.calls.channels import LISTS
from callprivacy.calls.channels.asking import LATE, Access, AskError, Page, Window
from callprivacy.calls.enums import JobState, PullKind
from callprivacy.calls.models import Connection, ConnectionSecret, Pull, PullRun, TrackingNumber
from callprivacy.calls.providers import pulled
from callprivacy.calls.providers.base import CallFacts, Ignored, RefusedError, Stage, UnparsableError
from callprivacy.calls.selectors.connections import calls_us
from callprivacy.calls.services import connections, inbox
from callprivacy.lib import pauses
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope

log = logger(__name__)

JOB: Final = Actor.job("calls.pull_calls")
OVERLAP: Final = timedelta(hours=2)
NIGHT_BEGINS: Final = time(3)
NIGHT_COVERS: Final = timedelta(days=3)
CATCHES_UP: Final = timedelta(days=30)
BACK_AT_MOST: Final = timedelta(days=5 * 366)
KEPT_FOR: Final = timedelta(days=90)

_LEASE: Final = timedelta(minutes=3)
_STEP: Final = timedelta(days=7)
_FIRST_REST: Final = timedelta(minutes=1)
_LONGEST_REST: Final = timedelta(hours=6)
_OPEN: Final = (JobState.QUEUED, JobState.RUNNING)
_NEWS: Final = (PullKind.HOURLY, PullKind.NIGHTLY)
# Questions an hour and a day, below what the vendors allow, so that what else asks them has its share. CallRail allows
# 1,000 and 10,000 an account (apidocs.callrail.com, "Rate limiting"); Invoca wants five minutes between polls; the
# others name none that is lower.
LIMITS: Final[dict[str, tuple[int, int]]] = {"callrail": (800, 8000), "invoca": (600, 6000)}
USUAL: Final = (3000, 40_000)
# What the nightly look at what vendors still have may ask of the same account, beside those.
CHECKS: Final[dict[str, tuple[int, int]]] = {"callrail": (150, 1500)}
# By tests first, then news, then history.
_TURN: Final = (PullKind.TEST, PullKind.HOURLY, PullKind.NIGHTLY, PullKind.BACKFILL)

OTHER_ACCOUNT: Final = (
    "Twilio signs this connection's events as another account. Open a connection of its own for that one, or say under "
    "Account and redaction that this one has moved."
)
KEY_AGAIN: Final = "Enter the key again: this asks for calls that it was not entered for."

type Clock = Callable[[], datetime]


class NoListError(ValueError):
    """This tracker's interface lists no calls, or nothing opens it yet."""


class WindowError(ValueError):
    """The time to ask for is empty, in the future or too long ago. The text says what to choose."""


# --- What people decide -----------------------------------------------------------------------------------------------


@transaction.atomic
def set_access(
    *,
    connection: Connection,
    account: str,
    company: str,
    login: str,
    secret: str,
    only_known: bool,
    by: Actor,
    at: datetime,
) -> Pull:
    """
    Keep what opens a tracker's interface, sealed, and ask it from now on, with a test at once.

    A key that is there stays with the calls that it was entered for: whoever asks for others enters it again. Runs that
    are open begin anew where another account, company or login is asked: the next page that they know of is not theirs.

    :param secret: "" keeps the one that is there; of Twilio, where none is, the connection's own token counts.
    :raises NoListError: the tracker lists nothing, no secret opens it, or its events are another account's.
    :raises ClientLeftError: the client has left.
    """
    if connection.provider not in LISTS:
        raise NoListError("This tracker's interface lists no calls.")
    tenancy.require_here(connection.client_id)
    # Not against who writes rows of it: a page that is kept holds the pull, and then writes such rows.
    held = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    if connection.provider == "twilio" and held.mapping.get("account", account) != account:
        raise NoListError(OTHER_ACCOUNT)
    # Held, so that a key that is being forgotten is not written back from what was read before.
    rows = Pull.objects.for_client(connection.client_id).select_for_update()
    pull = rows.filter(connection=connection).first() or Pull(
        agency_id=connection.agency_id, client_id=connection.client_id, connection=connection, created_at=at
    )
    if not secret and pull.secret_set_at is None and connection.provider != "twilio":
        raise NoListError("Enter the key of the interface.")
    others = not pull._state.adding and _reaches_others(pull, account, company, login, only_known=only_known)
    if not secret and others:
        raise NoListError(KEY_AGAIN)
    if pull.account != account or pull.login != login:
        pull.marker = ""
    if (pull.account, pull.company, pull.login) != (account, company, login):
        _open_runs(pull).update(following="", position=F("from_at"))
    pull.account, pull.company, pull.login, pull.only_known = account, company, login, only_known
    if secret:
        pull.secret = secret  # type: ignore[assignment]  # the field is typed as itself
        pull.secret_set_at = at
    pull.is_on, pull.failures, pull.rests_until, pull.last_error = True, 0, None, ""
    pull.save()
    connections.renew_failing(agency_id=pull.agency_id, client_id=pull.client_id, by=by, at=at)
    audit.record("pull.opened", subject=connection, by=by, at=at, only_known=only_known, others=others)
    _start(pull, PullKind.TEST, f"{at.isoformat()}", at - timedelta(days=1), at, by=by, at=at)
    return pull


def _reaches_others(pull: Pull, account: str, company: str, login: str, *, only_known: bool) -> bool:
    """Whether this would ask for calls that the key was not entered for: those of another account, or of more of it."""
    return (pull.account, pull.company, pull.login) != (account, company, login) or (
        pull.only_known and not only_known
    )


@transaction.atomic
def forget_access(*, pull: Pull, by: Actor, at: datetime) -> bool:
    """Forget what opens the interface and ask no more; returns whether it was asked."""
    stopped = (
        Pull.objects.for_client(pull.client_id).filter(pk=pull.pk).exclude(is_on=False, secret__isnull=True)
    )
    count = stopped.update(is_on=False, secret=None, secret_set_at=None, failures=0, last_error="")
    if not count:
        return False
    _open_runs(pull).update(state=JobState.CANCELLED, finished_at=at)
    audit.record("pull.closed", subject=pull.connection, by=by, at=at)
    connections.renew_failing(agency_id=pull.agency_id, client_id=pull.client_id, by=by, at=at)
    return True


def leave_others(*, connection: Connection, account: str, by: Actor, at: datetime) -> int:
    """Ask no other account than a connection's for calls any more, and forget its key; returns how many were asked."""
    rows = (
        Pull.objects.for_client(connection.client_id)
        .filter(connection=connection)
        .select_related("connection")
    )
    # A key of the interface goes on opening the other account, whose calls may be another company's.
    return sum(forget_access(pull=pull, by=by, at=at) for pull in rows.exclude(account=account))


def forget_client(*, client: Client, at: datetime) -> None:
    """Forget what opens any tracker's interface for a client that leaves, and ask no more. In its job's scope."""
    Pull.objects.for_client(client).update(
        is_on=False, secret=None, secret_set_at=None, failures=0, last_error=""
    )
    PullRun.objects.for_client(client).filter(state__in=_OPEN).update(
        state=JobState.CANCELLED, finished_at=at
    )
    connections.renew_failing(agency_id=client.agency_id, client_id=client.pk, by=JOB, at=at)


def test(*, pull: Pull, by: Actor, at: datetime) -> PullRun | None:
    """Ask for one page without keeping anything, as soon as a worker may; None while one is asked for."""
    _wake(pull)
    return _start(
        pull, PullKind.TEST, at.replace(microsecond=0).isoformat(), at - timedelta(days=1), at, by=by, at=at
    )


@transaction.atomic
def backfill(
    *, pull: Pull, from_on: date, until_on: date, zone: ZoneInfo, by: Actor, at: datetime
) -> PullRun | None:
    """
    Have the calls of days in the past asked for, both days included; None while the same days are being asked for.

    :param zone: of the days.
    :raises WindowError: there is no such time.
    """
    from_at = datetime.combine(from_on, time.min, zone).astimezone(UTC)
    until_at = min(datetime.combine(until_on + timedelta(days=1), time.min, zone).astimezone(UTC), at)
    if from_at >= until_at:
        raise WindowError("The first day is not before the end.")
    if from_at < at - BACK_AT_MOST:
        raise WindowError("That is more than five years ago.")
    run = _start(
        pull, PullKind.BACKFILL, f"{from_on}/{until_on}/{at:%Y-%m-%dT%H:%M}", from_at, until_at, by=by, at=at
    )
    if run is not None:
        audit.record(
            "pull.backfilled", subject=pull.connection, by=by, at=at, since=str(from_on), until=str(until_on)
        )
        _wake(pull)
    return run


@transaction.atomic
def cancel(*, run: PullRun, by: Actor, at: datetime) -> bool:
    """Stop a run; what it brought stays. Returns whether it still ran."""
    stopped = PullRun.objects.for_client(run.client_id).filter(pk=run.pk, state__in=_OPEN)
    if not stopped.update(state=JobState.CANCELLED, finished_at=at):
        return False
    audit.record("pull.cancelled", subject=run, by=by, at=at, kind=run.kind)
    return True


def _wake(pull: Pull) -> None:
    """A person asks: the rest after a failure is over."""
    Pull.objects.for_client(pull.client_id).filter(pk=pull.pk).update(rests_until=None)


def _open_runs(pull: Pull) -> Any:
    return PullRun.objects.for_client(pull.client_id).filter(pull=pull, state__in=_OPEN)


def _start(
    pull: Pull, kind: PullKind, period: str, from_at: datetime, until_at: datetime, *, by: Actor, at: datetime
) -> PullRun | None:
    row = PullRun(
        agency_id=pull.agency_id,
        client_id=pull.client_id,
        pull=pull,
        kind=kind,
        period=period[:40],
        from_at=from_at,
        until_at=until_at,
        position=from_at,
        created_by_id=by.user_id,
        created_at=at,
    )
    PullRun.objects.bulk_create([row], ignore_conflicts=True)
    return PullRun.objects.for_client(pull.client_id).filter(pk=row.pk).first()


# --- The beat ---------------------------------------------------------------------------------------------------------


def plan(*, agency_id: int, at: datetime) -> int:
    """
    Give each connection that is asked its run of this hour and of this night; returns how many are new.

    Each is claimed by its period, so that two beats make one; a run that waits for its tracker takes later hours in.
    Runs of 90 days ago leave. The agency of a demo is left out: its trackers are played. Enters the agency's scope
    itself.
    """
    with job_scope(agency_id=agency_id):
        rows = (
            Pull.objects.filter(
                agency_id=agency_id,
                is_on=True,
                connection__is_active=True,
                agency__is_demo=False,
                client__archived_at=None,
            )
            .select_related("client", "connection")
            # Held, so that nobody claims a run whose end moves; who is written about just now has its turn next minute.
            .select_for_update(skip_locked=True, of=("self",))
        )
        count = sum(_plan_hour(pull, at) + _plan_night(pull, at) for pull in rows)
        _purge(agency_id, at)
    return count


def _plan_hour(pull: Pull, at: datetime) -> bool:
    """
    This hour's run; whether there is a new one.

    While a tracker is away its first run waits, and this hour is added to that one: each of its own would ask for the
    same again, from the same beginning.
    """
    hour = at.astimezone(UTC).strftime("%Y-%m-%dT%H")
    runs = PullRun.objects.for_client(pull.client_id).filter(pull=pull, kind=PullKind.HOURLY)
    if runs.filter(period=hour).exists():
        return False
    untouched = runs.filter(state__in=_OPEN, pages=0).select_for_update(skip_locked=True)
    waiting = untouched.order_by("created_at").first()
    if waiting is None:
        begun = runs.filter(state__in=_OPEN).order_by("until_at").last()
        since = max(min(_asked_until(pull, begun, at) - OVERLAP, at - OVERLAP), at - CATCHES_UP)
        return _start(pull, PullKind.HOURLY, hour, since, _news_until(pull, at), by=JOB, at=at) is not None
    if pull.leased_until is None or pull.leased_until <= at:  # else it is being asked just now
        waiting.from_at = waiting.position = max(waiting.from_at, at - CATCHES_UP)
        waiting.period, waiting.until_at = hour, _news_until(pull, at)
        waiting.save(update_fields=["period", "from_at", "position", "until_at"])
    return False


def _asked_until(pull: Pull, begun: PullRun | None, at: datetime) -> datetime:
    """
    Up to when calls have been asked for, or are by the run that is being read: this hour goes on behind that one.

    Where that one ends early, what it did not reach is asked for by the next: `_note_covered` leaves no gap.
    """
    covered = pull.covered_until
    if begun is None:
        return covered or at
    if covered is None:  # whichever run ends first says up to when: so this one leaves nothing out
        return begun.from_at
    return max(covered, begun.until_at) if begun.from_at <= covered or _is_all(begun) else covered


def _is_all(run: PullRun) -> bool:
    """Whether a run is for all the time that is caught up: what is older nobody asks for by itself any more."""
    return run.until_at - run.from_at >= CATCHES_UP - inbox.WEBHOOKS_TAKE


def _plan_night(pull: Pull, at: datetime) -> bool:
    """This night's run, once it is three where the client is; whether there is a new one."""
    here = at.astimezone(ZoneInfo(pull.client.time_zone))
    if here.time() < NIGHT_BEGINS:
        return False
    night, until_at = here.date().isoformat(), _news_until(pull, at)
    return _start(pull, PullKind.NIGHTLY, night, at - NIGHT_COVERS, until_at, by=JOB, at=at) is not None


def _news_until(pull: Pull, at: datetime) -> datetime:
    """Up to when calls are asked for by themselves; what may still come by a webhook is left to the next run."""
    return at - inbox.WEBHOOKS_TAKE if calls_us(pull.connection.provider) else at


def _purge(agency_id: int, at: datetime) -> None:
    old = PullRun.objects.filter(agency_id=agency_id, created_at__lt=at - KEPT_FOR).exclude(state__in=_OPEN)
    old.exclude(pk__in=inbox.pulls_waiting(agency_id)).remove()


# --- One page ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Claimed:
    """A page to ask for: whose, what opens the list, and of which window."""

    agency_id: int
    client: Client
    connection: Connection
    run: PullRun
    access: Access
    window: Window
    only_known: frozenset[str] | None
    asked_at: datetime


def pull_page(*, agency_id: int, clock: Clock, chance: float) -> bool:
    """
    Ask for one page of a run that waits, the most urgent first; returns whether there was one.

    Claims, asks and writes down, so it is called outside any scope.

    :param chance: 0 to 1; spreads the rests after failures.
    """
    claimed = claim(agency_id=agency_id, at=clock())
    if claimed is None:
        return False
    try:
        page = _ask(claimed)
    except AskError as error:
        _rest(claimed, error, chance=chance, at=clock())
    except SoftTimeLimitExceeded:
        _rest(claimed, AskError(LATE), chance=chance, at=clock())
        raise
    else:
        _keep(claimed, page, at=clock())
    return True


def _ask(claimed: Claimed) -> Page:
    """A demo's trackers are played, and have nothing that did not come."""
    if claimed.client.agency.is_demo:
        return Page(())
    return LISTS[claimed.connection.provider](claimed.access, claimed.window, claimed.run.following)


def claim(*, agency_id: int, at: datetime) -> Claimed | None:
    """Lease a tracker that may be asked now, with the page that comes next; None where there is none."""
    with job_scope(agency_id=agency_id):
        waiting = PullRun.objects.filter(
            client_id=OuterRef("client_id"), pull=OuterRef("pk"), state__in=_OPEN
        )
        pulls = (
            Pull.objects.filter(
                Q(leased_until=None) | Q(leased_until__lte=at),
                Q(rests_until=None) | Q(rests_until__lte=at),
                Exists(waiting),
                agency_id=agency_id,
                is_on=True,
                connection__is_active=True,
                client__archived_at=None,
            )
            .select_related("connection", "client__agency")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by(F("leased_until").asc(nulls_first=True), "pk")
        )
        for pull in pulls:
            if _is_spent(pull, at):
                Pull.objects.filter(pk=pull.pk).update(rests_until=next_hour(at))
                continue
            return _claimed(pull, at)
    return None


def _claimed(pull: Pull, at: datetime) -> Claimed | None:
    turn = Case(
        *(When(kind=kind, then=Value(place)) for place, kind in enumerate(_TURN)), output_field=IntegerField()
    )
    run = _open_runs(pull).order_by(turn, "created_at").first()
    if run is None:
        return None
    _count_question(pull, at)
    PullRun.objects.filter(pk=run.pk, state=JobState.QUEUED).update(state=JobState.RUNNING)
    connection = pull.connection
    access = _access(pull, at)
    known = None
    if pull.only_known:
        numbers = TrackingNumber.objects.for_client(pull.client_id).values_list("number", flat=True)
        known = frozenset(numbers)
    marker = pull.marker if run.kind == PullKind.HOURLY else ""
    window = Window(run.position, _end_of_step(run, connection), marker)
    return Claimed(pull.agency_id, pull.client, connection, run, access, window, known, at)


def _end_of_step(run: PullRun, connection: Connection) -> datetime:
    """Invoca goes on from transaction to transaction; the others are asked for a week at once."""
    if connection.provider == "invoca":
        return run.until_at
    return min(run.position + _STEP, run.until_at)


def access_to(connection: Connection, at: datetime) -> Access | None:
    """
    What opens the interface of a connection's tracker; None where nothing does. In the client's scope.

    A secret that signs a tracker's events is none but of Twilio, whose token is both.
    """
    pull = Pull.objects.for_client(connection.client_id).filter(connection=connection).first()
    if connection.provider != "twilio" and (pull is None or pull.secret_set_at is None):
        return None
    return _access(pull or Pull(client_id=connection.client_id, connection=connection), at)


def _access(pull: Pull, at: datetime) -> Access:
    keeps = Client.objects.filter(pk=pull.client_id, keeps_attribution=True).exists()
    return Access(pull.account, pull.company, pull.login, _secret(pull, at), keeps)


def _secret(pull: Pull, at: datetime) -> str:
    if pull.secret_set_at is not None:
        return str(pull.secret)
    own = ConnectionSecret.objects.for_client(pull.client_id).filter(connection_id=pull.connection_id)
    newest = own.counting(at).first()
    return str(newest.secret) if newest is not None else ""


def next_hour(at: datetime) -> datetime:
    """The end of the hour in which questions are counted."""
    return at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _is_spent(pull: Pull, at: datetime) -> bool:
    """Whether the account's share of this hour or this day is used up, by all connections of the agency together."""
    in_hour, in_day = LIMITS.get(pull.connection.provider, USUAL)
    same = _same_account(pull)
    hour = same.filter(hour=next_hour(at)).aggregate(sum=Sum("asked_in_hour"))["sum"] or 0
    day = same.filter(day=at.astimezone(UTC).date()).aggregate(sum=Sum("asked_in_day"))["sum"] or 0
    return hour >= in_hour or day >= in_day


def _same_account(pull: Pull) -> QuerySet[Pull]:
    """An agency's connections that ask the same account of a tracker."""
    return Pull.objects.filter(
        agency_id=pull.agency_id, account=pull.account, connection__provider=pull.connection.provider
    )


def _count_question(pull: Pull, at: datetime) -> None:
    """Take the lease, and count the question that follows."""
    hour, day = next_hour(at), at.astimezone(UTC).date()
    Pull.objects.filter(pk=pull.pk).update(
        leased_until=at + _LEASE,
        asked_in_hour=1 + (pull.asked_in_hour if pull.hour == hour else 0),
        hour=hour,
        asked_in_day=1 + (pull.asked_in_day if pull.day == day else 0),
        day=day,
    )


def _keep(claimed: Claimed, page: Page, *, at: datetime) -> None:
    """Seal what a page says into the inbox and note how far the run is, in one transaction."""
    run, connection = claimed.run, claimed.connection
    is_test = run.kind == PullKind.TEST
    bodies = _theirs(claimed, page)
    with job_scope(agency_id=claimed.agency_id):
        # Held, so that nobody writes down another account before this page stands.
        is_asked = _is_asked(claimed, Pull.objects.select_for_update(no_key=True))
        row = PullRun.objects.select_for_update().filter(pk=run.pk, state__in=_OPEN).first()
        _free(claimed)
        if not is_asked or row is None or (row.position, row.following) != (run.position, run.following):
            return
        if not is_test:
            inbox.keep_pulled(connection=connection, run=row, bodies=bodies, at=claimed.asked_at)
        row.pages += 1
        row.listed += len(page.rows)
        row.passed_over += len(page.rows) - len(bodies)
        row.following = page.following
        if not page.following:
            row.position = claimed.window.until_at
        if is_test or row.position >= row.until_at:
            row.state, row.finished_at = JobState.DONE, at
        row.save(
            update_fields=["pages", "listed", "passed_over", "following", "position", "state", "finished_at"]
        )
        _note_success(claimed, row, page, at)


def _is_asked(claimed: Claimed, rows: QuerySet[Pull]) -> bool:
    """Whether what a page was asked of is still what is asked; else neither its rows nor its refusal count."""
    access = claimed.access
    return rows.filter(
        pk=claimed.run.pull_id, account=access.account, company=access.company, login=access.login
    ).exists()


def _theirs(claimed: Claimed, page: Page) -> Sequence[bytes]:
    """The rows that may be this client's; of a shared account only calls to numbers that the client has."""
    bodies = [pulled.packed(row) for row in page.rows]
    known = claimed.only_known
    if known is None:
        return bodies
    return [body for body in bodies if _is_to(known, claimed.connection.provider, body, claimed.asked_at)]


def _is_to(numbers: Collection[str], provider: str, body: bytes, at: datetime) -> bool:
    try:
        facts = pulled.parse(provider, body, at=at)
    except (RefusedError, UnparsableError, ValueError):
        return False
    if isinstance(facts, Ignored):
        return False
    return facts.stage is Stage.ADDENDUM or _number(facts) in numbers


def _number(facts: CallFacts) -> str:
    return facts.tracking_number or ""


def _free(claimed: Claimed) -> None:
    rows = Pull.objects.filter(pk=claimed.run.pull_id, leased_until=claimed.asked_at + _LEASE)
    rows.update(leased_until=None)


def _note_success(claimed: Claimed, run: PullRun, page: Page, at: datetime) -> None:
    said: dict[str, Any] = {"failures": 0, "last_error": "", "rests_until": None}
    if run.kind == PullKind.HOURLY and page.marker:
        said["marker"] = page.marker[:100]
    row = Pull.objects.filter(pk=run.pull_id)
    before = row.filter(failures__gt=0).exists()
    row.update(**said)
    if run.state == JobState.DONE:
        _note_covered(row, run)
    if before:
        connections.renew_failing(agency_id=claimed.agency_id, client_id=claimed.client.pk, by=JOB, at=at)


def _note_covered(row: QuerySet[Pull], run: PullRun) -> None:
    """Move on until when calls have been asked for: never back, and not over days before it that no run reached."""
    if run.kind not in _NEWS:
        return
    reached = Q(covered_until__lt=run.until_at)
    if run.kind == PullKind.NIGHTLY or not _is_all(run):
        reached &= Q(covered_until__gte=run.from_at)
    row.filter(Q(covered_until=None) | reached).update(covered_until=run.until_at)


def _rest(claimed: Claimed, error: AskError, *, chance: float, at: datetime) -> None:
    """
    Leave a tracker that failed alone for a while, twice as long each time; what only a person can mend ends the run.

    A tracker that asks for a pause has not failed.
    """
    with job_scope(agency_id=claimed.agency_id):
        if not _is_asked(claimed, Pull.objects.all()):
            _free(claimed)
            return
        pull = Pull.objects.select_related("connection").get(pk=claimed.run.pull_id)
        if error.wait is not None:
            # It is the account that is asked too often, whichever connection asked last. Its rows are taken in one
            # order, the own one too, so that two who are told so at once do not wait crosswise.
            rows = _same_account(pull).select_for_update(of=("self",)).order_by("pk")
            ids = list(rows.values_list("pk", flat=True))
            _free(claimed)
            Pull.objects.filter(pk__in=ids).update(rests_until=Greatest("rests_until", at + error.wait))
            return
        _free(claimed)
        pull = Pull.objects.select_for_update().get(pk=pull.pk)
        failures = min(pull.failures + 1, 1000)
        Pull.objects.filter(pk=pull.pk).update(
            failures=failures, last_error=error.why[:200], rests_until=at + rest_after(failures, chance)
        )
        if error.final or claimed.run.kind == PullKind.TEST:
            PullRun.objects.filter(pk=claimed.run.pk, state__in=_OPEN).update(
                state=JobState.FAILED, failure=error.why[:200], finished_at=at
            )
        log.warning(
            "pull.failed", connection=str(claimed.connection.pk), failures=failures, final=error.final
        )
        if failures >= connections.TOLD_AFTER:
            connections.renew_failing(agency_id=claimed.agency_id, client_id=claimed.client.pk, by=JOB, at=at)


def rest_after(failures: int, chance: float) -> timedelta:
    """One minute, then twice as long each time, six hours at most; up to a quarter more by chance."""
    doubled: int = 1 << min(failures - 1, 10)
    return pauses.spread(min(_FIRST_REST * doubled, _LONGEST_REST), chance)
