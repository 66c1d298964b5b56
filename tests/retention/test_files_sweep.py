"""Files are held against rows, both ways."""

import io
import os
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.apps import apps
from django.core.files.storage import FileSystemStorage
from django.db.models import UUIDField
from django.test import override_settings

from callprivacy.audit.models import Event
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallExport, Recording
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.work.models import Item
from consent.enums import ListKind
from consent.models import NumberList
from consent.services import registers, store
from governance.models import Completion
from governance.services import certificates as proofs
from retention.selectors import named_files
from retention.services import files_sweep
from retention.tasks import backups as tasks
from tests import clock, make
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Iterator[Path]:
    with override_settings(MEDIA_ROOT=tmp_path):
        yield tmp_path


def stored(of: Client, media: Path, *, days: int = 2) -> Recording:
    """A recording whose file lies here for so many days."""
    row = make.recording(make.call(of, "+12025550142"), "https://example.com/1")
    file_id = uuid.uuid4()
    with job_scope(agency_id=of.agency_id):
        key = vault.recording_keys(of.pk, [row.pk])[row.pk]
        with files.RecordingWriter(of.pk, file_id, key) as out:
            out.write(b"sound")
        when = make.now() - timedelta(days=days)
        Recording.objects.filter(pk=row.pk).update(
            file_key=file_id, file_size=5, media_type="audio/mpeg", stored_at=when
        )
    age(path_of(media, of, file_id), days)
    return Recording(pk=row.pk, file_key=file_id)


def path_of(media: Path, of: Client, file_id: uuid.UUID) -> Path:
    return media / "recordings" / str(of.pk) / file_id.hex


def age(path: Path, days: int) -> None:
    then = time.time() - clock.machine_to_suite() - days * 86400
    os.utime(path, (then, then))


def test_a_recording_whose_file_is_gone_says_so_and_somebody_is_told(cast: Cast, media: Path) -> None:
    lost, kept = stored(cast.dentist, media), stored(cast.plumber, media)
    assert lost.file_key is not None
    path_of(media, cast.dentist, lost.file_key).unlink()

    at = make.now()
    swept = files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=at)
    assert swept == files_sweep.Swept(removed=0, missing=1)
    assert files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=at).missing == 0
    files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.plumber.pk, at=at)

    with job_scope(agency_id=cast.acme.pk):
        row = Recording.objects.get(pk=lost.pk)
        assert (row.file_key, row.file_size, row.media_type, row.stored_at) == (None, None, "", None)
        assert row.reference is not None
        assert Recording.objects.get(pk=kept.pk).file_key == kept.file_key
        item = Item.objects.get(kind="files_missing")
        assert (item.client_id, item.count) == (cast.dentist.pk, 1)
        assert Event.objects.get(action="files.missed").details == {"kind": "recordings", "count": 1}


def test_a_file_that_no_row_names_goes_and_a_fresh_one_stays(cast: Cast, media: Path) -> None:
    row = stored(cast.dentist, media)
    with job_scope(agency_id=cast.acme.pk):
        key = vault.recording_keys(cast.dentist.pk, [row.pk])[row.pk]
    orphan, fresh = uuid.uuid4(), uuid.uuid4()
    for file_id in (orphan, fresh):
        with files.RecordingWriter(cast.dentist.pk, file_id, key) as out:
            out.write(b"sound")
    age(path_of(media, cast.dentist, orphan), 2)
    swept = files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.now())
    assert swept.removed == 1
    assert set(files.recording_ids(cast.dentist.pk)) == {row.file_key, fresh}


def test_a_store_is_asked_for_the_time_of_those_alone_that_no_row_names(
    cast: Cast, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [stored(cast.dentist, media) for _ in range(3)]
    orphan = path_of(media, cast.dentist, uuid.uuid4())
    orphan.write_bytes(b"sound")
    asked = mock.Mock(return_value=make.now() - timedelta(days=2, seconds=clock.machine_to_suite()))
    monkeypatch.setattr(FileSystemStorage, "get_modified_time", asked)
    monkeypatch.setattr(store, "_SWEPT_AT_ONCE", 2)
    assert store.sweep_files(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.now()) == 1
    assert [Path(call.args[-1]).name for call in asked.call_args_list] == [orphan.name]
    assert set(files.recording_ids(cast.dentist.pk)) == {row.file_key for row in rows}


def test_a_clients_other_files_go_as_well_once_no_row_names_them(cast: Cast, media: Path) -> None:
    at = make.now()
    named, orphan, fresh, others = (uuid.uuid4() for _ in range(4))
    for key in (named, orphan, fresh):
        files.write(cast.dentist.pk, key, io.BytesIO(b"rows"), at=at)
    files.write(cast.plumber.pk, others, io.BytesIO(b"rows"), at=at)
    for key in (named, orphan):
        age(media / "sealed" / str(cast.dentist.pk) / key.hex, 2)
    with job_scope(agency_id=cast.acme.pk):
        CallExport.objects.create(
            agency=cast.acme, client=cast.dentist, state=JobState.DONE, file_key=named, created_by=cast.alice.user,
            created_at=at, due_at=at,
        )  # fmt: skip
    swept = files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=at)
    assert swept == files_sweep.Swept(removed=1)
    assert [files.exists(cast.dentist.pk, key) for key in (named, orphan, fresh)] == [True, False, True]
    assert files.exists(cast.plumber.pk, others)


def test_every_column_that_may_name_a_file_is_known_to_the_sweep() -> None:
    """Whoever adds a column of ids says here that it names no file, or has the sweep ask it before a file goes."""
    columns = {
        field.name
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, UUIDField) and not field.primary_key
    }
    no_files = {name for name in columns if name.endswith("_id")} | {"cursor", "restricted_from", "mark"}
    assert columns - no_files == set(named_files.FILE_COLUMNS)


def test_an_export_whose_file_is_gone_names_none(cast: Cast) -> None:
    at = make.now()
    here, gone = uuid.uuid4(), uuid.uuid4()
    files.write(cast.dentist.pk, here, io.BytesIO(b"rows"), at=at)
    with job_scope(agency_id=cast.acme.pk):
        for key in (here, gone):
            CallExport.objects.create(
                agency=cast.acme,
                client=cast.dentist,
                state=JobState.DONE,
                file_key=key,
                created_by=cast.alice.user,
                created_at=at,
                due_at=at,
            )
    swept = files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=at)
    assert swept.missing == 1
    with job_scope(agency_id=cast.acme.pk):
        assert set(CallExport.objects.values_list("file_key", flat=True)) == {here, None}


def certificate(cast: Cast, *, with_file: bool) -> Completion:
    """A certificate of Bob's from elsewhere, its file in the agency's own folder."""
    at = make.now()
    with job_scope(agency_id=cast.acme.pk):
        proofs.open_holder(agency_id=cast.acme.pk, at=at)
    file_key = uuid.uuid4()
    if with_file:
        files.write(proofs.holder_of(cast.acme.pk), file_key, io.BytesIO(b"%PDF-1.7"), at=at)
    with job_scope(agency_id=cast.acme.pk):
        return Completion.objects.create(
            agency=cast.acme, user=cast.bob.user, course="passwords", issuer="A school", passed_on=at.date(),
            valid_until=at.date() + timedelta(days=365), file_key=file_key, file_digest=bytes(32), noted_at=at,
        )  # fmt: skip


def test_a_staff_members_certificate_outlives_the_sweep_of_the_agencys_own_folder(cast: Cast) -> None:
    row = certificate(cast, with_file=True)
    holder, orphan = proofs.holder_of(cast.acme.pk), uuid.uuid4()
    files.write(holder, orphan, io.BytesIO(b"of an upload that ended early"), at=make.now())
    swept = files_sweep.sweep_own(agency_id=cast.acme.pk, at=make.now() + timedelta(days=2))
    assert swept == files_sweep.Swept(removed=1)
    assert row.file_key is not None
    assert files.exists(holder, row.file_key)
    assert not files.exists(holder, orphan)


def test_a_clients_register_that_waits_outlives_the_sweep_of_the_agencys_own_folder(cast: Cast) -> None:
    """It counts for one client, and its file lies with the agency's."""
    holder = registers.open_holder(agency_id=cast.acme.pk, at=make.now())
    keys = [uuid.uuid4(), uuid.uuid4()]
    for key, client in zip(keys, (cast.dentist, None), strict=True):
        files.write(holder, key, io.BytesIO(b"2025550142"), at=make.now())
        with job_scope(agency_id=cast.acme.pk):
            NumberList.objects.create(
                agency=cast.acme, client=client, kind=ListKind.DO_NOT_CALL, name="State", as_of=make.NOON.date(),
                file_key=key, created_at=make.now(), due_at=make.now(),
            )  # fmt: skip
    at = make.now() + timedelta(days=2)
    assert files_sweep.sweep_own(agency_id=cast.acme.pk, at=at) == files_sweep.Swept()
    assert [files.exists(holder, key) for key in keys] == [True, True]


def test_a_file_that_is_being_written_meanwhile_is_whole(cast: Cast) -> None:
    make.own_folders()
    key = uuid.uuid4()
    with files.Writer(cast.dentist.pk, key, at=make.now()) as out:
        out.write(b"ro")
        files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.now())
        out.write(b"ws")
    assert files.exists(cast.dentist.pk, key)


def test_a_row_of_the_agencys_own_whose_file_is_gone_names_none_and_somebody_is_told(cast: Cast) -> None:
    kept, lost = certificate(cast, with_file=True), certificate(cast, with_file=False)
    tasks.sweep_files.run()
    with job_scope(agency_id=cast.acme.pk):
        assert Completion.objects.get(pk=kept.pk).file_key == kept.file_key
        assert Completion.objects.get(pk=lost.pk).file_key is None
        item = Item.objects.get(kind="own_files_missing")
        assert (item.client_id, item.count) == (None, 1)
        event = Event.objects.get(action="files.missed")
        assert event.details == {"kind": "governance.completion", "count": 1}
        assert not files_sweep.claim_own(agency_id=cast.acme.pk, at=make.now())
    assert files_sweep.sweep_own(agency_id=cast.acme.pk, at=make.now()) == files_sweep.Swept()


def test_what_stops_the_sweep_of_the_agencys_own_files_keeps_no_clients_turn(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    handed_out: list[int] = []

    def stops(**_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(files_sweep, "sweep_own", stops)
    monkeypatch.setattr(
        tasks.sweep_client_files, "apply_async", lambda *, kwargs, **_: handed_out.append(kwargs["client_id"])
    )
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep_files.run()
    assert set(handed_out) >= {cast.dentist.pk, cast.plumber.pk}


def test_each_client_has_its_turn_once_a_day(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        first = files_sweep.claim(agency_id=cast.acme.pk, at=make.NOON)
        assert first == sorted([cast.dentist.pk, cast.plumber.pk])
        assert files_sweep.claim(agency_id=cast.acme.pk, at=make.NOON + timedelta(hours=3)) == []
        assert files_sweep.claim(agency_id=cast.acme.pk, at=make.NOON + timedelta(days=1)) == first
    assert (
        files_sweep.sweep_client(agency_id=cast.globex.pk, client_id=cast.dentist.pk, at=make.NOON)
        == files_sweep.Swept()
    )
