"""The day on which a request leaves is worked out from its end and the policy, and not kept."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('rights', '0011_ends_of_requests_that_were'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='submission',
            name='rights_submission_end',
        ),
        migrations.AddIndex(
            model_name='submission',
            index=models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['agency', 'client', 'ended_at'], name='rights_submission_end'),
        ),
        migrations.RemoveField(
            model_name='submission',
            name='erase_on',
        ),
    ]
