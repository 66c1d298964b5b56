from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_the_trail_is_for_who_may_view_it")]

    operations = [
        migrations.CreateModel(
            name="Pulse",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("count", models.BigIntegerField(default=0)),
                ("confirmed", models.BigIntegerField(default=0)),
                ("epoch", models.IntegerField(default=1)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(id=1), name="audit_pulse_one_row")]
            },
        ),
        migrations.RunSQL(
            "INSERT INTO audit_pulse (id, count, confirmed, epoch) VALUES (1, 0, 0, audit_current_epoch())",
            migrations.RunSQL.noop,
        ),
    ]
