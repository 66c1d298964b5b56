import django.db.models.deletion
from django.db import migrations, models

from callprivacy.tenancy import rls


class Migration(migrations.Migration):
    """What systems wrote to the ledger, so that saying it again says nothing new."""

    dependencies = [
        ('consent', '0010_age_of_consent'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiWrite',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('digest', models.BinaryField(max_length=32)),
                ('body_digest', models.BinaryField(max_length=32)),
                ('answer', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('client', 'digest'), name='consent_apiwrite_once')],
                'indexes': [models.Index(fields=['agency', 'created_at'], name='consent_apiwrite_oldest')],
            },
        ),
        rls.ClientRows("consent_apiwrite", read=None, write=None),
        rls.AgencyClientKey("consent_apiwrite"),
    ]
