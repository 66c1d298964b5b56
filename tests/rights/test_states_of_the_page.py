"""What the personal page says of how far a request is, and of whose turn it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client as Browser

from callprivacy.tenancy.scope import job_scope
from consent.models import ConsentEvent
from rights.channels import links
from rights.enums import Ask, Decided
from rights.models import Case
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.rights import asking
from tests.rights.asking import ANNA, Office
from tests.rights.test_portal import arrive, case_of, open_page

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
