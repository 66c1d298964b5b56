"""
The one place that derives a person's tokens over many clients: for a request of that person, and never unwritten.

Numbers are no one's across clients, each client has tokens of its own. The vault derives them over several clients in a
job's scope for this job alone, and here each derivation is an event of the trail under the client's name, whether the
number is known there or not, in the transaction that derives.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from callprivacy.audit import services as audit
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault


def callers(
    *, clients: Sequence[Client], number: str, use: str, at: datetime, **asked: str
) -> dict[int, uuid.UUID]:
    """
    Client id -> the caller that a number (E.164) is there. In a job's scope.

    :param use: for what, as the trail says it. :param asked: ids of what was asked: the submission, the case.
    """
    for client in clients:
        audit.record("token.derived", subject=client, by=vault.DERIVER, at=at, use=use, **asked)  # type: ignore[arg-type]  # no detail is named so
    return vault.derive_callers([client.pk for client in clients], number, by=vault.DERIVER)
