"""Since when a caller's data are kept and used for nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0016_large_tables_are_vacuumed_early")]

    operations = [
        migrations.AddField("caller", "restricted_at", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "caller",
            models.Index(
                condition=models.Q(("restricted_at__isnull", False)),
                fields=["client", "id"],
                name="calls_caller_restricted",
            ),
        ),
    ]
