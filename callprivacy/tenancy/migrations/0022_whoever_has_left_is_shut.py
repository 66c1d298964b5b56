from django.db import migrations

_FILL = "UPDATE tenancy_client SET shut_at = archived_at WHERE archived_at IS NOT NULL;"


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0021_ways_in_are_shut")]

    operations = [migrations.RunSQL(_FILL, migrations.RunSQL.noop)]
