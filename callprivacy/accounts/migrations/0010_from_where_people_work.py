"""From where an agency's people work, and from where a key of a system opens anything; empty: from everywhere."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_second_factors_of_several_agencies'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='networks',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=43), blank=True, default=list),
        ),
        migrations.AddField(
            model_name='signinpolicy',
            name='networks',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=43), blank=True, default=list),
        ),
    ]
