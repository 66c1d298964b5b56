"""A binder says what was done for one client, no byte of it can be changed unseen, and only who may has it."""

import contextlib
import hashlib
import io
import json
import random
import re
import shutil
import subprocess
import sys
import uuid
import zlib
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client as Browser
from pytest_django import Settings

from callprivacy.accounts.enums import Role
from callprivacy.accounts.services import people
from callprivacy.audit.models import Event
from callprivacy.calls.enums import JobState
from callprivacy.calls.services import connections
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import PartyRole
from callprivacy.tenancy.models import Client, Engagement, PublicKey
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import files, signing
from callprivacy.work.models import Notification
from dashboard.models import Binder, BinderLink
from dashboard.selectors import proof
from dashboard.services import binders, posture, records
from governance.enums import BreachKind, BreachRisk, ReviewDecision
from governance.law.vendors import CLAUSES, sheets
from governance.models import BreachNotice, Vendor
from governance.services import breaches, vendors
from rights.models import Case, Submission
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.rules.world import browser_of
from tools import verify_bundle

pytestmark = pytest.mark.django_db

ANNA = "+12125550101"
TOOL = Path(verify_bundle.__file__)
OTHER_KEY = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def _fill(cast: Cast) -> None:
    """Something for each part, at the dentist and beside it at the plumber."""
    make.call(cast.dentist, ANNA)
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        for client in (cast.dentist, cast.plumber):
            ours = {"agency_id": cast.acme.pk, "client_id": client.pk}
            asked = Submission.objects.create(**ours, channel="email", received_at=NOON, recorded_at=NOON)
            Case.objects.create(
                **ours, submission=asked, reference=f"R-{client.slug}"[:12], asks="see", kind="access",
                channel="email", state="open", answerer="agency", role="processor", received_at=NOON - DAY,
                answer_due_at=NOON,
            )  # fmt: skip
        breach = breaches.report_breach(
            agency=cast.acme, title="Mail about Plumber", text="Secret words", is_drill=False,
            reported_by=cast.alice.user_id, at=NOON - DAY,
        )  # fmt: skip
        said = breaches.Assessment(
            aware_at=NOON - DAY, kind=BreachKind.INTEGRITY, risk=BreachRisk.RISK, categories=("calls",), places=("DE",),
            client_ids=(cast.dentist.pk,), began_at=None, ended_at=None, people=None, records=None, effects="",
            remedy="",
        )  # fmt: skip
        breaches.assess_breach(breach=breach, assessment=said, by=by, at=NOON)
    records.read(agency_id=cast.acme.pk, at=NOON)
    posture.look(agency_id=cast.acme.pk, at=NOON)


def _asked(cast: Cast, *, at: datetime = NOON) -> Binder:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        return binders.request_binder(client=cast.dentist, by=Actor.staff(user_id=cast.alice.user_id), at=at)


def _build(row: Binder, *, at: datetime = NOON) -> bool:
    return binders.build(due=binders.Due(row.agency_id, row.pk), clock=lambda: at)


def _file(row: Binder, *, as_pdf: bool) -> bytes:
    with job_scope(agency_id=row.agency_id):
        row = Binder.objects.select_related("client").get(pk=row.pk)
        with binders.take(binder=row, as_pdf=as_pdf, by=make.JOB, at=NOON).stream as stream:
            return stream.read()


@pytest.fixture(autouse=True)
def own_checkpoints(settings: Settings, tmp_path: Path) -> None:
    """Agencies have the same keys in every copy, and seals are kept outside of it, too."""
    settings.CALLPRIVACY_STATE = tmp_path / "state"


@pytest.fixture
def built(cast: Cast) -> Binder:
    """A binder of the dentist, built."""
    _fill(cast)
    row = _asked(cast)
    assert _build(row)
    return row


@pytest.fixture
def kept(cast: Cast) -> Binder:
    """A binder that is there, with files of a few bytes."""
    row = _asked(cast)
    keys = {"file_key": uuid.uuid4(), "result_key": uuid.uuid4()}
    for key, data in zip(keys.values(), (b"%PDF-1", b'{"public"'), strict=True):
        files.write(cast.dentist.pk, key, io.BytesIO(data), at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        Binder.objects.filter(pk=row.pk).update(
            **keys,
            state=JobState.DONE,
            finished_at=NOON,
            expires_at=NOON + binders.KEPT_FOR,
            digest=bytes(32),
        )
        return Binder.objects.get(pk=row.pk)


def _pin() -> list[str]:
    return [signing.public_key().hex()]


@pytest.mark.parametrize(
    ("facts", "decision", "gaps"),
    [
        ({"contract_on": NOON.date(), "clauses": list(CLAUSES)}, ReviewDecision.APPROVED, []),
        (
            {"contract_on": NOON.date(), "clauses": ["a"]},
            ReviewDecision.REFUSED,
            [
                "1 vendor is used although refused by the newest review.",
                "1 agreement lacks a clause of article 28(3).",
            ],
        ),
        (
            {"contract_on": NOON.date() + 9 * DAY, "clauses": list(CLAUSES)},
            ReviewDecision.APPROVED,
            ["1 processor has no agreement written down that is signed."],
        ),
        (
            {"provider": "", "contract_on": NOON.date(), "clauses": list(CLAUSES)},
            ReviewDecision.APPROVED,
            ["1 tracker in use stands in no vendor's name."],
        ),
    ],
)
def test_its_vendors_have_a_gap_where_the_duty_is_not_met(
    facts: dict[str, Any], decision: ReviewDecision, gaps: list[str], cast: Cast
) -> None:
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        connections.create_connection(
            client=cast.dentist, provider="callrail", name="Way", secret="s" * 32, by=by, at=NOON
        )
        vendor = vendors.add_vendor(
            agency=cast.acme, facts=vendors.Facts.from_sheet(sheets()["callrail"]), sheet="", verified_on=None,
            by=by, at=NOON,
        )  # fmt: skip
        vendors.review_vendor(
            vendor=vendor, answers={}, notes={}, decision=decision, words="W", next_on=NOON.date() + 90 * DAY,
            reviewed_by=cast.alice.user_id, at=NOON,
        )  # fmt: skip
        Vendor.objects.filter(pk=vendor.pk).update(**facts)
        _, gather = proof.PARTS["vendors"]

        assert gather(proof.Ground(cast.dentist, NOON)).gaps == gaps


def test_no_review_of_before_vouches_for_a_vendor_that_is_used_again(cast: Cast) -> None:
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        facts = replace(vendors.Facts.from_sheet(sheets()["callrail"]), provider="")
        vendor = vendors.add_vendor(agency=cast.acme, facts=facts, sheet="", verified_on=None, by=by, at=NOON)
        vendors.review_vendor(
            vendor=vendor, answers={}, notes={}, decision=ReviewDecision.REFUSED, words="W",
            next_on=NOON.date() + 90 * DAY, reviewed_by=cast.alice.user_id, at=NOON,
        )  # fmt: skip
        assert Vendor.objects.refused().exists()
        vendors.end_vendor(vendor=vendor, on=NOON.date(), reason="Moved", by=by, at=NOON)
        vendors.use_again(vendor=vendor, reason="Moved back", by=by, at=NOON)

        part = proof.PARTS["vendors"][1](proof.Ground(cast.dentist, NOON))

        assert list(part.rows[0][6:10]) == ["", "To be reviewed", "", ""]
        assert "1 vendor was not reviewed, or not since it is used again." in part.gaps
        assert not any("refused" in gap for gap in part.gaps)
        assert not Vendor.objects.refused().exists()


def test_an_agreement_of_the_client_is_signed_by_now_or_a_gap_where_the_agency_is_processor(
    cast: Cast,
) -> None:
    _, gather = proof.PARTS["profile"]
    gap = ["No data processing agreement is written down that is signed."]
    with job_scope(agency_id=cast.acme.pk):
        engaged = Engagement.objects.for_client(cast.dentist)
        own = PartyRole.CONTROLLER
        for changed, gaps in (
            ({"dpa_on": None}, gap),
            ({"dpa_on": NOON.date() + DAY}, gap),
            ({"dpa_on": NOON.date()}, []),
            ({"dpa_on": None, "measure_as": own, "record_as": own, "contact_as": own}, []),
        ):
            engaged.update(**changed)
            assert gather(proof.Ground(cast.dentist, NOON)).gaps == gaps


# --- What it says, and that it can be checked -----------------------------------------------------------------------


def test_it_tells_of_one_client_and_of_no_caller(cast: Cast, built: Binder) -> None:
    file = _file(built, as_pdf=False)
    said = json.loads(file)["statement"]

    assert [part["id"] for part in said["contents"]] == list(proof.PARTS)
    assert [row[0] for row in said["parts"]["requests"]["rows"]] == ["R-dentist"]
    assert said["parts"]["requests"]["gaps"] == ["1 request is past the law's date."]
    assert [row[2] for row in said["parts"]["breaches"]["rows"]] == ["A risk to people"]
    assert said["parts"]["trail"]["facts"][3] == ["Findings", "0"]
    assert ["Requests of people are answered in time", "Failing", 1, f"{NOON:%-d %B %Y}"] in said["parts"][
        "duties"
    ]["rows"]
    text = file.decode()
    for word in ("2125550101", "Plumber", "Secret words", "Florist", "alice", "Alice"):
        assert word not in text, word


def test_a_notice_that_was_sent_late_is_a_gap(cast: Cast) -> None:
    _fill(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        BreachNotice.objects.update(due_at=NOON - 2 * HOUR)
        for notice in BreachNotice.objects.all():
            breaches.send_notice(
                notice=notice, text="Told", told_at=NOON - HOUR, by=Actor.staff(user_id=cast.alice.user_id), at=NOON
            )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        ground = proof.Ground(Client.objects.select_related("agency").get(pk=cast.dentist.pk), NOON)
        part = proof.PARTS["breaches"][1](ground)

        # What it was sent for opened the next one, which is not late.
        assert [notice.went_out_at for notice in BreachNotice.objects.order_by("phase")] == [
            NOON - HOUR,
            None,
        ]
        assert part.gaps == ["1 notice was sent after the law's date."]
        assert "To be told by" in part.columns


def test_who_was_suspended_is_nobody_who_sees_the_client(cast: Cast) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        people.suspend(membership=cast.bob, by=Actor.staff(user_id=cast.alice.user_id), at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        ground = proof.Ground(Client.objects.select_related("agency").get(pk=cast.dentist.pk), NOON)

        training, access = (proof.PARTS[name][1](ground) for name in ("training", "access"))

    assert training.facts == [("People who see this client", "1")]
    assert access.facts == [("People who see this client as compliance officer", "1")]


def test_it_verifies_on_another_machine_with_one_plain_file(built: Binder, tmp_path: Path) -> None:
    shutil.copy(TOOL, tmp_path / "verify_bundle.py")
    for name, as_pdf in (("b.pdf", True), ("b.json", False)):
        (tmp_path / name).write_bytes(_file(built, as_pdf=as_pdf))

    def run(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-I", "-S", "verify_bundle.py", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={})
        return done.returncode, done.stdout + done.stderr

    for name in ("b.pdf", "b.json"):
        status, told = run(name, "--key", *_pin())
        assert status == 0, told
        assert "binder 1 of Dentist LLC by Acme" in told
        assert "0 findings" in told
        assert run(name, "--key", OTHER_KEY)[0] == 1
    assert "key not pinned" in run("b.pdf")[1]
    (tmp_path / "no.pdf").write_bytes(b"%PDF-1.7 nothing")
    assert run("no.pdf")[0] == 1


def test_no_byte_is_changed_unseen(built: Binder) -> None:
    chance = random.Random(7)
    for as_pdf in (True, False):
        data = _file(built, as_pdf=as_pdf)
        assert verify_bundle.verify_binder(data, pins=_pin()).findings == []
        for place in chance.sample(range(len(data)), 6):
            changed = bytearray(data)
            changed[place] ^= 1
            with contextlib.suppress(verify_bundle.UnreadableError):
                assert verify_bundle.verify_binder(bytes(changed), pins=_pin()).findings, place


@pytest.mark.thorough
def test_parts_are_held_against_the_contents(built: Binder) -> None:
    file = json.loads(_file(built, as_pdf=False))
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()

    def signed(statement: dict[str, Any]) -> bytes:
        said = statement | {"key": verify_bundle.PublicKey(bytes.fromhex(public)).key_id}
        message = verify_bundle.BINDER_CONTEXT + verify_bundle.canonical(said)
        made = {"statement": said, "signature": key.sign(message).hex(), "public": public}
        return verify_bundle.canonical(made) + b"\n"

    statement = file["statement"]
    statement["parts"]["requests"]["gaps"] = []
    pins = [public, *_pin()]
    assert verify_bundle.verify_binder(signed(statement), pins=pins).findings == [
        "part requests: is not what the contents say"
    ]
    del statement["parts"]["requests"]
    assert (
        "the contents: do not name each part once" in verify_bundle.verify_binder(signed(statement)).findings
    )


def test_the_seal_that_it_brings_is_held_against_a_trail(cast: Cast, built: Binder) -> None:
    """Nothing is sealed in a transaction that is not over, so that the seal here is made by hand."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    key_id = verify_bundle.PublicKey(bytes.fromhex(public)).key_id
    seal = dict.fromkeys(verify_bundle.SEAL_MEMBERS, 0) | {"agency": cast.acme.pk, "key": key_id}

    def findings(shown: dict[str, Any], *, in_trail: dict[str, Any]) -> list[str]:
        statement = json.loads(_file(built, as_pdf=False))["statement"] | {"key": key_id}
        signature = key.sign(verify_bundle.SEAL_CONTEXT + verify_bundle.canonical(seal)).hex()
        statement["parts"]["trail"]["more"] = {"seal": shown, "signature": signature}
        digest = hashlib.sha256(verify_bundle.canonical(statement["parts"]["trail"])).hexdigest()
        statement["contents"] = [
            part | {"sha256": digest} if part["id"] == "trail" else part for part in statement["contents"]
        ]
        message = verify_bundle.BINDER_CONTEXT + verify_bundle.canonical(statement)
        made = {"statement": statement, "signature": key.sign(message).hex(), "public": public}
        data = verify_bundle.canonical(made) + b"\n"
        return verify_bundle.verify_binder(data, pins=[public], trail=[(1, {"seal": in_trail})]).findings

    assert findings(seal, in_trail=seal) == []
    assert findings(seal, in_trail=seal | {"size": 1}) == [
        "seal 0: does not stand in that trail as the binder says"
    ]
    assert findings(seal | {"size": 1}, in_trail=seal | {"size": 1})[0].startswith("the seal: was changed")
    assert findings(seal | {"agency": 0}, in_trail=seal)[0] == "the seal: is none of this agency"


@pytest.mark.thorough
def test_the_pdf_is_an_archive_with_the_statement_inside(built: Binder) -> None:
    data = _file(built, as_pdf=True)
    assert b"pdfaid:part" in data or b"pdfaid" in zlib_all(data)
    files_inside = [
        verify_bundle._inflated(match.group(1)) for match in verify_bundle.PDF_FILE.finditer(data)
    ]
    assert files_inside == [_file(built, as_pdf=False)]


def zlib_all(data: bytes) -> bytes:
    """Every stream of a PDF that can be inflated, one after the other."""
    out = b""
    for match in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        try:
            out += zlib.decompress(match.group(1))
        except zlib.error:
            continue
    return out


# --- Built once, kept sealed, and gone ------------------------------------------------------------------------------


@pytest.mark.thorough
def test_one_is_built_at_a_time_and_a_second_worker_builds_nothing(cast: Cast, built: Binder) -> None:
    assert not _build(built)
    row = _asked(cast, at=NOON + DAY)
    with pytest.raises(binders.OneIsBuiltError):
        _asked(cast, at=NOON + DAY)
    with job_scope(agency_id=cast.acme.pk):
        assert [due.binder_id for due in binders.due_binders(agency_id=cast.acme.pk, at=NOON + DAY)] == [
            row.pk
        ]
        assert binders.due_binders(agency_id=cast.acme.pk, at=NOON + DAY) == []
        assert Notification.objects.filter(kind=binders.READY).count() == 1
    assert row.number == 2
    assert not _build(row, at=NOON + 9 * DAY), "it was given up"
    with job_scope(agency_id=cast.acme.pk):
        assert Binder.objects.get(pk=row.pk).state == JobState.FAILED


def test_its_files_go_at_its_date_and_its_row_a_year_later(cast: Cast, kept: Binder) -> None:
    with job_scope(agency_id=cast.acme.pk):
        row = Binder.objects.get(pk=kept.pk)
        assert row.expires_at == NOON + binders.KEPT_FOR
        keys = [row.file_key, row.result_key]
        assert all(key and files.exists(cast.dentist.pk, key) for key in keys)
        assert binders.sweep(agency_id=cast.acme.pk, at=NOON + 89 * DAY) == 0
        assert binders.sweep(agency_id=cast.acme.pk, at=NOON + 90 * DAY) == 1
        assert not any(key and files.exists(cast.dentist.pk, key) for key in keys)
        assert Binder.objects.get(pk=kept.pk).file_key is None
        binders.sweep(agency_id=cast.acme.pk, at=NOON + 456 * DAY)
        assert not Binder.objects.exists()


# --- Who has it -----------------------------------------------------------------------------------------------------


def _approver(cast: Cast, on: Any) -> Browser:
    person = make.person(cast.acme, "petra", Role.APPROVER)
    make.grant(person, on)
    return browser_of(person.user)


def test_the_clients_own_people_take_it_and_see_only_their_client(cast: Cast, kept: Binder) -> None:
    petra = _approver(cast, cast.dentist)
    _now(kept)
    page = petra.get(f"/clients/dentist/proof/{kept.pk}/").content.decode()
    assert "Take the PDF" in page
    assert "Make a link" not in page
    assert b"".join(petra.post(f"/clients/dentist/proof/{kept.pk}/pdf/")).startswith(b"%PDF-")
    assert petra.post("/clients/dentist/proof/new/").status_code == 403
    assert petra.post(f"/clients/dentist/proof/{kept.pk}/link/", {"days": 7}).status_code == 403
    assert petra.post(f"/clients/dentist/proof/{kept.pk}/withdraw/").status_code == 403
    assert petra.get("/binders/").status_code == 403
    assert petra.get("/clients/plumber/proof/").status_code == 404
    assert browser_of(cast.bob.user).get(f"/clients/dentist/proof/{kept.pk}/").status_code == 403
    assert browser_of(cast.mallory.user).get(f"/clients/dentist/proof/{kept.pk}/").status_code == 404
    with job_scope(agency_id=cast.acme.pk):
        taken = Event.objects.filter(action="binder.taken").order_by("-id")[0]
        assert (taken.details["form"], taken.client_id) == ("pdf", cast.dentist.pk)


def _now(row: Binder) -> None:
    """Let it be good on the machine's own day, which pages ask for."""
    with job_scope(agency_id=row.agency_id):
        Binder.objects.filter(pk=row.pk).update(expires_at=make.now() + 90 * DAY)


def _link(cast: Cast, kept: Binder, *, days: int = 14, at: datetime = NOON) -> str:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row = Binder.objects.get(pk=kept.pk)
        return binders.make_link(
            binder=row, good_for=days * DAY, by=Actor.staff(user_id=cast.alice.user_id), at=at
        )


def test_a_link_opens_one_binder_until_it_ends(cast: Cast, kept: Binder) -> None:
    token = _link(cast, kept)
    assert binders.show_by_link(token=token, at=NOON + 13 * DAY).binder.pk == kept.pk
    with binders.take_by_link(token=token, as_pdf=True, at=NOON + DAY).stream as stream:
        assert stream.read(5) == b"%PDF-"
    for wrong in (token[:-1], token + "x", ""):
        with pytest.raises(binders.UnknownLinkError):
            binders.show_by_link(token=wrong, at=NOON)
    with pytest.raises(binders.UnknownLinkError):
        binders.take_by_link(token=token, as_pdf=True, at=NOON + 14 * DAY)
    with job_scope(agency_id=cast.acme.pk):
        row = BinderLink.objects.get()
        assert (row.taken, row.taken_at) == (1, NOON + DAY)
        assert token not in json.dumps(list(Event.objects.values_list("details", flat=True)))
        assert Event.objects.get(action="binder.taken").actor_name == "binder"


def test_a_link_that_was_ended_and_one_to_a_withdrawn_binder_open_nothing(cast: Cast, kept: Binder) -> None:
    first, second = _link(cast, kept), _link(cast, kept, days=900)
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        rows = list(BinderLink.objects.select_related("binder").order_by("expires_at"))
        assert rows[1].expires_at == NOON + binders.LONGEST_LINK
        binders.end_link(link=rows[0], by=by, at=NOON)
        with pytest.raises(binders.UnknownLinkError):
            binders.end_link(link=rows[0], by=by, at=NOON)
    with pytest.raises(binders.UnknownLinkError):
        binders.show_by_link(token=first, at=NOON)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row = Binder.objects.get(pk=kept.pk)
        binders.withdraw(binder=row, by=by, at=NOON)
        with pytest.raises(binders.BinderGoneError):
            binders.withdraw(binder=row, by=by, at=NOON)
        row.refresh_from_db()
        with pytest.raises(binders.BinderGoneError):
            binders.make_link(binder=row, good_for=DAY, by=by, at=NOON)
    with pytest.raises(binders.UnknownLinkError):
        binders.take_by_link(token=second, as_pdf=True, at=NOON)
    assert not PublicKey.objects.filter(purpose="binder").exists()


def test_links_of_a_client_that_has_left_are_over(cast: Cast, kept: Binder) -> None:
    token = _link(cast, kept)
    with job_scope(agency_id=cast.acme.pk):
        binders.sweep(agency_id=cast.acme.pk, at=NOON)
        assert BinderLink.objects.get().ended_at is None
        Client.objects.filter(pk=kept.client_id).update(archived_at=NOON)
        binders.sweep(agency_id=cast.acme.pk, at=NOON)
        assert BinderLink.objects.get().ended_at == NOON
    with pytest.raises(binders.UnknownLinkError):
        binders.show_by_link(token=token, at=NOON)


def test_the_pages_make_hand_out_and_withdraw(cast: Cast, kept: Binder) -> None:
    _now(kept)
    alice, nobody = browser_of(cast.alice.user), Browser()
    assert "Dentist" in alice.get("/binders/").content.decode()
    made = alice.post(f"/clients/dentist/proof/{kept.pk}/link/", {"days": "30"}).content.decode()
    door = "/b/" + made.partition("/b/")[2].partition("/")[0] + "/"
    page = nobody.get(door)
    assert (page.status_code, page.headers["Referrer-Policy"]) == (200, "no-referrer")
    assert b"".join(nobody.post(door, {"form": "json"})).startswith(b'{"public"')
    assert alice.post(f"/clients/dentist/proof/{kept.pk}/link/", {"days": "1"}).status_code == 422
    assert (
        "Links that end</dt><dd>1"
        in alice.get(f"/clients/dentist/proof/{kept.pk}/withdraw/").content.decode()
    )
    assert alice.post(f"/clients/dentist/proof/{kept.pk}/withdraw/").status_code == 302
    assert nobody.get(door).status_code == nobody.get("/b/none/").status_code == 404
    asked = alice.post("/clients/dentist/proof/new/")
    assert "Waiting for a worker" in alice.get(asked.headers["Location"]).content.decode()
