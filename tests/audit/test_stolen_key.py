"""
An earlier key that has an end: what it signed under that date or a later one is a finding, but for seals from which one
by another key goes on.
"""

import itertools
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import LiteralString

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pytest_django import Settings

from callprivacy.audit import leaves
from callprivacy.audit.models import Epoch
from callprivacy.audit.services import sealing, sink
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import signing
from tests import make
from tests.audit.trails import export, seal, superuser, verify, write
from tests.make import NOON
from tests.samples import moved
from tools import verify_bundle

pytestmark = pytest.mark.django_db(transaction=True)


def sealed(settings: Settings, tmp_path: Path) -> int:
    """An agency with five seals, a minute between, by a key that is an earlier one afterwards."""
    settings.CALLPRIVACY_STATE = tmp_path / "state"
    agency = make.agency("Acme")
    for minute in range(5):
        write(agency.pk, 2)
        seal(agency.pk, at=NOON + timedelta(minutes=minute))
    return agency.pk


def rotate(settings: Settings, end: datetime | None) -> str:
    """Sign with a new key, and name the earlier one; returns how."""
    old = signing.public_key().hex() + (f"@{end.isoformat()}" if end else "")
    settings.CALLPRIVACY_SIGNING_KEY = Ed25519PrivateKey.generate().private_bytes_raw()
    settings.CALLPRIVACY_EARLIER_PUBLIC_KEYS = [old]
    return old


def offline(agency_id: int, tmp_path: Path, *pins: str, checkpoint: bool = True) -> list[str]:
    path = tmp_path / "bundle.jsonl"
    path.write_bytes(export(agency_id))
    kept = sink.path_of(agency_id) if checkpoint else None
    return verify_bundle.verify(path, pins=pins, checkpoint=kept)[0].findings


@pytest.mark.parametrize("end", [None, NOON + timedelta(minutes=4, seconds=1)], ids=["none", "behind"])
def test_what_a_key_signed_before_its_end_holds(
    settings: Settings, tmp_path: Path, end: datetime | None
) -> None:
    agency_id = sealed(settings, tmp_path)
    old = rotate(settings, end)
    write(agency_id)
    seal(agency_id, at=NOON + timedelta(hours=1))
    assert verify(agency_id).findings == []
    assert offline(agency_id, tmp_path, old, signing.public_key().hex()) == []
    assert offline(agency_id, tmp_path) == []


def test_a_tail_that_it_signed_at_its_end_or_later_is_named_in_seals_and_checkpoints(
    settings: Settings, tmp_path: Path
) -> None:
    agency_id = sealed(settings, tmp_path)
    plain = signing.public_key().hex()
    old = rotate(settings, NOON + timedelta(minutes=3))

    found = verify(agency_id).findings
    assert [one.seal for one in found if one.kind == "late"] == [4, 5]
    assert all("had come to its end" in one.text for one in found if one.kind == "late")
    kept = [one.text for one in found if one.kind == "checkpoints"]
    assert [text.split(":")[0] for text in kept] == ["checkpoint line 4", "checkpoint line 5", "seals 4 to 5"]

    for pins in ([old], []):  # the bundle itself brings the end
        lines = [text for text in offline(agency_id, tmp_path, *pins) if "had come to its end" in text]
        assert [text.split(":")[0] for text in lines] == [
            "seal 4", "seal 5", "checkpoint line 4", "checkpoint line 5",
        ]  # fmt: skip
    digest = verify_bundle.PublicKey(bytes.fromhex(plain)).fingerprint
    assert len(offline(agency_id, tmp_path, f"{digest}@2026-01-01T00:00:00+02:00", checkpoint=False)) == 5


def test_from_what_it_sealed_until_the_change_of_key_the_trail_goes_on(
    settings: Settings, tmp_path: Path
) -> None:
    agency_id = sealed(settings, tmp_path)
    old = rotate(settings, NOON + timedelta(minutes=3))
    write(agency_id)
    seal(agency_id, at=NOON + timedelta(minutes=5))

    found = verify(agency_id)
    assert (found.holds, found.findings) == (True, [])
    (note,) = found.notes
    assert note.startswith(moved("seals 4 to 5: signed from 2026-11-24 12:03 to 2026-11-24 12:04, when key "))
    assert note.endswith("goes on from them")
    for pins in ([old, signing.public_key().hex()], []):
        path = tmp_path / "bundle.jsonl"
        path.write_bytes(export(agency_id))
        kept = sink.path_of(agency_id)
        report = verify_bundle.verify(path, pins=pins, checkpoint=kept)[0]
        assert report.findings == []
        assert [text.split(":")[0] for text in report.notes] == ["seals 4 to 5"]


def test_a_seal_under_an_earlier_date_by_the_same_key_takes_nothing_over(
    settings: Settings, tmp_path: Path
) -> None:
    agency_id = sealed(settings, tmp_path)
    write(agency_id)
    seal(agency_id, at=NOON)
    old = rotate(settings, NOON + timedelta(minutes=3))
    assert [one.seal for one in verify(agency_id).findings if one.kind == "late"] == [4, 5]
    lines = [text for text in offline(agency_id, tmp_path, old) if "had come to its end" in text]
    assert len(lines) == 4
    write(agency_id)
    seal(agency_id, at=NOON + timedelta(minutes=5))
    assert verify(agency_id).holds
    assert offline(agency_id, tmp_path) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_seal SET signature = set_byte(signature, 0, get_byte(signature, 0) # 1) WHERE number = 6",
        "UPDATE audit_seal SET previous = decode(repeat('00', 32), 'hex') WHERE number = 6",
        "DELETE FROM audit_seal WHERE number = 5",
        "DELETE FROM audit_event WHERE id = (SELECT first_event FROM audit_seal WHERE number = 6)",
    ],
    ids=["unsigned", "elsewhere", "gap", "other events"],
)
def test_nothing_is_taken_over_by_a_seal_that_does_not_hold(
    settings: Settings, tmp_path: Path, change: LiteralString
) -> None:
    agency_id = sealed(settings, tmp_path)
    rotate(settings, NOON + timedelta(minutes=3))
    write(agency_id)
    seal(agency_id, at=NOON + timedelta(minutes=5))
    assert verify(agency_id).holds
    with superuser() as line:
        line.execute(change)
    assert 4 in [one.seal for one in verify(agency_id).findings if one.kind == "late"]
    assert [text for text in offline(agency_id, tmp_path) if text.startswith("seal 4: signed under")]


def test_a_seal_of_then_that_is_not_whole_stays_a_finding(settings: Settings, tmp_path: Path) -> None:
    agency_id = sealed(settings, tmp_path)
    rotate(settings, NOON + timedelta(minutes=3))
    write(agency_id)
    seal(agency_id, at=NOON + timedelta(minutes=5))
    with superuser() as line:
        line.execute(
            "UPDATE audit_event SET action = 'x.y' WHERE id = (SELECT first_event FROM audit_seal WHERE number = 4)"
        )
    assert [(one.kind, one.seal) for one in verify(agency_id).findings] == [("late", 4), ("changed", 4)]
    assert [text.split(":")[0] for text in offline(agency_id, tmp_path) if "come to its end" in text] == [
        "seal 4"
    ]


def test_what_a_crash_and_a_restore_leave_of_then_is_made_good(settings: Settings, tmp_path: Path) -> None:
    agency_id = sealed(settings, tmp_path)
    rotate(settings, NOON + timedelta(minutes=3))
    with superuser() as line:
        line.execute("DELETE FROM audit_seal WHERE number = 5")
    write(agency_id)
    seal(agency_id, at=NOON + timedelta(minutes=5))
    assert verify(agency_id).holds
    assert offline(agency_id, tmp_path) == []


def test_a_restore_under_the_new_key_is_declared_of_seals_of_then(settings: Settings, tmp_path: Path) -> None:
    agency_id = sealed(settings, tmp_path)
    rotate(settings, NOON + timedelta(minutes=3))
    with superuser() as line:
        line.execute("DELETE FROM audit_seal WHERE number = 5")
    with job_scope(agency_id=agency_id):
        epoch = Epoch(number=2, started_at=NOON + timedelta(hours=1))
        assert sealing.declare_restore(agency_id=agency_id, epoch=epoch) == 1
    write(agency_id)
    seal(agency_id, at=NOON + timedelta(hours=2))
    assert verify(agency_id).findings == []
    assert offline(agency_id, tmp_path) == []


def test_a_restore_loses_seals_of_then_as_any_others(settings: Settings, tmp_path: Path) -> None:
    agency_id = sealed(settings, tmp_path)
    rotate(settings, NOON + timedelta(minutes=3))
    sink.append_epoch(
        agency_id=agency_id, epoch=2, after=4, started_at=leaves.instant(NOON + timedelta(hours=1))
    )
    known = sink.read(agency_id)
    assert (sorted(known.lost), sorted(known.late), known.damaged) == ([5], [4], [4])
    with superuser() as line:
        line.execute("DELETE FROM audit_seal WHERE number = 5")
    write(agency_id)
    seal(agency_id, at=NOON + timedelta(hours=2))
    found = verify(agency_id)
    assert found.findings == []
    assert len(found.notes) == 2
    assert offline(agency_id, tmp_path) == []


def test_a_restore_that_it_declares_later_forgets_nothing(settings: Settings, tmp_path: Path) -> None:
    agency_id = sealed(settings, tmp_path)
    at = NOON + timedelta(hours=1)
    sink.append_epoch(agency_id=agency_id, epoch=2, after=2, started_at=leaves.instant(at))
    assert sorted(sink.read(agency_id).lost) == [3, 4, 5]
    old = rotate(settings, at)
    known = sink.read(agency_id)
    assert (sorted(known.seals), known.lost, known.damaged) == ([1, 2, 3, 4, 5], {}, [6])
    assert [text for text in offline(agency_id, tmp_path, old) if "declaration of a restore" in text]


def test_a_binder_that_it_signed_later_is_named() -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    statement = {"key": signing.key_id(public), "made_at": "2026-11-24T12:00:00.000000Z"}
    signature = key.sign(verify_bundle.BINDER_CONTEXT + verify_bundle.canonical(statement))
    file = {"statement": statement, "signature": signature.hex(), "public": public.hex()}
    data = verify_bundle.canonical(file) + b"\n"

    def late(end: str) -> list[str]:
        found = verify_bundle.verify_binder(data, pins=[f"{public.hex()}@{end}"]).findings
        return [text for text in found if "had come to its end" in text]

    assert len(late("2026-11-24T12:00:00Z")) == 1
    assert late("2026-11-24T12:00:01Z") == []
    assert json.loads(data)["statement"] == statement


def test_the_tool_refuses_a_key_that_stands_there_with_its_end_and_again() -> None:
    for again in (f"{'AB' * 32}", f"{'ab' * 32}@2026-11-25T12:00:00Z"):
        for pins in itertools.permutations([f"{'ab' * 32}@2026-11-24T12:00:00Z", again]):
            with pytest.raises(verify_bundle.UnreadableError, match="stands there twice"):
                verify_bundle.read_pins(pins)
    assert verify_bundle.read_pins(["ab" * 32, "ab" * 32]) == {"ab" * 32: None}


@pytest.mark.parametrize("end", ["", "yesterday", "2026-11-24T12:00:00"])
def test_the_tool_refuses_an_end_that_is_none(tmp_path: Path, end: str) -> None:
    with pytest.raises(verify_bundle.UnreadableError, match="--key"):
        verify_bundle.verify(tmp_path / "none.jsonl", pins=[f"{'ab' * 32}@{end}"])
