"""An agency's own row is changed by jobs and by who manages people or clients; nobody else."""

from django.db import migrations

_MANAGERS = "id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
_ANYBODY = "id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job')"


def _writes(condition: str) -> str:
    return (
        f"ALTER POLICY tenancy_agency_insert ON tenancy_agency WITH CHECK ({condition});"
        f"ALTER POLICY tenancy_agency_update ON tenancy_agency USING ({condition}) WITH CHECK ({condition});"
        f"ALTER POLICY tenancy_agency_delete ON tenancy_agency USING ({condition});"
    )


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0001_initial")]

    operations = [migrations.RunSQL(_writes(_MANAGERS), _writes(_ANYBODY))]
