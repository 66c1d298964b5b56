"""Which folder of files is this installation's: the id that lies in it, as the vault knows it."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connections, transaction

from callprivacy.vault.services.keys import VAULT

_INSERT: Final = "INSERT INTO vault_foldermark (folder, mark, made_at) VALUES (%s, %s, %s)"
_FIRST: Final = f"{_INSERT} ON CONFLICT (folder) DO NOTHING"
_INSTEAD: Final = (
    f"{_INSERT} ON CONFLICT (folder) DO UPDATE SET mark = excluded.mark, made_at = excluded.made_at"
)


def note_first_mark(folder: str, mark: UUID, *, at: datetime) -> bool:
    """
    Note a folder's id where the vault knows none; whether this is it now.

    In a transaction of the vault, in which the folder is written as well: who asks meanwhile waits for its end.
    """
    return _note(_FIRST, folder, mark, at)


def note_mark(folder: str, mark: UUID, *, at: datetime) -> None:
    """Note a folder's id in place of the one before, in such a transaction as well."""
    _note(_INSTEAD, folder, mark, at)


def _note(statement: str, folder: str, mark: UUID, at: datetime) -> bool:
    with transaction.atomic(using=VAULT), connections[VAULT].cursor() as cursor:
        cursor.execute(statement, [folder, mark, at])
        return bool(cursor.rowcount)
