"""How many events of a connection were kept nowhere, because their calls are past their date or erased."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0017_people_whose_data_are_restricted")]

    operations = [migrations.AddField("connection", "stayed_out", models.BigIntegerField(default=0))]
