"""A public page of an agency, which works in the scope of client 0, writes events of no client."""

from django.db import migrations

_IN_AGENCY = "agency_id = (SELECT scope_agency())"
_STAFF_OR_JOB = f"{_IN_AGENCY} AND (SELECT scope_kind()) IN ('staff', 'job')"
_JUST_WRITTEN = "xid = pg_current_xact_id_if_assigned()"
_HONEST = "xid = pg_current_xact_id() AND epoch = (SELECT audit_current_epoch())"
_OWN = f"actor_user_id = (SELECT scope_user()) OR {_JUST_WRITTEN}"
_BEFORE = "client_id = (SELECT scope_client())"
_NOW = "coalesce(client_id, 0) = (SELECT scope_client())"


def _alter(mine: str) -> str:
    page = f"""({_IN_AGENCY} AND (SELECT scope_kind()) = 'client' AND {mine})
        OR (SELECT scope_kind()) = 'operator'"""
    viewers = f"""({_IN_AGENCY} AND (SELECT scope_kind()) = 'job')
        OR ({_IN_AGENCY} AND (SELECT scope_kind()) = 'staff' AND ((SELECT scope_knows_all_clients()) OR {_OWN}))
        OR ({_JUST_WRITTEN} AND ({page}))"""
    return f"""
        ALTER POLICY audit_event_read ON audit_event USING ({viewers});
        ALTER POLICY audit_event_insert ON audit_event WITH CHECK ({_HONEST} AND (({_STAFF_OR_JOB}) OR {page}));
    """


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_databases_of_one_age")]

    operations = [migrations.RunSQL(_alter(_NOW), _alter(_BEFORE))]
