"""That a client goes live is proposed as a change of a policy is; the rows need nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("retention", "0020_what_an_end_closed")]

    operations = [
        migrations.AlterField(
            model_name="policychange",
            name="category",
            field=models.CharField(
                choices=[
                    ("call", "Call records, calls in"),
                    ("call_out", "Call records, calls out"),
                    ("identity", "Number and identity"),
                    ("recording", "Recordings"),
                    ("transcript", "Transcripts"),
                    ("consent", "Evidence of consent"),
                    ("withdrawal", "Evidence of withdrawal"),
                    ("export", "Exports"),
                    ("release", "Releases"),
                    ("inbox", "Inbox"),
                    ("trail", "Staff trail"),
                    ("request", "Requests"),
                    ("training", "Training"),
                    ("premises", "Premises access"),
                    ("go_live", "Going live"),
                ],
                max_length=12,
            ),
        ),
    ]
