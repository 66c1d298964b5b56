"""
Objections that wait for their answer stop direct marketing by the next run of the job; of those decided the step stays.
"""

from django.db import migrations

_DECIDED = """
    UPDATE rights_step SET kind = 'object'
    FROM rights_case WHERE rights_case.id = rights_step.case_id AND asks = 'object' AND rights_step.kind = 'suppress'
"""
_OPEN = """
    INSERT INTO rights_step (
        id, agency_id, client_id, case_id, kind, state, total, done, wanted, outcome, due_at, attempts, last_error, created_at
    )
    SELECT gen_random_uuid(), agency_id, client_id, id, 'suppress', 'waiting', 0, 0, '{}', '{}', now(), 0, '', now()
    FROM rights_case WHERE asks = 'object' AND decided_at IS NULL AND closed_at IS NULL
"""
_NEITHER = """
    DELETE FROM rights_step USING rights_case
    WHERE rights_case.id = rights_step.case_id AND asks = 'object' AND rights_step.kind = 'suppress'
"""
_BACK = """
    UPDATE rights_step SET kind = 'suppress'
    FROM rights_case WHERE rights_case.id = rights_step.case_id AND asks = 'object' AND rights_step.kind = 'object'
"""


class Migration(migrations.Migration):

    dependencies = [
        ('rights', '0017_marketing_stops_when_an_objection_comes_in'),
    ]

    operations = [
        migrations.RunSQL(_DECIDED, _BACK),
        migrations.RunSQL(_OPEN, _NEITHER),
    ]
