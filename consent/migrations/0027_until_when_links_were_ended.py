from django.db import migrations, models


class Migration(migrations.Migration):
    """Until when personal links were ended, which went to the wrong people: their letters take no yes any more."""

    dependencies = [
        ('consent', '0026_by_what_withheld_recordings_left'),
    ]

    operations = [
        migrations.AddField('webpage', 'links_ended_at', models.DateTimeField(null=True)),
    ]
