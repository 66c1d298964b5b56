"""The agency's own case has word to recipients of each client that it reaches."""

from django.db import migrations

_WITHIN_AGENCY = """
ALTER TABLE rights_recipientnotice DROP CONSTRAINT rights_recipientnotice_case_id_same_holder;
ALTER TABLE rights_case ADD CONSTRAINT rights_case_in_agency UNIQUE (agency_id, id);
ALTER TABLE rights_recipientnotice ADD CONSTRAINT rights_recipientnotice_case_same_agency
    FOREIGN KEY (agency_id, case_id) REFERENCES rights_case (agency_id, id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""
_SAME_HOLDER = """
ALTER TABLE rights_recipientnotice DROP CONSTRAINT rights_recipientnotice_case_same_agency;
ALTER TABLE rights_case DROP CONSTRAINT rights_case_in_agency;
ALTER TABLE rights_recipientnotice ADD CONSTRAINT rights_recipientnotice_case_id_same_holder
    FOREIGN KEY (agency_id, holder, case_id) REFERENCES rights_case (agency_id, holder, id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [("rights", "0001_the_rows_of_requests")]

    operations = [migrations.RunSQL(_WITHIN_AGENCY, _SAME_HOLDER)]
