"""Texts of breaches, encrypted with one key for each breach."""

from datetime import datetime
from typing import Final
from uuid import UUID

from callprivacy.vault import selectors as vault_keys
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place
from governance.models import Breach, BreachNote, BreachNotice

type Row = Breach | BreachNote | BreachNotice

_PURPOSE: Final = "breach"


def key_of(*, agency_id: int, breach_id: UUID, at: datetime) -> Key:
    """Create the key when first needed."""
    vault.create_client_keys(client_id=-agency_id, agency_id=agency_id, at=at)
    return vault.purpose_key(client_id=-agency_id, purpose=f"{_PURPOSE}/{breach_id}", at=at)


def seal(text: str, *, row: Row, column: str, key: Key) -> bytes:
    return key.seal(text.encode(), _place(row, column))


def open_words(row: Row, column: str, *, key: Key | None) -> str:
    """Decrypt a column; empty if it is empty or its key is deleted."""
    sealed = getattr(row, column)
    if sealed is None or key is None:
        return ""
    return key.unseal(bytes(sealed), _place(row, column)).decode()


def find_key(breach: Breach) -> Key | None:
    try:
        keys = vault_keys.client_keys(-breach.agency_id)
    except vault_keys.NoClientKeyError:
        return None
    return vault_keys.uncalled_key(keys, vault_keys.purpose_id(-breach.agency_id, f"{_PURPOSE}/{breach.pk}"))


def _place(row: Row, column: str) -> Place:
    return Place(-row.agency_id, row._meta.db_table, column, row.pk)
