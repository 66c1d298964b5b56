"""How each person wants to be told of what waits; nobody reads it but that person and the mail's job."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

_OWN = (
    "agency_id = (SELECT scope_agency()) AND ((SELECT scope_kind()) = 'job'"
    " OR ((SELECT scope_kind()) = 'staff' AND user_id = (SELECT scope_user())))"
)


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0010_public_keys_of_requests'),
        ('work', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='MailChoice',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.CharField(blank=True, max_length=40)),
                ('told', models.CharField(choices=[('at_once', 'At once, by mail'), ('daily', 'Once a day, at eight, by mail'), ('bell', 'By the bell alone')], max_length=8)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('agency', 'user', 'kind'), name='work_mailchoice_once_a_kind')],
            },
        ),
        rls.Policies("work_mailchoice", read=_OWN, write=_OWN),
    ]
