"""
A release from its draft to its end: no call-level row leaves without two people, and each can be taken back.

What a file would hold is tried before anybody proposes it; what leaves is computed again when it is built. It ends on
its date, or when somebody revokes it: file and list of members are destroyed, and the recipient is told.
"""

import contextlib
import io
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import IntegrityError, transaction

from analytics import kinds
from analytics.anonymise.own import Own
from analytics.models.releases import (
    OwnGroups,
    Recipient,
    Release,
    ReleaseKind,
    ReleaseState,
    ReleaseTrial,
    Removal,
)
from analytics.selectors import releases as selectors
from analytics.selectors.releasable import COLUMNS
from callprivacy.accounts import seconding
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.calls.enums import JobState
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Sector
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.work import services as work

JOB: Final = Actor.job("analytics.sweep_releases")
TRIED_FOR: Final = timedelta(hours=24)
"""So long a trial is shown again; calls come and go meanwhile."""
DRAFT_FOR: Final = timedelta(days=30)
MAIL_AGAIN_AFTER: Final = timedelta(minutes=30)
_ENDED: Final = (ReleaseState.REVOKED, ReleaseState.EXPIRED)


class NotReleasableError(ValueError):
    """What is asked for may not be; the text says why and what to do instead."""


class NotOpenError(ValueError):
    """The release is not in a state in which this can be done to it."""


class GroupsChangedError(ValueError):
    """Somebody else changed the client's groups since they were shown."""


class GoneError(LookupError):
    """The file has ended, or is not there yet."""


class BeingChangedError(ValueError):
    """Rows of somebody are taken out of the file before anybody takes it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to release; `until_on` is the day after the last."""

    kind: ReleaseKind
    purpose: str
    columns: Sequence[str]
    from_on: date
    until_on: date
    keep_for_days: int


def check(client: Client, recipient: Recipient, wish: Wish) -> None:
    """
    Refuse what no setting could make right.

    :raises NotReleasableError: it may not be.
    """
    if why := selectors.why_no_row_leaves(client):
        raise NotReleasableError(
            f"{why}: no row of a call leaves, generalised or not. Release noisy figures."
        )
    if unknown := set(wish.columns) - COLUMNS.keys():
        raise NotReleasableError(f"There is no column {min(unknown)!r}.")
    if not any(COLUMNS[name].role == "quasi" for name in wish.columns):
        raise NotReleasableError("Pick at least one column that is made coarser.")
    if not timedelta() < wish.until_on - wish.from_on <= selectors.LONGEST:
        raise NotReleasableError("A release is of at least a day and at most a year.")
    if wish.keep_for_days > (most := selectors.kept_for_at_most(client)):
        raise NotReleasableError(
            f"The client's policy keeps releases for {most} day{'s'[: most != 1]} at most. Let it end sooner, or change"
            " the policy first."
        )
    if wish.kind == ReleaseKind.PSEUDONYMISED:
        if not recipient.contract:
            raise NotReleasableError(
                "A pseudonymised file is personal data: write down the contract with the recipient first."
            )
        if wish.keep_for_days > selectors.PSEUDONYMS_KEPT_FOR:
            raise NotReleasableError(
                f"A pseudonymised file is kept for at most {selectors.PSEUDONYMS_KEPT_FOR} days."
            )


@transaction.atomic
def draft_release(*, client: Client, recipient: Recipient, wish: Wish, by: Actor, at: datetime) -> Release:
    """
    Begin a release: its recipient, purpose, columns and days. Nothing leaves.

    :raises NotReleasableError: it may not be.
    """
    if by.user_id is None:
        raise TypeError("A release is begun by a person.")
    check(client, recipient, wish)
    release = Release(
        agency_id=client.agency_id,
        client=client,
        kind=wish.kind,
        recipient=recipient,
        purpose=wish.purpose,
        # In the order of the catalogue, so that equal wishes are equal.
        columns=[name for name in COLUMNS if name in wish.columns],
        groups=selectors.groups_of(client) if wish.kind == ReleaseKind.ANONYMISED else None,
        from_on=wish.from_on,
        until_on=wish.until_on,
        keep_for_days=wish.keep_for_days,
        created_by_id=by.user_id,
        created_at=at,
    )
    release.save(force_insert=True)
    audit.record(
        "release.drafted",
        subject=release,
        by=by,
        at=at,
        kind=wish.kind.value,
        recipient=str(recipient.pk),
        columns=" ".join(release.columns),
        from_on=wish.from_on.isoformat(),
        until_on=wish.until_on.isoformat(),
    )
    return release


@transaction.atomic
def set_groups(*, client: Client, own: Own, after: int, by: Actor, at: datetime) -> OwnGroups:
    """
    Say by what a client's anonymised releases are grouped from now on; drafts are tried anew with it.

    What waits for a second person, or is out, keeps the groups that it was tried with.

    :param after: the number of what was changed, 0 for what is shipped.
    :raises OwnError: the groups are no tree. :raises GroupsChangedError: somebody else changed them meanwhile.
    """
    if by.user_id is None:
        raise TypeError("Groups are set by a person.")
    own.check()
    row = OwnGroups(
        agency_id=client.agency_id,
        client=client,
        number=after + 1,
        said=own.written(),
        set_by_id=by.user_id,
        set_at=at,
    )
    newest = selectors.groups_of(client)
    try:
        if after != (0 if newest is None else newest.number):
            raise IntegrityError
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise GroupsChangedError(
            "Somebody else has changed them meanwhile. Look at theirs, and change what is still to be changed."
        ) from None
    drafts = Release.objects.for_client(client).filter(state=ReleaseState.DRAFT, kind=ReleaseKind.ANONYMISED)
    ids = list(drafts.select_for_update(of=("self",)).values_list("pk", flat=True))
    Release.objects.for_client(client).filter(pk__in=ids).update(groups=row)
    ReleaseTrial.objects.for_client(client).filter(release_id__in=ids).remove()
    audit.record(
        "release_groups.set",
        subject=client,
        by=by,
        at=at,
        number=row.number,
        changed=" ".join(row.said) or "as shipped",
        drafts=len(ids),
    )
    return row


@transaction.atomic
def ask_trial(
    *,
    release: Release,
    k: int,
    l: int | None,  # noqa: E741  (what the papers call it)
    t: Decimal | None,
    at: datetime,
) -> ReleaseTrial:
    """
    Have a setting tried for a draft, unless it was within a day.

    :raises NotOpenError: the release is no draft any more.
    :raises NotReleasableError: k is below the agency's floor.
    """
    _held(release, [ReleaseState.DRAFT])
    floor = selectors.floor_of(release.agency_id)
    if release.kind == ReleaseKind.ANONYMISED and k < floor.k:
        raise NotReleasableError(f"The agency's floor is k of {floor.k}.")
    found = selectors.trial_of(release, k=k, l=l, t=t)
    if found is not None:
        is_fresh = found.finished_at is None or found.finished_at > at - TRIED_FOR
        if is_fresh and found.state != JobState.FAILED:
            return found
        found.state, found.due_at, found.finished_at, found.asked_at = JobState.QUEUED, at, None, at
        found.done, found.total, found.result, found.refusal = 0, 0, {}, ""
        found.save()
        return found
    trial = ReleaseTrial(
        agency_id=release.agency_id,
        client_id=release.client_id,
        release=release,
        k=k,
        l=l,
        t=t,
        asked_at=at,
        due_at=at,
    )
    # Two questions at once about the same setting are one row.
    ReleaseTrial.objects.bulk_create([trial], ignore_conflicts=True)
    return selectors.trial_of(release, k=k, l=l, t=t) or trial


@transaction.atomic
def propose(*, release: Release, trial: ReleaseTrial, by: Actor, at: datetime) -> None:
    """
    Propose a draft with a setting that was tried, for a second person to sign.

    :raises NotOpenError: it is no draft, or the trial is another's, failed, or older than a day.
    :raises NotReleasableError: the trial was refused, or it may not be by now.
    """
    if by.user_id is None:
        raise TypeError("A release is proposed by a person.")
    release = _held(release, [ReleaseState.DRAFT])
    fresh = ReleaseTrial.objects.filter(pk=trial.pk).first()
    if fresh is None:
        raise NotOpenError("The groups were changed since this setting was tried. Try it again.")
    trial = fresh
    if trial.release_id != release.pk or trial.state != JobState.DONE or trial.finished_at is None:
        raise NotOpenError("This setting was not tried to its end yet.")
    if trial.finished_at <= at - TRIED_FOR:
        raise NotOpenError("This setting was tried more than a day ago. Try it again.")
    if trial.refusal:
        raise NotReleasableError(trial.refusal)
    check(release.client, release.recipient, _wish_of(release))
    if release.kind == ReleaseKind.ANONYMISED:
        _check_floor(release, trial.k)
        release.k, release.l, release.t = trial.k, trial.l, trial.t
    seconding.proposed(user_id=by.user_id, at=at)
    release.state = ReleaseState.WAITING
    release.report = trial.result
    release.proposed_by_id, release.proposed_at = by.user_id, at
    release.save(update_fields=["state", "k", "l", "t", "report", "proposed_by", "proposed_at"])
    ReleaseTrial.objects.for_client(release.client_id).filter(release=release).remove()
    audit.record(
        "release.proposed",
        subject=release,
        by=by,
        at=at,
        kind=release.kind,
        recipient=str(release.recipient_id),
        k=release.k,
        l=release.l,
        t=None if release.t is None else str(release.t),
    )
    work.open_item(
        kinds.RELEASE_WAITS,
        agency_id=release.agency_id,
        client_id=release.client_id,
        key=str(release.pk),
        at=at,
    )


@seconding.seconds
@transaction.atomic
def approve(*, release: Release, officer: Membership, at: datetime) -> None:
    """
    Sign another person's release; a job builds it, and tests it again against everything that was released before.

    :raises NotOpenError: it does not wait any more.
    :raises SamePersonError: the officer proposed it. :raises NotCountedError: their signature does not count.
    :raises NotReleasableError: it may not be by now.
    """
    release = _decidable(release, officer, at)
    seconding.check(
        proposer=release.proposed_by_id or officer.user_id,
        signer=officer.user_id,
        agency_id=release.agency_id,
        subject=release,
        at=at,
    )
    check(release.client, release.recipient, _wish_of(release))
    if release.kind == ReleaseKind.ANONYMISED:
        _check_floor(release, release.k or 0)
    release.state, release.due_at = ReleaseState.APPROVED, at
    _sign(release, officer, at)
    release.save(update_fields=["state", "due_at", "decided_by", "decided_at"])
    by = Actor.staff(user_id=officer.user_id)
    audit.record("release.approved", subject=release, by=by, at=at, proposed_by=release.proposed_by_id)
    _close_item(release, by, at)


@transaction.atomic
def refuse(*, release: Release, officer: Membership, reason: str, at: datetime) -> None:
    """
    Say no to another person's release.

    :raises NotOpenError: it does not wait any more.
    :raises SamePersonError: the officer proposed it.
    """
    release = _decidable(release, officer, at)
    release.state = ReleaseState.REFUSED
    _sign(release, officer, at)
    release.save(update_fields=["state", "decided_by", "decided_at"])
    by = Actor.staff(user_id=officer.user_id)
    audit.record("release.refused", subject=release, by=by, at=at, reason=reason)
    _close_item(release, by, at)
    if release.proposed_by_id is not None:
        tell(release, kinds.RELEASE_DECIDED, [release.proposed_by_id], at)


@transaction.atomic
def withdraw(*, release: Release, by: Actor, at: datetime) -> None:
    """
    Take back a draft, or what waits.

    :raises NotOpenError: it is decided already.
    """
    release = _held(release, [ReleaseState.DRAFT, ReleaseState.WAITING])
    release.state = ReleaseState.WITHDRAWN
    release.save(update_fields=["state"])
    ReleaseTrial.objects.for_client(release.client_id).filter(release=release).remove()
    audit.record("release.withdrawn", subject=release, by=by, at=at)
    _close_item(release, by, at)


@transaction.atomic
def open_file(*, release: Release, by: Actor, at: datetime) -> io.BufferedReader:
    """
    Write down who takes a release's file, and open it.

    :raises GoneError: it has ended, or is not built yet. :raises BeingChangedError: rows are to leave it first.
    """
    fresh = Release.objects.for_client(release.client_id).live().filter(pk=release.pk).first()
    if fresh is None or fresh.file_key is None or fresh.ends_at is None or fresh.ends_at <= at:
        raise GoneError("The file is gone: the release has ended.")
    if why := selectors.why_no_row_leaves(release.client):
        raise BeingChangedError(f"{why}: nobody takes the file. Revoke it.")
    waits = Removal.objects.for_client(release.client_id).filter(release=fresh, due_at__isnull=False)
    if fresh.look_due_at is not None or waits.exists():
        raise BeingChangedError(
            "Somebody has said no, or was erased, since it was built. Their rows are taken out first: try again"
            " in a few minutes."
        )
    audit.record("release.downloaded", subject=fresh, by=by, at=at, rows=fresh.rows)
    try:
        return files.open(fresh.client_id, fresh.file_key)
    except FileNotFoundError:
        raise GoneError("The file is gone. Ask for a new release.") from None


@transaction.atomic
def revoke(*, release: Release, reason: str, by: Actor, at: datetime) -> None:
    """
    End a live release before its date: nobody takes the file any more, and the recipient is told by mail.

    The next sweep destroys file and members (`destroy_ended`), whatever happens in between.

    :raises NotOpenError: it is not live.
    """
    release = _held(release, [ReleaseState.RELEASED])
    _end(release, ReleaseState.REVOKED, at)
    audit.record("release.revoked", subject=release, by=by, at=at, reason=reason)
    work.close_item(kinds.RELEASE_RISEN, agency_id=release.agency_id, key=str(release.pk), at=at, by=by)


def revoke_by_trade(*, agency_id: int, at: datetime) -> int:
    """
    Revoke live releases of clients whose trade has become one of health or of children, a hundred at most; returns how
    many.

    Of calls about health, and of whoever is taken for a minor, nobody has a row. In the agency's scope.
    """
    trades = [sector for sector in Sector if sector.is_health or sector.presumes_minors]
    rows = Release.objects.filter(agency_id=agency_id, client__sector__in=trades).live()
    found = list(rows.select_related("client")[:100])
    for release in found:
        with contextlib.suppress(NotOpenError):
            why = selectors.why_no_row_leaves(release.client)
            revoke(release=release, reason=f"{why}: the client's trade.", by=JOB, at=at)
    return len(found)


def expire(*, agency_id: int, at: datetime) -> int:
    """End releases whose date has come, a hundred at most; returns how many. In the agency's scope."""
    due = Release.objects.filter(agency_id=agency_id, ends_at__lte=at).live()
    found = list(due.select_for_update(skip_locked=True)[:100])
    for release in found:
        _end(release, ReleaseState.EXPIRED, at)
        audit.record("release.expired", subject=release, by=JOB, at=at)
        work.close_item(kinds.RELEASE_RISEN, agency_id=agency_id, key=str(release.pk), at=at, by=JOB)
    return len(found)


def end_by_policy(*, release: Release, by: Actor, at: datetime) -> None:
    """End a live release whose days are over by the policy of retention; part of a run's batch, which locks the row."""
    _end(release, ReleaseState.EXPIRED, at)
    audit.record("release.expired", subject=release, by=by, at=at, policy=True)
    work.close_item(kinds.RELEASE_RISEN, agency_id=release.agency_id, key=str(release.pk), at=at, by=by)


def destroy_ended(*, agency_id: int) -> int:
    """
    Destroy files and lists of members of releases that have ended; returns how many.

    First the files: a crash between the two leaves a row that the next sweep meets again. Outside any scope.
    """
    with job_scope(agency_id=agency_id):
        rows = Release.objects.filter(agency_id=agency_id, state__in=_ENDED)
        rows = rows.exclude(file_key=None, members_key=None)
        found = list(rows.values_list("pk", "client_id", "file_key", "members_key")[:100])
    for pk, client_id, *keys in found:
        for key in keys:
            if key is not None:
                files.delete(client_id, key)
        with job_scope(agency_id=agency_id):
            Release.objects.filter(pk=pk).update(file_key=None, members_key=None)
    return len(found)


def drop_old_drafts(*, agency_id: int, at: datetime) -> int:
    """Withdraw drafts that nobody went on with for a month; returns how many. In the agency's scope."""
    found = Release.objects.filter(
        agency_id=agency_id, state=ReleaseState.DRAFT, created_at__lte=at - DRAFT_FOR
    )
    old = list(found[:100])
    for release in old:
        withdraw(release=release, by=JOB, at=at)
    return len(old)


# --- Telling the recipient ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to a recipient that a file is to be deleted."""

    release_id: uuid.UUID
    address: str
    agency: str
    client: str
    days: str
    rows: int
    digest: str
    revoked: bool


def claim_letters(*, agency_id: int, at: datetime, limit: int = 50) -> list[Letter]:
    """Take letters that are due; each comes back unless `letter_sent` is told in time. In the agency's scope."""
    due = Release.objects.filter(agency_id=agency_id, mail_due_at__lte=at)
    rows = due.select_related("recipient", "client__agency").select_for_update(skip_locked=True, of=("self",))
    found = list(rows.order_by("mail_due_at", "pk")[:limit])
    Release.objects.filter(pk__in=[row.pk for row in found]).update(mail_due_at=at + MAIL_AGAIN_AFTER)
    return [
        Letter(
            row.pk,
            row.recipient.email,
            row.client.agency.name,
            row.client.name,
            selectors.days(row),
            row.rows,
            bytes(row.digest or b"").hex(),
            row.state == ReleaseState.REVOKED,
        )
        for row in found
    ]


def letter_sent(*, release_id: uuid.UUID, at: datetime) -> None:
    """Note that the mail server took it. In the agency's scope."""
    told = Release.objects.filter(pk=release_id, told_at__isnull=True)
    if told.update(told_at=at, mail_due_at=None):
        audit.record("release.told", subject=Release.objects.get(pk=release_id), by=JOB, at=at)


# --- Shared ---------------------------------------------------------------------------------------------------------


def tell(release: Release, kind: str, user_ids: Sequence[int], at: datetime) -> None:
    work.notify(
        kind,
        agency_id=release.agency_id,
        client_id=release.client_id,
        user_ids=user_ids,
        at=at,
        key=str(release.pk),
    )


def _end(release: Release, state: ReleaseState, at: datetime) -> None:
    release.state, release.ended_at = state, at
    release.mail_due_at = at
    release.save(update_fields=["state", "ended_at", "mail_due_at"])


def _wish_of(release: Release) -> Wish:
    return Wish(
        kind=ReleaseKind(release.kind),
        purpose=release.purpose,
        columns=release.columns,
        from_on=release.from_on,
        until_on=release.until_on,
        keep_for_days=release.keep_for_days,
    )


def _check_floor(release: Release, k: int) -> None:
    floor = selectors.floor_of(release.agency_id)
    if k < floor.k:
        raise NotReleasableError(f"The agency's floor is k of {floor.k} by now. Propose it again with that.")


def _held(release: Release, states: Sequence[ReleaseState]) -> Release:
    rows = Release.objects.for_client(release.client_id).filter(pk=release.pk, state__in=states)
    fresh = rows.select_for_update(of=("self",)).select_related("recipient", "client__agency").first()
    if fresh is None:
        raise NotOpenError("It is decided already, or has ended.")
    return fresh


def _decidable(release: Release, officer: Membership, at: datetime) -> Release:
    release = _held(release, [ReleaseState.WAITING])
    seconding.check_other(
        proposer=release.proposed_by_id,
        signer=officer.user_id,
        words="You proposed this release. Another officer has to sign it.",
    )
    if not selectors.may_decide(release, officer, at=at):
        raise NotOpenError("It takes an officer who may release this client's data.")
    return release


def _sign(release: Release, officer: Membership, at: datetime) -> None:
    release.decided_by_id, release.decided_at = officer.user_id, at


def _close_item(release: Release, by: Actor, at: datetime) -> None:
    work.close_item(kinds.RELEASE_WAITS, agency_id=release.agency_id, key=str(release.pk), at=at, by=by)
