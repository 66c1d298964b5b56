from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0013_proofs_that_do_not_count'),
    ]

    operations = [
        migrations.AddField(
            model_name='vendorcertificate',
            name='ended_on',
            field=models.DateField(blank=True, null=True),
        ),
        migrations.RemoveConstraint(model_name='vendor', name='governance_vendor_name'),
        migrations.RemoveConstraint(model_name='vendorcertificate', name='governance_vendorcertificate_once'),
        migrations.RemoveConstraint(model_name='subprocessor', name='governance_subprocessor_once_a_vendor'),
        migrations.AddConstraint(
            model_name='vendor',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_on__isnull', True)), fields=('agency', 'name'), name='governance_vendor_name_in_use'),
        ),
        migrations.AddConstraint(
            model_name='vendorcertificate',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_on__isnull', True)), fields=('agency', 'vendor', 'name', 'valid_until'), name='governance_vendorcertificate_counts_once'),
        ),
        migrations.AddConstraint(
            model_name='subprocessor',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'ended'), _negated=True), fields=('agency', 'vendor', 'name'), name='governance_subprocessor_engaged_once'),
        ),
    ]
