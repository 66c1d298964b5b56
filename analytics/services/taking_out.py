"""
Taking one caller's rows out of files that were given away: who asked to be erased, said no, or had use restricted.

Only pseudonymised files hold rows that can be told to be somebody's. The rows leave our own file, so that nobody is
given them again, and the recipient is told by mail the token that stands for the caller there. While that is still to
be done nobody takes the file. What ends a file as a whole says more, so nothing is said beside it.
"""

import contextlib
import csv
import hashlib
import io
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from analytics.models.releases import Release, ReleaseKind, ReleaseState, Removal, RemovalCause
from analytics.selectors import holding
from analytics.selectors import releases as selectors
from analytics.selectors.differencing import Members
from analytics.services import building
from analytics.services.releases import MAIL_AGAIN_AFTER
from callprivacy.audit import services as audit
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault.sealing import SealBrokenError
from consent.enums import NO_STATES, Purpose
from consent.models import ConsentState, MinorMark, Withdrawal

log = logger(__name__)

JOB: Final = Actor.job("analytics.sweep_releases")
NOES: Final = frozenset({Purpose.MEASURE.value, Purpose.ANALYSE.value, Purpose.SHARE.value})
"""Who says no to one of these is in no file that is given away."""
KEPT_FOR: Final = timedelta(days=30)
WRITTEN_WITHIN: Final = timedelta(days=1)
"""By so much the instant that a no bears may lie before its commit: a job takes one for all that it writes."""
_LEASE: Final = timedelta(minutes=10)
_TAKES: Final[dict[RemovalCause, str]] = {
    RemovalCause.ERASURE: "asked to be erased. Delete these rows",
    RemovalCause.CORRECTION: "had facts corrected that stand in it. Delete these rows: they are wrong",
    RemovalCause.RESTRICTION: "had the use of their data restricted. Keep these rows apart and use them for nothing",
    RemovalCause.REFUSAL: "does not agree any more that their calls are given away. Delete these rows",
    RemovalCause.MINOR: "is known to be a minor. Delete these rows",
}

type Clock = Callable[[], datetime]


# --- What is to leave ---------------------------------------------------------------------------------------------


def ask(
    *, client: Client, callers: Collection[uuid.UUID], cause: RemovalCause, at: datetime
) -> list[Removal]:
    """
    Have the rows of callers taken out of every live file that holds them; returns what of that is planned or done.

    Asking again plans nothing more. One that is being built is looked at when it is built. In the scope of a job.
    """
    found = holding.given({client.pk: callers})
    wanted = {(row.pk, one) for (_, one), given in found.items() for row in given.holding}
    built = Release.objects.for_client(client).filter(
        kind=ReleaseKind.PSEUDONYMISED, state=ReleaseState.APPROVED
    )
    wanted |= {(pk, one) for pk in built.values_list("pk", flat=True) for one in callers}
    Removal.objects.bulk_create(
        [
            Removal(
                agency_id=client.agency_id,
                client_id=client.pk,
                release_id=release_id,
                caller_id=caller_id,
                cause=cause,
                created_at=at,
                due_at=at,
            )
            for release_id, caller_id in sorted(wanted)
        ],
        ignore_conflicts=True,
    )
    rows = Removal.objects.for_client(client).filter(caller_id__in=list(callers), cause=cause)
    live = (ReleaseState.RELEASED, ReleaseState.APPROVED)
    return list(rows.filter(release__state__in=live).select_related("release__recipient").order_by("pk"))


def look(*, agency_id: int, at: datetime) -> int:
    """
    Plan what follows from every no, and every minor, since the files of an agency were looked at; returns how many.

    A trigger says which files. In the agency's scope; a no that is being written is waited for, or seen the next time.
    """
    rows = Release.objects.filter(agency_id=agency_id, look_due_at__isnull=False, state=ReleaseState.RELEASED)
    found = list(rows.select_for_update(skip_locked=True, of=("self",)).select_related("client")[:50])
    count = 0
    for row in found:
        count += sum(
            len(ask(client=row.client, callers=callers, cause=cause, at=at))
            for cause, callers in _said_since(row).items()
            if callers
        )
        Release.objects.filter(pk=row.pk).update(look_due_at=None)
    return count


def _said_since(release: Release) -> dict[RemovalCause, set[uuid.UUID]]:
    """
    Who has said no, or is known to be a minor, since the file was signed; who had before is not in it.

    A no bears the instant at which its writer began, and may be committed long after that. So who said it shortly
    before counts too, where it stands.
    """
    signed = release.decided_at or release.created_at
    since = signed - WRITTEN_WITHIN
    noes = Withdrawal.objects.for_client(release.client_id).filter(
        stopped_at__gte=since, purposes__overlap=sorted(NOES)
    )
    said = dict(noes.order_by("stopped_at").values_list("caller_id", "stopped_at"))
    before = [caller_id for caller_id, stopped_at in said.items() if stopped_at < signed]
    stands = ConsentState.objects.for_client(release.client_id).filter(
        caller_id__in=before, purpose__in=sorted(NOES), state__in=sorted(NO_STATES)
    )
    minors = MinorMark.objects.for_client(release.client_id).filter(marked_at__gte=since)
    return {
        RemovalCause.REFUSAL: (said.keys() - set(before)) | set(stands.values_list("caller_id", flat=True)),
        RemovalCause.MINOR: set(minors.values_list("caller_id", flat=True)),
    }


# --- Out of our own file ------------------------------------------------------------------------------------------


def take_out(*, agency_id: int, clock: Clock) -> int:
    """
    Take out what is due, a file at a time; returns how many rows have left. Outside any scope; safe to run twice.

    A killed worker leaves a file that the sweep of files removes, and the rows are due again. Of a file that is lost
    or damaged nothing can be taken out: its recipient is told of everybody who may have been in it.
    """
    at = clock()
    with job_scope(agency_id=agency_id):
        due = Removal.objects.filter(agency_id=agency_id, due_at__lte=at)
        settled = due.exclude(release__state__in=[ReleaseState.RELEASED, ReleaseState.APPROVED])
        settled.update(due_at=None)
        by_release: dict[uuid.UUID, list[Removal]] = defaultdict(list)
        rows = due.filter(release__state=ReleaseState.RELEASED).select_for_update(
            skip_locked=True, of=("self",)
        )
        for row in rows.order_by("release_id", "pk")[:500]:
            by_release[row.release_id].append(row)
        Removal.objects.filter(pk__in=[one.pk for rows in by_release.values() for one in rows]).update(
            due_at=at + _LEASE
        )
    count = 0
    for release_id, removals in by_release.items():
        try:
            count += _rewrite(agency_id, release_id, removals, clock)
        except OSError as error:
            # Of one file alone: the others' rows leave, and this one is due again when its lease is over.
            log.error("release.rows_not_taken_out", release=str(release_id), error=type(error).__name__)  # noqa: TRY400  (no values)
    return count


@dataclass(frozen=True, slots=True)
class _Written:
    """A file without somebody's rows, and its list of members; no keys where nothing had to leave."""

    file_key: uuid.UUID | None
    members_key: uuid.UUID | None
    digest: bytes
    rows: int


def _rewrite(agency_id: int, release_id: uuid.UUID, removals: Sequence[Removal], clock: Clock) -> int:
    with job_scope(agency_id=agency_id):
        release = selectors.rows_of_agency().get(pk=release_id)
        keys = building.keys_for(release, at=clock())
    if keys.tokens is None or release.file_key is None or release.members_key is None:
        return 0
    tokens = {holding.token(keys.tokens, one.caller_id): one for one in removals}
    try:
        with files.open(release.client_id, release.file_key) as file:
            head, *lines = csv.reader(io.StringIO(file.read().decode(), newline=""))
    except (FileNotFoundError, SealBrokenError):
        lost = _Written(None, None, bytes(release.digest or b""), release.rows)
        return _put(release, removals, {}, lost, clock, is_lost=True)
    out: dict[uuid.UUID, int] = defaultdict(int)
    kept = []
    for line in lines:
        if (removal := tokens.get(line[0])) is None:
            kept.append(line)
        else:
            out[removal.pk] += 1
    file_key = members_key = None
    digest = bytes(release.digest or b"")
    if out:
        file_key, digest = _write(release, [building.csv_lines([head, *kept])], clock())
        digests = {keys.caller(one.caller_id) for one in removals}
        with contextlib.suppress(
            FileNotFoundError, SealBrokenError
        ):  # without the list the rows leave as well
            members_key, _ = _write(release, [_without(holding.members_of(release), digests)], clock())
    written = _Written(file_key, members_key, digest, len(kept))
    return _put(release, removals, out, written, clock)


def _without(members: Members, digests: Collection[bytes]) -> Iterable[bytes]:
    return Members.of(
        (call, caller, members.classes[call])
        for call, caller in members.callers.items()
        if caller not in digests
    ).pack()


def _write(release: Release, parts: Iterable[Iterable[bytes]], at: datetime) -> tuple[uuid.UUID, bytes]:
    key, digest = uuid.uuid4(), hashlib.sha256()
    with files.Writer(release.client_id, key, at=at) as file:
        for pieces in parts:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
    return key, digest.digest()


def _put(
    release: Release,
    removals: Sequence[Removal],
    out: dict[uuid.UUID, int],
    new: _Written,
    clock: Clock,
    *,
    is_lost: bool = False,
) -> int:
    file_key, members_key, digest, left = new.file_key, new.members_key, new.digest, new.rows
    with job_scope(agency_id=release.agency_id):
        at = clock()
        ours = Release.objects.filter(
            pk=release.pk, state=ReleaseState.RELEASED, file_key=release.file_key
        ).select_for_update()
        done = ours.exists()
        if done and file_key is not None:
            report = release.report | {
                "rows": left,
                "taken_out": release.report.get("taken_out", 0) + len(out),
            }
            Release.objects.filter(pk=release.pk).update(
                file_key=file_key,
                members_key=members_key or release.members_key,
                digest=digest,
                rows=left,
                report=report,
            )
            audit.record(
                "release.rows_taken_out", subject=release, by=JOB, at=at,
                callers=len(out), rows=sum(out.values()), left=left, sha256=digest.hex(),
            )  # fmt: skip
        if done:
            for one in removals:
                # A file that was built after the person was gone holds nothing, and there is nobody to tell.
                says = is_lost or one.pk in out or _had_before(one)
                Removal.objects.filter(pk=one.pk).update(
                    due_at=None, rows=out.get(one.pk, 0), taken_at=at, mail_due_at=at if says else None
                )
    replaced = (release.file_key, release.members_key if members_key else None)
    for key in replaced if done and file_key else (file_key, members_key):
        if key is not None:
            files.delete(release.client_id, key)
    return sum(out.values()) if done else 0


def _had_before(removal: Removal) -> bool:
    """Whether the recipient still has the rows, which left our file when use of them was restricted."""
    rows = Removal.objects.for_client(removal.client_id).filter(
        release_id=removal.release_id, caller_id=removal.caller_id, rows__gt=0
    )
    return rows.exclude(pk=removal.pk).exists()


# --- Telling the recipient ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Word:
    """A message to a recipient about one caller's rows."""

    removal_id: uuid.UUID
    address: str
    subject: str
    text: str


def claim_words(*, agency_id: int, at: datetime, limit: int = 50) -> list[Word]:
    """Take messages that are due; each comes back unless `word_sent` is told in time. In the agency's scope."""
    due = Removal.objects.filter(agency_id=agency_id, mail_due_at__lte=at)
    due.exclude(release__state=ReleaseState.RELEASED).update(mail_due_at=None)
    rows = due.select_related("release__recipient", "release__client__agency").select_for_update(
        skip_locked=True, of=("self",)
    )
    found = list(rows.order_by("mail_due_at", "pk")[:limit])
    Removal.objects.filter(pk__in=[row.pk for row in found]).update(mail_due_at=at + MAIL_AGAIN_AFTER)
    return [_word(row, at) for row in found]


def _word(row: Removal, at: datetime) -> Word:
    release, client = row.release, row.release.client
    key = building.keys_for(release, at=at).tokens
    if key is None:
        raise TypeError("Only a pseudonymised file has tokens.")
    text = (
        f"A person in the file of calls of {client.name}, {selectors.days(release)}, which {client.agency.name} gave"
        f" you, {_TAKES[RemovalCause(row.cause)]}, in every copy and in everything made from them that still holds"
        " them, and answer this message when that is done.\n\n"
        f'The rows: those with this in the column "Caller (token)":\n{holding.token(key, row.caller_id)}\n\n'
        f"SHA-256 of our file without them: {bytes(release.digest or b'').hex()}\n"
    )
    return Word(row.pk, release.recipient.email, f"Rows of a file of {client.name}", text)


def word_sent(*, removal_id: uuid.UUID, at: datetime) -> None:
    """Note that the mail server took it. In the agency's scope."""
    if Removal.objects.filter(pk=removal_id, told_at__isnull=True).update(told_at=at, mail_due_at=None):
        row = Removal.objects.select_related("release").get(pk=removal_id)
        audit.record("release.told_of_rows", subject=row.release, by=JOB, at=at, cause=row.cause)


def forget(*, agency_id: int, at: datetime) -> int:
    """Remove what is known of removals from files that ended a month ago; returns how many. In the agency's scope."""
    rows = Removal.objects.filter(agency_id=agency_id, release__ended_at__lte=at - KEPT_FOR)
    return Removal.objects.filter(pk__in=list(rows.values_list("pk", flat=True)[:1_000])).remove()
