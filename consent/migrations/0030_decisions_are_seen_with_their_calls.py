"""Who does not see a confidential call does not see what was decided of it either."""

from django.db import migrations

_READ = (
    "ALTER POLICY consent_decision_read ON consent_decision USING (agency_id = (SELECT scope_agency())"
    " AND client_id = ANY (ARRAY(SELECT scope_clients('view_calls'))){more});"
)
_WITH_CALL = (
    " AND ((SELECT scope_kind()) <> 'staff' OR EXISTS (SELECT FROM calls_call c"
    " WHERE c.client_id = consent_decision.client_id AND c.id = consent_decision.call_id))"
)


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0029_withdrawals_name_the_statutory_date"),
        ("calls", "0027_confidential_calls"),
    ]

    operations = [migrations.RunSQL(_READ.format(more=_WITH_CALL), _READ.format(more=""))]
