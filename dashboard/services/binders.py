"""
Binders of proof: asked for by an officer, built by a job part by part, signed, kept sealed, handed out, and gone.

A binder is a file with a date of its own: after `KEPT_FOR` its files are deleted, their keys with them, and a year
later the row that told of it. A link opens one binder for as long as an officer says, and only its digest is kept.
"""

import hashlib
import io
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q

from callprivacy.accounts import access
from callprivacy.accounts.enums import CLIENT_SIDE
from callprivacy.accounts.models import Membership
from callprivacy.audit import leaves
from callprivacy.audit import services as audit
from callprivacy.calls.enums import JobState
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import KeyPurpose, Permission
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.vault import files, signing
from callprivacy.work import services as work
from consent.channels import packing
from dashboard.channels import binder as form
from dashboard.models import Binder, BinderLink
from dashboard.selectors import proof

KEPT_FOR: Final = timedelta(days=90)
ROWS_FOR: Final = timedelta(days=365)
LINK_FOR: Final = timedelta(days=14)
LONGEST_LINK: Final = timedelta(days=60)
READY: Final = "binder_ready"
JOB: Final = Actor.job("dashboard.build_binder")
SWEEP: Final = Actor.job("dashboard.sweep_binders")
BY_LINK: Final = Actor.client("binder")
_HELD_FOR: Final = timedelta(minutes=10)
# Verifying a trail of millions of events is one step, as long as the task may take.
_HELD_FOR_TRAIL: Final = timedelta(minutes=35)
_SENT_FOR: Final = timedelta(minutes=10)
_GIVEN_UP_AFTER: Final = timedelta(hours=6)


class BinderGoneError(LookupError):
    """The binder's files are gone, or not there yet."""


class OneIsBuiltError(ValueError):
    """A binder of the client is being built already."""


class UnknownLinkError(LookupError):
    """No link of ours, or one that is over."""


@dataclass(frozen=True, slots=True)
class Due:
    """A binder that waits for a worker."""

    agency_id: int
    binder_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class File:
    """A binder as somebody takes it away."""

    name: str
    media_type: str
    stream: io.BufferedReader


# --- Asking for one -------------------------------------------------------------------------------------------------


@transaction.atomic
def request_binder(*, client: Client, by: Actor, at: datetime) -> Binder:
    """
    Have a binder of a client built.

    :raises OneIsBuiltError: one is being built; two of the same minute would say the same.
    """
    if by.user_id is None:
        raise TypeError("A binder is asked for by a person.")
    # One at a time at a client, so that numbers have no gap.
    Client.objects.select_for_update(no_key=True, of=("self",)).get(pk=client.pk)
    mine = Binder.objects.for_client(client)
    if mine.filter(state__in=[JobState.QUEUED, JobState.RUNNING]).exists():
        raise OneIsBuiltError("A binder of this client is being built already.")
    row = Binder.objects.create(
        agency_id=client.agency_id,
        client=client,
        number=(mine.aggregate(last=Max("number"))["last"] or 0) + 1,
        parts=len(proof.PARTS),
        created_by_id=by.user_id,
        created_at=at,
        due_at=at,
    )
    audit.record("binder.requested", subject=row, by=by, at=at, number=row.number)
    return row


def due_binders(*, agency_id: int, at: datetime) -> list[Due]:
    """
    Take down, to be sent to workers, binders that wait or whose worker has not been heard of for a while.

    In the scope of the agency's job.
    """
    rows = Binder.objects.filter(
        agency_id=agency_id, state__in=[JobState.QUEUED, JobState.RUNNING], due_at__lte=at
    )
    ids = list(rows.select_for_update(skip_locked=True).order_by("due_at").values_list("pk", flat=True)[:20])
    Binder.objects.filter(pk__in=ids).update(state=JobState.QUEUED, due_at=at + _SENT_FOR)
    return [Due(agency_id, pk) for pk in ids]


# --- Building it ----------------------------------------------------------------------------------------------------


def build(*, due: Due, clock: Callable[[], datetime]) -> bool:
    """
    Build one binder, a part a scope. Called outside any scope; safe to run twice, and after a kill.

    A run that was overtaken or withdrawn leaves nothing. Returns whether this call built it.
    """
    with job_scope(agency_id=due.agency_id):
        row = _claim(due, clock())
    if row is None:
        return False
    ground = proof.Ground(row.client, clock())
    parts: dict[str, dict[str, Any]] = {}
    for name, (_, read) in proof.PARTS.items():
        # Said first, so that the page shows it, and whoever withdraws the binder does not wait for the part.
        hold = _HELD_FOR_TRAIL if name == "trail" else _HELD_FOR
        with job_scope(agency_id=due.agency_id):
            if not _running(row).update(part=name, done=len(parts), due_at=clock() + hold):
                return False
        with job_scope(agency_id=due.agency_id):
            parts[name] = read(ground).as_json()
    statement = _statement(row, ground, parts)
    public = signing.public_key().hex()
    file = packing.sealed_file(
        statement, signature=signing.sign(form.to_sign(statement)).hex(), public=public
    )
    drawn = form.document(statement, file, zone=row.client.time_zone, public=public, sign=signing.sign)
    keys = (uuid.uuid4(), uuid.uuid4())
    for key, data in zip(keys, (drawn, file), strict=True):
        with files.Writer(row.client_id, key, at=clock()) as out:
            out.write(data)
    with job_scope(agency_id=due.agency_id):
        finished = _finish(row, keys, drawn, statement, clock())
    if not finished:
        for key in keys:
            files.delete(row.client_id, key)
    return finished


def _running(row: Binder) -> Any:
    return Binder.objects.filter(pk=row.pk, state=JobState.RUNNING, withdrawn_at=None)


def _claim(due: Due, at: datetime) -> Binder | None:
    """Take a binder for ten minutes, unless another worker has it or it is withdrawn."""
    left = Q(state=JobState.RUNNING, due_at__lte=at)
    waiting = Binder.objects.filter(Q(state=JobState.QUEUED) | left, pk=due.binder_id, withdrawn_at=None)
    if not waiting.update(state=JobState.RUNNING, due_at=at + _HELD_FOR, done=0, part=""):
        return None
    row = Binder.objects.select_related("client__agency").get(pk=due.binder_id)
    if at - row.created_at > _GIVEN_UP_AFTER:
        Binder.objects.filter(pk=row.pk).update(state=JobState.FAILED, finished_at=at)
        audit.record("binder.failed", subject=row, by=JOB, at=at, number=row.number)
        return None
    return row


def _statement(row: Binder, ground: proof.Ground, parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    client = row.client
    return {
        "binder": form.NAME,
        "v": form.VERSION,
        "id": str(row.pk),
        "number": row.number,
        "agency": {"id": client.agency_id, "name": client.agency.name},
        "client": {
            "id": client.pk,
            "name": client.name,
            "legal_name": client.legal_name,
            "time_zone": client.time_zone,
        },
        "made_at": leaves.instant(ground.at),
        "since": leaves.instant(ground.since),
        "contents": [
            {"id": name, "title": title, "sha256": form.digest_of(parts[name])}
            for name, (title, _) in proof.PARTS.items()
        ],
        "parts": parts,
        "not_in_it": list(form.NOT_IN_IT),
        "key": signing.key_id(signing.public_key()),
    }


def _finish(
    row: Binder, keys: tuple[uuid.UUID, uuid.UUID], drawn: bytes, statement: dict[str, Any], at: datetime
) -> bool:
    digest = hashlib.sha256(drawn).digest()
    gaps = sum(bool(part["gaps"]) for part in statement["parts"].values())
    won = _running(row).update(
        state=JobState.DONE,
        part="",
        done=F("parts"),
        gaps=gaps,
        file_key=keys[0],
        result_key=keys[1],
        size=len(drawn),
        digest=digest,
        key_id=statement["key"],
        finished_at=at,
        expires_at=at + KEPT_FOR,
    )
    if not won:
        return False
    audit.record(
        "binder.built", subject=row, by=JOB, at=at, number=row.number, digest=digest.hex(), gaps=gaps
    )
    work.notify(
        READY,
        agency_id=row.agency_id,
        client_id=row.client_id,
        user_ids=[row.created_by_id, *_client_side(row, at)],
        at=at,
        key=str(row.pk),
    )
    return True


def _client_side(row: Binder, at: datetime) -> list[int]:
    seeing = access.people_with(Permission.VIEW_CLIENT, row.client_id, agency_id=row.agency_id, at=at)
    rows = Membership.objects.filter(agency_id=row.agency_id, user_id__in=seeing, role__in=CLIENT_SIDE)
    return list(rows.values_list("user_id", flat=True))


# --- Taking it ------------------------------------------------------------------------------------------------------


@transaction.atomic
def take(*, binder: Binder, as_pdf: bool, by: Actor, at: datetime) -> File:
    """
    Write down who takes a binder, and open it: the PDF, or the JSON for programs.

    :raises BinderGoneError: its files are gone, or it is not built yet.
    """
    file = _open(binder, as_pdf, at)
    _note(binder, as_pdf, by, at)
    return file


def _note(binder: Binder, as_pdf: bool, by: Actor, at: datetime, *, link: str | None = None) -> None:
    kind = "pdf" if as_pdf else "json"
    audit.record("binder.taken", subject=binder, by=by, at=at, number=binder.number, form=kind, link=link)


def _open(binder: Binder, as_pdf: bool, at: datetime) -> File:
    key = binder.file_key if as_pdf else binder.result_key
    if not binder.is_there(at) or key is None:
        raise BinderGoneError("The binder is not there any more. Have a new one built.")
    try:
        stream = files.open(binder.client_id, key)
    except FileNotFoundError:
        raise BinderGoneError("The binder is not there any more. Have a new one built.") from None
    name = f"binder-{binder.client.slug}-{binder.number}"
    return (
        File(f"{name}.pdf", "application/pdf", stream)
        if as_pdf
        else File(f"{name}.json", "application/json", stream)
    )


@transaction.atomic
def withdraw(*, binder: Binder, by: Actor, at: datetime) -> None:
    """
    End a binder before its date: its links open nothing from now on, and its files go.

    :raises BinderGoneError: it is gone already.
    """
    mine = Binder.objects.filter(pk=binder.pk, withdrawn_at=None).exclude(state=JobState.CANCELLED)
    state = JobState.DONE if binder.state == JobState.DONE else JobState.CANCELLED
    if not mine.update(withdrawn_at=at, state=state, finished_at=binder.finished_at or at):
        raise BinderGoneError("It was withdrawn already.")
    _end_links(BinderLink.objects.filter(binder=binder, ended_at=None), at)
    audit.record("binder.withdrawn", subject=binder, by=by, at=at, number=binder.number)
    # The files go with the next sweep at the latest; nothing opens them from here on.
    transaction.on_commit(lambda: _delete_files(binder))


def _delete_files(binder: Binder) -> None:
    for key in (binder.file_key, binder.result_key):
        if key is not None:
            files.delete(binder.client_id, key)


# --- Links ----------------------------------------------------------------------------------------------------------


def digest_of(token: str) -> bytes:
    """What stands in the database for a link."""
    return hashlib.sha256(token.encode()).digest()


def url_of(token: str) -> str:
    """The public address of a link."""
    return f"{settings.CALLPRIVACY_URL.rstrip('/')}/b/{token}/"


@transaction.atomic
def make_link(*, binder: Binder, good_for: timedelta, by: Actor, at: datetime) -> str:
    """
    Make a link to a binder and return its token, which is told once and kept nowhere.

    It ends with the binder at the latest.

    :raises BinderGoneError: the binder is not there.
    """
    if by.user_id is None:
        raise TypeError("A link is made by a person.")
    locked = Binder.objects.select_for_update(of=("self",)).get(pk=binder.pk)
    if not locked.is_there(at) or locked.expires_at is None:
        raise BinderGoneError("The binder is not there any more. Have a new one built.")
    token = secrets.token_urlsafe(32)
    row = BinderLink.objects.create(
        agency_id=binder.agency_id,
        client_id=binder.client_id,
        binder=binder,
        digest=digest_of(token),
        made_by_id=by.user_id,
        made_at=at,
        expires_at=min(at + min(good_for, LONGEST_LINK), locked.expires_at),
    )
    PublicKey.objects.create(
        key=bytes(row.digest).hex(),
        purpose=KeyPurpose.BINDER,
        agency_id=row.agency_id,
        client_id=row.client_id,
    )
    audit.record(
        "binder.linked", subject=binder, by=by, at=at, number=binder.number, until=row.expires_at.isoformat()
    )
    return token


@transaction.atomic
def end_link(*, link: BinderLink, by: Actor, at: datetime) -> None:
    """
    End a link; it opens nothing any more.

    :raises UnknownLinkError: it has ended already.
    """
    if not _end_links(BinderLink.objects.filter(pk=link.pk, ended_at=None), at):
        raise UnknownLinkError("The link has ended already.")
    audit.record("binder.link_ended", subject=link.binder, by=by, at=at, number=link.binder.number)


def _end_links(rows: Any, at: datetime) -> int:
    keys = [bytes(digest).hex() for digest in rows.values_list("digest", flat=True)]
    ended: int = rows.update(ended_at=at)
    PublicKey.objects.filter(key__in=keys, purpose=KeyPurpose.BINDER).delete()
    return ended


def show_by_link(*, token: str, at: datetime) -> BinderLink:
    """
    What a link opens. Outside any scope.

    :raises UnknownLinkError: no link of ours, or one that is over.
    """
    agency_id, client_id = _whose(token)
    with client_scope(agency_id=agency_id, client_id=client_id):
        return _find(token, at)


def take_by_link(*, token: str, as_pdf: bool, at: datetime) -> File:
    """
    Write down that a binder is taken through a link, and open it. Outside any scope.

    :raises UnknownLinkError: no link of ours, or one that is over.
    :raises BinderGoneError: the binder went in the meantime.
    """
    agency_id, client_id = _whose(token)
    with client_scope(agency_id=agency_id, client_id=client_id):
        row = _find(token, at)
        file = _open(row.binder, as_pdf, at)
        alive = BinderLink.objects.filter(pk=row.pk, ended_at=None, expires_at__gt=at)
        if not alive.update(taken=F("taken") + 1, taken_at=at):
            file.stream.close()
            raise UnknownLinkError
        _note(row.binder, as_pdf, BY_LINK, at, link=str(row.pk))
        return file


def _whose(token: str) -> tuple[int, int]:
    found = tenancy.find_public_key(digest_of(token).hex(), KeyPurpose.BINDER)
    if found is None or found.client_id is None:
        raise UnknownLinkError
    return found.agency_id, found.client_id


def _find(token: str, at: datetime) -> BinderLink:
    row = (
        BinderLink.objects.filter(digest=digest_of(token), ended_at=None, expires_at__gt=at)
        .select_related("binder__client__agency")
        .first()
    )
    if row is None or not row.binder.is_there(at):
        raise UnknownLinkError
    return row


# --- Their end ------------------------------------------------------------------------------------------------------


def sweep(*, agency_id: int, at: datetime) -> int:
    """
    Delete what is over, a hundred at a time: files of binders past their date or withdrawn, links that ended or whose
    client has left, and rows a year later. In the scope of the agency's job. Returns how many binders lost their files.
    """
    alive = BinderLink.objects.filter(agency_id=agency_id, ended_at=None)
    _end_links(alive.filter(Q(expires_at__lte=at) | Q(client__archived_at__isnull=False)), at)
    ended = Q(expires_at__lte=at) | Q(withdrawn_at__isnull=False)
    rows = list(Binder.objects.filter(ended, agency_id=agency_id, file_key__isnull=False)[:100])
    for row in rows:
        # First the files: a crash between the two leaves a row that the next sweep meets again.
        _delete_files(row)
        Binder.objects.filter(pk=row.pk).update(file_key=None, result_key=None)
        audit.record("binder.expired", subject=row, by=SWEEP, at=at, number=row.number)
    old = Binder.objects.filter(
        agency_id=agency_id, file_key=None, finished_at__lte=at - KEPT_FOR - ROWS_FOR
    ).values_list("pk", flat=True)[:100]
    gone = list(old)
    BinderLink.objects.filter(binder_id__in=gone).remove()
    Binder.objects.filter(pk__in=gone).remove()
    return len(rows)
