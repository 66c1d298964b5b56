"""Deadlines of a file: columns in, columns out, and the line that is wrong."""

import csv
import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from rights.deadlines.lines import read_instant

HEADER = "law,kind,received_at,zone"
ROW = "gdpr,access,2026-01-31T10:00:00+01:00,Europe/Berlin"
CASES = Path(__file__).parent / "cases.csv"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "requests.csv"


def run(file: Path | str, *arguments: str) -> str:
    out = io.StringIO()
    call_command("deadlines", str(file), *arguments, stdout=out)
    return out.getvalue()


def refused(file: Path | str, *arguments: str) -> str:
    out = io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command("deadlines", str(file), *arguments, stdout=out)
    assert out.getvalue() == ""
    return str(error.value)


def write(file: Path, *rows: str, header: str = HEADER) -> Path:
    file.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return file


def test_three_columns_are_added(file: Path) -> None:
    write(
        file,
        ROW,
        "ccpa,delete,2026-11-20T10:00:00-08:00,America/Los_Angeles",
        "tcpa,revocation,2026-12-18 09:00,America/New_York",
    )
    assert run(file) == (
        "law,kind,received_at,zone,acknowledge_by,answer_by,in_force_from\n"
        "gdpr,access,2026-01-31T10:00:00+01:00,Europe/Berlin,,2026-03-02,\n"
        "ccpa,delete,2026-11-20T10:00:00-08:00,America/Los_Angeles,2026-12-07,2027-01-04,\n"
        "tcpa,revocation,2026-12-18 09:00,America/New_York,,2027-01-05,\n"
    )


def answers(file: Path, *arguments: str) -> list[tuple[str, str]]:
    rows = csv.DictReader(io.StringIO(run(file, *arguments)))
    return [(row["answer_by"], row["in_force_from"]) for row in rows]


def test_a_law_that_is_not_in_force_yet_is_marked(file: Path) -> None:
    write(
        file,
        "oklahoma,access,2026-12-31,America/Chicago",
        "oklahoma,access,2027-01-01,America/Chicago",
        "vermont,delete,2026-12-01,America/New_York",
    )
    assert answers(file) == [("2027-02-14", "2027-01-01"), ("2027-02-15", ""), ("2027-01-15", "2028-01-01")]


def test_pauses_and_proof_of_identity_count_by_laws_that_stop_for_them(file: Path) -> None:
    write(
        file,
        "uk_gdpr,access,2026-03-02,Europe/London,,",
        "uk_gdpr,access,2026-03-02,Europe/London,2026-03-09/2026-03-12,",
        "uk_gdpr,access,2026-03-02,Europe/London,2026-03-09/2026-03-12; 2026-03-16/2026-03-18,",
        "uk_gdpr,access,2026-03-02,Europe/London,2026-03-09/,",
        "uk_gdpr,access,2026-03-02,Europe/London,,2026-03-10 12:00",
        "gdpr,access,2026-03-02,Europe/Berlin,2026-03-09/2026-03-12,2026-03-10",
        header=f"{HEADER},paused,identified_at",
    )
    assert [day for day, _ in answers(file)] == [
        "2026-04-02",
        "2026-04-07",
        "2026-04-07",
        "",
        "2026-04-10",
        "2026-04-02",
    ]


def test_a_breach_has_its_hours_days_and_the_day_of_an_office(file: Path) -> None:
    write(
        file,
        "gdpr,breach,2026-10-31T12:00:00-04:00,America/New_York,",
        "us-ca,breach,2026-11-02,America/Los_Angeles,",
        "us-ca-office,breach,2026-11-02,America/Los_Angeles,",
        "us-ca-office,breach,2026-11-02,America/Los_Angeles,2026-11-20",
        "us-vt-office,Breach,2026-08-03,America/New_York,",
        "gdpr-34,breach,2026-08-03,Europe/Berlin,",
        header=f"{HEADER},told_at",
    )
    assert [day for day, _ in answers(file)] == [
        "2026-11-03T11:00:00-05:00",
        "2026-12-02",
        "",
        "2026-12-05",
        "2026-08-21",
        "",
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("uk_gdpr,access,2026-03-02,Europe/London,2026-03-09", "is no pause"),
        ("uk_gdpr,access,2026-03-02,Europe/London,2026-03-12/2026-03-09", "before it begins"),
        ("uk_gdpr,access,2026-03-02,Europe/London,soon/", "is no time"),
        ("atlantis,breach,2026-03-02,Europe/London,", "Unknown breach rule"),
    ],
)
def test_what_a_row_may_have_is_read_or_named(file: Path, row: str, says: str) -> None:
    assert says in refused(write(file, row, header=f"{HEADER},paused"))


def test_every_case_comes_out_as_it_is_written(file: Path) -> None:
    with CASES.open(encoding="utf-8", newline="") as source:
        cases = list(csv.DictReader(source))
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, HEADER.split(","), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(cases)
    rows = list(csv.DictReader(io.StringIO(run(file))))
    assert [(row["acknowledge_by"], row["answer_by"]) for row in rows] == [
        (case["acknowledge_by"], case["answer_by"]) for case in cases
    ]


def test_other_columns_and_their_order_stay(file: Path) -> None:
    write(file, 'Europe/Berlin,"a, b",access,2026-01-31,gdpr', header="Zone, note ,KIND,received_at,law")
    assert run(file) == (
        "Zone, note ,KIND,received_at,law,acknowledge_by,answer_by,in_force_from\n"
        'Europe/Berlin,"a, b",access,2026-01-31,gdpr,,2026-03-02,\n'
    )


def test_a_byte_order_mark_carriage_returns_and_empty_lines_do_not_matter(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{ROW}\r\n\r\n,,,\r\n".encode())
    assert len(run(file).splitlines()) == 2


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{HEADER}\n{ROW}\n".encode())))
    assert run("-").endswith(",,2026-03-02,\n")


def test_a_file_without_rows_is_its_header(file: Path) -> None:
    assert run(write(file)) == f"{HEADER},acknowledge_by,answer_by,in_force_from\n"


def test_the_longer_time_is_that_of_who_may_take_it(file: Path) -> None:
    write(file, ROW, "tcpa,revocation,2026-12-18,America/New_York")
    rows = list(csv.DictReader(io.StringIO(run(file, "--extended"))))
    assert [row["answer_by"] for row in rows] == ["2026-04-30", "2027-01-05"]


def test_instants_are_the_first_that_are_too_late(file: Path) -> None:
    write(file, "gdpr,access,2026-02-28,Europe/Berlin", "ccpa,access,2026-01-15,America/Los_Angeles")
    rows = list(csv.DictReader(io.StringIO(run(file, "--instants"))))
    assert [(row["acknowledge_by"], row["answer_by"]) for row in rows] == [
        ("", "2026-03-31T00:00:00+02:00"),
        ("2026-01-31T00:00:00-08:00", "2026-03-02T00:00:00-08:00"),
    ]


def test_the_clients_place_may_be_named(file: Path) -> None:
    write(file, "uk_gdpr,access,2026-03-06,Europe/London")
    assert run(file).endswith(",2026-04-07,\n")
    assert run(file, "--place", "gb-sct").endswith(",2026-04-06,\n")
    assert "nobody knows the holidays of Mars" in refused(file, "--place", "Mars")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("lgpd,access,2026-01-31,Europe/Berlin", 'line 3: There is no law "lgpd" here.'),
        ("gdpr,teleport,2026-01-31,Europe/Berlin", 'line 3: There is no kind "teleport".'),
        ("tcpa,access,2026-01-31,Europe/Berlin", 'line 3: TCPA sets no date for "access".'),
        ("gdpr,access,2026-01-31,Europe/Atlantis", 'line 3: There is no time zone "Europe/Atlantis"'),
        ("gdpr,access,2026-01-31,", 'line 3: There is no time zone ""'),
        ("gdpr,access,2026-02-30,Europe/Berlin", 'line 3: "2026-02-30" is no time'),
        ("gdpr,access,,Europe/Berlin", 'line 3: "" is no time'),
        ("gdpr,access,1890-01-31,Europe/Berlin", "line 3: 1890-01-30T23:06:32+00:00 is not between"),
        ("gdpr,access,0001-01-01,Europe/Berlin", 'line 3: "0001-01-01" is out of range'),
        ("gdpr,access,2026-01-31", "line 3: has 3 cells, the header has 4."),
        ("gdpr,access,2026-01-31,Europe/Berlin,x", "line 3: has 5 cells, the header has 4."),
        ('gdpr,"access"x,2026-01-31,Europe/Berlin', "line 3: is not CSV"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_printed(file: Path, row: str, words: str) -> None:
    assert words in refused(write(file, ROW, row, ROW))


def test_every_wrong_line_is_named(file: Path) -> None:
    said = refused(write(file, "x,access,2026-01-31,UTC", ROW, "gdpr,y,2026-01-31,UTC"))
    assert [line.split(":")[0] for line in said.splitlines()] == ["line 2", "line 4"]


@pytest.mark.parametrize("header", ["law,kind,received_at", "law,law,kind,received_at,zone", "a,b,c,d", ""])
def test_columns_that_are_missing_or_there_twice_are_named(file: Path, header: str) -> None:
    said = refused(write(file, ROW, header=header))
    assert said.startswith("line 1: expected the columns law, kind, received_at, zone, each once")


def test_an_empty_file_lacks_its_columns(file: Path) -> None:
    file.touch()
    assert refused(file).startswith("line 1: expected the columns")


def test_what_is_not_utf_8_is_said(file: Path) -> None:
    file.write_bytes(f"{HEADER}\n{ROW}\n".encode() + b"gdpr,\xff,2026-01-31,UTC\n")
    assert "is not UTF-8" in refused(file)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read") as error:
        run(tmp_path / "none.csv")
    assert error.value.returncode == 2


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31T10:00:00+01:00", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31T10:00:00Z", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31 10:00", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 30, 23, tzinfo=UTC)),
        ("2026-06-30", datetime(2026, 6, 29, 22, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_by_its_offset_or_the_zones_clocks(text: str, instant: datetime) -> None:
    assert read_instant(text, ZoneInfo("Europe/Berlin")) == instant
