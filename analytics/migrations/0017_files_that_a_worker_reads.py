"""
A file is on its way in while a worker goes on with it, or did within a quarter of an hour.

One that was begun and whose file was replaced or taken away stayed so for a day, and nothing was judged meanwhile. A
worker that puts a file down for the next one ends its lease with that moment, so that the lease alone says too little.
Who sees calls sees counts of them on the first page, and is told as well that they are being counted.
"""

from django.db import migrations

_COUNTING = """
CREATE OR REPLACE FUNCTION analytics_counting(clients bigint[]) RETURNS SETOF bigint LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT client FROM unnest(clients) AS client
    WHERE (client IN (SELECT scope_clients('view_analytics')) OR client IN (SELECT scope_clients('view_calls')))
        AND EXISTS (SELECT FROM analytics_touched WHERE client_id = client)
        AND (
            EXISTS (SELECT FROM analytics_touched WHERE client_id = client AND hour IS NULL)
            OR EXISTS (
                SELECT FROM calls_callimport WHERE client_id = client AND added > 0 AND (
                    state = 'running' AND due_at > now() - interval '15 minutes'
                    OR finished_at > now() - interval '15 minutes'
                )
            )
            OR NOT EXISTS (SELECT FROM analytics_span WHERE client_id = client) AND 10 = (
                SELECT count(*) FROM (
                    SELECT DISTINCT caller_id FROM calls_call WHERE client_id = client LIMIT 10
                ) AS callers
            )
            OR 100 = (
                SELECT count(*) FROM (
                    SELECT DISTINCT hour FROM analytics_touched
                    WHERE client_id = client AND hour > now() - interval '34 days' LIMIT 100
                ) AS hours
            )
        )
$$;
"""


class Migration(migrations.Migration):
    dependencies = (("analytics", "0016_touched_hours_have_an_age"),)

    operations = (migrations.RunSQL(_COUNTING, migrations.RunSQL.noop),)
