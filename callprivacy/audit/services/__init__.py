"""Deeds on the trail: writing an event, sealing, verifying, exporting."""

from callprivacy.audit.services.exporting import (
    TooManyRowsError,
    export_bundle,
    export_table,
    write_bundle,
)
from callprivacy.audit.services.leaving import NotLeavingError, Wish, leave, leave_again, said_before
from callprivacy.audit.services.recording import (
    NotInTransactionError,
    NotRecordableError,
    PersonalValueError,
    count_own_reasons,
    count_reasons,
    erase_own_reasons,
    erase_reasons,
    erase_reasons_about,
    erase_reasons_of,
    open_reason,
    own_reasons_before,
    own_reasons_by_day,
    reasons_before,
    record,
    record_house,
    told_of,
)
from callprivacy.audit.services.sealing import (
    RestoredError,
    TailCutError,
    declare_restore,
    rebuild_checkpoints,
    seal_events,
    start_epoch,
)
from callprivacy.audit.services.sink import SinkError
from callprivacy.audit.services.verifying import (
    EVENTS_WHILE_WAITING,
    Finding,
    TooLongError,
    Verification,
    check_trail,
    verify_agency,
)

SEALING_ERRORS = (SinkError, RestoredError, TailCutError)

__all__ = [
    "EVENTS_WHILE_WAITING",
    "SEALING_ERRORS",
    "Finding",
    "NotInTransactionError",
    "NotLeavingError",
    "NotRecordableError",
    "PersonalValueError",
    "RestoredError",
    "SinkError",
    "TailCutError",
    "TooLongError",
    "TooManyRowsError",
    "Verification",
    "Wish",
    "check_trail",
    "count_own_reasons",
    "count_reasons",
    "declare_restore",
    "erase_own_reasons",
    "erase_reasons",
    "erase_reasons_about",
    "erase_reasons_of",
    "export_bundle",
    "export_table",
    "leave",
    "leave_again",
    "open_reason",
    "own_reasons_before",
    "own_reasons_by_day",
    "reasons_before",
    "rebuild_checkpoints",
    "record",
    "record_house",
    "said_before",
    "seal_events",
    "start_epoch",
    "told_of",
    "verify_agency",
    "write_bundle",
]
