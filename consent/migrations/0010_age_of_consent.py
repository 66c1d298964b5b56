import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls


class Migration(migrations.Migration):
    """How old a client lets a consent become."""

    dependencies = [
        ('consent', '0009_registers_of_numbers'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ConsentAge',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('months', models.PositiveSmallIntegerField()),
                ('chosen_at', models.DateTimeField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('chosen_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [
                    models.UniqueConstraint(fields=('client',), name='consent_age_one_a_client'),
                    models.CheckConstraint(condition=models.Q(('months__gte', 1), ('months__lte', 120)), name='consent_age_is_sane'),
                ],
            },
        ),
        rls.ClientRows("consent_consentage", read="view_client", write="manage_consent"),
        rls.AgencyClientKey("consent_consentage"),
    ]
