"""By when requests are answered: the cases beside this file, and what each law says of pauses, proof and appeals."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from rights.deadlines import (
    Deadlines,
    End,
    NoExtensionError,
    OutOfRangeError,
    UnknownPlaceError,
    UnknownZoneError,
    deadlines_of,
)
from rights.law import UnknownKindError, UnknownLawError, load
from tests.rights import counted

with (Path(__file__).parent / "cases.csv").open(encoding="utf-8", newline="") as _file:
    CASES = list(csv.DictReader(_file))

LONDON = "Europe/London"
MARCH = datetime(2026, 3, 5, 12, tzinfo=UTC)


def shown(end: End | None) -> str:
    return "" if end is None else str(end)


def asked(law: str, kind: str, received_at: str, zone: str, *, extended: bool = False) -> tuple[str, str]:
    found = deadlines_of(law, kind, datetime.fromisoformat(received_at), zone, extended=extended)
    return shown(found.acknowledge_by), shown(found.answer_by)


def uk(*pauses: tuple[datetime, datetime], extended: bool = False) -> Deadlines:
    return deadlines_of("uk_gdpr", "access", MARCH, LONDON, paused=pauses, extended=extended)


def days(number: float) -> datetime:
    return MARCH + timedelta(days=number)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(list(case.values())[:4]))
def test_each_case_of_the_file(case: dict[str, str]) -> None:
    arguments = (case["law"], case["kind"], case["received_at"], case["zone"])
    expected = (case["acknowledge_by"], case["answer_by"])
    assert asked(*arguments) == expected, case["source"]
    assert counted.count(*arguments) == expected, case["source"]


def test_the_cases_are_many_and_say_why() -> None:
    assert len(CASES) >= 150
    assert all(case["source"] for case in CASES)
    assert len({tuple(case.values())[:4] for case in CASES}) == len(CASES)
    assert {case["law"] for case in CASES} == set(load().laws)


def test_extended_answers_by_the_second_way() -> None:
    compared = 0
    for case in CASES:
        arguments = (case["law"], case["kind"], case["received_at"], case["zone"])
        if case["kind"] in {"access", "portability", "correct", "delete", "restrict", "object"}:
            assert asked(*arguments, extended=True) == counted.count(*arguments, extended=True), case
            compared += 1
    assert compared > 120


def test_an_end_is_the_first_instant_that_is_too_late() -> None:
    end = deadlines_of("gdpr", "access", datetime(2026, 2, 28, 12, tzinfo=UTC), "Europe/Berlin").answer_by
    assert end is not None
    assert (end.counted, end.day) == (date(2026, 3, 28), date(2026, 3, 30))
    assert end.at == datetime(2026, 3, 30, 22, tzinfo=UTC)


def test_the_law_and_its_reasons_are_said() -> None:
    found = deadlines_of("GDPR", "erasure", datetime(2026, 1, 31, 12, tzinfo=UTC), "Europe/Berlin")
    assert found.law.name == "GDPR"
    assert found.kind == "delete"
    assert found.terms == ("gdpr-requests",)
    assert "Received on Saturday 31 January 2026 (Europe/Berlin)." in found.why
    assert "There is no 31 in that month, so its last day counts." in found.why
    assert (
        "Saturday 28 February 2026 is no working day in Germany, so it moves to Monday 2 March 2026."
        in found.why
    )
    assert (
        "Counted by terms that are not yet verified: Regulation (EU) 2016/679 art. 12(3);"
        " Regulation (EEC, Euratom) 1182/71 art. 3; EDPB Guidelines 01/2022." in found.why
    )


def test_a_verified_term_raises_no_doubt() -> None:
    found = deadlines_of("ccpa", "access", MARCH, "America/Los_Angeles")
    assert not any("not yet verified" in why for why in found.why)


def test_only_of_working_days_it_is_said_which_they_leave_out() -> None:
    def said(law: str, kind: str) -> list[str]:
        found = deadlines_of(law, kind, MARCH, "America/Los_Angeles")
        return [why for why in found.why if why.startswith("Working days leave out weekends")]

    assert said("ccpa", "access") == [
        "Working days leave out weekends and the holidays of the United States."
    ]
    assert said("iowa", "access") == []


def test_only_what_a_term_has_to_say_is_said() -> None:
    for law in ("ccpa", "iowa"):
        found = deadlines_of(law, "access", MARCH, "UTC")
        (term,) = (term for term in load().terms if term.id == found.terms[0])
        assert (term.words in found.why) is bool(term.words)
        assert all(found.why)


def test_a_month_that_has_the_day_says_nothing_of_its_last() -> None:
    for found in (uk(), uk((days(4), days(11))), deadlines_of("iowa", "access", MARCH, "UTC")):
        assert not any(why.startswith("There is no ") for why in found.why)


def test_the_notice_of_an_extension_is_due_by_the_first_date() -> None:
    plain, longer = uk(), uk(extended=True)
    assert shown(plain.extend_before) == shown(plain.answer_by) == shown(longer.extend_before) == "2026-04-07"
    assert shown(longer.answer_by) == "2026-06-05"
    assert any(
        line.endswith("notify the person of the reason by Tuesday 7 April 2026.") for line in plain.why
    )


@pytest.mark.parametrize(
    ("law", "kind"),
    [("tcpa", "revocation"), ("ccpa", "opt_out"), ("virginia", "appeal"), ("uk_gdpr", "complaint")],
)
def test_what_may_not_take_longer_is_not_extended(law: str, kind: str) -> None:
    assert deadlines_of(law, kind, MARCH, LONDON).extend_before is None
    with pytest.raises(NoExtensionError, match="does not let this answer take longer"):
        deadlines_of(law, kind, MARCH, LONDON, extended=True)


def test_an_appeal_has_a_date_of_its_own() -> None:
    at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    found = deadlines_of("iowa", "access", MARCH, "America/Chicago", appealed_at=at)
    assert shown(found.appeal_by) == "2026-07-31"
    assert found.terms == ("iowa-requests", "iowa-appeals")
    assert deadlines_of("iowa", "access", MARCH, "America/Chicago").appeal_by is None
    with pytest.raises(UnknownKindError, match="CCPA sets no date"):
        deadlines_of("ccpa", "access", MARCH, "America/Los_Angeles", appealed_at=at)


def test_colorado_may_take_longer_over_an_appeal() -> None:
    assert asked("colorado", "appeal", "2026-06-01T12:00:00Z", "America/Denver") == ("", "2026-07-16")
    assert asked("colorado", "appeal", "2026-06-01T12:00:00Z", "America/Denver", extended=True) == (
        "",
        "2026-09-14",
    )


class TestThePausedClock:
    def test_stands_for_the_days_between(self) -> None:
        assert shown(uk().answer_by) == "2026-04-07"
        assert uk((days(4), days(6))).answer_by == End(
            date(2026, 4, 7), datetime(2026, 4, 7, 23, tzinfo=UTC), date(2026, 4, 7)
        )
        assert shown(uk((days(4), days(11))).answer_by) == "2026-04-13"
        assert "The clock stood for 7 days." in uk((days(4), days(11))).why

    def test_stands_not_at_all_within_a_day(self) -> None:
        assert shown(uk((days(4), days(4.2))).answer_by) == "2026-04-07"

    def test_counts_what_overlaps_once(self) -> None:
        twice = uk((days(4), days(10)), (days(6), days(11)))
        assert shown(twice.answer_by) == shown(uk((days(4), days(11))).answer_by)
        within = uk((days(4), days(11)), (days(5), days(7)))
        assert shown(within.answer_by) == shown(uk((days(4), days(11))).answer_by)
        assert "The clock stood for 7 days." in within.why

    def test_counts_no_pause_after_the_end(self) -> None:
        assert shown(uk((days(40), days(60))).answer_by) == "2026-04-07"
        assert shown(uk((days(4), days(24)), (days(40), days(50))).answer_by) == "2026-05-05"

    def test_counts_what_begins_on_the_last_day_that_was_counted(self) -> None:
        """A month after 5 March is 5 April, which is moved only then."""
        assert "The clock stood for 5 days." in uk((days(31), days(36))).why
        assert not any("The clock stood" in why for why in uk((days(32), days(36))).why)

    def test_counts_no_day_before_the_request(self) -> None:
        assert shown(uk((days(-5), days(2))).answer_by) == "2026-04-07"
        assert "The clock stood for 2 days." in uk((days(-5), days(2))).why

    def test_stands_in_the_longer_time_too(self) -> None:
        late = uk((days(40), days(50)), extended=True)
        assert shown(late.extend_before) == "2026-04-07"
        assert shown(late.answer_by) == "2026-06-15"

    def test_runs_on_elsewhere(self) -> None:
        for law, zone in (("gdpr", "Europe/Berlin"), ("ccpa", "America/Los_Angeles"), ("iowa", "UTC")):
            paused = deadlines_of(law, "access", MARCH, zone, paused=[(days(1), days(9))])
            assert paused.answer_by == deadlines_of(law, "access", MARCH, zone).answer_by
            assert "The clock runs on while the person is asked what is meant." in paused.why

    def test_sets_no_day_while_it_stands(self) -> None:
        found = deadlines_of("uk_gdpr", "access", MARCH, LONDON, standing_since=days(4))
        assert (found.stands, found.answer_by, shown(found.extend_before)) == (True, None, "2026-04-07")
        said = "Since Monday 9 March 2026 the clock is paused until the person clarifies the request."
        assert said in found.why

    def test_does_not_stand_once_it_has_run_out(self) -> None:
        for since, stands in ((31, True), (32, False)):
            found = deadlines_of("uk_gdpr", "access", MARCH, LONDON, standing_since=days(since))
            assert (found.stands, found.answer_by is None) == (stands, stands)
        longer = deadlines_of("uk_gdpr", "access", MARCH, LONDON, standing_since=days(40), extended=True)
        assert longer.stands
        before = deadlines_of(
            "uk_gdpr", "access", MARCH, LONDON, paused=[(days(4), days(24))], standing_since=days(45)
        )
        assert before.stands

    def test_does_not_stand_elsewhere(self) -> None:
        found = deadlines_of("gdpr", "access", MARCH, "Europe/Berlin", standing_since=days(1))
        assert (found.stands, found.answer_by is None) == (False, False)
        assert found.why.count("The clock runs on while the person is asked what is meant.") == 1

    def test_never_ends_before_it_begins(self) -> None:
        assert uk((days(4), days(4))) == uk((days(4), days(4.2)))
        with pytest.raises(ValueError, match="before it begins"):
            uk((days(4), days(3)))


class TestProof:
    def test_starts_the_clock_in_the_united_kingdom(self) -> None:
        found = deadlines_of("uk_gdpr", "access", MARCH, LONDON, identified_at=days(5))
        assert shown(found.answer_by) == "2026-04-10"
        assert "It was proven on Tuesday 10 March 2026 who asks; the clock starts then." in found.why

    def test_that_came_first_changes_nothing(self) -> None:
        assert shown(deadlines_of("uk_gdpr", "access", MARCH, LONDON, identified_at=days(-9)).answer_by) == (
            "2026-04-07"
        )

    def test_on_the_day_of_receipt_is_not_mentioned(self) -> None:
        found = deadlines_of("uk_gdpr", "access", MARCH, LONDON, identified_at=days(0.1))
        assert found == uk()

    def test_is_not_waited_for_in_california(self) -> None:
        zone = "America/Los_Angeles"
        found = deadlines_of("ccpa", "access", MARCH, zone, identified_at=days(30))
        assert found.answer_by == deadlines_of("ccpa", "access", MARCH, zone).answer_by
        assert "The clock does not wait until it is proven who asks." in found.why


class TestPlaces:
    @pytest.mark.parametrize(
        ("place", "day"),
        [
            (None, "2026-04-07"),
            (("GB", "ENG"), "2026-04-07"),
            (("GB", "WLS"), "2026-04-07"),
            (("GB", "NIR"), "2026-04-07"),
            (("GB", "SCT"), "2026-04-06"),
            (("FR", ""), "2026-04-07"),
        ],
    )
    def test_of_the_united_kingdom_keep_their_own_holidays(
        self, place: tuple[str, str] | None, day: str
    ) -> None:
        """Easter Monday is none in Scotland; a client elsewhere is counted as in England."""
        at = datetime(2026, 3, 6, 12, tzinfo=UTC)
        assert shown(deadlines_of("uk_gdpr", "access", at, LONDON, place=place).answer_by) == day

    @pytest.mark.parametrize(
        ("place", "zone", "day"),
        [
            (("DE", "BY"), "Europe/Berlin", "2026-01-07"),
            (("DE", "BE"), "Europe/Berlin", "2026-01-06"),
            (("AT", ""), "Europe/Berlin", "2026-01-07"),
            (("ES", ""), "America/New_York", "2026-01-07"),
            (("US", ""), "Europe/Madrid", "2026-01-06"),
            (("NO", ""), "Europe/Oslo", "2026-01-06"),
        ],
    )
    def test_of_the_union_decide_before_the_zone(self, place: tuple[str, str], zone: str, day: str) -> None:
        at = datetime(2025, 12, 6, 12, tzinfo=UTC)
        assert shown(deadlines_of("gdpr", "access", at, zone, place=place).answer_by) == day

    @pytest.mark.parametrize(
        ("zone", "day"),
        [("Europe/Oslo", "2027-05-18"), ("Atlantic/Reykjavik", "2027-05-18"), ("Europe/Vaduz", "2027-05-18")],
    )
    def test_beside_the_union_have_its_law(self, zone: str, day: str) -> None:
        """17 May 2027 is Norway's day and Whit Monday."""
        assert asked("gdpr", "access", "2027-04-17T12:00:00Z", zone) == ("", day)

    def test_of_belfast_by_its_zone(self) -> None:
        """13 July 2026 stands in for the 12th, a Sunday, in Northern Ireland alone."""
        assert asked("uk_gdpr", "access", "2026-06-13T12:00:00Z", "Europe/Belfast") == ("", "2026-07-14")
        assert asked("uk_gdpr", "access", "2026-06-13T12:00:00Z", LONDON) == ("", "2026-07-13")

    def test_of_a_state_do_not_move_a_federal_term(self) -> None:
        found = deadlines_of(
            "ccpa",
            "access",
            datetime(2026, 11, 20, 20, tzinfo=UTC),
            "America/Los_Angeles",
            place=("US", "CA"),
        )
        assert shown(found.acknowledge_by) == "2026-12-07"

    def test_that_nobody_knows_are_refused(self) -> None:
        with pytest.raises(UnknownPlaceError, match="DE-XX"):
            deadlines_of("gdpr", "access", MARCH, "Europe/Berlin", place=("DE", "XX"))


class TestWhatIsNotThere:
    def test_a_law(self) -> None:
        with pytest.raises(UnknownLawError, match='no law "lgpd"'):
            deadlines_of("lgpd", "access", MARCH, "UTC")

    def test_a_kind(self) -> None:
        with pytest.raises(UnknownKindError, match='no kind "teleport"'):
            deadlines_of("gdpr", "teleport", MARCH, "UTC")

    def test_a_kind_that_a_law_does_not_know(self) -> None:
        with pytest.raises(UnknownKindError, match="It does for: opt_out, revocation"):
            deadlines_of("tcpa", "access", MARCH, "UTC")

    @pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../etc/passwd", "+01:00"])
    def test_a_zone(self, zone: str) -> None:
        with pytest.raises(UnknownZoneError, match="no time zone"):
            deadlines_of("gdpr", "access", MARCH, zone)

    def test_a_time_without_an_offset(self) -> None:
        with pytest.raises(ValueError, match="has no offset"):
            deadlines_of("gdpr", "access", datetime(2026, 3, 5), "UTC")

    @pytest.mark.parametrize("year", [1999, 2099])
    def test_a_year(self, year: int) -> None:
        nearest = datetime(min(max(year, 2000), 2098), 6, 1, tzinfo=UTC)
        assert deadlines_of("gdpr", "access", nearest, "UTC").received_on == nearest.date()
        with pytest.raises(OutOfRangeError):
            deadlines_of("gdpr", "access", datetime(year, 6, 1, tzinfo=UTC), "UTC")


def test_who_asks_before_a_law_holds_is_answered_by_it_all_the_same() -> None:
    found = deadlines_of("iowa", "access", datetime(2024, 2, 29, 18, tzinfo=UTC), "America/Chicago")
    assert shown(found.answer_by) == "2024-05-29"
    assert (
        "It holds only since Wednesday 1 January 2025, and is counted by as if it had held already."
        in found.why
    )
    first = deadlines_of("iowa", "access", datetime(2025, 1, 1, 18, tzinfo=UTC), "America/Chicago")
    assert not any("It holds only since" in why for why in first.why)


def test_a_right_that_the_law_does_not_grant_is_refused_in_time() -> None:
    found = deadlines_of("iowa", "correct", MARCH, "America/Chicago")
    assert any("grants no such right" in why for why in found.why)
    before = deadlines_of("utah", "correct", MARCH, "America/Denver")
    after = deadlines_of("utah", "correct", datetime(2026, 7, 1, 12, tzinfo=UTC), "America/Denver")
    assert any("grants no such right" in why for why in before.why)
    assert not any("grants no such right" in why for why in after.why)
