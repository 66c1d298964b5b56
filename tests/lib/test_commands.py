"""What an operator reads where a database does not let a command do its deed."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from callprivacy.lib import commands
from tests import starts
from tools import migrating, release

NOBODY = "postgresql://app:word@127.0.0.1:1/nothing"


def refuse(state: str) -> None:
    """Have PostgreSQL refuse a statement by an SQLSTATE."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END $$")


class Command(commands.OwnCommand):
    """A deed that PostgreSQL refuses by the given SQLSTATE."""

    stealth_options = ("state",)

    def handle(self, *_: Any, **options: Any) -> None:
        refuse(options["state"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("55P03", "Something else holds a table"),
        ("57014", "took longer"),
        ("53100", "disk is full"),
        ("42501", "role may not do this"),
        ("42P01", "make release"),
        ("57P03", "A database does not answer: refused."),
    ],
)
def test_what_an_operator_can_mend_is_a_sentence_and_exit_status_2(state: str, words: str) -> None:
    with pytest.raises(CommandError, match=words) as met:
        call_command(Command(), state=state)
    assert met.value.returncode == 2


@pytest.mark.django_db
def test_a_fault_of_ours_keeps_its_trace() -> None:
    with pytest.raises(DatabaseError) as met:
        call_command(Command(), state="23505")
    assert commands.trouble(met.value) == "A database refused: refused."


def test_a_trail_whose_database_is_away_is_not_one_that_does_not_hold() -> None:
    done = starts.manage("verify_audit", environ=os.environ | {"DATABASE_URL": NOBODY})
    assert done.returncode == 2, done.stderr
    assert "A database does not answer" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.django_db
def test_a_release_that_meets_a_held_table_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def waits(**_: Any) -> None:
        refuse("55P03")

    monkeypatch.setattr("sys.argv", ["release", "--here"])
    monkeypatch.setenv("CALLPRIVACY_ROLE", "owner")
    monkeypatch.setattr("django.core.management.call_command", lambda *_, **__: None)
    monkeypatch.setattr(migrating, "both", waits)
    assert release.main() == 1
    said = capsys.readouterr().err
    assert "is not released. Something else holds a table that this needs: run it again." in said
    assert "does not answer" not in said


@pytest.mark.parametrize(
    ("command", "given", "answer"),
    [
        (["classify_replies", "-"], "text\nSTOP\n", "STOP,withdraw"),
        (
            ["deadlines", "-"],
            "law,kind,received_at,zone\ngdpr,access,2023-03-05T12:00:00Z,Europe/Berlin\n",
            "2023-04-05",
        ),
        (["decide", "-"], "", ""),
        (["anonymise", "--help"], "", "usage"),
        (["import_calls", "--help"], "", "usage"),
        (["backup", "--help"], "", "usage"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_that_reads_files_alone_and_help_need_no_setting(
    tmp_path: Path, command: list[str], given: str, answer: str
) -> None:
    environ = {"PATH": os.defpath, "CALLPRIVACY_STATE": str(tmp_path)}
    done = starts.manage(*command, environ=environ, given=given)
    assert (done.returncode, done.stderr) == (0, "")
    assert answer in done.stdout


def test_every_other_command_names_the_setting_that_is_missing(tmp_path: Path) -> None:
    done = starts.manage("check", environ={"PATH": os.defpath, "CALLPRIVACY_STATE": str(tmp_path)})
    assert done.returncode == 2
    assert "CALLPRIVACY_URL is not set" in done.stderr
