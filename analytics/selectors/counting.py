"""Clients of whom many calls wait to be counted: until then their reports tell less than what came."""

from collections.abc import Collection, Sequence
from typing import Final

from django.db import connection

WORDS: Final = (
    "Many calls wait to be counted, as after a file was brought or a rule was changed. That is done in the background,"
    " the newest first; until then the figures here are too low or old. Look again in a few minutes; if this still"
    " stands here in an hour, tell who runs the server."
)
_NAMED: Final = 5


def among(client_ids: Collection[int]) -> frozenset[int]:
    """
    Those of these clients, as far as the scope may see their reports or their calls, whose figures are wrong by more
    than what comes every minute: `analytics_counting` in the migrations says when. Ask before the figures are read:
    what is counted in between is in them then.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT analytics_counting(%s)", [list(client_ids)])
        return frozenset(client_id for (client_id,) in cursor.fetchall())


def said_of(names: Sequence[str]) -> str:
    """What a page says while many calls of these clients wait to be counted; "" where there are none."""
    if not names:
        return ""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{WORDS} This concerns {', '.join(names[:_NAMED])}{more}."
