"""The list of recordings, how they are handled, and where a caller lives: what a person sees and may change."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.models import Recording
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.decide import words
from consent.enums import EventKind, Standard
from consent.models import CallerPlace, Decision, Rejudgement
from consent.selectors import decisions as selectors
from consent.services import store
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.deciding import NEW_YORK, START, decision, live, recorded, say, work
from tests.make import NOON

pytestmark = pytest.mark.as_committed

LIST = "/clients/dentist/recordings/"


def rows(response: Any) -> list[Any]:
    return [line["row"].call.pk for line in response.context["rows"]]


def test_the_list_tells_states_apart_and_says_why(cast: Cast) -> None:
    live(cast.dentist)
    withheld, kept = recorded(cast.dentist), recorded(cast.dentist, NEW_YORK)
    late = recorded(cast.dentist, at=START - timedelta(days=1), came_late=True)
    say(cast.dentist, EventKind.GIVEN, kept.caller_id)
    work(cast.dentist)
    browser = signed_in(cast.bob)
    page = browser.get(LIST)
    assert rows(page) == [withheld.pk, late.pk]
    text = page.content.decode()
    assert "kept: imported history" in text
    assert "No consent or announcement is recorded" in text
    assert rows(browser.get(f"{LIST}?show=leaving")) == [withheld.pk]
    assert rows(browser.get(f"{LIST}?show=kept")) == [kept.pk]
    assert rows(browser.get(f"{LIST}?show=gone")) == []
    assert rows(browser.get(f"{LIST}?show=nonsense")) == [withheld.pk, late.pk]
    assert rows(browser.get(f"{LIST}?before=nonsense")) == [withheld.pk, late.pk]
    assert page.context["counts"].by_basis[0].words == "Express consent"
    assert signed_in(cast.carol).get(LIST).status_code == 403
    assert signed_in(cast.mallory).get(LIST).status_code == 404


@pytest.mark.parametrize("notice", [words.ANNOUNCED, words.POSTED])
@pytest.mark.parametrize(
    "lacking", [words.NOT_MET[Standard.EXPRESS], words.NOTICE_ALONE, words.NOT_ON_RECORDING]
)
def test_reason_to_withhold_is_what_is_lacking(notice: str, lacking: str) -> None:
    """A notice stood there as the reason to withhold what it did not suffice for."""
    reasons = [
        "California: everybody on the call must agree; more.",
        notice,
        "Announced since June.",
        lacking,
    ]

    assert selectors.said_first(Decision(allowed=False, reasons=reasons)) == lacking
    assert selectors.said_first(Decision(allowed=True, reasons=reasons)) == notice


def test_the_list_goes_on_page_by_page_in_as_many_queries(
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Callable[..., AbstractContextManager[CaptureQueriesContext]],
) -> None:
    monkeypatch.setattr(selectors, "PAGE", 3)
    calls = [recorded(cast.dentist, f"+1415555{2000 + n}", at=START + timedelta(minutes=n)) for n in range(7)]
    work(cast.dentist)
    seen, before = [], ""
    for _ in range(3):
        with job_scope(agency_id=cast.acme.pk), django_assert_max_num_queries(2):
            page = selectors.recording_page(cast.dentist, selectors.Shown.WITHHELD, before=before)
        seen += [row.call.pk for row in page.rows]
        before = page.older or ""
    assert before == ""
    assert seen == [call.pk for call in reversed(calls)]


def test_an_officer_says_how_recordings_are_handled(cast: Cast) -> None:
    address = f"{LIST}handling/"
    browser = signed_in(cast.alice)
    refused = browser.post(address, {"quarantine_hours": "0"})
    assert "greater than or equal to 1" in refused.content.decode()
    saved = browser.post(address, {"quarantine_hours": "24", "stores_recordings": "on"})
    assert saved.status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        client = Client.objects.get(pk=cast.dentist.pk)
        assert Event.objects.filter(action="handling.changed").count() == 1
        assert Rejudgement.objects.filter(client=client, caller_id=None).count() == 1
    assert (client.quarantine_hours, client.stores_recordings, client.takes_transcripts) == (24, True, False)
    assert signed_in(cast.bob).post(address, {"quarantine_hours": "5"}).status_code == 403


def test_the_engagement_is_changed_by_who_may_and_read_by_the_others(cast: Cast) -> None:
    mia = make.person(cast.acme, "mia", Role.ACCOUNT_MANAGER)
    make.grant(mia, cast.dentist, Role.OFFICER)
    for person, led_to in ((cast.alice, "/clients/dentist/engagement/"), (mia, "/clients/dentist/")):
        browser = signed_in(person)
        assert f'href="{led_to}">the engagement</a>' in browser.get(f"{LIST}handling/").content.decode()
        assert browser.get(led_to).status_code == 200


def test_what_did_not_come_is_asked_for_again(cast: Cast) -> None:
    client = live(cast.dentist, stores_recordings=True)
    call = recorded(client)
    say(client, EventKind.GIVEN, call.caller_id)
    work(client)
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(call_id=call.pk).update(fetch_attempts=store.TRIES, fetch_due_at=None)
    browser = signed_in(cast.alice)
    assert "could not be fetched from the tracker" in browser.get(LIST).content.decode()
    assert rows(browser.get(f"{LIST}?show=not_fetched")) == [call.pk]
    told = browser.post(f"{LIST}again/", follow=True)
    assert "Requested 1 again" in told.content.decode()
    work(client, at=make.now() + timedelta(minutes=1))
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.get(call_id=call.pk).fetch_due_at is not None
    assert "No recordings are missing" in browser.post(f"{LIST}again/", follow=True).content.decode()
    assert signed_in(cast.bob).post(f"{LIST}again/").status_code == 403


def test_where_a_caller_lives_is_noted_and_taken_back(cast: Cast) -> None:
    call = recorded(cast.dentist, NEW_YORK, country="US", region="NY")
    address = f"/clients/dentist/calls/{call.pk}/place/"
    browser = signed_in(cast.alice)
    for wrong in ({"country": "ZZ1"}, {"country": "XX"}, {"country": "US", "region": "ON"}):
        assert browser.post(address, wrong).status_code == 200
    with job_scope(agency_id=cast.acme.pk):
        assert not CallerPlace.objects.exists()
    assert browser.post(address, {"country": "us", "region": "tx"}).status_code == 302
    assert browser.post(address, {"country": "ca", "region": "on"}).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        row = CallerPlace.objects.get()
        assert (row.caller_id, row.country, row.region, row.recorded_by_id) == (
            call.caller_id, "CA", "ON", cast.alice.user_id,
        )  # fmt: skip
    work(cast.dentist, at=make.now() + timedelta(minutes=1))
    assert decision(call).places[0]["evidence"] == "address"
    assert "Ontario" in browser.get(f"/clients/dentist/calls/{call.pk}/").content.decode()
    assert browser.post(address, {"forget": "1"}).status_code == 302
    work(cast.dentist, at=make.now() + timedelta(minutes=2))
    assert decision(call).places[0]["evidence"] == "area_code"
    with job_scope(agency_id=cast.acme.pk):
        deeds = Event.objects.filter(subject_kind="calls.caller").values_list("action", flat=True)
        assert sorted(deeds) == ["caller.place_removed", "caller.placed", "caller.placed"]
        assert not any("TX" in str(event.details) for event in Event.objects.all())
    nobody = make.call(cast.dentist, None, at=NOON)
    assert browser.get(f"/clients/dentist/calls/{nobody.pk}/place/").status_code == 302
    assert signed_in(cast.bob).get(address).status_code == 403
