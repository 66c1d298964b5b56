"""What is known about people before and inside a scope."""

from __future__ import annotations

from django.db import connection


def agency_ids_of_user(user_id: int) -> list[int]:
    """Ids of the agencies in which a person is active, oldest first; it needs no scope."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT agency_id FROM agencies_of_user(%s) AS agency_id ORDER BY 1",
            [user_id],
        )
        return [row[0] for row in cursor.fetchall()]
