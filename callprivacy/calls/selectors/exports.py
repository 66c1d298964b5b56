"""What rows say of how far an export is, of calls or of anything else that a job writes into a file."""

import uuid
from datetime import datetime
from typing import Protocol

from callprivacy.calls.enums import JobState
from callprivacy.lib.status import Progress, Reader, Thing, words_for


class Export(Protocol):
    """A row of an export."""

    state: str
    file_key: uuid.UUID | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None


def words_of(found: Progress) -> str:
    """How far an export is, in words."""
    return words_for(found, Reader.OFFICER, thing=Thing.EXPORT)


def progress_of(export: Export, *, at: datetime) -> Progress:
    """How far an export is. Who took its file is in the audit log, which not everybody who exports may read."""
    is_written = export.state == JobState.DONE
    is_gone = is_written and export.file_key is None
    is_late = is_written and not is_gone and (export.expires_at is None or export.expires_at <= at)
    return Progress(
        planned=1,
        planned_at=export.created_at,
        sent=int(is_written),
        sent_at=export.finished_at if is_written else None,
        failed=int(export.state == JobState.FAILED),
        cancelled=int(export.state == JobState.CANCELLED),
        late=int(is_late),
        gone=int(is_gone),
        is_known=export.state not in {JobState.DRAFT, JobState.QUEUED},
    )
