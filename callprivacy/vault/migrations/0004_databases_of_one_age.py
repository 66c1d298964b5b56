from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vault", "0003_chains_of_token_keys")]

    operations = [
        migrations.CreateModel(
            name="Pulse",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("count", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(id=1), name="vault_pulse_one_row")]
            },
        ),
    ]
