"""The newest transaction that a pulse knows, by which ids that start over are noticed; none until the next one notes it."""

from django.db import migrations

import callprivacy.audit.models


class Migration(migrations.Migration):
    dependencies = [("audit", "0007_months_that_leave")]

    operations = [
        migrations.AddField(
            model_name="pulse",
            name="xid",
            field=callprivacy.audit.models.TransactionIdField(null=True),
        ),
    ]
