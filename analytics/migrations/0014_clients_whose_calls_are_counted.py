"""
Reports may say that many calls wait to be counted. Nobody reads which hours do: a caller's no touches theirs.

A client is named where a rule that counts was changed, where a file is or just was on its way in, where nothing was
counted yet and ten people called, or where a hundred different hours wait. So one person alone has a client named only
by a no of somebody who called in a hundred hours of the last month. Older hours are touched when months are rolled.
"""

from django.db import migrations

_COUNTING = """
CREATE FUNCTION analytics_counting(clients bigint[]) RETURNS SETOF bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT client FROM unnest(clients) AS client
    WHERE client IN (SELECT scope_clients('view_analytics'))
        AND EXISTS (SELECT FROM analytics_touched WHERE client_id = client)
        AND (
            EXISTS (SELECT FROM analytics_touched WHERE client_id = client AND hour IS NULL)
            OR EXISTS (
                SELECT FROM calls_callimport WHERE client_id = client AND added > 0
                    AND (state = 'running' OR finished_at > now() - interval '15 minutes')
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
    dependencies = (
        ("analytics", "0013_files_that_wait_to_be_signed"),
        ("calls", "0020_restricted_from_a_call_on"),
    )

    operations = (migrations.RunSQL(_COUNTING, "DROP FUNCTION analytics_counting(bigint[]);"),)
