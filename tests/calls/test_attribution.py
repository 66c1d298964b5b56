"""Landing pages and keywords: dropped unless the client keeps them, and then without what names a person."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.calls.channels import asking
from callprivacy.calls.channels import callrail as callrail_channel
from callprivacy.calls.channels.asking import Access, Window
from callprivacy.calls.models import Call
from callprivacy.calls.providers import base, callrail, ctm
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.services import attribution, rechecking
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.enums import Language
from rights.channels import notice
from rights.selectors import notice as selectors
from rights.services import notice as notices
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.saying import fact, the_call, told
from tests.cast import Cast, assemble
from tests.make import NOON

FIXTURES = Path(__file__).parent.parent / "fixtures"
PAGE = "/services/roof-repair"
WORDS = "roof repair near me"


@pytest.fixture
def cast() -> Cast:
    return assemble()


def _keep(client: Client, *, keeps: bool = True) -> None:
    with job_scope(agency_id=client.agency_id):
        attribution.switch_attribution(client=client, keeps=keeps, by=make.JOB, at=NOON)


def _said() -> CallFacts:
    return fact(landing_page=PAGE, keyword=WORDS)


def _kept(client: Client) -> tuple[str, str]:
    call = the_call(client)
    return call.landing_page, call.keyword


# --- What a tracker says ---


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("https://example.com/services/roof-repair/?gclid=x#top", PAGE),
        ("example.com/services/roof-repair", PAGE),
        ("/services/roof-repair", PAGE),
        ("https://example.com", "/"),
        ("https://example.com/call/212-555-0147", ""),
        ("https://example.com/mail/jane@example.com", ""),
        ("https://example.com/mail/jane%2540example.com", ""),
        ("https://example.com/s/0f8fad5b-d9cb-469f-a165-70867728950e", ""),
        ("https://example.com/a;session=1234", ""),
        ("https://example.com/a%23token=abc", ""),
        ("https://example.com/t/5551234", ""),
        ("https://example.com/reset/abcdefghijklmnopqrstuvwxyz", ""),
        ("https://[example", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_landing_path_has_neither_query_nor_what_names_a_person(address: object, path: str) -> None:
    assert base.landing_path(address) == path


def test_callrail_says_page_and_keyword() -> None:
    payload = json.loads((FIXTURES / "callrail_post_call_vector.json").read_text())
    payload |= {"landing_page_url": f"https://example.com{PAGE}?gclid=x", "keywords": WORDS}

    facts = callrail.CallRail().parse(json.dumps(payload).encode(), {}, at=NOON)

    assert isinstance(facts, CallFacts)
    assert (facts.landing_page, facts.keyword) == (PAGE, WORDS)


def test_keyword_with_a_number_is_dropped() -> None:
    payload = json.loads((FIXTURES / "callrail_post_call_vector.json").read_text())

    facts = callrail.CallRail().parse(
        json.dumps(payload | {"keywords": "plumber 212 555 0147"}).encode(), {}, at=NOON
    )

    assert isinstance(facts, CallFacts)
    assert facts.keyword == ""


def test_ctm_says_page_and_keyword() -> None:
    said: dict[str, Any] = {
        "id": 1, "direction": "inbound", "duration": 30,
        "called_at": f"{NOON - timedelta(days=4):%Y-%m-%d} 11:48 PM -04:00", "caller_number_complete": "+12125550147",
        "location": f"https://example.com{PAGE}", "search": WORDS,
    }  # fmt: skip

    facts = ctm.CallTrackingMetrics().parse(json.dumps(said).encode(), {}, at=NOON)

    assert isinstance(facts, CallFacts)
    assert (facts.landing_page, facts.keyword) == (PAGE, WORDS)


def test_callrail_is_asked_for_them_only_if_the_client_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get(address: str, said: dict[str, str], headers: dict[str, str]) -> dict[str, Any]:
        asked.append(said["fields"])
        return {"calls": []}

    monkeypatch.setattr(asking, "get", get)
    window = Window(from_at=NOON, until_at=NOON)
    off = Access("A1", "", "", "key")

    callrail_channel.list_calls(off, window, "")
    callrail_channel.list_calls(replace(off, attribution=True), window, "")

    assert ["keywords" in fields for fields in asked] == [False, True]


# --- What is stored ---


@pytest.mark.django_db
def test_call_stores_neither_unless_the_client_keeps_them(cast: Cast) -> None:
    told(cast.dentist, _said())
    assert _kept(cast.dentist) == ("", "")

    _keep(cast.plumber)
    told(cast.plumber, _said())
    assert _kept(cast.plumber) == (PAGE, WORDS)

    # Later news of the same call fills nothing in at a client that keeps neither.
    told(cast.dentist, _said())
    assert _kept(cast.dentist) == ("", "")


@pytest.mark.django_db
def test_later_news_fill_page_and_keyword_in(cast: Cast) -> None:
    _keep(cast.dentist)
    told(cast.dentist, fact())
    told(cast.dentist, _said())

    assert _kept(cast.dentist) == (PAGE, WORDS)


@pytest.mark.django_db
def test_page_and_keyword_leave_with_the_person(cast: Cast) -> None:
    _keep(cast.dentist)
    told(cast.dentist, _said())

    told(cast.dentist, fact(caller_withheld=True, redacted=True, revision=5))

    assert _kept(cast.dentist) == ("", "")


@pytest.mark.django_db
def test_recheck_removes_texts_with_numbers(cast: Cast) -> None:
    _keep(cast.dentist)
    told(cast.dentist, _said())
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.update(landing_page="/call/2125550147", keyword="plumber 212 555 0147")

    rechecking.recheck(client=cast.dentist, at=NOON, step=lambda _: None)

    assert _kept(cast.dentist) == ("", "")


# --- Who is told ---


@pytest.mark.django_db
def test_person_who_manages_consent_switches_it_on_the_page(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    assert "Not kept" in browser.get("/reports/clients/dentist/rule/").text

    assert browser.post("/reports/clients/dentist/attribution/", {"keeps": "yes"}).status_code == 302

    assert "Stop keeping them" in browser.get("/reports/clients/dentist/rule/").text
    with job_scope(agency_id=cast.acme.pk):
        assert Client.objects.get(pk=cast.dentist.pk).keeps_attribution
        assert Event.objects.get(action="attribution.switched").details == {"keeps": True}


@pytest.mark.django_db
def test_person_without_the_permission_does_not_switch_it(cast: Cast) -> None:
    bob: Membership = cast.bob

    assert signed_in(bob).post("/reports/clients/dentist/attribution/", {"keeps": "yes"}).status_code == 403
    with job_scope(agency_id=cast.acme.pk):
        assert not Client.objects.get(pk=cast.dentist.pk).keeps_attribution


@pytest.mark.django_db
def test_privacy_notice_names_them_where_they_are_kept(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        page = notices.open_page(agency_id=cast.acme.pk, client=cast.dentist, at=NOON)
        facts = selectors.facts_of(cast.dentist, page, at=NOON)
    kept = replace(facts, attributes=True)

    assert "what you searched for before" in notice.as_text(notice.compose(kept, Language.ENGLISH))
    assert "lo que buscó antes" in notice.as_text(notice.compose(kept, Language.SPANISH))
    assert "searched" not in notice.as_text(notice.compose(facts, Language.ENGLISH))
    # A notice from before does not fall due where nothing of it has changed.
    assert "attributes" not in facts.as_json()
