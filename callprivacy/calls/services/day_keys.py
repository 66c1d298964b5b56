"""
Events of a tracker and sealed files live for days; the keys of their days go after them.

A row that was deleted stands in old copies of the database, a deleted file in old copies of the state folder.
With its day's key destroyed in the vault none of them opens any more.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from callprivacy.audit import services as audit
from callprivacy.calls.services import inbox
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault

# Longer than anything sealed under a day's key is kept: seven days, and what a sweep that was late left lying.
KEPT_FOR: Final = timedelta(days=9)
JOB: Final = Actor.job("calls.sweep_day_keys")


def destroy_unused(*, agency_id: int, client_id: int, at: datetime) -> int:
    """
    Destroy a client's keys of days more than nine days ago that no event and no file needs any more.

    Called outside any scope; safe to run twice. Returns how many were destroyed. Keys of files stay while the folder
    of files is not known to be ours.
    """
    before = at.astimezone(UTC).date() - KEPT_FOR
    days = {
        purpose: vault_selectors.key_days(client_id, purpose, before=before)
        for purpose in (inbox.PURPOSE, files.PURPOSE)
    }
    with job_scope(agency_id=agency_id):
        used = {
            inbox.PURPOSE: inbox.days_left(client_id=client_id, days=days[inbox.PURPOSE]),
            files.PURPOSE: files.days(client_id),
        }
        if days[files.PURPOSE] and not files.is_ours(files.Folder.SEALED):
            # What lies on a disk that is not mounted needs its key, and is not seen in another folder.
            days[files.PURPOSE] = []
        unused = [
            vault_selectors.of_day(purpose, day)
            for purpose, of_purpose in days.items()
            for day in of_purpose
            if day not in used[purpose]
        ]
        if unused:
            audit.record("keys.swept", by=JOB, at=at, client_id=client_id, count=len(unused))
    # Nothing new comes under an old day's key, so that none of them is needed again meanwhile.
    return sum(vault.destroy_purpose_key(client_id=client_id, purpose=purpose) for purpose in unused)
