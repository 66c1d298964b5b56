"""A worker that sees another folder of files, or an empty one, lets no row forget its file and removes none."""

import io
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages
from django.core.management import CommandError, call_command
from django.test import override_settings
from pytest_django import Settings

from callprivacy.audit.models import HouseEvent
from callprivacy.audit.services import lineage
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallExport, Recording
from callprivacy.calls.services import day_keys
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault.files import Folder
from callprivacy.work.models import Item
from consent.services import registers
from dashboard.services import doctor
from governance.models import Completion
from retention.services import files_sweep, own_folders
from retention.services.own_folders import ForeignFolderError
from retention.tasks import backups as tasks
from tests import make
from tests.cast import Cast
from tests.retention.test_files_sweep import age, certificate, path_of, stored

pytestmark = pytest.mark.django_db

LOOK = "whose files lie here"


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Iterator[Path]:
    with override_settings(MEDIA_ROOT=tmp_path / "right"):
        yield tmp_path / "right"


def elsewhere(media: Path) -> override_settings:
    """The state folder as it is where the disk is not mounted, or on another machine."""
    return override_settings(MEDIA_ROOT=media.parent / "other")


def export(cast: Cast, media: Path) -> uuid.UUID:
    """A client's export of days ago, its file in the folder."""
    key, at = uuid.uuid4(), make.now()
    files.write(cast.dentist.pk, key, io.BytesIO(b"rows"), at=at)
    age(media / "sealed" / str(cast.dentist.pk) / key.hex, 2)
    with job_scope(agency_id=cast.acme.pk):
        CallExport.objects.create(
            agency=cast.acme, client=cast.dentist, state=JobState.DONE, file_key=key, created_by=cast.alice.user,
            created_at=at, due_at=at,
        )  # fmt: skip
    return key


def sweep(cast: Cast, *, days: int = 0) -> tuple[files_sweep.Swept, files_sweep.Swept]:
    """The day's sweep of a client and of the agency's own."""
    at = make.now() + timedelta(days=days)
    return (
        files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=at),
        files_sweep.sweep_own(agency_id=cast.acme.pk, at=at),
    )


def facts() -> list[str]:
    return [one.fact for one in doctor.CHECKS[LOOK](make.now)]


def waits(cast: Cast) -> bool:
    with job_scope(agency_id=cast.acme.pk):
        return Item.objects.open().filter(kind=own_folders.FOREIGN).exists()


def test_another_folder_lets_no_row_forget_and_the_right_one_loses_nothing_the_day_after(
    cast: Cast, media: Path
) -> None:
    recording, exported = stored(cast.dentist, media), export(cast, media)
    proof = certificate(cast, with_file=True)
    assert recording.file_key is not None
    assert proof.file_key is not None
    nothing = (files_sweep.Swept(), files_sweep.Swept())
    assert sweep(cast) == nothing

    with elsewhere(media):
        with pytest.raises(ForeignFolderError, match="not mounted"):
            files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.now())
        with pytest.raises(ForeignFolderError):
            files_sweep.sweep_own(agency_id=cast.acme.pk, at=make.now())
        assert not (media.parent / "other").exists(), "what is not ours is not made ours"
    assert waits(cast)

    assert sweep(cast, days=2) == nothing
    assert files.recording_exists(cast.dentist.pk, recording.file_key)
    assert files.exists(cast.dentist.pk, exported)
    assert files.exists(-cast.acme.pk, proof.file_key)
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.get(pk=recording.pk).file_key == recording.file_key
        assert CallExport.objects.get().file_key == exported


@pytest.mark.thorough
def test_an_empty_folder_that_was_never_ours_lets_no_row_forget(cast: Cast, media: Path) -> None:
    row = stored(cast.dentist, media)
    with elsewhere(media), pytest.raises(ForeignFolderError):
        files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.now())
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.get(pk=row.pk).file_key == row.file_key
    assert sweep(cast)[0] == files_sweep.Swept()


def test_the_hourly_job_keeps_every_turn_for_the_right_folder_and_tells_people(
    cast: Cast, media: Path
) -> None:
    row = stored(cast.dentist, media)
    with elsewhere(media):
        tasks.sweep_files.run()
        assert waits(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.get(pk=row.pk).file_key == row.file_key

    tasks.sweep_files.run()
    assert not waits(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert files_sweep.claim(agency_id=cast.acme.pk, at=make.now()) == [], "its turn was taken now"


def test_the_keys_of_days_stay_where_the_folder_is_another(cast: Cast, media: Path) -> None:
    later = make.now() + timedelta(days=30)
    exported, proof = export(cast, media), certificate(cast, with_file=True)
    assert proof.file_key is not None
    sweep(cast)
    with elsewhere(media):
        for holder in (cast.dentist.pk, -cast.acme.pk):
            assert day_keys.destroy_unused(agency_id=cast.acme.pk, client_id=holder, at=later) == 0
        registers.purge(agency_id=cast.acme.pk, at=later)
    for holder, key in ((cast.dentist.pk, exported), (-cast.acme.pk, proof.file_key)):
        assert vault.key_days(holder, files.PURPOSE, before=later.date())
        with files.open(holder, key) as file:
            assert file.read()


def test_a_folder_is_ours_in_a_new_installation_and_after_an_upgrade(cast: Cast, media: Path) -> None:
    assert not any(files.is_ours(folder) for folder in Folder)
    assert facts() == []
    stored(cast.dentist, media)
    assert own_folders.settle(at=make.now()) == []
    assert all(files.is_ours(folder) for folder in Folder)
    marks = {folder: files.read_mark(folder) for folder in Folder}
    assert own_folders.settle(at=make.now()) == []
    assert {folder: files.read_mark(folder) for folder in Folder} == marks


def test_a_new_installation_has_nothing_to_forget_and_its_folders_are_ours_at_once(cast: Cast) -> None:
    tasks.sweep_files.run()
    assert all(files.is_ours(folder) for folder in Folder)
    assert not waits(cast)


def test_files_alone_that_no_row_names_prove_nothing(cast: Cast, media: Path) -> None:
    left = uuid.uuid4()
    files.write(cast.dentist.pk, left, io.BytesIO(b"somebody's"), at=make.now())
    age(media / "sealed" / str(cast.dentist.pk) / left.hex, 2)
    with pytest.raises(ForeignFolderError):
        files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.now())
    assert files.exists(cast.dentist.pk, left)


def test_a_folder_with_the_mark_of_another_installation_is_not_ours(cast: Cast, media: Path) -> None:
    stored(cast.dentist, media)
    assert own_folders.settle(at=make.now()) == []
    (media / "sealed" / "installation").write_text(uuid.uuid4().hex)
    assert own_folders.settle(at=make.now()) == [Folder.SEALED]
    (media / "sealed" / "installation").write_bytes(b"\xff\xfe")
    assert own_folders.settle(at=make.now()) == [Folder.SEALED]


def test_a_mark_that_was_written_before_the_vault_forgot_it_is_taken_up(cast: Cast, media: Path) -> None:
    stored(cast.dentist, media)
    export(cast, media)
    there = {folder: uuid.uuid4() for folder in Folder}
    for folder, mark in there.items():
        files.write_mark(folder, mark)
    assert own_folders.settle(at=make.now()) == []
    assert {folder: files.read_mark(folder) for folder in Folder} == there


def test_another_bucket_of_recordings_is_not_ours(cast: Cast, media: Path) -> None:
    stores = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "recordings": stores}):
        stored_at = make.recording(make.call(cast.dentist, "+12025550142"), "https://example.com/1")
        key = uuid.uuid4()
        with job_scope(agency_id=cast.acme.pk):
            Recording.objects.filter(pk=stored_at.pk).update(
                file_key=key, file_size=5, media_type="audio/mpeg", stored_at=make.now() - timedelta(days=2)
            )
        name = f"recordings/{cast.dentist.pk}/{key.hex}"
        storages["recordings"].save(name, ContentFile(b"sound"))
        assert own_folders.settle(at=make.now()) == []
        assert storages["recordings"].exists("recordings/installation")
    with override_settings(STORAGES={**settings.STORAGES, "recordings": stores}):
        assert own_folders.settle(at=make.now()) == [Folder.RECORDINGS]
        with pytest.raises(ForeignFolderError):
            files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.now())
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.get(pk=stored_at.pk).file_key == key


def test_the_doctor_says_that_the_folder_is_another_and_what_to_do(cast: Cast, media: Path) -> None:
    stored(cast.dentist, media)
    with elsewhere(media):
        (one,) = doctor.CHECKS[LOOK](make.now)
        assert (one.grave, "manage.py own_folders" in one.to_do) == (doctor.WRONG, True)
        assert str(media.parent / "other") in one.fact
    assert facts() == []
    sweep(cast)
    assert facts() == []
    with elsewhere(media):
        assert len(facts()) == 2
        assert not (media.parent / "other").exists(), "a look writes nothing"


def test_somebody_who_runs_the_machine_says_that_the_folder_is_right_and_it_is_written_down(
    cast: Cast, media: Path
) -> None:
    row = stored(cast.dentist, media)
    sweep(cast)
    before = files.read_mark(Folder.RECORDINGS)
    with elsewhere(media):
        with pytest.raises(CommandError, match="--why"):
            call_command("own_folders")
        out = io.StringIO()
        call_command("own_folders", "--why", "the disk burnt", stdout=out)
        assert "sealed, recordings" in out.getvalue()
        assert files_sweep.sweep_client(
            agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.now()
        ) == files_sweep.Swept(missing=1)
        out = io.StringIO()
        call_command("own_folders", "--why", "again", stdout=out)
        assert "nothing to do" in out.getvalue()
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.get(pk=row.pk).file_key is None
    assert {event.details["folder"] for event in HouseEvent.objects.filter(action="folder.declared")} == {
        "sealed", "recordings",
    }  # fmt: skip
    # The folder of before is found again: nothing in it goes until somebody says that it is right.
    assert files.read_mark(Folder.RECORDINGS) == before
    assert set(own_folders.settle(at=make.now())) == set(Folder)
    assert row.file_key is not None
    assert path_of(media, cast.dentist, row.file_key).exists()


def test_a_disk_that_goes_in_the_middle_of_a_sweep_lets_no_row_forget(
    cast: Cast, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, key, proof = stored(cast.dentist, media), export(cast, media), certificate(cast, with_file=True)
    sweep(cast)
    monkeypatch.setattr(own_folders, "require_ours", lambda **_: None)
    at = make.now()
    with elsewhere(media):
        with pytest.raises(ForeignFolderError, match="recordings"):
            files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=at)
        monkeypatch.setattr(files_sweep, "_recordings_without_file", lambda *_: 0)
        with pytest.raises(ForeignFolderError, match="sealed"):
            files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=at)
        with pytest.raises(ForeignFolderError, match="sealed"):
            files_sweep.sweep_own(agency_id=cast.acme.pk, at=make.now())
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.get(pk=row.pk).file_key == row.file_key
        assert CallExport.objects.get().file_key == key
        assert Completion.objects.get().file_key == proof.file_key


def test_of_two_workers_with_a_folder_each_one_is_first(cast: Cast, media: Path) -> None:
    assert own_folders.settle(at=make.now()) == []
    with elsewhere(media):
        assert not any(files.make_ours(folder, at=make.now()) for folder in Folder)
        assert set(own_folders.settle(at=make.now())) == set(Folder)
    assert own_folders.settle(at=make.now()) == []


def test_a_store_that_gives_a_mark_another_name_has_none(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_mark(Folder.RECORDINGS, uuid.uuid4())
    before = files.read_mark(Folder.RECORDINGS)
    monkeypatch.setattr(FileSystemStorage, "delete", lambda *_: None)
    with pytest.raises(FileExistsError):
        files.declare_ours(Folder.RECORDINGS, at=make.now())
    assert files.read_mark(Folder.RECORDINGS) == before
    assert vault.folder_mark(Folder.RECORDINGS) is None


def test_the_doctor_says_that_a_bucket_does_not_answer(
    cast: Cast, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise RuntimeError("EndpointConnectionError")

    stores = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "recordings": stores}):
        assert files.where(Folder.RECORDINGS) == "the bucket of recordings"
    monkeypatch.setattr(own_folders, "foreign", fails)
    (found,) = next(one.findings for one in doctor.examine(make.now) if one.title == LOOK)
    assert found.fact == "It could not be looked at: RuntimeError."
    assert "such as a bucket" in found.to_do


def test_the_command_is_the_apps_and_waits_for_a_restore_that_is_not_made_good(
    cast: Cast, media: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(cast.dentist, media)
    with elsewhere(media):
        with pytest.raises(CommandError, match="--why: "):
            call_command("own_folders", "--why", "Ann, +12025550142, said so")
        monkeypatch.setattr(lineage.remembered, "lineage", lineage.Lineage.VAULT_OLDER)
        with pytest.raises(CommandError, match="after_restore"):
            call_command("own_folders", "--why", "lost")
        settings.CALLPRIVACY_ROLE = "owner"
        with pytest.raises(CommandError, match="as the app"):
            call_command("own_folders", "--why", "lost")
        assert not (media.parent / "other").exists()
