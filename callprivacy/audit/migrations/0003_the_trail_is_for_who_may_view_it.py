"""A person reads the trail as admin or officer; everybody else sees what they did themselves."""

from django.db import migrations

_IN_AGENCY = "agency_id = (SELECT scope_agency())"
_JUST_WRITTEN = "xid = pg_current_xact_id_if_assigned()"
_CLIENT_OR_OPERATOR = f"""
    ({_IN_AGENCY} AND (SELECT scope_kind()) = 'client' AND client_id = (SELECT scope_client()))
    OR (SELECT scope_kind()) = 'operator'
"""
_OWN = f"actor_user_id = (SELECT scope_user()) OR {_JUST_WRITTEN}"
_WRITER = f"({_JUST_WRITTEN} AND ({_CLIENT_OR_OPERATOR}))"
_VIEWERS = f"""({_IN_AGENCY} AND (SELECT scope_kind()) = 'job')
    OR ({_IN_AGENCY} AND (SELECT scope_kind()) = 'staff' AND ((SELECT scope_knows_all_clients()) OR {_OWN}))
    OR {_WRITER}"""
_ANYBODY = f"({_IN_AGENCY} AND (SELECT scope_kind()) IN ('staff', 'job')) OR {_WRITER}"


def _read(condition: str) -> str:
    return f"ALTER POLICY audit_event_read ON audit_event USING ({condition});"


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_words_need_the_clients_grant")]

    operations = [migrations.RunSQL(_read(_VIEWERS), _read(_ANYBODY))]
