from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Now

_FORM = models.PositiveSmallIntegerField(db_default=1, default=1)


class Migration(migrations.Migration):
    dependencies = [("vault", "0002_evidence_and_suppressions")]

    operations = [
        migrations.AddField("clientkey", "token_generation", _FORM),
        migrations.AddField("clientkey", "token_oldest", _FORM),
        migrations.AddField(
            "clientkey",
            "token_made_at",
            models.DateTimeField(db_default=Now()),
            preserve_default=False,
        ),
        migrations.RunSQL(
            "UPDATE vault_clientkey SET token_made_at = created_at", migrations.RunSQL.noop, elidable=True
        ),
        migrations.AlterField("clientkey", "token_made_at", models.DateTimeField()),
        migrations.AddConstraint(
            "clientkey",
            models.CheckConstraint(
                condition=models.Q(token_oldest__gte=1, token_oldest__lte=F("token_generation")),
                name="vault_clientkey_oldest_form",
            ),
        ),
        migrations.AddField("caller", "token_generation", _FORM),
        migrations.AddField("tombstone", "token_generation", _FORM),
        migrations.AddField("suppression", "token_generation", _FORM),
        migrations.AddField("listednumber", "token_generation", _FORM),
    ]
