"""What changed in the law is read out of the rules that decide, with the clients it touches."""

from datetime import date
from typing import Any

import pytest

from callprivacy.tenancy.scope import job_scope
from consent.law import load_pack
from dashboard import law
from dashboard.law import About
from rights.law import Facts, Verdict, load, standing_of
from rights.models import ClientFacts
from tests.cast import Cast
from tests.rules.world import browser_of

TODAY = date(2026, 11, 27)
CALIFORNIA = frozenset({("US", ""), ("US", "CA")})


def _ccpa(on: date = TODAY, **facts: Any) -> tuple[Verdict, tuple[str, ...]]:
    found = standing_of(load().law("ccpa"), Facts(places=CALIFORNIA, **facts), on=on)
    return found.verdict, found.missing


class TestWhetherTheCcpaReachesAClient:
    def test_any_threshold_is_enough(self) -> None:
        assert _ccpa(nonprofit=False, revenue=26_625_001) == (Verdict.APPLIES, ())
        assert _ccpa(nonprofit=False, traded={"CA": 100_000}) == (Verdict.APPLIES, ())
        assert _ccpa(nonprofit=False, sale_share=50) == (Verdict.APPLIES, ())

    def test_below_all_of_them_it_does_not(self) -> None:
        facts: dict[str, Any] = {
            "nonprofit": False,
            "revenue": 26_625_000,
            "traded": {"CA": 99_999},
            "sale_share": 49,
        }
        assert _ccpa(**facts)[0] is Verdict.DOES_NOT
        assert _ccpa(nonprofit=True)[0] is Verdict.DOES_NOT

    def test_the_threshold_of_the_day_counts(self) -> None:
        facts: dict[str, Any] = {
            "nonprofit": False,
            "revenue": 26_000_000,
            "traded": {"CA": 0},
            "sale_share": 0,
        }
        assert _ccpa(date(2024, 12, 31), **facts)[0] is Verdict.APPLIES
        assert _ccpa(date(2025, 1, 1), **facts)[0] is Verdict.DOES_NOT
        assert _ccpa(date(2019, 12, 31), **facts)[0] is Verdict.DOES_NOT

    def test_what_is_missing_is_named(self) -> None:
        verdict, missing = _ccpa(nonprofit=False, revenue=1)
        assert verdict is Verdict.UNKNOWN
        assert missing == (
            "its share of revenue from selling data", "how many people's data it buys, sells or shares there",
        )  # fmt: skip
        assert _ccpa(revenue=30_000_000)[1] == ("whether it works for profit",)

    def test_the_places_of_the_profile_decide_first(self) -> None:
        ccpa = load().law("ccpa")
        far = standing_of(ccpa, Facts(places=frozenset({("US", "NY"), ("US", "")})), on=TODAY)
        bare = standing_of(
            ccpa, Facts(places=frozenset({("US", "")}), nonprofit=False, sale_share=60), on=TODAY
        )
        assert far.verdict is Verdict.DOES_NOT
        assert (bare.verdict, bare.missing) == (Verdict.UNKNOWN, ("whether it does business in California",))


class TestChanges:
    found = law.changes(load_pack())

    def _one(self, name: str) -> law.Change:
        return next(one for one in self.found if one.id == name)

    def test_each_has_a_source_and_a_day_of_checking_and_what_held_before(self) -> None:
        assert len({one.id for one in self.found}) == len(self.found)
        assert all(one.citation and one.source and one.places for one in self.found)
        threshold = self._one("ccpa-2025-01-01")
        assert (threshold.on, threshold.before) == (
            date(2025, 1, 1), "gross revenue of the year before over $25,000,000",
        )  # fmt: skip
        assert "26,625,000" in threshold.words
        assert self._one("tcpa-revocation").on == date(2025, 4, 11)
        assert self._one("tcpa-company-list-2025").before.startswith("answer within 30 days")

    def test_the_newest_come_first_and_what_has_no_day_last(self) -> None:
        days = [one.on for one in self.found if one.on]
        assert days == sorted(days, reverse=True)
        assert self.found[-1].on is None
        assert {one.about for one in self.found} == {About.CALLS, About.REQUESTS, About.WATCHED}

    def test_it_touches_who_does_business_there(self) -> None:
        assert self._one("ccpa-figures-2027").touches({("US", "CA")})
        assert not self._one("ccpa-figures-2027").touches({("US", "NY")})
        assert self._one("digital-omnibus").touches({("DE", "")})
        assert self._one("fcc-26-67").touches({("US", "NY")})

    def test_every_kind_of_rule_says_when_it_was_looked_over(self) -> None:
        rows = {one.about: one for one in law.checked(load_pack())}
        assert set(rows) == set(About)
        assert rows[About.BREACHES].rows > rows[About.BREACHES].unverified
        assert law.to_look_at(load_pack(), {("US", "CA")}, on=TODAY) == 0
        assert law.to_look_at(load_pack(), {("US", "CA")}, on=date(2027, 1, 5)) == 3


@pytest.mark.django_db
def test_the_pages_say_it_and_take_figures(cast: Cast) -> None:
    alice = browser_of(cast.alice.user)
    page = alice.get("/programme/law/").content.decode()
    assert "The thresholds and fines of the CCPA are set anew" in page
    assert "Breaches are told within 96 hours" not in page, "no client is in Europe"
    assert "Breaches are told within 96 hours" in alice.get("/programme/law/?ours=all").content.decode()
    assert "Not known: whether it works for profit" in alice.get("/clients/dentist/reach/").content.decode()

    wrong = alice.post("/clients/dentist/reach/figures/", {"sale_share": "101"})
    assert wrong.status_code == 422
    said = {"nonprofit": "no", "revenue": "1000000", "sale_share": "0", "traded_CA": "500"}
    assert alice.post("/clients/dentist/reach/figures/", said).status_code == 302
    assert "Does not apply" in alice.get("/clients/dentist/reach/").content.decode()
    with job_scope(agency_id=cast.acme.pk):
        row = ClientFacts.objects.get(client=cast.dentist)
    assert (row.revenue, row.traded, row.set_by_id) == (1_000_000, {"CA": 500}, cast.alice.user_id)
    assert browser_of(cast.bob.user).post("/clients/dentist/reach/figures/", said).status_code == 403


@pytest.mark.django_db
def test_a_client_that_is_not_granted_leads_to_its_own_page(cast: Cast) -> None:
    for person, led_to in ((cast.alice, "/clients/dentist/reach/"), (cast.carol, "/clients/dentist/")):
        browser = browser_of(person.user)
        page = browser.get("/programme/law/").content.decode()
        assert f'<a class="row-link" href="{led_to}">Dentist</a>' in page
        assert browser.get(led_to).status_code == 200
