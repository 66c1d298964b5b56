import csv
import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.providers import FORMATS, PROVIDERS, TRACKERS, tabular
from callprivacy.calls.providers.base import CallFacts, RefusedError, UnparsableError
from callprivacy.calls.providers.invoca import TRANSACTIONS

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FILE = (Path(__file__).parent.parent / "fixtures" / "invoca_transactions.csv").read_bytes()
ROWS = list(csv.DictReader(io.StringIO(FILE.decode())))


def typed(row: dict[str, str]) -> dict[str, object]:
    """A row as the JSON of the interface has it: numbers are numbers, and nothing is null."""
    numbers = {"start_time_utc", "duration", "connect_duration", "ivr_duration", "opt_in_SMS"}
    return {
        name: None if not value else int(value) if name in numbers else value for name, value in row.items()
    }


JSON = json.dumps([typed(row) for row in ROWS]).encode()


def read(source: bytes) -> list[tabular.Row]:
    table = tabular.Table(source)
    return list(table.rows(TRANSACTIONS, zone=ZoneInfo("America/New_York"), at=NOON))


def only(**changes: Any) -> CallFacts:
    ((_, facts),) = read(json.dumps([typed(ROWS[0]) | changes]).encode())
    assert isinstance(facts, CallFacts), facts
    return facts


FIRST = CallFacts(
    started_at=datetime(2026, 11, 20, 14, 43, 15, tzinfo=UTC),
    direction=Direction.INBOUND,
    seconds=125,
    outcome=Outcome.ANSWERED,
    caller="+12025550188",
    source="Paid search",
    campaign="Brand",
    medium="Online: Search",
    region="CA",
    country="US",
    first_call=True,
    references=(("call", "0C1A-AAAA0001"), ("transaction", "FE7F3A51-11111111")),
    recording_reference="https://instance.example.com/call/recording/FE7F3A51",
    presses=(("keypress_1", "1"), ("keypress_2", "9")),
    ranked=True,
)


@pytest.mark.parametrize("source", [FILE, JSON, gzip.compress(JSON), b"\xef\xbb\xbf" + FILE])
def test_a_file_of_transactions(source: bytes) -> None:
    found = read(source)
    assert [line for line, _ in found] == [2, 3, 5]
    first, second, correction = (facts for _, facts in found)
    assert first == FIRST
    assert isinstance(second, CallFacts)
    assert (second.caller, second.caller_withheld) == (None, True)
    assert (second.outcome, second.first_call, second.recording_reference) == (Outcome.MISSED, None, None)
    assert second.presses == (("opt_in_SMS", "1"), ("Do not record", ""))
    assert isinstance(correction, CallFacts)
    assert (correction.ranked, correction.caller, correction.seconds) == (True, "+12025550189", 140)
    assert correction.references == (
        ("call", "0C1A-AAAA0001"), ("transaction", "0D0D0D0D-44444444"), ("transaction", "FE7F3A51-11111111"),
    )  # fmt: skip
    assert correction.revision == 1795280400000


def test_names_notes_and_looked_up_people_are_never_read() -> None:
    columns = tabular.columns_dropped(tabular.Table(FILE).header, TRANSACTIONS)
    assert set(columns.dropped) == {
        "start_time_local", "destination_phone_number", "ivr_duration", "city", "mobile", "advertiser_name",
        "verified_zip", "notes", "first_name_data_append", "display_name_data_append",
        "primary_email_address_data_append", "gclid",
    }  # fmt: skip
    assert ("keypress_1", "keypress_1") in columns.kept
    assert columns.missing == ()


def test_the_number_it_was_put_through_to_is_not_the_one_that_was_dialled() -> None:
    assert only().tracking_number is None


def test_a_report_with_its_columns_written_out() -> None:
    ((_, facts),) = read(
        b"Type,Call Record ID,Transaction ID,Call Start Time,Caller ID,Total Duration,Connected Duration,Key 1,"
        b"Opt In Sms\n"
        b"Call,0C1A-AAAA0001,FE7F3A51-11111111,2026-11-20 06:43:15 -08:00,202-555-0188,125,98,9,Yes\n"
    )
    assert isinstance(facts, CallFacts)
    assert facts.started_at == FIRST.started_at
    assert facts.presses == (("opt_in_SMS", "1"), ("keypress_1", "9"))
    assert facts.references == FIRST.references


@pytest.mark.parametrize(
    "kind", ["Signal", "Post Call Event", "Reported Conversion", "PostCallEvent", "Sale"]
)
def test_rows_that_are_no_calls_are_passed_over(kind: str) -> None:
    assert read(json.dumps([typed(ROWS[0]) | {"transaction_type": kind}]).encode()) == []


def test_a_row_without_a_type_is_a_call() -> None:
    assert only(transaction_type=None).caller == "+12025550188"


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"connect_duration": 5}, Outcome.ANSWERED),
        ({"connect_duration": 0, "hangup_cause": "Caller: Hang-up"}, Outcome.ABANDONED),
        ({"connect_duration": 0, "hangup_cause": "Destination: No Answer"}, Outcome.MISSED),
        ({"connect_duration": 0, "hangup_cause": "Destination: Busy"}, Outcome.BUSY),
        ({"connect_duration": 0, "hangup_cause": "Destination: Number Not In Service"}, Outcome.FAILED),
        ({"connect_duration": 0, "hangup_cause": "IVR: Hang-up"}, Outcome.MISSED),
        ({"connect_duration": 0, "hangup_cause": None}, Outcome.MISSED),
        ({"connect_duration": None, "hangup_cause": "a word of next year"}, None),
    ],
)
def test_how_it_ended(said: dict[str, Any], outcome: Outcome | None) -> None:
    assert only(**said).outcome is outcome


@pytest.mark.parametrize(
    ("said", "presses"),
    [
        ({"keypress_1": None, "keypress_2": None, "keypresses": None}, ()),
        ({"keypresses": None}, (("keypress_1", "1"), ("keypress_2", "9"))),
        ({"keypress_1": None, "keypress_2": None}, (("keypresses", "1"), ("keypresses", "9"))),
        ({"keypresses": ["1", "9", "7"]}, (("keypress_1", "1"), ("keypress_2", "9"), ("keypresses", "7"))),
        (
            {
                "keypress_1": "Sales",
                "keypress_2": "Do not record",
                "keypresses": "Sales, Do not record, Hours",
            },
            (("Sales", ""), ("Do not record", ""), ("Hours", "")),
        ),
        ({"keypress_1": "9: Opt out", "keypress_2": None, "keypresses": None}, (("Opt out", "9"),)),
        ({"keypress_1": "94043", "keypress_2": "202-555-0188", "keypresses": None}, ()),
    ],
)
def test_keys_have_a_place_or_a_name(said: dict[str, Any], presses: tuple[tuple[str, str], ...]) -> None:
    assert only(**said).presses == presses


@pytest.mark.parametrize(
    ("said", "opted"),
    [(1, True), ("1", True), (True, True), ("Yes", True), (0, False), (False, False), ("No", False), (None, False),
     ("perhaps", False)],
)  # fmt: skip
def test_only_a_yes_to_texts_is_a_press(said: object, opted: bool) -> None:
    call = only(opt_in_SMS=said)
    assert (("opt_in_SMS", "1") in call.presses) is opted


def test_however_many_keys_there_are_the_opt_in_and_the_first_stay() -> None:
    call = only(keypresses=[f"Key {letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"], opt_in_SMS=1)
    assert call.presses[:3] == (("opt_in_SMS", "1"), ("keypress_1", "1"), ("keypress_2", "9"))
    assert len(call.presses) == 20


@pytest.mark.parametrize(
    ("said", "cents"),
    [
        ({"revenue": "129.50"}, 12950),
        ({"Revenue (Sale Amount)": "$1,290.00"}, 129000),
        ({"revenue": 40}, 4000),
        ({"revenue": "-40.00"}, None),
        ({"revenue": "a sale"}, None),
        ({"revenue": None}, None),
    ],
)
def test_what_came_of_a_call_is_its_value(said: dict[str, Any], cents: int | None) -> None:
    assert only(**said).value_cents == cents


@pytest.mark.parametrize(
    ("said", "first"),
    [("No", True), (0, True), (False, True), ("Yes", False), (1, False), ("unavailable", None), (None, None)],
)
def test_a_repeated_caller_is_no_new_one(said: object, first: bool | None) -> None:
    assert only(repeat_calling_phone_number=said).first_call is first


@pytest.mark.parametrize("number", [None, "", "anonymous", "Restricted", "redacted"])
def test_a_withheld_caller_is_nobody(number: str | None) -> None:
    call = only(calling_phone_number=number)
    assert (call.caller, call.caller_withheld) == (None, True)


def test_a_region_is_believed_where_the_numbers_country_has_it() -> None:
    assert (only(region="CA").country, only(region="CA").region) == ("US", "CA")
    assert only(region="California").region == only(region=None).region == "DC"
    canadian = only(calling_phone_number="416-555-0188", region="CA")
    assert (canadian.country, canadian.region) == ("CA", "ON")
    assert only(calling_phone_number=None, region="CA").country == ""


@pytest.mark.parametrize(
    ("said", "revision"),
    [
        ({"corrected_at": None}, 1),
        ({"corrected_at": "2026-11-21 09:00:00 -08:00"}, 1795280400000),
        ({"corrected_at": "2026-11-21T17:00:00Z"}, 1795280400000),
    ],
)
def test_a_correction_knows_when_it_was_made(said: dict[str, Any], revision: int) -> None:
    call = only(corrects_transaction_id="E9C4063A-22222222", **said)
    assert call.revision == revision
    assert only(**said).revision == 0


@pytest.mark.parametrize(
    ("said", "column"),
    [
        ({"calling_phone_number": "12"}, "calling_phone_number"),
        ({"duration": -1}, "duration"),
        ({"connect_duration": "long", "hangup_cause": None}, "connect_duration"),
        ({"start_time_utc": 17}, "start_time_utc"),
        ({"start_time_utc": 1895185795000}, "start_time_utc"),
        ({"start_time_utc": None}, "start_time_utc"),
        ({"corrects_transaction_id": "X-1", "corrected_at": "later"}, "corrected_at"),
        ({"corrects_transaction_id": "X-1", "corrected_at": "0001-01-01 00:00:00 +14:00"}, "corrected_at"),
    ],
)
def test_absurd_values_are_refused_by_name(said: dict[str, Any], column: str) -> None:
    ((line, refused),) = read(json.dumps([typed(ROWS[0]) | said]).encode())
    assert isinstance(refused, RefusedError)
    assert (line, refused.column) == (2, column)


def test_it_has_no_door() -> None:
    """Its webhooks are not signed, so an address that took them in would let anybody invent consent."""
    assert "invoca" not in PROVIDERS
    assert TRACKERS["invoca"] == "Invoca"
    assert FORMATS["invoca"] is TRANSACTIONS


# --- JSON files of any kind -----------------------------------------------------------------------------


def objects(source: bytes) -> list[int]:
    return [line for line, _ in read(source)]


def test_an_array_is_read_piece_by_piece_as_from_a_file() -> None:
    many = [typed(ROWS[0]) | {"transaction_id": f"T-{place}", "notes": "x" * 900} for place in range(900)]
    source = json.dumps(many, indent=2).encode()
    assert len(source) > 1 << 19
    table = tabular.Table(io.BytesIO(source))
    assert (table.delimiter, table.recoded_lines) == ("", 0)
    found = list(table.rows(TRANSACTIONS, zone=UTC, at=NOON, after_line=500))
    assert [line for line, _ in found] == list(range(501, 902))
    assert all(isinstance(facts, CallFacts) for _, facts in found)


def test_names_that_only_later_objects_have_are_columns_too() -> None:
    rows = [{"transaction_type": "Signal"}, typed(ROWS[0])]
    assert "calling_phone_number" in tabular.Table(json.dumps(rows).encode()).header
    assert objects(json.dumps(rows).encode()) == [3]


@pytest.mark.parametrize(
    "source",
    [
        b"[]",
        b"[{}]",
        b"[",
        b"[{",
        b'[{"calling_phone_number": "1"',
        b'[{"start_time_utc": 1, "calling_phone_number": ""}',
        b'[{"start_time_utc": 1, "calling_phone_number": ""} {"a": 1}]',
        b'[{"start_time_utc": 1, "calling_phone_number": ""}, 7]',
        b'[{"start_time_utc": NaN, "calling_phone_number": ""}]',
        b'[{"start_time_utc": 1, "calling_phone_number": "\xff"}]',
        b'[{"a\\u0000": 1}]',
        b'[{"a": ' + b"[" * 100_000,
        b'[{"a": "' + b"x" * 1_500_000 + b'"}]',
        b'[{"a": 1}]',
        gzip.compress(b'[{"a": "' + b"x" * 600_000)[:-20],
    ],
)
def test_what_is_no_array_of_calls(source: bytes) -> None:
    with pytest.raises(UnparsableError):
        read(source)


def test_a_header_may_begin_with_a_bracket() -> None:
    header = b"[Type],calling_phone_number,start_time_utc\n"
    ((line, facts),) = read(header + b"x,202-555-0188,1795185795000\n")
    assert isinstance(facts, CallFacts)
    assert line == 2


@pytest.mark.thorough
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(
                ["calling_phone_number", "start_time_utc", "duration", "keypresses", "opt_in_SMS"]
            ),
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False)
            | st.text()
            | st.lists(st.text()),
        ),
        max_size=5,
    )
)
def test_any_array_is_facts_or_refusals(rows: list[dict[str, object]]) -> None:
    try:
        found = read(json.dumps(rows).encode())
    except UnparsableError:
        return
    assert all(isinstance(row, CallFacts | RefusedError) for _, row in found)


@given(st.binary())
def test_any_bytes_after_a_bracket_are_rows_or_no_table(tail: bytes) -> None:
    try:
        read(b"[{" + tail)
    except UnparsableError:
        return
