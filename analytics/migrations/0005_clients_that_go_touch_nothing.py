from django.db import migrations


class Migration(migrations.Migration):
    """A client that goes has no reports to make anew; a note of it would point at nobody."""

    dependencies = [
        ('analytics', '0004_costs_and_saved_reports'),
    ]

    operations = [
        migrations.RunSQL(
            "DROP TRIGGER analytics_touch_zone_delete ON tenancy_client;",
            "CREATE TRIGGER analytics_touch_zone_delete AFTER DELETE ON tenancy_client REFERENCING OLD TABLE AS gone"
            " FOR EACH STATEMENT EXECUTE FUNCTION analytics_touch_zone_delete();",
        ),
    ]
