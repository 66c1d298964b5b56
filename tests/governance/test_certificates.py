"""Certificates from elsewhere with their file: sealed as it comes, looked at by content, gone with its proof."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile

from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from governance.models import Completion
from governance.selectors import ends
from governance.services import certificates, training
from retention.enums import Category
from retention.law import categories
from retention.services import files_sweep
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.retention import night
from tests.rules.world import browser_of

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7\n" + b"A certificate for Bob. " * 40
TODAY = NOON.date()
WHERE = "/programme/training/elsewhere/"


def bring(cast: Cast, content: bytes | None, *, name: str = "certificate.pdf", **more: str) -> Any:
    said: dict[str, Any] = {
        "course": "passwords", "people": str(cast.bob.user_id), "issuer": "A school",
        "passed_on": str(TODAY - timedelta(days=54)), "valid_until": str(TODAY + timedelta(days=311)), **more,
    }  # fmt: skip
    if content is not None:
        said["file"] = SimpleUploadedFile(name, content, "application/pdf")
    with time_machine.travel(NOON, tick=False):
        return browser_of(cast.alice.user).post(WHERE, said)


def kept() -> list[Path]:
    folder = Path(settings.MEDIA_ROOT) / "sealed"
    return [path for path in folder.glob("*/*") if path.is_file()] if folder.exists() else []


def noted(cast: Cast) -> Completion:
    with job_scope(agency_id=cast.acme.pk):
        return Completion.objects.get()


def test_the_file_is_sealed_and_taken_again_by_the_person_and_by_who_manages(cast: Cast) -> None:
    assert bring(cast, PDF).status_code == 302
    row = noted(cast)
    assert row.file_type == "application/pdf"
    (file,) = kept()
    assert PDF[:16] not in file.read_bytes()
    where = f"/programme/training/passed/{row.pk}/file/"
    for person in (cast.bob, cast.carol):
        answer = browser_of(person.user).get(where)
        assert answer.content == PDF
        assert answer.headers["Content-Disposition"] == 'attachment; filename="certificate-passwords.pdf"'
        assert "no-store" in answer.headers["Cache-Control"]
    assert browser_of(cast.mallory.user).get(where).status_code == 404
    assert where in browser_of(cast.bob.user).get("/programme/training/").content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="training.file_taken").count() == 2
        assert (
            Event.objects.get(action="training.passed").details["file"] == bytes(row.file_digest or b"").hex()
        )


def test_a_certificate_without_a_file_is_noted_as_before(cast: Cast) -> None:
    assert bring(cast, None).status_code == 302
    row = noted(cast)
    assert row.file_key is None
    assert browser_of(cast.bob.user).get(f"/programme/training/passed/{row.pk}/file/").status_code == 404


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>PDF</html>", "The file is not a PDF, PNG, JPEG or WebP"),
        pytest.param(
            b"MZ" + bytes(200), "The file is not a PDF, PNG, JPEG or WebP", marks=pytest.mark.thorough
        ),
        (PDF + bytes(certificates.AT_MOST), "larger than 8 MB"),
    ],
    ids=["html", "program", "too large"],
)
def test_what_is_no_certificate_or_too_large_is_not_kept(cast: Cast, content: bytes, words: str) -> None:
    answer = bring(cast, content)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert kept() == []
    with job_scope(agency_id=cast.acme.pk):
        assert not Completion.objects.exists()


def test_one_that_has_ended_is_kept_as_such_and_one_of_a_day_to_come_is_not_taken(cast: Cast) -> None:
    to_come = bring(cast, None, passed_on=str(TODAY + timedelta(days=1)))
    assert "The date is in the future" in to_come.content.decode()
    bring(cast, None, passed_on="2020-01-01", valid_until="2021-01-01")
    assert noted(cast).was_due_on is None


def test_a_form_that_is_wrong_or_ones_own_leaves_no_file_behind(cast: Cast) -> None:
    assert bring(cast, PDF, issuer="").status_code == 200
    assert bring(cast, PDF, people=str(cast.alice.user_id)).status_code == 200
    assert kept() == []


def test_a_file_that_is_not_the_one_that_was_brought_is_not_handed_out(cast: Cast) -> None:
    bring(cast, PDF)
    row = noted(cast)
    with job_scope(agency_id=cast.acme.pk):
        Completion.objects.update(file_digest=bytes(32))
    assert browser_of(cast.bob.user).get(f"/programme/training/passed/{row.pk}/file/").status_code == 404


@pytest.mark.thorough
def test_who_sweeps_the_agencys_folder_keeps_the_file_and_takes_what_a_request_left_that_died(
    cast: Cast,
) -> None:
    bring(cast, PDF)
    (file,) = kept()
    orphan = file.with_name("0" * 32)
    orphan.write_bytes(file.read_bytes())  # as if the process had been killed there
    for _ in range(2):
        files_sweep.sweep_own(agency_id=cast.acme.pk, at=make.now() + timedelta(days=2))
        assert kept() == [file]
    where = f"/programme/training/passed/{noted(cast).pk}/file/"
    assert browser_of(cast.bob.user).get(where).content == PDF


def test_the_file_leaves_with_its_proof(cast: Cast) -> None:
    bring(cast, PDF)
    day = (noted(cast).valid_until - NOON.date()).days + (categories.ABOUT[Category.TRAINING].days or 0)
    night.spend(cast.acme, NOON + timedelta(days=day))
    assert len(kept()) == 1
    night.spend(cast.acme, NOON + timedelta(days=day + 1))
    assert kept() == []
    with job_scope(agency_id=cast.acme.pk):
        assert not Completion.objects.exists()
        assert Event.objects.filter(action="training.erased").exists()


def test_the_file_of_a_proof_that_does_not_count_leaves_by_the_day_on_which_that_was_said(cast: Cast) -> None:
    bring(cast, PDF)
    with job_scope(agency_id=cast.acme.pk):
        by = Actor.staff(user_id=cast.carol.user_id)
        training.end_proof(proof=Completion.objects.get(), reason="It is of another Bob", by=by, at=NOON)
        limits = [NOON - timedelta(days=1), NOON + timedelta(days=1), NOON + timedelta(days=2)]
        assert ends.training_by_day(cast.acme, limits) == {0: 1}
        ((at, _),) = ends.training_told(cast.acme, [Completion.objects.get().pk])
        assert at.date() == NOON.date()
    days = categories.ABOUT[Category.TRAINING].days or 0
    night.spend(cast.acme, NOON + timedelta(days=days))
    assert len(kept()) == 1

    night.spend(cast.acme, NOON + timedelta(days=days + 1))

    assert kept() == []
