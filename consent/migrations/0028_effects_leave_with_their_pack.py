import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """A pack that was never in force is deleted with its effects, which only a job may write."""

    dependencies = [
        ('consent', '0027_until_when_links_were_ended'),
    ]

    operations = [
        migrations.AlterField(
            'packeffect',
            'pack',
            models.ForeignKey(on_delete=django.db.models.deletion.DO_NOTHING, related_name='effects', to='consent.rulepack'),
        ),
        migrations.RunSQL(
            """
            ALTER TABLE consent_packeffect DROP CONSTRAINT IF EXISTS consent_packeffect_pack_cascade;
            ALTER TABLE consent_packeffect ADD CONSTRAINT consent_packeffect_pack_cascade
            FOREIGN KEY (pack_id) REFERENCES consent_rulepack (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
            """,
            "ALTER TABLE consent_packeffect DROP CONSTRAINT consent_packeffect_pack_cascade",
        ),
    ]
