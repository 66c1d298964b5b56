"""Builders of requests: what a person sends in, and the proof of it."""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency, Client, Engagement
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from rights.enums import Ask, Channel, IdentityKind, IdentityState, ProofKind
from rights.models import Case, Identity, Proof, Submission
from rights.selectors import words
from rights.services import cases, searching, working
from rights.services.cases import Claim, Contact
from tests import make
from tests.cast import Cast

ANNA = "+12125550101"
BEN = "+12125550102"
BY_PAGE = Actor.client("rights.portal")
PROVER = Actor.client("rights.proof")


def asked(
    of: Client | None,
    *asks: Ask,
    agency: Agency | None = None,
    numbers: Collection[str] = (ANNA,),
    at: datetime = make.NOON,
    **facts: Any,
) -> Submission:
    """What a person sends by the page of a client, or of an agency."""
    agency = agency or (of.agency if of else None)
    assert agency is not None
    with client_scope(agency_id=agency.pk, client_id=of.pk if of else 0):
        return cases.open_cases(
            agency=agency,
            client=of,
            asks=asks,
            channel=facts.pop("channel", Channel.PORTAL),
            claims=[Claim(IdentityKind.PHONE, number) for number in numbers],
            contact=facts.pop("contact", Contact(name="Anna", mail="anna@example.org")),
            received_at=facts.pop("received_at", at),
            by=BY_PAGE,
            at=at,
            **facts,
        )


def prove(
    submission: Submission,
    number: str = ANNA,
    *,
    at: datetime = make.NOON,
    kinds: Collection[ProofKind] = (ProofKind.FACTS, ProofKind.DECLARATION),
) -> Identity:
    """The number is proven by a code, and unless it says otherwise by two facts and a declaration."""

    with client_scope(agency_id=submission.agency_id, client_id=submission.client_id or 0):
        key = words.key_of(submission)
        rows = Identity.objects.filter(submission=submission)
        row = next(one for one in rows if words.text(one.value, key) == number)
        Identity.objects.filter(pk=row.pk).update(state=IdentityState.PROVEN, proven_at=at)
        Proof.objects.create(
            agency_id=row.agency_id, client_id=row.client_id, submission=submission, identity=row,
            kind=ProofKind.TEXT_CODE, holds=True, at=at, by=PROVER.name,
        )  # fmt: skip
        for kind in kinds:
            Proof.objects.create(
                agency_id=row.agency_id, client_id=row.client_id, submission=submission, kind=kind, holds=True,
                at=at, by=PROVER.name,
            )  # fmt: skip
        cases.note_proven(submission=submission, by=PROVER, at=at)
        row.refresh_from_db()
        return row


def search(submission: Submission, *, at: datetime = make.NOON) -> int:
    """Let the job look for the person."""
    return searching.search(agency_id=submission.agency_id, submission_id=submission.pk, clock=lambda: at)


def work(agency: Agency, *, at: datetime = make.NOON) -> int:
    """Let the job carry out what is due; returns how many steps it took up."""
    count = 0
    while working.work_next(agency_id=agency.pk, clock=lambda: at):
        count += 1
        assert count < 50
    return count


def answered_by(of: Client, answerer: str, **fields: Any) -> None:
    """Who answers a client's requests, by its engagement."""
    with job_scope(agency_id=of.agency_id):
        if not Engagement.objects.for_client(of).update(answered_by=answerer, **fields):
            Engagement.objects.create(agency_id=of.agency_id, client=of, answered_by=answerer, **fields)


def case_of(submission: Submission, ask: Ask) -> Case:
    """The case of one thing asked for, as it stands now."""
    with job_scope(agency_id=submission.agency_id):
        return Case.objects.select_related(
            "submission__agency", "submission__client", "client__agency", "agency"
        ).get(submission=submission, asks=ask)


def seen(page: str) -> str:
    """What a page has shown of an erasure, as its form sends it along."""
    found = re.search(r'name="shown" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


class Office:
    """Alice at work: deeds of an officer, each in a scope of her own."""

    def __init__(self, cast: Cast, *, at: datetime = make.NOON) -> None:
        self.at = at
        self.scope = {"agency_id": cast.acme.pk, "user_id": cast.alice.user_id}
        self.by = Actor.staff(user_id=cast.alice.user_id)

    def does(self, deed: Any, **facts: Any) -> Any:
        """One deed at the office's own time, unless it says when."""
        with staff_scope(**self.scope):
            return deed(by=self.by, at=facts.pop("at", self.at), **facts)
