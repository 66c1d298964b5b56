"""Sealed files: what was changed, cut off or swapped does not open."""

import gc
import io
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from callprivacy.tenancy.models import Client
from callprivacy.vault import files, selectors, services
from callprivacy.vault.sealing import SealBrokenError
from tests import clock, make
from tests.make import NOON

pytestmark = pytest.mark.django_db

HEAD = 4 + 10 + 29 + 32
PIECE = files.CHUNK + 16
CANARY = b"+12025550147,"


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Iterator[Path]:
    with override_settings(MEDIA_ROOT=tmp_path):
        yield tmp_path


@pytest.fixture
def plumber() -> Client:
    return make.client(make.agency("Acme"), "Plumber")


def lies_at(client: Client, file_id: uuid.UUID) -> Path:
    (path,) = Path(settings.MEDIA_ROOT).rglob(file_id.hex)
    assert path.parent.name == str(client.pk)
    return path


def read(client: Client, file_id: uuid.UUID) -> bytes:
    with files.open(client.pk, file_id) as file:
        return file.read()


@pytest.mark.parametrize("length", [0, 1, files.CHUNK - 1, files.CHUNK, files.CHUNK + 1, 3 * files.CHUNK])
def test_what_was_written_is_read(plumber: Client, length: int) -> None:
    content, file_id = (CANARY * (length // len(CANARY) + 1))[:length], uuid.uuid4()
    assert files.write(plumber.pk, file_id, io.BytesIO(content), at=NOON) == length
    assert read(plumber, file_id) == content
    path = lies_at(plumber, file_id)
    assert CANARY not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_name_is_on_disk_as_well_as_the_content(plumber: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    file_id, synced = uuid.uuid4(), []

    def note(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        synced.append((path.suffix, path.is_dir() and (path / file_id.hex).exists()))

    monkeypatch.setattr("callprivacy.vault.files.os.fsync", note)
    files.write(plumber.pk, file_id, io.BytesIO(b"x"), at=NOON)
    assert synced == [(".part", False), ("", True)]


@pytest.fixture
def written(plumber: Client) -> uuid.UUID:
    """Four pieces, the last one short."""
    file_id = uuid.uuid4()
    content = b"".join(bytes([number]) * files.CHUNK for number in range(3)) + b"end"
    files.write(plumber.pk, file_id, io.BytesIO(content), at=NOON)
    return file_id


def pieces(content: bytes) -> tuple[bytes, list[bytes]]:
    body = content[HEAD:]
    return content[:HEAD], [body[at : at + PIECE] for at in range(0, len(body), PIECE)]


def broken(plumber: Client, file_id: uuid.UUID, content: bytes) -> None:
    lies_at(plumber, file_id).write_bytes(content)
    with pytest.raises(SealBrokenError):
        read(plumber, file_id)


def test_a_swapped_piece_does_not_open(plumber: Client, written: uuid.UUID) -> None:
    head, body = pieces(lies_at(plumber, written).read_bytes())
    broken(plumber, written, head + b"".join([body[1], body[0], *body[2:]]))


@pytest.mark.parametrize("keep", [0, 1, 2, 3])
def test_a_file_that_ends_early_does_not_open(plumber: Client, written: uuid.UUID, keep: int) -> None:
    head, body = pieces(lies_at(plumber, written).read_bytes())
    broken(plumber, written, head + b"".join(body[:keep]))


@pytest.mark.parametrize("cut", [1, 5, 18, 20, PIECE + 1])
def test_a_file_cut_anywhere_does_not_open(plumber: Client, written: uuid.UUID, cut: int) -> None:
    broken(plumber, written, lies_at(plumber, written).read_bytes()[:-cut])


def test_a_file_with_more_behind_it_does_not_open(plumber: Client, written: uuid.UUID) -> None:
    content = lies_at(plumber, written).read_bytes()
    broken(plumber, written, content + content[-19:])


@pytest.mark.parametrize("at", [0, 3, 4, 10, HEAD - 1, HEAD, HEAD + PIECE, -1])
def test_a_flipped_bit_does_not_open(plumber: Client, written: uuid.UUID, at: int) -> None:
    content = bytearray(lies_at(plumber, written).read_bytes())
    content[at] ^= 1
    broken(plumber, written, bytes(content))


def test_another_files_or_clients_content_does_not_open(plumber: Client, written: uuid.UUID) -> None:
    other = uuid.uuid4()
    files.write(plumber.pk, other, io.BytesIO(b"other"), at=NOON)
    content = lies_at(plumber, written).read_bytes()
    broken(plumber, other, content)
    dentist = make.client(plumber.agency, "Dentist")
    third = uuid.uuid4()
    files.write(dentist.pk, third, io.BytesIO(b"third"), at=NOON)
    broken(dentist, third, content)


def test_deleting_leaves_nothing_and_may_be_repeated(
    plumber: Client, written: uuid.UUID, media: Path
) -> None:
    files.delete(plumber.pk, written)
    files.delete(plumber.pk, written)
    assert [path for path in media.rglob("*") if path.is_file()] == []
    with pytest.raises(FileNotFoundError):
        read(plumber, written)


def test_a_file_says_its_day_and_opens_only_while_the_days_key_is_there(plumber: Client) -> None:
    one, two = uuid.uuid4(), uuid.uuid4()
    today, morrow = NOON.date(), NOON.date() + timedelta(days=1)
    files.write(plumber.pk, one, io.BytesIO(b"one"), at=NOON)
    files.write(plumber.pk, two, io.BytesIO(b"two"), at=NOON + timedelta(hours=12))
    assert lies_at(plumber, two).read_bytes()[4:14] == str(morrow).encode()
    assert files.days(plumber.pk) == {today, morrow}

    assert services.destroy_purpose_key(client_id=plumber.pk, purpose=f"file/{today}")
    assert not services.destroy_purpose_key(client_id=plumber.pk, purpose=f"file/{today}")

    with pytest.raises(SealBrokenError):
        read(plumber, one)
    assert read(plumber, two) == b"two"
    assert selectors.key_days(plumber.pk, "file", before=today + timedelta(days=7)) == [morrow]


def test_what_is_no_file_of_ours_needs_no_key(plumber: Client, written: uuid.UUID) -> None:
    path = lies_at(plumber, written)
    for content in (b"", b"CPF\x01" + bytes(80), b"CPF\x02no-day-any" + bytes(80)):
        path.write_bytes(content)
        assert files.days(plumber.pk) == set()
        with pytest.raises(SealBrokenError):
            read(plumber, written)


def test_an_unfinished_file_is_not_there(plumber: Client, media: Path) -> None:
    file_id = uuid.uuid4()

    def fail() -> None:
        with files.Writer(plumber.pk, file_id, at=NOON) as out:
            out.write(b"half")
            raise RuntimeError("ended")

    with pytest.raises(RuntimeError, match="ended"):
        fail()
    assert [path for path in media.rglob("*") if path.is_file()] == []


def test_what_lies_too_long_is_found_and_remains_are_removed(
    plumber: Client, written: uuid.UUID, media: Path
) -> None:
    left = lies_at(plumber, written).with_name("abc.0123.part")
    left.write_bytes(b"x")
    mtime = lies_at(plumber, written).stat().st_mtime
    now = datetime.fromtimestamp(mtime, UTC) + timedelta(seconds=clock.machine_to_suite())
    assert files.ids(plumber.pk, older_than=now - timedelta(hours=1)) == []
    assert files.ids(plumber.pk, older_than=now + timedelta(hours=1)) == [written]
    assert not left.exists()
    files.delete_all(plumber.pk)
    assert files.ids(plumber.pk, older_than=now + timedelta(hours=1)) == []


def test_what_the_writer_forgot_is_not_there(plumber: Client, media: Path) -> None:
    """No `with`, and neither closed nor discarded."""
    out = files.Writer(plumber.pk, uuid.uuid4(), at=NOON)
    out.write(b"half")
    assert [path.suffix for path in media.rglob("*") if path.is_file()] == [".part"]

    del out
    gc.collect()
    assert [path for path in media.rglob("*") if path.is_file()] == []


def test_closing_twice_seals_once(plumber: Client) -> None:
    file_id = uuid.uuid4()
    with files.Writer(plumber.pk, file_id, at=NOON) as out:
        out.write(CANARY)
        out.close()
        sealed = lies_at(plumber, file_id).read_bytes()
    assert lies_at(plumber, file_id).read_bytes() == sealed
    assert read(plumber, file_id) == CANARY


def test_a_library_that_asks_first_may_write(plumber: Client) -> None:
    """As `io` does before it buffers."""
    file_id = uuid.uuid4()
    with io.BufferedWriter(files.Writer(plumber.pk, file_id, at=NOON)) as out:  # type: ignore[type-var]  # write is narrower than Buffer
        for _ in range(3):
            out.write(CANARY)
    assert read(plumber, file_id) == 3 * CANARY


def test_a_file_is_there_with_its_size_until_it_is_deleted(plumber: Client) -> None:
    file_id = uuid.uuid4()
    assert not files.exists(plumber.pk, file_id)
    files.write(plumber.pk, file_id, io.BytesIO(CANARY), at=NOON)
    assert files.exists(plumber.pk, file_id)
    assert files.size(plumber.pk, file_id) == HEAD + len(CANARY) + 16
    assert not files.exists(plumber.pk + 1, file_id)

    files.delete(plumber.pk, file_id)
    assert not files.exists(plumber.pk, file_id)
    with pytest.raises(FileNotFoundError):
        files.size(plumber.pk, file_id)
