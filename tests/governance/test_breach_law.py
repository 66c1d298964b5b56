"""When the law's numbers end, by instants reckoned by hand."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from consent.law import places
from governance import letters
from governance.enums import Answer, BreachKind, BreachRisk, NoticeTo
from governance.law import breaches as law
from governance.law import vendors

NEW_YORK = ZoneInfo("America/New_York")
TERRITORIES = {"US-PR", "US-VI", "US-GU", "US-AS", "US-MP"}


def test_72_hours_run_through_the_night_on_which_the_clocks_go_back() -> None:
    aware = datetime(2026, 10, 31, 12, 0, tzinfo=NEW_YORK)

    due = law.rules()["gdpr-33"].due_at(aware, zone=NEW_YORK)

    # Three days later on the wall would be 73 hours.
    assert due == datetime(2026, 11, 3, 16, 0, tzinfo=UTC)


def test_thirty_days_end_with_the_last_day_where_the_agency_is() -> None:
    late_evening = datetime(2024, 1, 30, 23, 30, tzinfo=NEW_YORK)

    due = law.rules()["us-ca"].due_at(late_evening, zone=NEW_YORK)

    # Over a leap day: 30 January and 30 days is 29 February.
    assert due == datetime(2024, 3, 1, 0, 0, tzinfo=NEW_YORK)


def test_without_undue_delay_has_no_instant() -> None:
    assert law.rules()["gdpr-34"].due_at(datetime(2026, 1, 1, tzinfo=UTC), zone=NEW_YORK) is None


@pytest.mark.parametrize(
    ("rule", "places", "holds"),
    [
        ("gdpr-33", ["DE"], True),
        ("gdpr-33", ["NO"], True),
        ("gdpr-33", ["IS"], True),
        ("gdpr-34", ["LI"], True),
        ("gdpr-33", ["CH"], False),
        ("gdpr-33", ["GB", "US-CA"], False),
        ("uk-gdpr-33", ["GB"], True),
        ("us-ca", ["US-CA"], True),
        ("us-ca", ["US-NY"], False),
        ("us-ca", ["US"], True),
        ("gdpr-33-processor", ["JP"], True),
        ("gdpr-33", [], False),
    ],
)
def test_where_a_rule_holds(rule: str, places: list[str], holds: bool) -> None:
    assert law.rules()[rule].holds_in(places) is holds


def test_every_state_has_its_rule_and_says_that_nobody_checked_it() -> None:
    residents = [rule for rule in law.rules().values() if rule.to == NoticeTo.STATE]
    states = {place: rule for rule in residents for place in rule.places}

    assert set(states) == {f"US-{name}" for name in places.REGIONS["US"]} - TERRITORIES
    assert len(states) == 51
    assert {rule.confidence for rule in states.values()} == {"unverified"}
    assert all(rule.citation and rule.source.startswith("http") for rule in states.values())


@pytest.mark.parametrize(("state", "days"), [("US-ME", 30), ("US-OH", 45), ("US-SD", 60), ("US-MA", None)])
def test_a_state_counts_days_or_names_no_number(state: str, days: int | None) -> None:
    aware = datetime(2026, 1, 2, 12, 0, tzinfo=NEW_YORK)
    (rule,) = [rule for rule in law.rules().values() if state in rule.places and not rule.beside]

    due = rule.due_at(aware, zone=NEW_YORK)

    midnight = datetime(2026, 1, 3, 0, 0, tzinfo=NEW_YORK)
    assert due == (None if days is None else midnight + timedelta(days=days))


AWARE = datetime(2026, 11, 2, 12, 0, tzinfo=NEW_YORK)
TOLD = datetime(2026, 11, 20, 12, 0, tzinfo=NEW_YORK)


def _end_of(month: int, day: int) -> datetime:
    return datetime(2026, month, day, tzinfo=NEW_YORK) + timedelta(days=1)


@pytest.mark.parametrize(
    ("state", "told_at", "due"),
    [
        ("tx", None, _end_of(12, 2)),  # 30 days, whenever residents are told
        ("tx", TOLD, _end_of(12, 2)),
        ("ca", None, None),  # 15 days of telling residents
        ("ca", TOLD, _end_of(12, 5)),
        ("ar", None, _end_of(12, 17)),  # 45 days, or with residents where that is sooner
        ("ar", TOLD, _end_of(11, 20)),
        ("ia", TOLD, _end_of(11, 30)),  # five: Thanksgiving is none
        ("vt", None, _end_of(11, 23)),  # fourteen business days, Veterans Day is none
        ("va", TOLD, None),
    ],
)
def test_an_office_of_a_state_is_told_by_its_own_number(
    state: str, told_at: datetime | None, due: datetime | None
) -> None:
    rule = law.rules()[f"us-{state}-office"]

    assert rule.to == NoticeTo.OFFICE
    assert rule.due_at(AWARE, zone=NEW_YORK, told_at=told_at) == due


@pytest.mark.parametrize(("people", "is_told"), [(None, True), (500, False), (501, True)])
def test_an_office_is_told_from_so_many_people_on_and_while_nobody_knows(
    people: int | None, is_told: bool
) -> None:
    assert law.rules()["us-ca-office"].is_due_at(BreachRisk.RISK, people=people) is is_told


def test_a_holiday_of_the_state_alone_moves_no_date() -> None:
    aware = datetime(2026, 8, 3, 12, 0, tzinfo=NEW_YORK)

    due = law.rules()["us-vt-office"].due_at(aware, zone=NEW_YORK)

    # 14 business days; Vermont keeps Bennington Battle Day on 17 August, the United States do not.
    assert due == datetime(2026, 8, 22, 0, 0, tzinfo=NEW_YORK)


def test_an_office_has_what_its_residents_have() -> None:
    offices = [rule for rule in law.rules().values() if rule.to == NoticeTo.OFFICE]

    assert len(offices) == 37
    for office in offices:
        residents = law.rules()[office.beside]
        assert office.places == residents.places
        assert (office.citation, office.source, office.confidence) == (
            residents.citation, residents.source, "unverified",
        )  # fmt: skip


def test_an_unlikely_harm_is_told_to_the_controller_and_where_no_state_is_known_to_except_it() -> None:
    told = {rule.id for rule in law.rules().values() if rule.is_due_at(BreachRisk.UNLIKELY)}

    in_states = {rule.id for rule in law.rules().values() if rule.id.startswith("us-")}
    assert told == {"gdpr-33-processor"} | in_states
    assert "No exception is known" in law.rules()["us-ca"].words
    assert "No exception is known" in law.rules()["us-ca-office"].words
    assert "may not require notification if harm is unlikely" in law.rules()["us-fl"].words


def test_a_place_without_a_rule_has_its_law_looked_at() -> None:
    found = {rule.id: rule for rule in law.unruled(["DE", "GB", "US", "US-CA", "CA", "US-PR", "NO", "ZZ"])}

    assert list(found) == ["law-of-CA", "law-of-US-PR", "law-of-ZZ"]
    assert found["law-of-US-PR"].title == "Check the law of Puerto Rico"
    assert found["law-of-CA"].due_at(AWARE, zone=NEW_YORK) is None
    assert law.find("law-of-CA") == found["law-of-CA"]
    assert law.find("us-ca") == law.rules()["us-ca"]
    assert law.find("us-xx") is None


@pytest.mark.parametrize(
    "row",
    [
        {"hours": 1, "days": 2},
        {"as_role": "owner"},
        {"colour": "red"},
        {"office": {"title": "T", "words": "w"}},
        {"to": "state"},
        {"harmless": "no_exception"},
        {"to": "state", "harmless": "no_exception", "office": {"title": "T", "words": "w", "hours": 3}},
    ],
)
def test_a_rule_that_says_what_no_rule_may_say_is_refused(row: dict[str, object]) -> None:
    good: dict[str, object] = {
        "title": "T", "to": "authority", "places": ["DE"], "from_risk": "risk", "as_role": "controller",
        "confidence": "verified", "citation": "c", "source": "s", "checked_on": "d", "words": "w",
    }  # fmt: skip

    assert [rule.id for rule in law._read({"one": good})] == ["one"]
    with pytest.raises(law.RulesError):
        list(law._read({"one": good | row}))


def _facts(**changed: object) -> letters.Facts:
    aware = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    facts: dict[str, object] = {
        "agency": "Acme", "addressee": "The authority", "contact": "Alice", "number": 7, "is_drill": False,
        "kind": BreachKind.CONFIDENTIALITY, "risk": BreachRisk.RISK, "words": "A file went to the wrong client.",
        "aware_at": aware, "began_at": None, "ended_at": None, "contained_at": None, "categories": ("numbers",),
        "places": ("DE",), "people": 120, "records": None, "effects": "", "remedy": "Access was closed.",
        "due_at": aware + timedelta(hours=72), "told_at": aware, "zone": "America/New_York",
    }  # fmt: skip
    return letters.Facts(**(facts | changed))  # type: ignore[arg-type]  # facts of a table


def test_the_notice_to_an_authority_has_the_parts_of_article_33_3_and_says_what_is_not_known() -> None:
    text = letters.draft(NoticeTo.AUTHORITY, _facts())

    for part in ("2. Nature", "3. Categories", "4. Likely consequences", "5. Measures", "6. Contact"):
        assert part in text
    assert "People concerned: about 120" in text
    assert f"Records concerned: {letters.UNKNOWN}" in text
    assert "7. Reasons" not in text
    assert "24 November 2026, 07:00 EST" in text


def test_a_late_notice_asks_for_its_reasons_and_a_drill_says_that_it_is_one() -> None:
    facts = _facts(told_at=datetime(2026, 11, 27, 12, 0, tzinfo=UTC), is_drill=True)

    text = letters.draft(NoticeTo.AUTHORITY, facts)

    assert "7. Reasons for the delay" in text
    assert text.startswith("DRILL")


def test_a_further_notice_without_the_facts_of_the_first_has_all_of_them() -> None:
    text = letters.draft(NoticeTo.CLIENT, _facts(), phase=3)

    assert "breach 7, notification 3" in text
    assert "GDPR article 33(2)" in text
    assert "People concerned: about 120" in text


def test_what_was_known_is_read_as_it_was_kept() -> None:
    known = letters.Known.of(_facts())

    assert letters.Known.from_json(known.as_json()) == known
    assert not letters.is_news(known, _facts(contact="Bob"))
    assert letters.is_news(known, _facts(people=121))


def test_the_notice_to_an_office_of_a_state_names_its_law_and_no_article_of_the_gdpr() -> None:
    text = letters.draft(NoticeTo.OFFICE, _facts(citation="Tex. Bus. & Com. Code 521.053"))

    assert "Notification of a personal data breach (Tex. Bus. & Com. Code 521.053)." in text
    assert "7. Notification of residents" in text
    assert "GDPR" not in text


def test_the_notice_to_whom_the_law_of_another_place_names_leaves_a_gap_for_it() -> None:
    text = letters.draft(
        NoticeTo.PLACE, _facts(addressee="Look at the law of Canada", citation="the law of Canada")
    )

    assert text.startswith("To: [Recipient named by that law]\n")
    assert "(the law of Canada)" in text
    assert "GDPR" not in text


def test_a_letter_to_people_names_no_article_and_no_internal_number() -> None:
    text = letters.draft(NoticeTo.PEOPLE, _facts())

    assert "article" not in text.lower()
    assert "What it may mean for you" in text


def test_a_score_counts_what_applies_by_its_weight() -> None:
    every = {question.id: Answer.YES for question in vendors.questions()}
    first = vendors.questions()[0]
    total = sum(question.weight for question in vendors.questions())

    assert vendors.score(every) == 100
    assert vendors.score(every | {first.id: Answer.NO}) == 100 * (total - first.weight) // total
    assert vendors.score(every | {first.id: Answer.PARTLY}) == 100 * (2 * total - first.weight) // (2 * total)
    assert vendors.score(every | {first.id: Answer.NOT_APPLICABLE}) == 100
    assert vendors.score({}) == 0
    assert vendors.score(dict.fromkeys(every, Answer.NOT_APPLICABLE)) == 0


def test_each_question_names_a_clause_that_there_is_and_each_sheet_reads() -> None:
    assert {question.clause for question in vendors.questions()} - {""} == set(vendors.CLAUSES)
    assert {sheet.name for sheet in vendors.sheets().values()} == {
        "CallRail", "Twilio", "CallTrackingMetrics", "Invoca", "Phonexa", "WhatConverts", "Ringba",
    }  # fmt: skip
