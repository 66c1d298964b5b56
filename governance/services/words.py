"""
What people write of breaches, sealed under a key of each breach that the agency holds; without that key it is noise.
"""

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
    """The key of one breach, made when first needed."""
    vault.create_client_keys(client_id=-agency_id, agency_id=agency_id, at=at)
    return vault.purpose_key(client_id=-agency_id, purpose=f"{_PURPOSE}/{breach_id}", at=at)


def seal(text: str, *, row: Row, column: str, key: Key) -> bytes:
    return key.seal(text.encode(), _place(row, column))


def open_words(row: Row, column: str, *, key: Key | None) -> str:
    """What stands in a sealed column; empty where nothing does, or where its key is gone."""
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
