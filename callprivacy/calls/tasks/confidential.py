"""Rules by which calls become confidential, over the calls that are here."""

from callprivacy.calls.services import confidential_rules
from callprivacy.tenancy.jobs import agency_job

apply_confidential_rules = agency_job(name="calls.apply_confidential_rules", every=60)(
    confidential_rules.apply_rules
)
