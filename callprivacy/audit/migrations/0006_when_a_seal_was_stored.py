"""
When a seal came into the database, by the database's own clock, and nothing beyond what is over by then.

Seals that there are take the day of this migration: `signed_at` is what the app said, and is not believed.
"""

import django.db.models.functions.datetime
from django.db import migrations, models

# Whatever the app says of the column. A seal covers transactions that are over alone, so that none of its events is
# younger than itself, and nobody makes a seal today over what will be written tomorrow.
_DATED = """
CREATE FUNCTION audit_seal_dated() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.epoch, NEW.until_xid, NEW.until_id)
        > (audit_current_epoch(), pg_snapshot_xmin(pg_current_snapshot()), 0::bigint) THEN
        RAISE EXCEPTION 'audit_seal covers what is not over' USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.sealed_at := clock_timestamp();
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION audit_seal_dated() FROM PUBLIC;
CREATE TRIGGER audit_seal_dated BEFORE INSERT ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION audit_seal_dated();
"""
_NOT_DATED = """
DROP TRIGGER audit_seal_dated ON audit_seal;
DROP FUNCTION audit_seal_dated();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_an_agencys_own_page")]

    operations = [
        migrations.AddField(
            model_name="seal",
            name="sealed_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                help_text="By the database's clock, whatever is said.",
            ),
        ),
        migrations.RunSQL(_DATED, _NOT_DATED),
    ]
