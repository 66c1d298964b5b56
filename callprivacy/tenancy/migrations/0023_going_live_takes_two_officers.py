"""Going live takes a second officer, unless the agency turns that off."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0022_whoever_has_left_is_shut")]

    operations = [
        migrations.AddField(
            model_name="agency",
            name="needs_second_for_live",
            field=models.BooleanField(
                db_default=True, default=True, verbose_name="going live takes a second officer"
            ),
        ),
    ]
