"""Trails to test with, and a database superuser who tampers with them."""

import contextlib
import io
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
from django.db import connection

from callprivacy.audit import services
from callprivacy.audit.services import sink
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from tests import ground
from tests.make import NOON
from tools import verify_bundle

JOB = Actor.job("tests")


def write(agency_id: int, count: int = 1, *, at: datetime = NOON, client_id: int | None = None) -> list[int]:
    """Write events, each in its own transaction; returns their ids."""
    ids = []
    for number in range(count):
        with job_scope(agency_id=agency_id):
            event = services.record(
                "call.revealed", by=JOB, at=at + timedelta(seconds=number), client_id=client_id,
                number=number, kind='näive "quoted"\n', sure=True, nothing=None,
            )  # fmt: skip
            ids.append(event.pk)
    return ids


def seal(agency_id: int, *, at: datetime = NOON) -> int:
    """Seal what the agency has done; waits for transactions of other tests on the same server."""
    wait_for_others(agency_id)
    return seal_now(agency_id, at=at)


def wait_for_others(agency_id: int) -> None:
    """Wait until no transaction anywhere on the server is older than the agency's newest event."""
    for _ in range(6000):
        with job_scope(agency_id=agency_id), connection.cursor() as cursor:
            cursor.execute(
                "SELECT coalesce(max(xid) < pg_snapshot_xmin(pg_current_snapshot()), true) FROM audit_event"
                " WHERE agency_id = %s AND epoch = audit_current_epoch()",
                [agency_id],
            )
            if cursor.fetchone() == (True,):
                return
        time.sleep(0.05)
    raise TimeoutError("A transaction stayed open for five minutes.")


def seal_now(agency_id: int, *, at: datetime = NOON) -> int:
    """Seal in the agency's job scope."""
    with job_scope(agency_id=agency_id):
        return services.seal_events(agency_id=agency_id, at=at)


def verify(agency_id: int) -> services.Verification:
    """Verify in the agency's job scope."""
    with job_scope(agency_id=agency_id):
        return services.verify_agency(agency_id)


def export(agency_id: int) -> bytes:
    """The agency's bundle."""
    file = io.BytesIO()
    with job_scope(agency_id=agency_id):
        services.write_bundle(agency_id=agency_id, file=file, at=NOON)
    return file.getvalue()


def verify_offline(agency_id: int, folder: Path, *, checkpoint: bool = True) -> verify_bundle.Report:
    """What the offline tool finds in the bundle, pinned to our key and holding the checkpoints."""
    from callprivacy.vault import signing

    path = folder / "bundle.jsonl"
    path.write_bytes(export(agency_id))
    kept = sink.path_of(agency_id) if checkpoint else None
    return verify_bundle.verify(path, pins=[signing.public_key().hex()], checkpoint=kept)[0]


def both_find(agency_id: int, folder: Path, *, checkpoint: bool = True) -> list[str]:
    """What both verifiers find."""
    here = [str(finding) for finding in verify(agency_id).findings]
    return here + verify_offline(agency_id, folder, checkpoint=checkpoint).findings


@contextlib.contextmanager
def superuser() -> Iterator[psycopg.Connection]:
    """A superuser's connection to the test's database, with every trigger off."""
    address = psycopg.conninfo.make_conninfo(
        ground.servers.admin_url, dbname=connection.settings_dict["NAME"]
    )
    with psycopg.connect(address, autocommit=True) as line:
        line.execute("SET session_replication_role = replica")
        yield line


def no_text_may_be_written(line: psycopg.Connection) -> None:
    """From now on `bytea::text` takes the bytes as they are, so that a cell can hold what is no UTF-8."""
    line.execute("CREATE CAST (bytea AS text) WITHOUT FUNCTION")
