from django.db import migrations, models


class Migration(migrations.Migration):
    """Against which rules it was counted what a pack changes; what was counted before is counted anew by the job."""

    dependencies = [
        ('consent', '0024_the_oldest_of_the_ledger'),
    ]

    operations = [
        migrations.AddField('rulepack', 'counted_against', models.CharField(max_length=64, default='', db_default='')),
    ]
