"""The newest transaction that a pulse knows, by which ids that start over are noticed and kept; none until the next notes it."""

from django.db import migrations, models

import callprivacy.audit.models


class Migration(migrations.Migration):
    dependencies = [("audit", "0007_months_that_leave")]

    operations = [
        migrations.AddField(
            model_name="pulse",
            name="xid",
            field=callprivacy.audit.models.TransactionIdField(null=True),
        ),
        migrations.AddField(model_name="pulse", name="xid_epoch", field=models.IntegerField(null=True)),
        migrations.AddField(
            model_name="pulse",
            name="is_carried",
            field=models.BooleanField(default=False, db_default=False),
        ),
    ]
