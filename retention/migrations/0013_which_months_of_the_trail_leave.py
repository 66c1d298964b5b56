"""
Which seals' events are due to leave, and what keeps the next ones: one function for the run, the preview and the
calendar, which sees every client's rows, also where who looks is not granted them. It tells numbers alone.
"""

from django.db import migrations

# A year by the database's clock, as audit_leave has it; for the calendar that of a day to come.
_DUE = """
CREATE FUNCTION retention_trail_due(before timestamptz, facts text[], most bigint, ahead integer)
RETURNS TABLE (first_seal bigint, last_seal bigint, events bigint, held bigint, kept_by text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    mine bigint := scope_agency();
    stop bigint;
    b_epoch integer := 0;
    b_xid xid8 := '0';
    b_id bigint := 0;
    final record;
    stays record;
BEGIN
    IF mine IS NULL OR before IS NULL OR NOT coalesce(scope_kind() = 'job' OR scope_signs_off(), false) THEN
        RETURN;
    END IF;
    SELECT coalesce(max(l.last_seal), 0) + 1 INTO first_seal FROM audit_leaving l WHERE l.agency_id = mine;
    held := 0; events := 0; kept_by := '';

    -- Seals of before the end of the month, a year old by this clock.
    SELECT s.number INTO stop FROM audit_seal s
        WHERE s.agency_id = mine AND s.number >= first_seal
          AND (s.signed_at >= before OR s.sealed_at > clock_timestamp() + ahead * interval '1 day' - interval '8760 hours')
        ORDER BY s.number LIMIT 1;
    IF stop IS NULL THEN
        SELECT max(s.number) INTO last_seal FROM audit_seal s WHERE s.agency_id = mine;
    ELSE
        last_seal := stop - 1;
    END IF;
    IF last_seal IS NULL OR last_seal < first_seal THEN
        RETURN;
    END IF;
    SELECT s.epoch, s.until_xid, s.until_id INTO b_epoch, b_xid, b_id
        FROM audit_seal s WHERE s.agency_id = mine AND s.number = first_seal - 1;
    IF b_epoch IS NULL THEN
        b_epoch := 0; b_xid := '0'; b_id := 0;
    END IF;
    SELECT s.epoch, s.until_xid, s.until_id INTO final
        FROM audit_seal s WHERE s.agency_id = mine AND s.number = last_seal;

    -- The first event that stays, and why.
    SELECT e.epoch, e.xid, e.id, w.why INTO stays
        FROM audit_event e,
        LATERAL (SELECT CASE
            WHEN e.at >= before THEN ''
            WHEN e.client_id IS NOT NULL AND EXISTS (
                SELECT FROM tenancy_client c
                WHERE c.agency_id = mine AND c.id = e.client_id AND c.retention_state = 'observe') THEN 'observed'
            WHEN e.reason_hash <> '' AND EXISTS (SELECT FROM audit_reason r WHERE r.event_id = e.id) THEN 'reason'
            WHEN e.action = 'consent.recorded' AND EXISTS (
                SELECT FROM consent_consentevent c
                WHERE c.client_id = e.client_id AND c.recorded_at = e.at AND c.audit_event_id = e.id) THEN 'consent'
            WHEN e.action = 'secret.first_seen' AND EXISTS (
                SELECT FROM unnest(facts) AS fact
                WHERE fact = (e.details ->> 'kind') || ':' || (e.details ->> 'name')
                   OR (split_part(fact, ':', 1) = e.details ->> 'kind' AND NOT EXISTS (
                        SELECT FROM audit_event n WHERE n.agency_id = mine AND n.action = e.action
                        AND (n.at, n.id) > (e.at, e.id) AND n.details ->> 'kind' = e.details ->> 'kind')))
                THEN 'secret'
            WHEN e.action IN ('endpoint.secret_rotated', 'alert_endpoint.secret_rotated') AND (
                    EXISTS (SELECT FROM consent_webhookendpoint p WHERE p.id::text = e.subject_id)
                    OR EXISTS (SELECT FROM retention_alertendpoint p WHERE p.id::text = e.subject_id)
                ) AND NOT EXISTS (
                    SELECT FROM audit_event n WHERE n.agency_id = mine AND n.action = e.action
                    AND n.subject_id = e.subject_id AND (n.at, n.id) > (e.at, e.id)) THEN 'secret'
            END AS why) w
        WHERE e.agency_id = mine AND w.why IS NOT NULL
          AND (e.epoch, e.xid, e.id) >= (b_epoch, b_xid, b_id)
          AND (e.epoch, e.xid, e.id) < (final.epoch, final.until_xid, final.until_id)
        ORDER BY e.epoch, e.xid, e.id LIMIT 1;
    IF stays.id IS NOT NULL THEN
        kept_by := stays.why;
        SELECT max(s.number) INTO last_seal FROM audit_seal s
            WHERE s.agency_id = mine AND s.number BETWEEN first_seal AND last_seal
              AND (s.epoch, s.until_xid, s.until_id) <= (stays.epoch, stays.xid, stays.id);
    END IF;
    IF last_seal IS NOT NULL AND most IS NOT NULL THEN
        SELECT coalesce(max(t.number) FILTER (WHERE t.sum <= most), min(t.number)) INTO last_seal
            FROM (SELECT s.number, sum(s.count) OVER (ORDER BY s.number) FROM audit_seal s
                  WHERE s.agency_id = mine AND s.number BETWEEN first_seal AND last_seal
                  ORDER BY s.number LIMIT 10000) t;
    END IF;
    SELECT coalesce(sum(s.count), 0) INTO events FROM audit_seal s
        WHERE s.agency_id = mine AND s.number BETWEEN first_seal AND last_seal;
    -- Any case may need to know who did what: an open hold of the agency, whatever it covers, keeps it all.
    IF EXISTS (SELECT FROM retention_hold h WHERE h.agency_id = mine AND h.lifted_at IS NULL) THEN
        held := events; events := 0; last_seal := first_seal - 1; kept_by := 'hold';
    END IF;
    last_seal := coalesce(last_seal, first_seal - 1);
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION retention_trail_due(timestamptz, text[], bigint, integer) FROM PUBLIC;

-- The longest that any client says of the staff trail, and that policy's version; none where no client says anything.
CREATE FUNCTION retention_trail_longest(beside bigint) RETURNS TABLE (days integer, version integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.keep_for_days, p.version FROM retention_policy p
    WHERE p.agency_id = scope_agency() AND (scope_kind() = 'job' OR scope_signs_off())
      AND p.category = 'trail' AND p.client_id IS NOT NULL AND p.client_id IS DISTINCT FROM beside
    ORDER BY p.keep_for_days DESC, p.version DESC LIMIT 1
$$;
REVOKE ALL ON FUNCTION retention_trail_longest(bigint) FROM PUBLIC;
"""
_NOT_DUE = """
DROP FUNCTION retention_trail_due(timestamptz, text[], bigint, integer);
DROP FUNCTION retention_trail_longest(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("retention", "0012_what_the_agency_keeps_of_its_own"),
        ("audit", "0007_months_that_leave"),
        ("consent", "0021_noes_end_files_of_calls"),
        ("tenancy", "0013_public_keys_of_clients_that_left"),
    ]

    operations = [migrations.RunSQL(_DUE, _NOT_DUE)]
