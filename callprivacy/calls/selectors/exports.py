"""What rows say of how far an export of calls is."""

from __future__ import annotations

from datetime import datetime

from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallExport
from callprivacy.lib.status import Progress


def progress_of(export: CallExport, *, at: datetime) -> Progress:
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
