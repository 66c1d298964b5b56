"""Whether a recording holds the announcement: where nobody has said it, it may be said once."""

from django.db import migrations, models

_KEEP = """
CREATE OR REPLACE FUNCTION calls_announcement_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND scope_kind() = 'job' THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE'
        AND (NEW.id, NEW.agency_id, NEW.client_id, NEW.tracking_number_id, NEW.words, NEW.from_at, NEW.written_by_id,
             NEW.written_at)
            IS NOT DISTINCT FROM
            (OLD.id, OLD.agency_id, OLD.client_id, OLD.tracking_number_id, OLD.words, OLD.from_at, OLD.written_by_id,
             OLD.written_at)
        AND (OLD.until_at IS NULL OR NEW.until_at IS NOT DISTINCT FROM OLD.until_at)
        AND (OLD.struck_at IS NULL OR NEW.struck_at IS NOT DISTINCT FROM OLD.struck_at){kept}
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'what was announced is not rewritten' USING ERRCODE = 'restrict_violation';
END $$;
"""
_ON_RECORDING = """
        AND (OLD.on_recording IS NULL OR NEW.on_recording IS NOT DISTINCT FROM OLD.on_recording)"""


class Migration(migrations.Migration):
    dependencies = [("calls", "0020_restricted_from_a_call_on")]

    operations = [
        migrations.AddField(
            model_name="announcement", name="on_recording", field=models.BooleanField(null=True)
        ),
        migrations.AddField(
            model_name="trackingnumber",
            name="announced_on_recording",
            field=models.BooleanField(null=True, verbose_name="the recording holds the announcement"),
        ),
        migrations.RunSQL(_KEEP.replace("{kept}", _ON_RECORDING), _KEEP.replace("{kept}", "")),
    ]
