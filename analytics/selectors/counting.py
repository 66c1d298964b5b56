"""Clients of whom many calls wait to be counted: until then their reports tell less than what came."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db import connection

WORDS: Final = (
    "Many calls wait to be counted, as after a file was brought or a rule was changed. That is done in the background,"
    " the newest first; until then the figures here are too low or old. Look again in a few minutes."
)


def among(client_ids: Collection[int]) -> frozenset[int]:
    """
    Those of these clients, as far as the scope may see their reports, of whom a hundred hours wait, or ten where none
    was counted yet. Fewer are not told: one person's no, or call, has the hours of that person's calls counted anew.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT analytics_counting(%s)", [list(client_ids)])
        return frozenset(client_id for (client_id,) in cursor.fetchall())
