"""Clients in the order of a figure."""

from datetime import timedelta

import pytest

from callprivacy.accounts.enums import Role
from callprivacy.calls.enums import Outcome
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics.calls import callers, calls, work
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def test_clients_are_sorted_by_a_figure_and_suppressed_ones_come_last(cast: Cast) -> None:
    bakery = make.client(cast.acme, "Bakery")
    nina = make.person(cast.acme, "nina", Role.ANALYST)
    at = make.now().replace(day=1) - timedelta(days=10)
    for of, answered, missed in ((cast.dentist, 40, 20), (cast.plumber, 90, 10), (bakery, 2, 0)):
        make.grant(nina, of)
        people = callers(of, answered + missed)
        calls(of, people[:answered], at=at)
        calls(of, people[answered:], at=at, outcome=Outcome.MISSED, seconds=0)
        work(of, make.now())
    browser = signed_in(nina)

    def order(sort: str) -> list[str]:
        page = browser.get(f"/reports/?period=month&sort={sort}").text.partition("Clients</caption>")[2]
        return sorted(("Dentist", "Plumber", "Bakery"), key=lambda name: page.index(f">{name}</a>"))

    assert order("-calls") == ["Plumber", "Dentist", "Bakery"]
    # Two callers are suppressed: their place says nothing of how many they are.
    assert order("calls") == ["Dentist", "Plumber", "Bakery"]
    assert order("-answered") == ["Plumber", "Dentist", "Bakery"]
    assert order("client") == ["Bakery", "Dentist", "Plumber"]
    assert order("-client") == ["Plumber", "Dentist", "Bakery"]


def test_unknown_sort_is_ignored(cast: Cast) -> None:
    page = signed_in(cast.alice).get("/reports/?sort=cost")

    assert (page.status_code, "Sorted as you selected" in page.text) == (200, False)
