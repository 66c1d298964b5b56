"""What a person of the agency looks at and judges."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Call, Caller
from callprivacy.lib.scope import Actor
from callprivacy.vault import files
from callprivacy.vault.sealing import SealBrokenError
from rights.enums import IdentityKind, IdentityState, ProofKind
from rights.models import Case, Identity, Proof, Submission
from rights.services import reaching, restricting, stopping
from rights.services.proofs.settling import add, go_on, prove


class NoPaperError(LookupError):
    """Nothing was handed in, or it does not open any more."""


class SettledError(LookupError):
    """The identity is proven already, or what its request asked for is decided: what is decided reaches nobody else."""


class NothingOlderError(ValueError):
    """The identity is not proven, or all calls since that instant are shown already."""


@transaction.atomic
def judge(
    *,
    identity: Identity,
    holds: bool,
    seen: str,
    by: Actor,
    at: datetime,
    call_id: UUID | None = None,
    arrived_at: datetime | None = None,
) -> None:
    """
    Say of an identity that a person has looked at whether it is proven. In the scope of who may.

    :param seen: what the person saw, in a sentence; sealed.
    :param call_id: of a withheld call which one it is (`selectors.described`).
    :param arrived_at: when what was seen came in, from which some clocks run; None: when the person handed in the last
        of it here, or now where nothing was.
    :raises ValueError: nothing is said of what was seen, or the call is none of a withheld one.
    :raises SettledError: nothing that was asked for waits for a decision; or it is proven already, and this would take
        the proof away or name another call. That a person saw more, as that somebody is of age, may still be added.
    :raises reaching.NotYoursError: it is to be proven, and reaches clients that are not granted to the person. That
        nothing is shown anybody may say who works at the request.
    """
    if not seen.strip():
        raise ValueError("Say what you saw.")
    submission = identity.submission
    if holds:
        reaching.check(submission, by=by, at=at)
    _check_unsettled(identity, adds=holds and call_id is None)
    if call_id is not None:
        _note_call(identity, call_id)
    add(
        submission,
        ProofKind.DOCUMENT,
        holds=holds,
        at=at,
        identity=identity,
        said={"seen": seen.strip()},
        by=by,
    )
    identity.looked_by_id, identity.looked_at = by.user_id, at
    identity.save(update_fields=["looked_by", "looked_at"])
    if holds:
        prove(submission, identity, by=by, at=at)
        go_on(submission, by=by, at=at, arrived_at=arrived_at)
    else:
        Identity.objects.filter(pk=identity.pk).update(state=IdentityState.REFUSED)
        audit.record("identity.refused", subject=identity, by=by, at=at, kind=identity.kind)


def _check_unsettled(identity: Identity, *, adds: bool) -> None:
    # In this order, which decisions take as well: one that is made meanwhile is seen.
    cases = Case.objects.select_for_update(of=("self",)).filter(submission_id=identity.submission_id)
    is_open = any(case.decided_at is None and case.closed_at is None for case in cases.order_by("pk"))
    rows = Identity.objects.select_for_update(of=("self",)).filter(pk=identity.pk)
    is_proven = any(row.state == IdentityState.PROVEN for row in rows)
    if not is_open or (is_proven and not adds):
        raise SettledError("This is proven already, or the request is decided.")


def _note_call(identity: Identity, call_id: UUID) -> None:
    """:raises ValueError: the client has no such call, or knows who called."""
    client_id = identity.submission.client_id
    if identity.kind != IdentityKind.WITHHELD or client_id is None:
        raise ValueError("Only of a withheld call somebody says which one it is.")
    if not Call.objects.filter(client_id=client_id, pk=call_id, caller=None).exists():
        raise ValueError("That is no call of the client whose caller is not known.")
    identity.call_id = call_id
    identity.save(update_fields=["call_id"])


@transaction.atomic
def show_older(*, identity: Identity, since: datetime, seen: str, by: Actor, at: datetime) -> None:
    """
    Let calls since an earlier instant be shown too, because a person looked at whose they are.

    :param seen: what shows that they are this person's, in a sentence; sealed.
    :raises ValueError: nothing is said of what was seen.
    :raises NothingOlderError: it is not proven, or hides nothing that began at `since` or later.
    :raises reaching.NotYoursError: it reaches clients that are not granted to the person.
    """
    if not seen.strip():
        raise ValueError("Say what you saw.")
    reaching.check(identity.submission, by=by, at=at)
    rows = Identity.objects.filter(pk=identity.pk, state=IdentityState.PROVEN, from_at__gt=since)
    if not rows.update(from_at=since, looked_by_id=by.user_id, looked_at=at):
        raise NothingOlderError("Calls since that day are shown already.")
    # Who looked says whose the older calls are, for an erasure as well.
    Identity.objects.filter(pk=identity.pk, others_until__gt=since).update(others_until=since)
    add(
        identity.submission,
        ProofKind.DOCUMENT,
        holds=True,
        at=at,
        identity=identity,
        said={"seen": seen.strip(), "shows calls since": since.date().isoformat()},
        by=by,
    )
    audit.record("identity.reaches_back", subject=identity, by=by, at=at, since=since.isoformat())
    restricting.reach_back(submission_id=identity.submission_id, at=at)


@transaction.atomic
def name_caller(*, identity: Identity, caller_id: UUID, seen: str, by: Actor, at: datetime) -> None:
    """
    Say whose calls a proven mail address stands for, because a person looked; an objection stops marketing to them.
    In the scope of who may.

    :param seen: what shows it, in a sentence; sealed.
    :raises ValueError: nothing is said of what was seen, it is no proven address, or the client has no such caller.
    :raises SettledError: nothing that was asked for waits for a decision.
    """
    if not seen.strip():
        raise ValueError("Say what you saw.")
    _check_unsettled(identity, adds=True)
    client_id = identity.submission.client_id
    if identity.kind != IdentityKind.EMAIL or identity.state != IdentityState.PROVEN or client_id is None:
        raise ValueError("Only of a mail address that is proven somebody says whose calls are meant.")
    if not Caller.objects.filter(client_id=client_id, pk=caller_id).exists():
        raise ValueError("The client has no such caller.")
    identity.caller_id, identity.looked_by_id, identity.looked_at = caller_id, by.user_id, at
    identity.save(update_fields=["caller_id", "looked_by", "looked_at"])
    add(
        identity.submission,
        ProofKind.DOCUMENT,
        holds=True,
        at=at,
        identity=identity,
        said={"seen": seen.strip(), "caller": str(caller_id)},
        by=by,
    )
    audit.record("identity.caller_named", subject=identity, by=by, at=at, caller=str(caller_id))
    stopping.stop_for_named(submission=identity.submission, by=by, at=at)
    go_on(identity.submission, by=by, at=at)


@transaction.atomic
def open_paper(*, submission: Submission, by: Actor, at: datetime) -> tuple[bytes, str]:
    """
    Open what was handed in to show a right to ask for somebody else, once it is written down who does; its type, too.

    In the scope of who may see the request. The file has `PERMISSION_AT_MOST` bytes at most.

    :raises NoPaperError: nothing was handed in, or it does not open any more.
    """
    rows = Proof.objects.filter(submission=submission, file_key__isnull=False)
    row = rows.order_by("-at", "-pk").first()
    if row is None or row.file_key is None:
        raise NoPaperError("Nothing was handed in.")
    audit.record("proof.opened", subject=row, by=by, at=at, kind=row.kind)
    try:
        with files.open(submission.holder_id, row.file_key) as stream:
            return stream.read(), row.file_type
    except (FileNotFoundError, SealBrokenError):
        raise NoPaperError(
            "What was handed in does not open any more. Ask the person for it again."
        ) from None
