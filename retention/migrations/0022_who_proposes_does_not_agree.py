"""The database refuses a shorter policy, or going live, to which the proposer agreed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("retention", "0021_going_live_is_proposed")]

    operations = [
        migrations.AddConstraint(
            model_name="policychange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_by", models.F("proposed_by")), ("state", "in_force"), _negated=True),
                    models.Q(("shortens", False), models.Q(("category", "go_live"), _negated=True)),
                    _connector="OR",
                ),
                name="retention_change_by_two",
            ),
        ),
    ]
