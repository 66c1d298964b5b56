"""A no to sharing, or a mark of a minor, ends files of calls that were written before, and has those begun anew that are being written."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0020_agents_note_minors"),
        ("calls", "0019_calls_that_no_webhook_brought"),
    ]

    operations = [
        migrations.RunSQL(
            """
            CREATE FUNCTION consent_end_files_of_calls() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = public, pg_temp AS $$
            DECLARE
                told bigint[];
            BEGIN
                IF TG_TABLE_NAME = 'consent_minormark' THEN
                    SELECT array_agg(DISTINCT f.client_id) INTO told FROM fresh f WHERE EXISTS (
                        SELECT FROM calls_call c WHERE c.client_id = f.client_id AND c.caller_id = f.caller_id);
                ELSE
                    SELECT array_agg(DISTINCT f.client_id) INTO told FROM fresh f
                    WHERE to_jsonb(f) -> 'purposes' ? 'share' AND EXISTS (
                        SELECT FROM calls_call c WHERE c.client_id = f.client_id AND c.caller_id = f.caller_id);
                END IF;
                UPDATE calls_callexport SET expires_at = finished_at
                WHERE client_id = ANY(told) AND file_key IS NOT NULL AND expires_at > finished_at;
                UPDATE calls_callexport SET state = 'queued', due_at = now()
                WHERE client_id = ANY(told) AND state = 'running';
                RETURN NULL;
            END $$;
            CREATE TRIGGER consent_end_files_of_calls AFTER INSERT ON consent_withdrawal
                REFERENCING NEW TABLE AS fresh
                FOR EACH STATEMENT EXECUTE FUNCTION consent_end_files_of_calls();
            CREATE TRIGGER consent_end_files_of_calls AFTER INSERT ON consent_minormark
                REFERENCING NEW TABLE AS fresh
                FOR EACH STATEMENT EXECUTE FUNCTION consent_end_files_of_calls();
            """,
            "DROP FUNCTION consent_end_files_of_calls() CASCADE;",
        ),
    ]
