from django.db import migrations

# Also whose evidence was taken away, and whose number was shown for something that is no call.
_NOW = """
CREATE OR REPLACE FUNCTION governance_impact(since timestamptz, until timestamptz, wanted text[], person bigint, actor text)
RETURNS TABLE (is_all integer, client bigint, deed varchar, deeds bigint, taken bigint, people bigint, gone bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan SET work_mem = '64MB' SET jit = off AS $$
DECLARE mine bigint := scope_agency();
BEGIN
    IF NOT scope_knows_all_clients() THEN
        RETURN;
    END IF;
    -- What names no call names its caller, or is a number that was shown for something else: its reveal knows whose.
    -- Each call is looked up once, and what is different is counted by hashing: sorting names took most of the time.
    RETURN QUERY
        WITH read AS MATERIALIZED (
            SELECT e.client_id, e.action, count(*) AS deeds, sum((e.details ->> 'rows')::bigint) AS taken,
                   CASE WHEN e.subject_kind = 'calls.call' THEN e.subject_id::uuid END AS call_id,
                   CASE WHEN e.subject_kind = 'calls.caller' THEN e.subject_id::uuid
                        WHEN e.action = 'number.revealed' AND e.subject_kind <> 'calls.call' THEN (
                            SELECT v.caller_id FROM calls_reveal v
                            WHERE v.agency_id = mine AND v.event_id = e.id LIMIT 1
                        ) END AS shown_id
            FROM audit_event e
            WHERE e.agency_id = mine AND e.at >= since AND e.at < until AND e.action = ANY (wanted)
              AND (person IS NULL OR e.actor_user_id = person) AND (actor = '' OR e.actor_name = actor)
            GROUP BY 1, 2, 5, 6
        ), named AS MATERIALIZED (
            SELECT r.*, CASE WHEN r.shown_id IS NULL THEN c.caller_id ELSE (
                       SELECT k.id FROM calls_caller k WHERE k.client_id = r.client_id AND k.id = r.shown_id
                   ) END AS caller_id
            FROM read r LEFT JOIN calls_call c ON c.client_id = r.client_id AND c.id = r.call_id
        ), lines AS (
            SELECT n.client_id, n.action, sum(n.deeds)::bigint AS deeds, coalesce(sum(n.taken), 0)::bigint AS taken,
                   count(coalesce(n.call_id, n.shown_id)) FILTER (WHERE n.caller_id IS NULL) AS gone
            FROM named n GROUP BY 1, 2
        ), known AS (
            SELECT k.client_id, k.action, count(*) AS people
            FROM (SELECT DISTINCT n.client_id, n.action, n.caller_id FROM named n WHERE n.caller_id IS NOT NULL) k
            GROUP BY 1, 2
        )
        SELECT 0, l.client_id, l.action, l.deeds, l.taken, coalesce(k.people, 0), l.gone
        FROM lines l LEFT JOIN known k ON k.client_id = l.client_id AND k.action = l.action
        UNION ALL
        SELECT 1, NULL, NULL, 0, 0, count(*), 0
        FROM (SELECT DISTINCT n.caller_id FROM named n WHERE n.caller_id IS NOT NULL) a
        ORDER BY 1, 2 NULLS LAST, 3;
END $$;
"""
_WAS = """
CREATE OR REPLACE FUNCTION governance_impact(since timestamptz, until timestamptz, wanted text[], person bigint, actor text)
RETURNS TABLE (is_all integer, client bigint, deed varchar, deeds bigint, taken bigint, people bigint, gone bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan SET work_mem = '64MB' SET jit = off AS $$
DECLARE mine bigint := scope_agency();
BEGIN
    IF NOT scope_knows_all_clients() THEN
        RETURN;
    END IF;
    -- Each call is looked up once, and what is different is counted by hashing: sorting names took most of the time.
    RETURN QUERY
        WITH read AS MATERIALIZED (
            SELECT e.client_id, e.action, count(*) AS deeds, sum((e.details ->> 'rows')::bigint) AS taken,
                   CASE WHEN e.subject_kind = 'calls.call' THEN e.subject_id::uuid END AS call_id
            FROM audit_event e
            WHERE e.agency_id = mine AND e.at >= since AND e.at < until AND e.action = ANY (wanted)
              AND (person IS NULL OR e.actor_user_id = person) AND (actor = '' OR e.actor_name = actor)
            GROUP BY 1, 2, 5
        ), named AS MATERIALIZED (
            SELECT r.*, c.caller_id FROM read r LEFT JOIN calls_call c ON c.client_id = r.client_id AND c.id = r.call_id
        ), lines AS (
            SELECT n.client_id, n.action, sum(n.deeds)::bigint AS deeds, coalesce(sum(n.taken), 0)::bigint AS taken,
                   count(n.call_id) FILTER (WHERE n.caller_id IS NULL) AS gone
            FROM named n GROUP BY 1, 2
        ), known AS (
            SELECT k.client_id, k.action, count(*) AS people
            FROM (SELECT DISTINCT n.client_id, n.action, n.caller_id FROM named n WHERE n.caller_id IS NOT NULL) k
            GROUP BY 1, 2
        )
        SELECT 0, l.client_id, l.action, l.deeds, l.taken, coalesce(k.people, 0), l.gone
        FROM lines l LEFT JOIN known k ON k.client_id = l.client_id AND k.action = l.action
        UNION ALL
        SELECT 1, NULL, NULL, 0, 0, count(*), 0
        FROM (SELECT DISTINCT n.caller_id FROM named n WHERE n.caller_id IS NOT NULL) a
        ORDER BY 1, 2 NULLS LAST, 3;
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ("governance", "0004_breaches_told_in_phases"),
        ("calls", "0019_calls_that_no_webhook_brought"),
    ]

    operations = [migrations.RunSQL(_NOW, _WAS)]
