"""Everything goes: ways in, grants, rows by the targets of retention, files, keys; and what was done is signed."""

import json
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import F
from django.utils.text import slugify

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import ApiKey, ClientGrant, Membership
from callprivacy.audit import leaves
from callprivacy.audit import services as audit
from callprivacy.audit.leaves import canonical_document
from callprivacy.calls.models import CallPress, Connection, ConnectionSecret, Inbox
from callprivacy.calls.services import leaving, pulls, turns
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose, RetentionState
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files, signing
from callprivacy.vault import services as vault
from callprivacy.work import kinds, selectors
from callprivacy.work import services as work
from consent.channels import packing
from consent.models import WebhookEndpoint
from consent.services import invitations, texts, vendor_tasks, webhooks
from retention import targets
from retention.enums import DESTROYING, Category, EndState
from retention.kinds import TAKEN_AGAIN
from retention.models import Offboarding
from retention.selectors import preview
from retention.services import backups, erasing, holds
from retention.services.offboarding.asking import (
    CLOSE,
    KIND,
    LINKS,
    Clock,
    NotNowError,
    check_holds,
    extent_of,
)
from retention.services.offboarding.claims import JOB, await_people
from retention.services.offboarding.writing import count_missing, read_back

NAME: Final = "callprivacy offboarding"
CONTEXT: Final = b"callprivacy offboarding 1\n"
_KEYS: Final = "keys"
_LOOKED_EVERY: Final = timedelta(minutes=1)
_READ_FOR: Final = timedelta(hours=1)
_LATE: Final = timedelta(minutes=5)
"""A look that comes so late says that no job ran: whoever reads had no time either."""
_EMPTIED_FOR: Final = timedelta(days=1)
_UNREAD: Final = "What came in before the ways were shut is being read, for an hour at most."
_FILES_STAY: Final = (
    "Files lie in its folder, or the folder cannot be read. It is tried again each minute, for a day."
)
# Requests stay: the law wants their record kept, and they leave by their own date from the archived client as well.
_ERASED: Final = tuple(category for category in targets.TARGETS if category is not Category.REQUEST)
_STEPS: Final = (CLOSE, *(category.value for category in _ERASED), _KEYS)
_GONE: Final = (
    KeyPurpose.HOOK, KeyPurpose.API, KeyPurpose.CASE, KeyPurpose.APPROVAL, KeyPurpose.BINDER, KeyPurpose.HANDOVER,
)  # fmt: skip


class _Book:
    """An offboarding as the place where its batches are written down: everything is due."""

    def __init__(self, row: Offboarding, category: Category, at: datetime) -> None:
        self.row, self.category, self.at = row, category, at
        self.has_more = False

    def begin(self) -> targets.Line:
        row = self.row
        check_holds(row.client)
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
        for name, count in (("recordings", removed.recordings), ("callers", removed.callers)):
            row.among[name] = row.among.get(name, 0) + count
        row.cursor = chosen.cursor
        row.save(update_fields=["erased", "among", "cursor"])
        self.row.erased, self.row.cursor = row.erased, row.cursor


def erase_on(row: Offboarding, until: datetime, clock: Clock) -> None:
    """Go from step to step; each begins with a look whether a hold was placed."""
    while clock() < until and row.step:
        if row.step == CLOSE:
            _close(row, clock())
            texts.settle_leaving(client=row.client, at=clock())
            if _waits_for_readers(row, clock()) or not _is_handed_over(row, clock):
                return
        elif row.step in (_KEYS, DESTROYING):
            is_late = row.step == DESTROYING
            if is_late or not _waits_for_vendors(row, clock()):
                folders = leaving.empty_folders(client=row.client, until=until, clock=clock)
                if is_late or not _waits_for_folders(row, folders, clock()):
                    _finish(row, folders, clock())
            return
        elif _erase_some(row, Category(row.step), clock()):
            continue
        _next_step(row)


def _next_step(row: Offboarding) -> None:
    following = _STEPS[_STEPS.index(row.step) + 1]
    with job_scope(agency_id=row.agency_id):
        Offboarding.objects.filter(pk=row.pk, step=row.step).update(
            step=following, cursor=None, waits_since=None, failures=0, last_error=""
        )
    row.step, row.cursor, row.waits_since = following, None, None


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
        check_holds(client)
        if row.waits_since is not None:
            return  # It was done, and what had come before is read since then.
        closed: dict[str, Any] = dict(_shut(row, at))
        audit.record("offboarding.closed", subject=row, by=JOB, at=at, **closed)
        _wait(row, CLOSE, since=at, due_at=at)


def _waits_for_readers(row: Offboarding, at: datetime) -> bool:
    """
    Whether something that was taken in by an open way is still to be read into the ledger; looked at each minute, for
    an hour. Then the client is gone: nothing is written in it any more. Who places a hold has come before or sees it.
    """
    client, since = row.client, row.waits_since or at
    if row.due_at is not None and at - row.due_at > _LATE:
        since += at - row.due_at
    with job_scope(agency_id=row.agency_id):
        turns.lock_client(client.pk)
        check_holds(client)
        unread = _unread(client, since)
        if unread and at < since + _READ_FOR and client.archived_at is None:
            _wait(row, CLOSE, since=since, due_at=at + _LOOKED_EVERY, error=_UNREAD)
            return True
        if Client.objects.filter(pk=client.pk, archived_at=None).update(archived_at=at):
            # What was opened or given meanwhile leads nowhere any more.
            _shut(row, at)
            if unread:
                _keep_shut(row)
                audit.record("offboarding.left_unread", subject=row, by=JOB, at=at, rows=unread)
    return False


def _keep_shut(row: Offboarding) -> None:
    """From now on the client is not taken back, whatever is still to be read: it was waited for. In a scope."""
    Offboarding.objects.filter(pk=row.pk).update(stays_shut=True)
    row.stays_shut = True


def _tell(row: Offboarding, at: datetime) -> None:
    """Tell who asked, and who may act on it, that nothing was destroyed yet. In a scope."""
    await_people(row, at)
    about = kinds.get(KIND)
    people = selectors.people_for(about, agency_id=row.agency_id, client_id=row.client_id, at=at)
    work.notify(
        TAKEN_AGAIN,
        agency_id=row.agency_id,
        client_id=row.client_id,
        user_ids=sorted({*people, row.asked_by_id}),
        at=at,
        key=str(row.client_id),
    )


def _unread(client: Client, since: datetime) -> int:
    """What came before the ways were shut and is not read yet, or may be a no and does not count yet. In a scope."""
    events = Inbox.objects.for_client(client).due(since + _READ_FOR).count()
    presses = CallPress.objects.for_client(client).filter(handled_at=None).count()
    return events + presses + texts.count_undecided(client=client)


def _wait(row: Offboarding, step: str, *, since: datetime, due_at: datetime, error: str = "") -> None:
    """Come back to a step, and remember since when it waits. In a scope."""
    mine = Offboarding.objects.filter(pk=row.pk, step=step, leased_until=row.leased_until)
    if not mine.update(waits_since=since, due_at=due_at, failures=0, last_error=error):
        raise NotNowError("Another worker goes on with it.")
    row.waits_since, row.due_at = since, due_at


def _is_handed_over(row: Offboarding, clock: Clock) -> bool:
    """
    Whether the file has everything that there is now, when nothing comes any more. Where not it is written anew, and
    has to be taken again: the ways in stay shut, so that it is the last time.
    """
    client, old = row.client, row.file_key
    handed = read_back(row, clock)
    with job_scope(agency_id=row.agency_id):
        # Waits for whoever had begun to write before the ways in were shut (`client_is_here`), and for what trackers
        # were just being told is here.
        Client.objects.select_for_update(of=("self",)).get(pk=client.pk)
        check_holds(client)
        at, since = clock(), row.waits_since
        may_wait = not row.stays_shut and since is not None and at < since + _READ_FOR
        if since is not None and may_wait and (unread := _unread(client, since)):
            Client.objects.filter(pk=client.pk).update(archived_at=None)
            audit.record("offboarding.taken_back", subject=row, by=JOB, at=at, rows=unread)
            _wait(row, CLOSE, since=since, due_at=at + _LOOKED_EVERY, error=_UNREAD)
            return False
        count = count_missing(row, handed, clock)
        if not count:
            # It is signed for that it is erased, so that what is left of it, its requests, leaves by its date.
            Client.objects.filter(pk=client.pk).update(retention_state=RetentionState.LIVE)
            return True
        at = clock()
        mine = Offboarding.objects.filter(pk=row.pk, step=CLOSE, leased_until=row.leased_until)
        if not mine.update(
            state=EndState.WRITING, step="", waits_since=None, last_error="", due_at=at, came_since=count,
            file_key=None, taken_at=None, taken_by_link=False, link_digest=None, link_until=None, stays_shut=True,
        ):  # fmt: skip
            raise NotNowError("Another worker goes on with it.")
        audit.record(
            "offboarding.came_since", subject=row, by=JOB, at=at, entries=count, is_lost=handed.is_lost
        )
        _tell(row, at)
    if old is not None:
        files.delete(client.pk, old)
    return False


def _shut(row: Offboarding, at: datetime) -> dict[str, int]:
    """
    Close every way in and end the grants, and count both on the row; returns how many connections, keys of systems and
    links were open, how many questions to people waited that are not asked any more, and whose grants ended. A link of
    before says from then on where the client is.
    """
    client = row.client
    # First: who asks somebody at this moment, and whose question is not among those that end here, sees it.
    Client.objects.filter(pk=client.pk, shut_at=None).update(shut_at=at)
    letters = invitations.end_with_client(client=client)
    closed = Connection.objects.for_client(client).filter(is_active=True).update(is_active=False)
    pulls.forget_client(client=client, at=at)
    keys = ApiKey.objects.for_client(client).filter(revoked_at=None).update(revoked_at=at)
    mine = PublicKey.objects.filter(client_id=client.pk, agency_id=row.agency_id)
    mine.filter(purpose__in=_GONE).delete()
    links = mine.filter(purpose__in=LINKS).update(purpose=KeyPurpose.MOVED)
    found = {
        "connections": closed,
        "keys": keys,
        "links": links,
        "letters": letters,
        "people": _end_grants(row, at),
    }
    # What is opened or given while it goes on is closed later, and counts as well.
    current = Offboarding.objects.select_for_update().get(pk=row.pk)
    current.closed = {name: current.closed.get(name, 0) + count for name, count in found.items()}
    current.save(update_fields=["closed"])
    return found


def _end_grants(row: Offboarding, at: datetime) -> int:
    # Everybody, since what another hand is about to give is seen only once that is over.
    everybody = list(Membership.objects.filter(agency_id=row.agency_id).values_list("user_id", flat=True))
    members = access.hold_members(agency_id=row.agency_id, user_ids=everybody)
    held = ClientGrant.objects.filter(agency_id=row.agency_id, content_object_id=row.client_id)
    granted = set(held.values_list("user_id", flat=True))
    leaving = [
        one.user_id
        for one in members
        if one.user_id in granted and not access.has_right(one, AgencyRight.SIGN_OFF)
    ]
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


def _waits_for_vendors(row: Offboarding, at: datetime) -> bool:
    """Whether an interface may still be asked for what only our secrets and keys open there; looked at each minute."""
    with job_scope(agency_id=row.agency_id):
        check_holds(row.client)
        if not vendor_tasks.asked_by_interface(client=row.client, at=at):
            return False
        mine = Offboarding.objects.filter(pk=row.pk, step=_KEYS, leased_until=row.leased_until)
        mine.update(due_at=at + _LOOKED_EVERY)
    return True


def _waits_for_folders(row: Offboarding, folders: list[leaving.Folder], at: datetime) -> bool:
    """Whether a folder in which files lie, or that cannot be read, is tried again: each minute, for a day."""
    since = row.waits_since or at
    if not any(folder.left != 0 for folder in folders) or at >= since + _EMPTIED_FOR:
        return False
    with job_scope(agency_id=row.agency_id):
        check_holds(row.client)
        _wait(row, _KEYS, since=since, due_at=at + _LOOKED_EVERY, error=_FILES_STAY)
    return True


def _finish(row: Offboarding, folders: list[leaving.Folder], at: datetime) -> None:
    """Destroy the client's keys and files, give it empty ones, state what was done, and sign it."""
    client = row.client
    with job_scope(agency_id=row.agency_id):
        # Who places a hold has come before, or sees that nothing is left to be kept.
        turns.lock_client(client.pk)
        check_holds(client)
        # What was opened or given by somebody who had begun before the client was gone.
        _shut(row, at)
        # These are under the master key, which outlives the client's.
        leaving.forget_secrets(client=client)
        leaving.forget_values(client=client)
        webhooks.forget_client(client=client, by=JOB, at=at)
        texts.forget_client(client=client)
        # Counted where it is done: who is killed before the statement finds none of them open.
        given_up = vendor_tasks.give_up(client=client, by=JOB, at=at)
        mine = Offboarding.objects.filter(
            pk=row.pk, state=EndState.ERASING, step=row.step, leased_until=row.leased_until
        )
        if not mine.update(step=DESTROYING, given_up=F("given_up") + given_up):
            raise NotNowError("Another worker goes on with it.")
        left: dict[str, int | None] = {
            **extent_of(client).stored(),
            "secrets": ConnectionSecret.objects.for_client(client).count(),
            "endpoints": WebhookEndpoint.objects.for_client(client).filter(is_active=True).count(),
            "dropped_files": _sum(folders),
        }
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
        left["vendor_steps"] = current.given_up
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
            "shown_at": leaves.instant(current.counted_at or current.asked_at),
            "closed": current.closed,
            "erased": current.erased,
            "among_erased": current.among,
            "left": left,
            "folders": [{"name": folder.name, "left": folder.left} for folder in folders],
            "keys_destroyed_at": leaves.instant(at),
            "copies_gone_on": backups.no_copy_opens_after(at).isoformat(),
            "key": key,
        }
        text = canonical_document(statement)
        current.statement = text.decode()
        current.signature = signing.sign(CONTEXT + text).hex()
        current.key_id, current.state, current.step = key, EndState.DONE, ""
        current.finished_at, current.due_at, current.file_key, current.last_error = at, None, None, ""
        current.save(
            update_fields=[
                "statement", "signature", "key_id", "state", "step", "finished_at", "due_at", "file_key",
                "last_error",
            ]
        )  # fmt: skip
        audit.record(
            "offboarding.done", subject=row, by=JOB, at=at, signature=current.signature, **current.erased
        )
        work.close_item(KIND, agency_id=row.agency_id, key=str(client.pk), at=at, by=JOB)
    row.step = ""


def _sum(folders: list[leaving.Folder]) -> int | None:
    """None where one of them cannot be read."""
    known = [folder.left for folder in folders if folder.left is not None]
    return sum(known) if len(known) == len(folders) else None


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
