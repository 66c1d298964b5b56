"""The list of calls: whose rows, in which order, under which filters, in how many queries."""

import html
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client as Browser

from callprivacy.accounts.enums import Role
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.models import Call, Recording
from callprivacy.calls.providers import base
from callprivacy.calls.selectors import calls as selectors
from callprivacy.calls.selectors.calls import CallFilters, CallPage
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault.models import Caller as Keys
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast, assemble
from tests.make import NOON
from tests.numbers import hints
from tests.scale import some

pytestmark = pytest.mark.django_db

CANARY = "+14045554686"


@pytest.fixture
def cast() -> Cast:
    return assemble()


def _calls(of: Client, count: int, *, first: datetime = NOON, **fields: Any) -> list[Call]:
    return [make.call(of, CANARY, at=first - timedelta(minutes=index), **fields) for index in range(count)]


def _page(cast: Cast, clients: list[Client], filters: CallFilters | None = None, **more: Any) -> CallPage:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        return selectors.call_page(clients, filters or CallFilters(), zone="America/New_York", **more)


def _ids(page: CallPage) -> list[UUID]:
    return [call.pk for call in page.calls]


def test_a_person_sees_the_calls_of_granted_clients_only(cast: Cast) -> None:
    make.call(cast.dentist, CANARY, source="Dentist's ad")
    make.call(cast.plumber, CANARY, source="Plumber's ad")
    make.call(cast.florist, CANARY, source="Florist's ad")

    page = signed_in(cast.bob).get("/calls/").content.decode()

    assert "Dentist&#x27;s ad" in page
    assert "Plumber&#x27;s ad" not in page
    assert "Florist&#x27;s ad" not in page


@pytest.mark.parametrize(
    ("who", "slug", "status"),
    [
        ("alice", "dentist", 200),
        ("alice", "florist", 404),
        ("bob", "dentist", 200),
        ("bob", "plumber", 404),
        ("carol", "dentist", 404),
        ("mallory", "dentist", 404),
        ("mallory", "florist", 200),
    ],
)
def test_one_client_is_listed_for_who_was_granted_it(cast: Cast, who: str, slug: str, status: int) -> None:
    assert signed_in(getattr(cast, who)).get("/calls/", {"client": slug}).status_code == status


def test_who_has_no_grant_is_told_so(cast: Cast) -> None:
    answer = signed_in(cast.carol).get("/calls/")

    assert answer.status_code == 200
    assert "No client's calls are yours to see" in answer.content.decode()


def test_a_stranger_is_sent_to_sign_in() -> None:
    answer = Browser().get("/calls/")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_numbers_are_masked_and_callers_have_their_name(cast: Cast) -> None:
    call = make.call(cast.dentist, CANARY)
    make.call(cast.dentist, None)

    page = signed_in(cast.bob).get("/calls/").content.decode()

    assert "+1 ••• ••• 4686" in page
    assert call.caller is not None
    assert f"Caller {call.caller.label}" in page
    assert "Number withheld" in page
    assert "4045554686" not in page
    assert "404-555" not in page


def test_a_list_of_one_caller_says_so_and_leads_back_to_everybody(cast: Cast) -> None:
    call, other = make.call(cast.dentist, CANARY), make.call(cast.dentist, "+12125550107")
    assert call.caller is not None
    browser = signed_in(cast.alice)
    answer = browser.get(f"/calls/?client=dentist&outcome=answered&caller={call.caller_id}")
    page = answer.content.decode()

    assert f"Only Caller {call.caller.label}" in page
    leads = html.unescape(re.findall(r'href="([^"]*)">Show everybody’s calls', page)[0])
    assert leads == "?client=dentist&outcome=answered"
    everybody = browser.get("/calls/?client=dentist")
    assert {row.call.pk for row in everybody.context["rows"]} == {call.pk, other.pk}
    assert "Only Caller" not in everybody.content.decode()


def test_the_one_caller_is_let_go_where_the_client_that_is_picked_does_not_have_them(cast: Cast) -> None:
    call, other = make.call(cast.dentist, CANARY), make.call(cast.plumber, "+12125550107")
    browser = signed_in(cast.alice)

    answer = browser.get(f"/calls/?client=plumber&caller={call.caller_id}", follow=True)
    assert answer.redirect_chain == [("/calls/?client=plumber", 302)]
    assert [row.call.pk for row in answer.context["rows"]] == [other.pk]
    assert "That caller has no calls here" in answer.content.decode()
    # What fits nothing of a caller who is here stays as it was asked.
    answer = browser.get(f"/calls/?client=dentist&campaign=Nothing&caller={call.caller_id}")
    assert answer.status_code == 200
    assert "No call matches" in answer.content.decode()


def test_an_erased_caller_does_not_fail_the_page(cast: Cast) -> None:
    call = make.call(cast.dentist, CANARY)
    make.call(cast.dentist, "+14045550142")
    Keys.objects.filter(pk=str(call.caller_id)).update(content_key=None)

    page = signed_in(cast.bob).get("/calls/").content.decode()

    assert "erased" in page
    assert "0142" in page


def test_a_damaged_key_spoils_its_own_row_alone(cast: Cast) -> None:
    call = make.call(cast.dentist, CANARY)
    make.call(cast.dentist, "+14045550142")
    make.call(cast.plumber, "+14045550143")
    Keys.objects.filter(pk=str(call.caller_id)).update(content_key=b"\x01" + b"x" * 60)

    page = signed_in(cast.alice).get("/calls/").content.decode()

    assert "erased" in page
    assert "0142" in page
    assert "0143" in page


def test_pages_of_several_clients_merge_in_both_directions(cast: Cast) -> None:
    calls = [*_calls(cast.dentist, 7), *_calls(cast.plumber, 5, first=NOON - timedelta(seconds=30))]
    clients, expected = [cast.dentist, cast.plumber], sorted((call.pk for call in calls), reverse=True)

    seen: list[UUID] = []
    before: UUID | None = None
    newer: str | None = None
    for _ in range(4):
        page = _page(cast, clients, before=before, size=4)
        seen += _ids(page)
        newer = page.newer
        if page.older is None:
            break
        before = UUID(page.older)

    assert seen == expected
    assert newer is not None
    back = _page(cast, clients, after=UUID(newer), size=4)
    assert _ids(back) == expected[4:8]


def test_oldest_first_walks_the_other_way(cast: Cast) -> None:
    expected = sorted(call.pk for call in _calls(cast.dentist, 5))

    first = _page(cast, [cast.dentist], oldest_first=True, size=3)
    assert first.newer is not None
    second = _page(cast, [cast.dentist], oldest_first=True, after=UUID(first.newer), size=3)

    assert _ids(first) + _ids(second) == expected
    assert first.older is None
    assert second.newer is None


def test_more_clients_than_are_asked_together_give_the_same_page(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    _calls(cast.dentist, 4)
    _calls(cast.plumber, 4, first=NOON - timedelta(seconds=30))
    clients = [cast.dentist, cast.plumber]
    together = _page(cast, clients, size=5)

    monkeypatch.setattr(selectors, "ASKED_TOGETHER", 1)

    assert _ids(_page(cast, clients, size=5)) == _ids(together)
    assert together.older is not None
    assert len(_ids(_page(cast, clients, size=5, before=UUID(together.older)))) == 3


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        (CallFilters(source="Bing"), {"source": "Bing"}),
        (CallFilters(campaign="Spring"), {"campaign": "Spring"}),
        (CallFilters(campaign="Spring", source="Bing"), {"campaign": "Spring", "source": "Bing"}),
        (CallFilters(direction="outbound"), {"direction": Direction.OUTBOUND}),
        (CallFilters(outcome="missed"), {"outcome": Outcome.MISSED}),
        (CallFilters(region="CA"), {"region": "CA"}),
        (CallFilters(length="brief"), {"seconds": 9}),
        (CallFilters(length="short"), {"seconds": 59}),
        (CallFilters(length="medium"), {"seconds": 299}),
        (CallFilters(length="long"), {"seconds": 300}),
        (CallFilters(first="yes"), {"first_call": True}),
        (CallFilters(first="no"), {"first_call": False}),
    ],
)
def test_a_filter_finds_what_fits(cast: Cast, filters: CallFilters, fits: dict[str, Any]) -> None:
    wanted = make.call(cast.dentist, CANARY, **fits)
    make.call(cast.dentist, CANARY, seconds=None, campaign="Autumn", source="Print", region="NY")

    assert _ids(_page(cast, [cast.dentist, cast.plumber], filters)) == [wanted.pk]


def test_the_recording_state_is_a_filter(cast: Cast) -> None:
    recorded, plain = make.call(cast.dentist, CANARY), make.call(cast.dentist, CANARY)
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.create(
            agency=cast.acme, client=cast.dentist, call=recorded, reference=b"\x01x", provider="callrail"
        )

    assert _ids(_page(cast, [cast.dentist], CallFilters(recording="withheld"))) == [recorded.pk]
    assert _ids(_page(cast, [cast.dentist], CallFilters(recording="none"))) == [plain.pk]


def test_days_are_of_the_zone_asked_for(cast: Cast) -> None:
    late = make.call(cast.dentist, CANARY, at=datetime(2026, 11, 24, 3, 30, tzinfo=UTC))  # 22:30 on the 23rd
    make.call(cast.dentist, CANARY, at=datetime(2026, 11, 24, 5, 0, tzinfo=UTC))  # 00:00 on the 24th

    day = CallFilters(from_on=date(2026, 11, 23), until_on=date(2026, 11, 23))

    assert _ids(_page(cast, [cast.dentist], day)) == [late.pk]


def test_a_filter_without_hits_stops_and_goes_on_where_it_stopped(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "LOOKS_AT", 8)
    monkeypatch.setattr(selectors, "LOOKS_AT_LEAST", 1)
    hit = make.call(cast.dentist, CANARY, at=NOON - timedelta(days=2), outcome=Outcome.BUSY)
    _calls(cast.dentist, 10)
    _calls(cast.plumber, 3)
    clients, busy = [cast.dentist, cast.plumber], CallFilters(outcome="busy")

    first = _page(cast, clients, busy)

    assert first.calls == []
    assert first.looked_to is not None
    assert first.older is not None
    seen: list[UUID] = []
    pages = 0
    older: str | None = first.older
    while older is not None:
        page = _page(cast, clients, busy, before=UUID(older))
        seen, older, pages = seen + _ids(page), page.older, pages + 1
    assert seen == [hit.pk]
    assert pages == 2


def test_an_empty_page_goes_on_looking_by_itself(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "LOOKS_AT", 4)
    monkeypatch.setattr(selectors, "LOOKS_AT_LEAST", 1)
    _calls(cast.dentist, 10)

    for order, cursor in (("", "before"), ("oldest", "after")):
        asked = {"client": "dentist", "outcome": "busy", "sort": order}
        answer = signed_in(cast.bob).get("/calls/", asked)
        steps = 1
        while onward := answer.context["page"].onward:
            assert f"{cursor}={onward}" in answer.content.decode()
            assert "Looked as far as" in answer.content.decode()
            answer = signed_in(cast.bob).get("/calls/", asked | {cursor: onward})
            steps += 1
        assert steps == 3
        assert "No call matches" in answer.content.decode()


def test_what_was_not_looked_at_by_one_client_hides_older_hits_of_another(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "LOOKS_AT", 6)
    monkeypatch.setattr(selectors, "LOOKS_AT_LEAST", 1)
    _calls(cast.dentist, 5)
    late = make.call(cast.dentist, CANARY, at=NOON - timedelta(hours=1), outcome=Outcome.BUSY)
    early = make.call(cast.plumber, CANARY, at=NOON - timedelta(hours=2), outcome=Outcome.BUSY)
    clients, busy = [cast.dentist, cast.plumber], CallFilters(outcome="busy")

    seen: list[UUID] = []
    older: str | None = None
    while True:
        page = _page(cast, clients, busy, before=UUID(older) if older else None)
        seen += _ids(page)
        older = page.older
        if older is None:
            break

    assert seen == [late.pk, early.pk]


def test_choices_come_from_the_calls_of_the_clients_listed(cast: Cast) -> None:
    make.call(cast.dentist, CANARY, source="Bing", campaign="Spring")
    make.call(cast.dentist, CANARY, source="Bing", campaign="")
    make.call(cast.plumber, CANARY, source="Yelp")

    everything = signed_in(cast.alice).get("/calls/").content.decode()
    one = signed_in(cast.alice).get("/calls/", {"client": "dentist"}).content.decode()

    assert '<option value="Yelp"' in everything
    assert '<option value="Spring"' in everything
    assert '<option value="Bing"' in one
    assert '<option value="Yelp"' not in one


def test_with_many_clients_the_choices_come_from_the_tracking_numbers(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "CHOICES_FROM_CALLS", 1)
    make.call(cast.dentist, CANARY, source="Bing")
    make.tracking_number(cast.dentist, "+14045550100", source="Radio")

    page = signed_in(cast.alice).get("/calls/").content.decode()

    assert '<option value="Radio"' in page
    assert '<option value="Bing"' not in page


@pytest.mark.parametrize(
    "asked",
    [
        {"from_on": "2026-11-24", "until_on": "2026-11-01"},
        pytest.param({"region": "California"}, marks=pytest.mark.thorough),
        {"source": CANARY},
        pytest.param({"outcome": "?"}, marks=pytest.mark.thorough),
    ],
)
def test_a_wrong_filter_lists_nothing_and_says_so(cast: Cast, asked: dict[str, str]) -> None:
    make.call(cast.dentist, CANARY)

    page = signed_in(cast.bob).get("/calls/", asked).content.decode()

    assert "Filter not applied" in page
    assert "•••" not in page


@pytest.mark.parametrize(
    ("country", "region"), some([("US", "CA"), ("ES", "M"), ("AT", "9"), ("FR", "75")], one_in=2)
)
def test_calls_are_found_by_any_region_that_is_kept_in_either_case(
    cast: Cast, country: str, region: str
) -> None:
    assert base.place(country, region, None) == (country, region)
    make.call(cast.dentist, CANARY, country=country, region=region)
    make.call(cast.dentist, "+14045550177", country="GB", region="ENG")

    for typed in (region, f" {region.lower()}"):
        page = signed_in(cast.bob).get("/calls/", {"region": typed}).content.decode()
        assert "4686" in page, typed
        assert not hints(page, "+14045550177")


@pytest.mark.parametrize("cursor", some(["x", "0" * 31, "1"], one_in=3))
def test_a_cursor_that_is_none_gives_the_first_page(cast: Cast, cursor: str) -> None:
    make.call(cast.dentist, CANARY)

    assert "4686" in signed_in(cast.bob).get("/calls/", {"before": cursor}).content.decode()


def test_a_page_is_not_kept_by_thebrowser_of(cast: Cast) -> None:
    assert "no-store" in signed_in(cast.bob).get("/calls/")["Cache-Control"]


_CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")


def _queries(browser: Browser, **asked: str) -> list[str]:
    from django.db import connections
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as default, CaptureQueriesContext(connections["vault"]) as vault:
        assert browser.get("/calls/", asked).status_code == 200
    every = [query["sql"] for captured in (default, vault) for query in captured.captured_queries]
    statements = [sql for sql in every if not sql.startswith(_CONTROL)]
    # An enclosing test transaction makes the scope clear its settings by hand; a real one ends with its
    # commit.
    return [sql for sql in statements if "set_config('callprivacy.scope', ''" not in sql]


def test_a_page_takes_at_most_twelve_queries_however_many_clients(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    make.call(cast.dentist, CANARY)
    browser.get("/calls/")  # the session remembers the agency from here on
    few = _queries(browser)
    for index in range(5):
        client = make.client(cast.acme, f"Client {index}")
        make.call(client, f"+1404555010{index}")
        make.tracking_number(client, f"+1404555011{index}")

    many = _queries(browser)

    assert len(many) == len(few) <= 12
    assert len(_queries(browser, outcome="answered")) <= 12


@pytest.mark.thorough
def test_one_client_of_many_costs_no_more_queries(cast: Cast) -> None:
    make.grant(cast.bob, cast.plumber, Role.REVIEWER)
    make.call(cast.dentist, CANARY)
    browser = signed_in(cast.bob)
    browser.get("/calls/")

    assert len(_queries(browser, client="dentist")) <= 12


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("asked", "place"),
    [("", "/clients/"), ("?client=dentist", "/clients/dentist/imports/new/")],
)
def test_the_list_and_the_menu_lead_to_the_import(cast: Cast, asked: str, place: str) -> None:
    page = signed_in(cast.alice).get(f"/calls/{asked}")
    text = page.content.decode()
    (button,) = re.findall(r'<a class="btn" href="([^"]+)">(?:(?!</a>).)*Import calls', text, re.DOTALL)
    assert button == place
    assert {one["label"]: one["url"] for one in page.context["new_menu"]()}["Calls from a file"] == place


def test_who_may_import_for_one_client_is_led_there_and_who_may_for_none_nowhere(cast: Cast) -> None:
    assert "Import calls" not in signed_in(cast.bob).get("/calls/").content.decode()
    make.grant(cast.bob, cast.dentist, Role.OFFICER)
    assert "/clients/dentist/imports/new/" in signed_in(cast.bob).get("/calls/").content.decode()
