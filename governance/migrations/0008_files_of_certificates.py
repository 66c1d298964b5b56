from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0007_pages_at_doors'),
    ]

    operations = [
        migrations.AddField(
            model_name='completion',
            name='file_digest',
            field=models.BinaryField(max_length=32, null=True),
        ),
        migrations.AddField(
            model_name='completion',
            name='file_key',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='completion',
            name='file_type',
            field=models.CharField(blank=True, db_default='', max_length=20),
        ),
    ]
