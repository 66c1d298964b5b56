"""
Whether purges leave the tables in good order: dead rows, the last vacuum, the room that indexes take, broken ones.

Shares alone, never how many rows there are: the page is an agency's, and the tables are everybody's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import connections

DATABASES: Final = ("default", "vault")
DEAD_SHARE_HIGH: Final = 0.2
"""From this share of dead rows on a table is bloated: ten times what autovacuum is set to."""
_ROWS_AT_LEAST: Final = 1_000
_SHOWN: Final = 8

_TABLES: Final = """
    SELECT s.relname, s.n_dead_tup::float8 / (s.n_live_tup + s.n_dead_tup),
        greatest(s.last_vacuum, s.last_autovacuum), greatest(s.last_analyze, s.last_autoanalyze),
        pg_indexes_size(s.relid)::float8 / greatest(pg_table_size(s.relid), 1),
        (SELECT count(*) FROM pg_index i WHERE i.indrelid = s.relid AND NOT (i.indisvalid AND i.indisready))
    FROM pg_stat_user_tables s
    WHERE s.schemaname = 'public' AND s.n_live_tup + s.n_dead_tup >= %s
    ORDER BY pg_total_relation_size(s.relid) DESC LIMIT %s
"""
_BROKEN: Final = "SELECT count(*) FROM pg_index WHERE NOT (indisvalid AND indisready)"


@dataclass(frozen=True, slots=True)
class Table:
    """
    One large table.

    :ivar dead: share of its rows that are dead, 0 to 1. :ivar vacuumed_at: and :ivar analyzed_at: None where that has
    not happened since the statistics began. :ivar indexes: bytes of its indexes for each byte of its rows.
    :ivar broken: indexes that PostgreSQL does not use, because making them was cut short.
    """

    database: str
    name: str
    dead: float
    vacuumed_at: datetime | None
    analyzed_at: datetime | None
    indexes: float
    broken: int

    @property
    def is_bad(self) -> bool:
        """Whether somebody has to look: bloated, or an index is broken."""
        return self.dead >= DEAD_SHARE_HIGH or self.broken > 0

    @property
    def dead_percent(self) -> float:
        """The share of dead rows in percent."""
        return self.dead * 100


@dataclass(frozen=True, slots=True)
class Order:
    """
    What is said of the databases themselves.

    :ivar tables: the largest. :ivar broken: indexes of tables of any size that PostgreSQL does not use;
    None where a database does not answer. :ivar up: database -> whether it answers.
    """

    tables: list[Table]
    broken: int | None
    up: Mapping[str, bool] = field(default_factory=dict)


def order(up: Mapping[str, bool]) -> Order:
    """Whether the databases that answer are in good order; two statements each. Needs no scope."""
    there = [database for database in DATABASES if up[database]]
    broken = 0
    for database in there:
        with connections[database].cursor() as cursor:
            cursor.execute(_BROKEN)
            broken += cursor.fetchone()[0]
    return Order(tables(there), broken if there == list(DATABASES) else None, up)


def tables(databases: Iterable[str] = DATABASES) -> list[Table]:
    """The largest tables, those of `default` first; one statement each database. Needs no scope."""
    found = []
    for database in databases:
        with connections[database].cursor() as cursor:
            cursor.execute(_TABLES, [_ROWS_AT_LEAST, _SHOWN])
            found += [Table(database, *row) for row in cursor.fetchall()]
    return found
