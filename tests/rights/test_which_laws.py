"""Which laws apply, and why; what is not known relaxes nothing."""

from datetime import date
from typing import Any

import pytest

from rights.enums import Kind
from rights.law import Applies, Facts, load, which_laws

TODAY = date(2026, 11, 27)
STATES = {law.id for law in load().laws.values() if law.places[0][0] == "US" and law.places[0][1]}


def laws(
    country: str, region: str = "", *, on: date = TODAY, kind: Kind | None = Kind.ACCESS, **facts: Any
) -> list[Applies]:
    return which_laws((country, region), Facts(**facts), on=on, kind=kind)


def names(found: list[Applies]) -> list[str]:
    return [one.law.id for one in found]


class TestEurope:
    @pytest.mark.parametrize("country", ["DE", "fr", "EL", "NO", "IS", "LI"])
    def test_whoever_is_there_has_its_law(self, country: str) -> None:
        (found,) = laws(country)
        assert (found.law.id, found.sure) == ("gdpr", True)
        assert found.why[0].startswith("The person is in ")

    @pytest.mark.parametrize("country", ["GB", "UK"])
    def test_the_united_kingdom_has_its_own(self, country: str) -> None:
        assert names(laws(country)) == ["uk_gdpr"]

    def test_a_client_that_is_established_there_takes_it_along(self) -> None:
        found = laws("US", "VA", places=frozenset({("DE", "")}))
        assert names(found) == ["gdpr", "virginia"]
        assert found[0].why == ("The client is established in Germany.",)

    def test_one_that_is_not_does_not(self) -> None:
        assert names(laws("US", "TX", places=frozenset({("US", "TX")}))) == ["texas"]

    def test_a_country_without_a_law_here_has_none(self) -> None:
        assert laws("BR") == []
        assert laws("CH") == []


class TestCalifornia:
    def test_applies_where_the_client_has_said_nothing(self) -> None:
        (found,) = laws("US", "CA")
        assert (found.law.id, found.sure) == ("ccpa", False)
        assert found.why == (
            "The person is in California.",
            (
                "The client has not said its revenue and its share of revenue from selling data and how many people's"
                " data it buys, sells or shares there, so it counts as under CCPA."
            ),
        )

    @pytest.mark.parametrize(
        ("facts", "applies"),
        [
            ({"revenue": 26_625_001}, True),
            ({"revenue": 26_625_000, "sale_share": 0, "traded": {"CA": 99_999}}, False),
            ({"revenue": 1, "sale_share": 49, "traded": {"CA": 100_000}}, True),
            ({"revenue": 1, "sale_share": 50, "traded": {"CA": 0}}, True),
            ({"revenue": 1, "sale_share": 49, "traded": {"VA": 100_000}}, True),
            ({"revenue": 10**9, "nonprofit": True}, False),
            ({"revenue": 10**9, "nonprofit": False}, True),
        ],
    )
    def test_looks_at_what_the_client_declares(self, facts: dict[str, Any], applies: bool) -> None:
        assert bool(laws("US", "CA", **facts)) is applies

    def test_is_sure_where_a_threshold_is_reached(self) -> None:
        (found,) = laws("US", "CA", revenue=30_000_000)
        assert found.sure
        assert found.why[1] == "The client reaches a threshold of CCPA."

    def test_its_revenue_is_that_of_the_day(self) -> None:
        facts: dict[str, Any] = {"revenue": 26_000_000, "sale_share": 0, "traded": {"CA": 0}}
        assert names(laws("US", "CA", on=date(2024, 12, 31), **facts)) == ["ccpa"]
        assert laws("US", "CA", on=date(2025, 1, 1), **facts) == []


class TestOtherStates:
    @pytest.mark.parametrize(
        ("region", "before", "since"),
        [
            ("IA", date(2024, 12, 31), date(2025, 1, 1)),
            ("VA", date(2022, 12, 31), date(2023, 1, 1)),
            ("MN", date(2025, 7, 30), date(2025, 7, 31)),
            ("OK", date(2026, 12, 31), date(2027, 1, 1)),
            ("AL", date(2027, 4, 30), date(2027, 5, 1)),
            ("VT", date(2027, 12, 31), date(2028, 1, 1)),
        ],
    )
    def test_apply_from_their_day_on(self, region: str, before: date, since: date) -> None:
        assert laws("US", region, on=before) == []
        assert len(laws("US", region, on=since)) == 1

    @pytest.mark.parametrize(
        ("region", "facts", "applies"),
        [
            ("VA", {"people": {"VA": 100_000}}, True),
            ("VA", {"people": {"VA": 99_999}, "sale_share": 50}, False),
            ("VA", {"people": {"VA": 25_000}, "sale_share": 51}, True),
            ("VA", {"people": {"VA": 24_999}}, False),
            ("CO", {"people": {"CO": 25_000}, "sale_share": 0}, False),
            ("CO", {"people": {"CO": 25_000}, "sale_share": 1}, True),
            ("UT", {"revenue": 24_999_999}, False),
            ("TN", {"revenue": 25_000_000}, False),
            ("TX", {"people": {"TX": 1}, "revenue": 1, "sale_share": 0}, True),
            ("FL", {"revenue": 1_000_000_000}, False),
            ("FL", {"revenue": 1_000_000_001}, True),
            ("MD", {"people": {"MD": 35_000}, "nonprofit": True}, True),
            ("IA", {"people": {"IA": 100_000}, "nonprofit": True}, False),
        ],
    )
    def test_have_thresholds_of_their_own(self, region: str, facts: dict[str, Any], applies: bool) -> None:
        assert bool(laws("US", region, **facts)) is applies

    def test_thresholds_change_with_the_law(self) -> None:
        facts: dict[str, Any] = {"people": {"CT": 40_000}, "sale_share": 0}
        assert laws("US", "CT", on=date(2026, 6, 30), **facts) == []
        assert names(laws("US", "CT", on=date(2026, 7, 1), **facts)) == ["connecticut"]

    def test_any_sensitive_data_reaches_connecticut_since_july_2026(self) -> None:
        facts: dict[str, Any] = {"people": {"CT": 1}, "sale_share": 0}
        assert laws("US", "CT", on=date(2026, 6, 30), sensitive=True, **facts) == []
        assert names(laws("US", "CT", on=date(2026, 7, 1), sensitive=True, **facts)) == ["connecticut"]
        assert laws("US", "CT", on=date(2026, 7, 1), sensitive=False, **facts) == []
        (found,) = laws("US", "CT", on=date(2026, 7, 1), **facts)
        assert not found.sure, "not said, so it counts"
        assert "whether it handles sensitive data" in found.why[1]

    def test_montana_reaches_who_works_not_for_profit_since_october_2025(self) -> None:
        facts: dict[str, Any] = {"people": {"MT": 60_000}, "nonprofit": True}
        assert laws("US", "MT", on=date(2025, 9, 30), **facts) == []
        assert names(laws("US", "MT", on=date(2025, 10, 1), **facts)) == ["montana"]

    def test_half_a_threshold_and_the_rest_unknown_counts(self) -> None:
        (found,) = laws("US", "VA", people={"VA": 30_000})
        assert not found.sure
        assert "its share of revenue from selling data" in found.why[1]

    def test_a_state_without_a_law_has_none(self) -> None:
        assert laws("US", "WY") == []


class TestNotKnowing:
    def test_where_the_person_is_brings_every_law(self) -> None:
        found = laws("", on=date(2028, 1, 1))
        assert set(names(found)) == set(load().laws) - {"tcpa"}
        assert not any(one.sure for one in found)

    def test_where_the_person_is_brings_the_laws_of_the_clients_places(self) -> None:
        found = laws("", places=frozenset({("US", "VA"), ("GB", "")}))
        assert names(found) == ["uk_gdpr", "virginia"]
        assert [one.sure for one in found] == [True, False]
        assert names(laws("ZZ", places=frozenset({("FR", "")}))) == ["gdpr"]

    def test_the_state_brings_every_states_law(self) -> None:
        found = laws("US", on=date(2028, 1, 1))
        assert set(names(found)) == STATES
        assert found[0].why[0] == "In which part of the United States the person is, is not known."

    def test_the_state_brings_those_of_the_clients_states(self) -> None:
        assert names(laws("US", places=frozenset({("US", "CA"), ("US", "IA")}))) == ["ccpa", "iowa"]
        assert len(laws("US", places=frozenset({("US", "")}))) > 15

    def test_which_of_two_states_brings_both(self) -> None:
        found = laws("US", "VA|IA|WY")
        assert names(found) == ["virginia", "iowa"]
        assert not any(one.sure for one in found)
        assert found[0].why[0] == "The person is in one of Iowa, Virginia, Wyoming."


class TestWhatIsAsked:
    @pytest.mark.parametrize("kind", [Kind.REVOCATION, Kind.OPT_OUT])
    def test_to_be_left_alone_concerns_the_calls(self, kind: Kind) -> None:
        assert "tcpa" in names(laws("US", "WY", kind=kind))

    def test_to_see_data_does_not(self) -> None:
        assert "tcpa" not in names(laws("US", "CA"))

    def test_a_kind_that_a_law_sets_no_date_for_is_not_under_it(self) -> None:
        assert names(laws("US", "CA", kind=Kind.APPEAL)) == []
        assert names(laws("US", "VA", kind=Kind.REVOCATION)) == ["tcpa"]
        assert names(laws("GB", kind=Kind.COMPLAINT)) == ["uk_gdpr"]

    def test_anything_brings_all(self) -> None:
        assert names(laws("US", "CA", kind=None)) == ["ccpa", "tcpa"]
