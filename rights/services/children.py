"""
What the agency's own request becomes at clients for which it does not answer by itself.

The engagement says whose request it is: a processor acts as instructed, or hands over. Where a proven person is known
to such a client, that client gets a request of its own, with what was said and what was proven under its own keys, and
the same clock from the first receipt. The person is not told which client that is: the client answers, or agrees first.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db import transaction

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.vault.sealing import Key
from rights.enums import Ask, EventKind, IdentityState
from rights.models import Case, Finding, Identity, Proof, Submission
from rights.selectors import reach, words
from rights.services import cases, sealing, timeline

JOB: Final = Actor.job("rights.search_people")


@transaction.atomic
def open_for_clients(*, submission: Submission, at: datetime) -> list[Submission]:
    """
    Open a client's own request for each client that was found and answers, or agrees, itself; once each.

    In the scope of a job, after the search of an agency's own submission. What takes effect at once has done so before.
    """
    if submission.client_id is not None:
        return []
    rows = list(Case.objects.filter(submission=submission).open().select_related("submission").order_by("pk"))
    asks = [Ask(case.asks) for case in rows if not Ask(case.asks).works_at_once]
    if not asks:
        return []
    there = set(Submission.objects.filter(parent=submission).values_list("client_id", flat=True))
    key = words.key_of(submission)
    made = [
        _open(submission, client, asks, key, at)
        for client in reach.others_of(rows[0])
        if client.pk not in there and key is not None
    ]
    for case in rows if made else ():
        timeline.add_event(
            "case.given_to_clients",
            case=case,
            kind=EventKind.GIVEN_TO_CLIENTS,
            by=JOB,
            at=at,
            clients=len(made),
        )
    return made


def _open(parent: Submission, client: Client, asks: list[Ask], key: Key | None, at: datetime) -> Submission:
    child = Submission(
        agency_id=parent.agency_id,
        client=client,
        parent=parent,
        channel=parent.channel,
        on_behalf=parent.on_behalf,
        is_minor=parent.is_minor,
        language=parent.language,
        country=parent.country,
        region=parent.region,
        place_by=parent.place_by,
        received_at=parent.received_at,
        said_at=parent.said_at,
        recorded_at=at,
        recorded_by_id=parent.recorded_by_id,
    )
    own = sealing.key_of(submission=child, at=at)
    child.contact = sealing.seal(child, "contact", words.record(parent.contact, key), own)
    if parent.words is not None:
        child.words = sealing.seal(child, "words", words.text(parent.words, key), own)
    child.save(force_insert=True)
    identities = _identities(parent, child, key, own)
    _proofs(parent, child, identities, key, own)
    cases.open_more(submission=child, asks=asks, by=JOB, at=at)
    proven = Case.objects.filter(submission=parent, identified_at__isnull=False).order_by("identified_at")
    first = proven.values_list("identified_at", flat=True).first()
    cases.note_proven(submission=child, by=JOB, at=at, proven_at=first)
    return child


def _identities(
    parent: Submission, child: Submission, key: Key | None, own: Key
) -> dict[uuid.UUID, Identity]:
    """Those that are proven and known to this client, under its own key; by the id of the first."""
    found = dict(
        Finding.objects.filter(submission=parent, client=child.client).values_list("identity_id", "caller_id")
    )
    made: dict[uuid.UUID, Identity] = {}
    for row in Identity.objects.filter(submission=parent, state=IdentityState.PROVEN, pk__in=list(found)):
        copy = Identity(
            agency_id=child.agency_id,
            client_id=child.client_id,
            submission=child,
            kind=row.kind,
            state=row.state,
            caller_id=found[row.pk],
            from_at=row.from_at,
            others_until=row.others_until,
            claimed_at=row.claimed_at,
            proven_at=row.proven_at,
        )
        copy.value = sealing.seal(copy, "value", words.text(row.value, key), own)
        made[row.pk] = copy
    Identity.objects.bulk_create(made.values())
    return made


def _proofs(
    parent: Submission, child: Submission, identities: Mapping[uuid.UUID, Identity], key: Key | None, own: Key
) -> None:
    """What was shown; files stay with the agency's request, which the timeline names."""
    made = []
    for row in Proof.objects.filter(submission=parent).order_by("at"):
        if row.identity_id is not None and row.identity_id not in identities:
            continue
        copy = Proof(
            agency_id=child.agency_id,
            client_id=child.client_id,
            submission=child,
            identity=identities[row.identity_id] if row.identity_id is not None else None,
            kind=row.kind,
            holds=row.holds,
            at=row.at,
            user_id=row.user_id,
            by=row.by,
        )
        if row.evidence is not None:
            copy.evidence = sealing.seal(copy, "evidence", words.text(row.evidence, key), own)
        made.append(copy)
    Proof.objects.bulk_create(made)
