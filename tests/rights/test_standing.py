"""Whose clock runs: of a case that stands by law, or that the client answers, nothing says that it is late."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.work.models import Item
from consent.enums import Language
from dashboard.duties import Look, by_id
from dashboard.enums import DutyState
from dashboard.selectors import proof
from retention.selectors import watch
from rights import kinds
from rights.enums import Ask, CaseState, Decided, EventKind, LetterWay
from rights.letters import words as letter_words
from rights.models import Case, CaseEvent
from rights.selectors import board
from rights.selectors import letters as letter_selectors
from rights.services import cases, deciding, letters, queue, reminders
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON
from tests.rights import asking
from tests.rights.asking import Office

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
HOUSE = watch.House(
    backups={}, backups_expected=False, drill_age=None, drill_passed=None, drill_expected=False
)
WINTER = datetime(2026, 11, 24, 12, tzinfo=UTC)
"""Noon of a day whose terms are written out: their weekends and holidays are of that winter."""
in_winter = pytest.mark.parametrize("noon", [WINTER], ids=["winter"])
LATER = NOON + 45 * DAY
"""After every day of what came in at noon."""


@pytest.fixture
def noon() -> datetime:
    """When the case comes in and the office works."""
    return NOON


@pytest.fixture
def office(cast: Cast, noon: datetime) -> Office:
    return Office(cast, at=noon)


@pytest.fixture
def british(cast: Cast, noon: datetime) -> Case:
    """A case by a law that lets the clock stand, and by no other."""
    return asking.case_of(asking.asked(cast.dentist, Ask.COPY, place=("GB", ""), at=noon), Ask.COPY)


@pytest.fixture
def both(cast: Cast, noon: datetime) -> Case:
    """A case by that law and by one that lets no clock stand."""
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(home_country="DE")
    cast.dentist.home_country = "DE"
    case = asking.case_of(asking.asked(cast.dentist, Ask.COPY, place=("GB", ""), at=noon), Ask.COPY)
    assert {"gdpr", "uk_gdpr"} <= {one["law"] for one in case.laws}
    return case


def again(case: Case) -> Case:
    with job_scope(agency_id=case.agency_id):
        return Case.objects.select_related("client", "agency", "submission").get(pk=case.pk)


def stop(office: Office, case: Case, *, at: datetime = NOON + DAY) -> Case:
    office.does(cases.stop_clock, case=case, words="Which calls do you mean?", at=at)
    return again(case)


def late(cast: Cast, case: Case, at: datetime = LATER) -> set[str]:
    """Who says that a case is late."""
    reminders.remind(agency_id=cast.acme.pk, at=at)
    found = set()
    with job_scope(agency_id=cast.acme.pk):
        queue.renew_all(agency_id=cast.acme.pk, by=make.JOB, at=at)
        if Item.objects.open().filter(kind=kinds.LATE, key=str(case.pk)).exists():
            found.add("reminders")
        if Item.objects.open().filter(kind=kinds.REQUESTS, due_at__lte=at).exists():
            found.add("queue")
        rows = board.cases_of([cast.dentist.pk], with_own=False)
        if board.counts(rows, at=at).late:
            found.add("counts")
        if board.counts(board.running(rows), at=at).late:
            found.add("running")
        for filters in (board.Filters(state=board.LATE), board.Filters(due="late")):
            if board.board(rows, filters, user_id=0, zone="UTC", at=at).lines:
                found.add("board")
        if board.line_of(again_here(case), zone="UTC", at=at).clock.is_late:
            found.add("line")
        look = Look(cast.acme, at, watch.Reading(at=at.isoformat()), HOUSE)
        if by_id()["requests"].look(look).state == DutyState.FAILING:
            found.add("duty")
        if proof._requests(SimpleNamespace(client=cast.dentist, since=NOON - DAY, at=at)).gaps:  # type: ignore[arg-type]  # what of the ground it reads
            found.add("proof")
    return found


def again_here(case: Case) -> Case:
    return Case.objects.select_related("client").get(pk=case.pk)


ALL = {"reminders", "queue", "counts", "running", "board", "line", "duty", "proof"}


def test_of_a_clock_that_runs_all_say_that_it_is_late(cast: Cast, british: Case) -> None:
    assert late(cast, british) == ALL


def test_of_a_clock_that_stands_nobody_says_that_it_is_late(
    cast: Cast, british: Case, office: Office
) -> None:
    stopped = stop(office, british)
    assert (stopped.law, stopped.answer_by, stopped.answer_due_at) == ("uk_gdpr", None, None)
    assert "the clock is paused" in " ".join(stopped.laws[0]["counted"])
    assert late(cast, british) == set()
    line = board.line_of(stopped, zone="UTC", at=LATER)
    assert (line.state, line.clock.words) == ("Clock stopped", "the clock is paused")
    with job_scope(agency_id=cast.acme.pk):
        rows = board.cases_of([cast.dentist.pk], with_own=False)
        assert not board.running(rows).exists()
        assert Item.objects.open().get(kind=kinds.REQUESTS).count == 1, "it waits all the same"

    office.does(cases.resume_clock, case=british, at=LATER)
    assert late(cast, british, LATER) == set(), "the days that it stood are added"
    assert late(cast, british, LATER + 45 * DAY) == ALL


def test_a_clock_of_two_laws_runs_on_by_the_one_that_lets_none_stand(
    cast: Cast, both: Case, office: Office
) -> None:
    stopped = stop(office, both)
    assert (stopped.law, stopped.answer_by) == ("gdpr", both.answer_by)
    days = {one["law"]: one["answer_by"] for one in stopped.laws}
    assert days["uk_gdpr"] is None
    assert board.line_of(stopped, zone="UTC", at=NOON).state != "Clock stopped"
    assert late(cast, both) == ALL


def test_a_clock_that_had_run_out_does_not_stand(cast: Cast, british: Case, office: Office) -> None:
    stopped = stop(office, british, at=LATER)
    assert stopped.answer_by == british.answer_by
    assert "had run out before" in " ".join(stopped.laws[0]["counted"])
    assert late(cast, british) == ALL


def test_of_what_the_client_has_taken_over_nobody_says_that_it_is_late(cast: Cast, british: Case) -> None:
    with job_scope(agency_id=cast.acme.pk):
        rows = Case.objects.filter(pk=british.pk)
        rows.update(state=CaseState.HANDED_OVER)
        assert [one.pk for one in Case.objects.ours()] == [british.pk], "without its receipt it is ours"
    assert late(cast, british) == ALL

    with job_scope(agency_id=cast.acme.pk):
        rows.update(
            client_has_it_at=NOON, acknowledge_by=NOON.date(), acknowledge_due_at=NOON, answer_by=NOON.date()
        )
        look = Look(cast.acme, LATER, watch.Reading(at=LATER.isoformat()), HOUSE)
        assert by_id()["acknowledgements"].look(look).state == DutyState.GOOD
    assert reminders.remind(agency_id=cast.acme.pk, at=LATER) == 0
    assert late(cast, british) == set()
    page = signed_in(cast.alice).get(f"/requests/{british.pk}/").content.decode()
    assert "the client answers" in page


def test_what_waited_for_the_day_is_closed_while_it_stands_and_is_told_anew(
    cast: Cast, british: Case, office: Office
) -> None:
    assert british.answer_by is not None
    at = datetime.combine(british.answer_by - DAY, NOON.timetz())
    waiting = Item.objects.open().filter(kind=kinds.DUE)

    def waits() -> bool:
        reminders.remind(agency_id=cast.acme.pk, at=at)
        with job_scope(agency_id=cast.acme.pk):
            return waiting.exists()

    assert waits()
    stop(office, british, at=at)
    assert not waits()
    office.does(cases.resume_clock, case=british, at=at)
    assert again(british).answer_by == british.answer_by, "no day lies between"
    assert waits()


def test_what_waits_for_the_agencys_own_stays_while_the_person_has_not_heard(
    cast: Cast, office: Office
) -> None:
    own = asking.case_of(asking.asked(None, Ask.COPY, agency=cast.acme, place=("GB", "")), Ask.COPY)
    at = LATER - 18 * DAY
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=own.pk).update(acknowledge_by=at.date(), acknowledge_due_at=at)
        waiting = Item.objects.open().filter(kind=kinds.OWN_REQUEST)
    reminders.remind(agency_id=cast.acme.pk, at=at)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=own.pk).update(paused_at=at, answer_by=None, answer_due_at=None)
    reminders.remind(agency_id=cast.acme.pk, at=at)
    with job_scope(agency_id=cast.acme.pk):
        assert waiting.exists()
        Case.objects.filter(pk=own.pk).update(acknowledged_at=at)
    reminders.remind(agency_id=cast.acme.pk, at=at)
    with job_scope(agency_id=cast.acme.pk):
        assert not waiting.exists()


@in_winter
def test_what_is_decided_while_the_clock_stands_lets_it_go_on(
    cast: Cast, british: Case, office: Office
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=british.pk).update(answerer=Answerer.AGENCY)
    stop(office, british, at=WINTER + DAY)
    decided = office.does(
        deciding.decide, case=british, decided=Decided.REFUSE, ground="gdpr-unfounded",
        words="The twelfth request this month.", at=WINTER + 11 * DAY,
    )  # fmt: skip
    assert (decided.state, decided.paused_at) == (CaseState.DECIDED, None)
    assert decided.answer_by == date(2027, 1, 4), "ten days stood; the 3rd is a Sunday"
    with job_scope(agency_id=cast.acme.pk):
        told = CaseEvent.objects.get(case=british, kind=EventKind.RESUMED)
    assert not told.shown, "the person said nothing"


@in_winter
def test_a_letter_that_goes_while_the_clock_stands_is_in_time(british: Case, office: Office) -> None:
    later = WINTER + 45 * DAY
    office.does(cases.extend, case=british, ground="number", words="Many calls.", at=WINTER + DAY)
    stopped = stop(office, british, at=WINTER + DAY)
    text = office.does(
        lambda *, by, at: letters.preview(case=stopped, name=letters.EXTENSION, at=at, said="Many.")
    )
    assert "24 February 2027" in text.body
    office.does(
        letters.send_letter, case=stopped, name=letters.EXTENSION, way=LetterWay.POST, text=text, at=later
    )
    longer = again(british)
    assert (longer.extended_at, longer.answer_by) == (later, None)
    resumed = office.does(cases.resume_clock, case=british, at=later)
    assert resumed.answer_by == date(2027, 4, 9), "44 days stood"


def _says(case: Case) -> str:
    return letter_selectors._clock(case, Language.ENGLISH)


def test_the_letter_that_asks_says_whether_the_clock_stands(british: Case, office: Office) -> None:
    stands = letter_words.SENTENCES[Language.ENGLISH]["clock_stops"]
    assert _says(british) == stands, "it would"
    assert _says(stop(office, british)) == stands


@in_winter
def test_the_letter_that_asks_names_the_day_where_it_runs_on_by_some_law(both: Case, office: Office) -> None:
    assert _says(both) == _says(stop(office, both, at=WINTER + DAY))
    assert "24 December 2026" in _says(both)


def test_the_letter_that_asks_rests_on_the_terms_that_were_counted(cast: Cast) -> None:
    """A term begins by the local day, which is not always that of UTC."""
    case = asking.case_of(asking.asked(cast.dentist, Ask.COPY, place=("GB", "")), Ask.COPY)
    case.received_at = datetime(1999, 1, 1, tzinfo=UTC)
    assert letter_selectors.stops_clock(case)
    case.laws = [one | {"terms": ["gdpr-requests"]} for one in case.laws]
    assert not letter_selectors.stops_clock(case)


def test_the_pages_of_a_case_that_stands_name_no_day(cast: Cast) -> None:
    case = asking.case_of(asking.asked(cast.dentist, Ask.COPY, place=("GB", ""), at=make.now()), Ask.COPY)
    browser, page = signed_in(cast.alice), f"/requests/{case.pk}/"
    browser.post(f"{page}clock/", {"words": "Which calls do you mean?"})
    shown = browser.get(page).content.decode()
    assert "the clock is paused" in shown
    assert "no statutory deadline" not in shown
    assert "the clock is paused" in browser.get("/requests/").content.decode()
    assert "the clock is paused" in browser.get(f"{page}extend/").content.decode()
    answer = browser.post(
        f"{page}extend/", {"ground": "complexity", "words": "Many calls, at two companies."}, follow=True
    )
    assert "it takes no longer" in answer.content.decode()


def test_the_page_of_a_case_that_stands_by_some_laws_names_the_others_day(cast: Cast, both: Case) -> None:
    browser, page = signed_in(cast.alice), f"/requests/{both.pk}/"
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=both.pk).update(received_at=make.now())
    answer = browser.post(
        f"{page}clock/", {"words": "Which calls do you mean?"}, follow=True
    ).content.decode()
    assert "since some laws allow no pause" in answer
    assert "The clock is paused under some laws only" in browser.get(page).content.decode()
