"""Uploads that never lie in the clear on a disk: what arrives is sealed piece by piece."""

import hashlib
import uuid
from datetime import datetime
from typing import Any, BinaryIO, Final

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload

from callprivacy.calls.services.imports import Stored
from callprivacy.vault import files

UPLOAD_AT_MOST: Final = 1 << 30


class SealedUpload(UploadedFile):  # type: ignore[type-arg]  # it is no file in memory at all
    """A file that has arrived and is sealed. Only its size and what it is stored as are known."""

    def __init__(self, stored: Stored, field_name: str | None) -> None:
        super().__init__(file=None, name="calls", size=stored.size)
        self.field_name = field_name
        self.stored = stored


class SealingUpload(FileUploadHandler):
    """
    Seals one uploaded file under a client's key; more than one, or more than `at_most` bytes, is not read.

    `forget_unclaimed` deletes what nobody has claimed by the end of the request.
    """

    def __init__(self, client_id: int, *, at: datetime, at_most: int = UPLOAD_AT_MOST) -> None:
        super().__init__()
        self._client_id, self._at, self._at_most = client_id, at, at_most
        self._writer: files.Writer | None = None
        self._digest = hashlib.sha256()
        self._file_id: uuid.UUID | None = None
        self.is_too_large = False
        self.is_claimed = False

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._file_id is not None:
            raise StopUpload(connection_reset=False)
        self._file_id = uuid.uuid4()
        self._writer = files.Writer(self._client_id, self._file_id, at=self._at)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._writer is None:
            return
        if start + len(raw_data) > self._at_most:
            self.is_too_large = True
            raise StopUpload(connection_reset=False)
        self._writer.write(raw_data)
        self._digest.update(raw_data)

    def file_complete(self, file_size: int) -> SealedUpload | None:
        if self._writer is None or self._file_id is None:
            return None
        self._writer.close()
        stored = Stored(self._file_id, file_size, self._digest.digest())
        return SealedUpload(stored, self.field_name)

    def upload_interrupted(self) -> None:
        """Leave nothing behind."""
        if self._writer is not None:
            self._writer.discard()

    def forget_unclaimed(self) -> None:
        """Delete the file, unless an import has it."""
        if self._writer is None or self._file_id is None or self.is_claimed:
            return
        self._writer.discard()
        files.delete(self._client_id, self._file_id)


def opened(client_id: int, stored: Stored) -> BinaryIO:
    """The sealed file, for a look at its head."""
    return files.open(client_id, stored.file_id)
