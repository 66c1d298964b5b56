"""Recordings' files: sealed under the recording's own key, read from any place on, wherever they lie."""

import io
import random
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import storages
from django.test import override_settings

from callprivacy.vault import files
from callprivacy.vault.sealing import Key, SealBrokenError, new_key
from tests import clock

CLIENT = 41
HEAD = 4 + 29 + 32
PIECE = files.CHUNK + 16
CONTENT = random.Random(7).randbytes(3 * files.CHUNK + 11)


@pytest.fixture(params=["folder", "memory"], autouse=True)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    changed: dict[str, Any] = dict(settings.STORAGES)
    if request.param == "memory":
        changed["recordings"] = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    with override_settings(MEDIA_ROOT=tmp_path, STORAGES=changed):
        yield request.param


@pytest.fixture
def key() -> Key:
    return Key(new_key())


def write(key: Key, content: bytes = CONTENT, size: int = 10_000) -> uuid.UUID:
    file_id = uuid.uuid4()
    with files.RecordingWriter(CLIENT, file_id, key) as out:
        for start in range(0, len(content), size):
            out.write(content[start : start + size])
    assert out.size == len(content)
    return file_id


def stored(file_id: uuid.UUID) -> bytes:
    with storages["recordings"].open(f"recordings/{CLIENT}/{file_id.hex}") as file:
        return bytes(file.read())


def replaced(file_id: uuid.UUID, content: bytes) -> None:
    name = f"recordings/{CLIENT}/{file_id.hex}"
    storages["recordings"].delete(name)
    storages["recordings"].save(name, io.BytesIO(content))


@pytest.mark.parametrize("length", [0, 1, files.CHUNK - 1, files.CHUNK, files.CHUNK + 1, 2 * files.CHUNK])
def test_what_was_written_is_read(key: Key, length: int) -> None:
    file_id = write(key, CONTENT[:length])
    with files.open_recording(CLIENT, file_id, key) as file:
        assert file.size == length
        assert file.read() == CONTENT[:length]
    assert len(stored(file_id)) == HEAD + length + 16 * max(1, -(-length // files.CHUNK))


def test_any_part_is_read_without_the_rest(key: Key) -> None:
    file_id, chance = write(key), random.Random(3)
    with files.open_recording(CLIENT, file_id, key) as file:
        for _ in range(200):
            start, length = chance.randrange(len(CONTENT)), chance.randrange(90_000)
            assert file.seek(start) == file.tell() == start
            found = b""
            while len(found) < length and (piece := file.read(length - len(found))):
                found += piece
            assert found == CONTENT[start : start + length]
        assert file.seek(-3, io.SEEK_END) == len(CONTENT) - 3
        assert file.read() == CONTENT[-3:]
        assert file.seek(10**9) == 10**9
        assert file.read(1) == b""


def test_nothing_of_it_lies_in_the_clear(key: Key) -> None:
    file_id = write(key, b"spoken words " * 10_000)
    assert b"spoken" not in stored(file_id)
    assert b"words" not in stored(file_id)


def test_another_recordings_key_opens_nothing(key: Key) -> None:
    file_id = write(key)
    with pytest.raises(SealBrokenError):
        files.open_recording(CLIENT, file_id, Key(new_key()))


@pytest.mark.parametrize("cut", [1, 11, 27, 28, PIECE, PIECE + 27, 3 * PIECE + 27, 3 * PIECE + 40])
def test_a_file_that_ends_early_does_not_open(key: Key, cut: int) -> None:
    file_id = write(key)
    replaced(file_id, stored(file_id)[:-cut])
    with pytest.raises(SealBrokenError):
        files.open_recording(CLIENT, file_id, key)


@pytest.mark.parametrize("at", [0, 3, 5, HEAD - 1, HEAD, HEAD + PIECE + 5, -1])
def test_a_flipped_bit_gives_nothing_out(key: Key, at: int) -> None:
    file_id = write(key)
    changed = bytearray(stored(file_id))
    changed[at] ^= 1
    replaced(file_id, bytes(changed))
    with pytest.raises(SealBrokenError), files.open_recording(CLIENT, file_id, key) as file:
        file.read()


def test_swapped_pieces_do_not_open(key: Key) -> None:
    file_id = write(key)
    body = stored(file_id)
    one, two = body[HEAD : HEAD + PIECE], body[HEAD + PIECE : HEAD + 2 * PIECE]
    replaced(file_id, body[:HEAD] + two + one + body[HEAD + 2 * PIECE :])
    with pytest.raises(SealBrokenError), files.open_recording(CLIENT, file_id, key) as file:
        file.read()


def test_another_clients_place_does_not_open(key: Key) -> None:
    file_id = write(key)
    storages["recordings"].save(f"recordings/{CLIENT + 1}/{file_id.hex}", io.BytesIO(stored(file_id)))
    with pytest.raises(SealBrokenError):
        files.open_recording(CLIENT + 1, file_id, key)


def test_what_was_begun_and_not_finished_is_not_there(key: Key) -> None:
    file_id = uuid.uuid4()
    contents: list[Any] = [CONTENT, "no bytes"]
    with pytest.raises(TypeError), files.RecordingWriter(CLIENT, file_id, key) as out:
        list(map(out.write, contents))
    assert files.recording_ids(CLIENT) == []
    with pytest.raises(FileNotFoundError):
        files.open_recording(CLIENT, file_id, key)


def test_a_file_is_never_written_over(key: Key) -> None:
    file_id = write(key, b"first")
    with pytest.raises(FileExistsError), files.RecordingWriter(CLIENT, file_id, key) as out:
        out.write(b"second")
    assert files.recording_ids(CLIENT) == [file_id]
    with files.open_recording(CLIENT, file_id, key) as file:
        assert file.read() == b"first"


def test_deleting_leaves_nothing_and_may_be_repeated(key: Key, tmp_path: Path) -> None:
    one, two = write(key), write(key)
    assert set(files.recording_ids(CLIENT)) == {one, two}
    files.delete_recording(CLIENT, one)
    files.delete_recording(CLIENT, one)
    assert files.recording_ids(CLIENT) == [two]
    files.delete_all(CLIENT)
    assert files.recording_ids(CLIENT) == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_stranger_among_the_files_is_nobodys(key: Key) -> None:
    storages["recordings"].save(f"recordings/{CLIENT}/readme.txt", io.BytesIO(b"x"))
    assert files.recording_ids(CLIENT) == []


def test_on_this_machine_only_we_read_it(key: Key, storage: str, tmp_path: Path) -> None:
    if storage != "folder":
        pytest.skip("a folder's own")
    file_id = write(key)
    path = tmp_path / "recordings" / str(CLIENT) / file_id.hex
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_library_that_asks_first_may_read_from_any_place(key: Key) -> None:
    """As `io` does before it buffers."""
    with io.BufferedReader(files.open_recording(CLIENT, write(key), key)) as file:
        assert file.seek(files.CHUNK - 2) == files.CHUNK - 2
        assert file.read(5) == CONTENT[files.CHUNK - 2 : files.CHUNK + 3]


def test_a_recording_is_there_until_it_is_deleted(key: Key) -> None:
    file_id = write(key, b"x")
    assert files.recording_exists(CLIENT, file_id)
    assert not files.recording_exists(CLIENT + 1, file_id)
    files.delete_recording(CLIENT, file_id)
    assert not files.recording_exists(CLIENT, file_id)


def test_the_sweep_is_told_only_of_what_was_stored_before(key: Key) -> None:
    file_id = write(key, b"x")
    stored_at = storages["recordings"].get_modified_time(f"recordings/{CLIENT}/{file_id.hex}")
    stored_at += timedelta(seconds=clock.machine_to_suite())
    assert not files.is_recording_older(CLIENT, file_id, than=stored_at)
    assert files.is_recording_older(CLIENT, file_id, than=stored_at + timedelta(microseconds=1))
    files.delete_recording(CLIENT, file_id)
    assert not files.is_recording_older(CLIENT, file_id, than=stored_at + timedelta(days=1))
