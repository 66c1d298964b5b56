"""The link under which the file is taken, once; and where old links of a client that has left lead."""

import hashlib
import secrets
from datetime import datetime
from typing import BinaryIO, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import PublicKey
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.tenancy.selectors import find_public_key
from callprivacy.vault import files
from callprivacy.vault.sealing import SealBrokenError
from retention.enums import EndState
from retention.models import Offboarding
from retention.services.offboarding.asking import HANDED_WITHIN, Clock, NotNowError
from retention.services.offboarding.claims import JOB, await_people
from retention.services.offboarding.writing import note_lost

_PIECE: Final = 1 << 18


class NoFileError(LookupError):
    """The link opens nothing: it is none, was used, or is over."""


def new_link(*, row: Offboarding, by: Actor, at: datetime) -> str:
    """
    Make the link under which the file is taken, once and within a week; the one before opens nothing any more.

    Also for a file that was taken and did not arrive: it has to be taken again then, before anything goes. One that is
    lost here is written anew.

    :returns: the secret of the link, shown this once.
    :raises NotNowError: there is no file, or none any more.
    """
    if _write_anew(row, by=by, at=at):
        raise NotNowError("The file is lost. It is being rewritten. Create the link when it is ready.")
    return _new_link(row, by, at)


@transaction.atomic
def _write_anew(row: Offboarding, *, by: Actor, at: datetime) -> bool:
    """Where a written file is lost, have it written anew; returns whether it was."""
    rows = Offboarding.objects.for_client(row.client_id).filter(pk=row.pk, state=EndState.WRITTEN)
    # The daily look at files has taken the name of one that is not here out of its row.
    file_key = rows.values_list("file_key", flat=True).first()
    if file_key is not None and _opens(row.client_id, file_key):
        return False
    is_ours = rows.filter(Q(file_key=file_key) if file_key else Q(file_key=None)).update(
        state=EndState.WRITING, due_at=at, file_key=None, taken_at=None, taken_by_link=False, link_digest=None,
        link_until=None,
    )  # fmt: skip
    if is_ours:
        PublicKey.objects.filter(client_id=row.client_id, purpose=KeyPurpose.HANDOVER).delete()
        audit.record("offboarding.file_lost", subject=row, by=by, at=at)
    return bool(is_ours)


def _opens(client_id: int, file_key: UUID) -> bool:
    try:
        files.open(client_id, file_key).close()
    except (FileNotFoundError, SealBrokenError):
        return False
    return True


@transaction.atomic
def _new_link(row: Offboarding, by: Actor, at: datetime) -> str:
    text = secrets.token_urlsafe(32)
    digest = _digest(text)
    changed = Offboarding.objects.for_client(row.client_id).filter(
        pk=row.pk, state=EndState.WRITTEN, file_key__isnull=False
    )
    if not changed.update(
        link_digest=digest, link_until=at + HANDED_WITHIN, taken_at=None, taken_by_link=False
    ):  # fmt: skip
        raise NotNowError("The file is not there.")
    PublicKey.objects.filter(client_id=row.client_id, purpose=KeyPurpose.HANDOVER).delete()
    PublicKey.objects.create(
        key=digest.hex(), purpose=KeyPurpose.HANDOVER, agency_id=row.agency_id, client_id=row.client_id
    )
    audit.record("offboarding.link_made", subject=row, by=by, at=at)
    return text


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


def take(text: str, *, clock: Clock) -> "Handover":
    """
    Begin to take the file. While it is on its way the link opens nothing, so that of two who take it at once one gets
    it; it counts as taken once its last byte is off, and where it broke off before the link opens it again.

    A file that is lost is written anew, and who hands it over has that in the queue.

    :raises NoFileError: the link opens nothing, or the file is lost.
    """
    row = door_of(text, at=clock())
    digest = _digest(text)
    try:
        with client_scope(agency_id=row.agency_id, client_id=row.client_id):
            mine = Offboarding.objects.for_client(row.client_id).filter(
                pk=row.pk, link_digest=digest, taken_at=None, state=EndState.WRITTEN
            )
            if not mine.update(link_digest=None):
                raise NoFileError
            if row.file_key is None:
                raise FileNotFoundError
            return Handover(row, digest, files.open(row.client_id, row.file_key), clock)
    except (FileNotFoundError, SealBrokenError) as error:
        note_lost(row, error)
    with job_scope(agency_id=row.agency_id):
        if _write_anew(row, by=JOB, at=clock()):
            await_people(row, clock())
    raise NoFileError


class Handover:
    """The file on its way, piece by piece. Whoever is done with it closes it, whether or not it was read to its end."""

    def __init__(self, row: Offboarding, digest: bytes, source: BinaryIO, clock: Clock) -> None:
        self.row = row
        self._digest: bytes | None = digest
        self._source, self._clock, self._size = source, clock, 0

    def __iter__(self) -> "Handover":
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


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
