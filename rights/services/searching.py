"""
The search for a person: which clients know a proven number, and what is held there.

Tokens are derived (`deriving`) only for an identity that was proven in a request. What is found stands in `Finding`,
one line a client, identity and category; clients are looked at in bounded batches, each a transaction, so that a search
that is killed goes on where it was. Whoever proves another identity meanwhile sets the search due anew: the one that
runs sees by the date which it wrote itself that it has to stop, and the next one looks for all of them.
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.models import MinorMark
from rights.enums import Copies, EventKind, IdentityKind, IdentityState
from rights.models import Case, Finding, Identity, Submission
from rights.selectors import findings, words
from rights.services import children, deriving, facts, restricting, timeline

log = logger(__name__)

JOB: Final = Actor.job("rights.search_people")
BATCH: Final = 50
"""Clients that one transaction looks at."""
LEASE: Final = timedelta(minutes=5)
_LONGEST_WAIT: Final = timedelta(hours=6)

type Clock = Callable[[], datetime]


class NotProvenError(LookupError):
    """Nothing in the submission is proven, so nothing is looked for."""


def claim(*, agency_id: int, at: datetime) -> uuid.UUID | None:
    """Claim the next submission that is to be searched for, for five minutes. Enters the agency's scope itself."""
    with job_scope(agency_id=agency_id):
        row = (
            Submission.objects.filter(agency_id=agency_id)
            .to_search(at)
            .select_for_update(skip_locked=True)
            .order_by("search_due_at", "pk")
            .first()
        )
        if row is None:
            return None
        wait = min(LEASE * 2 ** min(row.search_failures, 8), _LONGEST_WAIT)
        Submission.objects.filter(pk=row.pk).update(
            search_due_at=at + wait, search_failures=row.search_failures + 1
        )
        return row.pk


def search(*, agency_id: int, submission_id: uuid.UUID, clock: Clock) -> int:
    """
    Look for everything about the proven identities of a submission; returns how many lines were found.

    At the client that it was sent to, or at every client of the agency. Called outside any scope; may be repeated.
    Where it is to be done anew before it has ended, it stops there and stays due.

    :raises NotProvenError: nothing is proven; the search is taken off.
    """
    facts.check_waiting(agency_id=agency_id, submission_id=submission_id, clock=clock)
    with job_scope(agency_id=agency_id):
        # Held before the proven ones are read, so that whoever proves another one later moves the date of below.
        rows = Submission.objects.select_related("client", "agency")
        submission = rows.select_for_update(no_key=True, of=("self",)).get(pk=submission_id)
        proven = _proven(submission)
        clients = _clients(submission)
        if not proven:
            Submission.objects.filter(pk=submission.pk).update(search_due_at=None)
            raise NotProvenError("Nothing is proven yet.")
        Finding.objects.filter(submission=submission).remove()
        due = clock() + LEASE
        Submission.objects.filter(pk=submission.pk).update(
            search_total=len(clients), search_done=0, search_due_at=due
        )
    lines = 0
    for number, batch in enumerate(batched(clients, BATCH), 1):
        with job_scope(agency_id=agency_id):
            lines += _search_at(submission, batch, proven, clock())
            mine = Submission.objects.filter(pk=submission.pk, search_due_at=due)
            due = clock() + LEASE
            done = min(number * BATCH, len(clients))
            if not mine.update(search_done=done, search_due_at=due):
                return lines
    with job_scope(agency_id=agency_id):
        at = clock()
        mine = Submission.objects.filter(pk=submission.pk, search_due_at=due)
        if not mine.update(search_due_at=None, searched_at=at, search_failures=0):
            return lines
        children.open_for_clients(submission=submission, at=at)
        if not submission.is_minor and _is_known_minor(submission):
            # So that a guardian's evidence is asked for here, too; the marks are there already.
            Submission.objects.filter(pk=submission.pk).update(is_minor=True)
        elif submission.is_minor:
            first = Case.objects.filter(submission=submission).order_by("pk").first()
            if first is not None:
                restricting.mark_minors(case=first, by=JOB, at=at)
        known = Finding.objects.filter(submission=submission).values("client_id").distinct().count()
        for case in Case.objects.filter(submission=submission).open().select_related("submission"):
            timeline.add_event(
                "case.searched",
                case=case,
                kind=EventKind.SEARCHED,
                by=JOB,
                at=at,
                clients=len(clients),
                known=known,
                lines=lines,
            )
    return lines


def _is_known_minor(submission: Submission) -> bool:
    """Whether staff of a client have noted that one of those whom it is about is a minor."""
    found = Finding.objects.filter(submission=submission, copies=Copies.IDENTITY)
    return MinorMark.objects.filter(caller_id__in=list(found.values_list("caller_id", flat=True))).exists()


def _clients(submission: Submission) -> list[Client]:
    if submission.client is not None:
        return [submission.client]
    return list(Client.objects.filter(agency_id=submission.agency_id).order_by("pk"))


def _proven(submission: Submission) -> list[tuple[Identity, str]]:
    """The proven identities with what they are, in the clear for the search alone."""
    key = words.key_of(submission)
    rows = Identity.objects.filter(submission=submission, state=IdentityState.PROVEN).order_by("pk")
    return [(row, words.text(row.value, key)) for row in rows]


def _search_at(
    submission: Submission, clients: Sequence[Client], proven: Sequence[tuple[Identity, str]], at: datetime
) -> int:
    """Some clients, in one transaction: derive, count, write down."""
    owners: dict[findings.Pair, Identity] = {}
    for identity, value in proven:
        for client_id, caller_id in _callers(submission, clients, identity, value, at).items():
            owners.setdefault((client_id, caller_id), identity)
    counted = findings.count(list(owners), submission_id=submission.pk)
    rows = [
        Finding(
            agency_id=submission.agency_id,
            client_id=client_id,
            submission=submission,
            identity=owners[client_id, caller_id],
            caller_id=caller_id,
            copies=copies,
            count=line.count,
            detail=line.detail,
            oldest_at=line.oldest_at,
            newest_at=line.newest_at,
            found_at=at,
        )
        for (client_id, caller_id), lines in counted.items()
        for copies, line in lines.items()
        if line.count or line.detail
    ]
    rows += _lone_lines(submission, proven, at)
    Finding.objects.bulk_create(rows, batch_size=1_000)
    if submission.client_id is not None:
        for (_, caller_id), identity in owners.items():
            Identity.objects.filter(pk=identity.pk).update(caller_id=caller_id)
    return len(rows)


def _lone_lines(
    submission: Submission, proven: Sequence[tuple[Identity, str]], at: datetime
) -> list[Finding]:
    """Lines of withheld calls that somebody has found: the call, its recording, its words."""
    ids = {identity.call_id: identity for identity, _ in proven if identity.call_id is not None}
    if submission.client is None or not ids:
        return []
    return [
        Finding(
            agency_id=submission.agency_id,
            client_id=submission.client.pk,
            submission=submission,
            identity=ids[call_id],
            copies=copies,
            count=1,
            oldest_at=started_at,
            newest_at=started_at,
            found_at=at,
        )
        for call_id, copies, started_at in findings.of_lone_calls(submission.client, list(ids))
    ]


def _callers(
    submission: Submission, clients: Sequence[Client], identity: Identity, value: str, at: datetime
) -> dict[int, uuid.UUID]:
    """Client id -> the caller that an identity is there. Each derivation of a token is written down, found or not."""
    if identity.kind != IdentityKind.PHONE:
        # A withheld call's caller, and who an address belongs to, is what a person has found and noted.
        known = identity.caller_id
        return {client.pk: known for client in clients} if known and submission.client_id else {}
    return deriving.callers(
        clients=clients,
        number=value,
        use="search",
        at=at,
        submission=str(submission.pk),
        identity=str(identity.pk),
    )
