"""Which rows name a sealed file, whichever room their table is in."""

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.db.models import Model

from callprivacy.calls.models import Recording
from callprivacy.tenancy.models import AgencyOwned, ClientOwned
from callprivacy.vault.files import Folder

FILE_COLUMNS: Final = ("file_key", "picture_key", "result_key", "members_key")
"""What a column is called that names a sealed file (`tests/retention/test_files_sweep.py` knows every other one)."""


def of_client(client_id: int) -> Iterator[tuple[Any, str]]:
    """
    (rows, column): what may name a file in a client's folder. Recordings lie elsewhere.

    Rows that may be a client's or the agency's own say by `holder_id` in whose folder their files are.
    """
    for model in apps.get_models():
        if _is_of_clients(model) and model is not Recording:
            yield from _columns(model, model._default_manager.filter(client_id=client_id))


def own(agency_id: int) -> Iterator[tuple[Any, str]]:
    """
    (rows, column): what may name a file in the agency's own folder: a register's, too, that counts for one client.
    """
    for model in apps.get_models():
        if issubclass(model, AgencyOwned):
            mine = {"client_id": None} if hasattr(model, "holder_id") else {}
            yield from _columns(model, model._default_manager.filter(agency_id=agency_id, **mine))


def of_holder(folder: Folder, *, agency_id: int, holder: int) -> Iterator[tuple[Any, str]]:
    """(rows, column): what may name a file of a client's, or of the agency's own (its id below zero), in a place."""
    if folder is Folder.RECORDINGS:
        return iter([(Recording.objects.filter(client_id=holder), "file_key")])
    return own(agency_id) if holder < 0 else of_client(holder)


def names_any(folder: Folder, *, agency_id: int) -> bool:
    """Whether any row of an agency names a file in a place, in its scope."""
    return any(
        rows.filter(**{f"{name}__isnull": False}).exists()
        for model in apps.get_models()
        if (_is_of_clients(model) or issubclass(model, AgencyOwned))
        and (model is Recording) == (folder is Folder.RECORDINGS)
        for rows, name in _columns(model, model._default_manager.filter(agency_id=agency_id))
    )


def _is_of_clients(model: type[Model]) -> bool:
    return issubclass(model, ClientOwned) or hasattr(model, "holder_id")


def _columns(model: type[Model], rows: Any) -> Iterator[tuple[Any, str]]:
    columns = {field.name for field in model._meta.concrete_fields}
    yield from ((rows, name) for name in FILE_COLUMNS if name in columns)
