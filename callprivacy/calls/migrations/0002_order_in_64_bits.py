"""What was said last about a call is ordered in 64 bits; an import remembers the line it has come to."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0001_initial")]

    operations = [
        migrations.AlterField("call", "sequence", models.BigIntegerField(default=-1)),
        migrations.AddField("callimport", "line", models.PositiveIntegerField(default=0)),
    ]
