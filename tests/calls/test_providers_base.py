import dataclasses
import itertools
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.providers import FORMATS, PROVIDERS, TRACKERS, base, capabilities
from callprivacy.calls.providers.base import CallFacts, Capabilities, RefusedError, Stage

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def facts(**changes: Any) -> CallFacts:
    return dataclasses.replace(CallFacts(NOON, Direction.INBOUND), **changes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("started_at", datetime(2004, 12, 31, tzinfo=UTC)),
        ("started_at", datetime(2026, 1, 1)),
        ("direction", None),
        ("seconds", -1),
        ("seconds", 86_401),
        ("recording_seconds", -1),
        ("value_cents", -1),
        ("caller", "404-555-0123"),
        ("caller", ""),
        ("tracking_number", "anonymous"),
        ("presses", (("", "9"),)),
        ("presses", (("  ", "9"),)),
        ("presses", (("a" * 41, "9"),)),
        ("presses", (("menu\n", "9"),)),
        ("presses", (("menu", "12345"),)),
        ("presses", (("menu", "A"),)),
        ("presses", (("menu", "٣"),)),
        ("presses", (("menu", "9"),) * 21),
    ],
)
def test_facts_that_cannot_be_true_cannot_be_made(field: str, value: object) -> None:
    with pytest.raises(RefusedError) as refused:
        facts(**{field: value})
    assert refused.value.column == field


def test_a_withheld_caller_has_no_number() -> None:
    with pytest.raises(RefusedError):
        facts(caller="+14045550123", caller_withheld=True)


@pytest.mark.parametrize(
    "held", [{"caller": "+14045550123"}, {"recording_reference": "https://example.com/1"}]
)
def test_a_redacted_call_has_neither_number_nor_recording(held: dict[str, str]) -> None:
    with pytest.raises(RefusedError) as refused:
        facts(redacted=True, **held)
    assert refused.value.column == "redacted"
    assert base.anonymous(facts(**held)).caller_withheld


def test_facts_do_not_print_what_they_hold() -> None:
    shown = repr(
        facts(
            caller="+14045550123", tracking_number="+18005550123", source="Radio", references=(("id", "77"),)
        )
    )
    assert not {"5550123", "Radio", "77"} & {part for part in ("5550123", "Radio", "77") if part in shown}


def test_a_refusal_survives_a_queue() -> None:
    again = pickle.loads(pickle.dumps(RefusedError("Phone Number", "a number")))
    assert (again.column, again.expected, str(again)) == (
        "Phone Number",
        "a number",
        "Phone Number: expected a number",
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  Google   Ads\x00\u202e ", "Google Ads"),
        ("Spring_Sale_2026_Northeast_Search", "Spring_Sale_2026_Northeast_Search"),
        ("Café München", "Café München"),
        ("Postcard 2026-01-15", "Postcard 2026-01-15"),
        ("google.com", "google.com"),
        ("a" * 200, "a" * 120),
        ("jo@example.com", ""),
        ("jo @example.com", ""),
        ("Coffee @ Work", "Coffee @ Work"),
        ("Call 404-555-0123", ""),
        ("call 555-0123", ""),
        ("+44 117 496 0123", ""),
        ("https://example.com/x", ""),
        ("www.example.com", ""),
        ("?utm_source=x", ""),
        ("gclid=abc", ""),
        ("EAIaIQobChMI4f3G2bX8", ""),
        ("0f8fad5b-d9cb-469f-a165-70867728950e", ""),
        ("192.0.2.7", ""),
        ("2001:db8:0:1:2::7", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_marketing_words_stay_and_people_and_clicks_go(raw: object, text: str) -> None:
    assert base.plain_text(raw) == text


@given(st.text())
@example("e\u200d\u0301")
@example("\u1112\u200b\u1161")
def test_plain_text_is_short_printable_and_stays_as_it_is(raw: str) -> None:
    text = base.plain_text(raw)
    assert len(text) <= base.TEXT_LENGTH
    assert "\n" not in text
    assert all(f"{text} "[index + 1] == " " for index, char in enumerate(text) if char == "@")
    assert base.plain_text(text) in (text, "")


def test_tags_are_plain_few_and_different() -> None:
    assert base.tags(["hot", "hot", {"name": "quote"}, "jo@example.com", 7, None]) == ("hot", "quote")
    assert base.tags("quote, follow up,,quote") == ("quote", "follow up")
    assert len(base.tags([f"tag {index}" for index in range(100)])) == base.TAGS_AT_MOST
    assert base.tags({"name": "x"}) == ()


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (None, None),
        ("", None),
        ("13", 13),
        (13, 13),
        (13.0, 13),
        (" 7 ", 7),
        ("  ", None),
        ("02:05", 125),
        ("1:00:01", 3601),
        ("86400", 86400),
    ],
)
def test_lengths(raw: object, value: int | None) -> None:
    assert base.seconds(raw, "duration") == value


@pytest.mark.parametrize("raw", ["-1", -1, "86401", "x", "1.5", True, [], "9" * 30, float("inf"), "٣"])
def test_lengths_that_are_none(raw: object) -> None:
    with pytest.raises(RefusedError):
        base.seconds(raw, "duration")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("", None),
        ("--", None),
        (None, None),
        (True, None),
        ("$1,234.50", 123450),
        ("12", 1200),
        (12.5, 1250),
        ("0.05", 5),
        ("€ 3", 300),
    ],
)
def test_amounts(raw: object, value: int | None) -> None:
    assert base.cents(raw, "value") == value


@pytest.mark.parametrize("raw", ["-5", "five", "1,23", "9" * 13, "1.234", [], float("nan")])
def test_amounts_that_are_none(raw: object) -> None:
    with pytest.raises(RefusedError):
        base.cents(raw, "value")


def test_an_amount_beyond_all_measure_is_refused() -> None:
    assert base.cents("1,000,000,000.00", "value") == base.CENTS_AT_MOST
    with pytest.raises(RefusedError):
        base.cents("1,000,000,000.01", "value")


def test_a_number_may_come_as_one() -> None:
    assert base.number(14045550123, "customer_phone_number") == "+14045550123"
    assert base.number(None, "customer_phone_number") is None


def test_answers() -> None:
    assert [base.answer(raw, "q") for raw in (True, "Yes", "no", 0, "", None)] == [
        True,
        True,
        False,
        False,
        None,
        None,
    ]
    odd: tuple[object, ...] = ("perhaps", [], 1.5)
    for raw in odd:
        with pytest.raises(RefusedError):
            base.answer(raw, "q")


def test_a_place_is_the_providers_code_or_the_numbers() -> None:
    assert base.place("US", "ny", "+14045550123") == ("US", "NY")
    assert base.place("", "", "+14045550123") == ("US", "GA")
    assert base.place("US", "Georgia", "+14045550123") == ("US", "GA")
    assert base.place("US", "ABC|DEF|GHI", "+14045550123") == ("US", "GA"), "longer than what is kept"
    assert base.place("GB", "", "+14045550123") == ("GB", "")
    assert base.place("usa", "GA", None) == ("US", "GA")
    assert base.place("CAN", "QC", "+14045550123") == ("CA", "QC")
    assert base.place("UK", "", "+14045550123") == ("GB", "")
    assert base.place(None, None, None) == ("", "")


def test_a_region_without_a_country_is_believed_where_the_numbers_country_has_it() -> None:
    assert base.place("", "NY", "+14045550123") == ("US", "NY")
    assert base.place(None, "on", "+16045550123") == ("CA", "ON")
    assert base.place("", "ON", "+14045550123") == ("US", "GA")
    assert base.place("", "BE", "+4930123456") == ("DE", "")
    assert base.place("", "NY", None) == ("", "")
    assert base.place("Mars", "NY", "+14045550123") == ("US", "GA")


def test_a_region_may_be_written_with_its_country() -> None:
    """A Californian with a number of New York was in New York, where one party's consent is enough."""
    assert base.place("US", "US-CA", "+12125550123") == ("US", "CA")
    assert base.place("usa", "us-ca ", "+12125550123") == ("US", "CA")
    assert base.place("", "US-CA", "+12125550123") == ("US", "CA")
    assert base.place("CA", "US-CA", "+12125550123") == ("CA", ""), "they do not agree"
    assert base.place("", "ES-M", "+12125550123") == ("US", "NY"), "it may be anything"
    assert base.place("ES", "ES-M", None) == ("ES", "M")


def test_only_https_addresses_are_recordings() -> None:
    assert base.recording_link("https://example.com/1?k=2") == "https://example.com/1?k=2"
    for raw in ("http://example.com/1", "javascript:x", "https://a b", "https://" + "a" * 2000, 7, None, ""):
        assert base.recording_link(raw) is None


EVENTS = (
    facts(started_at=NOON - timedelta(seconds=1), stage=Stage.STARTED, caller="+14045550123", source="Radio"),
    facts(stage=Stage.ROUTED, revision=1, tracking_number="+18005550123"),
    facts(
        stage=Stage.ENDED,
        revision=2,
        seconds=0,
        outcome=Outcome.MISSED,
        tags=("hot",),
        first_call=False,
        value_cents=500,
    ),
    facts(
        direction=None, stage=Stage.ADDENDUM, recording_reference="https://example.com/1", recording_seconds=8
    ),
    facts(stage=Stage.MODIFIED, revision=3, tags=("cold",), modified_only=frozenset({"tags", "value_cents"})),
    facts(
        stage=Stage.MODIFIED, revision=4, value_cents=900, modified_only=frozenset({"tags", "value_cents"})
    ),
)


def test_every_order_of_events_ends_in_the_same_call() -> None:
    ends = set()
    for order in itertools.permutations(EVENTS):
        call = order[0]
        for event in (*order[1:], *order[:3]):
            call = base.merge(call, event)
        ends.add(call)
    (call,) = ends
    assert call.started_at == NOON - timedelta(seconds=1)
    assert (call.caller, call.tracking_number, call.source) == ("+14045550123", "+18005550123", "Radio")
    assert (call.seconds, call.outcome, call.first_call) == (0, Outcome.MISSED, False)
    assert (call.tags, call.value_cents) == ((), 900)
    assert (call.recording_reference, call.recording_seconds) == ("https://example.com/1", 8)
    assert call.direction is Direction.INBOUND
    assert call.order == Stage.MODIFIED << 48 | 4


def test_the_later_event_decides_whether_the_caller_was_withheld() -> None:
    hidden = facts(caller_withheld=True, stage=Stage.STARTED)
    shown = facts(caller="+14045550123", stage=Stage.ENDED)
    assert base.merge(hidden, shown).caller == "+14045550123"
    assert not base.merge(shown, hidden).caller_withheld
    hidden = dataclasses.replace(hidden, stage=Stage.MODIFIED)
    assert base.merge(shown, hidden).caller is None
    assert base.merge(hidden, shown).caller_withheld


def test_pressed_keys_of_every_event_stay() -> None:
    one, two = (
        facts(presses=(("menu 1", "1"),)),
        facts(presses=(("menu 1", "1"), ("menu 2", "9")), revision=1),
    )
    both = (("menu 1", "1"), ("menu 2", "9"))
    assert base.merge(one, two).presses == base.merge(two, one).presses == both


def test_a_person_who_was_taken_out_stays_out_whatever_else_was_said_and_when() -> None:
    named = facts(
        caller="+14045550123", tags=("VIP",), recording_reference="https://example.com/1", recording_seconds=8
    )
    for revision in (0, 2):
        gone = facts(redacted=True, caller_withheld=True, revision=revision)
        for call in (base.merge(dataclasses.replace(named, revision=1), gone), base.merge(gone, named)):
            assert (call.redacted, call.caller, call.caller_withheld) == (True, None, True)
            assert (call.tags, call.recording_reference, call.recording_seconds) == ((), None, None)


def test_the_registry_knows_providers_by_their_names() -> None:
    assert {name: provider.name for name, provider in PROVIDERS.items()} == {
        "callrail": "callrail",
        "twilio": "twilio",
        "ctm": "ctm",
        "signed": "signed",
        "shared": "shared",
    }
    assert TRACKERS == {
        "callrail": "CallRail",
        "twilio": "Twilio",
        "ctm": "CallTrackingMetrics",
        "invoca": "Invoca",
        "signed": "Another tracker, signed",
        "shared": "Another tracker, with a secret in a header",
        "folder": "A folder that files are dropped into",
    }
    assert {name: layout.name for name, layout in FORMATS.items()} == {
        name: name for name in ("callrail", "ctm", "invoca")
    }


@pytest.mark.parametrize(
    ("name", "can"),
    [
        ("callrail", Capabilities()),
        ("twilio", Capabilities(gates_before=True, stops_mid_call=True, deletes_after=True)),
        ("ctm", Capabilities(redacts=True)),
        ("invoca", Capabilities()),
        ("generic", Capabilities()),
        ("nobody", Capabilities()),
    ],
)
def test_what_a_tracker_can_is_written_down(name: str, can: Capabilities) -> None:
    assert capabilities(name) == can
