"""A number that changed hands: an erasure for today's holder leaves the calls of whoever had it before."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from callprivacy.calls.models import Call, Caller
from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from consent.enums import Channel, EventKind, Purpose, Strength
from consent.models import Reply
from consent.services import ledger
from consent.services.ledger import Said
from rights.enums import Ask, Copies, Decided, IdentityState
from rights.models import Case, Finding, Identity, Submission
from rights.selectors import letters, reach
from rights.services import deciding, proofs
from rights.services.proofs import settling
from tests import make
from tests.cast import Cast
from tests.rights import asking
from tests.rights.asking import ANNA, Office

pytestmark = pytest.mark.django_db

LATER = make.NOON + timedelta(hours=1)
HANDED = make.NOON - timedelta(days=30)
BEFORE, AFTER = HANDED - timedelta(days=5), HANDED + timedelta(days=5)


@pytest.fixture
def office(cast: Cast) -> Office:
    make.grant(cast.alice, cast.dentist)
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    for at in (BEFORE, AFTER):
        make.call(cast.dentist, ANNA, at=at)
    return Office(cast)


def handed_over(client: Client, at: datetime = HANDED) -> None:
    """The client has learnt that the number belongs to somebody else since."""
    caller_id = vault.find_callers([client.pk], ANNA)[client.pk]
    fact = Said(
        purpose=Purpose.CONTACT, kind=EventKind.INVALIDATED, channel=Channel.OFFICER, strength=Strength.B,
        happened_at=at, source="reassigned", caller_id=caller_id,
    )  # fmt: skip
    with job_scope(agency_id=client.agency_id):
        ledger.record_events(client=client, said=[fact], by=make.JOB, at=make.NOON)


def proven(cast: Cast, of: Client | None) -> Submission:
    """Today's holder asks to be erased, and has typed the code."""
    submission = asking.asked(of, Ask.DELETE, agency=cast.acme)
    identity = asking.prove(submission)
    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.select_related("submission").get(pk=identity.pk)
        settling.prove(identity.submission, identity, by=asking.PROVER, at=make.NOON)
    asking.search(submission)
    return submission


def erased(cast: Cast, office: Office, submission: Submission) -> Case:
    case = asking.case_of(submission, Ask.DELETE)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(cast.acme, at=LATER)
    return asking.case_of(submission, Ask.DELETE)


def left(cast: Cast) -> list[datetime]:
    with job_scope(agency_id=cast.acme.pk):
        return [call.started_at for call in Call.objects.for_client(cast.dentist).order_by("pk")]


@pytest.mark.parametrize("by_agency", [False, True])
def test_calls_of_the_earlier_holder_stay_with_the_number_and_the_letter_says_so(
    cast: Cast, office: Office, *, by_agency: bool
) -> None:
    handed_over(cast.dentist)
    caller_id = vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk]
    with job_scope(agency_id=cast.acme.pk):
        for number, at in enumerate((BEFORE, AFTER)):
            Reply.objects.create(
                agency_id=cast.acme.pk, client=cast.dentist, caller_id=caller_id, channel=Channel.SMS,
                received_at=at, message_digest=bytes([number]) * 32, label="none", why="", state="done",
                purge_at=make.NOON + timedelta(days=90),
            )  # fmt: skip
    submission = proven(cast, None if by_agency else cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        (preview,) = reach.preview(reach.targets_of(asking.case_of(submission, Ask.DELETE)), at=make.NOON)
    assert (preview.calls, preview.of_others, preview.is_whole) == (1, 1, False)

    case = erased(cast, office, submission)

    assert left(cast) == [BEFORE]
    with job_scope(agency_id=cast.acme.pk):
        assert Caller.objects.filter(pk=caller_id).exists()
        assert list(Reply.objects.values_list("received_at", flat=True)) == [BEFORE]
        row = Finding.objects.get(submission=submission, copies=Copies.CALLS)
        assert (row.erased, row.kept, row.kept_why) == (1, 1, "others")
        facts = letters.facts_of(case)
    assert (
        "Records of calls: 1. It is from before the number was yours, as far as is known." in facts["stays"]
    )
    assert "Records of calls: 1" in facts["done"]


def test_once_a_person_has_said_whose_they_are_they_leave_as_well(cast: Cast, office: Office) -> None:
    handed_over(cast.dentist)
    submission = proven(cast, cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.select_related("submission").get(submission=submission)
        assert (identity.state, identity.others_until) == (IdentityState.PROVEN, HANDED)
    office.does(
        proofs.show_older, identity=identity, since=BEFORE - timedelta(days=1), seen="Bills of both years."
    )
    erased(cast, office, submission)
    assert left(cast) == []


def test_where_nobody_knows_of_a_change_everything_leaves_however_old(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA, at=make.NOON - timedelta(days=500))
    erased(cast, office, proven(cast, cast.dentist))
    assert left(cast) == []
