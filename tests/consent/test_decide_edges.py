"""Where one instant or one word decides: the edges of the engine, what its answers name, and what they say."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from consent.decide import Answer, CallSpan, Event, Place, lines, words
from consent.enums import Basis
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
)

SECOND = timedelta(seconds=1)
GIVEN = event("given", NOON - 30 * DAY)
BRITAIN = Place("GB", "", "address")
TEN_MINUTES = CallSpan(NOON, NOON + 10 * MINUTE)


def found(answer: Answer) -> tuple[bool, bool, bool]:
    return answer.allowed, answer.lawful, answer.standard_met


def both_ways(one: Event, other: Event, **asked: Any) -> list[Event | None]:
    return [ask("record", *said, **asked).event for said in ((one, other), (other, one))]


class TestWhichEventIsNamed:
    def test_of_two_consents_at_one_instant_it_is_the_same_in_either_order(self) -> None:
        web, sms = event("given", NOON - DAY), event("given", NOON - DAY, channel="sms")
        assert both_ways(web, sms) == [web, web]

    def test_of_two_consents_it_is_the_newer(self) -> None:
        older, newer = event("given", NOON - 2 * DAY), event("given", NOON - DAY, channel="sms")
        assert both_ways(older, newer) == [newer, newer]

    def test_of_two_withdrawals_on_the_call_it_is_the_first_and_at_one_instant_always_the_same(self) -> None:
        web, sms = (event("withdrawn", NOON + MINUTE, channel=channel) for channel in ("web", "sms"))
        later = event("withdrawn", NOON + 2 * MINUTE, channel="api")
        assert both_ways(web, sms, call=TEN_MINUTES) == [sms, sms]
        assert both_ways(web, later, call=TEN_MINUTES) == [web, web]

    def test_a_withdrawal_is_named_before_an_end_at_the_same_instant(self) -> None:
        gone, over = (event(kind, NOON + MINUTE) for kind in ("withdrawn", "invalidated"))
        for said in ((gone, over), (over, gone)):
            answer = ask("record", GIVEN, *said, call=TEN_MINUTES, standard="express")
            assert answer.event is gone
            assert found(answer) == (False, False, False)

    def test_an_end_before_a_withdrawal_is_named_and_nothing_after_both_is_lawful(self) -> None:
        over, gone = event("invalidated", NOON + MINUTE), event("withdrawn", NOON + 2 * MINUTE)
        answer = ask("record", GIVEN, over, gone, call=TEN_MINUTES, standard="express")
        assert answer.event is over
        assert answer.withheld_from == NOON + MINUTE
        assert found(answer) == (False, False, False)

    def test_an_end_that_the_law_and_the_standard_outlive_leaves_it_to_the_withdrawal(self) -> None:
        over, gone = event("invalidated", NOON + MINUTE), event("withdrawn", NOON + 2 * MINUTE)
        answer = ask("record", GIVEN, over, gone, call=TEN_MINUTES)
        assert answer.event is gone
        assert answer.withheld_from == NOON + 2 * MINUTE


class TestWhatIsLeftWhereAConsentEndsOnTheCall:
    OVER = event("invalidated", NOON + MINUTE)

    def test_the_law_without_it_and_the_standard_without_it(self) -> None:
        german = ask("record", GIVEN, self.OVER, places=(GERMANY,), call=TEN_MINUTES)
        assert found(german) == (False, False, True)
        texan = ask("record", GIVEN, self.OVER, call=TEN_MINUTES, standard="express")
        assert found(texan) == (False, True, False)

    @pytest.mark.parametrize("at", [NOON, NOON - MINUTE])
    def test_a_yes_before_the_recording_was_no_announcement(self, at: Any) -> None:
        agreed = event("given", at, scope="this_call", channel="agent")
        over = replace(self.OVER, scope=agreed.scope)
        answer = ask("record", agreed, over, places=(CALIFORNIA,), call=TEN_MINUTES, standard="announce")
        assert (answer.allowed, answer.withheld_from) == (False, NOON + MINUTE)

    def test_behind_the_menu_the_outset_begins_with_the_key(self) -> None:
        pressed = event("given", NOON + 12 * SECOND, scope="this_call", channel="menu")
        over = event("invalidated", NOON + 2 * MINUTE, scope="this_call")
        for after, still in ((72, True), (73, False)):
            told = event("noticed", NOON + after * SECOND, scope="this_call", channel="agent")
            said = (pressed, told, over)
            answer = ask(
                "record", *said, places=(GERMANY,), call=TEN_MINUTES, standard="announce", at=NOON + DAY
            )
            assert answer.standard_met is still

    def test_a_refusal_for_this_call_says_that_it_comes_first_and_a_withdrawal_does_not(self) -> None:
        refused = event("refused", NOON + MINUTE, scope="this_call", channel="agent")
        assert words.THIS_CALL_FIRST in ask("record", GIVEN, refused, call=TEN_MINUTES).reasons
        gone = event("withdrawn", NOON + MINUTE)
        assert words.THIS_CALL_FIRST not in ask("record", GIVEN, gone, call=TEN_MINUTES).reasons


class TestAnUnprovenYes:
    """One of strength C lifts no no; where none stands it counts."""

    @pytest.mark.parametrize("scope", ["standing", "this_call"])
    def test_lifts_nothing_and_counts_where_nothing_stands(self, scope: str) -> None:
        no = event("refused", NOON - 2 * MINUTE, scope=scope)
        weak = event("given", NOON - MINUTE, scope=scope, channel="agent", strength="C")
        assert ask("record", weak, standard="express").allowed
        assert not ask("record", no, weak).allowed
        assert ask("record", no, replace(weak, strength=None)).allowed

    def test_for_this_call_lifts_no_standing_withdrawal(self) -> None:
        weak = event("given", NOON - MINUTE, scope="this_call", strength="C")
        assert not ask("record", event("withdrawn", NOON - DAY), weak).allowed

    def test_counts_again_once_a_proven_one_has_lifted_the_no(self) -> None:
        said = (event("withdrawn", NOON - 3 * DAY), event("given", NOON - 2 * DAY))
        weak = event("given", NOON - DAY, channel="officer", strength="C")
        assert ask("record", *said, weak).event is weak

    @pytest.mark.parametrize(
        ("channel", "strength"), [("web", "D"), ("web", "C"), ("portal", "C"), ("agent", "D")]
    )
    @pytest.mark.parametrize("purpose", ["record", "contact", "review"])
    def test_claimed_counts_only_where_the_client_says_why(
        self, purpose: str, channel: str, strength: str
    ) -> None:
        claimed = event("given", NOON - DAY, purpose=purpose, channel=channel, strength=strength)
        answer = ask(purpose, claimed, places=(BRITAIN,), standard="express")
        assert not answer.allowed
        assert "the number is not verified: the consent is claimed (grade D)" in " ".join(answer.reasons)
        chosen = ask(
            purpose,
            claimed,
            places=(BRITAIN,),
            standard="express",
            claimed_reason="The form is behind a login.",
        )
        assert chosen.allowed
        assert "The client counts claimed consent: The form is behind a login." in chosen.reasons

    def test_claimed_counts_for_measuring(self) -> None:
        claimed = event("given", NOON - DAY, purpose="measure", strength="D")
        assert ask("measure", claimed, declared="consent").allowed

    def test_a_no_needs_no_strength(self) -> None:
        assert not ask("record", GIVEN, event("withdrawn", NOON - DAY, strength="C")).allowed


class TestTheKey:
    """A consent by a key in the menu: of this call, within it, before any no."""

    def press(self, after: timedelta, call_id: str | None = None) -> Event:
        return event("given", NOON + after, scope="this_call", channel="menu", call_id=call_id)

    def test_counts_up_to_the_last_instant_of_the_call(self) -> None:
        call = CallSpan(NOON, NOON + 12 * SECOND)
        assert ask("record", self.press(12 * SECOND), call=call, standard="express", at=NOON + DAY).allowed

    def test_counts_for_five_minutes_where_the_end_is_not_known(self) -> None:
        later: dict[str, Any] = {"standard": "express", "at": NOON + DAY}
        assert ask("record", self.press(5 * MINUTE), **later).allowed
        assert not ask("record", self.press(5 * MINUTE + SECOND), **later).allowed

    @pytest.mark.parametrize(
        ("of_key", "of_call", "counts"),
        [("this", "this", True), ("this", None, False), (None, "this", False), ("other", "this", False)],
    )
    def test_counts_later_only_where_both_name_the_call(
        self, of_key: str | None, of_call: str | None, counts: bool
    ) -> None:
        call = CallSpan(NOON, call_id=of_call)
        answer = ask("record", self.press(6 * MINUTE, of_key), call=call, standard="express", at=NOON + DAY)
        assert answer.allowed is counts

    def test_at_the_instant_of_a_withdrawal_opens_nothing(self) -> None:
        said = (self.press(12 * SECOND), event("withdrawn", NOON + 12 * SECOND))
        answer = ask("record", *said, call=TEN_MINUTES, standard="express", at=NOON + DAY)
        assert (answer.allowed, answer.withheld_from) == (False, NOON)


class TestWhoseCall:
    @pytest.mark.parametrize(("of_event", "of_call"), [("this", None), (None, "this"), (None, None)])
    def test_where_one_of_both_is_not_named_time_decides(
        self, of_event: str | None, of_call: str | None
    ) -> None:
        given = event("given", NOON - MINUTE, scope="this_call", call_id=of_event)
        call = CallSpan(NOON, call_id=of_call)
        assert ask("record", given, call=call, standard="express").allowed

    def test_a_yes_belongs_to_it_up_to_its_end(self) -> None:
        for after, counts in ((10 * MINUTE, True), (10 * MINUTE + SECOND, False)):
            given = event("given", NOON + after, scope="this_call", purpose="review")
            later = NOON + 2 * DAY
            assert ask("review", given, at=later, call=TEN_MINUTES, standard="express").allowed is counts

    def test_a_refusal_that_comes_later_belongs_to_it_still(self) -> None:
        refused = event("refused", NOON + DAY, scope="this_call", purpose="review")
        assert not ask("review", refused, at=NOON + 2 * DAY, call=TEN_MINUTES).allowed


class TestANotice:
    def test_spoken_at_the_outset_counts_for_every_use_and_later_for_none(self) -> None:
        for after, counts in ((30, True), (60, True), (61, False)):
            told = event(
                "noticed", NOON + after * SECOND, scope="this_call", channel="agent", purpose="review"
            )
            for call in (CallSpan(NOON), CallSpan(NOON - MINUTE, recording_started_at=NOON)):
                assert ask("review", told, places=(CALIFORNIA,), at=NOON + DAY, call=call).lawful is counts

    @pytest.mark.parametrize(
        ("said", "is_one"),
        [
            (event("noticed", NOON - DAY, channel="posted"), True),
            (event("noticed", NOON, channel="posted"), True),
            (event("noticed", NOON - DAY, channel="web", basis="contract"), True),
            (event("given", NOON - DAY, basis="notice"), True),
            (event("given", NOON - DAY, channel="gpc"), False),
            (event("noticed", NOON + SECOND, channel="posted"), False),
        ],
    )
    def test_that_was_there_before_is_as_good_as_posted(self, said: Event, is_one: bool) -> None:
        answer = ask("record", said, call=TEN_MINUTES)
        assert (words.POSTED in answer.reasons) is is_one
        assert answer.basis is (Basis.NOTICE if is_one else Basis.LEGITIMATE_INTERESTS)
        assert answer.event is (said if is_one else None)


class TestMeasuring:
    def test_is_all_or_nothing(self) -> None:
        given = event("given", NOON - DAY, purpose="measure")
        objected = event("refused", NOON - DAY, purpose="measure")
        assert found(ask("measure")) == (True, True, True)
        assert found(ask("measure", given, declared="consent")) == (True, True, True)
        assert found(ask("measure", objected)) == (False, False, False)
        assert found(ask("measure", declared="consent")) == (False, False, False)


class TestReasons:
    @pytest.mark.parametrize(
        ("purpose", "asked", "lacks"),
        [
            ("contact", {"call": None}, words.UNWRITTEN),
            ("contact", {"places": (BRITAIN,), "call": None}, words.UNSAID),
            ("share", {"call": None}, words.UNSAID),
            ("share", {"call": None, "posted": True}, words.NOTICE_ALONE),
            ("share", {"call": announced()}, words.NOTICE_ALONE),
            ("record", {"places": (GERMANY,)}, words.UNSAID),
            ("record", {"places": (GERMANY,), "call": announced()}, words.NOTICE_ALONE),
            ("record", {"places": (CALIFORNIA,)}, words.UNTOLD),
            ("record", {"places": (CALIFORNIA,), "posted": True}, words.POSTED_ALONE),
        ],
    )
    def test_say_what_the_law_misses(self, purpose: str, asked: dict[str, Any], lacks: str) -> None:
        sentences = {words.UNWRITTEN, words.UNSAID, words.NOTICE_ALONE, words.UNTOLD, words.POSTED_ALONE}
        assert sentences & set(ask(purpose, **asked).reasons) == {lacks}

    def test_say_that_nothing_is_asked_only_where_nothing_was_said(self) -> None:
        assert words.NOTHING_ASKED in ask().reasons
        assert words.NOTHING_ASKED not in ask("record", GIVEN).reasons
        assert words.NOTHING_ASKED not in ask(places=(CALIFORNIA,), call=announced()).reasons

    def test_say_on_what_contact_and_sharing_rest(self) -> None:
        rests = "consent, never a notice alone."
        assert f"Contact requires written {rests}" in ask("contact", call=None).reasons
        assert f"Contact requires express {rests}" in ask("contact", places=(BRITAIN,), call=None).reasons
        assert f"Sharing and selling require express {rests}" in ask("share", call=None).reasons

    def test_say_why_a_consent_does_not_count(self) -> None:
        told = event("given", NOON - DAY, channel="posted")
        assert any(
            reason.endswith("but it is notice only and does not count as consent here.")
            for reason in ask("record", told).reasons
        )

    def test_say_which_place_has_no_rule_of_its_own(self) -> None:
        none_of_its_own = "has no rule of its own, so the strictest rule applies"
        assert ask(places=(Place("BR", "", "address"),)).reasons[0].startswith(f"Brazil {none_of_its_own}: ")
        for place in (TEXAS, GERMANY, UNKNOWN):
            assert none_of_its_own not in ask(places=(place,)).reasons[0]

    def test_say_whose_place_is_not_known(self) -> None:
        strictest = "location is unknown, so the strictest rule of any location applies: "
        assert ask(places=(UNKNOWN,)).reasons[0].startswith(f"The caller's {strictest}")
        site = ask(places=(TEXAS, Place("", "", "site"))).reasons
        assert site[1].startswith(f"A site's {strictest}")

    @pytest.mark.parametrize(("number", "ends"), [(4, ""), (5, " and 1 more."), (6, " and 2 more.")])
    def test_name_four_rules_that_nobody_verified_and_count_the_rest(self, number: int, ends: str) -> None:
        open_rules = [
            rule
            for rule in load_pack()
            if rule.topic is Topic.RECORDING_CONSENT and rule.value == "one_party" and not rule.is_verified
            if rule.region and rule.country == "US"
        ][:number]
        said = ask(places=tuple(Place("US", rule.region, "address") for rule in open_rules)).reasons[-1]
        assert said.startswith("Decided by rules that are not yet verified: ")
        assert said.count(";") == 3
        assert said.endswith(ends or f"{open_rules[3].citation}.")


class TestLines:
    START = "2026-11-25T15:00:00Z"

    def read(self, **row: Any) -> Any:
        return lines.read_question(json.dumps({"purpose": "record", "at": self.START} | row))

    def test_what_is_not_said_was_not_posted_and_not_announced(self) -> None:
        asked = self.read(call={"started_at": self.START})
        assert (asked.posted_notice, asked.call.announcement) == (False, False)

    def test_the_key_that_is_said_twice_is_the_one_that_is_named(self) -> None:
        with pytest.raises(lines.LineError, match='repeats "at"'):
            lines.read_question('{"purpose": "record", "at": 1, "at": 2}')

    def test_the_first_instant_of_1990_is_a_time(self) -> None:
        assert self.read(at="1990-01-01T00:00:00Z").at.year == 1990
        with pytest.raises(lines.LineError, match="is not between"):
            self.read(at="1989-12-31T23:59:59Z")

    def test_what_is_long_is_shown_by_its_first_57_characters(self) -> None:
        whole, longer = "x" * 58, "x" * 59
        with pytest.raises(lines.LineError, match=f'purpose: "{whole}" is none'):
            self.read(purpose=whole)
        with pytest.raises(lines.LineError, match=f'purpose: "{"x" * 56}... is none'):
            self.read(purpose=longer)
