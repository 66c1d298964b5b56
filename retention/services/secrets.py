"""
Secrets that grow old: people are told before and at the limit, and keys that need nobody are changed.

A rotation is a row. Whoever holds its lease goes on with it in bounded steps, each a transaction in the vault; a
worker that is killed leaves what it did, and the next looks at what is left (docs/adr/0138).
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from callprivacy.audit import services as audit
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_keys
from callprivacy.vault import services as vault
from callprivacy.work import services as work
from retention import kinds
from retention.enums import RotationState, SecretKind
from retention.models import Rotation, SecretLimit
from retention.selectors import secrets as selectors
from retention.selectors.secrets import ITSELF, Secret, Standing, holder_of

log = logger(__name__)

_JOB: Final = Actor.job("retention.rotate_keys")
_LEASE: Final = timedelta(minutes=2)
_TOLD_EVERY: Final = timedelta(seconds=1)
_PAUSE: Final = 0.2
_TRIES: Final = 8
_STEP: Final[Mapping[SecretKind, int]] = {SecretKind.CLIENT: 5000, SecretKind.TOKEN: 2000}
_AT_ONCE: Final = 20


class NotByItselfError(ValueError):
    """A kind of secret that somebody else has to change too; the page says how."""


class RotatingAlreadyError(ValueError):
    """The key is being changed already."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an agency wants of one kind; without days, our own limit."""

    kind: SecretKind
    days: int | None
    rotates_itself: bool


@transaction.atomic
def set_limits(*, agency: Agency, wishes: list[Wish], reason: str, by: Actor, at: datetime) -> int:
    """Set after how many days kinds of secrets are changed; returns how many of them changed."""
    before = selectors.limits()
    changed = 0
    for wish in wishes:
        days = wish.days or selectors.DEFAULT_DAYS[wish.kind]
        itself = wish.rotates_itself and wish.kind in ITSELF
        was = before[wish.kind]
        if (was.days, was.rotates_itself) == (days, itself):
            continue
        SecretLimit.objects.update_or_create(
            agency=agency, kind=wish.kind, defaults={"days": days, "rotates_itself": itself, "set_at": at}
        )
        audit.record(
            "secret_limit.set",
            by=by,
            at=at,
            agency_id=agency.pk,
            reason=reason,
            kind=wish.kind.value,
            days=days,
            was_days=was.days,
            rotates_itself=itself,
        )
        changed += 1
    return changed


@transaction.atomic
def start_rotation(
    *, agency: Agency, kind: SecretKind, client: Client | None, by: Actor, at: datetime
) -> Rotation:
    """
    Begin to change a key; a worker goes on with it. What a fault stopped is begun anew and goes on where it stopped.

    :param client: None for the agency's own key.
    :raises NotByItselfError: somebody else has to take part.
    :raises RotatingAlreadyError: it is under way. :raises ClientLeftError: the client leaves, and its keys with it.
    """
    if client is not None:
        tenancy.require_here(client.pk)
    if kind not in ITSELF:
        raise NotByItselfError(f"{kind.label}: this needs the other side.")
    row = Rotation(agency=agency, client=client, kind=kind, started_by_id=by.user_id, started_at=at)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise RotatingAlreadyError("This key is being changed already.") from None
    audit.record("rotation.started", subject=row, client_id=row.client_id, by=by, at=at, kind=kind.value)
    return row


# --- The work -------------------------------------------------------------------------------------------------------


def work_rotation(
    *, agency_id: int, rotation_id: uuid.UUID, until: datetime, clock: Callable[[], datetime]
) -> None:
    """
    Go on with a rotation until it is done or the time is over. Outside any scope; nothing where another worker has it.
    """
    job = _claim(agency_id, rotation_id, clock())
    if job is None:
        return
    try:
        is_done = job.go_on(until, clock)
    except Exception as error:  # noqa: BLE001  (whatever it was is written down, and tried again)
        log.error("rotation.failed", rotation=str(rotation_id), error=type(error).__name__)  # noqa: TRY400  (a traceback may hold a value)
        _failed(job, clock())
        return
    if is_done:
        _finish(job, clock())
    else:
        with job_scope(agency_id=agency_id):
            Rotation.objects.filter(pk=rotation_id).update(leased_until=None)


@dataclass(slots=True)
class _Job:
    """One rotation in a worker's hands."""

    row: Rotation
    holder_id: int
    lists: list[uuid.UUID]
    done: int = 0

    @property
    def kind(self) -> SecretKind:
        return SecretKind(self.row.kind)

    def begin(self) -> None:
        """Make the new key, unless that was done before a crash."""
        begun = self.row.started_at
        ages = vault_keys.ages(self.row.agency_id)[self.holder_id]
        if self.kind == SecretKind.CLIENT and ages.key_made_at < begun:
            vault.start_generation(client_id=self.holder_id, at=begun)
        elif self.kind == SecretKind.TOKEN and ages.token_made_at < begun:
            vault.start_token_key(client_id=self.holder_id, at=begun)

    def steps(self) -> Iterator[int]:
        """How many rows each step moves."""
        limit = _STEP[self.kind]
        if self.kind == SecretKind.CLIENT:
            return vault.rewrap_client_whole(client_id=self.holder_id, limit=limit)
        return vault.retoken_client(client_id=self.holder_id, limit=limit, list_ids=self.lists)

    def settle(self) -> bool:
        """Put an end to the former key where nothing rests on it any more; returns whether that is so."""
        if self.kind == SecretKind.CLIENT:
            vault.retire_generations(client_id=self.holder_id)
            return len(vault_keys.client_keys(self.holder_id).generations) == 1
        return vault.settle_tokens(client_id=self.holder_id, list_ids=self.lists)

    def left(self) -> int:
        """How many rows still rest on the former key."""
        if self.kind == SecretKind.CLIENT:
            return vault_keys.count_behind(self.holder_id)
        newest = vault_keys.client_keys(self.holder_id).tokens.newest
        return vault_keys.count_tokens(self.holder_id, self.lists, older_than=newest)

    def go_on(self, until: datetime, clock: Callable[[], datetime]) -> bool:
        """Work until nothing is left or the time is over; returns whether nothing is left."""
        self.begin()
        left = self.left()
        self.row.total = max(self.row.total, left)
        self.done = self.row.total - left
        told_at = self.tell(clock())
        for moved in self.steps():
            self.done = min(self.done + moved, self.row.total)
            now = clock()
            if now - told_at >= _TOLD_EVERY:
                told_at = self.tell(now)
            if now >= until:
                self.tell(now)
                return False
            if not moved:
                time.sleep(_PAUSE)
        return self.settle()

    def tell(self, at: datetime) -> datetime:
        """Write down how far it is, and keep the lease."""
        with job_scope(agency_id=self.row.agency_id):
            Rotation.objects.filter(pk=self.row.pk).update(
                total=self.row.total, done=self.done, leased_until=at + _LEASE
            )
        return at


def _claim(agency_id: int, rotation_id: uuid.UUID, at: datetime) -> _Job | None:
    with job_scope(agency_id=agency_id):
        free = Rotation.objects.filter(
            Q(leased_until__isnull=True) | Q(leased_until__lte=at),
            pk=rotation_id,
            state=RotationState.RUNNING,
        )
        if not free.update(leased_until=at + _LEASE):
            return None
        row = Rotation.objects.select_related("client").get(pk=rotation_id)
        holder = holder_of(agency_id) if row.client_id is None else row.client_id
        return _Job(row, holder, selectors.register_ids(agency_id) if row.client_id is None else [])


def _finish(job: _Job, at: datetime) -> None:
    row = job.row
    with job_scope(agency_id=row.agency_id):
        Rotation.objects.filter(pk=row.pk).update(
            state=RotationState.DONE, done=row.total, leased_until=None, finished_at=at
        )
        work.close_item(kinds.ROTATION_STUCK, agency_id=row.agency_id, key=_key(row), at=at, by=_JOB)
        action = "keys.rotated" if job.kind == SecretKind.CLIENT else "token_key.rotated"
        audit.record(
            action,
            subject=row.client or row,
            agency_id=row.agency_id,
            by=_JOB,
            at=at,
            rotation=str(row.pk),
            rows=row.total,
        )


def _failed(job: _Job, at: datetime) -> None:
    """Try again after a pause that grows; after eight tries it waits for a person."""
    row, tries = job.row, job.row.failures + 1
    is_over = tries >= _TRIES
    with job_scope(agency_id=row.agency_id):
        Rotation.objects.filter(pk=row.pk).update(
            failures=F("failures") + 1,
            leased_until=None if is_over else at + timedelta(seconds=15 * 2**tries),
            state=RotationState.FAILED if is_over else RotationState.RUNNING,
            finished_at=at if is_over else None,
        )
        if is_over:
            work.open_item(kinds.ROTATION_STUCK, agency_id=row.agency_id, key=_key(row), at=at)
            audit.record(
                "rotation.failed",
                subject=row,
                client_id=row.client_id,
                by=_JOB,
                at=at,
                kind=row.kind,
                tries=tries,
            )


def _key(row: Rotation) -> str:
    return f"{row.kind}:{row.client_id or 0}"


# --- Ages -----------------------------------------------------------------------------------------------------------


def check_ages(*, agency_id: int, at: datetime) -> int:
    """
    Tell people of secrets near and past their limit, and begin the rotations that need nobody; returns how many began.

    Outside any scope. At most twenty begin at once, the oldest first; the next check begins the others.
    """
    with job_scope(agency_id=agency_id):
        agency = Agency.objects.get(pk=agency_id)
        _note_house_keys(agency, at)
        secrets = selectors.every(agency, Client.objects.filter(agency=agency), at)
        _tell_of_ages(agency_id, secrets, at)
        _leave_what_left(agency_id, at)
        over = [one for one in secrets if one.limit.rotates_itself and one.standing(at) == Standing.OVER]
        free = [one for one in over if one.rotation is None or one.rotation.state == RotationState.DONE]
        began = sorted(free, key=lambda one: one.due_at)[:_AT_ONCE]
        for one in began:
            start_rotation(agency=agency, kind=one.kind, client=one.client, by=_JOB, at=at)
        return len(began)


def _leave_what_left(agency_id: int, at: datetime) -> None:
    """Nobody has to go on with a rotation that a fault stopped, where the client has left and its keys with it."""
    stopped = Rotation.objects.filter(
        agency_id=agency_id, state=RotationState.FAILED, client__shut_at__isnull=False
    )
    for row in stopped:
        work.close_item(kinds.ROTATION_STUCK, agency_id=agency_id, key=_key(row), at=at, by=_JOB)


def _note_house_keys(agency: Agency, at: datetime) -> None:
    """Write down since when the installation uses its master and its signing key: where it is new, since now."""
    for kind, name in selectors.house_names().items():
        if selectors.first_seen(agency.pk, kind, name).exists():
            continue
        is_first = not selectors.first_seen(agency.pk, kind).exists()
        since = agency.created_at if is_first else at
        audit.record(
            selectors.FIRST_SEEN,
            by=_JOB,
            at=at,
            agency_id=agency.pk,
            kind=kind.value,
            name=name,
            since=since.isoformat(),
        )


def _tell_of_ages(agency_id: int, secrets: list[Secret], at: datetime) -> None:
    """Keep one item for each kind that comes to its limit, and one for each that is past it, and needs a person."""
    counted = Counter((one.kind, one.standing(at)) for one in secrets if not one.limit.rotates_itself)
    for kind in SecretKind:
        for standing, item in ((Standing.SOON, kinds.LIMIT_NEAR), (Standing.OVER, kinds.LIMIT_PAST)):
            count = counted[kind, standing]
            if count:
                due = min(one.due_at for one in secrets if one.kind == kind and one.standing(at) == standing)
                work.open_item(item, agency_id=agency_id, key=kind.value, count=count, due_at=due, at=at)
            else:
                work.close_item(item, agency_id=agency_id, key=kind.value, at=at, by=_JOB)
