"""Deeds on the trail: writing an event, sealing, verifying, exporting."""

from callprivacy.audit.services.exporting import export_bundle, record_export
from callprivacy.audit.services.recording import (
    NotInTransactionError,
    NotRecordableError,
    PersonalValueError,
    erase_reasons,
    open_reason,
    record,
    record_house,
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
from callprivacy.audit.services.verifying import Finding, Verification, verify_agency

SEALING_ERRORS = (SinkError, RestoredError, TailCutError)

__all__ = [
    "SEALING_ERRORS",
    "Finding",
    "NotInTransactionError",
    "NotRecordableError",
    "PersonalValueError",
    "RestoredError",
    "SinkError",
    "TailCutError",
    "Verification",
    "declare_restore",
    "erase_reasons",
    "export_bundle",
    "open_reason",
    "rebuild_checkpoints",
    "record",
    "record_export",
    "record_house",
    "seal_events",
    "start_epoch",
    "verify_agency",
]
