"""Whose turn it is at a client: what writes calls, and what moves the line before which they are gone, wait here."""

from callprivacy.lib import statements


def lock_client(client_id: int) -> None:
    """
    Take a client's turn until the running transaction on `default` ends; waits for whoever has it.

    Who moves a watermark does it in its turn: every batch that was begun before is then either committed, or reads
    the new line. A writer holds its callers' keys while it waits, so nobody waits for callers in its turn.
    """
    with statements.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('callprivacy.calls.intake', %s))", [client_id]
        )
