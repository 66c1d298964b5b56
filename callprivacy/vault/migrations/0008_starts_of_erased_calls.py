"""A call that was erased on request is remembered by its number and start as well; only those are asked for by start."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vault", "0007_whose_folder_of_files")]

    operations = [
        migrations.AddField(
            model_name="calltombstone",
            name="is_start",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name="calltombstone",
            index=models.Index(
                condition=models.Q(("is_start", True)), fields=["client_id"], name="vault_calltombstone_start"
            ),
        ),
    ]
