"""A case knows its laws and its clock, is worked on by those who may, and every deed is written down."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.utils import Error

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from callprivacy.work.models import Item
from rights import kinds
from rights.enums import (
    Ask,
    CaseState,
    Channel,
    Decided,
    EventKind,
    IdentityKind,
    LetterState,
    LetterWay,
    OnBehalf,
    ProofKind,
)
from rights.models import Case, CaseEvent, CaseNote, Identity, Letter, Pause, Submission
from rights.selectors import words
from rights.services import cases, deciding, letters, proofs, queue, reminders
from rights.services.cases import Claim, Contact
from rights.services.proofs import settling
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.rights import asking
from tests.rights.asking import ANNA, BEN, Office

pytestmark = pytest.mark.django_db


WINTER = datetime(2026, 11, 24, 12, tzinfo=UTC)
"""Noon of a day whose terms are written out: their weekends and holidays are of that winter."""
in_winter = pytest.mark.parametrize("noon", [WINTER], ids=["winter"])
TOO_LATE = WINTER + timedelta(days=31)
"""After the first term of a request from Germany that came in at noon."""


def actions(of: Cast | Case) -> list[str]:
    agency_id = of.agency_id if isinstance(of, Case) else of.acme.pk
    with job_scope(agency_id=agency_id):
        rows = Event.objects.filter(agency_id=agency_id, action__startswith="case.")
        return list(rows.order_by("pk").values_list("action", flat=True))


def test_what_is_asked_for_becomes_a_case_each_with_its_own_clock(cast: Cast) -> None:
    found = asking.asked(cast.dentist, Ask.DELETE, Ask.COPY, place=("US", "CA"), at=WINTER)

    copy, delete = asking.case_of(found, Ask.COPY), asking.case_of(found, Ask.DELETE)
    assert copy.reference != delete.reference
    assert (copy.state, delete.state) == (CaseState.PROVING, CaseState.PROVING)
    assert delete.law == "ccpa"
    # Ten business days with Thanksgiving left out, and 45 calendar days.
    assert delete.acknowledge_by == date(2026, 12, 9)
    assert delete.answer_by == date(2027, 1, 8)
    (first, *_) = delete.laws
    assert first["name"] == "CCPA"
    assert any("California" in why for why in first["why"])
    assert actions(cast) == ["case.opened", "case.opened"]


def test_an_area_code_leaves_no_state_out(cast: Cast) -> None:
    """A number of New York may be in California, where the dentist does business."""
    found = asking.asked(cast.dentist, Ask.DELETE, numbers=["+12125550101"])

    assert "ccpa" in [one["law"] for one in asking.case_of(found, Ask.DELETE).laws]
    assert (found.country, found.region, found.place_by) == ("US", "", "area_code")


def test_where_no_law_sets_a_day_the_houses_own_does(cast: Cast) -> None:
    found = asking.asked(cast.dentist, Ask.COMPLAIN, place=("JP", ""), at=WINTER)
    case = asking.case_of(found, Ask.COMPLAIN)
    assert (case.law, case.laws) == ("", [])
    assert case.answer_by == date(2027, 1, 8)


def test_what_the_person_said_is_sealed_and_goes_with_its_key(cast: Cast) -> None:
    found = asking.asked(cast.dentist, Ask.COPY, words="I am Anna and my number is 212 555 0101.")
    with job_scope(agency_id=cast.acme.pk):
        key = words.key_of(found)
        assert words.record(found.contact, key)["mail"] == "anna@example.org"
        identity = Identity.objects.get(submission=found)
        assert words.text(identity.value, key) == ANNA
        assert "Anna" not in str(found.words)
        assert str(identity.value) == "•••"


def test_a_submission_asks_for_something_and_names_somebody(cast: Cast) -> None:
    with (
        client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk),
        pytest.raises(cases.NothingAskedError),
    ):
        cases.open_cases(
            agency=cast.acme, client=cast.dentist, asks=[], channel=Channel.PORTAL,
            claims=[Claim(IdentityKind.PHONE, ANNA)], contact=Contact(), received_at=make.NOON,
            by=asking.BY_PAGE, at=make.NOON,
        )  # fmt: skip


# --- Who sees it ---


def test_an_officer_of_another_client_or_agency_sees_none_of_it(cast: Cast) -> None:
    asking.asked(cast.dentist, Ask.COPY)
    erin = make.person(cast.acme, "erin", Role.OFFICER)
    make.grant(erin, cast.plumber)
    for person in (erin, cast.carol, cast.mallory):
        with staff_scope(agency_id=person.agency_id, user_id=person.user_id):
            assert not Case.objects.exists()
            assert not Submission.objects.exists()
            assert not Identity.objects.exists()
            assert not CaseEvent.objects.exists()
    with client_scope(agency_id=cast.acme.pk, client_id=cast.plumber.pk):
        assert not Case.objects.exists()


def test_the_agencys_own_requests_are_for_who_signs_off_and_its_own_page(cast: Cast) -> None:
    asking.asked(None, Ask.COPY, agency=cast.acme)
    make.grant(cast.alice, cast.dentist)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert Case.objects.get().client_id is None
    for person in (cast.bob, cast.carol, cast.mallory):
        with staff_scope(agency_id=person.agency_id, user_id=person.user_id):
            assert not Case.objects.exists()
    with client_scope(agency_id=cast.acme.pk, client_id=0):
        assert Case.objects.count() == 1
    for agency_id, client_id in ((cast.acme.pk, cast.dentist.pk), (cast.globex.pk, 0)):
        with client_scope(agency_id=agency_id, client_id=client_id):
            assert not Case.objects.exists()


def _hang(case: Case, client_id: int | None) -> None:
    with job_scope(agency_id=case.agency_id):
        CaseEvent.objects.create(
            agency_id=case.agency_id, client_id=client_id, case_id=case.pk, kind=EventKind.NOTED,
            at=make.NOON, by="tests",
        )  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_row_of_a_case_belongs_to_whom_the_case_belongs(cast: Cast) -> None:
    """PostgreSQL's word: a note of one client cannot hang on another's case, nor on the agency's own."""
    ours = asking.case_of(asking.asked(cast.dentist, Ask.COPY), Ask.COPY)
    own = asking.case_of(asking.asked(None, Ask.COPY, agency=cast.acme), Ask.COPY)
    for case, client_id in ((ours, cast.plumber.pk), (ours, None), (own, cast.dentist.pk)):
        with pytest.raises(Error):
            _hang(case, client_id)


# --- Deeds ---


@pytest.fixture
def noon() -> datetime:
    """When the case comes in and the office works."""
    return make.NOON


@pytest.fixture
def office(cast: Cast, noon: datetime) -> Office:
    make.grant(cast.alice, cast.dentist)
    return Office(cast, at=noon)


@pytest.fixture
def case(cast: Cast, office: Office, noon: datetime) -> Case:
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    found = asking.asked(cast.dentist, Ask.COPY, place=("DE", ""), at=noon)
    asking.prove(found, at=noon)
    return asking.case_of(found, Ask.COPY)


def again(case: Case) -> Case:
    return asking.case_of(case.submission, Ask(case.asks))


def test_proof_opens_the_case_and_has_the_person_looked_for(case: Case) -> None:
    assert (case.state, case.identified_at) == (CaseState.OPEN, make.NOON)
    with job_scope(agency_id=case.agency_id):
        assert Submission.objects.get(pk=case.submission_id).search_due_at == make.NOON


def test_notes_and_tasks_are_sealed_and_stand_on_the_timeline(cast: Cast, case: Case, office: Office) -> None:
    office.does(cases.write_note, case=case, words="She called twice.")
    task = office.does(cases.add_task, case=case, words="Ask the lab.", owner_id=None, due_on=None)
    assert office.does(cases.finish_task, task=task) is True
    assert office.does(cases.finish_task, task=task) is False
    office.does(cases.assign, case=case, owner_id=cast.alice.user_id)
    assert office.does(cases.acknowledge, case=case) is True
    assert office.does(cases.acknowledge, case=case) is False

    with job_scope(agency_id=cast.acme.pk):
        key = words.key_of(case.submission)
        assert words.text(CaseNote.objects.get().words, key) == "She called twice."
        events = set(CaseEvent.objects.filter(case=case).values_list("kind", flat=True))
    assert events >= {"opened", "proven", "noted", "task_added", "task_done", "assigned", "acknowledged"}
    assert actions(cast)[-5:] == [
        "case.noted", "case.task_added", "case.task_done", "case.assigned", "case.acknowledged",
    ]  # fmt: skip
    with pytest.raises(cases.EmptyWordsError):
        office.does(cases.write_note, case=case, words=" ")


def _extending(case: Case, office: Office, **facts: Any) -> Case:
    office.does(cases.extend, case=case, ground="complexity", words="Many calls, at two companies.", **facts)
    return again(case)


def _write(
    case: Case, office: Office, way: LetterWay, at: datetime, *, by: str = "24 February 2027"
) -> Letter:
    with job_scope(agency_id=case.agency_id):
        text = letters.preview(case=case, name="extension", at=at, said="Many calls, at two companies.")
    assert by in text.body
    sent: Letter = office.does(letters.send_letter, case=case, name="extension", way=way, text=text, at=at)
    return sent


@in_winter
def test_an_answer_takes_longer_once_the_letter_has_gone_that_says_so(case: Case, office: Office) -> None:
    assert (case.law, case.answer_by) == ("gdpr", date(2026, 12, 24))
    waiting = _extending(case, office)
    with pytest.raises(cases.AlreadyDoneError):
        office.does(cases.extend, case=case, ground="complexity", words="Again.")
    letter = _write(waiting, office, LetterWay.MAIL, WINTER)
    assert (again(case).answer_by, again(case).extended_at) == (date(2026, 12, 24), None), "it has not gone"
    with job_scope(agency_id=case.agency_id):
        item = Item.objects.open().get(kind=kinds.EXTENSION_UNSENT)
        assert item.due_at == datetime(2026, 12, 25, 5, tzinfo=UTC)

    gone = WINTER + timedelta(days=3)
    letters.letter_sent(agency_id=case.agency_id, letter_id=letter.pk, at=gone)

    later = again(case)
    assert (later.answer_by, later.extended_at, later.extending_at) == (date(2027, 2, 24), gone, None)
    with job_scope(agency_id=case.agency_id):
        assert not Item.objects.open().filter(kind=kinds.EXTENSION_UNSENT).exists()
        event = CaseEvent.objects.get(case=case, kind=EventKind.EXTENDED)
        assert words.text(event.words, words.key_of(case.submission)) == "Many calls, at two companies."
    with pytest.raises(cases.AlreadyDoneError):
        office.does(cases.extend, case=case, ground="complexity", words="Again.")


@in_winter
def test_a_letter_that_goes_after_the_first_term_extends_nothing(case: Case, office: Office) -> None:
    _write(_extending(case, office), office, LetterWay.POST, TOO_LATE, by="24 December 2026")
    assert_stands(case)


def assert_stands(case: Case) -> None:
    """The day is the old one, and a person is to answer by it."""
    late = again(case)
    assert (late.answer_by, late.extended_at, late.extending_at) == (date(2026, 12, 24), None, None)
    assert actions(case)[-1] == "case.not_extended"
    with job_scope(agency_id=case.agency_id):
        (item,) = Item.objects.open().filter(key=str(case.pk))
    assert (item.kind, item.due_at) == (kinds.LATE, late.answer_due_at)


@in_winter
def test_a_mail_that_would_go_after_the_first_term_does_not(case: Case, office: Office) -> None:
    waiting = _extending(case, office)
    letter = _write(waiting, office, LetterWay.MAIL, WINTER)
    with pytest.raises(letters.TooLateError):
        _write(waiting, office, LetterWay.MAIL, TOO_LATE, by="24 December 2026")

    assert letters.claim_letters(agency_id=case.agency_id, at=TOO_LATE, limit=5) == []

    assert_stands(case)
    assert office.does(letters.send_again, letter=letter, at=TOO_LATE) is False
    assert letters.claim_letters(agency_id=case.agency_id, at=TOO_LATE, limit=5) == []


@in_winter
@pytest.mark.thorough
def test_a_mail_that_failed_is_not_tried_again_after_the_first_term(case: Case, office: Office) -> None:
    letter = _write(_extending(case, office), office, LetterWay.MAIL, WINTER)
    with job_scope(agency_id=case.agency_id):
        Letter.objects.update(state=LetterState.FAILED, due_at=None)

    assert office.does(letters.send_again, letter=letter, at=TOO_LATE) is False

    assert_stands(case)


@in_winter
def test_a_letter_that_has_gone_goes_once_and_extends_by_its_own_day(
    case: Case, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = _write(_extending(case, office), office, LetterWay.MAIL, WINTER)
    with monkeypatch.context() as patch:
        patch.setattr(queue, "renew", None)
        letters.letter_sent(agency_id=case.agency_id, letter_id=letter.pk, at=WINTER)
    with job_scope(agency_id=case.agency_id):
        letter.refresh_from_db()
    assert (letter.state, again(case).extended_at) == (LetterState.SENT, None)
    assert letters.claim_letters(agency_id=case.agency_id, at=TOO_LATE, limit=5) == []

    letters.note_extensions(agency_id=case.agency_id, at=TOO_LATE)
    letters.note_extensions(agency_id=case.agency_id, at=TOO_LATE)

    assert again(case).extended_at == WINTER
    assert actions(case).count("case.extended") == 1


@in_winter
def test_a_reason_that_does_not_open_keeps_no_letter_from_being_noted(case: Case, office: Office) -> None:
    letter = _write(_extending(case, office), office, LetterWay.MAIL, WINTER)
    with job_scope(agency_id=case.agency_id):
        CaseEvent.objects.filter(case=case, kind=EventKind.EXTENDING).update(words=b"\x01" + bytes(60))
    letters.letter_sent(agency_id=case.agency_id, letter_id=letter.pk, at=WINTER)
    assert again(case).extended_at == WINTER


@in_winter
def test_what_waits_for_a_letter_of_the_agencys_own_ends_when_it_has_gone(cast: Cast, office: Office) -> None:
    own = asking.case_of(
        asking.asked(None, Ask.COPY, agency=cast.acme, place=("DE", ""), at=WINTER), Ask.COPY
    )
    letter = _write(_extending(own, office), office, LetterWay.MAIL, WINTER)
    with job_scope(agency_id=cast.acme.pk):
        waiting = Item.objects.open().filter(kind=kinds.OWN_REQUEST)
        assert waiting.count() == 1
    reminders.remind(agency_id=cast.acme.pk, at=WINTER)
    with job_scope(agency_id=cast.acme.pk):
        assert waiting.count() == 1
    letters.letter_sent(agency_id=cast.acme.pk, letter_id=letter.pk, at=WINTER)
    with job_scope(agency_id=cast.acme.pk):
        assert not waiting.exists()


def test_an_extension_that_comes_late_is_none(case: Case, office: Office) -> None:
    with pytest.raises(cases.NoExtensionError):
        office.does(
            cases.extend, case=case, ground="number", words="Sorry.", at=make.NOON + timedelta(days=40)
        )


def test_the_clock_stands_only_where_a_law_says_so(cast: Cast, case: Case, office: Office) -> None:
    with pytest.raises(cases.ClockRunsOnError):
        office.does(cases.stop_clock, case=case, words="Which calls?")

    found = asking.asked(cast.dentist, Ask.COPY, place=("GB", ""))
    british = asking.case_of(found, Ask.COPY)
    was = british.answer_by
    office.does(cases.stop_clock, case=british, words="Which calls do you mean?")
    with pytest.raises(cases.AlreadyDoneError):
        office.does(cases.stop_clock, case=british, words="Which?")
    resumed = office.does(cases.resume_clock, case=british, at=make.NOON + timedelta(days=10))
    assert was is not None
    assert resumed.answer_by is not None
    assert resumed.answer_by >= was + timedelta(days=9)
    with pytest.raises(cases.AlreadyDoneError):
        office.does(cases.resume_clock, case=british)


@in_winter
def test_the_clock_goes_on_when_the_answer_came_in_not_when_somebody_read_it(
    cast: Cast, office: Office
) -> None:
    found = asking.asked(cast.dentist, Ask.COPY, place=("GB", ""), at=WINTER)
    british = asking.case_of(found, Ask.COPY)
    office.does(cases.stop_clock, case=british, words="Which calls do you mean?")
    resumed = office.does(
        cases.resume_clock,
        case=british,
        at=WINTER + timedelta(days=10),
        said_at=WINTER + timedelta(days=3),
    )
    assert resumed.answer_by == date(2026, 12, 29), "the 27th is a Sunday, and Boxing Day is kept on the 28th"
    with job_scope(agency_id=cast.acme.pk):
        assert Pause.objects.get().until == WINTER + timedelta(days=3)


def test_the_pages_of_the_clock_say_what_still_has_to_be_told_and_ask_when_the_answer_came(
    cast: Cast,
) -> None:
    found = asking.asked(cast.dentist, Ask.COPY, place=("GB", ""), at=make.now())
    case, browser = asking.case_of(found, Ask.COPY), signed_in(cast.alice)
    page = f"/requests/{case.pk}/"
    answer = browser.post(
        f"{page}extend/", {"ground": "complexity", "words": "Many calls, at two companies."}
    )
    assert answer.headers["Location"] == f"{page}letters/?letter=extension"
    shown = browser.get(page).content.decode()
    assert "starts when the person is notified" in shown
    assert f"{page}extend/" not in shown

    browser.post(f"{page}clock/", {"words": "Which calls do you mean?"})
    asks = browser.post(f"{page}clock/", {"words": "All."})
    assert (asks.status_code, "When that came in" in asks.content.decode()) == (422, True)


@in_winter
@pytest.mark.parametrize(("elsewhere", "began"), [(None, 2), (3, 3)])
def test_a_british_clock_starts_when_the_proof_came_in_not_when_staff_looked_at_it(
    cast: Cast, office: Office, elsewhere: int | None, began: int
) -> None:
    found = asking.asked(cast.dentist, Ask.DELETE, place=("GB", ""), on_behalf=OnBehalf.AGENT, at=WINTER)
    with job_scope(agency_id=cast.acme.pk):
        settling.add(found, ProofKind.PERMISSION, holds=False, at=WINTER + timedelta(days=2))
        identity = Identity.objects.select_related("submission").get(submission=found)

    office.does(
        proofs.judge, identity=identity, holds=True, seen="The permission is signed.",
        arrived_at=WINTER + timedelta(days=elsewhere) if elsewhere else None, at=WINTER + timedelta(days=9),
    )  # fmt: skip

    british = asking.case_of(found, Ask.DELETE)
    assert british.identified_at == WINTER + timedelta(days=began)
    assert british.answer_by == date(2026, 12, 29)


def test_a_case_that_is_taken_back_is_closed_and_its_days_begin(case: Case, office: Office) -> None:
    office.does(cases.take_back, case=case)
    with pytest.raises(cases.ClosedError):
        office.does(cases.assign, case=case, owner_id=None)
    with job_scope(agency_id=case.agency_id):
        assert Submission.objects.get(pk=case.submission_id).ended_at == make.NOON


# --- The answer ---


def decide(office: Office, case: Case, decided: Decided = Decided.FULFIL, **said: Any) -> Case:
    found: Case = office.does(
        deciding.decide, case=case, decided=decided, **({"ground": "", "words": ""} | said)
    )
    return found


def test_nothing_is_shown_before_it_is_proven_and_looked_for(cast: Cast, case: Case, office: Office) -> None:
    with pytest.raises(deciding.NotSearchedError):
        decide(office, case)
    unproven = asking.case_of(asking.asked(cast.dentist, Ask.DELETE, numbers=[BEN]), Ask.DELETE)
    with pytest.raises(deciding.NotProvenError):
        decide(office, unproven)


def test_what_the_client_has_taken_over_is_not_answered_here(case: Case, office: Office) -> None:
    with job_scope(agency_id=case.agency_id):
        Case.objects.filter(pk=case.pk).update(state=CaseState.HANDED_OVER, client_has_it_at=make.NOON)

    with pytest.raises(deciding.AlreadyDoneError):
        decide(office, case, Decided.REFUSE, ground="gdpr-unfounded", words="The twelfth request this month.")


def test_a_refusal_names_its_ground_and_says_why(case: Case, office: Office) -> None:
    with pytest.raises(deciding.NoGroundError):
        decide(office, case, Decided.REFUSE, words="No.")
    with pytest.raises(deciding.NoGroundError):
        decide(office, case, Decided.REFUSE, ground="made_up", words="No.")
    with pytest.raises(deciding.EmptyWordsError):
        decide(office, case, Decided.REFUSE, ground="gdpr-unfounded")

    decide(office, case, Decided.REFUSE, ground="gdpr-unfounded", words="The twelfth request this month.")
    with pytest.raises(deciding.AlreadyDoneError):
        decide(office, case, Decided.REFUSE, ground="gdpr-unfounded", words="Again.")
    assert office.does(deciding.close, case=case) is True
    assert office.does(deciding.close, case=case) is False
    done = again(case)
    # The six fields of 11 CCR 7101.
    assert (done.received_at, done.asks, done.channel) == (make.NOON, "copy", "portal")
    assert (done.answered_at, done.decided, done.ground) == (make.NOON, "refuse", "gdpr-unfounded")

    appeal = office.does(cases.appeal, case=done, words="Look again.", received_at=make.NOON)
    assert (appeal.asks, appeal.appeal_of_id) == ("appeal", done.pk)
    with pytest.raises(cases.AlreadyDoneError):
        office.does(cases.appeal, case=done, words="Look again.", received_at=make.NOON)
    with job_scope(agency_id=case.agency_id):
        assert Submission.objects.get(pk=case.submission_id).ended_at is None


@pytest.mark.thorough
def test_a_client_that_wants_to_agree_is_asked_first(cast: Cast, case: Case, office: Office) -> None:
    asking.answered_by(cast.dentist, Answerer.AFTER_APPROVAL)
    found = asking.asked(cast.dentist, Ask.COPY, place=("DE", ""))
    asking.prove(found)
    asking.search(found)
    with pytest.raises(deciding.NotApprovedError):
        decide(office, asking.case_of(found, Ask.COPY))


# --- The queue ---


def test_the_work_queue_holds_one_line_a_client_with_the_soonest_date(
    cast: Cast, case: Case, office: Office
) -> None:
    asking.asked(None, Ask.DELETE, agency=cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        queue.renew_all(agency_id=cast.acme.pk, by=make.JOB, at=make.NOON)
        lines = {item.client_id: item for item in Item.objects.open().filter(kind__startswith="requests")}
        assert set(lines) == {None, cast.dentist.pk}
        assert lines[cast.dentist.pk].due_at == case.answer_due_at
        assert lines[cast.dentist.pk].count == 1
    office.does(cases.take_back, case=case)
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(client_id=cast.dentist.pk, kind="requests").exists()
