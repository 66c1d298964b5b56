"""
A client leaves. What is its own is handed over, then everything is destroyed, and what was done is stated and signed.

Asked for by an officer with the extent shown, and begun once a second officer agrees. Where the agency has no second
one it begins after a day, of which everybody who manages the agency is told and may stop it; with numbers in the file
only by a second officer's word. A job writes the file, sealed; a link opens it until it was taken whole. Only then does
anything go, and no hold may be open then or at any step: ways in are closed, links show where the client is now, grants
end but the officers', rows leave by the same targets as in a run, batch by batch, and in the end the client's keys, so
that what copies still hold is noise. Each step may be repeated, and a worker that is killed goes on where it was.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import secrets
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Final

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Q
from django.utils.text import slugify

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import ApiKey, ClientGrant, Membership
from callprivacy.audit import leaves
from callprivacy.audit import services as audit
from callprivacy.calls.models import Call, Caller, Connection, caller_label
from callprivacy.calls.services import pulls
from callprivacy.calls.services.reveals import checked_reason
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Agency, Client, PublicKey
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.tenancy.selectors import find_public_key
from callprivacy.vault import files, signing
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import SealBrokenError
from callprivacy.work import services as work
from callprivacy.work.models import Item
from consent.channels import packing
from consent.models import ConsentEvent
from retention import targets
from retention.enums import Category, EndState
from retention.kinds import LEAVES_ALONE
from retention.models import Certificate, Hold, Offboarding
from retention.selectors import policies, preview
from retention.services import backups, erasing, holds

log = logger(__name__)

JOB: Final = Actor.job("retention.work_offboardings")
KIND: Final = "offboarding"
WAITS_FOR: Final = timedelta(hours=24)
LINK_FOR: Final = timedelta(days=7)
BATCH: Final = 500
NAME: Final = "callprivacy offboarding"
CONTEXT: Final = b"callprivacy offboarding 1\n"

_LEASE: Final = timedelta(minutes=10)
_PIECE: Final = 1 << 18
_OPEN: Final = (EndState.ASKED, EndState.WRITING, EndState.WRITTEN, EndState.ERASING)
_CLOSE: Final = "close"
_KEYS: Final = "keys"
_STEPS: Final = (_CLOSE, *(category.value for category in targets.TARGETS), _KEYS)
_LINKS: Final = (KeyPurpose.CONSENT, KeyPurpose.ASK, KeyPurpose.REQUEST)
_GONE: Final = (
    KeyPurpose.HOOK, KeyPurpose.API, KeyPurpose.CASE, KeyPurpose.APPROVAL, KeyPurpose.BINDER, KeyPurpose.HANDOVER,
)  # fmt: skip

type Clock = Callable[[], datetime]


class HeldError(ValueError):
    """A hold is open: nothing of the client may go. The text names the holds."""


class NotNowError(ValueError):
    """It is not in a state in which this can be done; the text says why."""


class SamePersonError(ValueError):
    """The second word comes from another officer."""


class ExtentChangedError(ValueError):
    """There is more or less now than the person was shown."""


class NoFileError(LookupError):
    """The link opens nothing: it is none, was used, or is over."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What of a client there is, counted."""

    calls: int
    callers: int
    facts: int
    connections: int
    keys: int
    people: int
    links: int
    waiting: int

    def stored(self) -> dict[str, int]:
        """As it stands on the row and in the statement."""
        return {name: getattr(self, name) for name in self.__slots__}


def extent_of(client: Client) -> Extent:
    """Count what there is of a client."""
    return Extent(
        calls=Call.objects.for_client(client).count(),
        callers=Caller.objects.for_client(client).count(),
        facts=ConsentEvent.objects.for_client(client).count(),
        connections=Connection.objects.for_client(client).filter(is_active=True).count(),
        keys=ApiKey.objects.for_client(client).filter(revoked_at=None).count(),
        people=ClientGrant.objects.filter(content_object=client).values("user_id").distinct().count(),
        links=PublicKey.objects.filter(client_id=client.pk, purpose__in=_LINKS).count(),
        waiting=Item.objects.open().filter(client=client).exclude(kind=KIND).count(),
    )


def open_holds(client: Client) -> list[str]:
    """The names of a client's open holds."""
    return list(
        Hold.objects.open().filter(client_id=client.pk).order_by("placed_at").values_list("name", flat=True)
    )


def of_client(client: Client) -> Offboarding | None:
    """A client's offboarding that was not stopped."""
    rows = Offboarding.objects.for_client(client).exclude(state=EndState.STOPPED)
    return rows.select_related("asked_by", "agreed_by", "client").first()


def of_agency(agency: Agency) -> list[Offboarding]:
    """An agency's offboardings, the newest first, with clients and people; a hundred at most."""
    rows = Offboarding.objects.filter(agency_id=agency.pk).select_related("client", "asked_by", "agreed_by")
    return list(rows.order_by("-asked_at")[:100])


# --- What people decide -----------------------------------------------------------------------------------------------


@transaction.atomic
def ask(
    *,
    client: Client,
    moved_to: str,
    with_numbers: bool,
    reason: str,
    shown: Mapping[str, int],
    by: Actor,
    at: datetime,
) -> Offboarding:
    """
    Ask that a client be offboarded; nothing happens before a second officer agrees. Where there is none it begins a day
    later, and everybody who manages the agency is told now.

    :param shown: the extent that the person saw.
    :raises HeldError: a hold is open. :raises ExtentChangedError: the counts are others by now.
    :raises NotNowError: it has been asked for. :raises ReasonTooShortError: the reason has fewer than 15 characters.
    """
    if by.user_id is None:
        raise TypeError("A person asks that a client be offboarded.")
    reason = checked_reason(reason)
    Client.objects.select_for_update(of=("self",)).get(pk=client.pk)
    _check_holds(client)
    if of_client(client) is not None:
        raise NotNowError("This client is being offboarded already.")
    extent = extent_of(client).stored()
    if dict(shown) != extent:
        raise ExtentChangedError("There is more or less now.")
    alone = not other_officers(client.agency_id, by.user_id)
    row = Offboarding.objects.create(
        agency_id=client.agency_id,
        client=client,
        moved_to=moved_to,
        with_numbers=with_numbers,
        extent=extent,
        asked_by_id=by.user_id,
        asked_at=at,
        due_at=at + WAITS_FOR if alone and not with_numbers else None,
    )
    audit.record(
        "offboarding.asked", subject=row, by=by, at=at, reason=reason, with_numbers=with_numbers, **extent
    )
    work.open_item(
        KIND, agency_id=client.agency_id, client_id=client.pk, key=str(client.pk), at=at, due_at=row.due_at
    )
    if alone:
        managers = access.people_with_right(AgencyRight.MANAGE_CLIENTS, agency_id=client.agency_id)
        work.notify(
            LEAVES_ALONE,
            agency_id=client.agency_id,
            user_ids=[user_id for user_id in managers if user_id != by.user_id],
            at=at,
            key=str(client.pk),
        )
    return row


def other_officers(agency_id: int, user_id: int) -> list[int]:
    """The agency's officers but one: whose word a second one's is. User ids."""
    officers = access.people_with_right(AgencyRight.SIGN_OFF, agency_id=agency_id)
    return [one for one in officers if one != user_id]


def waits_for_second(row: Offboarding) -> bool:
    """Whether another officer than the one who asked is there, and has not agreed."""
    return row.agreed_by_id is None and bool(other_officers(row.agency_id, row.asked_by_id))


@transaction.atomic
def agree(*, row: Offboarding, by: Actor, at: datetime) -> None:
    """
    Say as a second officer that it may begin; or, where it began while there was none, that it may go on.

    :raises SamePersonError: it is who asked. :raises NotNowError: somebody has agreed, or it was stopped.
    """
    if by.user_id == row.asked_by_id:
        raise SamePersonError("Another officer than the one who asked has to agree.")
    rows = Offboarding.objects.for_client(row.client_id).filter(pk=row.pk, agreed_by=None)
    begun = rows.filter(state__in=(EndState.WRITING, EndState.WRITTEN))
    word: dict[str, Any] = {"agreed_by_id": by.user_id, "agreed_at": at}
    if not rows.filter(state=EndState.ASKED).update(**word, due_at=at) and not begun.update(**word):
        raise NotNowError("Somebody has agreed already, or it was stopped.")
    audit.record("offboarding.agreed", subject=row, by=by, at=at)


@transaction.atomic
def stop(*, row: Offboarding, by: Actor, at: datetime) -> None:
    """
    Stop it, as long as nothing was erased; a file that was written goes.

    :raises NotNowError: erasing has begun.
    """
    # Held, so that the file is known which the job may have written since the row was read.
    rows = Offboarding.objects.for_client(row.client_id).filter(pk=row.pk)
    held = rows.select_for_update(of=("self",)).filter(
        state__in=(EndState.ASKED, EndState.WRITING, EndState.WRITTEN)
    ).first()  # fmt: skip
    if held is None:
        raise NotNowError("Erasing has begun: it cannot be stopped any more.")
    rows.update(
        state=EndState.STOPPED, due_at=None, file_key=None, link_digest=None, link_until=None, finished_at=at
    )
    PublicKey.objects.filter(client_id=row.client_id, purpose=KeyPurpose.HANDOVER).delete()
    audit.record("offboarding.stopped", subject=row, by=by, at=at)
    work.close_item(KIND, agency_id=row.agency_id, key=str(row.client_id), at=at, by=by)
    if held.file_key is not None:
        client_id, file_key = held.client_id, held.file_key
        transaction.on_commit(lambda: files.delete(client_id, file_key))


@transaction.atomic
def new_link(*, row: Offboarding, by: Actor, at: datetime) -> str:
    """
    Make the link under which the file is taken, once and within a week; the one before opens nothing any more.

    Also for a file that was taken and did not arrive: it has to be taken again then, before anything goes.

    :returns: the secret of the link, shown this once.
    :raises NotNowError: there is no file.
    """
    text = secrets.token_urlsafe(32)
    digest = _digest(text)
    changed = Offboarding.objects.for_client(row.client_id).filter(
        pk=row.pk, state=EndState.WRITTEN, file_key__isnull=False
    )
    if not changed.update(
        link_digest=digest, link_until=at + LINK_FOR, taken_at=None, taken_by_link=False
    ):  # fmt: skip
        raise NotNowError("The file is not there.")
    PublicKey.objects.filter(client_id=row.client_id, purpose=KeyPurpose.HANDOVER).delete()
    PublicKey.objects.create(
        key=digest.hex(), purpose=KeyPurpose.HANDOVER, agency_id=row.agency_id, client_id=row.client_id
    )
    audit.record("offboarding.link_made", subject=row, by=by, at=at)
    return text


@transaction.atomic
def begin_erasing(*, row: Offboarding, by: Actor, at: datetime) -> None:
    """
    Say that the file has arrived, and let everything go. This cannot be undone.

    :raises HeldError: a hold is open. :raises NotNowError: the file was not taken by its link, or a second officer is
        there and has not agreed.
    """
    client = Client.objects.select_for_update(of=("self",)).get(pk=row.client_id)
    _check_holds(client)
    if waits_for_second(Offboarding.objects.for_client(row.client_id).get(pk=row.pk)):
        raise NotNowError("Another officer has to agree before anything is destroyed.")
    changed = Offboarding.objects.for_client(row.client_id).filter(
        pk=row.pk, state=EndState.WRITTEN, taken_at__isnull=False
    )
    if not changed.update(state=EndState.ERASING, step=_STEPS[0], due_at=at):
        raise NotNowError("Nobody has taken the file by its link yet.")
    audit.record("offboarding.erasing", subject=row, by=by, at=at)


def _check_holds(client: Client) -> None:
    names = open_holds(client)
    if names:
        raise HeldError(f"A hold is open: {', '.join(names)}. Lift it first, or wait for its end.")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


# --- The link ---------------------------------------------------------------------------------------------------------


def door_of(text: str, *, at: datetime) -> Offboarding:
    """
    Whose file a link opens. Called outside any scope.

    :raises NoFileError: nobody's.
    """
    owner = find_public_key(_digest(text).hex(), KeyPurpose.HANDOVER) if len(text) <= 100 else None
    if owner is None or owner.client_id is None:
        raise NoFileError
    with client_scope(agency_id=owner.agency_id, client_id=owner.client_id):
        row = (
            Offboarding.objects.for_client(owner.client_id)
            .filter(link_digest=_digest(text), link_until__gt=at, taken_at=None, state=EndState.WRITTEN)
            .select_related("client__agency")
            .first()
        )
    if row is None:
        raise NoFileError
    return row


def take(text: str, *, clock: Clock) -> Handover:
    """
    Begin to take the file. While it is on its way the link opens nothing, so that of two who take it at once one gets
    it; it counts as taken once its last byte is off, and where it broke off before the link opens it again.

    :raises NoFileError: the link opens nothing.
    """
    row = door_of(text, at=clock())
    digest = _digest(text)
    with client_scope(agency_id=row.agency_id, client_id=row.client_id):
        mine = Offboarding.objects.for_client(row.client_id).filter(
            pk=row.pk, link_digest=digest, taken_at=None, state=EndState.WRITTEN
        )
        if row.file_key is None or not mine.update(link_digest=None):
            raise NoFileError
        return Handover(row, digest, files.open(row.client_id, row.file_key), clock)


class Handover:
    """The file on its way, piece by piece. Whoever is done with it closes it, whether or not it was read to its end."""

    def __init__(self, row: Offboarding, digest: bytes, source: BinaryIO, clock: Clock) -> None:
        self.row = row
        self._digest: bytes | None = digest
        self._source, self._clock, self._size = source, clock, 0

    def __iter__(self) -> Handover:
        return self

    def __next__(self) -> bytes:
        piece = self._source.read(_PIECE)
        if not piece:
            self._settle(is_whole=True)
            raise StopIteration
        self._size += len(piece)
        return piece

    def close(self) -> None:
        """Let the link open the file again where it was not read to its end."""
        self._settle(is_whole=False)

    def _settle(self, *, is_whole: bool) -> None:
        digest, self._digest = self._digest, None
        self._source.close()
        if digest is None:
            return
        row, at = self.row, self._clock()
        with client_scope(agency_id=row.agency_id, client_id=row.client_id):
            # A link that was made in the meantime counts, this one no more.
            mine = Offboarding.objects.for_client(row.client_id).filter(
                pk=row.pk, state=EndState.WRITTEN, file_key=row.file_key, link_digest=None, taken_at=None
            )
            by = Actor.client("handover")
            if is_whole and mine.update(taken_at=at, taken_by_link=True):
                PublicKey.objects.filter(client_id=row.client_id, purpose=KeyPurpose.HANDOVER).delete()
                audit.record("offboarding.taken", subject=row, by=by, at=at, size=self._size)
            elif not is_whole and mine.update(link_digest=digest):
                audit.record("offboarding.broke_off", subject=row, by=by, at=at, size=self._size)


def moved_to(key: str) -> str | None:
    """Where a client that has left can be reached, by the key of an old page or link; None where it has not left."""
    owner = find_public_key(key, KeyPurpose.MOVED) if 0 < len(key) <= 64 and key.isprintable() else None
    if owner is None or owner.client_id is None:
        return None
    with client_scope(agency_id=owner.agency_id, client_id=owner.client_id):
        rows = Offboarding.objects.for_client(owner.client_id).exclude(state=EndState.STOPPED)
        return rows.values_list("moved_to", flat=True).first()


# --- The job ----------------------------------------------------------------------------------------------------------


def work_off(*, agency_id: int, until: datetime, clock: Clock) -> bool:
    """Go on with an agency's offboardings until the clock says `until`; whether any is left. Outside any scope."""
    _close_items(agency_id, clock())
    while clock() < until:
        row = _claim(agency_id, clock())
        if row is None:
            return False
        try:
            if row.state == EndState.ERASING:
                _erase(row, until, clock)
            else:
                _write(row, clock)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001  (what is due stays due; somebody is told)
            log.error("offboarding.failed", client=row.client_id, error=type(error).__name__)  # noqa: TRY400  (no values)
            _note_failure(row, error, clock())
            return True
        _give_back(row)
    return True


def _close_items(agency_id: int, at: datetime) -> None:
    """Nothing waits of a client whose offboarding was stopped by who may not see the client itself."""
    with job_scope(agency_id=agency_id):
        going = Offboarding.objects.filter(agency_id=agency_id).exclude(
            state__in=(EndState.STOPPED, EndState.DONE)
        )
        waiting = Item.objects.open().filter(agency_id=agency_id, kind=KIND)
        for item in waiting.exclude(client_id__in=going.values("client_id")):
            work.close_item(KIND, agency_id=agency_id, key=item.key, at=at, by=JOB)


def _claim(agency_id: int, at: datetime) -> Offboarding | None:
    with job_scope(agency_id=agency_id):
        due = Offboarding.objects.filter(
            Q(leased_until=None) | Q(leased_until__lte=at),
            agency_id=agency_id,
            state__in=(EndState.ASKED, EndState.WRITING, EndState.ERASING),
            due_at__lte=at,
        )
        rows = due.select_related("client__agency").order_by("asked_at")
        for row in rows.select_for_update(skip_locked=True, of=("self",)):
            if row.state == EndState.ASKED and waits_for_second(row):
                # Somebody has become an officer since it was asked for: it is theirs to agree.
                row.due_at = None
                row.save(update_fields=["due_at"])
                continue
            row.leased_until = at + _LEASE
            if row.state == EndState.ASKED:
                row.state = EndState.WRITING
            row.save(update_fields=["leased_until", "state"])
            return row
    return None


def _keep(row: Offboarding, at: datetime) -> None:
    """
    Hold on to a row that takes long, once half of its lease is over.

    :raises NotNowError: it was stopped, or another worker has taken it.
    """
    if row.leased_until is not None and row.leased_until - at > _LEASE / 2:
        return
    until = at + _LEASE
    with job_scope(agency_id=row.agency_id):
        mine = Offboarding.objects.filter(pk=row.pk, state=row.state, leased_until=row.leased_until)
        if not mine.update(leased_until=until):
            raise NotNowError("It was stopped, or another worker goes on with it.")
    row.leased_until = until


def _give_back(row: Offboarding) -> None:
    with job_scope(agency_id=row.agency_id):
        Offboarding.objects.filter(pk=row.pk, leased_until=row.leased_until).update(leased_until=None)


def _note_failure(row: Offboarding, error: Exception, at: datetime) -> None:
    with job_scope(agency_id=row.agency_id):
        words = str(error) if isinstance(error, HeldError) else "It stopped by a fault and is tried again."
        failures = row.failures + 1
        pause = timedelta(minutes=min(5 * failures, 60))
        # Who has lost it to another worker, or to a stop, says nothing of it.
        Offboarding.objects.filter(pk=row.pk, state=row.state, leased_until=row.leased_until).update(
            failures=failures, last_error=words[:200], leased_until=None, due_at=at + pause
        )


# --- What is handed over ----------------------------------------------------------------------------------------------


def _write(row: Offboarding, clock: Clock) -> None:
    """Write the file anew; who was killed over one leaves nothing."""
    at, file_id = clock(), uuid.uuid4()
    digests: dict[str, str] = {}
    counts: dict[str, int] = {}
    with (
        files.Writer(row.client_id, file_id, at=at) as out,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, lines in _papers(row, clock, counts):
            digests[name] = _put(archive, name, lines)
        archive.writestr("manifest.json", json.dumps({"sha256": digests, "rows": counts}, indent=1) + "\n")
    whole = hashlib.sha256()
    with files.open(row.client_id, file_id) as source:
        while piece := source.read(1 << 20):
            whole.update(piece)
    with job_scope(agency_id=row.agency_id):
        mine = Offboarding.objects.filter(pk=row.pk, state=EndState.WRITING, leased_until=row.leased_until)
        is_ours = mine.update(
            state=EndState.WRITTEN, due_at=None, file_key=file_id, file_digest=whole.hexdigest(), file_rows=counts,
            failures=0, last_error="",
        )  # fmt: skip
        if is_ours:
            told: dict[str, Any] = dict(counts)
            audit.record("offboarding.written", subject=row, by=JOB, at=at, sha256=whole.hexdigest(), **told)
    if not is_ours:
        files.delete(row.client_id, file_id)


def _put(archive: zipfile.ZipFile, name: str, lines: Iterator[bytes]) -> str:
    """Write one paper; returns its SHA-256."""
    digest = hashlib.sha256()
    entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as paper:
        for line in lines:
            digest.update(line)
            paper.write(line)
    return digest.hexdigest()


def _papers(row: Offboarding, clock: Clock, counts: dict[str, int]) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield "README.txt", iter([_readme(row, clock()).encode()])
    yield "ledger.csv", _ledger(row, clock, counts)
    yield "suppressions.csv", _suppressions(row, clock, counts)
    yield "policies.json", _policies(row, counts)
    with job_scope(agency_id=row.agency_id):
        certificates = list(Certificate.objects.for_client(row.client).order_by("number"))
        counts["certificates"] = len(certificates)
    for one in certificates:
        _keep(row, clock())
        public = signing.public_keys().get(one.key_id)
        data = packing.sealed_file(
            json.loads(one.statement), signature=one.signature, public=public.hex() if public else ""
        )
        yield f"certificates/{one.number}.json", iter([data])


def _line(*cells: object) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(["" if cell is None else cell for cell in cells])
    return out.getvalue().encode()


def _numbers(row: Offboarding, caller_ids: list[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Caller -> number, of those that open; only where two officers have said that numbers go along."""
    if not row.with_numbers:
        return {}
    keys = vault_selectors.content_keys({row.client_id: caller_ids})
    found = {}
    for caller in Caller.objects.for_client(row.client).filter(pk__in=list(keys)):
        try:
            found[caller.pk] = str(caller.number.reveal(keys[caller.pk]))
        except SealBrokenError:
            continue
    return found


def _ledger(row: Offboarding, clock: Clock, counts: dict[str, int]) -> Iterator[bytes]:
    yield _line(
        "event", "caller", "number", "purpose", "kind", "basis", "scope", "channel", "strength", "happened_at",
        "recorded_at", "notice_version", "evidence", "evidence_sha256",
    )  # fmt: skip
    after, count = uuid.UUID(int=0), 0
    while True:
        _keep(row, clock())
        with job_scope(agency_id=row.agency_id):
            events = list(
                ConsentEvent.objects.for_client(row.client).filter(pk__gt=after).order_by("pk")[:BATCH]
            )
            ids = list({event.caller_id for event in events if event.caller_id is not None})
            numbers = _numbers(row, ids)
            keys = vault_selectors.evidence_keys(row.client_id, ids) if row.with_numbers else {}
            lines = [_fact(event, numbers, keys) for event in events]
        yield from lines
        count += len(lines)
        counts["facts"] = count
        if len(events) < BATCH:
            return
        after = events[-1].pk


def _fact(event: ConsentEvent, numbers: Mapping[uuid.UUID, str], keys: Mapping[uuid.UUID, Any]) -> bytes:
    evidence = ""
    if event.evidence is not None and event.caller_id is not None and event.caller_id in keys:
        try:
            evidence = str(event.evidence.reveal(keys[event.caller_id]))
        except SealBrokenError:
            evidence = ""
    digest = bytes(event.evidence_digest).hex() if event.evidence_digest else ""
    return _line(
        event.pk,
        caller_label(event.caller_id) if event.caller_id else "",
        numbers.get(event.caller_id, "") if event.caller_id else "",
        event.purpose, event.kind, event.basis, event.scope, event.channel, event.strength,
        event.happened_at.isoformat(), event.recorded_at.isoformat(), event.version_id or "", evidence, digest,
    )  # fmt: skip


def _suppressions(row: Offboarding, clock: Clock, counts: dict[str, int]) -> Iterator[bytes]:
    """Who said no. Whose number no caller has any more, by an erasure, stands in nobody's list but the vault's."""
    yield _line("caller", "number", "purpose", "since")
    after, count = uuid.UUID(int=0), 0
    on = clock().date()
    while True:
        _keep(row, clock())
        with job_scope(agency_id=row.agency_id):
            callers = Caller.objects.for_client(row.client).filter(pk__gt=after).order_by("pk")
            ids = list(callers.values_list("pk", flat=True)[:BATCH])
            said = vault_selectors.suppressed_callers(row.client_id, ids, on=on)
            numbers = _numbers(row, list(said))
        for caller_id in sorted(said):
            for purpose, since in sorted(said[caller_id].items()):
                yield _line(caller_label(caller_id), numbers.get(caller_id, ""), purpose, since.isoformat())
                count += 1
        counts["suppressions"] = count
        if len(ids) < BATCH:
            return
        after = ids[-1]


def _policies(row: Offboarding, counts: dict[str, int]) -> Iterator[bytes]:
    with job_scope(agency_id=row.agency_id):
        found = policies.all_effective(row.client)
        rows = {category.value: {"days": one.days, "then": one.then} for category, one in found.items()}
    counts["policies"] = len(rows)
    yield json.dumps(rows, indent=1).encode() + b"\n"


def _readme(row: Offboarding, at: datetime) -> str:
    numbers = "Numbers stand in the files." if row.with_numbers else "Numbers do not stand in the files."
    return (
        f"What {row.client.agency.name} hands over to {row.client.legal_name}, {at:%Y-%m-%d %H:%M} UTC.\n\n"
        "ledger.csv        each consent, refusal and withdrawal, with the SHA-256 of its evidence\n"
        "suppressions.csv  who has said no, to what, and since when\n"
        "policies.json     how long each kind of thing was kept\n"
        "certificates/     what was destroyed before, signed\n"
        f"manifest.json     SHA-256 of each file\n\n{numbers}\n"
    )


# --- What goes --------------------------------------------------------------------------------------------------------


class _Book:
    """An offboarding as the place where its batches are written down: everything is due."""

    def __init__(self, row: Offboarding, category: Category, at: datetime) -> None:
        self.row, self.category, self.at = row, category, at
        self.has_more = False

    def begin(self) -> targets.Line:
        row = self.row
        _check_holds(row.client)
        holds.mark_held(client=row.client, at=self.at)
        found = preview.lines([row.client], self.at)[row.client_id]
        line = found.of(self.category)
        # A second beyond now: what was written in this very moment goes as well.
        cutoff = self.at + timedelta(seconds=1)
        line = targets.Line(
            client=row.client, cutoff=cutoff, call_cutoff=cutoff, call_out_cutoff=cutoff, held=line.held,
            is_held=line.is_held,
        )  # fmt: skip
        if row.cursor is None and self.category in (Category.CALL, Category.CALL_OUT, Category.IDENTITY):
            targets.settle_cells(client=row.client, before=cutoff, at=self.at)
        return line

    def note_errands(self, count: int) -> None:
        """Steps at vendors stand on their own board."""

    def note_removed(self, chosen: targets.Chosen, removed: targets.Removed) -> None:
        row = Offboarding.objects.select_for_update().get(pk=self.row.pk)
        if row.leased_until != self.row.leased_until or row.step != self.category.value:
            raise NotNowError("Another worker goes on with it.")
        row.erased[self.category.value] = row.erased.get(self.category.value, 0) + len(removed.ids)
        row.cursor = chosen.cursor
        row.save(update_fields=["erased", "cursor"])
        self.row.erased, self.row.cursor = row.erased, row.cursor


def _erase(row: Offboarding, until: datetime, clock: Clock) -> None:
    """Go from step to step; each begins with a look whether a hold was placed."""
    while clock() < until and row.step:
        if row.step == _CLOSE:
            _close(row, clock())
        elif row.step == _KEYS:
            _finish(row, clock())
            return
        elif _erase_some(row, Category(row.step), clock()):
            continue
        _next_step(row)


def _next_step(row: Offboarding) -> None:
    following = _STEPS[_STEPS.index(row.step) + 1]
    with job_scope(agency_id=row.agency_id):
        Offboarding.objects.filter(pk=row.pk, step=row.step).update(
            step=following, cursor=None, failures=0, last_error=""
        )
    row.step, row.cursor = following, None


def _erase_some(row: Offboarding, category: Category, at: datetime) -> bool:
    """One batch; whether there may be more."""
    target = targets.TARGETS[category]
    removed = erasing.erase_batch(
        target=target,
        client=row.client,
        after=row.cursor,
        limit=target.batch,
        deed=targets.Deed(JOB, at, at.date()),
        book=_Book(row, category, at),
    )
    return removed is not None


def _close(row: Offboarding, at: datetime) -> None:
    """No way in is open, no key opens anything, old links show where the client is, and only officers are left."""
    client = row.client
    with job_scope(agency_id=row.agency_id):
        _check_holds(client)
        Client.objects.filter(pk=client.pk, archived_at=None).update(archived_at=at)
        closed, keys = _shut(row, at)
        mine = PublicKey.objects.filter(client_id=client.pk, agency_id=row.agency_id)
        links = mine.filter(purpose__in=_LINKS).update(purpose=KeyPurpose.MOVED)
        people = _end_grants(row, at)
        audit.record(
            "offboarding.closed",
            subject=row,
            by=JOB,
            at=at,
            connections=closed,
            keys=keys,
            links=links,
            people=people,
        )


def _shut(row: Offboarding, at: datetime) -> tuple[int, int]:
    """Close every way in; returns how many connections and keys of systems were open."""
    client = row.client
    closed = Connection.objects.for_client(client).filter(is_active=True).update(is_active=False)
    pulls.forget_client(client=client, at=at)
    keys = ApiKey.objects.for_client(client).filter(revoked_at=None).update(revoked_at=at)
    PublicKey.objects.filter(client_id=client.pk, agency_id=row.agency_id, purpose__in=_GONE).delete()
    return closed, keys


def _end_grants(row: Offboarding, at: datetime) -> int:
    held = ClientGrant.objects.filter(agency_id=row.agency_id, content_object_id=row.client_id)
    members = Membership.objects.filter(user_id__in=held.values("user_id"), agency_id=row.agency_id)
    leaving = [one.user_id for one in members if not access.has_right(one, AgencyRight.SIGN_OFF)]
    for user_id in leaving:
        access.write_bundle(
            agency_id=row.agency_id,
            user_id=user_id,
            client_ids=[row.client_id],
            bundle=None,
            granted_by_id=row.asked_by_id,
            at=at,
            ends_at=None,
        )
    return len(leaving)


def _finish(row: Offboarding, at: datetime) -> None:
    """Destroy the client's keys and files, give it empty ones, state what was done, and sign it."""
    client = row.client
    with job_scope(agency_id=row.agency_id):
        _check_holds(client)
        # What was opened by somebody who had begun before the client was gone.
        _shut(row, at)
        left = extent_of(client).stored()
    vault.destroy_client(client_id=client.pk)
    # Jobs of the agency go on over rows that say nothing of anybody; nothing was ever sealed under these.
    vault.create_client_keys(client_id=client.pk, agency_id=row.agency_id, at=at)
    files.delete_all(client.pk)
    for file_id in files.recording_ids(client.pk):
        files.delete_recording(client.pk, file_id)
    with job_scope(agency_id=row.agency_id):
        current = Offboarding.objects.select_for_update().get(pk=row.pk)
        if current.state != EndState.ERASING:
            return
        key = signing.key_id(signing.public_key())
        statement = {
            "statement": NAME,
            "v": 1,
            "id": str(row.pk),
            "agency": {"id": client.agency_id, "name": client.agency.name},
            "client": {"id": client.pk, "name": client.name, "legal_name": client.legal_name},
            "asked_at": leaves.instant(current.asked_at),
            "agreed": current.agreed_by_id is not None,
            "handed_over": {
                "at": leaves.instant(current.taken_at) if current.taken_at else None,
                "sha256": current.file_digest,
                "rows": current.file_rows,
                "with_numbers": current.with_numbers,
            },
            "shown": current.extent,
            "erased": current.erased,
            "left": left,
            "keys_destroyed_at": leaves.instant(at),
            "copies_gone_on": backups.no_copy_opens_after(at).isoformat(),
            "key": key,
        }
        text = packing.canonical(statement)
        current.statement = text.decode()
        current.signature = signing.sign(CONTEXT + text).hex()
        current.key_id, current.state, current.step = key, EndState.DONE, ""
        current.finished_at, current.due_at, current.file_key = at, None, None
        current.save(
            update_fields=[
                "statement", "signature", "key_id", "state", "step", "finished_at", "due_at", "file_key",
            ]
        )  # fmt: skip
        audit.record(
            "offboarding.done", subject=row, by=JOB, at=at, signature=current.signature, **current.erased
        )
        work.close_item(KIND, agency_id=row.agency_id, key=str(client.pk), at=at, by=JOB)
    row.step = ""


def statement_file(*, row: Offboarding, by: Actor, at: datetime) -> tuple[str, bytes]:
    """
    Write down who takes the signed statement, and return its name and bytes.

    :raises NotNowError: it is not done.
    """
    if row.state != EndState.DONE:
        raise NotNowError("It is not done yet.")
    audit.record("offboarding.downloaded", subject=row, by=by, at=at)
    public = signing.public_keys().get(row.key_id)
    data = packing.sealed_file(
        json.loads(row.statement), signature=row.signature, public=public.hex() if public else ""
    )
    return f"offboarding-{slugify(row.client.name)}.json", data
