from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0020_who_is_here_stays_for_a_moment")]

    operations = [
        migrations.AddField("client", "shut_at", models.DateTimeField(blank=True, editable=False, null=True)),
    ]
