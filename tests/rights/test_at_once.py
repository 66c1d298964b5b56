"""Two who work on one request at the same moment: nothing of what either did is lost, and neither fails."""

import threading
from typing import Any

import pytest

from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from consent.enums import Language
from consent.models import PhoneCode
from consent.services import codes
from rights.channels.links import Named
from rights.enums import Ask, CaseState, Decided, IdentityState, ProofKind, StepKind, StepState
from rights.models import Case, Finding, HouseCode, Identity, Proof, Step, Submission
from rights.selectors import reach
from rights.services import cases, house_codes, proofs, restricting, searching, steps, working
from rights.services.proofs import judging, settling
from tests import make
from tests.aside import Aside, Beside
from tests.cast import Cast
from tests.make import NOON
from tests.rights import asking
from tests.rights.asking import ANNA, BEN

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_number_that_is_proven_while_another_is_looked_for_is_looked_for(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (ANNA, BEN):
        make.call(cast.dentist, number)
    submission = asking.asked(cast.dentist, Ask.DELETE, numbers=(ANNA, BEN))
    asking.prove(submission, ANNA)
    search_at = searching._search_at

    def meanwhile(*args: Any) -> int:
        found = search_at(*args)
        if Identity.objects.filter(submission=submission, state=IdentityState.PROVEN).count() == 1:
            Aside(lambda: asking.prove(submission, BEN)).end()
        return found

    monkeypatch.setattr(searching, "_search_at", meanwhile)
    asking.search(submission)
    with job_scope(agency_id=cast.acme.pk):
        row = Submission.objects.get(pk=submission.pk)
    assert (row.searched_at, row.search_due_at) == (None, NOON)

    assert searching.claim(agency_id=cast.acme.pk, at=NOON) == submission.pk
    asking.search(submission)
    with job_scope(agency_id=cast.acme.pk):
        assert Submission.objects.get(pk=submission.pk).searched_at == NOON
        assert Finding.objects.filter(submission=submission).values("caller_id").distinct().count() == 2


def test_two_cases_of_a_request_that_end_at_once_end_the_request(cast: Cast) -> None:
    submission = asking.asked(cast.dentist, Ask.DELETE, Ask.CORRECT)
    one, two = asking.case_of(submission, Ask.DELETE), asking.case_of(submission, Ask.CORRECT)
    with job_scope(agency_id=cast.acme.pk):
        cases.take_back(case=one, by=make.JOB, at=NOON)
        beside = Beside(cast.acme.pk, lambda: cases.take_back(case=two, by=make.JOB, at=NOON))
        beside.let_it_come()
    beside.end()
    with job_scope(agency_id=cast.acme.pk):
        assert Submission.objects.get(pk=submission.pk).ended_at == NOON


def test_an_answer_is_appealed_against_once_by_two_who_press_at_once(cast: Cast) -> None:
    submission = asking.asked(cast.dentist, Ask.DO_NOT_SELL)
    case = asking.case_of(submission, Ask.DO_NOT_SELL)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=case.pk).update(
            state=CaseState.DONE, decided=Decided.REFUSE, decided_at=NOON, answered_at=NOON, closed_at=NOON
        )

    def appeal() -> None:
        cases.appeal(case=case, words="No.", received_at=NOON, by=asking.BY_PAGE, at=NOON)

    with job_scope(agency_id=cast.acme.pk):
        appeal()
        beside = Beside(cast.acme.pk, appeal)
        beside.let_it_come()
    with pytest.raises(cases.AlreadyDoneError):
        beside.end()
    with job_scope(agency_id=cast.acme.pk):
        assert Case.objects.filter(appeal_of=case).count() == 1


def _but_for_the_declaration(cast: Cast) -> tuple[Identity, Named]:
    submission = asking.asked(cast.dentist, Ask.SEE)
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        row = Identity.objects.get(submission=submission)
        for kind, identity in ((ProofKind.TEXT_CODE, row), (ProofKind.FACTS, None)):
            Proof.objects.create(
                agency_id=row.agency_id, client_id=row.client_id, submission=submission, identity=identity,
                kind=kind, holds=True, at=NOON, by=asking.PROVER.name,
            )  # fmt: skip
    return row, Named(cast.acme.pk, cast.dentist.pk, submission.pk)


def test_staff_refuse_an_identity_while_the_person_does_the_last_that_is_asked(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, named = _but_for_the_declaration(cast)
    office = asking.Office(cast)
    needs = settling.needs
    begun, go = threading.Event(), threading.Event()

    def stands(*args: Any) -> Any:
        found = needs(*args)
        begun.set()
        assert go.wait(10)
        return found

    monkeypatch.setattr(settling, "needs", stands)
    declared = Aside(
        lambda: proofs.declare(
            named=named, name="Anna Smith", declaration="I am.", language=Language.ENGLISH, at=NOON
        )
    )
    assert begun.wait(10)

    def judge() -> None:
        with staff_scope(**office.scope):
            fresh = Identity.objects.select_related("submission__client", "submission__agency").get(pk=row.pk)
            judging.judge(identity=fresh, holds=False, seen="It is somebody else.", by=office.by, at=NOON)

    judged = Aside(judge)
    assert judged.is_waiting()
    go.set()
    declared.end()
    with pytest.raises(proofs.SettledError):
        judged.end()
    with job_scope(agency_id=cast.acme.pk):
        assert Identity.objects.get(pk=row.pk).state == IdentityState.PROVEN


def test_a_restriction_that_is_to_reach_further_back_while_it_is_made_is_made_again(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(cast.dentist, ANNA)
    submission = asking.asked(cast.dentist, Ask.RESTRICT)
    asking.prove(submission)
    asking.search(submission)
    case = asking.case_of(submission, Ask.RESTRICT)
    with job_scope(agency_id=cast.acme.pk):
        steps.plan(case=case, kind=StepKind.RESTRICT, at=NOON)
    targets_of = reach.targets_of
    asked: list[object] = []

    def back() -> int:
        with job_scope(agency_id=cast.acme.pk):
            return restricting.reach_back(submission_id=submission.pk, at=NOON)

    def meanwhile(*args: Any) -> Any:
        found = targets_of(*args)
        if not asked:
            asked.append(Aside(back).end())
        return found

    monkeypatch.setattr(reach, "targets_of", meanwhile)
    assert working.work_next(agency_id=cast.acme.pk, clock=lambda: NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert Step.objects.get(case=case, kind=StepKind.RESTRICT).state == StepState.WAITING
    assert working.work_next(agency_id=cast.acme.pk, clock=lambda: NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert Step.objects.get(case=case, kind=StepKind.RESTRICT).state == StepState.DONE
    assert asked == [1]


@pytest.mark.parametrize("to_client", [False, True])
def test_codes_that_are_asked_for_at_once_are_counted_one_after_the_other(
    cast: Cast, *, to_client: bool
) -> None:
    def draw() -> str | None:
        if to_client:
            with job_scope(agency_id=cast.acme.pk):
                drawn = codes._new_code(cast.dentist, ANNA, NOON, rings=False)
        else:
            drawn = house_codes._new_code(cast.acme, house_codes.PHONE, ANNA, NOON)
        return drawn[1] if isinstance(drawn, tuple) else None

    for _ in range(codes.AN_HOUR_A_NUMBER - 1):
        assert isinstance(draw(), str)
    with job_scope(agency_id=cast.acme.pk):
        assert isinstance(draw(), str)
        beside = Beside(cast.acme.pk, draw)
        beside.let_it_come()
    beside.end()
    with job_scope(agency_id=cast.acme.pk):
        rows = (PhoneCode if to_client else HouseCode).objects.filter(agency_id=cast.acme.pk)
        assert rows.count() == codes.AN_HOUR_A_NUMBER
