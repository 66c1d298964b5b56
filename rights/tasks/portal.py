"""What public pages leave behind, and notices that say what is no longer so."""

from callprivacy.tenancy.jobs import agency_job
from rights.services import house_codes, notice

purge_codes = agency_job(name="rights.purge_codes", every=3600)(house_codes.purge)
watch_notices = agency_job(name="rights.watch_notices", every=3600)(notice.watch)
