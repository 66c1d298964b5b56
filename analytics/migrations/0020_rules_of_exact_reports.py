"""What counts as a conversion is read by who sees exact reports, too."""

from django.db import migrations

_READ = "ALTER POLICY analytics_reportrule_read ON analytics_reportrule USING (agency_id = (SELECT scope_agency()) AND {})"
_EITHER = (
    "(client_id = ANY (ARRAY(SELECT scope_clients('view_analytics')))"
    " OR client_id = ANY (ARRAY(SELECT scope_clients('view_exact_reports'))))"
)


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0019_confidential_calls_touch"),
        ("accounts", "0025_calls_give_exact_reports"),
    ]

    operations = [
        migrations.RunSQL(
            _READ.format(_EITHER),
            _READ.format("client_id = ANY (ARRAY(SELECT scope_clients('view_analytics')))"),
        )
    ]
