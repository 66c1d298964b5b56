"""
The same backend, but for how a connection that was kept open is found fit for the next request, and for what is known
of a server without asking it.

A server that ends a connection says so on it, and nothing is ever said on one that rests. So it is enough to look
whether there is anything to read; only then, or after an error, the server is asked, which costs a request a way there
and back.
"""

import select

from django.db.backends.postgresql import base, features
from psycopg.pq import TransactionStatus


class DatabaseFeatures(features.DatabaseFeatures):
    """What PostgreSQL from 15 on can do: known without asking a server, so that checks of the code need none."""

    supports_virtual_generated_columns = False


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection to PostgreSQL."""

    features_class = DatabaseFeatures

    def is_usable(self) -> bool:
        """Whether the connection still leads to its server."""
        return self._rests() or bool(super().is_usable())

    def _rests(self) -> bool:
        """Whether it is open, idle, and nothing was said on it since its last statement ended well."""
        found = self.connection
        if found is None or found.closed or self.errors_occurred:
            return False
        if found.info.transaction_status != TransactionStatus.IDLE:
            return False
        poll = select.poll()
        poll.register(found.fileno(), select.POLLIN)
        return not poll.poll(0)
