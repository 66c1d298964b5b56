"""`manage.py decide`: questions as lines of JSON."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from consent.decide import lines
from tests import starts

ROOT = Path(__file__).resolve().parents[2]
START = "2026-11-25T15:00:00Z"
BEFORE = "2026-11-25T14:59:50Z"
LAST_MONTH = "2026-10-20T09:00:00Z"


def question(**changes: Any) -> dict[str, Any]:
    """A call from Texas, judged by the law alone, that nothing is known of."""
    return {
        "purpose": "record",
        "at": START,
        "call": {"started_at": START, "announcement": False},
        "places": [{"country": "US", "region": "TX", "evidence": "address"}],
        "events": [],
        "posted_notice": False,
        "standard": "legal_minimum",
    } | changes


def event(**changes: Any) -> dict[str, Any]:
    """A standing consent from last month's web form."""
    return {
        "purpose": "record",
        "kind": "given",
        "basis": "consent",
        "channel": "web",
        "scope": "standing",
        "at": LAST_MONTH,
    } | changes


def place(country: str, region: str = "", evidence: str = "address") -> dict[str, str]:
    return {"country": country, "region": region, "evidence": evidence}


def run(tmp_path: Path, *rows: dict[str, Any] | str) -> list[dict[str, Any]]:
    """What the command answers to the rows."""
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    out = io.StringIO()
    call_command("decide", str(path), stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


ANNOUNCED = {"started_at": START, "announcement": True}
CASES: list[tuple[str, dict[str, Any], bool, bool]] = [
    # what is asked, the question, lawful, standard_met
    ("Texas, one party is enough", question(), True, True),
    ("Texas, the client asks for more", question(standard="express"), True, False),
    ("Texas, a standard that is not named is express", {**question(), "standard": None}, True, False),
    ("California, nothing", question(places=[place("US", "CA")]), False, True),
    (
        "California, announced",
        question(places=[place("US", "CA")], call=ANNOUNCED, standard="announce"),
        True,
        True,
    ),
    (
        "California, announced, express asked",
        question(places=[place("US", "CA")], call=ANNOUNCED, standard="express"),
        True,
        False,
    ),
    (
        "California, a sign alone",
        question(places=[place("US", "CA")], posted_notice=True, standard="announce"),
        False,
        False,
    ),
    (
        "Texas and a Californian site",
        question(places=[place("US", "TX"), place("US", "CA", "site")]),
        False,
        True,
    ),
    ("Washington, announced", question(places=[place("US", "WA")], call=ANNOUNCED), False, True),
    (
        "Washington, announced on the recording",
        question(places=[place("US", "WA")], call=ANNOUNCED | {"announced_on_recording": True}),
        True,
        True,
    ),
    ("Germany, announced", question(places=[place("DE")], call=ANNOUNCED, standard="announce"), False, True),
    ("Germany, express", question(places=[place("DE")], events=[event()], standard="express"), True, True),
    ("unknown, a sign alone", question(places=[], posted_notice=True), False, True),
    ("unknown, announced", question(places=[], call=ANNOUNCED), False, True),
    ("Texas by its area code alone", question(places=[place("US", "TX", "area_code")]), False, True),
    (
        "Texas by its area code and an address",
        question(places=[place("US", "TX", "area_code"), place("US", "TX")]),
        True,
        True,
    ),
    ("a place without a rule, announced", question(places=[place("BR")], call=ANNOUNCED), False, True),
    ("small letters", question(places=[place("us", "tx")]), True, True),
    ("withdrawn at the same instant", question(events=[event(), event(kind="withdrawn")]), False, False),
    ("withdrawn first in the file", question(events=[event(kind="withdrawn"), event()]), False, False),
    (
        "withdrawn and given again",
        question(events=[event(kind="withdrawn"), event(at=BEFORE)], standard="express"),
        True,
        True,
    ),
    (
        "consent after the call",
        question(events=[event(at="2026-11-25T16:00:00Z")], at="2026-11-26T09:00:00Z", standard="express"),
        True,
        False,
    ),
    (
        "consent after the beginning",
        question(events=[event(at="2026-11-25T15:00:01Z")], at="2026-11-26T09:00:00Z", standard="express"),
        True,
        False,
    ),
    ("consent at the beginning", question(events=[event(at=START)], standard="express"), True, True),
    (
        "consent for this call",
        question(events=[event(at=BEFORE, scope="this_call", channel="menu")], standard="express"),
        True,
        True,
    ),
    (
        "one pressed in the menu",
        question(
            at="2026-11-25T15:00:09Z",
            events=[event(at="2026-11-25T15:00:09Z", scope="this_call", channel="menu")],
            standard="express",
            places=[place("US", "CA")],
        ),
        True,
        True,
    ),
    (
        "one that is pressed after the question",
        question(
            events=[event(at="2026-11-25T15:00:09Z", scope="this_call", channel="menu")],
            standard="express",
            places=[place("US", "CA")],
        ),
        False,
        False,
    ),
    (
        "consent for yesterday's call",
        question(
            events=[event(at="2026-11-24T15:00:00Z", scope="this_call", channel="menu")], standard="express"
        ),
        True,
        False,
    ),
    (
        "refused for this call",
        question(
            events=[
                event(),
                event(kind="refused", at="2026-11-25T15:00:05Z", scope="this_call", channel="menu"),
            ]
        ),
        False,
        False,
    ),
    (
        "refused for this call, consent later",
        question(
            events=[event(at="2026-11-25T15:03:00Z"), event(kind="refused", at=BEFORE, scope="this_call")]
        ),
        False,
        False,
    ),
    (
        "withdrawn on the call",
        question(
            events=[event(), event(kind="withdrawn", at="2026-11-25T15:02:00Z")], at="2026-11-25T15:10:00Z"
        ),
        False,
        False,
    ),
    (
        "withdrawn the day after",
        question(
            events=[event(), event(kind="withdrawn", at="2026-11-26T15:00:00Z")],
            at="2026-11-27T15:00:00Z",
            standard="express",
        ),
        True,
        True,
    ),
    (
        "review after withdrawal",
        question(
            purpose="review",
            events=[
                event(purpose="review"),
                event(purpose="review", kind="withdrawn", at="2026-11-26T15:00:00Z"),
            ],
            at="2026-11-27T15:00:00Z",
        ),
        False,
        False,
    ),
    (
        "review before withdrawal",
        question(
            purpose="review",
            events=[
                event(purpose="review"),
                event(purpose="review", kind="withdrawn", at="2026-11-26T15:00:00Z"),
            ],
            at="2026-11-26T14:00:00Z",
            standard="express",
        ),
        True,
        True,
    ),
    (
        "an expired consent",
        question(events=[event(), event(kind="expired", at=BEFORE)], standard="express"),
        True,
        False,
    ),
    (
        "share, announced",
        question(
            purpose="share",
            call=ANNOUNCED,
            standard="announce",
            events=[event(purpose="share", kind="noticed", basis="notice")],
        ),
        False,
        True,
    ),
    (
        "share, agreed",
        question(purpose="share", call=None, events=[event(purpose="share")], standard="express"),
        True,
        True,
    ),
    ("contact, nothing", question(purpose="contact", call=None), False, True),
    (
        "contact, a yes on the phone",
        question(purpose="contact", call=None, events=[event(purpose="contact", channel="agent")]),
        False,
        True,
    ),
    (
        "contact, in writing",
        question(purpose="contact", call=None, events=[event(purpose="contact")], standard="express"),
        True,
        True,
    ),
    (
        "contact, STOP",
        question(
            purpose="contact",
            call=None,
            events=[
                event(purpose="contact"),
                event(purpose="contact", kind="withdrawn", channel="sms", at=BEFORE),
            ],
        ),
        False,
        False,
    ),
    ("measure, nothing", question(purpose="measure", places=[], standard="express"), True, True),
    (
        "measure, objected",
        question(purpose="measure", events=[event(purpose="measure", kind="refused")]),
        False,
        False,
    ),
    (
        "another purpose's withdrawal",
        question(events=[event(purpose="contact", kind="withdrawn")]),
        True,
        True,
    ),
    (
        "a withdrawal that names little",
        question(events=[{"purpose": "record", "kind": "withdrawn", "at": LAST_MONTH}]),
        False,
        False,
    ),
    ("as little as can be said", {"purpose": "record", "at": START}, False, False),
]


@pytest.mark.parametrize(
    ("row", "lawful", "met"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_cases(tmp_path: Path, row: dict[str, Any], lawful: bool, met: bool) -> None:
    (answer,) = run(tmp_path, row)
    assert (answer["lawful"], answer["standard_met"]) == (lawful, met)
    assert answer["allowed"] is (lawful and met)


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({"age": 13}, True),
        ({"age": 12}, False),
        ({"date_of_birth": "2013-11-25"}, True),
        ({"date_of_birth": "2013-11-26"}, False),
        ({"minor": True}, False),
        ({"age": "unknown"}, True),
        ({"age": "unknown", "unknown_age": "minor"}, False),
        ({"unknown_age": "minor"}, False),
        ({"health": True}, True),
        ({"events": [event(grade="A")]}, True),
        ({"events": [event(grade="D")]}, False),
        ({"events": [event(grade="unknown")]}, False),
        ({"events": [event(grade="D")], "claimed_reason": "Behind a login."}, True),
        ({"age": 12, "events": [event(guardian_until="2032-01-01")]}, True),
    ],
)
def test_minors_health_and_grades(tmp_path: Path, changes: dict[str, Any], allowed: bool) -> None:
    (answer,) = run(tmp_path, question(**{"events": [event()], "standard": "express"} | changes))
    assert answer["allowed"] is allowed


@pytest.mark.parametrize("health", [True, "unknown"])
def test_about_health_a_notice_never_suffices(tmp_path: Path, health: bool | str) -> None:
    told = question(call=ANNOUNCED, standard="announce")
    assert [row["allowed"] for row in run(tmp_path, told, told | {"health": health})] == [True, False]


def test_an_answer_has_seven_keys_and_explains_itself(tmp_path: Path) -> None:
    (answer,) = run(tmp_path, question(events=[event()], standard="express"))
    assert list(answer) == ["allowed", "lawful", "standard_met", "basis", "event", "rules", "reasons"]
    assert answer["basis"] == "consent"
    assert answer["event"] == event()
    assert answer["rules"] == ["us-tx-recording-consent"]
    assert (
        "Agreed on 2026-10-20 09:00:00 UTC (web form, ongoing); in force on 2026-11-25 15:00:00 UTC."
        in answer["reasons"]
    )


def test_one_line_a_question_in_order_and_empty_lines_do_not_count(tmp_path: Path) -> None:
    answers = run(tmp_path, question(), "", question(standard="express"), "   ", question())
    assert [answer["allowed"] for answer in answers] == [True, False, True]


def test_offsets_are_instants(tmp_path: Path) -> None:
    same = question(events=[event(), event(kind="withdrawn", at="2026-10-20T11:00:00+02:00")])
    assert run(tmp_path, same)[0]["allowed"] is False


@pytest.mark.parametrize("row", [{}, {"region": None}], ids=["left out", "null"])
def test_a_place_without_a_region_is_the_whole_country(row: dict[str, Any]) -> None:
    short = question(places=[{"country": "DE", "evidence": "address"} | row])
    whole = question(places=[place("DE", region="")])
    assert lines.read_question(json.dumps(short)) == lines.read_question(json.dumps(whole))


WRONG = [
    ({"purpos": "record", "at": START}, 'unknown key "purpos"'),
    (question(ended_at=START), 'unknown key "ended_at"'),
    (question(call={"started_at": START, "announced": True}), 'call: unknown key "announced"'),
    (question(places=[place("US") | {"state": "TX"}]), 'places[0]: unknown key "state"'),
    (question(events=[event(), event(strength="A")]), 'events[1]: unknown key "strength"'),
    (question(events=[event(grade="E")]), 'events[0].grade: "E" is none of A, B, C, D'),
    (question(events=[event(guardian_until="soon")]), "events[0].guardian_until:"),
    (question(age=-1), "age: expected years from 0 to 130"),
    (question(age=True), "age: expected years from 0 to 130"),
    (question(age=12, date_of_birth="2014-11-25"), "age and date_of_birth are both given"),
    (question(date_of_birth="2026-11-26"), "date_of_birth:"),
    (question(unknown_age="child"), "unknown_age:"),
    (question(health="perhaps"), "health: expected true or false"),
    (question(purpose="recording"), 'purpose: "recording" is none of measure, record,'),
    (question(purpose=None), "purpose is missing"),
    (question(standard="strict"), "standard:"),
    (question(events=[event(kind="maybe")]), "events[0].kind:"),
    (question(events=[event(channel="fax")]), "events[0].channel:"),
    (question(events=[event(scope="forever")]), "events[0].scope:"),
    (question(events=[event(basis="vibes")]), "events[0].basis:"),
    (question(events=[event(basis=None)]), "events[0].basis is missing"),
    (question(events=[event(scope=None)]), "events[0].scope is missing"),
    (question(at="2026-11-25T15:00:00"), 'at: "2026-11-25T15:00:00" has no offset'),
    (question(at="yesterday"), 'at: "yesterday" is not a time'),
    (question(at="2026-13-25T15:00:00Z"), "at: "),
    (question(at=1764082800), "at: 1764082800 is not a time"),
    (question(at="0001-01-01T00:00:00+14:00"), "is not between 1990 and 2200"),
    (question(call={"started_at": "2026-11-25"}), "call.started_at:"),
    (question(call={"announcement": True}), "call.started_at is missing"),
    (
        question(call={"started_at": START, "announcement": "yes"}),
        "call.announcement: expected true or false",
    ),
    (question(call=[]), "call: expected an object"),
    (question(posted_notice=1), "posted_notice: expected true or false"),
    (question(places={"country": "US"}), "places: expected a list"),
    (question(places=["US"]), "places[0]: expected an object"),
    (question(places=[place(1)]), "places[0].country: expected a text"),  # type: ignore[arg-type]  # facts of a table
    (question(events=[None]), "events[0]: expected an object"),
    ("not json", "is not JSON"),
    ("[]", "expected an object"),
    ('{"purpose": "record", "purpose": "share", "at": "2026-11-25T15:00:00Z"}', 'repeats "purpose"'),
    ('{"purpose": "record", "at": NaN}', "is not JSON"),
    ("[" * 100_000, "more than 32 lists or objects inside each other"),
]


@pytest.mark.parametrize(("row", "message"), WRONG)
def test_what_is_no_question_names_its_line(tmp_path: Path, row: dict[str, Any] | str, message: str) -> None:
    with pytest.raises(CommandError) as refused:
        run(tmp_path, question(), "", row)
    assert str(refused.value).startswith("line 3: ")
    assert message in str(refused.value)


def test_lines_before_the_wrong_one_are_answered(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(f"{json.dumps(question())}\nnot json\n{json.dumps(question())}\n")
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("decide", str(path), stdout=out)
    assert len(out.getvalue().splitlines()) == 1


def test_a_file_that_is_not_there_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("decide", str(tmp_path / "none"))
    (tmp_path / "odd").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="line 1: is not UTF-8"):
        call_command("decide", str(tmp_path / "odd"))


def test_a_mark_at_the_beginning_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text("\ufeff" + json.dumps(question()) + "\r\n", encoding="utf-8")
    out = io.StringIO()
    call_command("decide", str(path), stdout=out)
    assert json.loads(out.getvalue())["allowed"] is True


def test_another_pack_can_be_tried(tmp_path: Path) -> None:
    from consent.law import shipped_text

    changed = shipped_text().replace(
        "us-tx-recording-consent,US,TX,recording_consent,one_party",
        "us-tx-recording-consent,US,TX,recording_consent,all_party",
    )
    (tmp_path / "pack.csv").write_text(changed)
    (tmp_path / "q.jsonl").write_text(json.dumps(question()))
    out = io.StringIO()
    call_command("decide", str(tmp_path / "q.jsonl"), "--rules", str(tmp_path / "pack.csv"), stdout=out)
    assert json.loads(out.getvalue())["lawful"] is False
    with pytest.raises(CommandError, match="The rules cannot be used"):
        call_command("decide", str(tmp_path / "q.jsonl"), "--rules", str(tmp_path / "q.jsonl"))


@pytest.mark.thorough
def test_it_runs_without_a_database() -> None:
    """The whole command, from standard input, where no database can be reached."""
    import os

    environment = os.environ | {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}
    asked = f"{json.dumps(question())}\n{json.dumps(question() | {'mood': 'good'})}\n"
    done = starts.manage("decide", "-", environ=environment, given=asked)
    assert done.returncode == 1
    assert [json.loads(line)["allowed"] for line in done.stdout.splitlines()] == [True]
    assert 'line 2: unknown key "mood"' in done.stderr


def test_what_it_writes_it_can_read() -> None:
    """Every word of the files is read as itself."""
    read = lines.read_question(json.dumps(question(events=[event(kind="refused"), event(kind="noticed")])))
    assert [found.kind.value for found in read.events] == ["refused", "noticed"]
    assert read.standard.value == "legal_minimum"


def test_the_example_in_the_documentation_is_what_comes_out(tmp_path: Path) -> None:
    blocks = (ROOT / "docs" / "deciding.md").read_text().split("```\n")
    asked, answered = blocks[1], blocks[3]
    assert run(tmp_path, asked.strip()) == [json.loads(answered)]
