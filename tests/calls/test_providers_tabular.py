import csv
import gzip
import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.providers import generic, tabular
from callprivacy.calls.providers.base import CallFacts, RefusedError, UnparsableError

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
HEADER = (
    (Path(__file__).parent.parent / "fixtures" / "callrail_csv_header.csv").read_text().strip().split(",")
)
ROW = {
    "Call Status": "Answered Call",
    "Company Name": "Example Plumbing",
    "Company ID": "155920786",
    "Tracking Number": "+18005550123",
    "Name": "Jo Doe",
    "Phone Number": "(404) 555-0123",
    "Email": "jo@example.com",
    "First-Time Caller": "Yes",
    "City": "Atlanta",
    "State": "GA",
    "Country": "US",
    "Agent Name": "Al",
    "Source": "Google Ads",
    "Agent Number": "+12025550100",
    "Duration (seconds)": "73",
    "Start Time": "2026-07-01 09:30:00",
    "Medium": "cpc",
    "Campaign": "Spring Service",
    "Value": "$1,200.00",
    "Tags": "hot, quote",
    "Qualified": "No",
    "Landing Page": "https://example.com/?gclid=x",
    "Note": 'Her name\nis "Jo"',
    "Google Ads gclid": "EAIaIQobChMI",
    "Recording Url": "https://app.callrail.com/calls/766970532/recording/redirect?access_key=aaaa",
}


def table(
    *rows: dict[str, str], header: Iterable[str] = HEADER, delimiter: str = ",", bom: bool = False
) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(header), restval="", extrasaction="ignore", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8-sig" if bom else "utf-8")


def read(source: bytes, layout: tabular.Format = generic.CALLRAIL) -> list[tabular.Row]:
    return list(tabular.Table(source).rows(layout, zone=NEW_YORK, at=NOON))


def only(source: bytes, layout: tabular.Format = generic.CALLRAIL) -> CallFacts:
    ((_, facts),) = read(source, layout)
    assert isinstance(facts, CallFacts), facts
    return facts


EXPECTED = CallFacts(
    started_at=datetime(2026, 7, 1, 13, 30, tzinfo=UTC),
    direction=Direction.INBOUND,
    seconds=73,
    outcome=Outcome.ANSWERED,
    caller="+14045550123",
    tracking_number="+18005550123",
    source="Google Ads",
    campaign="Spring Service",
    medium="cpc",
    landing_page="/",
    region="GA",
    country="US",
    first_call=True,
    qualified=False,
    value_cents=120000,
    tags=("hot", "quote"),
    references=(("id", "766970532"),),
    recording_reference=ROW["Recording Url"],
    account="155920786",
)


def test_a_row_of_all_columns() -> None:
    assert len(HEADER) == 42
    assert read(table(ROW)) == [(2, EXPECTED)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [True, False])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("newline", [b"\r\n", pytest.param(b"\n", marks=pytest.mark.thorough)])
def test_every_dress_of_the_same_file(delimiter: str, bom: bool, packed: bool, newline: bytes) -> None:
    source = table(ROW, delimiter=delimiter, bom=bom).replace(b"\r\n", newline)
    found = tabular.Table(gzip.compress(source) if packed else source)
    assert (found.delimiter, found.compressed, found.header) == (delimiter, packed, tuple(HEADER))
    assert list(found.rows(generic.CALLRAIL, zone=NEW_YORK, at=NOON)) == [(2, EXPECTED)]
    assert found.recoded_lines == 0


def test_a_stream_is_read_like_bytes() -> None:
    found = tabular.Table(io.BytesIO(table(ROW)))
    assert list(found.rows(generic.CALLRAIL, zone=NEW_YORK, at=NOON)) == [(2, EXPECTED)]


def test_each_cell_becomes_the_fact_of_its_own_field() -> None:
    cells = {
        "started_at": "2026-07-01 09:30:00", "caller": "+14045550123", "tracking_number": "+18005550199",
        "seconds": "73", "direction": "outbound", "outcome": "busy", "source": "Google", "campaign": "Spring",
        "medium": "cpc", "landing_page": "/roofs", "keyword": "roof repair", "country": "CA", "region": "NS",
        "first_call": "yes", "qualified": "no", "value_cents": "12.34", "tags": "hot", "reference": "CALL7",
        "recording_reference": "https://vendor.example/7", "account": "ACC7", "presses": "1",
    }  # fmt: skip
    assert [*cells] == [*tabular.FIELDS]
    layout = replace(
        generic.generic({field: f"A {field}" for field in cells}),
        references=lambda reference, recording: (("id", reference), ("url", recording)),
    )
    row = {f"A {field}": cell for field, cell in cells.items()}
    for header in (row, [*reversed(row)]):
        assert only(table(row, header=header), layout) == CallFacts(
            started_at=datetime(2026, 7, 1, 13, 30, tzinfo=UTC),
            direction=Direction.OUTBOUND,
            seconds=73,
            outcome=Outcome.BUSY,
            caller="+14045550123",
            tracking_number="+18005550199",
            source="Google",
            campaign="Spring",
            medium="cpc",
            landing_page="/roofs",
            keyword="roof repair",
            country="CA",
            region="NS",
            first_call=True,
            qualified=False,
            value_cents=1234,
            tags=("hot",),
            references=(("id", "CALL7"), ("url", "https://vendor.example/7")),
            recording_reference="https://vendor.example/7",
            account="ACC7",
            presses=(("menu 1", "1"),),
        )


def test_few_columns_in_any_order_will_do() -> None:
    facts = only(b"phone number, START TIME ,Nonsense\n+14045550123,2026-07-01 09:30:00,jo@example.com\n")
    assert facts == CallFacts(
        started_at=EXPECTED.started_at,
        direction=Direction.INBOUND,
        caller="+14045550123",
        region="GA",
        country="US",
    )


def test_lines_are_counted_through_quoted_newlines_and_empty_rows_are_skipped() -> None:
    source = (
        table(ROW, {}, ROW, ROW | {"Phone Number": "12"}) + b"\r\n,,\r\n" + table(ROW).split(b"\r\n", 1)[1]
    )
    lines = [(line, type(row)) for line, row in read(source)]
    assert lines == [(2, CallFacts), (5, CallFacts), (7, RefusedError), (11, CallFacts)]


def test_lines_that_are_not_utf8_are_read_and_counted() -> None:
    found = tabular.Table(table(ROW | {"Source": "Caf\u00e9"}, ROW).decode().encode("latin-1"))
    rows = list(found.rows(generic.CALLRAIL, zone=NEW_YORK, at=NOON))
    assert [row.source for _, row in rows if isinstance(row, CallFacts)] == ["Café", "Google Ads"]
    assert found.recoded_lines == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Phone Number", "12"),
        ("Phone Number", "Jo Doe"),
        ("Tracking Number", "12"),
        ("Duration (seconds)", "-1"),
        ("Duration (seconds)", "86401"),
        ("Duration (seconds)", "long"),
        ("Start Time", ""),
        ("Start Time", "2026-11-24 07:11:00"),
        ("Start Time", "2004-12-31 12:00:00"),
        ("Start Time", "2026-02-30 12:00:00"),
        ("Start Time", "2026-07-01"),
        ("Start Time", "2026-07-01 25:00:00"),
        ("Start Time", "13/13/2026 09:30"),
        ("Start Time", "01/02/2026 13:30 PM"),
        ("Start Time", "yesterday at nine.."),
        ("Start Time", "0001-01-01 00:00:00"),
        ("Start Time", "9999-12-31 23:59:59"),
        ("Value", "-1"),
        ("First-Time Caller", "perhaps"),
        ("Qualified", "perhaps"),
        ("Call Status", "Dreamt"),
    ],
)
def test_odd_rows_are_refused_by_column_and_the_others_stay(column: str, value: str) -> None:
    (_, refused), (_, kept) = read(table(ROW | {column: value}, ROW))
    assert isinstance(refused, RefusedError)
    assert refused.column == column
    assert kept == EXPECTED


def test_a_refusal_says_nothing_of_the_row() -> None:
    ((_, refused),) = read(table(ROW | {"Start Time": "404-555-0123 at noon"}))
    assert isinstance(refused, RefusedError)
    assert "404" not in str(refused)
    assert (refused.__traceback__, refused.__context__, refused.__cause__) == (None, None, None)


@pytest.mark.parametrize(
    ("written", "hour", "minute", "second"),
    [
        ("2026-07-01 09:30:00", 13, 30, 0),
        ("2026-07-01T09:30:05", 13, 30, 5),
        ("2026-07-01 09:30", 13, 30, 0),
        ("2026-07-01 09:30:00.250", 13, 30, 0),
        ("2026-07-01T09:30:00-07:00", 16, 30, 0),
        ("2026-07-01 09:30:00 -0700", 16, 30, 0),
        ("2026-07-01 09:30:00 UTC", 9, 30, 0),
        ("2026-07-01T09:30:00Z", 9, 30, 0),
        ("2026-07-01 09:30 PM -04:00", 1, 30, 0),
        ("07/01/2026 9:30 AM", 13, 30, 0),
        ("7/1/2026 09:30:05", 13, 30, 5),
        ("07/01/2026 12:05 AM", 4, 5, 0),
        ("07/01/2026 12:05 PM", 16, 5, 0),
    ],
)
def test_ways_to_write_a_time(written: str, hour: int, minute: int, second: int) -> None:
    started_at = only(table(ROW | {"Start Time": written})).started_at
    assert (started_at.hour, started_at.minute, started_at.second) == (hour, minute, second)
    assert started_at.date().isoformat() in {"2026-07-01", "2026-07-02"}


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("America/New_York", "2026-03-08 01:59:59", "2026-03-08T06:59:59"),
        ("America/New_York", "2026-03-08 02:30:00", "2026-03-08T07:30:00"),  # skipped: 03:30 summer time
        ("America/New_York", "2026-03-08 03:00:00", "2026-03-08T07:00:00"),
        ("America/New_York", "2026-11-01 01:30:00", "2026-11-01T05:30:00"),  # came twice: the first
        ("America/New_York", "2026-11-01 02:00:00", "2026-11-01T07:00:00"),
        ("Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T14:45:00"),  # half an hour came twice
        ("Australia/Lord_Howe", "2026-10-04 02:15:00", "2026-10-03T15:45:00"),
        ("America/St_Johns", "2010-03-14 00:00:30", "2010-03-14T03:30:30"),
        ("America/St_Johns", "2010-03-14 00:01:30", "2010-03-14T03:31:30"),  # skipped from one minute past
        ("America/St_Johns", "2010-03-14 01:01:30", "2010-03-14T03:31:30"),
        ("Asia/Kathmandu", "2026-07-01 09:30:00", "2026-07-01T03:45:00"),
    ],
)
def test_local_times_where_the_clocks_change(zone: str, local: str, utc: str) -> None:
    rows = tabular.Table(table(ROW | {"Start Time": local})).rows(
        generic.CALLRAIL, zone=ZoneInfo(zone), at=NOON
    )
    ((_, facts),) = rows
    assert isinstance(facts, CallFacts)
    assert facts.started_at == datetime.fromisoformat(utc + "+00:00")
    assert facts.first_of_two is (local in {"2026-11-01 01:30:00", "2026-04-05 01:45:00"})


@pytest.mark.parametrize("written", ["2026-11-01 01:30:00-05:00", "2026-11-01 01:30:00Z", "1793511000"])
def test_a_time_that_says_its_offset_comes_once(written: str) -> None:
    content = f"Date,From\n{written},+12025550101\n".encode()
    layout = generic.generic({"started_at": "Date", "caller": "From"})
    ((_, facts),) = tabular.Table(content).rows(
        replace(layout, has_epochs=True), zone=ZoneInfo("America/New_York"), at=NOON
    )
    assert isinstance(facts, CallFacts)
    assert not facts.first_of_two


@given(
    st.datetimes(datetime(2005, 1, 3), datetime(2026, 11, 23)).map(
        lambda naive: naive.replace(microsecond=0, fold=0)
    )
)
def test_remembered_offsets_are_the_zones(naive: datetime) -> None:
    zone = ZoneInfo("America/St_Johns")
    read_start = tabular._start_reader("Start", None, zone=zone, at=NOON)
    assert read_start(naive.isoformat(" "))[0] == naive.replace(tzinfo=zone).astimezone(UTC)
    assert read_start(naive.replace(minute=59).isoformat(" "))[0] == naive.replace(
        minute=59, tzinfo=zone
    ).astimezone(UTC)


@pytest.mark.parametrize(
    ("status", "outcome", "direction"),
    [
        ("Answered Call", Outcome.ANSWERED, Direction.INBOUND),
        ("Missed Call", Outcome.MISSED, Direction.INBOUND),
        ("Unanswered", Outcome.MISSED, Direction.INBOUND),
        ("Voicemail Call", Outcome.VOICEMAIL, Direction.INBOUND),
        ("Abandoned Call", Outcome.ABANDONED, Direction.INBOUND),
        ("Outbound Call", None, Direction.OUTBOUND),
        ("Answered Outbound Call", Outcome.ANSWERED, Direction.OUTBOUND),
        ("Not connected", Outcome.MISSED, Direction.INBOUND),
        ("Not completed", Outcome.MISSED, Direction.INBOUND),
        ("NEVER ANSWERED", Outcome.MISSED, Direction.INBOUND),
        ("no-answer", Outcome.MISSED, Direction.INBOUND),
        ("wasn't answered", Outcome.MISSED, Direction.INBOUND),
        ("Missed, no voicemail", Outcome.MISSED, Direction.INBOUND),
        ("Answered by voice mail", Outcome.VOICEMAIL, Direction.INBOUND),
        ("canceled", Outcome.ABANDONED, Direction.INBOUND),
        ("--", None, Direction.INBOUND),
        ("In Progress", None, Direction.INBOUND),
        ("", None, Direction.INBOUND),
    ],
)
def test_what_a_status_says(status: str, outcome: Outcome | None, direction: Direction) -> None:
    facts = only(table(ROW | {"Call Status": status}))
    assert (facts.outcome, facts.direction) == (outcome, direction)


@pytest.mark.parametrize(
    "status", ["Disconnected", "Incomplete", "Not busy", "Outbound, disconnected", "Reconnected", "no", "???"]
)
def test_a_status_of_no_word_that_we_know_is_refused_by_its_line(status: str) -> None:
    ((line, refused),) = read(table(ROW | {"Call Status": status}))
    assert isinstance(refused, RefusedError)
    assert (line, refused.column) == (2, "Call Status")


@pytest.mark.parametrize("number", ["", "Anonymous", "+266696687", "Restricted", "7378742833"])
def test_a_withheld_caller_is_nobody(number: str) -> None:
    facts = only(table(ROW | {"Phone Number": number}))
    assert (facts.caller, facts.caller_withheld) == (None, True)


def test_a_foreign_caller_has_the_numbers_country_when_the_row_says_none() -> None:
    facts = only(table(ROW | {"Phone Number": "+44 117 496 0123", "State": "", "Country": ""}))
    assert (facts.caller, facts.country, facts.region) == ("+441174960123", "GB", "")


def test_a_new_recording_address_holds_the_new_id() -> None:
    facts = only(
        table(ROW | {"Recording Url": "https://app.callrail.com/calls/CAL0123abc/recording?access_key=a"})
    )
    assert facts.references == (("resource_id", "CAL0123abc"),)
    assert only(table(ROW | {"Recording Url": ""})).references == ()


@pytest.mark.parametrize("is_headed", [True, False, None])
def test_a_number_in_the_first_line_names_no_column(is_headed: bool | None) -> None:
    found = tabular.Table(b"2026-07-01 09:30:00,+1 404-555-0123,Maps\n", is_headed=is_headed)
    assert "0123" not in "".join(found.header)
    assert found.header[1] == "Column 2"


def test_what_is_kept_and_what_is_dropped_of_a_header() -> None:
    assert len(tabular.columns_dropped(HEADER, generic.CALLRAIL).kept) == 18
    columns = tabular.columns_dropped(HEADER, generic.CALLRAIL.without(tabular.ATTRIBUTION))
    assert dict(columns.kept)["Phone Number"] == "caller"
    assert len(columns.kept) == 16
    assert len(columns.kept) + len(columns.dropped) == 42
    assert {
        "Name",
        "Email",
        "Agent Name",
        "Agent Number",
        "Landing Page",
        "Keywords",
        "Referrer",
        "Google Ads gclid",
        "Facebook fbclid",
        "Note",
        "Call Highlights",
        "Active Page",
        "City",
        "Destination Number",
        "Company Name",
    } <= set(columns.dropped)
    assert columns.missing == ()
    assert tabular.columns_dropped(["Phone Number"], generic.CALLRAIL).missing == ("started_at",)


def test_nothing_of_a_dropped_column_is_in_the_facts() -> None:
    facts = only(table(ROW))
    kept = " ".join(str(getattr(facts, name)) for name in CallFacts.__dataclass_fields__)
    for secret in ("Jo", "jo@", "Al", "5550100", "gclid", "EAIaIQ", "Her name", "Atlanta", "Plumbing"):
        assert secret not in kept


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\n\n",
        b"\xef\xbb\xbf",
        b"Name,Email\nx,y\n",
        b"Phone Number\n+14045550123\n",
        "Start Time,Phone Number\n".encode("utf-16"),
        b"PK\x03\x04" + b"x" * 50,
        b"Start Time,Start Time,Phone Number\n",
        b"a" * (1 << 20) + b"\n",
        b"\x00\x01\x02\n",
        b"\x1f\x8bnot gzip at all",
        gzip.compress(b"Start Time,Phone Number\n" * 9000, mtime=0)[:60],
        b'"' + b"Start Time\n" * 100_000,
        b'"' + b"x" * 140_000 + b'"\n',
    ],
)
def test_what_is_no_table_of_calls(source: bytes) -> None:
    with pytest.raises(UnparsableError):
        read(source)


@pytest.mark.thorough
def test_a_damaged_gzip_file_ends_in_an_error_after_its_good_rows() -> None:
    packed = gzip.compress(table(*[ROW] * 20_000))
    found = tabular.Table(packed[: len(packed) // 2])
    with pytest.raises(UnparsableError, match="damaged after line"):
        list(found.rows(generic.CALLRAIL, zone=NEW_YORK, at=NOON))


def test_a_decompression_bomb_is_abandoned() -> None:
    # Of long rows: what it unpacks to is judged, and to read its rows would take longer.
    bomb = gzip.compress(b"Start Time,Phone Number\n" + (b" " * 1022 + b",\n") * (24 << 10))
    with pytest.raises(UnparsableError, match="150 times"):
        read(bomb)
    with pytest.raises(UnparsableError, match="more than 1000 bytes"):
        list(
            tabular.Table(gzip.compress(table(*[ROW] * 2000)), unpacked_at_most=1000).rows(
                generic.CALLRAIL, zone=UTC, at=NOON
            )
        )


def test_a_quote_that_never_closes_costs_its_row_only() -> None:
    source = table(ROW) + b'x,"' + b"y" * 140_000 + b"\r\n" + table(ROW).split(b"\r\n", 1)[1]
    first, broken, *_ = read(source)
    assert first == (2, EXPECTED)
    assert isinstance(broken[1], RefusedError)
    assert broken[1].column == "row"


def test_a_row_with_too_many_cells_is_refused() -> None:
    ((_, refused),) = read(b"Start Time,Phone Number\n2026-07-01 09:30:00,+14045550123,x\n")
    assert isinstance(refused, RefusedError)
    assert refused.column == "row"


def test_a_file_with_other_names_is_read_by_a_mapping() -> None:
    source = (
        b"Wann;Wer;Dauer;Richtung;Nummer\n01.07.2026;;;;\n01/07/2026 09:30;0117 496 0123;02:05;outbound;A-7\n"
    )
    layout = generic.generic(
        {
            "started_at": "Wann",
            "caller": "wer",
            "seconds": "Dauer",
            "direction": "Richtung",
            "reference": "Nummer",
            "source": "",
        },
        slashes="day first",
        default_region="GB",
    )
    (_, refused), (line, facts) = read(source, layout)
    assert isinstance(refused, RefusedError)
    assert (line, facts) == (
        3,
        CallFacts(
            started_at=EXPECTED.started_at,
            direction=Direction.OUTBOUND,
            seconds=125,
            caller="+441174960123",
            country="GB",
            references=(("id", "A-7"),),
        ),
    )


def test_directions_of_other_files() -> None:
    layout = generic.generic({"started_at": "Start", "caller": "Who", "direction": "Way"})
    lines = [
        b"2026-07-01 09:30,+14045550123," + way for way in (b"in", b"Outgoing", b"outbound-api", b"", b"up")
    ]
    *kept, (_, refused) = read(b"\n".join([b"Start,Who,Way", *lines]), layout)
    assert [row.direction for _, row in kept if isinstance(row, CallFacts)] == [
        Direction.INBOUND,
        Direction.OUTBOUND,
        Direction.OUTBOUND,
        Direction.INBOUND,
    ]
    assert isinstance(refused, RefusedError)
    assert refused.column == "Way"


def test_what_is_remembered_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular, "REMEMBERED_AT_MOST", 3)
    rows = read(table(*[ROW | {"Source": f"Radio {index}"} for index in range(10)]))
    assert [row.source for _, row in rows if isinstance(row, CallFacts)] == [
        f"Radio {index}" for index in range(10)
    ]


def test_dates_with_slashes_are_refused_unless_somebody_said_how_they_are_read() -> None:
    layout = generic.generic({"started_at": "Start", "caller": "Who"})
    ((_, refused),) = read(b"Start,Who\n01/07/2026 09:30,+14045550123\n", layout)
    assert isinstance(refused, RefusedError)
    assert refused.column == "Start"


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({"caller": "Who"}, "started_at"),
        ({"started_at": "When", "caller": ""}, "caller"),
        ({"started_at": "When", "caller": "Who", "name": "Name"}, "name"),
        ({"started_at": "When", "caller": "when "}, "started_at"),
    ],
)
def test_a_mapping_that_cannot_be(mapping: dict[str, str], field: str) -> None:
    with pytest.raises(RefusedError) as refused:
        generic.generic(mapping)
    assert refused.value.column == field


def test_a_mapping_is_proposed_by_the_usual_names() -> None:
    proposal = generic.guess_mapping(
        ["Call ID", "called_at", "Caller Number", "To", "Duration", "E-mail", "Status"]
    )
    assert proposal == {
        "started_at": "called_at",
        "caller": "Caller Number",
        "tracking_number": "To",
        "seconds": "Duration",
        "outcome": "Status",
        "reference": "Call ID",
    }
    generic.generic(proposal)


@given(
    st.binary(max_size=300) | st.text(max_size=300).map(str.encode), st.sampled_from(["", "plain", "gzip"])
)
def test_any_bytes_are_rows_or_a_refusal(noise: bytes, dress: str) -> None:
    source = noise if not dress else b"Start Time,Phone Number,Source\n" + noise
    try:
        rows = read(gzip.compress(source) if dress == "gzip" else source)
    except UnparsableError:
        return
    assert all(isinstance(row, CallFacts | RefusedError) for _, row in rows)


@pytest.mark.thorough
@given(st.lists(st.dictionaries(st.sampled_from(sorted(ROW)), st.text(max_size=20), max_size=3), max_size=5))
def test_any_cells_are_facts_or_a_refusal(changes: list[dict[str, str]]) -> None:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, HEADER, restval="", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(ROW | change for change in changes)
    rows = read(file.getvalue().encode("utf-8", "replace"))
    assert len(rows) == len(changes)
