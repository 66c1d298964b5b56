"""What a client says of itself, by which laws on requests reach it or not."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from rights.models import ClientFacts


@transaction.atomic
def set_facts(*, client: Client, said: Mapping[str, Any], by: Actor, at: datetime) -> ClientFacts:
    """
    Write down what a client said of itself. Requests that came in before keep the days they were given.

    :param said: the columns of `ClientFacts` by name; None, and a state that a mapping lacks, is not known.
    """
    row, _ = ClientFacts.objects.update_or_create(
        client=client,
        defaults={"agency_id": client.agency_id, **said, "set_by_id": by.user_id, "set_at": at},
    )
    known = sorted(name for name, value in said.items() if value not in (None, "", {}))
    audit.record("client_facts.set", subject=client, by=by, at=at, known=" ".join(known))
    return row
