"""What an operator types: verify, export, rebuild, begin an epoch."""

import json
import os
import stat
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from callprivacy.audit import services
from callprivacy.audit.models import Event
from callprivacy.audit.services import lineage, sink
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import signing
from tests import make, starts
from tests.audit.trails import seal, superuser, write
from tools import verify_bundle

pytestmark = pytest.mark.django_db(transaction=True)
TOOL = str(Path(verify_bundle.__file__))


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, settings: Settings) -> None:
    settings.CALLPRIVACY_STATE = tmp_path / "state"


@pytest.fixture
def acme() -> int:
    agency = make.agency("Acme")
    write(agency.pk, 3)
    seal(agency.pk)
    return agency.pk


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and output of verify_audit."""
    out = StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def test_a_trail_that_holds_ends_with_0(acme: int) -> None:
    make.agency("Globex")

    status, said = run()

    assert status == 0
    assert "acme: 4 events, 4 under 1 seals, 0 not sealed yet: the trail holds" in said
    assert "globex: 1 events, 0 under 0 seals, 1 not sealed yet: nothing is sealed yet" in said


def test_a_changed_event_is_named_and_ends_with_1(acme: int) -> None:
    with superuser() as line:
        line.execute("UPDATE audit_event SET action = 'call.erased' WHERE id = 2")

    status, said = run("--agency", "acme")

    assert status == 1
    assert "FOUND event 2: changed (seal 1)" in said


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("table", "change", "found"),
    [("event", "at = 'infinity'", "event"), ("seal", "signed_at = 'infinity'", "seal 1: its signature")],
)
def test_what_cannot_be_read_is_named_and_the_other_agencies_are_verified(
    acme: int, table: str, change: str, found: str
) -> None:
    globex = make.agency("Globex").pk
    for agency in (acme, globex):
        write(agency, 2)
        seal(agency)
    with superuser() as line:
        line.execute(f"UPDATE audit_{table} SET {change} WHERE agency_id = %s".encode(), [acme])

    status, said = run()

    assert status == 1
    assert f"acme: FOUND {found}" in said
    assert "globex: 3 events, 3 under 1 seals, 0 not sealed yet: the trail holds" in said
    with job_scope(agency_id=acme):
        assert not services.check_trail(agency_id=acme, by=make.JOB, at=make.NOON).holds


def test_an_agency_that_cannot_be_verified_ends_with_2_after_the_others(
    acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.agency("Globex")
    verify = services.verify_agency

    def fails_at_acme(agency_id: int, **more: Any) -> services.Verification:
        if agency_id == acme:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "what nobody thought of")
        return verify(agency_id, **more)

    monkeypatch.setattr(services, "verify_agency", fails_at_acme)
    status, said = run()

    assert status == 2
    assert "acme: could not be verified: UnicodeDecodeError" in said
    assert "globex: 1 events" in said


def test_an_event_that_cannot_be_read_is_named_before_it_is_sealed(acme: int) -> None:
    write(acme, 1)
    with superuser() as line:
        line.execute(
            "UPDATE audit_event SET at = 'infinity' WHERE id = (SELECT max(id) FROM audit_event) RETURNING id"
        )
        (event,) = line.execute("SELECT max(id) FROM audit_event").fetchone() or (0,)

    status, said = run()

    assert status == 1
    assert f"acme: FOUND event {event}: cannot be read, and stands under no seal" in said
    assert "1 not sealed yet: 1 findings" in said


def test_what_cannot_be_meant_ends_with_2(acme: int, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")

    assert run("--agency", "nobody") == (2, "There is no agency nobody.")
    assert run("--export", str(tmp_path / "bundle"))[0] == 2
    assert run("--agency", "acme", "--export", str(taken))[0] == 2
    assert run("--agency", "acme", "--rebuild-checkpoints")[0] == 2


def test_the_export_verifies_offline_and_is_private(acme: int, tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    status, _ = run("--agency", "acme", "--export", str(path))
    key = signing.public_key().hex()

    done = subprocess.run(
        [sys.executable, "-I", TOOL, str(path), "--key", key, "--checkpoint", str(sink.path_of(acme))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert status == done.returncode == 0, done.stdout + done.stderr
    assert f"key {key}" in done.stdout
    assert "1 events are not sealed yet" in done.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with job_scope(agency_id=acme):
        assert Event.objects.filter(action="trail.exported").count() == 1


def test_the_offline_tool_names_what_was_changed_in_the_file(acme: int, tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    run("--agency", "acme", "--export", str(path))
    path.write_text(path.read_text().replace('"number":2', '"number":8'))

    done = subprocess.run(
        [sys.executable, "-I", TOOL, str(path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "changed (seal 1)" in done.stdout
    assert "key not pinned" in done.stdout
    assert "no checkpoint" in done.stdout


def test_the_offline_tool_believes_only_a_pinned_key(acme: int, tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    run("--agency", "acme", "--export", str(path))

    report, _ = verify_bundle.verify(path, pins=["ab" * 32])

    assert report.findings == [
        f"seal 1: signed by key {signing.key_id(signing.public_key())}, which was not pinned"
    ]


@pytest.mark.parametrize("form", ["array", pytest.param("gzip", marks=pytest.mark.thorough)])
def test_the_offline_tool_reads_the_other_forms(acme: int, tmp_path: Path, form: str) -> None:
    import gzip

    lines = tmp_path / "trail.jsonl"
    run("--agency", "acme", "--export", str(lines))
    if form == "array":
        path = tmp_path / "trail.json"
        path.write_text(json.dumps([json.loads(line) for line in lines.read_text().splitlines()]))
    else:
        path = tmp_path / "trail.jsonl.gz"
        path.write_bytes(gzip.compress(lines.read_bytes()))

    report, _ = verify_bundle.verify(path)

    assert report.findings == []
    assert report.sealed == 4


def test_every_line_of_a_bundle_counts(acme: int, tmp_path: Path) -> None:
    """Whichever line is dropped, doubled, moved, emptied or torn, something is found."""
    path = tmp_path / "trail.jsonl"
    run("--agency", "acme", "--export", str(path))
    lines = path.read_text().splitlines()

    for number in range(len(lines)):
        changed = [
            [*lines[:number], *lines[number + 1 :]],
            [*lines[:number], lines[number], *lines[number:]],
            [*lines[:number], "{}", *lines[number + 1 :]],
            [*lines[:number], lines[number][:-2], *lines[number + 1 :]],
        ]
        if number + 1 < len(lines):
            changed.append([*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]])
        for variant in changed:
            path.write_text("\n".join(variant))
            try:
                assert verify_bundle.verify(path)[0].findings, variant
            except verify_bundle.UnreadableError:
                assert number == 0


def test_lost_checkpoints_are_made_anew(acme: int) -> None:
    kept = sink.path_of(acme).read_bytes()
    sink.path_of(acme).unlink()

    status, said = run("--agency", "acme", "--rebuild-checkpoints")

    assert status == 0
    assert "1 checkpoints written anew" in said
    assert sink.path_of(acme).read_bytes() == kept


def test_only_the_owner_begins_an_epoch(acme: int) -> None:
    with pytest.raises(CommandError, match="CALLPRIVACY_ROLE=owner"):
        call_command("start_epoch", "--why", "a test")


def test_the_owner_begins_an_epoch_and_declares_what_was_lost(acme: int, settings: Settings) -> None:
    with superuser() as line:
        line.execute("DELETE FROM audit_seal")
        line.execute("DELETE FROM audit_event WHERE action = 'call.revealed'")

    environ = os.environ | {"CALLPRIVACY_STATE": str(settings.CALLPRIVACY_STATE)}
    # An operator names no role: the command is the owner's.
    environ.pop("CALLPRIVACY_ROLE")
    done = starts.manage("start_epoch", "--why", "restored a dump", environ=environ)

    assert done.returncode == 0, done.stderr
    assert "Epoch 2 has begun; 1 seals are declared lost." in done.stdout
    assert seal(acme) == 1
    status, said = run("--agency", "acme")
    assert status == 0
    assert "note: seals 1 to 1 were lost in a declared restore" in said


@pytest.mark.parametrize("knows", ["the pulse", "a seal"])
def test_an_epoch_by_hand_does_not_open_what_was_carried(acme: int, settings: Settings, knows: str) -> None:
    table, column = ("audit_pulse", "xid") if knows == "the pulse" else ("audit_seal", "until_xid")
    lineage.note_newest()
    with superuser() as line:
        line.execute(f"UPDATE {table} SET {column} = '9000000000000'")
    environ = os.environ | {"CALLPRIVACY_STATE": str(settings.CALLPRIVACY_STATE)}
    environ.pop("CALLPRIVACY_ROLE")
    done = starts.manage("start_epoch", "--why", "carried by a dump", environ=environ)
    assert done.returncode == 0, done.stderr
    assert lineage.beat()
    assert lineage.lineage() is lineage.Lineage.CARRIED
    assert lineage.epoch_has_begun()
