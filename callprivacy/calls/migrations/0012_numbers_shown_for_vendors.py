"""A number that is shown to be named to a vendor counts as any other, though no call is behind it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0011_announcements_and_calls_of_imports")]

    operations = [
        migrations.AlterField(
            model_name="reveal",
            name="call",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="calls.call",
            ),
        ),
        migrations.AddField(
            model_name="reveal",
            name="caller_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AlterField(
            model_name="reveal",
            name="reason_kind",
            field=models.CharField(
                choices=[
                    ("call_back", "Call back at the caller's wish"),
                    ("complaint", "Look into a complaint"),
                    ("request", "Answer a privacy request"),
                    ("fraud", "Suspected fraud or abuse"),
                    ("quality", "Check a connection's data"),
                    ("vendor", "Name the caller to a vendor"),
                    ("legal", "Legal claim or authority"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="reveal",
            constraint=models.CheckConstraint(
                condition=models.Q(("call__isnull", False), ("caller_id__isnull", False), _connector="OR"),
                name="calls_reveal_is_of_somebody",
            ),
        ),
    ]
