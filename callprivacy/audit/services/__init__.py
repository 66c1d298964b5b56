"""Deeds on the trail: writing an event, sealing, verifying, exporting."""

from callprivacy.audit.services.exporting import (
    TooManyRowsError,
    export_bundle,
    export_table,
    write_bundle,
)
from callprivacy.audit.services.leaving import (
    BusyError,
    NotLeavingError,
    Wish,
    leave,
    leave_again,
    said_before,
)
from callprivacy.audit.services.recording import (
    NotInTransactionError,
    NotRecordableError,
    PersonalValueError,
    ReasonUnreadError,
    count_own_reasons,
    count_reasons,
    erase_own_reasons,
    erase_reasons,
    erase_reasons_about,
    erase_reasons_of,
    event_of,
    open_reason,
    open_reason_of,
    own_reasons_before,
    own_reasons_by_day,
    reasons_before,
    record,
    record_house,
    require_reason_read,
    told_of,
)
from callprivacy.audit.services.refusals import fold_refusals, record_refusal
from callprivacy.audit.services.sealing import (
    RestoredError,
    SealChangedError,
    TailCutError,
    UnreadableError,
    declare_restore,
    ids_went_back,
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

SEALING_ERRORS = (SinkError, RestoredError, SealChangedError, TailCutError, UnreadableError)
