"""A certificate says what a run did, exactly, and no byte of it can be changed unseen, wherever it is checked."""

import dataclasses
import json
import random
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.test import override_settings

from callprivacy.audit.leaves import canonical_document
from callprivacy.audit.models import Event
from callprivacy.calls.models import Call
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import signing
from retention import targets
from retention.enums import Category, PartState, RunCause
from retention.models import Certificate, Hold, Run, RunPart
from retention.services import certificates, erasing, runs
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.retention import pdfa
from tests.scale import some
from tools import verify_certificate

OLD = make.NOON - timedelta(days=400)
ANNA, BEN = "+12125550101", "+12125550102"
TOOL = Path(verify_certificate.__file__)
OTHER_KEY = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()


def _live(client: Client) -> None:
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(retention_state=RetentionState.LIVE)


def _start(cast: Cast) -> Run:
    with job_scope(agency_id=cast.acme.pk):
        return runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)


def _work(cast: Cast, run: Run) -> None:
    runs.work_run(
        agency_id=cast.acme.pk, run_id=run.pk, until=make.NOON + timedelta(minutes=1), clock=lambda: make.NOON
    )


@pytest.fixture
def certified(cast: Cast) -> Certificate:
    """The certificate of a run that erased two of the dentist's calls, one of them recorded."""
    call = make.call(cast.dentist, ANNA, at=OLD)
    make.recording(call, "https://vendor.example/r/1")
    make.call(cast.dentist, BEN, at=OLD)
    make.call(cast.dentist, BEN)
    _live(cast.dentist)
    _work(cast, _start(cast))
    with job_scope(agency_id=cast.acme.pk):
        return Certificate.objects.select_related("client__agency", "run").get()


def _file(certificate: Certificate, cast: Cast, *, as_pdf: bool = False) -> bytes:
    with job_scope(agency_id=cast.acme.pk):
        taken = certificates.take(
            certificate=certificate, agency=cast.acme, as_pdf=as_pdf, by=make.JOB, at=make.NOON
        )
    return taken.data


def _pin() -> list[str]:
    return [signing.public_key().hex()]


# --- What it says ---


def test_it_says_what_the_run_did(cast: Cast, certified: Certificate) -> None:
    said = json.loads(certified.statement)
    with job_scope(agency_id=cast.acme.pk):
        part = RunPart.objects.get(client=cast.dentist, category=Category.CALL)
    (row,) = said["categories"]
    assert (row["category"], row["due"], row["erased"], row["recordings"], row["callers"]) == (
        "call",
        2,
        2,
        1,
        1,
    )
    assert (row["days"], row["policy_version"], row["held"], row["failures"]) == (365, 0, 0, 0)
    assert row["digest"] == bytes(part.digest).hex() != bytes(32).hex()
    assert said["copies_gone_on"] == (make.NOON + timedelta(days=15)).date().isoformat()
    assert (said["number"], said["client"]["legal_name"]) == (1, "Dentist LLC")


@pytest.mark.thorough
def test_the_digest_can_be_computed_by_who_has_the_ids(cast: Cast) -> None:
    ids = sorted(make.call(cast.dentist, None, at=OLD - timedelta(minutes=minute)).pk for minute in range(5))
    _live(cast.dentist)
    _work(cast, _start(cast))
    with job_scope(agency_id=cast.acme.pk):
        said = json.loads(Certificate.objects.get().statement)
    assert said["categories"][0]["digest"] == erasing.digest_after(bytes(32), ids).hex()


def test_what_is_held_is_counted_and_the_hold_is_named(cast: Cast) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    make.call(cast.dentist, BEN, at=OLD - timedelta(days=30))
    _live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Hold.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, name="Dispute of autumn", matter="12 B",
            from_at=OLD - timedelta(days=1), review_on=make.NOON.date(), placed_by_id=cast.alice.user_id,
            placed_at=make.NOON - timedelta(days=1),
        )  # fmt: skip
    _work(cast, _start(cast))
    with job_scope(agency_id=cast.acme.pk):
        said = json.loads(Certificate.objects.get().statement)
        assert [call.pk for call in Call.objects.all()] == [kept.pk]
    assert [(row["erased"], row["held"]) for row in said["categories"]] == [(1, 1)]
    assert [(hold["name"], hold["matter"]) for hold in said["holds"]] == [("Dispute of autumn", "12 B")]


def test_one_a_run_and_client_and_numbers_without_a_gap(cast: Cast, certified: Certificate) -> None:
    with job_scope(agency_id=cast.acme.pk):
        certificates.issue(run=certified.run, client=certified.client, at=make.NOON)
    make.call(cast.dentist, ANNA, at=OLD)
    _work(cast, _start(cast))
    _work(cast, _start(cast))
    with job_scope(agency_id=cast.acme.pk):
        assert list(Certificate.objects.order_by("number").values_list("number", flat=True)) == [1, 2]
        assert Event.objects.filter(action="certificate.issued").count() == 2


def test_a_run_that_was_cancelled_gives_one_of_what_had_left(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    make.call(cast.plumber, ANNA, at=OLD)
    _live(cast.dentist)
    run = _start(cast)
    _work(cast, run)
    with job_scope(agency_id=cast.acme.pk):
        Certificate.objects.filter(run=run).remove()
        Run.objects.filter(pk=run.pk).update(state="cancelled")
        assert certificates.owing(cast.acme.pk, since=make.NOON - timedelta(days=1)) == [run.pk]
    assert certificates.issue_due(agency_id=cast.acme.pk, run_id=run.pk, clock=lambda: make.NOON) == 1
    with job_scope(agency_id=cast.acme.pk):
        assert json.loads(Certificate.objects.get().statement)["run"]["state"] == "cancelled"


def test_none_is_issued_while_a_batch_is_under_way(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    _live(cast.dentist)
    run = _start(cast)
    _work(cast, run)
    with job_scope(agency_id=cast.acme.pk):
        Certificate.objects.filter(run=run).remove()
        RunPart.objects.filter(run=run, client=cast.dentist, category=Category.CALL).update(
            leased_until=make.NOON + timedelta(seconds=1)
        )
    assert certificates.issue_due(agency_id=cast.acme.pk, run_id=run.pk, clock=lambda: make.NOON) == 0
    later = make.NOON + timedelta(minutes=2)
    assert certificates.issue_due(agency_id=cast.acme.pk, run_id=run.pk, clock=lambda: later) == 1


def test_who_slept_past_the_certificate_removes_nothing_that_it_does_not_count(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    make.call(cast.dentist, BEN, at=OLD + timedelta(hours=1))
    _live(cast.dentist)
    real = targets.TARGETS[Category.CALL]
    run = _start(cast)
    batches: list[int] = []

    def slow(line: targets.Line, chosen: targets.Chosen, deed: targets.Deed) -> targets.Chosen:
        if batches:
            with job_scope(agency_id=cast.acme.pk):
                runs.cancel_run(run=run, by=make.JOB, at=make.NOON)
            later = make.NOON + timedelta(minutes=5)
            assert certificates.issue_due(agency_id=cast.acme.pk, run_id=run.pk, clock=lambda: later) == 1
        batches.append(len(chosen.ids))
        return real.destroy(line, chosen, deed)

    monkeypatch.setitem(targets.TARGETS, Category.CALL, dataclasses.replace(real, batch=1, destroy=slow))
    _work(cast, run)
    assert batches == [1, 1]
    with job_scope(agency_id=cast.acme.pk):
        said = json.loads(Certificate.objects.get().statement)
        assert [row["erased"] for row in said["categories"]] == [1]
        assert Call.objects.count() == 1, "what it did not count is left to the next run"
        part = RunPart.objects.get(run=run, category=Category.CALL, client=cast.dentist)
        assert part.rows_erased == 1


def test_a_client_that_is_observed_gets_none(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    _work(cast, _start(cast))
    with job_scope(agency_id=cast.acme.pk):
        assert not Certificate.objects.exists()
        assert RunPart.objects.get(client=cast.dentist, category=Category.CALL).state == PartState.OBSERVED


def test_nobody_of_the_staff_writes_one(cast: Cast, certified: Certificate) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert Certificate.objects.filter(pk=certified.pk).update(statement="{}") == 0
        assert Certificate.objects.filter(pk=certified.pk).remove() == 0


# --- Checking it ---


@pytest.mark.parametrize("as_pdf", some([False, True], one_in=2))
def test_it_holds_and_tells_what_it_says(cast: Cast, certified: Certificate, as_pdf: bool) -> None:
    report = verify_certificate.verify(_file(certified, cast, as_pdf=as_pdf), pins=_pin())
    assert report.findings == []
    assert "2 of 2 destroyed with 1 recording and 1 caller, 0 held" in "\n".join(
        verify_certificate.told(report)
    )


@pytest.mark.parametrize("as_pdf", some([False, True], one_in=2))
def test_a_changed_byte_is_found_wherever_it_is(cast: Cast, certified: Certificate, as_pdf: bool) -> None:
    data = _file(certified, cast, as_pdf=as_pdf)
    chance = random.Random(7)
    places = sorted({chance.randrange(len(data)) for _ in range(40)} | {0, len(data) - 1})
    for place in places:
        for flip in (1, 0x20):
            changed = bytearray(data)
            changed[place] ^= flip
            assert _is_refused(bytes(changed)), place


@pytest.mark.parametrize("as_pdf", some([False, True], one_in=2))
def test_a_shorter_or_longer_file_is_refused(cast: Cast, certified: Certificate, as_pdf: bool) -> None:
    data = _file(certified, cast, as_pdf=as_pdf)
    for end in (0, 1, len(data) // 2, len(data) - 1):
        assert _is_refused(data[:end]), end
    for more in (b" ", b"\n", b"{}", data):
        assert _is_refused(data + more)


def _is_refused(data: bytes) -> bool:
    try:
        return bool(verify_certificate.verify(data, pins=_pin()).findings)
    except verify_certificate.UnreadableError:
        return True


@pytest.mark.parametrize("as_pdf", some([False, True], one_in=2))
def test_another_key_is_refused(cast: Cast, certified: Certificate, as_pdf: bool) -> None:
    data = _file(certified, cast, as_pdf=as_pdf)
    assert any("not pinned" in found for found in verify_certificate.verify(data, pins=[OTHER_KEY]).findings)


def test_a_statement_that_was_forged_as_a_whole_is_refused_by_the_pin(
    cast: Cast, certified: Certificate
) -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    file = json.loads(_file(certified, cast))
    file["statement"] |= {"number": 9, "key": signing.key_id(public)}

    message = verify_certificate.CONTEXT + canonical_document(file["statement"])
    forged = (
        canonical_document({**file, "public": public.hex(), "signature": key.sign(message).hex()}) + b"\n"
    )
    assert verify_certificate.verify(forged).findings == []
    assert verify_certificate.verify(forged, pins=_pin()).findings


@pytest.mark.thorough
def test_a_certificate_outlives_the_key_that_signed_it(cast: Cast, certified: Certificate) -> None:
    old = signing.public_key()
    fresh = Ed25519PrivateKey.generate()
    with override_settings(
        CALLPRIVACY_SIGNING_KEY=fresh.private_bytes_raw(), CALLPRIVACY_EARLIER_PUBLIC_KEYS=[old.hex()]
    ):
        pins = [public.hex() for public in signing.public_keys().values()]
        for as_pdf in (False, True):
            report = verify_certificate.verify(_file(certified, cast, as_pdf=as_pdf), pins=pins)
            assert report.findings == []
    with (
        override_settings(CALLPRIVACY_SIGNING_KEY=fresh.private_bytes_raw()),
        pytest.raises(certificates.UnknownKeyError),
    ):
        _file(certified, cast)


def test_the_pdf_carries_the_very_file_and_says_what_it_is(cast: Cast, certified: Certificate) -> None:
    pdf = _file(certified, cast, as_pdf=True)
    (match,) = verify_certificate.STREAM.finditer(pdf)
    assert verify_certificate._inflated(match.group(1)) == _file(certified, cast)
    assert b"pdfaid:part>3<" in pdf
    assert b"/AFRelationship /Data" in pdf
    assert pdf.rindex(b"startxref\n") < len(pdf)
    at = int(pdf[pdf.rindex(b"startxref\n") + 10 :].split(b"\n", 1)[0])
    assert pdf[at : at + 5] == b"xref\n"


@pytest.mark.thorough
def test_the_pdf_is_as_the_standard_of_archives_has_it(cast: Cast, certified: Certificate) -> None:
    pdf = _file(certified, cast, as_pdf=True)
    assert pdfa.faults(pdf) == []
    for old, new, said in (
        (b"/S /GTS_PDFA1", b"/S /GTS_PDFX1", "output intent"),
        (b"/FontFile2 ", b"/FontFil2e ", "not embedded"),
        (b"<pdfaid:part>3<", b"<pdfaid:part>1<", "metadata say"),
        (b"/AFRelationship /Data", b"/AFRelatiunship /Data", "AFRelationship"),
        (b"/PageLayout", b"/JavaScript", "forbidden"),
        (b"/ID [<", b"/IX [<", "no ID"),
        (b"%%EOF", b"%%EOF\nmore", "follows"),
    ):
        assert old in pdf
        assert any(said in fault for fault in pdfa.faults(pdf.replace(old, new))), said


def test_the_tool_alone_and_the_command_say_the_same(
    cast: Cast, certified: Certificate, tmp_path: Path
) -> None:
    """Two files of the standard library, on a machine that has nothing else of ours."""
    for file in (TOOL, TOOL.with_name("verify_bundle.py")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    data = _file(certified, cast)
    for name, content in (("right", data), ("wrong", data.replace(b'"erased":2', b'"erased":3'))):
        path = tmp_path / f"{name}.json"
        path.write_bytes(content)
        ran = subprocess.run(
            [sys.executable, "verify_certificate.py", path.name, "--key", _pin()[0]],
            cwd=tmp_path, capture_output=True, text=True, check=False, env={},
        )  # fmt: skip
        assert ran.returncode == (name == "wrong"), ran.stdout + ran.stderr
        out = StringIO()
        if name == "right":
            call_command("verify_certificate", path, stdout=out)
            assert "The certificate holds." in out.getvalue()
        else:
            with pytest.raises(SystemExit):
                call_command("verify_certificate", path, stdout=out)
            assert "FOUND" in out.getvalue()
    nothing = tmp_path / "none.json"
    nothing.write_bytes(b"hello")
    with pytest.raises(CommandError):
        call_command("verify_certificate", nothing)


# --- Pages ---


def _browser(cast: Cast) -> Browser:
    return signed_in(cast.alice)


def test_an_officer_reads_and_takes_it_and_that_is_written_down(cast: Cast, certified: Certificate) -> None:
    browser = _browser(cast)
    page = browser.get("/clients/dentist/certificates/").content.decode()
    assert "Number 1" in page
    page = browser.get(f"/clients/dentist/certificates/{certified.pk}/").content.decode()
    assert "What was destroyed" in page
    assert "with 1 recording, 1 caller<" in page
    answer = browser.post(f"/clients/dentist/certificates/{certified.pk}/json/")
    assert answer["Content-Type"] == "application/json"
    assert verify_certificate.verify(answer.content, pins=_pin()).findings == []
    answer = browser.post(f"/clients/dentist/certificates/{certified.pk}/pdf/")
    assert answer.content.startswith(b"%PDF-")
    assert browser.post(f"/clients/dentist/certificates/{certified.pk}/doc/").status_code == 404
    with job_scope(agency_id=cast.acme.pk):
        taken = Event.objects.filter(action="certificate.downloaded", actor_user_id=cast.alice.user_id)
        assert sorted(event.details["form"] for event in taken) == ["json", "pdf"]


def test_a_certificate_whose_key_is_named_nowhere_says_what_to_do(cast: Cast, certified: Certificate) -> None:
    browser = _browser(cast)
    with override_settings(CALLPRIVACY_SIGNING_KEY=Ed25519PrivateKey.generate().private_bytes_raw()):
        answer = browser.post(f"/clients/dentist/certificates/{certified.pk}/json/", follow=True)
    assert "CALLPRIVACY_EARLIER_PUBLIC_KEYS" in answer.content.decode()


@pytest.mark.thorough
def test_taking_it_is_an_actors_deed(cast: Cast, certified: Certificate) -> None:
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        taken = certificates.take(certificate=certified, agency=cast.acme, as_pdf=False, by=by, at=make.NOON)
    assert taken.name == f"certificate-acme-{cast.dentist.pk}-1.json"
