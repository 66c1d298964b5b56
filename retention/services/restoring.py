"""
Putting dumps back, and taking out of `default` what an old dump of it brought back.

A key that was destroyed stays destroyed, so that what returns of an erased person is noise from the first moment; the
rows still say that somebody called. Everything here is found from the vault, which is not older: keys, tombstones,
watermarks, the list of noes. Each step is repeatable and works in bounded batches, each in a transaction of its own.
"""

import io
import os
import subprocess
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Final, cast

import psycopg
from django.db import connections, transaction
from psycopg import sql
from psycopg.conninfo import make_conninfo

from callprivacy.audit import services as audit
from callprivacy.audit.services import lineage
from callprivacy.calls.services import ends, erasure, redaction
from callprivacy.calls.services import returned as calls
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope, keep_keys
from callprivacy.vault import envelopes, files
from callprivacy.vault import selectors as vault
from consent.enums import Purpose
from consent.services import identity_ends
from consent.services import returned as consents
from retention.selectors import holds
from retention.services import backups, erasing, house
from retention.services import holds as marks
from retention.services.backups import Access, BackupError, Manifest
from retention.targets import TARGETS, Chosen, Deed, Line, Removed, Target

JOB: Final = Actor.job("after_restore")
_PAGE: Final = 500
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

# --- Putting a dump back ----------------------------------------------------------------------------------------------


def secret_for(manifest: Manifest, *, identity: Path, key: Path | None) -> str:
    """
    Read the private key that opens a dump; the vault's dumps have keys of their own, sealed to the identity.

    :raises BackupError: it is none, or the dump's own key is missing or for somebody else.
    """
    secret = read_identity(identity)
    if manifest.database != "vault":
        return secret
    if key is None:
        raise BackupError("A dump of the vault opens with its own key: name it with --key.")
    opened = io.BytesIO()
    try:
        with key.open("rb") as file:
            envelopes.open_into(file, opened, identity=secret)
    except envelopes.EnvelopeError as error:
        raise BackupError(f"{key}: {error}") from None
    return opened.getvalue().decode()


def read_identity(path: Path) -> str:
    """
    Read a file with a private key, as `backup --new-key` and age-keygen write it.

    :raises BackupError: there is none in it.
    """
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("AGE-SECRET-KEY-"):
            return line.strip()
    raise BackupError(f"{path} holds no private key: a line that begins with AGE-SECRET-KEY-1.")


def _connect(access: Access) -> psycopg.Connection:
    return psycopg.connect(make_conninfo(**access.parts), autocommit=True)


def check(dump: Path, *, secret: str, access: Access) -> None:
    """
    Open a dump to its end, and find what puts it back, with nothing changed: before what is there is dropped for it.

    :raises BackupError: it does not open, or there are no programs for the server.
    """
    with _connect(access) as link:
        backups.programs(link.info.server_version // 10000)
    try:
        with dump.open("rb") as file, Path(os.devnull).open("wb") as nowhere:
            envelopes.open_into(file, nowhere, identity=secret)
    except envelopes.EnvelopeError as error:
        raise BackupError(f"{dump}: {error}") from None


def empty(database: str) -> None:
    """Drop everything in a configured database, and let the app's role in again. As the owner; `check` before."""
    access = Access.of(database)
    with _connect(access) as link:
        row = link.execute(
            "SELECT array_agg(DISTINCT grantee::regrole::text) FROM pg_namespace, aclexplode(nspacl)"
            " WHERE nspname = 'public' AND grantee <> 0 AND privilege_type = 'USAGE'"
        ).fetchone()
        with link.transaction():
            link.execute("DROP SCHEMA public CASCADE")
            link.execute("CREATE SCHEMA public")
            for role in (row[0] if row else None) or ():
                link.execute(
                    sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(role.strip('"')))
                )
    connections[database].close()


def restore_dump(dump: Path, *, manifest: Manifest, secret: str, access: Access) -> None:
    """
    Put a dump back into an empty database, in one transaction: all of it, or nothing.

    :raises BackupError: the database is not empty, the dump does not open, or pg_restore refuses.
    """
    with _connect(access) as link:
        row = link.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        if row is None or row[0]:
            raise BackupError(
                "The database is not empty. Name an empty one, or add --replace to drop what is in this one."
            )
        tools = backups.programs(link.info.server_version // 10000)
    command = [
        tools.path("pg_restore"), "--single-transaction", "--exit-on-error", "--no-owner", "--no-password",
        f"--dbname={access.address}",
    ]  # fmt: skip
    with (
        dump.open("rb") as file,
        subprocess.Popen(
            command,
            env={**tools.environ, **access.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        said: list[bytes] = []
        listener = threading.Thread(
            target=lambda: said.append(process.stderr.read() if process.stderr else b"")
        )
        listener.start()
        trouble = ""
        try:
            try:
                if process.stdin is not None:
                    envelopes.open_into(file, cast(IO[bytes], _Into(process)), identity=secret)
                    process.stdin.close()
            except (envelopes.EnvelopeError, BrokenPipeError) as error:
                trouble = str(error)
                process.kill()
            process.wait()
        except BaseException:
            # Such as a worker's time that is over. Nobody else ends it, and its end is what the listener waits for;
            # what it took no more is to hide no error.
            process.kill()
            if process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()
            raise
        finally:
            listener.join()
    text = b"".join(said).decode(errors="replace").strip()
    if process.returncode > 0:
        raise BackupError(f"pg_restore refused: {text.splitlines()[0][:300] if text else 'it said nothing'}")
    if trouble or process.returncode:
        raise BackupError(trouble or "pg_restore was ended.")
    if manifest.database == "default":
        _mark_restored(access)


class _Into:
    """A program's standard input, for what opens a dump: it writes what is left once more when a write has failed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def write(self, part: bytes) -> int:
        """Write; the program ends with whatever ends this, for else the next write would wait for it."""
        if self._process.stdin is None:
            return 0
        try:
            return self._process.stdin.write(part)
        except BaseException:
            self._process.kill()
            raise

    def flush(self) -> None:
        """Closing it does that."""


def _mark_restored(access: Access) -> None:
    """Whatever the vault has noted, this copy is older: nothing is served before it was made good."""
    with _connect(access) as link:
        found = link.execute("SELECT to_regclass('audit_pulse') IS NOT NULL").fetchone()
        if found is not None and found[0]:
            link.execute("UPDATE audit_pulse SET count = -1")
        # The dump holds the keys of its day.
        with link.transaction(), link.cursor() as cursor:
            keep_keys(cursor)


# --- Making good what an old dump brought back ------------------------------------------------------------------------


@dataclass(slots=True)
class Returned:
    """What was taken out again: counts of rows."""

    calls: int = 0
    callers: int = 0
    recordings: int = 0
    transcripts: int = 0
    evidence: int = 0
    noes: int = 0
    restricted: int = 0
    held: int = 0
    requests: int = 0
    own: int = 0

    def add(self, other: "Returned") -> None:
        """Count another client's as well."""
        for name, count in asdict(other).items():
            setattr(self, name, getattr(self, name) + count)

    @property
    def is_empty(self) -> bool:
        """Whether nothing had to go."""
        return not any(asdict(self).values())


type Step = Callable[[int], object]


@dataclass(slots=True)
class Unopened:
    """What of `default` no key in the vault opens, and would be taken out: counts of rows, over all clients."""

    people: int = 0
    of_people: int = 0
    recordings: int = 0
    transcripts: int = 0
    erased: int = 0
    """Of these people, whom the vault remembers to have erased: it is this installation's."""

    @property
    def is_everybody(self) -> bool:
        """Whether the vault knows nobody who is there: an empty one, or another installation's."""
        return 0 < self.of_people == self.people and not self.erased

    def __bool__(self) -> bool:
        return bool(self.people or self.recordings or self.transcripts)

    def __str__(self) -> str:
        return (
            f"{self.people:,} of {self.of_people:,} people, {self.recordings:,} recordings and "
            f"{self.transcripts:,} transcripts"
        )


def unopened(*, step: Step = lambda _rows: None) -> Unopened:
    """
    Count what `take_out` would find without a key, and change nothing. Outside any scope.

    :param step: told how many rows were looked at.
    """
    found = Unopened()
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            clients = list(Client.objects.filter(agency_id=agency_id).order_by("pk"))
        for client in clients:
            _count_people(client, found, step)
            for category in (erasure.RECORDING, erasure.TRANSCRIPT):
                _count_unreadable(client, category, found, step)
    return found


def _count_people(client: Client, found: Unopened, step: Step) -> None:
    after: uuid.UUID | None = None
    while True:
        with job_scope(agency_id=client.agency_id):
            page = calls.callers_page(client, after=after, limit=_PAGE)
        if not page:
            return
        after = page[-1]
        found.of_people += len(page)
        gone = set(page) - vault.living_callers(client.pk, page)
        found.people += len(gone)
        found.erased += len(
            vault.erased_callers(client.pk, gone).keys() | vault.evidenced_callers(client.pk, gone)
        )
        step(len(page))


def _count_unreadable(client: Client, category: str, found: Unopened, step: Step) -> None:
    after: uuid.UUID | None = None
    while True:
        with job_scope(agency_id=client.agency_id):
            ids, after = calls.unreadable(client, category=category, after=after, limit=_PAGE)
        if category == erasure.RECORDING:
            found.recordings += len(ids)
        else:
            found.transcripts += len(ids)
        step(len(ids))
        if after is None:
            return


def take_out(*, at: datetime, step: Step = lambda _rows: None) -> Returned:
    """
    Take out of every client what the vault says is gone, client by client. Outside any scope.

    Cut off and begun again it goes on where it was: what is out is out. When it is done, `made_good` says so.

    :param step: told how many rows were looked at.
    """
    found = Returned()
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            clients = list(Client.objects.select_related("agency").filter(agency_id=agency_id).order_by("pk"))
            agency = Agency.objects.get(pk=agency_id)
        for client in clients:
            found.add(take_out_of(client, at=at, step=step))
        own = house.take_out(agency=agency, at=at)
        if own:
            with job_scope(agency_id=agency_id):
                audit.record("restore.cleaned", subject=agency, by=JOB, at=at, own=own)
            found.own += own
            step(own)
    return found


def ids_went_back() -> bool:
    """Whether some agency's seals go up to transactions that this server has not come to. Outside any scope."""
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            if audit.ids_went_back(agency_id):
                return True
    return False


def made_good(*, found: Returned, at: datetime) -> None:
    """Write down that the restore is made good, and let everybody work again. Outside any transaction."""
    audit.record_house("restore.made_good", at=at, **asdict(found))
    lineage.join_again(at=at)


def take_out_of(client: Client, *, at: datetime, step: Step = lambda _rows: None) -> Returned:
    """The same for one client: by the lines, by people, by recordings, by single calls, by noes and restrictions."""
    found = Returned()
    with job_scope(agency_id=client.agency_id):
        # The dump may be of the moment between a hold and the marks on its calls.
        marks.mark_held(client=client, at=at)
    for target in TARGETS.values():
        if target.watermark:
            _behind_the_line(client, target, found, at, step)
    _erased_people(client, found, at, step)
    for category in (erasure.RECORDING, erasure.TRANSCRIPT):
        _without_key(client, category, found, at, step)
    _erased_singly(client, found, at, step)
    for purpose in Purpose:
        while True:
            with job_scope(agency_id=client.agency_id):
                count = consents.say_no_again(client=client, purpose=purpose, at=at, limit=_PAGE)
            found.noes += count
            step(count)
            if not count:
                break
    while True:
        with job_scope(agency_id=client.agency_id):
            count = consents.restrict_again(client=client, at=at, limit=_PAGE)
        found.restricted += count
        step(count)
        if not count:
            break
    if not found.is_empty:
        with job_scope(agency_id=client.agency_id):
            audit.record("restore.cleaned", subject=client, by=JOB, at=at, **asdict(found))
    return found


def _behind_the_line(client: Client, target: Target, found: Returned, at: datetime, step: Step) -> None:
    """Erase once more what had expired, as a run does: the vault's line is the cut-off."""
    before = vault.watermark(client.pk, target.watermark)
    if before is None:
        return
    book = _Book(client, before)
    deed = Deed(by=JOB, at=at, evidence_until=(at + redaction.TOMBSTONE_FOR).date())
    while True:
        removed = erasing.erase_batch(
            target=target,
            client=client,
            after=book.cursor,
            limit=target.batch,
            deed=deed,
            book=book,
        )
        if removed is None:
            return
        if target.noun == "calls":
            found.calls += len(removed.ids)
        elif target.noun == "requests":
            found.requests += len(removed.ids)
        found.callers += removed.callers
        found.recordings += removed.recordings
        found.transcripts += removed.transcripts
        step(len(removed.ids))


class _Book:
    """For `erase_batch`: the line is the vault's, and what left is counted by whoever calls."""

    def __init__(self, client: Client, before: datetime) -> None:
        self.client, self.before = client, before
        self.cursor: uuid.UUID | None = None

    def begin(self) -> Line:
        calls_line = vault.watermark(self.client.pk, erasure.WATERMARK) or _LONG_AGO
        out_line = vault.watermark(self.client.pk, erasure.WATERMARK_OUT) or _LONG_AGO
        held = holds.held_caller_ids(self.client)
        open_holds = list(holds.open_holds(self.client))
        return Line(
            self.client,
            self.before,
            calls_line,
            out_line,
            held=frozenset(held),
            is_held=bool(open_holds),
            keeps_all=holds.keep_all(open_holds),
        )

    def note_errands(self, count: int) -> None:
        """Errands wait in the queue like every run's."""

    def note_removed(self, chosen: Chosen, removed: Removed) -> None:
        """Remember where the batch ended."""
        self.cursor = chosen.cursor


def _erased_people(client: Client, found: Returned, at: datetime, step: Step) -> None:
    after: uuid.UUID | None = None
    while True:
        with job_scope(agency_id=client.agency_id):
            page = calls.callers_page(client, after=after, limit=_PAGE)
        if not page:
            return
        after = page[-1]
        step(len(page))
        gone = set(page) - vault.living_callers(client.pk, page)
        if gone:
            _forget_people(client, gone, found, at)


def _forget_people(client: Client, gone: set[uuid.UUID], found: Returned, at: datetime) -> None:
    """Their calls up to the tombstone's date go; other calls are nobody's; evidence goes with its key."""
    until = vault.erased_callers(client.pk, gone)
    while until:
        with job_scope(agency_id=client.agency_id):
            chosen = calls.calls_until(client, until, limit=_PAGE)
            if not chosen.ids:
                break
            _remove_calls(client, chosen, found, at)
    evidenced = vault.evidenced_callers(client.pk, gone)
    with job_scope(agency_id=client.agency_id):
        removed = identity_ends.remove(client=client, chosen=Chosen(ids=tuple(sorted(gone))))
        found.callers += removed.callers
        found.evidence += consents.forget_evidence(client=client, caller_ids=gone - evidenced, at=at)
        audit.record(
            "callers.erased", subject=client, by=JOB, at=at, callers=removed.callers, after="restore"
        )


def _remove_calls(client: Client, chosen: Chosen, found: Returned, at: datetime) -> None:
    erasing.open_errands(client, list(chosen.copies), JOB, at)
    removed = erasure.remove_calls(client=client, chosen=chosen)
    found.calls += len(removed.ids)
    found.recordings += removed.recordings
    audit.record(
        "calls.erased",
        subject=client,
        by=JOB,
        at=at,
        rows=len(removed.ids),
        recordings=removed.recordings,
        after="restore",
    )


def _without_key(client: Client, category: str, found: Returned, at: datetime, step: Step) -> None:
    after: uuid.UUID | None = None
    while True:
        with job_scope(agency_id=client.agency_id):
            ids, after = calls.unreadable(client, category=category, after=after, limit=_PAGE)
            step(len(ids))
            if ids:
                stored = calls.stored_files(client, ids) if category == erasure.RECORDING else []
                chosen = calls.take_out_of_use(client, ids, category=category, at=at)
                removed = ends.clear_said(client=client, chosen=chosen, category=category)
                found.recordings += removed.recordings
                found.transcripts += removed.transcripts
                audit.record(
                    f"{category}s.erased",
                    subject=client,
                    by=JOB,
                    at=at,
                    rows=len(removed.ids),
                    after="restore",
                )
                for file_key in stored:
                    transaction.on_commit(partial(files.delete_recording, client.pk, file_key))
        if after is None:
            return


def _erased_singly(client: Client, found: Returned, at: datetime, step: Step) -> None:
    after = 0
    while page := vault.entombed_page(client.pk, after=after, limit=_PAGE):
        after = page[-1][0]
        digests = [digest for _, digest in page]
        with job_scope(agency_id=client.agency_id):
            found.held += calls.put_off_held(client, digests, at=at)
            chosen = calls.entombed_calls(client, digests)
            if chosen.ids:
                _remove_calls(client, chosen, found, at)
        step(len(page))
