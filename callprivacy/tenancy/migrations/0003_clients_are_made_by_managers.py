"""A client is made and removed by jobs and by who manages clients; who manages its retention only changes it."""

from django.db import migrations

_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
_GRANTED = (
    "agency_id = (SELECT scope_agency()) AND ((SELECT scope_knows_all_clients())"
    " OR id = ANY (ARRAY(SELECT scope_clients('manage_retention'))))"
)


def _writes(condition: str) -> str:
    return (
        f"ALTER POLICY tenancy_client_insert ON tenancy_client WITH CHECK ({condition});"
        f"ALTER POLICY tenancy_client_delete ON tenancy_client USING ({condition});"
    )


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0002_managers_alone_change_the_agency")]

    operations = [migrations.RunSQL(_writes(_MANAGERS), _writes(_GRANTED))]
