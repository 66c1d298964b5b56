"""Backups of the two databases: how long a copy of the vault may live, and from when on none opens what was erased."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

VAULT_KEPT_FOR: Final = timedelta(days=14)
"""The longest that a copy of the vault lives, and the key of its day with it."""


def no_copy_opens_after(at: datetime) -> date:
    """
    Return the first day (UTC) on which no copy of the vault is left that opens what was destroyed at `at`.

    A copy that was begun just before that instant still holds the keys. It is removed once it is `VAULT_KEPT_FOR`
    old, by the next pass, which is at most an hour away: the day after that is safe.
    """
    return (at + VAULT_KEPT_FOR).astimezone(UTC).date() + timedelta(days=1)
