"""The rules of the law about keeping, and how categories bound each other: pure, without a row."""

import re
from datetime import timedelta

import pytest

from callprivacy.calls.services import exports, inbox
from consent.law.rule import Confidence
from retention.enums import Category
from retention.law import categories, rules
from retention.law.rules import Answer, Ground, Side

NEW_YORK = Ground(frozenset({("US", "NY")}), "other")
PENNSYLVANIA = Ground(frozenset({("US", "PA")}), "other")
_RULE = """
[mine]
categories = ["recording"]
ceiling = "1 year"
country = "US"
answer = "reason"
confidence = "unverified"
citation = "A code, section 1"
source = "https://law.example/1"
checked_on = 2026-11-24
words = "It says so."
remedy = "Do this."
"""


def _broken(ground: Ground, category: Category, days: int) -> set[str]:
    return {finding.rule.id for finding in rules.judge(ground, {category: days})}


@pytest.mark.parametrize(
    ("term", "floor", "ceiling"),
    [
        ("1 year", 366, 365),
        ("4 years", 1461, 1461),
        ("5 years", 1827, 1826),
        ("6 months", 184, 181),
        ("3 years 14 days", 1110, 1109),
        ("30 days", 30, 30),
    ],
)
def test_a_floor_is_the_longest_and_a_ceiling_the_shortest_that_a_term_can_be(
    term: str, floor: int, ceiling: int
) -> None:
    assert rules.days_of(term, Side.FLOOR) == floor
    assert rules.days_of(term, Side.CEILING) == ceiling


@pytest.mark.parametrize("term", ["", "5", "five years", "5 years or so", "5years", "5 years  1 day"])
def test_what_is_no_term_is_refused(term: str) -> None:
    with pytest.raises(rules.RulesError, match="no term"):
        rules.days_of(term, Side.FLOOR)


def test_evidence_of_consent_is_kept_five_years_in_the_united_states_and_less_is_refused() -> None:
    found = rules.judge(NEW_YORK, {Category.CONSENT: 1826})
    assert [finding.rule.id for finding in found] == ["tsr-consent"]
    assert found[0].rule.refuses
    assert not rules.judge(NEW_YORK, {Category.CONSENT: 1827})


def test_only_calls_that_went_out_meet_the_floor_of_telemarketing() -> None:
    assert "tsr-calls-out" in _broken(NEW_YORK, Category.CALL_OUT, 365)
    assert not _broken(NEW_YORK, Category.CALL, 30)


def test_a_record_of_telemarketing_keeps_the_number_as_long_as_itself() -> None:
    kept = {Category.CALL_OUT: 1827, Category.IDENTITY: 90}
    assert [finding.rule.id for finding in rules.judge(NEW_YORK, kept)] == ["tsr-numbers-called"]
    only = rules.judge(NEW_YORK, {Category.IDENTITY: 90}, beside=kept)
    assert [finding.rule.id for finding in only] == ["tsr-numbers-called"]
    assert not rules.judge(NEW_YORK, {**kept, Category.IDENTITY: 1827})
    shorter = rules.judge(NEW_YORK, {**kept, Category.CALL_OUT: 365})
    assert [finding.rule.id for finding in shorter] == ["tsr-calls-out"], "one rule says it"
    (rule,) = [rule for rule in rules.all_rules() if rule.id == "tsr-numbers-called"]
    assert rule.limit == "at least 5 years (1,827 days), if calls out are kept so long"


def test_a_quality_recording_meets_its_ceiling_in_pennsylvania_alone() -> None:
    assert _broken(PENNSYLVANIA, Category.RECORDING, 366) == {"pennsylvania-quality"}
    assert not _broken(PENNSYLVANIA, Category.RECORDING, 365)
    assert not _broken(NEW_YORK, Category.RECORDING, 366)


def test_a_client_of_a_whole_country_does_business_in_each_of_its_regions() -> None:
    anywhere = rules.ground_of("US", [], "other")
    assert "pennsylvania-quality" in _broken(anywhere, Category.RECORDING, 366)
    assert "virginia-opt-outs" in _broken(anywhere, Category.WITHDRAWAL, 1827)
    assert not _broken(rules.ground_of("us", [("usa", "US-NY")], "other"), Category.RECORDING, 366)


def test_a_rule_of_the_union_holds_in_each_member_beside_its_own() -> None:
    france = rules.ground_of("FR", [], "retail")
    assert _broken(france, Category.RECORDING, 400) == {"france-recordings", "eu-storage-limitation"}
    assert _broken(france, Category.RECORDING, 200) == {"france-recordings"}
    assert _broken(rules.ground_of("DE", [], "retail"), Category.RECORDING, 200) == set()


def test_a_rule_of_a_trade_holds_for_that_trade() -> None:
    health = Ground(frozenset({("US", "NY")}), "health")
    assert "hipaa-authorisations" in _broken(health, Category.CONSENT, 1827)
    assert not _broken(NEW_YORK, Category.CONSENT, 1827)


def test_what_refuses_comes_first() -> None:
    found = rules.judge(NEW_YORK, {Category.CALL_OUT: 1, Category.CONSENT: 1})
    assert [finding.rule.refuses for finding in found] == sorted(
        (finding.rule.refuses for finding in found), reverse=True
    )


def test_every_rule_names_its_source_and_the_days_of_its_remedy() -> None:
    for rule in rules.all_rules():
        assert rule.source.startswith("https://"), rule.id
        named = {int(number.replace(",", "")) for number in re.findall(r"([\d,]+) days", rule.remedy)}
        assert named == {rule.days}, rule.id
        assert rule.answer is Answer.REASON or rule.confidence is Confidence.VERIFIED, rule.id
        assert bool(rule.doubt) is (rule.confidence is not Confidence.VERIFIED), rule.id


def test_no_client_is_caught_between_a_floor_and_a_ceiling_that_both_refuse() -> None:
    for category in Category:
        refusing = [rule for rule in rules.all_rules() if category in rule.categories and rule.refuses]
        floors = [rule.days for rule in refusing if rule.side is Side.FLOOR]
        ceilings = [rule.days for rule in refusing if rule.side is Side.CEILING]
        assert max(floors, default=0) <= min(ceilings, default=categories.LONGEST)


def test_what_holds_unless_somebody_says_otherwise_is_refused_by_no_rule() -> None:
    for about in categories.ABOUT.values():
        if about.days is None:
            continue
        for rule in rules.all_rules():
            if about.category in rule.categories and rule.refuses:
                assert not rule.is_broken_by(about.days), rule.id


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (('ceiling = "1 year"', 'ceiling = "1 year"\nfloor = "1 year"'), "either floor or ceiling"),
        (('ceiling = "1 year"', ""), "either floor or ceiling"),
        (('["recording"]', '["letters"]'), "letters"),
        (('country = "US"', 'country = "QQ"'), "no place"),
        (('country = "US"', 'country = "US"\nregion = "ON"'), "no place"),
        (('answer = "reason"', 'answer = "refuse"'), "only a verified rule"),
        (('answer = "reason"', 'answer = "reason"\nmood = "good"'), "unknown mood"),
        (('remedy = "Do this."', ""), "remedy"),
        (('country = "US"', 'country = "US"\nsectors = ["piracy"]'), "piracy"),
    ],
)
def test_a_file_that_says_what_no_rule_may_say_is_refused(change: tuple[str, str], why: str) -> None:
    assert len(rules.read(_RULE)) == 1
    with pytest.raises(rules.RulesError, match=why):
        rules.read(_RULE.replace(*change))


def _days(**said: int) -> dict[Category, int]:
    return dict.fromkeys(Category, 365) | {Category(name): days for name, days in said.items()}


def test_nothing_outlives_the_call_record_that_it_hangs_on_but_evidence_does() -> None:
    found = categories.bounded(_days(call=30, call_out=60, recording=90, transcript=40, consent=1827))
    assert found[Category.RECORDING] == 60
    assert found[Category.TRANSCRIPT] == 40
    assert found[Category.IDENTITY] == 60
    assert found[Category.EXPORT] == 60
    assert found[Category.CONSENT] == 1827


def test_an_identity_stays_as_long_as_what_its_key_opens() -> None:
    assert categories.bounded(_days(identity=30, recording=90, transcript=120))[Category.IDENTITY] == 120
    assert categories.bounded(_days(identity=200, recording=90, transcript=120))[Category.IDENTITY] == 200


def test_every_category_is_explained() -> None:
    assert set(categories.ABOUT) == set(Category)
    for about in categories.ABOUT.values():
        assert about.least <= (about.days or about.least) <= about.most <= categories.LONGEST
        assert about.words.endswith(".")
        assert about.of_clients or about.of_house


def test_what_a_lower_room_deletes_by_itself_is_not_promised_for_longer() -> None:
    assert timedelta(days=categories.ABOUT[Category.INBOX].most) == inbox.REJECTED_FOR
    assert timedelta(days=categories.ABOUT[Category.EXPORT].most) == exports.KEPT_FOR


def test_what_a_shorter_policy_moves_is_itself_and_what_follows_it() -> None:
    assert categories.moved_by(Category.CONSENT) == {Category.CONSENT}
    assert categories.moved_by(Category.TRANSCRIPT) == {Category.TRANSCRIPT, Category.IDENTITY}
    assert categories.moved_by(Category.CALL_OUT) == {*categories.RECORDS, *categories.OF_A_CALL}
