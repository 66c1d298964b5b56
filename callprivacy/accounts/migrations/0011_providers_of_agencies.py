"""The provider through which an agency's people sign in, and who each of them is there. Managers and jobs see both."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls
from callprivacy.vault.fields import StrictEncryptedField

_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_from_where_people_work'),
        ('tenancy', '0016_public_keys_of_sign_in'),
    ]

    operations = [
        migrations.CreateModel(
            name='SignInProvider',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64)),
                ('name', models.CharField(max_length=60)),
                ('issuer', models.CharField(max_length=300)),
                ('application', models.CharField(max_length=300, verbose_name='client id')),
                ('secret', StrictEncryptedField()),
                ('domains', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=253))),
                ('endpoints', models.JSONField(default=dict)),
                ('found', models.JSONField(default=list)),
                ('checked_at', models.DateTimeField(null=True)),
                ('is_sound', models.BooleanField(default=False)),
                ('is_on', models.BooleanField(default=False)),
                ('is_required', models.BooleanField(default=False)),
                ('beside', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), blank=True, default=list)),
                ('proposed_at', models.DateTimeField()),
                ('agreed_at', models.DateTimeField(null=True)),
                ('agency', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('agreed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('proposed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ProviderLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.BinaryField(max_length=32)),
                ('linked_at', models.DateTimeField()),
                ('last_at', models.DateTimeField()),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.AddConstraint(
            model_name='signinprovider',
            constraint=models.UniqueConstraint(fields=('agency', 'key'), name='accounts_provider_key'),
        ),
        migrations.AddConstraint(
            model_name='signinprovider',
            constraint=models.CheckConstraint(condition=models.Q(('is_on', False), models.Q(('agreed_at__isnull', False), ('is_sound', True)), _connector='OR'), name='accounts_provider_agreed'),
        ),
        migrations.AddConstraint(
            model_name='signinprovider',
            constraint=models.CheckConstraint(condition=models.Q(('is_required', False), models.Q(('is_on', True), models.Q(('beside', []), _negated=True)), _connector='OR'), name='accounts_provider_required'),
        ),
        migrations.AddConstraint(
            model_name='providerlink',
            constraint=models.UniqueConstraint(fields=('agency', 'digest'), name='accounts_link_digest'),
        ),
        migrations.AddConstraint(
            model_name='providerlink',
            constraint=models.UniqueConstraint(fields=('agency', 'user'), name='accounts_link_user'),
        ),
        rls.Policies("accounts_signinprovider", read=_MANAGERS, write=_MANAGERS),
        rls.Policies("accounts_providerlink", read=_MANAGERS, write=_MANAGERS),
    ]
