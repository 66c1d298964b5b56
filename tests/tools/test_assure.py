"""What docs/asvs.csv and the rows of `make assure` name is there, and a row without a found fault does not count."""

import ast
import asyncio
import base64
import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from callprivacy.accounts.adapter import AccountAdapter
from lab.assure import (
    __main__,
    asvs,
    at_rest,
    attack,
    core,
    goals,
    load,
    observatory,
    outages,
    planting,
    proofs,
    results,
    rows,
    soak,
    suite,
    target,
    telling,
    tools,
)
from lab.assure.rows import Edit, Figure, Outcome, Row
from lab.assure.weak import weak
from tests.scale import some

ROOT = rows.ROOT
# How many requirements of level 1 and 2 each chapter of ASVS 5.0.0 has.
CHAPTERS = {1: 27, 2: 11, 3: 19, 4: 10, 5: 9, 6: 35, 7: 18, 8: 7, 9: 7, 10: 29, 11: 14, 12: 9, 13: 13, 14: 9, 15: 13,
            16: 16, 17: 7}  # fmt: skip


def test_every_requirement_of_both_levels_is_there_once() -> None:
    found = asvs.requirements()
    assert Counter(int(row[0][1:].split(".")[0]) for row in found) == CHAPTERS
    assert Counter(row[1] for row in found) == {"1": 70, "2": 183}
    assert len({row[0] for row in found}) == len(found) == 253


def test_what_the_requirements_name_is_there() -> None:
    assert asvs.faults(asvs.requirements()) == []


def test_at_least_100_requirements_name_a_test_of_their_own() -> None:
    named = [[one for one in row[4].split() if "::" in one] for row in asvs.requirements() if row[3] == "met"]
    uses = Counter(one for tests in named for one in tests)
    assert sum(any(uses[one] == 1 for one in tests) for tests in named) >= 100


def test_what_is_done_otherwise_is_told_apart_from_what_is_met() -> None:
    row = ["V1.1.1", "1", "words"]
    found = [[*row, state, "where"] for state in ("met", "met", "differs", "n/a", "operator")]
    assert asvs.summary(found) == (
        "5 requirements of level 1 and 2: 2 met, 1 not met as written and done otherwise, 1 the operator's,"
        " 1 do not apply"
    )
    for page in ("docs/assurance.md", "README.md"):
        text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
        assert asvs.summary(asvs.requirements()) in text, page


def test_a_test_that_is_gone_is_found() -> None:
    assert asvs.faults([["V1.1.1", "1", "words", "met", "rules/test_urls.py::test_that_never_was"]])
    assert asvs.faults([["V1.1.1", "1", "words", "n/a", ""]])


@pytest.mark.parametrize("where", ["", "  "])
def test_a_requirement_that_is_met_by_nothing_is_found(where: str) -> None:
    assert asvs.faults([["V1.1.1", "1", "words", "met", where]]) == [
        "V1.1.1: nothing is named by which it is met"
    ]
    assert asvs.faults([["V1.1.1", "1", "words", "operator", where]])


def test_every_named_test_is_in_one_piece_and_what_takes_minutes_comes_last() -> None:
    tests = asvs.named(asvs.requirements())
    pieces = asvs.pieces(tests)
    assert sorted(test for piece in pieces for test in piece) == tests
    assert pieces[-1][0].startswith("browser/")


def test_what_passed_is_not_run_again_for_the_same_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []
    late, bad = {"lib/test_b.py"}, {"work/test_c.py"}

    def run(piece: list[str], **_: object) -> proofs.Ran:
        asked.extend(piece)
        if late & set(piece):
            return proofs.Ran(2, late=True, failed=["did not end"])
        return proofs.Ran(1, failed=["c"]) if bad & set(piece) else proofs.Ran(0, passed=3)

    monkeypatch.setattr(asvs, "PASSED", tmp_path / "passed.json")
    monkeypatch.setattr(proofs, "run", run)
    tests = ["calls/test_a.py", "lib/test_b.py", "work/test_c.py"]
    assert asvs._run(tests, 60, "one") == (3, ["c"], 1)
    late.clear()
    asked.clear()
    assert asvs._run(tests, 60, "one") == (6, ["c"], 0)
    assert asked == tests[1:]
    asked.clear()
    assert asvs._run(tests, 60, "") == (6, ["c"], 0)
    assert asvs._run(tests, 60, "") == (6, ["c"], 0)
    assert asked == tests * 2
    assert asvs._run(tests, 1, "three") == (0, [], 3)


def _chosen() -> list[tuple[str, str]]:
    every = (*suite.ROWS, *attack.ROWS, *load.ROWS, *soak.ROWS)
    return [(row.number, node) for row in every for node in (*row.tests, *row.broken, *row.finders)]


def test_every_row_has_a_trial_and_a_planted_fault_and_names_tests_that_are_there() -> None:
    wanted = {*range(1, 20), *range(22, 27), 30}
    numbers = {int(part) for row in suite.ROWS for part in re.findall(r"\d+", row.number)}
    assert wanted - numbers == set()
    assert [one for one in _chosen() if not proofs.exists(one[1])] == []
    for row in suite.ROWS:
        assert row.tests or row.trial, row.number
        assert row.trial or row.plants or row.finders, row.number


@pytest.mark.parametrize(
    "plant",
    [plant for row in (*suite.ROWS, *attack.ROWS) for plant in row.plants],
    ids=lambda plant: plant.name,
)
def test_what_a_planted_fault_replaces_stands_there_once(plant: Edit) -> None:
    source = (ROOT / plant.file).read_text(encoding="utf-8")
    compile(planting.planted(source, plant.old, plant.new, where=plant.file), plant.file, "exec")


def test_a_module_is_read_with_the_fault_and_stays_as_it_is(tmp_path: Path) -> None:
    from callprivacy.lib import calendars

    edit = {"file": "callprivacy/lib/calendars.py", "old": "day.weekday() < 5", "new": "day.weekday() < 6"}
    spec = planting.Finder(edit).find_spec("callprivacy.lib.calendars", [str(ROOT / "callprivacy" / "lib")])
    assert spec is not None
    assert spec.loader is not None
    code = spec.loader.get_code("callprivacy.lib.calendars")  # type: ignore[attr-defined]  # a loader of source
    assert 6 in [value for one in code.co_consts if hasattr(one, "co_consts") for value in one.co_consts]
    assert "< 5" in Path(str(calendars.__file__)).read_text(encoding="utf-8")
    assert (
        planting.Finder(edit).find_spec("callprivacy.lib.phone", [str(ROOT / "callprivacy" / "lib")]) is None
    )
    with pytest.raises(planting.PlantError, match="0 times"):
        planting.planted("a = 1", "b", "c", where="there")


def test_a_row_counts_only_where_its_faults_were_found() -> None:
    row = Row("1", "promise", "how", "passes")
    assert Outcome(row, Figure("said"), 0.0, []).verdict == "NOT PROVEN"
    assert Outcome(row, Figure("said"), 0.0, [("one", True), ("two", False)]).verdict == "NOT PROVEN"
    assert Outcome(row, Figure("said"), 0.0, [("one", True)]).verdict == "kept"
    assert Outcome(row, Figure("said", ("lost",)), 0.0, [("one", True)]).verdict == "BROKEN"
    late = proofs.figure_of(proofs.Ran(2, late=True, failed=["did not end within 9 s"]))
    assert Outcome(row, late, 0.0, [("one", True)]).verdict == "NOT PROVEN"


@pytest.mark.parametrize("how", [SystemExit("The target did not start."), ValueError("no")])
def test_a_trial_that_breaks_is_a_failure_of_its_row_and_ends_nothing_else(how: BaseException) -> None:
    def breaks(_: float) -> Figure:
        raise how

    outcome = proofs.try_row(Row("23d", "", "", "", trial=breaks), seconds=1)
    assert outcome.verdict == "BROKEN"
    assert str(how) in outcome.figure.failures[0]


def test_the_rows_of_the_suite_fit_into_its_time() -> None:
    for name, found in (("assure", suite.ROWS), ("attack", attack.ROWS)):
        assert sum(row.minutes for row in found) <= __main__.MINUTES[name]


@pytest.mark.parametrize(
    ("brought", "ends", "said"),
    [
        (Figure("said"), 0, ""),
        (Figure("said", ended=False), 1, "row 6 (NOT PROVEN)"),
        (Figure("", skipped="no program for it"), 1, "row 6 (not tried: no program for it)"),
        (Figure("", ("lost",)), 1, "row 6 (BROKEN)"),
    ],
)
def test_who_asks_for_a_suite_is_told_by_the_exit_code_what_was_not_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], brought: Figure, ends: int, said: str
) -> None:
    def tried(row: Row, **_: object) -> Outcome:
        return Outcome(row, brought if row.number == "6" else Figure("said"), 0.0, [("one", True)])

    monkeypatch.setattr(proofs, "try_row", tried)
    assert __main__.main(["assure", "--no-page", "--rows", "9,6"]) == ends
    assert said in capsys.readouterr().out


def test_a_row_is_asked_for_by_what_it_is_called() -> None:
    every = {"1, 2, 4, 8", "29a, 1, 8", "2", "16, 17", "17"}
    found = {
        one: {number for number in every if __main__._is_chosen(number, {one}, every)}
        for one in ("1", "2", "8", "17", "29a")
    }
    assert found == {
        "1": {"1, 2, 4, 8"},
        "2": {"2"},
        "8": {"1, 2, 4, 8", "29a, 1, 8"},
        "17": {"17"},
        "29a": {"29a, 1, 8"},
    }


def test_rows_come_from_the_cheapest_on_and_one_without_time_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    passed, had = [0.0], {}

    def tried(row: Row, *, seconds: float) -> Outcome:
        had[row.number] = seconds / 60
        passed[0] += row.minutes * 60
        return Outcome(row, Figure("said"), 0.0, [("one", True)])

    monkeypatch.setattr(rows.Deadline, "left", property(lambda _: 6 * 60 - passed[0]))
    monkeypatch.setattr(proofs, "try_row", tried)
    dear, cheap, last = (
        Row("11", "", "", "", tests=("a",), minutes=4),
        Row("6", "", "", "", trial=lambda _: Figure(""), minutes=1),
        Row("13", "", "", "", tests=("a",), minutes=9),
    )
    monkeypatch.setattr(suite, "ROWS", (last, dear, cheap))
    assert __main__.main(["assure", "--no-page"]) == 0
    assert had == {"6": 1, "11": 4, "13": 1}
    passed[0] = 0.0
    monkeypatch.setattr(suite, "ROWS", (dear, cheap))
    assert __main__.main(["assure", "--no-page"]) == 0
    assert had == {"6": 1, "11": 5, "13": 1}
    passed[0] = 6 * 60.0
    assert __main__.main(["assure", "--no-page", "--rows", "11"]) == 1
    assert "row 11 (not tried: no time was left)" in capsys.readouterr().out


def test_a_rows_tests_and_its_faults_have_one_time_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault for which none is left was neither found nor missed: the row is not proven, and says why."""
    plant, left, given = Edit("a fault", "file", "old", "new"), [100.0], list[float]()

    def run(_: object, *, seconds: float, **other: object) -> proofs.Ran:
        given.append(seconds)
        left[0] -= 60
        late = other.get("plant") is not None and left[0] < 0
        return proofs.Ran(
            int("plant" in other), late=late, passed=1, failed=["found"] if "plant" in other else []
        )

    monkeypatch.setattr(rows.Deadline, "left", property(lambda _: max(left[0], 0.0)))
    monkeypatch.setattr(proofs, "run", run)
    outcome = proofs.try_row(Row("3", "", "", "", tests=("a",), plants=(plant, plant)), seconds=100)
    assert given == [100, 40]
    assert (outcome.verdict, outcome.caught) == ("NOT PROVEN", [])
    assert outcome.figure.said == "1 tests; no time was left for 2 planted faults"
    left[0] = 200.0
    outcome = proofs.try_row(Row("3", "", "", "", tests=("a",), plants=(plant, plant)), seconds=200)
    assert (outcome.verdict, len(outcome.caught)) == ("kept", 2)


def test_a_row_is_chosen_by_its_number_or_by_a_part_that_is_no_row_of_its_own() -> None:
    every = {"1, 2, 4", "2", "16, 17"}
    assert not __main__._is_chosen("1, 2, 4", {"2"}, every)
    assert __main__._is_chosen("2", {"2"}, every)
    assert __main__._is_chosen("1, 2, 4", {"4"}, every)
    assert __main__._is_chosen("16, 17", {"17", "2"}, every)


@pytest.mark.thorough
def test_a_process_is_waited_for_so_long_and_no_longer() -> None:
    for seconds, said in ((5.0, "said\n"), (0.5, None)):
        command = [
            sys.executable,
            "-c",
            f"print('said', flush=True); import time; time.sleep({0 if said else 9})",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert rows.output_of(process, seconds) == said
            process.kill()


def test_what_the_core_is_and_its_tests_are_there() -> None:
    for name, tests in core.CORE.items():
        assert (ROOT / name).exists(), name
        assert [one for one in tests if not proofs.exists(one)] == []


def test_a_change_of_a_line_is_one_change() -> None:
    source = "def f(a, b):\n    if a < b and a:\n        return a + 1\n    return None\n"
    changed = [text for _, text in core.changes(source)]
    assert len(changed) == len(set(changed)) == 6
    assert "def f(a, b):\n    if a <= b and a:\n        return a + 1\n    return None" in changed


@pytest.mark.parametrize(
    ("ends", "was"), [(0, False), (1, True), (2, True), (3, None), (4, None), (5, None), (None, None)]
)
def test_a_change_counts_as_noticed_where_tests_fail_and_not_where_they_cannot_be_asked(
    monkeypatch: pytest.MonkeyPatch, ends: int | None, was: bool | None
) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        if ends is None:
            raise subprocess.TimeoutExpired(command, 1)
        return subprocess.CompletedProcess(command, ends)

    monkeypatch.setattr(subprocess, "run", run)
    assert core._is_noticed(ROOT / "callprivacy/audit/merkle.py", "", ()) is was


@pytest.fixture
def core_alone(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The row of changes with nothing started: its tests pass unchanged, and enough changes were noticed."""
    monkeypatch.setattr(core, "_ground_stays", contextlib.nullcontext)
    monkeypatch.setattr(core, "_noticed_by_nothing", lambda: False)
    monkeypatch.setattr(core, "_fails_unchanged", lambda: True)
    monkeypatch.setattr(core, "unchanged", lambda: ([], []))
    monkeypatch.setattr(core, "_changes", lambda _: (60, 60, [], 2, 900))
    return monkeypatch


def test_a_sample_of_changes_that_is_too_small_proves_nothing(core_alone: pytest.MonkeyPatch) -> None:
    for tried, ended in ((core.SAMPLE_AT_LEAST - 1, False), (core.SAMPLE_AT_LEAST, True)):
        core_alone.setattr(core, "_changes", lambda _, tried=tried: (tried, tried, [], 2, 900))
        figure = core.noticed(60)
        assert (figure.ended, figure.failures) == (ended, ())
        assert f"with seed {core.SEED}" in figure.said
        assert "2 more were not counted" in figure.said
        assert (
            f"with nothing changed the tests of {len(core.CORE)} of {len(core.CORE)} parts pass"
            in figure.said
        )


def test_tests_that_fail_with_nothing_changed_notice_nothing(core_alone: pytest.MonkeyPatch) -> None:
    core_alone.setattr(core, "unchanged", lambda: (["consent/decide"], []))
    figure = core.noticed(60)
    assert figure.failures == ("with nothing changed tests fail: consent/decide",)
    core_alone.setattr(core, "unchanged", lambda: ([], ["consent/decide"]))
    figure = core.noticed(60)
    assert (figure.ended, figure.failures) == (False, ())
    assert "those of consent/decide could not be asked or took too long" in figure.said


def test_each_part_of_the_core_is_asked_once_with_nothing_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[tuple[str, ...], str] = {}

    def is_noticed(file: Path, source: str, tests: tuple[str, ...]) -> bool | None:
        assert ast.dump(ast.parse(source)) == ast.dump(ast.parse(file.read_text(encoding="utf-8")))
        asked[tests] = str(file.relative_to(ROOT))
        return {"rights/deadlines/engine.py": True, "callprivacy/audit/merkle.py": None}.get(
            asked[tests], False
        )

    monkeypatch.setattr(core, "_is_noticed", is_noticed)
    assert core.unchanged() == (["rights/deadlines/engine.py"], ["callprivacy/audit/merkle.py"])
    assert len(asked) == len(core.CORE)
    assert all(asked[tests].startswith(name) for name, tests in core.CORE.items())


def test_a_test_that_always_fails_is_told_by_the_control(monkeypatch: pytest.MonkeyPatch) -> None:
    """A control that lets each part pass does not find the test that is planted for it."""
    monkeypatch.setattr(core, "_is_noticed", lambda *_: False)
    rows.STATE.mkdir(parents=True, exist_ok=True)
    assert not core._fails_unchanged()


def test_memory_that_grows_is_told_from_memory_that_does_not() -> None:
    steady = [(float(second), 1e8 + second % 3) for second in range(0, 600, 10)]
    assert not soak.grows(steady)
    assert soak.grows([(second, size + second * 1e4) for second, size in steady])
    assert [soak.warm_up(60 * minutes) / 60 for minutes in (2, 25, 60, 480)] == [1, 10, 12, 96]


def test_a_scanner_has_the_cookie_that_guards_forms_signed_in_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attack, "_token", lambda _: "secret")
    at = target.Target("", "", "", {"alice": "session=a"}, {}, ROOT, 1)
    assert attack._browser_of(at, "alice") == "session=a; csrf=secret"
    assert attack._browser_of(at, "anonymous") == "csrf=secret"


def test_the_door_is_held_against_the_goals_own_line() -> None:
    noisy = [300.0, 420.0] * 8
    said, missed, is_shown = attack.at_the_door([400.0] * 16, [403.0] * 16)
    assert (missed, is_shown) == ([], True)
    assert "3.0 ms apart; the goal's line is 5 ms" in said
    assert "missed" not in said
    said, missed, is_shown = attack.at_the_door(noisy, [one + 33 for one in noisy])
    assert (missed, is_shown) == ([], False)
    assert "missed by 28.0 ms" in said
    assert "120.0 ms apart" in said
    assert attack.at_the_door([400.0] * 16, [406.0] * 16)[1:] == (
        ["the door: 6.0 ms apart, by chance 0.0 ms"],
        False,
    )


@contextlib.contextmanager
def _standing_in(
    status: int = 200, words: str = attack.REFUSAL, *, longer: float = 0.0, cookie: str = "csrf=secret"
) -> Iterator[str]:
    """The address of a door that answers each guess so, and one for a name that there is so much later."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Set-Cookie", f"{cookie}; Path=/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            given = self.rfile.read(int(self.headers["Content-Length"]))
            if b"nobody" not in given:
                time.sleep(longer)
            is_guarded = b"csrfmiddlewaretoken=secret" in given and self.headers["Cookie"] == "csrf=secret"
            self.send_response(status if is_guarded else 403)
            self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.thorough
def test_a_door_that_takes_longer_for_names_that_there_are_is_found() -> None:
    names = [f"guessed-{number}@acme.example" for number in range(8)]
    for longer, breaks in ((0.0, False), (0.03, True)):
        with _standing_in(longer=longer) as door:
            known, unknown = attack._door(door, names)
            assert len(known) == len(unknown) == 4 * len(names)
            assert bool(attack.at_the_door(known, unknown)[1]) is breaks
            assert attack._is_refused(door)


@pytest.mark.parametrize(
    ("status", "words"),
    some([(403, attack.REFUSAL), (500, "error"), (302, ""), (200, "Wait 1 second.")], one_in=4),
)
def test_a_guess_that_is_not_refused_for_its_password_ends_the_trial(status: int, words: str) -> None:
    with (
        _standing_in(status, words) as door,
        pytest.raises(attack.NothingTriedError, match=f"answered {status}, not 200"),
    ):
        attack._door(door, ["guessed-1@acme.example"])


@pytest.mark.thorough
def test_a_door_without_what_guards_its_forms_ends_the_trial() -> None:
    with weak() as url, pytest.raises(attack.NothingTriedError, match="answered 404"):
        attack._token(url)
    with _standing_in(cookie="lang=en") as door, pytest.raises(attack.NothingTriedError, match="no cookie"):
        attack._token(door)


def test_a_page_that_is_there_for_a_stranger_ends_the_trial() -> None:
    with weak() as url:
        assert attack.timed(f"{url}/nothing-here", "", status=404) > 0
        with pytest.raises(attack.NothingTriedError, match="answered 200, not 404"):
            attack.timed(f"{url}/?q=a", "", status=404)


def test_the_refusal_is_what_the_door_says() -> None:
    assert AccountAdapter.error_messages["email_password_mismatch"] == attack.REFUSAL


def test_the_door_with_the_fault_is_late_for_who_is_there_and_for_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late: list[float] = []
    monkeypatch.setattr(time, "sleep", late.append)
    hasher = telling.TellingHasher()
    encoded = hasher.encode("Right-Horse-7-Battery", "salt")
    assert late == []
    assert not hasher.verify("Wrong-Horse-7-Battery", encoded)
    assert late == [telling.LONGER]
    assert telling.LONGER * 1000 > attack.APART_AT_MOST


def test_dawdlers_that_were_not_there_try_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    well = load.Answered(
        dict.fromkeys(range(load.HEALTH_ASKED), 200), dict.fromkeys(range(load.HEALTH_ASKED), 9.0)
    )
    late = load.Answered(well.status, well.took | {0: load.HEALTH_WITHIN + 1})
    assert load.of_dawdlers(well, load.DAWDLERS) == []
    assert load.of_dawdlers(well, load.DAWDLERS - 1) == ["399 of 400 connections were there to dawdle"]
    assert len(load.of_dawdlers(late, load.DAWDLERS)) == 1
    assert len(load.of_dawdlers(late, 0)) == 2
    monkeypatch.setattr(load, "DAWDLERS", 6)
    monkeypatch.setattr(load, "HEALTH_ASKED", 1)
    assert asyncio.run(load._held_by_nobody()) == 0
    with weak() as url:
        answered, held = asyncio.run(load._dawdle(int(url.rpartition(":")[2]), of=1))
    assert (held, len(answered.status)) == (6, 1)


def test_without_nginx_dawdlers_are_not_tried_and_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: str) -> str:
        raise tools.NotHereError("There is no nginx.")

    started: list[str] = []

    def own(name: str, _: float) -> Figure:
        started.append(name)
        return Figure("said")

    monkeypatch.setattr(load, "own", own)
    monkeypatch.setattr(tools, "of_debian", none)
    (row,) = [one for one in load.ROWS if one.number == "8"]
    outcome = proofs.try_row(row, seconds=60)
    assert (outcome.verdict, outcome.figure.skipped, started) == ("not tried", "There is no nginx.", [])
    monkeypatch.setattr(tools, "of_debian", lambda _: "/usr/sbin/nginx")
    assert proofs.try_row(row, seconds=60).figure.said == "said"
    assert started == ["webhooks"]


_NUMBER, _NAME = "+12125550147", "Zq0123456789 Wxabcdef0123"


@pytest.mark.parametrize(
    ("written", "what"),
    some(
        [
            (_NUMBER.encode(), "number"),
            (b"(212) 555-0147", "number"),
            (_NAME.encode("utf-16"), "name"),
            (base64.b64encode(_NUMBER.encode()), "number"),
            (_NUMBER.encode().hex().encode(), "number"),
            (_NUMBER[1:].encode().hex().encode(), "number"),
            (_NUMBER[2:].encode().hex().upper().encode(), "number"),
            (b"(212) 555-0147".hex().encode(), "number"),
            (b"7" + _NUMBER.encode().hex().encode(), "number"),
            (_NAME.encode().hex().encode(), "name"),
            (f"for {_NAME}, who asks".encode().hex().encode(), "name"),
            (_NAME.encode("utf-16-le").hex().encode(), "name"),
        ],
        one_in=4,
    ),
)
def test_what_people_said_is_found_in_bytes_of_any_length(written: bytes, what: str) -> None:
    others = b"+12125550148 Zq0123456789 Wxabcdef0124 " + b"+12125550148".hex().encode()
    blob = bytes(10**6) + others + bytes(9) + written + bytes(9)
    assert at_rest.shown(blob, {b"2125550147"}, {_NAME.lower().encode()}) == {what}
    assert at_rest.shown(blob, {b"2125550149"}, {b"zq0123456789 wxabcdef0125"}) == set()


def test_a_file_that_is_gone_shows_nothing_and_one_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert at_rest._searched(None, tmp_path / "gone", set(), set()) == set()
    assert at_rest._searched(None, tmp_path, set(), set()) == {"it cannot be read (IsADirectoryError)"}


def test_a_mail_that_was_not_sent_is_missed(tmp_path: Path) -> None:
    link = f"https://calls.example/accounts/password/reset/key/{'a1' * 40}/"
    body = EmailMessage(policy=SMTP)
    body["Subject"] = "A new password"
    body.set_content(f"Choose one, \u00e9: {link}\n", cte="quoted-printable")
    expected = {"a link": link.encode(), "news": b"Subject: CallPrivacy: something waits for you"}
    assert at_rest.unsent(tmp_path, expected) == ["a link", "news"]
    assert at_rest.unsent(tmp_path / "no folder", expected) == ["a link", "news"]
    (tmp_path / "one.log").write_bytes(body.as_bytes())
    assert link.encode() not in body.as_bytes()
    assert at_rest.unsent(tmp_path, expected) == ["news"]
    (tmp_path / "two.log").write_bytes(b"Subject: CallPrivacy: something waits for you\n\nLook.\n")
    assert at_rest.unsent(tmp_path, expected) == []


@pytest.mark.thorough
def test_the_weak_page_is_no_page_for_every_address() -> None:
    """A scanner looks away from a site that answers every address alike, and finds nothing on it."""
    with weak() as url:
        with urllib.request.urlopen(f"{url}/?q=a") as answer:  # noqa: S310  (ours)
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/nothing-here")  # noqa: S310  (ours)


def test_statements_that_were_read_are_there() -> None:
    for name, functions in attack.READ.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        assert [one for one in functions if f"def {one}(" not in text] == [], name


def test_what_no_failure_proves_is_the_rule_of_three() -> None:
    assert rows.what_none_proves(200) == "0 of 200: fewer than 1 in 67"
    assert rows.what_none_proves(0) == "no rate: the same tries each time, and only those"


def _result(row: str, verdict: str = "kept", **other: object) -> results.Result:
    """Of a trial of `make assure`."""
    figure = Figure("said", trials=60, failures=("lost",) if verdict == "BROKEN" else ())
    one = Outcome(Row(row, "promise", "how", "passes"), figure, 3.0, [("one", verdict == "kept")])
    return results.result_of("assure", "make assure", one) | {"verdict": verdict} | other


def test_a_run_replaces_its_rows_and_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    results.keep([_result("3", figure="first"), _result("16, 17", figure="other")], file)
    results.keep([_result("3", figure="second"), _result("16, 17", "not tried", figure="no time")], file)
    assert [one["figure"] for one in results.read(file)] == ["second", "other"]


def test_the_page_has_every_goal_and_keeps_its_words(tmp_path: Path) -> None:
    page = tmp_path / "assurance.md"
    page.write_text(
        f"# Assurance\n\nBefore.\n{results.BEGIN}\nEARLIER\n{results.END}\nAfter.\n", encoding="utf-8"
    )
    results.write_page([_result("1, 2, 4, 8"), _result("5", "BROKEN")], page)
    text = page.read_text(encoding="utf-8")
    assert "Before." in text
    assert "After." in text
    assert "EARLIER" not in text
    assert [goal.number for goal in goals.GOALS] == list(range(1, 31))
    for goal in goals.GOALS:
        assert f"### {goal.number}. {goal.promise}" in text
    assert "fewer than 1 in 21" in text
    assert "- lost" in text
    assert f"| 4 | {goals.GOALS[3].promise} | kept in part | `make assure` |" in text
    assert f"| 5 | {goals.GOALS[4].promise} | BROKEN | `make assure` |" in text
    assert f"| 6 | {goals.GOALS[5].promise} | not tried |  |" in text
    assert "did not run" in text


def test_a_goal_is_kept_only_where_every_trial_of_it_ran_and_at_full_size_only_where_nothing_is_left_out() -> (
    None
):
    full, small = (next(goal for goal in goals.GOALS if bool(goal.left) is left) for left in (False, True))
    kept, missing = [{"verdict": "kept"}], [{"verdict": "kept"}, {"verdict": "not tried"}]
    assert results.verdict_of(full, kept) == "kept"
    assert results.verdict_of(small, kept) == "kept in its small form"
    assert results.verdict_of(full, missing) == "kept in part"
    assert results.verdict_of(full, [*missing, {"verdict": "NOT PROVEN"}]) == "NOT PROVEN"
    assert results.verdict_of(full, [{"verdict": "BROKEN"}, *kept]) == "BROKEN"
    assert results.verdict_of(full, []) == "not tried"


def test_the_page_is_made_of_the_results() -> None:
    text = rows.PAGE.read_text(encoding="utf-8")
    assert results.written(results.read()) in text, "python -m lab.assure page makes it again"


def test_the_readmes_table_is_made_of_the_results() -> None:
    readme = results.README.read_text(encoding="utf-8")
    assert results.in_short(results.read()) in readme, "python -m lab.assure page makes it again"
    assert set(results.TRIES) == set(results.MODULES)


def test_the_readmes_table_says_what_failed_and_what_did_not_run() -> None:
    found = [_result("5"), _result("6", "BROKEN"), _result("3", trials=0)]
    (line,) = [one for one in results.in_short(found).splitlines() if one.startswith("| `make assure`")]
    of = sum(suite == "assure" for suite, _ in results.expected())
    assert f"| 2 of {of} trials kept, 1 BROKEN, {of - 3} not tried;" in line
    assert "; 1 failures in 120 tries; 2 of 3 planted faults found |" in line
    assert "| 0 of 1 trials kept, 1 not tried |" in results.in_short([])


def test_a_trial_of_two_commands_is_kept_once() -> None:
    numbers = [(suite, row.number) for suite, row in results.expected()]
    assert ("assure", "13") in numbers
    assert ("attack", "13") not in numbers


def test_every_row_belongs_to_a_goal() -> None:
    numbers = {goal.number for goal in goals.GOALS}
    every = [row for _, row in results.expected()]
    assert [row.number for row in every if not set(goals.goals_of(row.number)) <= numbers] == []


@pytest.fixture
def line(tmp_path: Path) -> Iterator[outages.Line]:
    """To a server that says everything again."""
    path = tmp_path / "server"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    end, _ = server.accept()
                    threading.Thread(target=_again, args=(end,), daemon=True).start()

        taking = threading.Thread(target=serve, daemon=True)
        taking.start()
        made = outages.Line(path)
        made.begin()
        yield made
        server.shutdown(socket.SHUT_RDWR)
        taking.join(5)


def _again(end: socket.socket) -> None:
    with end, contextlib.suppress(OSError):
        while said := end.recv(4096):
            end.sendall(said)


def _call(line: outages.Line) -> socket.socket:
    return socket.create_connection(("127.0.0.1", line.port), timeout=5)


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_line_carries_cuts_in_the_middle_and_refuses(line: outages.Line) -> None:
    with _call(line) as end:
        end.sendall(b"hello")
        assert end.recv(5) == b"hello"

        cutting = threading.Thread(target=line.cut_within, args=(3,), kwargs={"seconds": 5})
        cutting.start()
        time.sleep(0.1)
        end.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            end.recv(5)
        cutting.join()
        assert line.cut == 1

    refusing = threading.Thread(target=line.refuse, args=(2,))
    refusing.start()
    _until(lambda: line._refuses)
    with pytest.raises(ConnectionResetError), _call(line) as end:
        end.recv(1)
    refusing.join()
    with _call(line) as end:
        end.sendall(b"back")
        assert end.recv(4) == b"back"


def test_a_line_holds_back_what_it_is_told_to(line: outages.Line) -> None:
    silent = threading.Thread(target=line.silence, args=(1,))
    began = time.monotonic()
    silent.start()
    _until(lambda: line._flows is not None and not line._flows.is_set())
    with _call(line) as end:
        end.sendall(b"hello")
        assert end.recv(5) == b"hello"
    assert time.monotonic() - began >= 1
    assert line.held
    silent.join()


def test_an_address_by_a_line_keeps_who_asks_and_for_what(tmp_path: Path) -> None:
    line, address = outages.between(
        tmp_path / "s", "postgresql://app:se%2Fcret@/callprivacy?host=%2Frun&port=5432"
    )
    assert address == f"postgresql://app:se%2Fcret@127.0.0.1:{line.port}/callprivacy"
    line, address = outages.between(tmp_path / "s", "unix://:secret@/run/valkey.sock?db=2")
    assert address == f"redis://:secret@127.0.0.1:{line.port}/2"


def test_answers_are_weakened_in_what_the_grade_is_for() -> None:
    page = {"name": "home", "headers": [["content-security-policy", "default-src 'none'"],
                                        ["strict-transport-security", "max-age=1"]], "cookies": []}  # fmt: skip
    weak = {one["name"]: one for one in observatory._weakened(page)}
    assert weak["a page without a policy"]["headers"] == [["strict-transport-security", "max-age=1"]]
    assert "'unsafe-inline'" in str(weak["a policy that lets scripts in the page run"]["headers"])
    assert "strict" not in str(weak["no strict transport"]["headers"])
