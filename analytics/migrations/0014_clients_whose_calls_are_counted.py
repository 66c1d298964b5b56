"""
Reports may say that many calls wait to be counted. Nobody reads which hours do: a caller's no touches theirs.

A client is named where a hundred different hours wait, or ten and nothing was counted of it yet: a file that was
brought, or another rule, and no one person's calls.
"""

from django.db import migrations

_COUNTING = """
CREATE FUNCTION analytics_counting(clients bigint[]) RETURNS SETOF bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT client FROM unnest(clients) AS client
    WHERE client IN (SELECT scope_clients('view_analytics')) AND (
        SELECT count(*) FROM (
            SELECT DISTINCT hour FROM analytics_touched WHERE client_id = client LIMIT 100
        ) AS waiting
    ) >= CASE WHEN EXISTS (SELECT FROM analytics_span WHERE client_id = client) THEN 100 ELSE 10 END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("analytics", "0013_files_that_wait_to_be_signed")]

    operations = [migrations.RunSQL(_COUNTING, "DROP FUNCTION analytics_counting(bigint[]);")]
