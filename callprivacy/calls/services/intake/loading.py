"""Temporary tables in which a batch comes to the database, and how COPY reads it."""

# ruff: noqa: S608  names put into SQL are constants of this package

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from django.db import connection

from callprivacy.calls.services import kept as rows
from callprivacy.calls.services.intake.batch import Batch, caller_line, find_pairs
from callprivacy.calls.services.intake.items import Item

NULL: Final = "\\N"
TABLES: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS intake_caller
        (id uuid, number bytea, country text, region text) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS intake_ref
        (call_id uuid, kind text, digest bytea) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS intake_press
        (call_id uuid, name text, value text, at timestamptz) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS intake_call
        (index integer, id uuid, caller_id uuid, caller_withheld boolean, tracking_number_id uuid, direction text,
         outcome text, seconds integer, source text, campaign text, medium text, landing_page text, keyword text,
         country text, region text,
         first_call boolean, qualified boolean, value_cents bigint, tags text[], sequence bigint,
         recording_id uuid, recording bytea, recording_seconds integer) ON COMMIT DELETE ROWS;
"""


def or_null(value: object) -> object:
    return NULL if value is None else value


class Escaped(dict[str, str]):
    """Texts as COPY reads them; the same few come again and again."""

    def __missing__(self, raw: str) -> str:
        value = raw.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
        self[raw] = value
        return value


def array(values: Sequence[str]) -> str:
    """A text array as COPY reads it."""
    quoted = ",".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return ("{" + quoted + "}").replace("\\", "\\\\")


def fill(cursor: Any, table: str, lines: Collection[str]) -> None:
    cursor.execute(f"DELETE FROM {table}")
    with cursor.copy(f"COPY {table} FROM STDIN") as copy:
        copy.write("".join(lines))


def load_ahead(batch: Batch) -> None:
    """
    Bring a batch that will most likely be added as it is into the temporary tables, before its turn has come.

    What turns out otherwise then is loaded again. A batch with calls in several waves, or with numbers that the
    client does not have yet, waits for its turn.
    """
    items = batch.items
    if not items or any(item.wave for item in items):
        return
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
    if find_tracking_numbers(batch):
        return
    load_callers(batch)
    load_calls(batch, items)
    load_references(batch, items, {item.index: item.new_id for item in items})
    batch.loaded = items


def load_callers(batch: Batch) -> None:
    """Callers that `default` does not have yet; for those the vault had already, sealing was put off till now."""
    known = find_pairs(
        batch, "SELECT id, id FROM calls_caller WHERE client_id = %s AND id = ANY(%s::uuid[])", batch.callers
    )
    lines = [
        batch.caller_lines.get(caller_id) or caller_line(batch, caller_id, number)
        for caller_id, number in batch.callers.items()
        if caller_id not in known
    ]
    with connection.cursor() as cursor:
        fill(cursor, "intake_caller", lines)


def find_tracking_numbers(batch: Batch) -> set[str]:
    """Look up the tracking numbers of these calls; returns those that the client does not have."""
    numbers = {item.facts.tracking_number for item in batch.items if item.facts.tracking_number is not None}
    found: dict[str, uuid.UUID] = {}
    if numbers:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT number, id FROM calls_trackingnumber WHERE client_id = %s AND number = ANY(%s)",
                [batch.client.pk, list(numbers)],
            )
            found = dict(cursor.fetchall())
    for item in batch.items:
        if item.facts.tracking_number is not None:
            item.tracking_id = found.get(item.facts.tracking_number)
    return numbers - found.keys()


def load_calls(batch: Batch, items: Iterable[Item]) -> None:
    with connection.cursor() as cursor:
        fill(cursor, "intake_call", _call_lines(batch, items))


def _call_lines(batch: Batch, items: Iterable[Item]) -> list[str]:
    text, way = Escaped(), batch.way
    lines = []
    for item in items:
        facts = item.facts
        caller_id, tracking_id = item.caller_id, item.tracking_id
        lines.append(
            f"{item.index}\t{item.new_id.hex}"
            f"\t{caller_id.hex if caller_id else NULL}\t{facts.caller_withheld}"
            f"\t{tracking_id.hex if tracking_id else NULL}"
            f"\t{facts.direction._value_ if facts.direction else NULL}\t{rows.first_outcome(facts)}"
            f"\t{or_null(facts.seconds)}\t{text[facts.source]}\t{text[facts.campaign]}\t{text[facts.medium]}"
            f"\t{text[facts.landing_page]}\t{text[facts.keyword]}"
            f"\t{facts.country}\t{facts.region}\t{or_null(facts.first_call)}\t{or_null(facts.qualified)}"
            f"\t{or_null(facts.value_cents)}\t{array(facts.tags) if facts.tags else '{}'}"
            f"\t{rows.first_sequence(facts, way)}"
            f"\t{item.recording_id.hex if item.recording else NULL}"
            f"\t{f'\\\\x{item.recording.hex()}' if item.recording else NULL}\t{or_null(facts.recording_seconds)}\n"
        )
    return lines


def load_references(batch: Batch, items: Iterable[Item], ids: Mapping[int, uuid.UUID]) -> None:
    """What these calls are called by, under the ids that they have."""
    lines = [
        f"{ids[item.index].hex}\t{kind}\t\\\\x{digest.hex()}\n"
        for item in items
        if item.index in ids
        for kind, digest in item.references
    ]
    with connection.cursor() as cursor:
        fill(cursor, "intake_ref", lines)
