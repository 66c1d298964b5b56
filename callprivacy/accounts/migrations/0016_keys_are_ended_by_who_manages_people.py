"""Who ends a person's access sees the keys that the person made, and ends them, at clients that are not granted, too."""

from django.db import migrations

_TABLE = "accounts_apikey"
_GRANTED = (
    "agency_id = (SELECT scope_agency())"
    " AND client_id = ANY (ARRAY(SELECT scope_clients('manage_connections')))"
)
_MANAGERS = f"({_GRANTED}) OR (agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients()))"


def _policies(condition: str) -> str:
    # Making one stays with who manages connections there.
    return (
        f"ALTER POLICY {_TABLE}_read ON {_TABLE} USING ({condition});"
        f"ALTER POLICY {_TABLE}_update ON {_TABLE} USING ({condition}) WITH CHECK ({condition});"
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_permissions_by_name")]

    operations = [migrations.RunSQL(_policies(_MANAGERS), _policies(_GRANTED))]
