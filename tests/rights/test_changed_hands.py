"""A number that changed hands: an erasure for today's holder leaves the calls of whoever had it before."""

from datetime import date, datetime, timedelta

import pytest
from django.urls import reverse

from analytics.models import Touched
from analytics.selectors import releasable
from callprivacy.calls.models import Call, Caller
from callprivacy.calls.selectors import calls as calls_selectors
from callprivacy.calls.selectors.calls import CallFilters
from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import selectors as vault
from consent.enums import Channel, EventKind, Language, Purpose, Strength
from consent.models import Reply
from consent.selectors import decisions
from consent.services import ledger, withdrawals
from consent.services.ledger import Said
from retention.enums import Category
from retention.selectors import samples
from retention.targets import Line
from rights.enums import Ask, Copies, Decided, IdentityState, StepKind
from rights.models import Case, Finding, Identity, Step, Submission
from rights.selectors import letters, reach
from rights.services import deciding, proofs, restricting
from rights.services.proofs import settling
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.rights import asking
from tests.rights.asking import ANNA, Office
from tests.scale import some

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


@pytest.mark.parametrize("by_agency", some([False, True], one_in=2))
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


def given_as(cast: Cast, office: Office, ask: Ask) -> Case:
    """Today's holder asks for something, proves the number, and it is decided and done."""
    submission = asking.asked(cast.dentist, ask)
    identity = asking.prove(submission)
    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.select_related("submission").get(pk=identity.pk)
        settling.prove(identity.submission, identity, by=asking.PROVER, at=make.NOON)
    asking.search(submission)
    case = asking.case_of(submission, ask)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(cast.acme, at=LATER)
    withdrawals.carry_out(agency_id=cast.acme.pk, at=LATER)
    asking.work(cast.acme, at=LATER + timedelta(minutes=2))
    return asking.case_of(submission, ask)


def listed(cast: Cast) -> list[datetime]:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        page = calls_selectors.call_page([cast.dentist], CallFilters(), zone="UTC", before=None, size=50)
        return sorted(call.started_at for call in page.calls)


def counted(cast: Cast) -> list[datetime]:
    with job_scope(agency_id=cast.acme.pk):
        rows = decisions.calls_open_to(cast.dentist, Purpose.MEASURE, at=LATER).order_by("pk")
        return [row.started_at for row in rows]


def released(cast: Cast) -> list[datetime]:
    with job_scope(agency_id=cast.acme.pk):
        rows = releasable.calls_for_release(
            cast.dentist, from_on=date(2026, 9, 1), until_on=date(2026, 12, 1), at=LATER
        )
        return [row.started_at for row in rows.order_by("pk")]


def withheld(cast: Cast) -> list[bool]:
    """Which calls a preview of what leaves next does not show."""
    with job_scope(agency_id=cast.acme.pk):
        rows = samples.sample(Line(cast.dentist, LATER, LATER, LATER), Category.CALL).rows
        return sorted(row.name == samples.RESTRICTED for row in rows)


@pytest.mark.thorough
def test_a_restriction_leaves_the_calls_of_the_earlier_holder_in_use_and_says_so(
    cast: Cast, office: Office
) -> None:
    handed_over(cast.dentist)
    case = given_as(cast, office, Ask.RESTRICT)

    assert (listed(cast), counted(cast), released(cast)) == ([BEFORE], [BEFORE], [BEFORE])
    assert withheld(cast) == [False, True]
    with job_scope(agency_id=cast.acme.pk):
        assert reach.others_stay(reach.targets_of(case)) == 1
        stays = letters.facts_of(case)["stays"]
        (before, _) = Call.objects.for_client(cast.dentist).order_by("pk")
    assert "Records of calls: 1. It is from before the number was yours, as far as is known." in stays
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert calls_selectors.find_call(cast.dentist, before.pk) is not None
    assert office.does(restricting.lift, case=case, at=LATER) == 1
    assert listed(cast) == [BEFORE, AFTER]


def test_a_restriction_that_is_shown_to_be_of_all_calls_reaches_further_and_never_less(
    cast: Cast, office: Office
) -> None:
    handed_over(cast.dentist)
    given_as(cast, office, Ask.RESTRICT)
    caller_id = vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk]
    for since, new, left in ((None, True, []), (HANDED, False, []), (None, False, [])):
        with job_scope(agency_id=cast.acme.pk):
            Touched.objects.filter(client=cast.dentist).remove()
            assert (
                restricting.restrict(
                    client=cast.dentist, caller_id=caller_id, since=since, by=make.JOB, at=LATER
                )
                is new
            )
            # What was counted of the calls is counted anew.
            assert Touched.objects.filter(client=cast.dentist).exists() is new
        assert listed(cast) == counted(cast) == left


def test_a_restriction_that_holds_reaches_further_once_staff_have_said_whose_the_older_calls_are(
    cast: Cast, office: Office
) -> None:
    handed_over(cast.dentist)
    case = given_as(cast, office, Ask.RESTRICT)
    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.get(submission=case.submission)
    page = reverse("rights:identity", args=[case.pk, identity.pk])
    browser = signed_in(cast.alice)
    assert "are not restricted" in browser.get(page).text
    said = {"since": (BEFORE - timedelta(days=1)).date().isoformat(), "seen": "Bills of both years."}
    late = said | {"since": (AFTER + timedelta(days=1)).date().isoformat()}
    assert browser.post(f"{page}older/", late).status_code == 422
    assert browser.post(f"{page}older/", said).status_code == 302
    asking.work(cast.acme, at=make.now())

    assert (listed(cast), counted(cast)) == ([], [])
    with job_scope(agency_id=cast.acme.pk):
        row = Finding.objects.get(submission=case.submission, copies=Copies.CALLS)
        assert (row.kept, row.kept_why) == (0, "")
        assert "stays" not in letters.facts_of(asking.case_of(case.submission, Ask.RESTRICT))
    assert "are not restricted" not in browser.get(page).text
    assert office.does(restricting.lift, case=case, at=LATER) == 1
    assert listed(cast) == [BEFORE, AFTER]


@pytest.mark.thorough
def test_a_restriction_that_ended_reaches_no_further(cast: Cast, office: Office) -> None:
    handed_over(cast.dentist)
    case = given_as(cast, office, Ask.RESTRICT)
    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.select_related("submission").get(submission=case.submission)
        Step.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, case=case, kind=StepKind.LIFT, created_at=LATER, due_at=LATER
        )  # fmt: skip
    asking.work(cast.acme, at=LATER)
    office.does(proofs.show_older, identity=identity, since=BEFORE - timedelta(days=1), seen="Bills.")
    asking.work(cast.acme, at=LATER)
    assert listed(cast) == [BEFORE, AFTER]


def test_an_objection_leaves_the_calls_of_the_earlier_holder_counted_and_says_so(
    cast: Cast, office: Office
) -> None:
    handed_over(cast.dentist)
    assert counted(cast) == [BEFORE, AFTER]
    case = given_as(cast, office, Ask.OBJECT)
    assert counted(cast) == [BEFORE]
    with job_scope(agency_id=cast.acme.pk):
        assert reach.others_stay(reach.targets_of(case)) == 1
        facts = letters.facts_of(case)
    assert (
        "Records of calls: 1. It is from before the number was yours, as far as is known." in facts["stays"]
    )
    assert "calls since the number is yours" in facts["done"]


def test_do_not_track_leaves_them_counted_and_whose_known_number_it_is_stands_in_no_letter(
    cast: Cast, office: Office
) -> None:
    handed_over(cast.dentist)
    submission = asking.asked(cast.dentist, Ask.DO_NOT_TRACK)
    assert counted(cast) == [BEFORE]
    with job_scope(agency_id=cast.acme.pk):
        facts = letters.facts_of(asking.case_of(submission, Ask.DO_NOT_TRACK))
        spanish = letters.facts_of(asking.case_of(submission, Ask.DO_NOT_TRACK), language=Language.SPANISH)
    assert "calls since the number is yours" in facts["done"]
    assert "desde que el número es suyo" in spanish["done"]
    assert "stays" not in facts


def test_what_the_earlier_holder_refused_stays_refused_whatever_todays_holder_says(
    cast: Cast, office: Office
) -> None:
    caller_id = vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk]
    no = Said(
        purpose=Purpose.MEASURE, kind=EventKind.WITHDRAWN, channel=Channel.OFFICER, strength=Strength.B,
        happened_at=HANDED - timedelta(days=1), source="officer", caller_id=caller_id,
    )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        ledger.record_events(client=cast.dentist, said=[no], by=make.JOB, at=make.NOON)
    handed_over(cast.dentist)
    asking.asked(cast.dentist, Ask.DO_NOT_TRACK)
    assert counted(cast) == []


@pytest.mark.parametrize("ask", some([Ask.RESTRICT, Ask.OBJECT], one_in=2))
def test_the_page_of_the_decision_says_what_stays_before_it_is_decided(
    cast: Cast, office: Office, ask: Ask
) -> None:
    handed_over(cast.dentist)
    submission = asking.asked(cast.dentist, ask)
    identity = asking.prove(submission)
    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.select_related("submission").get(pk=identity.pk)
        settling.prove(identity.submission, identity, by=asking.PROVER, at=make.NOON)
    asking.search(submission)
    case = asking.case_of(submission, ask)
    page = signed_in(cast.alice).get(reverse("rights:decide", args=[case.pk]))
    assert page.status_code == 200
    assert "1 call stays as it is" in page.text
