"""What opens a vendor's list of recordings, and leftovers of calls that no connection brought."""

import django.db.models.deletion
from django.db import migrations, models

import callprivacy.vault.fields


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0014_held_calls_are_found"),
        ("retention", "0006_managers_see_what_is_watched"),
    ]

    operations = [
        migrations.AddField("vendorcheck", "started_at", models.DateTimeField(null=True)),
        migrations.AddField("vendorcheck", "account", models.CharField(blank=True, max_length=64, default=""), False),
        migrations.AddField("vendorcheck", "company", models.CharField(blank=True, max_length=64, default=""), False),
        migrations.AddField("vendorcheck", "secret", callprivacy.vault.fields.SealedField(null=True)),
        migrations.AddField("vendorcheck", "secret_set_at", models.DateTimeField(null=True)),
        migrations.AlterField("vendorcheck", "page", models.CharField(blank=True, max_length=500)),
        migrations.AddField(
            "leftover", "provider", models.CharField(db_default="", default="", max_length=20)
        ),
        migrations.AlterField(
            "leftover",
            "connection",
            models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="calls.connection",
            ),
        ),
        migrations.RemoveConstraint("leftover", "retention_leftover_once"),
        migrations.AddConstraint(
            "leftover",
            models.UniqueConstraint(
                fields=("client", "connection", "digest"),
                name="retention_leftover_once",
                nulls_distinct=False,
            ),
        ),
    ]
