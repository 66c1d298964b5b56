"""
Facts of a call that were said on the agency's own page, held against the calls of its clients by the job that searches.

A page of the agency reaches no client, and names none. So what was said waits, sealed, until the number is proven by a
code; then this job looks whether one of them had such a call. What it finds is a proof that holds or does not; whose
call it was is kept nowhere.
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from rights.enums import IdentityKind
from rights.models import Identity, Submission
from rights.selectors import words
from rights.services import deriving, proofs

JOB: Final = Actor.job("rights.search_people")

type Clock = Callable[[], datetime]


def check_waiting(*, agency_id: int, submission_id: uuid.UUID, clock: Clock) -> bool:
    """
    Check the facts of a request to the agency that nobody has checked; returns whether there were some.

    Called outside any scope; a second time finds nothing to do.
    """
    with job_scope(agency_id=agency_id):
        submission = Submission.objects.select_related("agency", "client").get(pk=submission_id)
        said = proofs.unchecked_facts(submission)
        if said is None:
            return False
        at = clock()
        clients = list(Client.objects.filter(agency_id=agency_id).order_by("pk"))
        fits = _fit(submission, clients, said, at)
        proofs.note_checked(submission=submission, holds=fits, by=JOB, at=at)
        return True


def _fit(submission: Submission, clients: Sequence[Client], said: tuple[date, str], at: datetime) -> bool:
    """Whether a number that is proven by a code had such a call at one of the clients. Every client is looked at."""
    key = words.key_of(submission)
    coded = proofs.coded_ids(submission)
    rows = Identity.objects.filter(submission=submission, kind=IdentityKind.PHONE, pk__in=coded)
    by_pk = {client.pk: client for client in clients}
    found = False
    for row in rows:
        known = deriving.callers(
            clients=clients,
            number=words.text(row.value, key),
            use="facts",
            at=at,
            submission=str(submission.pk),
            identity=str(row.pk),
        )
        for client_id, caller_id in known.items():
            found |= proofs.fits_call(by_pk[client_id], [caller_id], *said)
    return found
