"""
How fast a CallRail export becomes calls: `python -m lab.bench.bench_import [--rows N] [--callers N]`.

In one run: our import, by one process, of a file as a person uploads it (parsed, matched, sealed under keys of its
own, with tombstones, watermark and keep-for asked for every batch), against PostgreSQL's COPY of the same rows as
plain text into equal tables: the same columns, indexes, checks and foreign keys, with the rows of callers, references,
recordings and keys. PostgreSQL is our embedded one with the durability that production has.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from lab.bench import callrail_csv, servers
from tools import services

if TYPE_CHECKING:
    from callprivacy.calls.models import CallImport

# Parents first. A sealed column is cut by what sealing adds to it, which is the length of its plain text.
TABLES = {
    "callprivacy": {
        "calls_caller": "number",
        "calls_call": "",
        "calls_callref": "",
        "calls_recording": "reference",
    },
    "callprivacy_vault": {"vault_caller": "", "vault_recordingkey": ""},
}
SEALING_ADDS = 29


def write_file(folder: Path, *, rows: int, callers: int) -> Path:
    path = folder / "calls.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        callrail_csv.write(file, count=rows, callers=callers)
    return path


def memory_now() -> int:
    """Resident megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() >> 20


def import_file(path: Path) -> tuple[CallImport, float, list[int]]:
    """Import it; returns the import, seconds, and the memory after each batch."""
    from datetime import UTC, datetime

    from callprivacy.calls.services import imports
    from callprivacy.lib.scope import Actor
    from callprivacy.tenancy.scope import job_scope
    from tests import make

    client = make.client(make.agency("Bench"), "Plumber")
    memory: list[int] = []
    start = time.perf_counter()
    row = imports.begin_from_disk(
        client=client,
        connection=None,
        layout=imports.Layout("callrail", {}, "America/New_York"),
        digest=imports.digest_of(path),
        by=Actor.job("bench"),
        at=datetime(2026, 11, 24, 12, tzinfo=UTC),
    )
    imports.run_import(
        agency_id=client.agency_id,
        import_id=row.pk,
        clock=lambda: datetime(2026, 11, 24, 12, tzinfo=UTC),
        source=lambda: path.open("rb"),
        on_batch=lambda _: memory.append(memory_now()),
    )
    seconds = time.perf_counter() - start
    with job_scope(agency_id=client.agency_id):
        row.refresh_from_db()
    return row, seconds, memory


def copy_plainly(postgres: services.Postgres, folder: Path) -> tuple[float, dict[str, int]]:
    """COPY the same rows into equal tables; returns seconds and rows of each table."""
    seconds, counts = 0.0, {}
    for database, tables in TABLES.items():
        with psycopg.connect(postgres.url(database), autocommit=True) as admin:
            for table, sealed in tables.items():
                _make_equal(admin, table, list(tables))
                _write_out(admin, table, sealed, folder / table)
            for table in tables:
                start = time.perf_counter()
                with admin.transaction(), admin.cursor() as cursor:
                    with (
                        cursor.copy(f"COPY bench_{table} FROM STDIN") as copy,
                        (folder / table).open("rb") as file,
                    ):
                        while data := file.read(1 << 18):
                            copy.write(data)
                    counts[table] = cursor.rowcount
                seconds += time.perf_counter() - start
    return seconds, counts


def _make_equal(admin: psycopg.Connection, table: str, tables: list[str]) -> None:
    admin.execute(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)")
    keys = admin.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass",
        [table],
    ).fetchall()
    for name, definition in keys:
        for target in tables:
            definition = definition.replace(f"REFERENCES {target}(", f"REFERENCES bench_{target}(")  # noqa: PLW2901  (rewritten step by step)
        admin.execute(f"ALTER TABLE bench_{table} ADD CONSTRAINT {name} {definition}")


def _write_out(admin: psycopg.Connection, table: str, sealed: str, path: Path) -> None:
    names = admin.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
        [table],
    ).fetchall()
    columns = ", ".join(
        f"substring({name} FROM {SEALING_ADDS + 1})" if name == sealed else name for (name,) in names
    )
    query = f"COPY (SELECT {columns} FROM {table}) TO STDOUT"
    with admin.cursor() as cursor, path.open("wb") as file, cursor.copy(query) as copy:
        for data in copy:
            file.write(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--callers", type=int, default=300_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-import-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        path = write_file(folder, rows=options.rows, callers=options.callers)
        with servers.started(folder / "state") as postgres:
            row, ours, memory = import_file(path)
            load = os.getloadavg()[0]
            plain, counts = copy_plainly(postgres, folder)
    rows_a_second = row.rows / ours
    tenth = max(len(memory) // 10, 1)
    print(f"File:     {row.rows:,} rows, {counts['calls_caller']:,} callers, state {row.state}")
    print(
        f"Taken in: {row.added:,} added, {row.known:,} known, {row.doubtful:,} doubtful, {row.refused:,} refused"
    )
    print(f"Import:   {ours:.1f} s, {rows_a_second:,.0f} rows/s (load {load:.1f} on {os.cpu_count()} cores)")
    print(f"COPY:     {plain:.1f} s, {row.rows / plain:,.0f} rows/s, into " + ", ".join(
        f"{table} {count:,}" for table, count in counts.items()
    ))  # fmt: skip
    print(f"Ratio:    {ours / plain:.2f} (at most 4)")
    print(f"Memory:   {memory[tenth - 1]} MB after a tenth, {max(memory)} MB at most (at most 400)")
    holds = rows_a_second >= 15_000 and ours / plain <= 4 and max(memory) < 400
    print("Holds." if holds else "Does not hold.")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
