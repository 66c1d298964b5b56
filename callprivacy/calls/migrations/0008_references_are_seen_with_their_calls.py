"""
Who sees a call sees the keyed digests of what it is called elsewhere: by them the ledger names a single call, and
whether it may be heard is decided when a person asks for it.
"""

from django.db import migrations

_READ = (
    "ALTER POLICY calls_callref_read ON calls_callref USING"
    " (agency_id = (SELECT scope_agency()) AND client_id = ANY (ARRAY(SELECT scope_clients('{}'))))"
)


class Migration(migrations.Migration):
    dependencies = [("calls", "0007_holds_and_what_is_gone")]

    operations = [migrations.RunSQL(_READ.format("view_calls"), _READ.format("no_permission"))]
