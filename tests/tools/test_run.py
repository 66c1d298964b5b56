"""The first start's choices, and what a start says; the start itself is tried by the browser's tests."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import run

LOGINS = (
    "Demo people, all with the password North-invented-7a\n"
    "  Compliance officer  olivia@northlight.example\n"
    "  Compliance officer  oscar@northlight.example\n"
)


class Manage:
    """Stands in for `manage.py`: remembers what was asked, says what there is."""

    def __init__(self, there_is: str) -> None:
        self.there_is = there_is
        self.asked: list[tuple[str, ...]] = []
        self.fails = False

    def __call__(
        self, *arguments: str, environ: dict[str, str], show: bool = True
    ) -> subprocess.CompletedProcess[str]:
        looks = "--look" in arguments
        if not looks:
            self.asked.append(arguments)
        said = self.there_is if looks else LOGINS
        return subprocess.CompletedProcess(arguments, int(self.fails and not looks), said + "\n")


@pytest.fixture
def manage(monkeypatch: pytest.MonkeyPatch) -> Manage:
    """A fresh machine, nobody at a terminal, no DEMO."""
    found = Manage("nothing")
    monkeypatch.setattr(run, "_manage", found)
    monkeypatch.delenv("DEMO", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    return found


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put somebody at a terminal who gives these answers and then ends the input."""

    def prepare(*given: str) -> None:
        left = list(given)

        def read(_question: str) -> str:
            if not left:
                raise EOFError
            return left.pop(0)

        monkeypatch.setattr("builtins.input", read)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)

    return prepare


def _mark(state: Path) -> str | None:
    file = state / "started-with"
    return file.read_text(encoding="ascii").strip() if file.exists() else None


def test_demo_1_makes_the_demo_without_asking_and_keeps_its_logins_private(
    manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO", "1")
    run._first_time(tmp_path, {})
    assert manage.asked == [("demo",)]
    assert _mark(tmp_path) == "demo"
    assert (tmp_path / "demo.txt").read_text(encoding="utf-8").startswith(LOGINS)
    assert (tmp_path / "demo.txt").stat().st_mode & 0o077 == 0


def test_without_a_terminal_it_says_how_and_asks_again_next_time(
    manage: Manage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run._first_time(tmp_path, {})
    said = capsys.readouterr().out
    assert "manage.py create_agency NAME --officer EMAIL" in said
    assert "DEMO=1 make run" in said
    assert (manage.asked, _mark(tmp_path)) == ([], None)


@pytest.mark.parametrize("given", [("1",), ("",), ("7", "1")])
def test_answer_1_makes_the_demo(
    manage: Manage, tmp_path: Path, answer: Callable[..., None], given: tuple[str, ...]
) -> None:
    answer(*given)
    run._first_time(tmp_path, {})
    assert (manage.asked, _mark(tmp_path)) == ([("demo",)], "demo")


def test_answer_2_makes_the_agency_and_a_name_is_asked_for_until_it_is_there(
    manage: Manage, tmp_path: Path, answer: Callable[..., None]
) -> None:
    answer("2", " ", "-North & Co", "ann@north.example")
    run._first_time(tmp_path, {})
    assert manage.asked == [("create_agency", "--officer", "ann@north.example", "--", "-North & Co")]
    assert _mark(tmp_path) == "agency"
    assert not (tmp_path / "demo.txt").exists()


def test_who_ends_the_input_has_chosen_nothing(
    manage: Manage, tmp_path: Path, answer: Callable[..., None]
) -> None:
    answer()
    run._first_time(tmp_path, {})
    answer("2", "Northern")
    with pytest.raises(run.RunError, match="not answered"):
        run._first_time(tmp_path, {})
    assert (manage.asked, _mark(tmp_path)) == ([], None)


def test_a_demo_that_fails_is_offered_again(
    manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO", "1")
    manage.fails = True
    with pytest.raises(run.RunError, match="Try again"):
        run._first_time(tmp_path, {})
    assert _mark(tmp_path) is None
    assert not (tmp_path / "demo.txt").exists()

    manage.fails, manage.there_is = False, "unfinished"
    run._first_time(tmp_path, {})
    assert _mark(tmp_path) == "demo"


def test_an_agency_made_by_hand_ends_the_first_start(
    manage: Manage, tmp_path: Path, answer: Callable[..., None]
) -> None:
    manage.there_is = "agency"
    answer()
    run._first_time(tmp_path, {})
    assert (manage.asked, _mark(tmp_path)) == ([], "agency")


def test_a_demo_whose_logins_are_lost_is_said_to_be_so(
    manage: Manage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manage.there_is = "demo"
    run._first_time(tmp_path, {})
    assert "manage.py demo --remove" in capsys.readouterr().out
    assert (manage.asked, _mark(tmp_path)) == ([], None)


def test_after_the_first_start_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: str, **_: object) -> None:
        raise AssertionError(arguments)

    monkeypatch.setattr(run, "_manage", refuse)
    (tmp_path / "started-with").write_text("demo\n", encoding="ascii")
    run._first_time(tmp_path, {})


def test_a_taken_port_is_named_with_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        with pytest.raises(run.RunError, match=rf"Port {port} .* taken.*PORT={port + 1000} make run"):
            run._port()
    assert run._port() == port


def test_an_empty_variable_is_as_good_as_none_and_takes_no_setting_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REDIS_URL", "DATABASE_URL", "CALLPRIVACY_STATE", "MAIL_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("CALLPRIVACY_URL", "https://calls.example")
    ours = {"REDIS_URL": "redis://here", "DATABASE_URL": "postgres://here", "CALLPRIVACY_URL": "http://here"}

    environ = run._environment(tmp_path, ours, 8000)

    assert (environ["REDIS_URL"], environ["DATABASE_URL"]) == ("redis://here", "postgres://here")
    assert environ["CALLPRIVACY_STATE"] == str(tmp_path)
    assert environ["CALLPRIVACY_URL"] == "https://calls.example", "what the environment says goes first"
    assert environ["MAIL_URL"] == ""


@pytest.mark.parametrize("raw", ["http", "0", "65536", "-1", ""])
def test_a_port_that_is_none_is_refused(raw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", raw)
    with pytest.raises(run.RunError, match="PORT"):
        run._port()


def _said(
    state: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setattr(run, "_answers", lambda _port: True)
    ready: list[bool] = []
    check = run._announcer(state, environ, 8123, 0.0, lambda: ready.append(True))
    check()
    check()
    assert ready == [True]
    return capsys.readouterr().out


def test_the_start_says_where_it_is_and_the_logins_only_while_there_is_a_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logins = tmp_path / "demo.txt"
    logins.write_text(LOGINS, encoding="utf-8")
    with_demo = _said(tmp_path, {}, monkeypatch, capsys)
    logins.unlink()
    without = _said(tmp_path, {}, monkeypatch, capsys)

    assert with_demo.count("http://127.0.0.1:8123/\n") == 1
    assert "http://127.0.0.1:8123/\n" in without
    assert all(f"{officer}@northlight.example" in with_demo for officer in ("olivia", "oscar"))
    assert "northlight" not in without


@pytest.mark.parametrize(
    ("environ", "is_said"),
    [
        ({}, True),
        ({"CALLPRIVACY_URL": "http://127.0.0.1:8123", "CALLPRIVACY_PROXY_COUNT": "0"}, True),
        ({"MAIL_URL": "smtp://mail.example:25"}, False),
        ({"CALLPRIVACY_URL": "https://calls.example"}, False),
        ({"CALLPRIVACY_PROXY_COUNT": "1"}, False),
    ],
)
def test_the_mail_page_is_named_only_where_it_answers(
    environ: dict[str, str],
    is_said: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    without = _said(tmp_path, environ, monkeypatch, capsys)
    (tmp_path / "demo.txt").write_text(LOGINS, encoding="utf-8")
    with_demo = _said(tmp_path, environ, monkeypatch, capsys)

    assert "/mail/" not in without
    assert (f"written to  {tmp_path / 'mail'}" in without) is is_said
    assert ("http://127.0.0.1:8123/mail/" in with_demo) is is_said
