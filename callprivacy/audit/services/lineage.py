"""
Whether `default` and `vault` are of one age, or one of them was restored from an old copy.

`default` counts its beats. A count is committed there before the vault hears of it, and the vault's note is committed
before `default` writes down that it was heard. So whatever a crash cuts off, `default` is never behind the vault, nor
the vault behind what was confirmed; a copy that is put back is. And `default` notes its newest transaction: one that
this server has not come to was another server's, and what it writes now would stand in the trail before what is sealed.
See docs/adr/0151.
"""

# ruff: noqa: S608  what is put into SQL are constants of this module

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.db import DatabaseError, connection, transaction

from callprivacy.audit.models import Pulse
from callprivacy.lib.logs import logger
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault

log = logger(__name__)

_EVERY: Final = timedelta(minutes=5)
_ASK_AGAIN: Final = 10.0
_ASK_AGAIN_SOON: Final = 2.0

# Whoever sees the row sees its transaction done, unless it is this one, or another server's.
_IDS_START_OVER: Final = (
    "coalesce(xid_epoch = audit_current_epoch() AND NOT pg_visible_in_snapshot(xid, pg_current_snapshot())"
    " AND xid IS DISTINCT FROM pg_current_xact_id_if_assigned(), false)"
)
_NEWEST: Final = (
    # Of one epoch it never goes back, so that nothing hides that ids did.
    "xid = greatest(CASE WHEN xid_epoch = audit_current_epoch() THEN xid END, pg_current_xact_id()),"
    " xid_epoch = audit_current_epoch()"
)


class Lineage(StrEnum):
    """How the two databases stand to each other."""

    SAME = "same"
    DEFAULT_OLDER = "default_older"
    VAULT_OLDER = "vault_older"
    CARRIED = "carried"
    UNKNOWN = "unknown"


class NotTogetherError(RuntimeError):
    """A database was put back or carried here by a copy, and nothing may work before that is made good."""


WORDS: Final = {
    Lineage.DEFAULT_OLDER: "The database was restored from an old copy. Run: manage.py after_restore.",
    Lineage.VAULT_OLDER: (
        "The vault is older than the database, or another one. See that VAULT_DATABASE_URL names the right one, and put"
        " its newest dump back; then run manage.py after_restore, which says what it does not open."
    ),
    Lineage.CARRIED: (
        "The databases were carried here by a dump, and this server's transaction ids start over: whatever is written"
        " now stands in the trail before what is sealed. Stop web, worker and beat, then run: manage.py after_restore."
    ),
}


@dataclass(slots=True)
class _Remembered:
    lineage: Lineage = Lineage.UNKNOWN
    until: float = 0.0


remembered = _Remembered()
"""What this process was told last, and until when it is not asked again (`time.monotonic`)."""


def lineage() -> Lineage:
    """
    Ask both databases. Reads in the order in which no beat of somebody else looks like a restore.

    :raises DatabaseError: one of them does not answer.
    """
    _, confirmed, is_carried = _read()
    noted = vault_selectors.pulse()
    if noted < confirmed:
        return Lineage.VAULT_OLDER
    if _read()[0] < noted:
        return Lineage.DEFAULT_OLDER
    return Lineage.CARRIED if is_carried else Lineage.SAME


def restored_at() -> datetime | None:
    """When one of the two was last put back from an old copy and made good; None where none ever was. No scope."""
    return Pulse.objects.values_list("restored_at", flat=True).first()


def known() -> Lineage:
    """Return how they stand, asked at most every few seconds; UNKNOWN while they cannot be asked."""
    now = time.monotonic()
    if now < remembered.until:
        return remembered.lineage
    try:
        found = lineage()
    except DatabaseError:
        # Who was fine a moment ago is not restored by a line that fell: whatever is asked next fails by itself.
        return remembered.lineage
    if found is not Lineage.SAME:
        log.error("lineage.not_together", lineage=found.value)
    if found is Lineage.CARRIED:
        with suppress(DatabaseError):
            note_carried()
    remembered.lineage = found
    remembered.until = now + (_ASK_AGAIN if found is Lineage.SAME else _ASK_AGAIN_SOON)
    return found


def require_together() -> None:
    """
    Refuse to go on where one database is older than the other, or both were carried here.

    :raises NotTogetherError: it is; the text says what to run.
    """
    found = known()
    if found in WORDS:
        raise NotTogetherError(WORDS[found])


def _read() -> tuple[int, int, bool]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count, confirmed, is_carried OR {_IDS_START_OVER} FROM audit_pulse")
        row: tuple[int, int, bool] | None = cursor.fetchone()
    return (-1, 0, False) if row is None else row


def beat(*, at: datetime | None = None) -> bool:
    """
    Count one beat, in both databases; False where one is older than the other, and then nothing is counted.

    Called outside any transaction. A crash in the middle is no harm: the next beat counts on.

    :param at: count to this instant's five minutes (since 1970), once; without it, one further in any case.
    """
    to = 0 if at is None else int(at.timestamp() // _EVERY.total_seconds())
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = on")
        noted = vault_selectors.pulse()
        cursor.execute(
            # Where both were carried here, the epoch that was begun for it is not made good yet.
            f"UPDATE audit_pulse SET count = greatest(count + %s, %s), {_NEWEST},"
            " epoch = CASE WHEN is_carried THEN epoch ELSE audit_current_epoch() END"
            " WHERE count >= %s AND confirmed <= %s RETURNING count",
            [1 if at is None else 0, to, noted, noted],
        )
        row: tuple[int] | None = cursor.fetchone()
    if row is None:
        return False
    _tell_the_vault(row[0])
    return True


def note_newest() -> None:
    """Note the newest transaction that seals may rest on: this one. Outside any transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE audit_pulse SET {_NEWEST}")


def note_carried(*, sealed_in: int | None = None) -> None:
    """
    Keep that ids start over until `join_again`, also once this server's have come to where the other one's were.

    :param sealed_in: the epoch of a seal that goes up to transactions which this server has not come to; nothing is
        noted where a later one has begun. Without it: only where the row says so itself.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_pulse SET is_carried = true WHERE NOT is_carried AND"
            f" (coalesce(%s >= audit_current_epoch(), false) OR {_IDS_START_OVER})",
            [sealed_in],
        )
    if sealed_in is not None:
        remembered.until = 0.0


def epoch_has_begun() -> bool:
    """Whether the trail has a later epoch than at the last beat: a restore was declared, and not yet made good."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_current_epoch() > epoch FROM audit_pulse")
        row: tuple[bool] | None = cursor.fetchone()
    return row is not None and row[0]


def join_again(*, at: datetime) -> None:
    """
    Count on from the higher of the two: what an old copy brought back is made good. Outside any transaction.

    Where one of the two is older, that it was put back is noted with this instant.
    """
    is_older = lineage() in {Lineage.DEFAULT_OLDER, Lineage.VAULT_OLDER}
    noted = vault_selectors.pulse()
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = on")
        cursor.execute(
            "INSERT INTO audit_pulse (id, count, confirmed, epoch, xid, xid_epoch, restored_at)"
            " VALUES (1, %s + 1, 0, audit_current_epoch(), pg_current_xact_id(), audit_current_epoch(), %s)"
            " ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, xid = excluded.xid,"
            " xid_epoch = excluded.xid_epoch, is_carried = false,"
            " restored_at = coalesce(excluded.restored_at, audit_pulse.restored_at),"
            " count = greatest(audit_pulse.count, audit_pulse.confirmed, %s) + 1 RETURNING count",
            [noted, at if is_older else None, noted],
        )
        count: int = cursor.fetchone()[0]
    _tell_the_vault(count)
    remembered.until = 0.0


def _tell_the_vault(count: int) -> None:
    vault.note_pulse(count)
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("UPDATE audit_pulse SET confirmed = greatest(confirmed, %s)", [count])
