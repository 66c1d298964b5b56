"""
What a vendor says it still has, compared with what we erased: each night, for each connection whose vendor lists it.

A pass over a vendor's list is claimed by its row, asked page by page outside any scope, and written down page by page,
so that a crash costs one page. A recording there is a leftover where ours is erased: its own row says so, or its call's
tombstone, or it began before the line before which we keep nothing. By the line alone nothing is concluded of an
account that several clients share, for what is there may be another's. What a whole pass does not meet any more is
gone, and forgotten 30 days later.
"""

import base64
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet

from callprivacy.audit import services as audit
from callprivacy.calls.enums import Direction, RecordingState
from callprivacy.calls.models import Call, CallRef, Connection, Recording, first_id_at
from callprivacy.calls.providers.base import Listed, ListedPage
from callprivacy.calls.services import erasure, pulls
from callprivacy.lib import pauses
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Place, SealBrokenError
from callprivacy.work import services as work
from consent.channels import callrail, twilio
from consent.enums import VendorStep, WaitingState
from consent.models import VendorTask
from consent.services import limits, twilio_door
from consent.services.vendor_tasks import Copy
from retention.enums import LeftoverState
from retention.models import Leftover, VendorCheck
from retention.selectors import vendors as selectors
from retention.services import vendors

log = logger(__name__)

JOB: Final = Actor.job("retention.check_vendors")
API: Final = "vendor_api"
"""The client's purpose key for what opens vendors' lists."""
OUTLIVE: Final = "vendor_outlives"
FORGOTTEN_AFTER: Final = timedelta(days=30)
NIGHT_BEGINS: Final = time(3)

_LEASE: Final = timedelta(minutes=5)
_SOON: Final = timedelta(seconds=0)
_PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (5, 30, 120))
_PAGES_AT_ONCE: Final = 20
_NEAR: Final = timedelta(seconds=2)

type Clock = Callable[[], datetime]


class NoSuchListError(ValueError):
    """This vendor lists nothing, or what was typed cannot open its list."""


# --- What opens a list --------------------------------------------------------------------------------------------


@transaction.atomic
def set_access(
    *, connection: Connection, account: str, company: str, key: str, by: Actor, at: datetime
) -> None:
    """
    Keep what opens a vendor's list, sealed, and have it asked at once. Twilio's is the connection's own.

    :param company: of the account, where it has several; "" for all.
    :raises NoSuchListError: it is none of CallRail's, or the account or key has another shape.
    """
    if connection.provider != callrail.NAME:
        raise NoSuchListError("This vendor has no list that a key opens.")
    if not callrail.is_account(account) or (company and not callrail.is_account(company)):
        raise NoSuchListError("An account's id has letters and digits alone.")
    if not callrail.is_key(key):
        raise NoSuchListError("That is no key of CallRail's interface.")
    _ensure_check(connection, at)
    row = VendorCheck.objects.select_for_update().get(connection=connection, client_id=connection.client_id)
    sealing = vault.purpose_key(client_id=connection.client_id, purpose=API, at=at)
    row.secret = sealing.seal(key.encode(), _place(row, "secret"))
    row.account, row.company, row.secret_set_at = account, company, at
    row.due_at, row.page, row.started_at, row.failures, row.last_error = at, "", None, 0, ""
    row.save(
        update_fields=[
            "secret", "account", "company", "secret_set_at", "due_at", "page", "started_at", "failures", "last_error",
        ]
    )  # fmt: skip
    audit.record("vendor.list_opened", subject=connection, by=by, at=at)


@transaction.atomic
def forget_access(*, connection: Connection, by: Actor, at: datetime) -> bool:
    """Forget what opens a vendor's list; returns whether it was there."""
    rows = VendorCheck.objects.for_client(connection.client_id).filter(
        connection=connection, secret__isnull=False
    )
    gone = rows.update(secret=None, secret_set_at=None, account="", company="", due_at=None, page="")
    if gone:
        audit.record("vendor.list_closed", subject=connection, by=by, at=at)
    return gone > 0


def _place(row: VendorCheck, column: str) -> Place:
    return Place(row.client_id, VendorCheck._meta.db_table, column, row.pk)


def _ensure_check(connection: Connection, at: datetime) -> None:
    row = VendorCheck(
        agency_id=connection.agency_id, client_id=connection.client_id, connection=connection, due_at=at
    )
    VendorCheck.objects.bulk_create([row], ignore_conflicts=True)


# --- The job ------------------------------------------------------------------------------------------------------


def plan(*, agency_id: int, at: datetime) -> int:
    """
    Give each open connection of a vendor that lists its check, due at once where it is new. Returns how many are new.

    The agency of a demo is left out: its vendors are played. Enters the agency's scope itself.
    """
    with job_scope(agency_id=agency_id):
        known = VendorCheck.objects.filter(agency_id=agency_id).values("connection_id")
        fresh = list(
            Connection.objects.filter(
                agency_id=agency_id, is_active=True, provider=twilio.NAME, agency__is_demo=False
            ).exclude(pk__in=known)
        )
        for connection in fresh:
            _ensure_check(connection, at)
    return len(fresh)


@dataclass(frozen=True, slots=True, repr=False)
class Claimed:
    """
    A check that is ours until its lease ends, with what its vendor's list is opened by.

    :ivar access: None where it is not known. :ivar following: where the list goes on.
    """

    check_id: uuid.UUID
    client_id: int
    agency_id: int
    connection_id: uuid.UUID
    provider: str
    access: twilio.Account | callrail.Access | None
    company: str
    following: str
    started_at: datetime
    until: datetime

    @property
    def account(self) -> str:
        """The vendor's account that is asked; "" where it is not known."""
        if isinstance(self.access, twilio.Account):
            return self.access.sid
        return self.access.account if self.access is not None else ""


def claim(*, agency_id: int, at: datetime) -> Claimed | None:
    """Claim the check of an agency that waits longest; it comes back when its lease ends. In no scope."""
    with job_scope(agency_id=agency_id):
        row = (
            selectors.due_checks(agency_id, at)
            .select_related("connection__client__agency", "client")
            .select_for_update(skip_locked=True, of=("self",))
            .first()
        )
        if row is None:
            return None
        row.started_at = row.started_at or at
        row.due_at = at + _LEASE
        row.save(update_fields=["started_at", "due_at"])
        return Claimed(
            check_id=row.pk,
            client_id=row.client_id,
            agency_id=row.agency_id,
            connection_id=row.connection_id,
            provider=row.connection.provider,
            access=_access(row, at),
            company=row.company,
            following=_opened(row, at),
            started_at=row.started_at,
            until=row.due_at,
        )


def _access(row: VendorCheck, at: datetime) -> twilio.Account | callrail.Access | None:
    if row.connection.provider == twilio.NAME:
        try:
            return twilio_door.account_of(row.connection, at=at)
        except twilio_door.NoAccountError:
            return None
    if row.secret is None:
        return None
    key = vault.purpose_key(client_id=row.client_id, purpose=API, at=at)
    try:
        return callrail.Access(row.account, row.secret.reveal(key))
    except SealBrokenError:
        return None


def callrail_access(client: Client, *, at: datetime) -> list[callrail.Access]:
    """What opens CallRail's interface for a client: once for each of its connections that has a key. In a scope."""
    rows = VendorCheck.objects.for_client(client).filter(secret__isnull=False).select_related("connection")
    found = [_access(row, at) for row in rows.order_by("pk") if row.connection.provider == callrail.NAME]
    return [access for access in found if isinstance(access, callrail.Access)]


def _sealed(row: VendorCheck, following: str, at: datetime) -> str:
    """Where a list goes on may name a recording: it is kept sealed."""
    if not following:
        return ""
    key = vault.purpose_key(client_id=row.client_id, purpose=API, at=at)
    return base64.b64encode(key.seal(following.encode(), _place(row, "page"))).decode()


def _opened(row: VendorCheck, at: datetime) -> str:
    if not row.page:
        return ""
    key = vault.purpose_key(client_id=row.client_id, purpose=API, at=at)
    try:
        return key.unseal(base64.b64decode(row.page), _place(row, "page")).decode()
    except SealBrokenError:
        return ""


def ask(claimed: Claimed, following: str) -> ListedPage:
    """
    A page of the vendor's list. Outside any scope.

    :raises ListError: it did not come.
    """
    try:
        if isinstance(claimed.access, twilio.Account):
            return twilio.list_recordings(claimed.access, following=following)
        if isinstance(claimed.access, callrail.Access):
            return callrail.list_calls(claimed.access, following=following)
    except twilio.RetryableError as error:
        raise ListError(str(error), wait=error.wait) from error
    except twilio.TwilioError as error:
        raise ListError(str(error)) from error
    except callrail.CallRailError as error:
        raise ListError(str(error), wait=error.wait) from error
    raise ListError("what opens the list is not known")


class ListError(Exception):
    """
    A vendor's list did not come; the text says why in a word.

    :ivar wait: how long the vendor wants to be left alone; None where it does not say.
    """

    def __init__(self, why: str, *, wait: timedelta | None = None) -> None:
        super().__init__(why)
        self.wait = wait


def work_check(*, claimed: Claimed, clock: Clock, chance: float, pages: int = _PAGES_AT_ONCE) -> bool:
    """
    Go on with a claimed check for up to so many pages; returns whether the pass is over.

    Called outside any scope. A lease that ran out, or a page that another worker wrote, ends it here.

    :param chance: 0 to 1; spreads the pauses after failures.
    """
    following = claimed.following
    for _ in range(pages):
        if _is_spent(claimed, clock()):
            _wait(claimed, pulls.next_hour(clock()))
            return False
        try:
            page = ask(claimed, following)
        except ListError as error:
            _note_failure(claimed, error, chance, clock())
            return False
        if not _write(claimed, page, clock()):
            return False
        if not page.following:
            _end(claimed, clock())
            return True
        if page.following == following:
            _note_failure(claimed, ListError("the list does not go on"), chance, clock())
            return False
        following = page.following
    with job_scope(agency_id=claimed.agency_id):
        VendorCheck.objects.filter(pk=claimed.check_id).update(due_at=clock() + _SOON)
    return False


def _is_spent(claimed: Claimed, at: datetime) -> bool:
    """
    Count a question to the vendor's account; whether our share of this hour or this day is used up.

    Where the count does not answer the vendor is asked: it says itself when it is too much.
    """
    in_hour, in_day = pulls.CHECKS.get(claimed.provider, pulls.USUAL)
    who = f"{claimed.agency_id} {claimed.account}"
    of_hour = limits.knock(f"check:{claimed.provider}", who, most=in_hour, per=timedelta(hours=1), at=at)
    of_day = limits.knock(f"check:{claimed.provider}", who, most=in_day, per=timedelta(days=1), at=at)
    return limits.Verdict.FULL in {of_hour, of_day}


def _wait(claimed: Claimed, until: datetime) -> None:
    with job_scope(agency_id=claimed.agency_id):
        row = VendorCheck.objects.filter(pk=claimed.check_id).first()
        if row is not None and row.started_at == claimed.started_at:
            _leave_alone(row, until)


def _leave_alone(row: VendorCheck, until: datetime) -> None:
    """Ask a vendor's account no more until then, whichever connection it was asked for."""
    row.due_at = until
    row.save(update_fields=["due_at"])
    if row.account:
        same = VendorCheck.objects.filter(agency_id=row.agency_id, account=row.account, due_at__lt=until)
        same.update(due_at=until)


def _write(claimed: Claimed, page: ListedPage, at: datetime) -> bool:
    """Write a page's leftovers down and where the list goes on; False where the check is not ours any more."""
    with job_scope(agency_id=claimed.agency_id):
        rows = VendorCheck.objects.select_related("client__agency", "connection").select_for_update(
            of=("self",)
        )
        row = rows.filter(
            pk=claimed.check_id, started_at=claimed.started_at, due_at__gte=claimed.until
        ).first()
        if row is None:
            return False
        wanted = [
            one for one in page.recordings if not claimed.company or one.company in {"", claimed.company}
        ]
        _compare(row, wanted, at)
        row.seen += len(wanted)
        row.page = _sealed(row, page.following, at)
        row.due_at = max(at + _LEASE, claimed.until)
        row.failures, row.last_error = 0, ""
        row.save(update_fields=["seen", "page", "due_at", "failures", "last_error"])
    return True


def _compare(row: VendorCheck, listed: Sequence[Listed], at: datetime) -> None:
    """Leftovers among what the vendor has, in the scope of the job."""
    client = row.client
    keys = vault_selectors.client_keys(client.pk)
    provider = row.connection.provider
    refs = {
        one.name: [keys.tokens.digest(provider, kind, value) for kind, value in one.references]
        for one in listed
    }
    digests = [digest for of in refs.values() for digest in of]
    calls = {
        bytes(digest): call_id
        for digest, call_id in CallRef.objects.for_client(client)
        .filter(provider=provider, digest__in=digests)
        .values_list("digest", "call_id")
    }
    states = {
        recording.call_id: recording.state
        for recording in Recording.objects.for_client(client)
        .filter(call_id__in=list(calls.values()))
        .defer("reference")
    }
    entombed = vault_selectors.entombed(client.pk, digests) if digests else set()
    lines = _lines(client.pk)
    shared = _is_shared(row)
    rows = []
    sealing = vault.purpose_key(client_id=client.pk, purpose=vendors.ERRAND, at=at)
    for one in listed:
        call_id = next((calls[digest] for digest in refs[one.name] if digest in calls), None)
        if call_id is not None:
            is_left = states.get(call_id) == RecordingState.GONE
            if call_id not in states:
                is_left = lines.recording is not None and _before(one, lines.recording)
        else:
            is_left = any(digest in entombed for digest in refs[one.name])
            is_left = is_left or (not shared and lines.passed(one) and not _is_held(client, one))
        if is_left:
            copy = Copy(uuid.uuid4(), provider, row.connection, one.name, one.started_at)
            rows.append(vendors.leftover(client, copy, sealing, keys.tokens, at))
    _keep(row, rows, at)


def _keep(row: VendorCheck, rows: Sequence[Leftover], at: datetime) -> None:
    """New ones are added; those known are seen once more, and one that was thought gone is there again."""
    digests = [bytes(one.digest) for one in rows]
    known = Leftover.objects.for_client(row.client_id).filter(connection=row.connection, digest__in=digests)
    known.filter(state=LeftoverState.GONE).update(state=LeftoverState.OPEN, gone_at=None)
    known.update(seen_at=at)
    Leftover.objects.bulk_create(rows, ignore_conflicts=True)


@dataclass(frozen=True, slots=True)
class _Lines:
    """The starts before which we keep nothing: of calls in, calls out, and recordings; None where nothing expired."""

    calls: datetime | None
    calls_out: datetime | None
    recording: datetime | None

    def passed(self, one: Listed) -> bool:
        """Whether we keep nothing of the time of this one, by the earlier of both lines where nobody says which way."""
        if one.direction is None:
            both = [line for line in (self.calls, self.calls_out) if line is not None]
            line = min(both) if len(both) == 2 else None
        else:
            line = self.calls_out if one.direction is Direction.OUTBOUND else self.calls
        lines = [found for found in (line, self.recording) if found is not None]
        return any(_before(one, found) for found in lines)


def _before(one: Listed, line: datetime) -> bool:
    return one.started_at is not None and one.started_at < line


def _lines(client_id: int) -> _Lines:
    return _Lines(
        vault_selectors.watermark(client_id, erasure.WATERMARK),
        vault_selectors.watermark(client_id, erasure.WATERMARK_OUT),
        vault_selectors.watermark(client_id, erasure.RECORDING),
    )


def _is_held(client: Client, one: Listed) -> bool:
    """Whether a held call of that moment is here, which the vendor's list may call by another name."""
    if one.started_at is None:
        return False
    first, last = first_id_at(one.started_at - _NEAR), first_id_at(one.started_at + _NEAR)
    return Call.objects.for_client(client).filter(on_hold=True, pk__gte=first, pk__lt=last).exists()


def _is_shared(row: VendorCheck) -> bool:
    """Whether another connection has the same account at the vendor, whose recordings are in the same list."""
    others = Connection.objects.filter(agency_id=row.agency_id, provider=row.connection.provider).exclude(
        pk=row.connection_id
    )
    if row.connection.provider == twilio.NAME:
        return others.filter(mapping__account=row.connection.mapping.get(twilio_door.ACCOUNT) or "").exists()
    if row.company:
        return False
    return (
        VendorCheck.objects.filter(agency_id=row.agency_id, account=row.account).exclude(pk=row.pk).exists()
        or others.exclude(pk__in=VendorCheck.objects.values("connection_id")).exists()
    )


def _end(claimed: Claimed, at: datetime) -> None:
    """A whole pass: what it did not meet is gone, and the next one is due in the night."""
    with job_scope(agency_id=claimed.agency_id):
        row = VendorCheck.objects.select_related("client", "connection").get(pk=claimed.check_id)
        if row.started_at != claimed.started_at:
            return
        rows = Leftover.objects.for_client(row.client_id).filter(connection=row.connection)
        rows = rows.exclude(state=LeftoverState.GONE)
        missed = rows.filter(seen_at__lt=claimed.started_at)
        if claimed.provider == callrail.NAME:
            missed = missed.filter(pk__in=_listed_by_name(row.client, missed, at))
        gone = missed.update(state=LeftoverState.GONE, gone_at=at)
        left = rows.count()
        seen, row.seen = row.seen, 0
        row.checked_at, row.outliving, row.started_at, row.page = at, left, None, ""
        row.due_at = _next_night(row.client, at)
        row.save(update_fields=["checked_at", "outliving", "started_at", "page", "due_at", "seen"])
        audit.record(
            "vendor.checked", subject=row.connection, by=JOB, at=at, seen=seen, outliving=left, gone=gone
        )
        renew_item(client=row.client, at=at)


def _listed_by_name(client: Client, rows: QuerySet[Leftover], at: datetime) -> list[uuid.UUID]:
    """Those that CallRail's list would name: it knows calls by "CAL...", and webhooks of old by a number."""
    found = vendors.addresses(client, list(rows.values_list("pk", flat=True)), at)
    return [pk for pk, where in found.items() if "CAL" in where]


def _next_night(client: Client, at: datetime) -> datetime:
    local = at.astimezone(ZoneInfo(client.time_zone))
    night = datetime.combine(local.date() + timedelta(days=1), NIGHT_BEGINS, tzinfo=local.tzinfo)
    return max(night, at + timedelta(hours=12))


def _note_failure(claimed: Claimed, error: ListError, chance: float, at: datetime) -> None:
    """Ask again later, where the pass was; after three times in the next night. Who asks for a pause has not failed."""
    log.warning("vendor.list_failed", connection=str(claimed.connection_id), why=str(error))
    with job_scope(agency_id=claimed.agency_id):
        row = VendorCheck.objects.select_related("client").filter(pk=claimed.check_id).first()
        if row is None or row.started_at != claimed.started_at:
            return
        if error.wait is not None:
            _leave_alone(row, at + pauses.spread(error.wait, chance))
            return
        row.failures = min(row.failures + 1, 1_000)
        row.last_error = str(error)[:200]
        tried = row.failures <= len(_PAUSES)
        later = at + pauses.spread(_PAUSES[row.failures - 1], chance) if tried else None
        row.due_at = later or _next_night(row.client, at)
        row.save(update_fields=["failures", "last_error", "due_at"])


def settle(*, agency_id: int, client_id: int, at: datetime) -> int:
    """
    Take over what came of what was asked: a step that is done means the copy is gone; one given up, that it is not.

    Returns how many changed. Enters the agency's scope itself.
    """
    with job_scope(agency_id=agency_id):
        client = Client.objects.filter(pk=client_id).first()
        if client is None:
            return 0
        asked = Leftover.objects.for_client(client).filter(state=LeftoverState.ASKED)
        steps = VendorTask.objects.for_client(client).filter(
            step=VendorStep.DELETE_RECORDING, recording_id__in=asked.values("pk")
        )
        done = steps.filter(state=WaitingState.DONE).values("recording_id")
        count = asked.filter(pk__in=done).update(state=LeftoverState.GONE, gone_at=at)
        dropped = steps.filter(state=WaitingState.CANCELLED).values("recording_id")
        count += asked.filter(pk__in=dropped).update(state=LeftoverState.OPEN)
        renew_item(client=client, at=at)
    return count


def renew_item(*, client: Client, at: datetime) -> None:
    """Let what outlives ours wait for a person, or close the item where nothing does."""
    rows = Leftover.objects.for_client(client).filter(state=LeftoverState.OPEN)
    work.renew_item(
        OUTLIVE, agency_id=client.agency_id, client_id=client.pk, count=rows.count(), by=JOB, at=at
    )


def forget_gone(*, agency_id: int, at: datetime) -> int:
    """Forget leftovers that have been gone for 30 days; returns how many. Enters the agency's scope itself."""
    with job_scope(agency_id=agency_id):
        old = Leftover.objects.filter(
            agency_id=agency_id, state=LeftoverState.GONE, gone_at__lte=at - FORGOTTEN_AFTER
        )
        return old.remove()
