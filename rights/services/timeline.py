"""A line of a case's timeline, and the trail's event of the same deed."""

from datetime import datetime

from callprivacy.audit import services as audit
from callprivacy.lib import ids
from callprivacy.lib.scope import Actor
from callprivacy.vault.sealing import Key
from rights.enums import EventKind
from rights.models import Case, CaseEvent
from rights.services import sealing


def add_event(
    action: str,
    *,
    case: Case,
    kind: EventKind,
    by: Actor,
    at: datetime,
    words: str = "",
    key: Key | None = None,
    shown: bool = False,
    reason: str | None = None,
    **details: str | int | bool | None,
) -> CaseEvent:
    """
    Write a deed into the trail and into the case's timeline.

    :param action: as the trail says it, "case.opened". :param words: what was said, sealed under `key`.
    :param shown: the person's own page shows the line. :param details: small facts, never personal values.
    """
    event = audit.record(action, subject=case, by=by, at=at, reason=reason, **details)  # type: ignore[arg-type]  # no detail is named so
    row = CaseEvent(
        id=ids.made_at(at, 1)[0],
        agency_id=case.agency_id,
        client_id=case.client_id,
        case=case,
        kind=kind,
        at=at,
        user_id=by.user_id,
        by=by.name,
        shown=shown,
        details=details,
        event_id=event.pk,
    )
    if words:
        row.words = sealing.seal(
            row, "words", words, key or sealing.key_of(submission=case.submission, at=at)
        )
    row.save(force_insert=True)
    return row
