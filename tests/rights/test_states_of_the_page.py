"""What the personal page says of how far a request is, and of whose turn it is."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client as Browser

from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope
from consent.models import ConsentEvent
from rights.channels import links
from rights.enums import Ask, Decided, StepState
from rights.models import Case, Step
from rights.services import cases, deciding
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.rights import asking
from tests.rights.asking import ANNA, Office
from tests.rights.test_portal import arrive, case_of, open_page
from tests.rights.test_rests import placed

pytestmark = pytest.mark.django_db

SOON = NOON + timedelta(minutes=5)
WITHHELD = {
    "number": "", "withheld_day": f"{NOON - timedelta(days=4):%Y-%m-%d}", "withheld_time": "09:30",
    "withheld_business": "The dentist",
}  # fmt: skip
BRITISH = ("GB", "")


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("rights.views.portal.HELD_FOR", 0.0)
    with time_machine.travel(NOON, tick=True):
        yield


@pytest.fixture
def office(cast: Cast) -> Office:
    asking.answered_by(cast.dentist, "agency")
    return Office(cast)


def shown(case: Case) -> str:
    """The words of the personal page."""
    link = links.link_of(links.Named(case.agency_id, case.client_id or 0, case.submission_id))
    page = Browser(headers={"accept-language": "en-US"}).get(f"/q/{link}/")
    assert page.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def asked(cast: Cast, ask: Ask, **facts: object) -> Case:
    return asking.case_of(asking.asked(cast.dentist, ask, **facts), ask)  # type: ignore[arg-type]  # what asked takes


def proven(cast: Cast, ask: Ask) -> Case:
    make.call(cast.dentist, ANNA)
    submission = asking.asked(cast.dentist, ask, place=BRITISH)
    asking.prove(submission)
    asking.search(submission)
    return asking.case_of(submission, ask)


# --- Noes without a number ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_agency", [False, True])
def test_a_no_without_a_number_stops_nothing_and_the_page_says_so(cast: Cast, *, at_agency: bool) -> None:
    of = None if at_agency else cast.dentist
    key = open_page(of, cast)
    browser = Browser(headers={"accept-language": "en-US"})
    assert "without one nothing is stopped" in browser.get(f"/r/{key}/do_not_sell/").text
    where = arrive(browser, key, Ask.DO_NOT_SELL, **WITHHELD)
    asking.work(cast.acme, at=SOON)
    page = browser.get(where).text
    assert "Nothing is stopped yet" in page
    assert "Being looked at" not in page
    assert f'href="/r/{key}/do_not_sell/' in page
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentEvent.objects.exists()

    again = browser.get(arrive(browser, key, Ask.DO_NOT_SELL)).text
    asking.work(cast.acme, at=SOON)
    assert "Nothing is stopped yet" not in again


def test_an_objection_without_a_number_has_stopped_no_marketing(cast: Cast) -> None:
    browser, key = Browser(headers={"accept-language": "en-US"}), open_page(cast.dentist, cast)
    where = arrive(browser, key, Ask.OBJECT, **WITHHELD)
    page = browser.get(where).text
    assert "Marketing to you is not stopped yet" in page
    assert "A person looks at it" in page
    case = case_of(where)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=case.pk).update(decided=Decided.REFUSE, decided_at=NOON)
    assert "not stopped yet" not in browser.get(where).text
    assert "not stopped yet" not in shown(asked(cast, Ask.OBJECT))


# --- Whose turn it is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [Ask.DELETE, Ask.DO_NOT_TRACK])
def test_who_was_asked_what_is_meant_sees_the_question_and_that_an_answer_is_awaited(
    cast: Cast, office: Office, ask: Ask
) -> None:
    case = asked(cast, ask, place=BRITISH)
    office.does(cases.stop_clock, case=case, words="Which calls do you mean?")
    page = shown(case)
    assert "We asked you something Your answer is awaited: write it below. Until then the time" in page
    assert page.count("Which calls do you mean?") == 2, "above the field, and in the history"
    assert "You need do nothing more" not in page
    assert "A person looks at it" not in page

    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        cases.resume_clock(case=case, by=asking.BY_PAGE, at=SOON, words="Those of May.")
    page = shown(case)
    assert "Your answer is awaited" not in page
    assert ("You need do nothing more" in page) is (ask is Ask.DO_NOT_TRACK)


def test_where_a_law_lets_no_clock_stand_the_page_does_not_say_that_it_does(
    cast: Cast, office: Office
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(home_country="DE")
    cast.dentist.home_country = "DE"
    case = asked(cast, Ask.COPY, place=BRITISH)
    office.does(cases.stop_clock, case=case, words="Which calls do you mean?")
    page = shown(case)
    assert "The time for our answer runs on meanwhile." in page
    assert "stands still" not in page


def test_what_was_decided_is_being_carried_out_until_it_is(cast: Cast, office: Office) -> None:
    case = proven(cast, Ask.DELETE)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="", at=SOON)
    assert "It is being carried out." in shown(case)
    asking.work(cast.acme, at=SOON)
    with job_scope(agency_id=cast.acme.pk):
        left = deciding.unfinished(case)
    page = shown(case)
    assert left == []
    assert "We have carried it out here. Our answer follows." in page
    assert "It is being carried out." not in page


def test_what_a_hold_keeps_of_an_erasure_is_not_being_carried_out(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=NOON - timedelta(days=9))
    case = proven(cast, Ask.DELETE)
    placed(cast, call_ids=frozenset({kept.pk}))
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="", at=SOON)
    asking.work(cast.acme, at=SOON)
    with job_scope(agency_id=cast.acme.pk):
        assert Step.objects.filter(case=case, state=StepState.KEPT).exists()
    page = shown(case)
    assert "We have carried it out here. Our answer follows." in page
    assert "It is being carried out." not in page


def test_of_what_was_refused_nothing_is_carried_out(cast: Cast, office: Office) -> None:
    case = asked(cast, Ask.COMPLAIN)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=case.pk).update(state="decided", decided=Decided.REFUSE, decided_at=NOON)
    page = shown(case)
    assert "Decided Our answer follows." in page
    assert "carried it out" not in page


def test_after_an_appeal_nobody_is_sent_to_a_field_that_is_not_there(cast: Cast, office: Office) -> None:
    case = asked(cast, Ask.COMPLAIN)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=case.pk).update(
            state="done", decided=Decided.FULFIL, decided_at=NOON, answered_at=NOON, closed_at=NOON
        )
    assert "If you are not content, say so below." in shown(case)
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        cases.appeal(case=case, words="No.", received_at=NOON, by=asking.BY_PAGE, at=NOON)
    page = shown(case)
    assert "Nothing more is owed." in page
    assert "say so below" not in page
