"""
Putting dumps back, and taking out of `default` what an old dump of it brought back.

A key that was destroyed stays destroyed, so that what returns of an erased person is noise from the first moment; the
rows still say that somebody called. Everything here is found from the vault, which is not older: keys, tombstones,
watermarks, the list of noes. Each step is repeatable and works in bounded batches, each in a transaction of its own.
"""

from __future__ import annotations

import io
import subprocess
import threading
from pathlib import Path

import psycopg
from django.db import connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

from callprivacy.vault import envelopes
from retention.services import backups
from retention.services.backups import Access, BackupError, Manifest

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


def empty(database: str) -> None:
    """Drop everything in a configured database, and let the app's role in again. As the owner."""
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
    tools = backups.programs()
    with _connect(access) as link:
        row = link.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        if row is None or row[0]:
            raise BackupError(
                "The database is not empty. Name an empty one, or add --replace to drop what is in this one."
            )
        backups.check_version(tools, link.info.server_version // 10000)
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
            if process.stdin is not None:
                envelopes.open_into(file, process.stdin, identity=secret)
                process.stdin.close()
        except (envelopes.EnvelopeError, BrokenPipeError) as error:
            trouble = str(error)
            process.kill()
        process.wait()
        listener.join()
    text = b"".join(said).decode(errors="replace").strip()
    if process.returncode > 0:
        raise BackupError(f"pg_restore refused: {text.splitlines()[0][:300] if text else 'it said nothing'}")
    if trouble or process.returncode:
        raise BackupError(trouble or "pg_restore was ended.")
    if manifest.database == "default":
        _mark_restored(access)


def _mark_restored(access: Access) -> None:
    """Whatever the vault has noted, this copy is older: nothing is served before it was made good."""
    with _connect(access) as link:
        found = link.execute("SELECT to_regclass('audit_pulse') IS NOT NULL").fetchone()
        if found is not None and found[0]:
            link.execute("UPDATE audit_pulse SET count = -1")
