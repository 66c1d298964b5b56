"""Requests about minors: said on the page, noted by staff or presumed from the trade, guardians show that they may."""

import uuid
from typing import Any

import pytest
from django.urls import reverse

from callprivacy.calls.models import Caller
from callprivacy.tenancy.enums import Answerer, Sector
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.services import minors
from rights.channels.links import Named
from rights.enums import Ask, CaseState, Decided, IdentityState, OnBehalf, ProofKind
from rights.models import Case, Identity, Submission
from rights.selectors import guardians
from rights.services import deciding, proofs
from rights.services.deciding import NotProvenError
from rights.views.requests import _file_step
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.rights import asking
from tests.rights.asking import ANNA, Office
from tests.scale import some

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(cast: Cast) -> Office:
    for client in (cast.dentist, cast.plumber):
        make.grant(cast.alice, client)
        asking.answered_by(client, Answerer.AGENCY)
        make.call(client, ANNA)
    return Office(cast)


def trade(client: Client, sector: Sector) -> Client:
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(sector=sector)
        return Client.objects.select_related("agency").get(pk=client.pk)


def searched(client: Client | None, cast: Cast, **facts: Any) -> Submission:
    submission = asking.asked(client, Ask.DELETE, agency=cast.acme, **facts)
    asking.prove(submission)
    asking.search(submission)
    with job_scope(agency_id=cast.acme.pk):
        return Submission.objects.select_related("client", "agency").get(pk=submission.pk)


def decide(cast: Cast, office: Office, submission: Submission) -> Case:
    case = asking.case_of(submission, Ask.DELETE)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    return asking.case_of(submission, Ask.DELETE)


def look_at(office: Office, submission: Submission) -> None:
    """Staff say what they saw of the person."""
    with job_scope(agency_id=submission.agency_id):
        identity = Identity.objects.select_related("submission").get(submission=submission)
        assert identity.state == IdentityState.PROVEN
    office.does(proofs.judge, identity=identity, holds=True, seen="A passport: of age.")
    asking.search(submission)


@pytest.mark.parametrize("sector", some([Sector.CHILDREN, Sector.PAEDIATRIC], one_in=2))
@pytest.mark.parametrize("asked_of", ["client", "agency"])
def test_a_trade_of_children_asks_for_a_guardian_or_that_one_is_of_age(
    cast: Cast, office: Office, sector: Sector, asked_of: str
) -> None:
    client = trade(cast.dentist, sector)
    submission = searched(client if asked_of == "client" else None, cast)
    with pytest.raises(NotProvenError, match="guardian"):
        decide(cast, office, submission)
    look_at(office, submission)
    assert decide(cast, office, submission).state == CaseState.DECIDED


def test_staff_note_on_the_page_that_who_is_proven_is_of_age(cast: Cast, office: Office) -> None:
    submission = searched(trade(cast.dentist, Sector.CHILDREN), cast)
    elsewhere = searched(cast.plumber, cast)
    with job_scope(agency_id=cast.acme.pk):
        row, other = (Identity.objects.get(submission=one) for one in (submission, elsewhere))
    page = reverse("rights:identity", args=[asking.case_of(submission, Ask.DELETE).pk, row.pk])
    there = reverse("rights:identity", args=[asking.case_of(elsewhere, Ask.DELETE).pk, other.pk])
    alice = signed_in(cast.alice)
    assert "Is it proven?" in alice.get(page).text
    assert "Is it proven?" not in alice.get(there).text, "nothing is wanted of them besides"

    alice.post(page, {"holds": "no", "seen": "A passport of somebody else."})
    with pytest.raises(NotProvenError, match="guardian"):
        decide(cast, office, submission)
    alice.post(page, {"holds": "yes", "seen": "A passport: of age.", "arrived_on": "2026-11-24"})
    asking.search(submission)
    assert decide(cast, office, submission).state == CaseState.DECIDED
    with job_scope(agency_id=cast.acme.pk):
        assert Identity.objects.get(pk=row.pk).state == IdentityState.PROVEN
    assert "Is it proven?" not in alice.get(page).text, "it is decided"


def test_elsewhere_nobody_is_asked(cast: Cast, office: Office) -> None:
    submission = searched(cast.dentist, cast)
    assert guardians.evidence_of(submission) is None
    assert decide(cast, office, submission).state == CaseState.DECIDED


def test_the_page_of_a_trade_of_children_takes_the_paper_and_says_why(cast: Cast, office: Office) -> None:
    client = trade(cast.dentist, Sector.CHILDREN)
    submission = asking.asked(client, Ask.DELETE)
    assert _file_step(submission) == "step_of_age"
    named = Named(agency_id=cast.acme.pk, client_id=client.pk, submission_id=submission.pk)
    with job_scope(agency_id=cast.acme.pk):
        cases = list(Case.objects.filter(submission=submission))
        assert proofs.needs(submission, cases, []).evidence is False
    proofs.hand_in(
        named=named, file_key=uuid.uuid4(), file_type="application/pdf", digest=b"d" * 32, at=make.NOON
    )
    with job_scope(agency_id=cast.acme.pk):
        assert proofs.needs(submission, cases, []).evidence is True
    # What merely refuses needs no proof, of nobody.
    no = asking.asked(client, Ask.DO_NOT_SELL)
    with job_scope(agency_id=cast.acme.pk):
        assert proofs.needs(no, list(Case.objects.filter(submission=no)), []).evidence is None


def test_who_says_on_the_page_that_it_is_about_a_minor_shows_that_they_may(
    cast: Cast, office: Office
) -> None:
    submission = searched(cast.dentist, cast, is_minor=True)
    assert guardians.evidence_of(submission) is ProofKind.GUARDIAN
    assert _file_step(submission) == "step_guardian"
    with pytest.raises(NotProvenError, match="guardian"):
        decide(cast, office, submission)


def test_what_staff_have_noted_counts_for_a_request(cast: Cast, office: Office) -> None:
    with job_scope(agency_id=cast.acme.pk):
        caller = Caller.objects.get(client=cast.dentist)
        minors.mark(client=cast.dentist, caller=caller, by=make.JOB, at=make.NOON)
    submission = searched(cast.dentist, cast)
    assert submission.is_minor
    with pytest.raises(NotProvenError, match="guardian"):
        decide(cast, office, submission)
    look_at(office, submission)
    assert decide(cast, office, submission).state == CaseState.DECIDED


def test_an_agent_still_shows_the_permission(cast: Cast) -> None:
    client = trade(cast.dentist, Sector.CHILDREN)
    submission = asking.asked(client, Ask.DELETE, on_behalf=OnBehalf.AGENT)
    assert guardians.evidence_of(submission) is ProofKind.PERMISSION
