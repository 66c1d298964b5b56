from django.db import migrations

_AGENCY = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job')"
_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
_HOSTS = f"{_AGENCY} AND ((SELECT scope_knows_all_clients()) OR host_id = (SELECT scope_user()))"


def _read(table: str, condition: str) -> str:
    return f"ALTER POLICY {table}_read ON {table} USING ({condition});"


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0009_offices_of_states'),
    ]

    operations = [
        migrations.RunSQL(_read("governance_entry", _HOSTS), _read("governance_entry", _MANAGERS)),
        # An entry names its site; where the agency's own people work is no secret among them.
        migrations.RunSQL(_read("governance_site", _AGENCY), _read("governance_site", _MANAGERS)),
    ]
