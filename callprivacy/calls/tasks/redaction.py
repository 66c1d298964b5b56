"""What waited for a hold to end, of calls from which their tracker has redacted the person."""

from callprivacy.calls.services import redaction
from callprivacy.tenancy.jobs import agency_job

redact_released = agency_job(name="calls.redact_released", every=3600, work_for=40)(redaction.work_off)
