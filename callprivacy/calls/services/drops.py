"""
Folders that files of calls are dropped into: one for each connection of that kind, below the one that the operator
named.

A file is read where it lies, resumed where a worker was ended, and erased there when its last line is in. How its
columns are read the connection knows from the first file, which a person brings by hand. What cannot be read, was
stopped, outlasts a worker, or ended several, stays, is not tried again as it is, and somebody hears of it; it may be
called after somebody or their number, so that no name of one is kept, and each of its letters and digits is a dot. A
file that changed within the last minute may still be on its way. So many refusals are remembered, each for as long as
its file lies there: behind them what has a name that cannot be read is passed by, and no other file is begun; one that
was begun is finished. A folder or bucket that cannot be read, or is too slow, says so on the connection's page, and
others are not kept waiting by it.
"""

import re
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import BinaryIO, Final

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.channels import folders
from callprivacy.calls.channels.folders import ChangedError, FolderError, Found
from callprivacy.calls.enums import JobState
from callprivacy.calls.kinds import DROP_REFUSED
from callprivacy.calls.models import CallImport, Connection
from callprivacy.calls.services import imports
from callprivacy.calls.services.imports import Layout
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault.sealing import TokenKey
from callprivacy.work import services as work_items

log = logger(__name__)

FOLDER: Final = "folder"
"""The `provider` of a connection whose calls are dropped."""
JOB: Final = Actor.job("calls.take_drops")
SETTLED_FOR: Final = timedelta(minutes=1)
READ_FOR: Final = timedelta(seconds=20)
"""A file that is here is gone on with for so long, however late that is."""
FILES_AT_ONCE: Final = 20
REMEMBERED_AT_MOST: Final = 50
LOOKED_AT_MOST: Final = 100

_OURS = re.compile(r"[^.].*\.(?:csv|tsv|txt|json)(?:\.gz)?", re.ASCII | re.IGNORECASE | re.DOTALL).fullmatch
_SIGN = re.compile(r"[^ -/:-@\[-`{-~]")
_ENDING = re.compile(r"(?:\.(?:csv|tsv|txt|json))?(?:\.gz)?\Z", re.IGNORECASE)
_SIZE = re.compile(r" \(\d+ bytes.*\Z")

_NAMED: Final = "its name has a backslash or a sign that cannot be printed: call it otherwise"
_SLOW: Final = (
    "It is too slow: what lies there did not come in the few minutes that a worker has. Drop smaller files."
)
_TOO_LONG: Final = (
    "it is too slow, and was not read in the few minutes that a worker has: drop it in smaller files"
)
_ENDS_WORKERS: Final = (
    f"{imports.TRIES} workers in a row ended while they read it: drop it in smaller files,"
    " or give them more memory"
)
_STOPPED: Final = "its import was stopped"
_FULL: Final = (
    f"{REMEMBERED_AT_MOST} files that lie there could not be read or were stopped, and no other is begun. "
    "Mend or remove them, or have them read again."
)

type Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Dropped:
    """
    A file that lies there. :ivar digest: keyed, of where it lies and what is known of it unread, to go on with it.
    :ivar mark: one of its name and the latter, to know what was refused. :ivar called: one of its name alone, to
    know whether it is still there. :ivar shape: name and size, as a person may read them.
    """

    found: Found
    digest: bytes
    mark: str
    called: str
    shape: str


@dataclass(frozen=True, slots=True)
class Look:
    """
    What lay in a connection's folder when somebody had it tested.

    :ivar at: None while it is being looked into. :ivar files: all that lay there; the first hundred that may be read
        were opened. :ivar ready: those that are read next. :ivar resting: those that have just changed. :ivar refused:
        those that could not be read before. :ivar others: those of another kind, and links. :ivar fault: why it could
        not be said.
    """

    at: datetime | None
    files: int = 0
    ready: int = 0
    resting: int = 0
    refused: int = 0
    others: int = 0
    fault: str = ""


def is_set_up() -> bool:
    """Whether the operator has named a folder."""
    return bool(settings.CALLPRIVACY_DROP)


def folder_of(connection: Connection) -> str:
    """A connection's own folder, below the operator's; made of ids and slugs alone."""
    client = connection.client
    return f"{client.agency.slug}/{client.slug}/{connection.pk.hex[:8]}"


def layout_of(connection: Connection) -> Layout | None:
    """How a connection's files are read, as a person said for its first one; None before that."""
    found = connection.mapping
    if not found.get("format") or not connection.time_zone:
        return None
    return Layout(found["format"], found.get("columns", {}), connection.time_zone, found.get("slashes", ""))


def refused_of(connection: Connection) -> list[str]:
    """What can be said of files that lie there and could not be read: the shape of their names, size, age and why."""
    return [_refusal(found["shape"], found.get("why", "")) for found in _refused(connection)]


def _refusal(shape: str, why: str) -> str:
    # Written down before letters were left out as well, some have words in them.
    name = _SIZE.sub("", shape)
    return f"{_shape(name)}{shape[len(name) :]}" + (f": {why}" if why else "")


def _shape(name: str) -> str:
    """A name with a dot for each letter, digit and sign that is not usual, and its ending."""
    ending = _ENDING.search(name)
    cut = ending.start() if ending else len(name)
    return _SIGN.sub("•", name[:cut]) + name[cut:]


def _refused(connection: Connection) -> list[dict[str, str]]:
    return [found for found in connection.mapping.get("drop_refused", ()) if isinstance(found, dict)]


def take(*, agency_id: int, until: datetime, clock: Clock) -> int:
    """
    Read what lies in an agency's folders until the clock says `until`; returns how many files were finished.

    Called outside any scope; begun again, it goes on.
    """
    if not is_set_up():
        return 0
    with job_scope(agency_id=agency_id):
        ways = list(
            Connection.objects.filter(
                agency_id=agency_id, provider=FOLDER, is_active=True, client__archived_at=None
            )
            .select_related("client__agency")
            # By chance, so that one whose large files keep coming does not take all the time of the others.
            .order_by("?")
        )
    count = 0
    for way in ways:
        if clock() >= until:
            return count
        if _is_asked(way):
            look(agency_id=agency_id, connection_id=way.pk, clock=clock)
        layout = layout_of(way)
        if layout is not None:
            count += _take_of(way, layout, until=until, clock=clock)
    return count


def _take_of(way: Connection, layout: Layout, *, until: datetime, clock: Clock) -> int:
    """What outlasts the worker is refused where it is one file, which each run would begin with; else the folder is."""
    count, fault = 0, ""
    in_hand: Dropped | None = None
    try:
        for file in _files(way, until=until, clock=clock):
            in_hand = file
            count += _take_file(way, layout, file, until=until, clock=clock)
            in_hand = None
    except FolderError as error:
        fault = str(error)
    except SoftTimeLimitExceeded:
        if in_hand is None:
            _note_fault(way, _SLOW, at=clock())
        else:
            _refuse(way, in_hand, _TOO_LONG, at=clock())
        raise
    if fault != fault_of(way):
        _note_fault(way, fault, at=clock())
    return count


# --- A test, because a person asks ---


@transaction.atomic
def ask_look(*, connection: Connection, at: datetime) -> None:
    """Have a connection's folder looked into, as soon as a worker may; nothing is read or erased by it."""
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    row.mapping["drop_look"] = {"asked_at": at.isoformat()}
    row.save(update_fields=["mapping"])


def look(*, agency_id: int, connection_id: uuid.UUID, clock: Clock) -> None:
    """List and count what lies in a connection's folder, where somebody asked for it. Called outside any scope."""
    with job_scope(agency_id=agency_id):
        rows = Connection.objects.filter(agency_id=agency_id, provider=FOLDER).select_related(
            "client__agency"
        )
        way = rows.filter(pk=connection_id).first()
    if way is None or not _is_asked(way) or not is_set_up():
        return
    try:
        said = _looked(way, at=clock())
    except FolderError as error:
        said = Look(clock(), fault=str(error))
    except SoftTimeLimitExceeded:
        _note_look(way, Look(clock(), fault=_SLOW), at=clock())
        raise
    _note_look(way, said, at=clock())


def _note_look(way: Connection, said: Look, *, at: datetime) -> None:
    if said.fault != fault_of(way):
        _note_fault(way, said.fault, at=at)
    with job_scope(agency_id=way.agency_id):
        row = Connection.objects.select_for_update().get(pk=way.pk)
        row.mapping["drop_look"] = asdict(said) | {"at": at.isoformat()}
        row.save(update_fields=["mapping"])


def look_of(connection: Connection) -> Look | None:
    """What came of the last test of a connection's folder; None where nobody has tested it."""
    found = connection.mapping.get("drop_look")
    if not found:
        return None
    return (
        Look(None) if _is_asked(connection) else Look(**found | {"at": datetime.fromisoformat(found["at"])})
    )


def _is_asked(connection: Connection) -> bool:
    return "asked_at" in connection.mapping.get("drop_look", ())


def _looked(way: Connection, *, at: datetime) -> Look:
    folder, kinds = folder_of(way), Counter[str]()
    refused = {found["mark"] for found in _refused(way)}
    tokens = vault.client_keys(way.client_id).tokens
    names = folders.names_in(folder)
    ours = [name for name in names if _OURS(name)]
    kinds["others"] = len(names) - len(ours)
    for name in ours[:LOOKED_AT_MOST]:
        if not _can_be_opened(name):
            kinds["refused"] += 1
        elif (found := folders.found(folder, name)) is None:
            kinds["others"] += 1
        elif _mark(tokens, found) in refused:
            kinds["refused"] += 1
        else:
            kinds["resting" if found.changed_at > at - SETTLED_FOR else "ready"] += 1
    return Look(
        at,
        len(names),
        ready=kinds["ready"],
        resting=kinds["resting"],
        refused=kinds["refused"],
        others=kinds["others"],
    )


# --- What lies there ---


def fault_of(connection: Connection) -> str:
    """Why a connection's folder could not be read when it was last looked into; "" where it could."""
    return str(connection.mapping.get("drop_fault", ""))


def _files(way: Connection, *, until: datetime, clock: Clock) -> Iterator[Dropped]:
    """
    What lies in a connection's folder, has come to rest and was not refused before, as many as are read at once.

    What is left alone is passed by, however much of it there is. What its name keeps from being read is refused.

    :raises FolderError: it cannot be said, or so much was refused that no more is to be read.
    """
    folder, count = folder_of(way), 0
    tokens, begun, is_full = vault.client_keys(way.client_id).tokens, _begun(way), False
    names = [name for name in folders.names_in(folder) if _OURS(name)]
    _forget_gone(way, {_called(tokens, name) for name in names}, at=clock())
    refused = {found["mark"] for found in _refused(way)}
    for name in names:
        if count == FILES_AT_ONCE or (at := clock()) >= until or (is_full and not begun):
            break
        if not _can_be_opened(name):
            called = _called(tokens, name)
            if called not in refused and len(_refused(way)) < REMEMBERED_AT_MOST:
                _note_refused(way, called, called, _shape(name), _NAMED, at=at)
                count += 1
            continue
        found = folders.found(folder, name)
        if found is None or found.changed_at > at - SETTLED_FOR:
            continue
        mark = _mark(tokens, found)
        if mark not in refused:
            called = _called(tokens, name)
            digest = tokens.digest("dropped", found.path, found.tag)
            if digest in begun:
                begun.remove(digest)
            elif _is_full(way, called):
                is_full = True
                continue
            when = f"{found.changed_at:%Y-%m-%d %H:%M} UTC"
            yield Dropped(found, digest, mark, called, f"{_shape(name)} ({found.size} bytes, of {when})")
            count += 1
    if is_full:
        raise FolderError(_FULL)


def _begun(way: Connection) -> set[bytes]:
    """The digests of files whose reading was cut off, or goes on with each run."""
    with job_scope(agency_id=way.agency_id):
        rows = CallImport.objects.for_client(way.client_id).filter(
            connection=way, file_key__isnull=True, state=JobState.RUNNING
        )
        return {bytes(found) for found in rows.values_list("file_digest", flat=True) if found}


def _can_be_opened(name: str) -> bool:
    """A bucket's program makes a slash of a backslash; who is told of what cannot be printed does not find it."""
    return name.isprintable() and "\\" not in name


def _written(name: str) -> str:
    """Also one whose bytes are no text."""
    return name.encode(errors="backslashreplace").decode()


def _called(tokens: TokenKey, name: str) -> str:
    return tokens.digest("drop", _written(name)).hex()


def _mark(tokens: TokenKey, found: Found) -> str:
    return tokens.digest("drop", found.name, found.tag).hex()


def _take_file(way: Connection, layout: Layout, file: Dropped, *, until: datetime, clock: Clock) -> bool:
    """:raises FolderError: it could not be read, or not be erased; it is gone on with the next time."""
    if _is_stopped(way, file):
        _refuse(way, file, _STOPPED, at=clock())
        return False
    try:
        with folders.bringing(file.found) as source:
            state, failure = _read(way, layout, file, source, until=until, clock=clock)
    except ChangedError:
        return False  # the next look finds what lies there now
    if state == JobState.DONE:
        # What was laid in its place meanwhile has not been read: it stays, and is found by the next look.
        if not folders.delete(file.found):
            log.info("drop.changed", connection=str(way.pk))
        return True
    if state == JobState.FAILED:
        _refuse(way, file, _ENDS_WORKERS if failure == imports.ENDS_WORKERS else "", at=clock())
    elif state == JobState.CANCELLED:
        _refuse(way, file, _STOPPED, at=clock())
    return False


def _is_stopped(way: Connection, file: Dropped) -> bool:
    """Whether somebody stopped this file's import between two looks, and nobody has said since to read it."""
    with job_scope(agency_id=way.agency_id):
        rows = CallImport.objects.for_client(way.client_id).filter(
            connection=way, file_digest=file.digest, state=JobState.CANCELLED
        )
        if said := way.mapping.get("drop_retried_at"):
            rows = rows.filter(finished_at__gt=datetime.fromisoformat(said))
        return rows.exists()


def is_dropped(row: CallImport) -> bool:
    """Whether an import's file lies in a folder that files are dropped into, and was brought by nobody's hand."""
    return row.connection is not None and row.connection.provider == FOLDER and row.created_by_id is None


def _read(
    way: Connection, layout: Layout, file: Dropped, source: BinaryIO, *, until: datetime, clock: Clock
) -> tuple[str, str]:
    """Go on with a file that is here; bringing it may have taken long, and all of it anew each time."""
    at = clock()
    row = imports.begin_from_disk(
        client=way.client, connection=way, layout=layout, digest=file.digest, by=JOB, at=at
    )
    imports.run_import(
        agency_id=way.agency_id,
        import_id=row.pk,
        clock=clock,
        until=max(until, at + READ_FOR),
        source=lambda: source,
        workers=0,
    )
    with job_scope(agency_id=way.agency_id):
        return CallImport.objects.values_list("state", "failure").get(pk=row.pk)


def _note_fault(way: Connection, fault: str, *, at: datetime) -> None:
    """Write down why a folder cannot be read, or that it can again."""
    if fault:
        log.warning("drop.unreachable", connection=str(way.pk), why=fault)
    with job_scope(agency_id=way.agency_id):
        row = Connection.objects.select_for_update().get(pk=way.pk)
        row.mapping.pop("drop_fault", None)
        if fault:
            row.mapping["drop_fault"] = fault
        row.save(update_fields=["mapping"])
        renew_item(agency_id=row.agency_id, client_id=row.client_id, by=JOB, at=at)


def _is_full(way: Connection, called: str) -> bool:
    """Whether a file's refusal would find no place; one that was refused before and is mended has its own."""
    kept = [one for one in _refused(way) if one.get("why") != _NAMED]
    return len(kept) >= REMEMBERED_AT_MOST and all(one.get("called") != called for one in kept)


def _refuse(way: Connection, file: Dropped, why: str = "", *, at: datetime) -> None:
    _note_refused(way, file.mark, file.called, file.shape, why, at=at)


def _note_refused(
    way: Connection, mark: str, called: str, shape: str, why: str = "", *, at: datetime
) -> None:
    log.warning("drop.refused", connection=str(way.pk))
    said = {"mark": mark, "called": called, "shape": shape} | ({"why": why} if why else {})

    def added(kept: list[dict[str, str]]) -> list[dict[str, str]]:
        kept = [one for one in kept if one.get("called") != called]
        if len(kept) >= REMEMBERED_AT_MOST:
            # One that is passed by for its name needs no mark for that.
            kept.remove(next((one for one in kept if one.get("why") == _NAMED), kept[0]))
        return [*kept, said]

    _change_refused(way, added, at=at)


def _forget_gone(way: Connection, there: Collection[str], *, at: datetime) -> None:
    """Of what does not lie there any more nothing needs to be known. :param there: what they are called."""

    def left(kept: list[dict[str, str]]) -> list[dict[str, str]]:
        # Those that were written down without it come again, and are.
        return [one for one in kept if one.get("called", one["mark"]) in there]

    if len(left(_refused(way))) < len(_refused(way)):
        _change_refused(way, left, at=at)


def _change_refused(
    way: Connection, change: Callable[[list[dict[str, str]]], list[dict[str, str]]], *, at: datetime
) -> None:
    with job_scope(agency_id=way.agency_id):
        row = Connection.objects.select_for_update().get(pk=way.pk)
        row.mapping["drop_refused"] = change(_refused(row))
        row.save(update_fields=["mapping"])
        renew_item(agency_id=row.agency_id, client_id=row.client_id, by=JOB, at=at)
    way.mapping = row.mapping


@transaction.atomic
def try_again(*, connection: Connection, by: Actor, at: datetime) -> int:
    """Let what was refused be read again, because its file or its columns were mended; returns how many it were."""
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    found = row.mapping.pop("drop_refused", [])
    if found:
        row.mapping["drop_retried_at"] = at.isoformat()
        row.save(update_fields=["mapping"])
        audit.record("drop.retried", subject=row, by=by, at=at, count=len(found))
        renew_item(agency_id=row.agency_id, client_id=row.client_id, by=by, at=at)
    return len(found)


def renew_item(*, agency_id: int, client_id: int, by: Actor, at: datetime) -> None:
    """
    What waits for somebody: each file that could not be read, and each folder that cannot, of connections that are
    open.
    """
    open_ones = Connection.objects.for_client(client_id).filter(provider=FOLDER, is_active=True)
    count = sum(len(_refused(one)) + bool(fault_of(one)) for one in open_ones)
    work_items.renew_item(DROP_REFUSED, agency_id=agency_id, client_id=client_id, count=count, by=by, at=at)
