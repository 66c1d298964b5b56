"""Who had use restricted may have the number since a day alone: calls before are another's."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0019_calls_that_no_webhook_brought")]

    operations = [
        migrations.AddField(
            "caller",
            "restricted_from",
            models.UUIDField(default=uuid.UUID(int=0), db_default=uuid.UUID(int=0)),
        )
    ]
