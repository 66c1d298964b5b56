"""The shape of every row of a request: of one client, or of the agency itself where no client is named yet."""

from django.db import models

from callprivacy.tenancy.models import AgencyOwned, Client


class Held(AgencyOwned):
    """
    A row of a client's request, or of one that the agency itself got.

    `client` is empty while no client may be named: a processor names none before it is proven who asks and a client
    has instructed it. Who is granted HANDLE_REQUESTS sees a client's rows, who signs off the agency's own; a page of
    the agency (the scope of client 0) reaches the agency's own alone. In the database each row carries its holder, a
    column that PostgreSQL fills; foreign keys between such rows carry it too, so that none leads from one to another.
    """

    client = models.ForeignKey(
        Client, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )

    class Meta(AgencyOwned.Meta):
        abstract = True

    @property
    def holder_id(self) -> int:
        """Under whose keys what belongs to the row is sealed: the client's, or the agency's own."""
        return -self.agency_id if self.client_id is None else self.client_id
