"""Held calls are few among many, and looked for before anything is erased: an index of them alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0013_presses_of_files")]

    operations = [
        migrations.AddIndex(
            model_name="call",
            index=models.Index(
                fields=["client", "id"], condition=models.Q(on_hold=True), name="calls_call_on_hold"
            ),
        ),
    ]
