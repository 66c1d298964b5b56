"""Retention as people meet it: the effect is shown first, an officer signs, a stranger finds nothing."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.models import Call
from callprivacy.tenancy.enums import Permission, RetentionState
from callprivacy.tenancy.models import Client, Engagement
from callprivacy.tenancy.scope import job_scope
from retention.enums import Category, RunState
from retention.law import categories
from retention.models import Errand, Policy, Run
from retention.services import runs
from retention.tasks import runs as tasks
from retention.views import previews
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.numbers import hints, says

ANNA = "+12125550101"
SHOWN = {
    "calls": "1", "recordings": "0", "callers": "1", "allowed": "0", "withheld": "0", "leaving": "0",
    "phrase": "Dentist",
}  # fmt: skip
GO_LIVE = "/clients/dentist/policies/go-live/"
REASON = "The client asked for ninety days in its new contract."


def carried(browser: Browser) -> dict[str, str]:
    """What the page of the signature carries of the terms that it shows."""
    page = browser.get(GO_LIVE).content.decode()
    names = ("keep_for_days", "keep_out_for_days", "others", "besides", "quarantine_hours", "at_vendor")
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    return {name: found[name] for name in names}


def _dentist(cast: Cast) -> Client:
    with job_scope(agency_id=cast.acme.pk):
        return Client.objects.select_related("agency").get(pk=cast.dentist.pk)


def test_the_sections_are_of_what_the_person_may_open(cast: Cast) -> None:
    erin = make.person(cast.acme, "erin", Role.OFFICER)  # signs, and is granted no client
    dave = make.person(cast.acme, "dave", Role.OFFICER)
    make.grant(dave, cast.dentist, without=Permission.VIEW_CALLS)
    first, last = (
        ["Due now", "Schedule", "Rules", "Changes", "Holds", "Preview"],
        ["Agency certificates", "Offboarding"],
    )
    shown = {
        cast.alice: [*first, *last],
        cast.carol: ["Changes", "Offboarding"],
        erin: ["Due now", "Rules", "Changes", "Preview", *last],
        dave: ["Due now", "Rules", "Changes", "Holds", "Preview", *last],
    }
    for person, sections in shown.items():
        browser = signed_in(person)
        page = browser.get("/retention/changes/").content.decode()
        nav = page.split('<nav class="sections"')[1].split("</nav>")[0]
        found = {label: address for address, label in re.findall(r'href="([^"]+)"[^>]*>([^<]+)</a>', nav)}
        assert list(found) == sections
        for address in found.values():
            assert browser.get(address).status_code == 200, address


def test_the_dry_run_lists_what_would_go_masked_and_erases_nothing(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=400))
    make.call(cast.dentist, "+12125550177", at=make.now() - timedelta(days=4))

    page = signed_in(cast.alice).get("/clients/dentist/policies/preview/").content.decode()

    assert "••• 0101" in page
    assert not hints(page, "+12125550177")
    assert not says(page, "+12125550177")
    assert "2125550101" not in page
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.count() == 2


@pytest.mark.usefixtures("one_signature")
def test_an_officer_signs_with_the_counts_shown_and_the_run_erases(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=400))
    browser = signed_in(cast.alice)
    seen = SHOWN | carried(browser)

    stale = browser.post(GO_LIVE, seen | {"calls": "0", "callers": "0"})
    assert "counts have changed" in stale.content.decode()
    signed = browser.post(GO_LIVE, seen)
    assert signed.status_code == 302
    assert _dentist(cast).retention_state == RetentionState.LIVE
    started = browser.post("/retention/runs/")
    tasks.work_runs()

    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.count() == 0
        assert Run.objects.get().state == RunState.DONE
    page = browser.get(started["Location"]).content.decode()
    assert "Finished" in page


@pytest.mark.usefixtures("one_signature")
@pytest.mark.parametrize("what", ["calls in", "calls out", "recordings", "quarantine", "tracker"])
def test_a_signature_needs_the_terms_that_were_shown(cast: Cast, what: str) -> None:
    browser = signed_in(cast.alice)
    seen = SHOWN | {"calls": "0", "callers": "0"} | carried(browser)

    with job_scope(agency_id=cast.acme.pk):
        client = Client.objects.filter(pk=cast.dentist.pk)
        if what == "calls in":
            client.update(keep_calls_for_days=300, keep_calls_out_for_days=365)
        elif what == "calls out":
            client.update(keep_calls_out_for_days=300)
        elif what == "quarantine":
            client.update(quarantine_hours=1)
        elif what == "tracker":
            Engagement.objects.for_client(cast.dentist).update(delete_at_vendor=True)
        else:
            Policy.objects.create(
                agency=cast.acme, client=cast.dentist, category=Category.RECORDING, keep_for_days=30,
                set_at=make.now(),
            )  # fmt: skip
    refused = browser.post(GO_LIVE, seen)

    assert "has changed since you saw it. Check it again, then sign." in refused.content.decode()
    assert _dentist(cast).retention_state != RetentionState.LIVE
    assert browser.post(GO_LIVE, seen | carried(browser)).status_code == 302


@pytest.mark.usefixtures("one_signature")
def test_going_live_takes_the_name_of_the_client_typed(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    seen = SHOWN | {"calls": "0", "callers": "0"} | carried(browser)

    refused = browser.post(GO_LIVE, seen | {"phrase": "dental"})

    assert "Type Dentist to confirm" in refused.content.decode()
    assert _dentist(cast).retention_state == RetentionState.OBSERVE
    assert browser.post(GO_LIVE, seen).status_code == 302
    assert _dentist(cast).retention_state == RetentionState.LIVE


def test_who_signs_is_warned_of_open_setup_steps(cast: Cast) -> None:
    page = signed_in(cast.alice).get(GO_LIVE).content.decode()

    assert "Setup steps are open" in page
    assert "no tracker is connected" in page
    assert "dry run: nothing is deleted automatically" not in page, (
        "going live is no step that is missing here"
    )


def test_who_signs_is_shown_what_else_leaves(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Policy.objects.create(
            agency=cast.acme,
            client=cast.dentist,
            category=Category.RECORDING,
            keep_for_days=30,
            set_at=make.now(),
        )
    make.recording(
        make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=40)), "https://vendor.example/1"
    )

    answer = signed_in(cast.alice).get("/clients/dentist/policies/go-live/")

    assert {row.category: row.extent.rows for row in answer.context["others"]} == {
        category: int(category is Category.RECORDING)
        for category in categories.OF_CLIENTS
        if category not in categories.RECORDS
    }
    assert "Recordings, kept for 30 days" in answer.content.decode()


def test_the_preview_of_all_has_pages(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "_PAGE", 1)
    for client, days in ((cast.dentist, 400), (cast.dentist, 401), (cast.plumber, 400)):
        make.call(client, ANNA, at=make.now() - timedelta(days=days))
    browser = signed_in(cast.alice)
    first, second = (browser.get(f"/retention/preview/?page={number}") for number in (1, 2))
    assert [one.client for page in (first, second) for one in page.context["shown"]] == [
        cast.dentist,
        cast.plumber,
    ]
    assert [[tile["value"] for tile in page.context["tiles"]][::2] for page in (first, second)] == [
        ["0", "3"]
    ] * 2, "both clients are in dry run: nothing is deleted"


@pytest.mark.usefixtures("one_signature")
def test_the_signature_is_refused_where_more_than_calls_is_past_its_date_by_now(cast: Cast) -> None:
    at = make.now() - timedelta(days=40)
    with job_scope(agency_id=cast.acme.pk):
        Policy.objects.create(
            agency=cast.acme,
            client=cast.dentist,
            category=Category.RECORDING,
            keep_for_days=30,
            set_at=make.now(),
        )
    browser = signed_in(cast.alice)
    signs = SHOWN | {"calls": "0", "callers": "0"} | carried(browser)
    make.recording(make.call(cast.dentist, ANNA, at=at), "https://vendor.example/1")

    refused = browser.post(GO_LIVE, signs)

    assert refused.status_code == 200
    assert "The counts have changed since you saw them." in refused.content.decode()
    found = {row.category: row.extent.rows for row in refused.context["others"]}
    assert found[Category.RECORDING] == 1
    assert _dentist(cast).retention_state == RetentionState.OBSERVE
    assert browser.post(GO_LIVE, signs | carried(browser)).status_code == 302
    assert _dentist(cast).retention_state == RetentionState.LIVE


@pytest.mark.thorough
def test_a_run_that_is_under_way_is_fetched_again_each_second_and_a_finished_one_is_not(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    started = browser.post("/retention/runs/")
    assert "every 1s" in browser.get(started["Location"], headers={"HX-Request": "true"}).content.decode()
    tasks.work_runs()
    assert "every 1s" not in browser.get(started["Location"], headers={"HX-Request": "true"}).content.decode()


@pytest.mark.thorough
def test_a_runs_page_says_why_a_client_has_no_certificate(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(
            retention_state=RetentionState.LIVE, went_live_at=make.now()
        )
    browser = signed_in(cast.alice)
    started = browser.post("/retention/runs/")["Location"]

    def said() -> dict[str, str]:
        page = browser.get(started).content.decode()
        rows = re.findall(r'<th scope="row" data-label="Client">(.*?)</tr>', page, re.DOTALL)
        cells = [re.sub(r"<[^>]+>", "", row.split('data-label="Certificate">')[1]).strip() for row in rows]
        return dict(zip((re.sub(r"<[^>]+>", "", row.split("</th>")[0]) for row in rows), cells, strict=True))

    with job_scope(agency_id=cast.acme.pk):
        run_id = Run.objects.get().pk
    runs._plan(cast.acme.pk, run_id, make.now() + timedelta(minutes=1), make.now)
    assert said() == {
        "Dentist": "when the run is over",
        "Plumber": "none: counted only, nothing leaves while it is observed",
    }
    tasks.work_runs()
    assert said()["Dentist"] == "none: nothing was taken, nothing held, nothing failed"

    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=400))
    started = browser.post("/retention/runs/")["Location"]
    tasks.work_runs()
    assert said()["Dentist"] == "Number 1"


def test_an_errand_is_shown_with_a_trace_and_closed_on_a_persons_word(cast: Cast) -> None:
    errand = make.errand(cast.dentist, "https://vendor.example/r/secret")
    browser = signed_in(cast.alice)

    listed = browser.get("/clients/dentist/errands/").content.decode()
    assert f'name="errand" value="{errand.pk}"' in listed
    assert 'formaction="/clients/dentist/errands/"' in listed
    shown = browser.post(f"/clients/dentist/errands/{errand.pk}/").content.decode()
    browser.post("/clients/dentist/errands/", {"errand": str(errand.pk)})

    assert "vendor.example" not in listed
    assert "https://vendor.example/r/secret" in shown
    with job_scope(agency_id=cast.acme.pk):
        assert not Errand.objects.exists()
        actions = set(Event.objects.filter(subject_id=str(errand.pk)).values_list("action", flat=True))
    assert actions == {"errand.shown", "errand.done"}


PAGES = (
    "/clients/dentist/policies/",
    "/clients/dentist/policies/preview/",
    "/clients/dentist/policies/go-live/",
    "/clients/dentist/policies/observe/",
    "/clients/dentist/errands/",
)


@pytest.mark.parametrize("url", PAGES)
def test_each_page_opens_for_the_officer_and_for_nobody_else(cast: Cast, url: str) -> None:
    assert signed_in(cast.alice).get(url).status_code == 200
    assert signed_in(cast.bob).get(url).status_code == 403
    assert signed_in(cast.carol).get(url).status_code == 403
    assert signed_in(cast.mallory).get(url).status_code == 404
    assert Browser().get(url).status_code == 302


def test_the_agencys_pages_open_for_the_officer_and_for_nobody_else(cast: Cast) -> None:
    for url in ("/retention/", "/retention/policies/", "/retention/policies/call/", "/retention/calendar/"):
        assert signed_in(cast.alice).get(url).status_code == 200
        assert signed_in(cast.bob).get(url).status_code == 403
        assert signed_in(cast.carol).get(url).status_code == 403
        assert Browser().get(url).status_code == 302


def test_another_agencys_run_is_not_there(cast: Cast) -> None:
    started = signed_in(cast.alice).post("/retention/runs/")

    assert signed_in(cast.mallory).get(started["Location"]).status_code == 404
    assert signed_in(cast.mallory).post(f"{started['Location']}cancel/").status_code == 404
    assert signed_in(cast.bob).get(started["Location"]).status_code == 404


def test_the_list_of_clients_takes_no_more_queries_for_more_clients(
    cast: Cast, django_assert_num_queries: Callable[..., AbstractContextManager[CaptureQueriesContext]]
) -> None:
    browser = signed_in(cast.alice)
    browser.get("/retention/")
    with CaptureQueriesContext(connections["default"]) as few:
        browser.get("/retention/")
    for number in range(8):
        make.client(cast.acme, f"More {number}")
    with django_assert_num_queries(len(few)):
        browser.get("/retention/")
