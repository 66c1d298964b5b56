"""The labels of choices in plain words; the stored values stay."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('rights', '0029_labels_of_an_identitys_state'),
    ]

    operations = [
        migrations.AlterField(
            model_name='caseevent',
            name='kind',
            field=models.CharField(choices=[('opened', 'Came in'), ('took_effect', 'Took effect'), ('not_recorded', 'Not recorded, for the client has left'), ('marketing_stopped', 'Marketing stopped'), ('waits_for_number', 'Waits for a number: none is known'), ('proven', 'Proven who asks'), ('not_proven', 'Not proven who asks'), ('acknowledged', 'Acknowledged'), ('assigned', 'Assigned'), ('noted', 'Note written'), ('task_added', 'Task added'), ('task_done', 'Task done'), ('extending', 'To be extended once its letter is sent'), ('extended', 'Extended'), ('not_extended', 'Not extended: the letter went too late'), ('stopped', 'Clock stopped: asked what is meant'), ('resumed', 'Clock goes on'), ('searched', 'Looked for what there is'), ('approval_asked', 'Client asked'), ('approved', 'Client agreed'), ('not_approved', 'Client did not agree'), ('handed_over', 'Handed over to the client'), ('received_by_client', 'Client has it'), ('decided', 'Decided'), ('packed', 'Package made'), ('fetched', 'Package downloaded'), ('package_gone', 'Package erased'), ('erased', 'Erased'), ('rest_erased', 'Erased what nothing keeps any more'), ('corrected', 'Corrected'), ('restricted', 'Restricted'), ('lifted', 'Restriction ended'), ('carried', 'Recorded at the clients'), ('given_to_clients', 'Opened for each client that answers'), ('passed_on', 'Recipient notifications planned'), ('notice_sent', 'Recipient notification sent'), ('notice_acknowledged', 'Recipient notification acknowledged'), ('written', 'Letter sent'), ('appealed', 'Appealed against'), ('reminded', 'Reminder of the date'), ('failed', 'A step failed'), ('taken_back', 'Taken back'), ('answered', 'Closed')], max_length=20),
        ),
    ]
