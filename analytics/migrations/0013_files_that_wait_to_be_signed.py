"""
A no looks at files that wait for their signature as well: else it might be committed only after one was signed and built.

Whoever writes the no holds the file's row until its commit, so that signing waits for it.
"""

from django.db import migrations

_LOOK = """
CREATE OR REPLACE FUNCTION analytics_look_at_files() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE analytics_release SET look_due_at = now()
    WHERE kind = 'pseudonymised' AND state IN ({states})
        AND client_id IN (SELECT DISTINCT client_id FROM fresh);
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("analytics", "0012_own_groups")]

    operations = [
        migrations.RunSQL(
            _LOOK.format(states="'waiting', 'approved', 'released'"),
            _LOOK.format(states="'approved', 'released'"),
        ),
    ]
