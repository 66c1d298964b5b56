"""
Whether the folder of files and the place of recordings are this installation's, before anything is said to be lost.

Each has an id that the vault knows. It is made where nothing can be lost, or where a file that a row names is there;
otherwise somebody who runs the machine mounts the right folder, or declares that this one is right now. A disk that is
not mounted, another machine's folder and another bucket have no such id, and then no row forgets and no file goes.
See docs/runbook.md, OtherFolder.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import batched
from typing import Final

from callprivacy.audit import services as audit
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault.files import Folder
from callprivacy.work import services as work
from retention.selectors import named_files

log = logger(__name__)

FOREIGN: Final = "folder_foreign"
_PAGE: Final = 1_000


class ForeignFolderError(RuntimeError):
    """A folder of files is not known to be ours, and nothing may be swept in it."""

    def __init__(self, folders: Iterable[Folder]) -> None:
        names = ", ".join(folders)
        super().__init__(f"Not known to be ours, or not mounted: {names}. See manage.py doctor.")


def foreign() -> list[Folder]:
    """The places that are not ours, nor may become so by themselves. Outside any scope; nothing is written."""
    return [folder for folder in Folder if not files.is_ours(folder) and not _may_become_ours(folder)]


def settle(*, at: datetime) -> list[Folder]:
    """
    Make ours what may become so, and return the places that are not. Outside any scope; safe to run twice.

    Where one is not, none becomes so: both may lie on the disk that is not mounted, and only one of them be missed.
    """
    return foreign() or [
        folder for folder in Folder if not files.is_ours(folder) and not files.make_ours(folder, at=at)
    ]


def require_ours(*, agency_id: int, at: datetime) -> None:
    """
    Refuse to go on where a place is not ours, and let somebody at the agency know. Outside any scope.

    :raises ForeignFolderError: one is not.
    """
    found = settle(at=at)
    if not found:
        return
    log.error("folder.foreign", folders=", ".join(found))
    with job_scope(agency_id=agency_id):
        work.open_item(FOREIGN, agency_id=agency_id, key="own", at=at, count=len(found))
    raise ForeignFolderError(found)


def confirm(folder: Folder) -> None:
    """
    Look once more before rows forget: a disk may have gone since it was looked at.

    :raises ForeignFolderError: it has.
    """
    if not files.is_ours(folder):
        raise ForeignFolderError([folder])


def close_item(*, agency_id: int, by: Actor, at: datetime) -> None:
    """Both are ours: what was said about them waits no more. In the agency's scope."""
    work.close_item(FOREIGN, agency_id=agency_id, key="own", at=at, by=by)


def declare(folders: Collection[Folder], *, why: str, at: datetime) -> None:
    """Let places be ours as they are: what is not there counts as lost from then on. Outside any scope."""
    for folder in folders:
        audit.record_house("folder.declared", at=at, folder=folder.value, why=why)
        files.declare_ours(folder, at=at)


def _may_become_ours(folder: Folder) -> bool:
    """Whether the vault knows no id, and nothing can be lost here or a file that a row names is there."""
    if vault.folder_mark(folder) is not None:
        return False
    if files.holds_files(folder):
        return any(_has_named_file(folder, agency_id) for agency_id in tenancy.agency_ids())
    return not any(_names_any(folder, agency_id) for agency_id in tenancy.agency_ids())


def _names_any(folder: Folder, agency_id: int) -> bool:
    with job_scope(agency_id=agency_id):
        return named_files.names_any(folder, agency_id=agency_id)


def _has_named_file(folder: Folder, agency_id: int) -> bool:
    with job_scope(agency_id=agency_id):
        holders = list(Client.objects.filter(agency_id=agency_id).order_by("pk").values_list("pk", flat=True))
    if folder is Folder.SEALED:
        holders.append(-agency_id)
    for holder in holders:
        for page in batched(files.found(folder, holder), _PAGE):
            with job_scope(agency_id=agency_id):
                named = named_files.of_holder(folder, agency_id=agency_id, holder=holder)
                if any(rows.filter(**{f"{name}__in": page}).exists() for rows, name in named):
                    return True
    return False
