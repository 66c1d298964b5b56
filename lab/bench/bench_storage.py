"""
How many bytes a call takes: a file is imported, both databases are vacuumed, and every table and index is measured;
and the bytes of write-ahead log that it took, which is what a standby or an archive receives.

There is no goal: `docs/scaling.md` reckons with the figures. The calls are those of the benchmark of the import: each
has a recording's reference, and three tenths as many callers as calls.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import psycopg

from lab.bench import servers
from lab.bench.bench_import import import_file, write_file

_SIZES = """
    SELECT relname, pg_table_size(c.oid), pg_indexes_size(c.oid) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND relkind = 'r' ORDER BY pg_total_relation_size(c.oid) DESC
"""


def main() -> int:
    """Import, vacuum, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-storage-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        path = write_file(folder, rows=options.rows, callers=options.rows * 3 // 10)
        with servers.started(folder / "state") as postgres:
            databases = {
                alias: f"callprivacy{'_vault' if alias == 'vault' else ''}" for alias in ("default", "vault")
            }
            with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
                before = _position(admin)
                import_file(path)
                written = _position(admin) - before
            total = 0
            for alias, database in databases.items():
                total += _show(postgres.url(database), alias, options.rows)
    print(f"both databases:              {total / options.rows:7.0f} bytes a call")
    print(f"write-ahead log:             {written / options.rows:7.0f} bytes a call, whole pages included")
    return 0


def _position(admin: psycopg.Connection) -> int:
    row = admin.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')").fetchone()
    return int(row[0]) if row else 0


def _show(address: str, alias: str, calls: int) -> int:
    """Print the large tables of one database; returns all its bytes of tables and indexes that hold rows."""
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute("VACUUM ANALYZE")
        rows = admin.execute(_SIZES).fetchall()
    total = 0
    for table, heap, indexes in rows:
        if heap + indexes < calls:
            continue
        total += heap + indexes
        print(
            f"{alias:<8}{table:<20} {heap / calls:7.0f} bytes of rows and {indexes / calls:5.0f} of indexes a call"
        )
    return total


if __name__ == "__main__":
    sys.exit(main())
