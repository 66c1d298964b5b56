"""What the engine decides, case by case."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from consent.decide import CallSpan, Place, words
from consent.enums import Basis, UnknownAge
from consent.law import Topic, load_pack
from tests.consent.asking import (
    CALIFORNIA,
    DAY,
    GERMANY,
    MINUTE,
    NOON,
    TEXAS,
    UNKNOWN,
    announced,
    ask,
    event,
    with_rows,
)

SECOND = timedelta(seconds=1)
GIVEN = event("given", NOON - 30 * DAY)


class TestTheLawOfPlaces:
    """Without any consent, under each strength of notice."""

    @pytest.mark.parametrize(
        ("place", "silent", "posted", "announcement"),
        [
            (TEXAS, True, True, True),
            (Place("US", "OR", "address"), True, True, True),
            (CALIFORNIA, False, False, True),
            (Place("US", "WA", "address"), False, False, False),
            (Place("US", "DE", "address"), False, False, True),
            (Place("US", "PR", "address"), False, False, True),
            (Place("US", "", "address"), False, False, False),
            (UNKNOWN, False, False, False),
            (Place("GB", "", "address"), False, False, True),
            (Place("CA", "ON", "address"), False, False, True),
            (Place("CA", "QC", "address"), False, False, True),
            (Place("AU", "VIC", "address"), False, False, True),
            (Place("AU", "NSW", "address"), False, False, True),
            (Place("FR", "", "address"), False, False, True),
            (Place("PL", "", "address"), False, False, True),
            (GERMANY, False, False, False),
            (Place("PT", "", "address"), False, False, False),
            (Place("BR", "", "address"), False, False, False),
        ],
        ids=lambda found: f"{found.country}-{found.region}" if isinstance(found, Place) else None,
    )
    @pytest.mark.parametrize("purpose", ["record", "review", "analyse"])
    def test_recording_listening_and_analysing(
        self, purpose: str, place: Place, silent: bool, posted: bool, announcement: bool
    ) -> None:
        assert ask(purpose, places=(place,)).lawful is silent
        assert ask(purpose, places=(place,), posted=True).lawful is posted
        assert ask(purpose, places=(place,), call=announced()).lawful is announcement
        assert ask(purpose, event("given", NOON - DAY, purpose=purpose), places=(place,)).lawful

    def test_both_sides_count_and_the_strictest_wins(self) -> None:
        site = Place("US", "CA", "site")
        assert ask(places=(TEXAS, Place("US", "GA", "site"))).lawful
        assert not ask(places=(TEXAS, site)).lawful
        assert not ask(places=(site, TEXAS)).lawful
        assert ask(places=(TEXAS, site), call=announced()).lawful

    @pytest.mark.parametrize("region", ["WA", "CT", ""])
    @pytest.mark.parametrize("purpose", ["record", "review", "analyse"])
    def test_where_the_recording_has_to_hold_the_announcement(self, purpose: str, region: str) -> None:
        there = (Place("US", region, "address"),)
        assert ask(purpose, places=there, call=announced(announced_on_recording=True)).lawful
        untold = ask(purpose, places=there, call=CallSpan(NOON, announced_on_recording=True))
        assert not untold.lawful
        unknown = ask(purpose, places=there, call=announced())
        assert words.NOT_ON_RECORDING in unknown.reasons
        assert unknown.standard_met

    @pytest.mark.parametrize(
        ("channel", "seconds", "lawful"),
        [("agent", 20, True), ("agent", -20, False), ("announcement", 20, False), ("menu", 20, False)],
    )
    def test_what_an_agent_says_once_the_recording_runs_is_on_it(
        self, channel: str, seconds: int, lawful: bool
    ) -> None:
        said = event("noticed", NOON + seconds * SECOND, scope="this_call", channel=channel)
        asked = ask("record", said, places=(Place("US", "WA", "address"),), at=NOON + MINUTE)
        assert asked.lawful is lawful

    def test_an_area_code_alone_relaxes_nothing(self) -> None:
        texan_number = Place("US", "TX", "area_code")
        answer = ask(places=(texan_number,))
        assert not answer.lawful
        assert "unknown-recording-consent" in answer.rules
        assert answer.reasons[0].startswith(
            "Texas is only estimated from the number, so the strictest rule of any location in the United States"
        )
        for place in (texan_number, Place("US", "CA", "area_code"), Place("US", "", "address")):
            assert not ask(places=(place,), call=announced()).lawful, "the recording may not hold it"
            assert ask(places=(place,), call=announced(announced_on_recording=True)).lawful
        assert not ask(places=(texan_number, Place("US", "TX", "site"))).lawful

    def test_an_area_code_beside_better_evidence_can_only_be_stricter(self) -> None:
        texan_number, californian = Place("US", "TX", "area_code"), Place("US", "CA", "area_code")
        assert ask(places=(TEXAS, texan_number)).lawful
        assert ask(places=(Place("US", "GA", "tracker"), texan_number)).lawful
        assert not ask(places=(TEXAS, californian)).lawful
        assert not ask(places=(TEXAS, Place("", "", "area_code"))).lawful, "it may be one from California"

    def test_a_german_number_alone_is_enough_to_be_strict(self) -> None:
        assert not ask(places=(TEXAS, Place("DE", "", "area_code")), call=announced()).lawful

    def test_evidence_that_nobody_knows_is_as_weak_as_an_area_code(self) -> None:
        assert not ask(places=(Place("US", "TX", "adress"),)).lawful
        assert not ask(places=(Place("US", "TX", ""),)).lawful

    def test_no_place_and_no_place_of_the_caller_are_unknown(self) -> None:
        assert not ask(places=()).lawful
        assert not ask(places=(Place("US", "TX", "site"),)).lawful
        for places in (
            (),
            (Place("US", "NY", "site"),),
            (Place("US", "NY", "address"), Place("", "", "site")),
        ):
            told = ask(places=places, call=announced(announced_on_recording=True))
            assert not told.lawful, "knowing that it is Germany would forbid it"
            assert "location is unknown, so the strictest rule of any location applies" in " ".join(
                told.reasons
            )

    def test_of_several_possible_regions_the_strictest_counts(self) -> None:
        assert ask(places=(Place("US", "TX|GA", "address"),)).lawful
        assert not ask(places=(Place("US", "TX|CA", "address"),)).lawful

    def test_spelling_does_not_matter(self) -> None:
        assert ask(places=(Place(" us", "tx ", "Address"),)).lawful
        assert ask(places=(Place("USA", "US-TX", "address"),)).lawful
        assert ask(places=(Place("uk", "", "address"),), call=announced()).lawful

    def test_a_rule_that_is_not_verified_says_so(self) -> None:
        answer = ask()
        assert answer.reasons[-1] == "Decided by rules that are not yet verified: Tex. Penal Code 16.02."
        assert "not yet verified" not in " ".join(ask(places=(Place("US", "NV", "address"),)).reasons[:-1])

    def test_rules_are_those_of_the_calls_day(self) -> None:
        texas = load_pack().for_place("US", "TX", Topic.RECORDING_CONSENT, NOON.date())
        turn = date(2027, 7, 1)
        rules = with_rows(
            replace(texas, effective_to=turn),
            replace(texas, id=f"{texas.id}-2027", value="all_party", effective_from=turn),
        )
        before, after = NOON.replace(year=2027, month=6, day=30), NOON.replace(year=2027, month=7, day=1)
        assert ask(call=CallSpan(before), at=after, rules=rules).lawful
        assert not ask(call=CallSpan(after), at=after, rules=rules).lawful
        assert not ask("review", call=CallSpan(before), at=after, rules=rules).lawful, "judged at its use"


class TestStandards:
    @pytest.mark.parametrize(
        ("standard", "silent", "posted", "announcement", "express"),
        [
            ("express", False, False, False, True),
            ("announce", False, False, True, True),
            ("legal_minimum", True, True, True, True),
        ],
    )
    def test_what_meets_them(
        self, standard: str, silent: bool, posted: bool, announcement: bool, express: bool
    ) -> None:
        assert ask(standard=standard).standard_met is silent
        assert ask(standard=standard, posted=True).standard_met is posted
        assert ask(standard=standard, call=announced()).standard_met is announcement
        assert ask("record", GIVEN, standard=standard).standard_met is express

    def test_allowed_is_both(self) -> None:
        texas = ask(standard="express")
        assert (texas.lawful, texas.standard_met, texas.allowed) == (True, False, False)
        germany = ask(places=(GERMANY,), call=announced(), standard="announce")
        assert (germany.lawful, germany.standard_met, germany.allowed) == (False, True, False)
        california = ask(places=(CALIFORNIA,), call=announced(), standard="announce")
        assert (california.lawful, california.standard_met, california.allowed) == (True, True, True)

    def test_the_basis_is_what_an_allowed_use_rests_on(self) -> None:
        assert ask().basis is Basis.LEGITIMATE_INTERESTS
        assert ask(posted=True).basis is Basis.NOTICE
        assert ask(call=announced()).basis is Basis.NOTICE
        assert ask("record", GIVEN, call=announced()).basis is Basis.CONSENT
        assert ask(standard="express").basis is None

    def test_the_standard_says_what_it_misses(self) -> None:
        assert "The client's standard requires express consent." in ask(standard="express").reasons


class TestWithdrawal:
    def test_at_equal_instants_it_wins(self) -> None:
        at = NOON - DAY
        answer = ask("record", event("given", at), event("withdrawn", at), call=announced())
        assert not answer.allowed
        assert answer.event is not None
        assert answer.event.kind == "withdrawn"

    def test_a_newer_consent_lifts_it_and_a_notice_never_does(self) -> None:
        gone = event("withdrawn", NOON - 2 * DAY)
        assert ask("record", gone, event("given", NOON - DAY)).allowed
        assert ask("record", gone, event("renewed", NOON - DAY)).allowed
        assert not ask("record", gone, call=announced()).allowed
        assert not ask("record", gone, event("noticed", NOON - DAY), posted=True).allowed

    def test_it_binds_where_the_law_asks_for_nothing(self) -> None:
        answer = ask("record", event("withdrawn", NOON - DAY, channel="sms"))
        assert (answer.lawful, answer.standard_met) == (False, False)
        assert answer.reasons[0].startswith("Texas")
        assert "Withdrawn on 2026-11-24 12:00:00 UTC (text message, ongoing)" in " ".join(answer.reasons)

    def test_one_purpose_says_nothing_of_another(self) -> None:
        gone = event("withdrawn", NOON - DAY, purpose="contact")
        assert ask("record", GIVEN, gone).allowed
        assert not ask("review", GIVEN, standard="express").allowed

    def test_an_expired_or_invalid_consent_is_none(self) -> None:
        for kind in ("expired", "invalidated"):
            over = event(kind, NOON - DAY)
            assert not ask("record", GIVEN, over, standard="express").allowed
            assert not ask("record", event("given", NOON - DAY), over, standard="express").allowed
            assert ask("record", GIVEN, over, event("renewed", NOON - MINUTE), standard="express").allowed
            assert ask("record", GIVEN, over, call=announced(), standard="announce").allowed

    def test_an_expiry_does_not_bring_back_what_was_withdrawn(self) -> None:
        said = (
            event("withdrawn", NOON - 3 * DAY),
            event("given", NOON - 2 * DAY),
            event("expired", NOON - DAY),
        )
        assert not ask("record", *said, call=announced()).allowed


class TestOverTheCall:
    def test_a_withdrawal_on_the_call_withholds_what_follows(self) -> None:
        call = CallSpan(NOON, NOON + 10 * MINUTE)
        answer = ask("record", GIVEN, event("withdrawn", NOON + 2 * MINUTE, channel="agent"), call=call)
        assert not answer.allowed
        assert answer.withheld_from == NOON + 2 * MINUTE
        assert answer.event is not None
        assert answer.event.kind == "withdrawn"
        assert "on the call. The rest of the recording is quarantined." in " ".join(answer.reasons)

    def test_a_withdrawal_at_its_first_instant_withholds_all_of_it(self) -> None:
        answer = ask("record", GIVEN, event("withdrawn", NOON))
        assert answer.withheld_from == NOON

    def test_a_withdrawal_at_its_last_instant_is_still_on_it(self) -> None:
        call = CallSpan(NOON, NOON + 10 * MINUTE)
        assert not ask("record", GIVEN, event("withdrawn", NOON + 10 * MINUTE), call=call).allowed
        assert ask("record", GIVEN, event("withdrawn", NOON + 10 * MINUTE + SECOND), call=call).allowed

    def test_after_the_call_it_forbids_the_use_and_not_the_recording(self) -> None:
        gone = (event("withdrawn", NOON + DAY), event("withdrawn", NOON + DAY, purpose="review"))
        later = NOON + 2 * DAY
        recording = ask("record", GIVEN, *gone, at=later)
        assert recording.allowed
        assert recording.withheld_from is None
        reviewed = event("given", NOON - DAY, purpose="review")
        assert ask("review", reviewed, *gone, at=NOON + DAY - SECOND).allowed
        assert not ask("review", reviewed, *gone, at=NOON + DAY).allowed
        assert not ask("review", reviewed, *gone, at=later).allowed

    def test_a_call_without_an_end_is_taken_to_last_an_hour(self) -> None:
        later = NOON + 2 * DAY
        assert not ask("record", GIVEN, event("withdrawn", NOON + 60 * MINUTE), at=later).allowed
        assert ask("record", GIVEN, event("withdrawn", NOON + 60 * MINUTE + SECOND), at=later).allowed

    def test_a_refusal_for_this_call_counts_whenever_the_question_is_asked(self) -> None:
        refused = event("refused", NOON + 5 * SECOND, scope="this_call", channel="menu")
        assert not ask("record", GIVEN, refused, at=NOON).allowed
        assert not ask("record", GIVEN, refused, at=NOON - DAY).allowed

    def test_a_call_without_an_end_is_judged_up_to_the_question(self) -> None:
        gone = event("withdrawn", NOON + 5 * MINUTE, scope="this_call", channel="agent")
        assert ask("record", GIVEN, gone, at=NOON + 3 * MINUTE).allowed
        assert not ask("record", GIVEN, gone, at=NOON + 5 * MINUTE).allowed
        assert not ask("record", GIVEN, gone, at=NOON + 6 * MINUTE).allowed
        ended = CallSpan(NOON, NOON + 10 * MINUTE)
        assert not ask("record", GIVEN, gone, at=NOON, call=ended).allowed, "over the whole of it"

    def test_consent_after_the_beginning_never_heals(self) -> None:
        for late in (NOON + SECOND, NOON + 5 * MINUTE, NOON + DAY):
            for scope in ("standing", "this_call"):
                given = event("given", late, scope=scope, channel="agent")
                answer = ask("record", given, standard="express", at=late)
                assert not answer.allowed, (late, scope)
        answer = ask("record", event("given", NOON + MINUTE), standard="express", at=NOON + MINUTE)
        assert "after the recording began. It does not cover that recording." in " ".join(answer.reasons)
        assert answer.withheld_from == NOON

    def test_evidence_that_arrives_late_counts_from_when_it_happened(self) -> None:
        late = replace(event("given", NOON), recorded_at=NOON + 30 * DAY)
        assert ask("record", late, standard="express").allowed

    def test_a_consent_that_ends_on_the_call_ends_its_recording(self) -> None:
        over = event("invalidated", NOON + MINUTE)
        answer = ask("record", GIVEN, over, at=NOON + MINUTE, standard="express")
        assert (answer.allowed, answer.withheld_from) == (False, NOON + MINUTE)
        ended = announced(ended_at=NOON + 2 * MINUTE)
        assert ask("record", GIVEN, over, call=ended, standard="announce").allowed

    def test_without_a_call_it_is_asked_of_one_that_begins_now(self) -> None:
        assert ask("record", GIVEN, call=None, standard="express").allowed
        assert not ask("record", event("given", NOON + SECOND), call=None, standard="express").allowed


class TestThisCall:
    def test_a_refusal_for_this_call_beats_any_standing_consent(self) -> None:
        refused = event("refused", NOON - MINUTE, scope="this_call", channel="menu")
        for standing in (GIVEN, event("given", NOON)):
            answer = ask("record", standing, refused)
            assert not answer.allowed
            assert answer.event is refused
            assert answer.reasons[2] == "A refusal for this call overrides any ongoing consent."
        newer = event("given", NOON + DAY, purpose="review")
        refused = event("refused", NOON, scope="this_call", purpose="review")
        assert not ask("review", refused, newer, at=NOON + 2 * DAY).allowed

    def test_on_the_call_the_last_word_counts(self) -> None:
        refused = event("refused", NOON - 2 * MINUTE, scope="this_call")
        assert ask("record", refused, event("given", NOON - MINUTE, scope="this_call")).allowed
        assert not ask("record", refused, event("given", NOON - 2 * MINUTE, scope="this_call")).allowed

    def test_a_consent_for_one_call_is_none_for_another(self) -> None:
        for at in (NOON - 16 * MINUTE, NOON - 60 * MINUTE, NOON - DAY):
            assert not ask("record", event("given", at, scope="this_call"), standard="express").allowed
        for at in (NOON - 15 * MINUTE, NOON - MINUTE, NOON):
            assert ask("record", event("given", at, scope="this_call"), standard="express").allowed

    def test_a_refusal_of_an_earlier_call_does_not_bind_this_one(self) -> None:
        assert ask("record", GIVEN, event("refused", NOON - 60 * MINUTE, scope="this_call")).allowed

    def test_where_calls_are_named_the_name_counts(self) -> None:
        call = CallSpan(NOON, call_id="this")
        other = event("given", NOON - MINUTE, scope="this_call", call_id="other")
        mine = event("given", NOON - 20 * MINUTE, scope="this_call", call_id="this")
        assert not ask("record", other, call=call, standard="express").allowed
        assert ask("record", mine, call=call, standard="express").allowed
        refused = event("refused", NOON, scope="this_call", call_id="other")
        assert ask("record", GIVEN, refused, call=call).allowed

    def test_without_a_call_nothing_is_said_of_one(self) -> None:
        given = event("given", NOON - MINUTE, purpose="review", scope="this_call")
        assert not ask("review", given, call=None, standard="express").allowed

    def test_a_standing_withdrawal_ends_the_consent_for_this_call_too(self) -> None:
        given = event("given", NOON - 2 * MINUTE, scope="this_call")
        assert not ask("record", given, event("withdrawn", NOON - MINUTE)).allowed


class TestTheMenu:
    """Behind our menu a recording begins with the key."""

    PRESSED = event("given", NOON + 12 * SECOND, scope="this_call", channel="menu")

    def test_one_agrees(self) -> None:
        for place in (TEXAS, CALIFORNIA, GERMANY, UNKNOWN):
            answer = ask("record", self.PRESSED, places=(place,), standard="express", at=NOON + MINUTE)
            assert answer.allowed, place
            assert answer.event is self.PRESSED

    @pytest.mark.parametrize(("seconds", "allowed"), [(11, False), (12, True)])
    def test_a_key_that_is_pressed_later_allows_nothing_yet(self, seconds: int, allowed: bool) -> None:
        answer = ask("record", self.PRESSED, standard="express", at=NOON + seconds * SECOND)
        assert answer.allowed is allowed

    def test_it_lifts_never_again_for_this_call(self) -> None:
        gone = event("withdrawn", NOON - DAY)
        assert ask("record", gone, self.PRESSED, standard="express", at=NOON + MINUTE).allowed

    def test_two_and_nothing_refuse(self) -> None:
        refused = event("refused", NOON + 12 * SECOND, scope="this_call", channel="menu")
        assert not ask("record", GIVEN, refused).allowed

    def test_one_after_a_refusal_on_the_call_is_too_late(self) -> None:
        refused = event("refused", NOON + 5 * SECOND, scope="this_call", channel="menu")
        assert not ask("record", refused, self.PRESSED, at=NOON + DAY).allowed
        assert not ask("record", GIVEN, refused, self.PRESSED, at=NOON + DAY).allowed

    def test_what_follows_a_withdrawal_is_withheld(self) -> None:
        call = CallSpan(NOON, NOON + 10 * MINUTE)
        said = (self.PRESSED, event("withdrawn", NOON + 3 * MINUTE, channel="sms"))
        answer = ask("record", *said, call=call, standard="express", at=NOON + DAY)
        assert (answer.allowed, answer.withheld_from) == (False, NOON + 3 * MINUTE)

    def test_a_recording_known_to_have_begun_before_the_key_is_not_healed(self) -> None:
        early = CallSpan(NOON, recording_started_at=NOON)
        assert not ask("record", self.PRESSED, call=early, standard="express", at=NOON + DAY).allowed
        gated = CallSpan(NOON, recording_started_at=NOON + 15 * SECOND)
        assert ask("record", self.PRESSED, call=gated, standard="express", at=NOON + MINUTE).allowed

    def test_only_a_key_in_the_menu_of_this_call(self) -> None:
        for odd in (
            event("given", NOON + 6 * MINUTE, scope="this_call", channel="menu"),
            event("given", NOON + 12 * SECOND, scope="standing", channel="menu"),
            event("given", NOON + 12 * SECOND, scope="this_call", channel="tracker"),
            event("given", NOON + 12 * SECOND, scope="this_call", channel="sms"),
        ):
            assert not ask("record", odd, standard="express", at=NOON + DAY).allowed


class TestNotices:
    def test_an_event_can_be_the_announcement(self) -> None:
        for channel in ("announcement", "agent", "menu"):
            for at in (NOON, NOON + 30 * SECOND, NOON + 60 * SECOND):
                told = event("noticed", at, scope="this_call", channel=channel)
                answer = ask("record", told, places=(CALIFORNIA,), standard="announce", at=NOON + MINUTE)
                assert answer.allowed, (channel, at)
                assert answer.event is told

    def test_it_must_be_spoken_at_the_outset_of_this_call(self) -> None:
        for odd in (
            event("noticed", NOON + 61 * SECOND, scope="this_call", channel="announcement"),
            event("noticed", NOON - DAY, scope="this_call", channel="announcement"),
            event("noticed", NOON - DAY, scope="standing", channel="announcement"),
            event("noticed", NOON, scope="this_call", channel="sms"),
            event("noticed", NOON, scope="standing", channel="posted"),
            event("noticed", NOON, purpose="contact", scope="this_call", channel="announcement"),
        ):
            assert not ask("record", odd, places=(CALIFORNIA,), at=NOON + DAY).lawful, odd

    def test_a_yes_to_the_agent_on_a_running_recording_is_worth_an_announcement(self) -> None:
        agreed = event("given", NOON + 20 * SECOND, scope="this_call", channel="agent")
        later: dict[str, Any] = {"at": NOON + MINUTE}
        assert ask("record", agreed, places=(CALIFORNIA,), standard="announce", **later).allowed
        assert not ask("record", agreed, places=(CALIFORNIA,), standard="express", **later).allowed
        assert not ask("record", agreed, places=(GERMANY,), **later).allowed

    def test_what_came_by_a_notice_is_no_express_consent(self) -> None:
        for odd in (
            event("given", NOON - DAY, basis="notice"),
            event("given", NOON - DAY, channel="posted"),
            event("given", NOON - DAY, channel="announcement"),
            event("given", NOON - DAY, channel="gpc"),
            event("given", NOON - DAY, basis="legitimate_interests"),
        ):
            assert not ask("record", odd, standard="express").allowed, odd
            assert not ask("record", odd, places=(GERMANY,)).lawful, odd

    def test_general_terms_do_not_count_in_the_eu_and_the_uk(self) -> None:
        terms = event("given", NOON - DAY, channel="terms", basis="contract")
        assert ask("record", terms, standard="express").allowed
        for country in ("DE", "FR", "GB"):
            assert not ask(
                "record", terms, places=(Place(country, "", "address"),), standard="express"
            ).allowed
        apart = event("given", NOON - DAY, channel="terms")
        assert ask("record", apart, places=(GERMANY,), standard="express").allowed

    @pytest.mark.parametrize("purpose", ["record", "review", "analyse"])
    def test_never_by_notice_alone_minors_and_health(self, purpose: str) -> None:
        express = event("given", NOON - DAY, purpose=purpose)
        for flags in ({"minor": True}, {"health": True}):
            answer = ask(purpose, call=announced(), posted=True, **flags)  # type: ignore[arg-type]  # facts of a table
            assert not answer.lawful
            assert any(rule.endswith(("-minors", "-health")) for rule in answer.rules)
        assert ask(purpose, express, health=True).lawful


class TestMinors:
    OWN = event("given", NOON - DAY)
    GUARDIANS = event("given", NOON - DAY, channel="officer", guardian_until=date(2030, 5, 1))

    @pytest.mark.parametrize(
        ("place", "age", "suffices"),
        [
            (TEXAS, 12, False),
            (TEXAS, 13, True),
            (Place("GB", "", "address"), 12, False),
            (Place("GB", "", "address"), 13, True),
            (GERMANY, 15, False),
            (GERMANY, 16, True),
            (UNKNOWN, 15, False),
            (Place("US", "TX", "area_code"), 15, False),
        ],
    )
    def test_own_consent_counts_from_the_age_of_the_place_on(
        self, place: Place, age: int, suffices: bool
    ) -> None:
        answer = ask("record", self.OWN, places=(place,), age=age, standard="express")
        assert answer.allowed is suffices
        assert ("a minor's own consent is not enough" in " ".join(answer.reasons)) is not suffices
        assert ask("record", self.GUARDIANS, places=(place,), age=age, standard="express").allowed

    def test_of_a_minor_whose_age_is_not_known_a_guardian_has_to_agree(self) -> None:
        assert not ask("record", self.OWN, minor=True, standard="express").allowed
        assert ask("record", self.GUARDIANS, minor=True, standard="express").allowed

    def test_a_guardians_consent_ends_when_the_person_comes_of_age(self) -> None:
        until = replace(self.GUARDIANS, guardian_until=NOON.date())
        answer = ask("record", until, minor=True, standard="express")
        assert not answer.allowed
        assert "a guardian gave it, and the caller is now of age" in " ".join(answer.reasons)

    def test_a_notice_suffices_for_no_minor_of_whatever_age(self) -> None:
        assert not ask(call=announced(), age=17).lawful
        assert ask(call=announced(), age=18).lawful

    def test_an_age_that_nobody_knows_is_what_the_client_says(self) -> None:
        for reading, allowed in ((UnknownAge.ADULT, True), (UnknownAge.MINOR, False)):
            answer = ask(
                "record", self.OWN, unknown_age=reading, age_reason="It sells to firms.", standard="express"
            )
            assert answer.allowed is allowed
            assert any(
                reason.endswith(f"{reading.label.lower()}: It sells to firms.") for reason in answer.reasons
            )

    def test_where_the_trade_alone_says_so_own_consent_counts(self) -> None:
        assert ask("record", self.OWN, minor=True, presumed=True, standard="express").allowed
        assert not ask(call=announced(), minor=True, presumed=True).lawful


class TestContactAndSharing:
    @pytest.mark.parametrize("purpose", ["contact", "share"])
    @pytest.mark.parametrize("standard", ["express", "announce", "legal_minimum"])
    @pytest.mark.parametrize("place", [TEXAS, CALIFORNIA, GERMANY, UNKNOWN], ids=lambda place: place.country)
    def test_never_by_notice_alone(self, purpose: str, standard: str, place: Place) -> None:
        told = event("noticed", NOON - DAY, purpose=purpose)
        assert not ask(
            purpose, told, places=(place,), call=announced(), posted=True, standard=standard
        ).lawful
        for call in (None, CallSpan(NOON)):
            given = event("given", NOON - DAY, purpose=purpose)
            assert ask(purpose, given, places=(place,), call=call, standard=standard).allowed

    @pytest.mark.parametrize(
        ("channel", "counts"),
        [("web", True), ("terms", True), ("sms", True), ("menu", True), ("agent", False), ("import", False)],
    )
    def test_contact_asks_for_writing_where_the_rules_do(self, channel: str, counts: bool) -> None:
        given = event("given", NOON - DAY, purpose="contact", channel=channel)
        answer = ask("contact", given, call=None)
        assert answer.allowed is counts
        assert ("not in writing" in " ".join(answer.reasons)) is not counts
        assert ask("contact", given, places=(Place("GB", "", "address"),), call=None).allowed
        assert ask("contact", given, places=(UNKNOWN,), call=None).allowed is counts

    def test_a_signature_counts_whatever_way_it_came(self) -> None:
        signed = event("given", NOON - DAY, purpose="contact", channel="api", strength="A")
        assert ask("contact", signed, call=None).allowed

    def test_the_browsers_signal_stops_sharing(self) -> None:
        given = event("given", NOON - 2 * DAY, purpose="share")
        signal = event("withdrawn", NOON - DAY, purpose="share", channel="gpc")
        assert ask("share", given, call=None).allowed
        assert not ask("share", given, signal, call=None).allowed


class TestMeasuring:
    def test_it_needs_no_evidence(self) -> None:
        for standard in ("express", "announce", "legal_minimum"):
            answer = ask("measure", places=(), standard=standard, call=None)
            assert answer.allowed
            assert answer.basis is Basis.LEGITIMATE_INTERESTS

    def test_an_objection_stops_it_until_it_is_lifted(self) -> None:
        for kind in ("refused", "withdrawn"):
            objection = event(kind, NOON - DAY, purpose="measure")
            assert not ask("measure", objection).allowed
            assert ask("measure", objection, at=NOON - 2 * DAY).allowed
            assert ask("measure", objection, event("given", NOON - MINUTE, purpose="measure")).allowed

    def test_a_client_that_declared_consent_needs_it(self) -> None:
        assert not ask("measure", declared="consent").allowed
        assert ask("measure", event("given", NOON - DAY, purpose="measure"), declared="consent").allowed

    def test_it_rests_on_what_was_declared(self) -> None:
        assert ask("measure", declared="contract").basis is Basis.CONTRACT


def test_reasons_are_short_plain_sentences() -> None:
    places = tuple(Place("US", region, "address") for region in ("TX", "CA", "WA", "PA", "FL", "MI"))
    answer = ask(places=places, posted=True, standard="express")
    assert len(answer.rules) > 6
    for reason in answer.reasons:
        assert reason[0].isupper(), reason
        assert reason.endswith(".")
        assert len(reason) <= 300
    assert answer.reasons[-1].endswith("more.")
