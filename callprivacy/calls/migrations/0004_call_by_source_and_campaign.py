"""
Two walks of their own for the two filters with many values: a rare source is found without reading a client's other
calls, and the choices of both filters are one index probe a value.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0003_reveal_sampled_on")]

    operations = [
        migrations.AddIndex(
            "call", models.Index(fields=["client", "source", "id"], name="calls_call_by_source")
        ),
        migrations.AddIndex(
            "call", models.Index(fields=["client", "campaign", "id"], name="calls_call_by_campaign")
        ),
    ]
