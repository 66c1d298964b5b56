"""The queue: who sees what waits, what is past due, filters, pages, and a bound on its queries."""

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import User
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from callprivacy.work.models import Item
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.numbers import says
from tests.work import waiting


def test_an_item_of_a_client_is_for_who_holds_the_permission_there(cast: Cast) -> None:
    dave = waiting.manager(cast, "dave", cast.plumber)
    item = waiting.of_client(cast.dentist)

    assert waiting.queue_of(cast.alice) == [item]
    assert waiting.queue_of(cast.bob) == []  # granted the client, without the permission
    assert waiting.queue_of(cast.carol) == []  # manages clients, without a grant
    assert waiting.queue_of(dave) == []  # the permission, on the other client
    assert waiting.queue_of(cast.mallory) == []  # the other agency


def test_an_item_of_the_agency_is_for_whose_role_has_the_right(cast: Cast) -> None:
    item = waiting.of_agency(cast.acme)

    assert waiting.queue_of(cast.alice) == [item]
    for person in (cast.bob, cast.carol, cast.mallory):
        assert waiting.queue_of(person) == []


def test_what_only_an_officer_may_decide_waits_for_officers_alone(cast: Cast) -> None:
    officer_without_permission = make.person(cast.acme, "erin", Role.OFFICER)
    make.grant(officer_without_permission, cast.dentist, without=Permission.MANAGE_CONSENT)
    dave = waiting.manager(cast, "dave", cast.dentist)
    item = waiting.of_client(cast.dentist, kind="withdrawal_choice")

    assert waiting.queue_of(cast.alice) == [item]
    assert waiting.queue_of(officer_without_permission) == []
    assert waiting.queue_of(dave) == []  # may manage consent there, and signs nothing
    assert {row.user_id for row in waiting.told(cast.acme)} == {cast.alice.user_id}


def test_a_grant_that_has_ended_shows_nothing(cast: Cast) -> None:
    waiting.of_client(cast.dentist)
    make.grant(cast.alice, cast.dentist, ends_at=make.now() - timedelta(seconds=1))

    assert waiting.queue_of(cast.alice) == []


def test_what_is_past_due_is_marked_and_comes_first(cast: Cast) -> None:
    later = waiting.of_client(cast.dentist, "later", due_at=make.now() + timedelta(days=1))
    page = signed_in(cast.alice).get("/work/")
    assert "Past due" not in page.content.decode()

    late = waiting.of_client(cast.plumber, "late", due_at=make.now() - timedelta(minutes=1))
    page = signed_in(cast.alice).get("/work/")

    assert waiting.ids_of(page) == [late.pk, later.pk]
    assert page.content.decode().count("Past due") == 1


def owned(item: Item, number: int) -> None:
    """An item with an owner of its own is a case of its own."""
    with job_scope(agency_id=item.agency_id):
        owner = User.objects.create(email=f"owner{number}@example.com")
        Item.objects.filter(pk=item.pk).update(owner=owner)


def test_items_of_one_client_and_page_are_one_case(cast: Cast) -> None:
    later = waiting.of_client(cast.dentist, "later", due_at=make.now() + timedelta(days=2))
    first = waiting.of_client(cast.dentist, "first", due_at=make.now() + timedelta(days=1))
    other = waiting.of_client(cast.plumber, "other")
    page = signed_in(cast.alice).get("/work/")
    assert waiting.ids_of(page) == [first.pk, other.pk]
    assert page.content.decode().count(f">also: {waiting.EVENTS_TITLE}<") == 1

    waiting.do(cast.alice, "done", first)
    assert waiting.again(later).state == "done"
    assert waiting.queue_of(cast.alice) == [other]


def test_filters(cast: Cast) -> None:
    dentist = waiting.of_client(cast.dentist, "dentist")
    plumber = waiting.of_client(cast.plumber, "plumber")
    agency = waiting.of_agency(cast.acme)
    waiting.do(cast.alice, "assign", plumber, owner=cast.alice.user_id)

    found = {
        query: {item.pk for item in waiting.queue_of(cast.alice, query)}
        for query in (
            "",
            "?kind=reveal_limit",
            "?client=dentist",
            "?owner=me",
            "?owner=nobody",
            "?client=dentist&owner=me",
        )
    }

    assert found == {
        "": {dentist.pk, plumber.pk, agency.pk},
        "?kind=reveal_limit": {agency.pk},
        "?client=dentist": {dentist.pk},
        "?owner=me": {plumber.pk},
        "?owner=nobody": {dentist.pk, agency.pk},
        "?client=dentist&owner=me": set(),
    }


def test_what_is_done_with_items_leaves_the_filter_and_the_page_as_they_are(cast: Cast) -> None:
    for number in range(52):
        owned(waiting.of_client(cast.dentist, f"one-{number}"), number)
    browser = signed_in(cast.alice)
    after = waiting.ids_of(browser.get("/work/?client=dentist"))[-1]
    here = f"/work/?client=dentist&after={after}"
    page = browser.get(f"{here}&kind=+12025550147").content.decode()
    assert f'formaction="/work/items/?client=dentist&amp;after={after}"' in page
    answer = browser.get(here)
    action = html.unescape(re.findall(r'formaction="(/work/items/[^"]*)"', answer.content.decode())[0])
    first = waiting.ids_of(answer)[0]
    for sent in ({"deed": "snooze", "item": [first], "days": "1"}, {"deed": "snooze"}):
        assert browser.post(action, sent).headers["Location"] == here
    assert first not in waiting.ids_of(browser.get(here))


def test_what_stands_for_requests_with_owners_of_their_own_is_not_said_to_be_nobodys(cast: Cast) -> None:
    waiting.of_client(cast.dentist, "events")
    requests = waiting.of_client(cast.dentist, "requests", kind="requests")
    browser = signed_in(cast.alice)

    def owners() -> list[str]:
        page = browser.get("/work/").content.decode()
        cells = re.findall(r'<td data-label="Owner">(.*?)</td>', page)
        return sorted(re.sub("<[^>]+>", "", cell) for cell in cells)

    assert owners() == ["nobody", "see the requests"]
    waiting.do(cast.alice, "assign", requests, owner=cast.alice.user_id)
    assert owners() == ["Alice", "nobody"]


def test_kinds_are_offered_that_wait_and_the_one_that_is_asked_for(cast: Cast) -> None:
    waiting.of_client(cast.dentist, "one")
    waiting.of_client(cast.plumber, "two")
    waiting.of_agency(cast.acme)

    def offered(query: str = "") -> dict[str, str]:
        form = signed_in(cast.alice).get(f"/work/{query}").context["form"]
        assert form.is_valid() is (query != "?kind=nothing_at_all")
        return {name: label.rpartition(" (")[2] for name, label in form.fields["kind"].choices}

    there = offered()
    assert sorted(there.values()) == ["1)", "2)", "Every kind"]
    assert there["reveal_limit"] == "1)"
    assert offered("?kind=withdrawal_choice") == there | {"withdrawal_choice": "0)"}
    assert offered("?kind=nothing_at_all") == there


def test_what_stands_in_the_address_and_is_no_choice_is_not_repeated(cast: Cast) -> None:
    for name in ("kind", "client", "owner"):
        page = signed_in(cast.alice).get("/work/", {name: "+12025550147"}).content.decode()
        assert "Pick one from the list." in page
        assert not says(page, "+12025550147")


def test_pages(cast: Cast) -> None:
    for number in range(53):
        owned(waiting.of_client(cast.dentist, f"k{number}"), number)

    first = waiting.queue_of(cast.alice)
    second = waiting.queue_of(cast.alice, f"?after={first[-1].pk}")

    assert (len(first), len(second)) == (50, 3)
    assert len({item.pk for item in [*first, *second]}) == 53


def test_what_is_asked_does_not_grow_with_kinds(cast: Cast) -> None:
    """A hundred kinds ask for a few sets of clients; each set stands in the question once."""
    browser = signed_in(cast.alice)
    with CaptureQueriesContext(connection) as queries:
        browser.get("/work/")
    asked = [query["sql"].count('"client_id" IN') for query in queries if "work_item" in query["sql"]]
    assert 1 <= max(asked) <= 6


@pytest.mark.thorough
@pytest.mark.parametrize("address", ["/work/", "/notifications/"])
def test_queries_do_not_grow_with_items(cast: Cast, address: str) -> None:
    browser = signed_in(cast.alice)
    waiting.of_client(cast.dentist, "first")
    browser.get(address)  # what a session's first page asks once
    with CaptureQueriesContext(
        connection,
    ) as few:
        assert browser.get(address).status_code == 200
    for number in range(20):
        waiting.of_client((cast.dentist, cast.plumber)[number % 2], f"k{number}")
        waiting.of_agency(cast.acme, f"person-{number}")
    with CaptureQueriesContext(connection) as many:
        page = browser.get(address)

    assert len(waiting.ids_of(page)) == (3 if address == "/work/" else 41)
    assert len(many) == len(few) <= 25


def test_what_is_put_off_comes_back_by_itself(cast: Cast) -> None:
    item = waiting.of_client(cast.dentist)
    before = make.now()

    answer = waiting.do(cast.alice, "snooze", item, days="3")

    assert waiting.said(answer) == ["Snoozed: 1. They come back on their date."]
    assert waiting.queue_of(cast.alice) == []
    until = waiting.again(item).snoozed_until
    assert until is not None
    assert before + timedelta(days=3) <= until <= make.now() + timedelta(days=3)
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.awake(until - timedelta(microseconds=1)).exists()
        assert Item.objects.awake(until).get() == item
        Item.objects.filter(pk=item.pk).update(snoozed_until=make.now())
    assert waiting.queue_of(cast.alice) == [item]


def test_the_next_step_is_where_the_thing_is(cast: Cast) -> None:
    of_client, of_agency = waiting.of_client(cast.dentist), waiting.of_agency(cast.acme)
    browser = signed_in(cast.alice)

    assert browser.get(f"/work/items/{of_client.pk}/").headers["Location"].startswith("/clients/dentist/")
    assert browser.get(f"/work/items/{of_agency.pk}/").headers["Location"] == "/reveals/"


def test_closing_from_a_service_leaves_the_queue(cast: Cast) -> None:
    item = waiting.of_client(cast.dentist, "k")
    with job_scope(agency_id=cast.acme.pk):
        closing = {"agency_id": cast.acme.pk, "key": "k", "at": make.now(), "by": make.JOB}
        assert work.close_item(waiting.EVENTS, **closing) is True  # type: ignore[arg-type]  # facts of a table
        assert work.close_item(waiting.EVENTS, **closing) is False  # type: ignore[arg-type]  # facts of a table

    assert waiting.again(item).state == "done"
    assert waiting.queue_of(cast.alice) == []
