from django.db import migrations, models


class Migration(migrations.Migration):
    """By what withheld recordings left when it was last looked at, so that officers are told where it is sooner now."""

    dependencies = [
        ('consent', '0025_what_packs_were_counted_against'),
    ]

    operations = [
        migrations.AddField('decidedfrom', 'quarantine_hours', models.PositiveSmallIntegerField(null=True)),
        migrations.AddField('decidedfrom', 'at_vendor', models.BooleanField(null=True)),
    ]
