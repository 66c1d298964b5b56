"""
The start of notifying recipients, each notification and what was recorded at clients are events of their own.
"""

from django.db import migrations, models

_APART = """
    UPDATE rights_caseevent SET kind = CASE
        WHEN details ? 'notice' AND EXISTS (
            SELECT 1 FROM audit_event WHERE audit_event.id = rights_caseevent.event_id AND action = 'notice.confirmed'
        ) THEN 'notice_acknowledged'
        WHEN details ? 'notice' THEN 'notice_sent'
        WHEN shown THEN 'carried'
        ELSE 'given_to_clients'
    END
    WHERE kind = 'passed_on' AND (details ? 'notice' OR details ? 'clients')
"""
_TOGETHER = """
    UPDATE rights_caseevent SET kind = 'passed_on'
    WHERE kind IN ('notice_sent', 'notice_acknowledged', 'carried', 'given_to_clients')
"""


class Migration(migrations.Migration):

    dependencies = [
        ('rights', '0025_what_is_kept_of_an_erasure'),
        ('audit', '0009_when_a_copy_was_put_back'),
    ]

    operations = [
        migrations.RunSQL(_APART, _TOGETHER),
        migrations.AlterField(
            model_name='caseevent',
            name='kind',
            field=models.CharField(choices=[('opened', 'Came in'), ('took_effect', 'Took effect'), ('not_recorded', 'Not recorded, for the client has left'), ('marketing_stopped', 'Marketing stopped'), ('waits_for_number', 'Waits for a number: none is known'), ('proven', 'Proven who asks'), ('not_proven', 'Not proven who asks'), ('acknowledged', 'Acknowledged'), ('assigned', 'Assigned'), ('noted', 'Note written'), ('task_added', 'Task added'), ('task_done', 'Task done'), ('extending', 'To be extended once its letter is sent'), ('extended', 'Extended'), ('not_extended', 'Not extended: the letter went too late'), ('stopped', 'Clock stopped: asked what is meant'), ('resumed', 'Clock goes on'), ('searched', 'Looked for what there is'), ('approval_asked', 'Client asked'), ('approved', 'Client agreed'), ('not_approved', 'Client did not agree'), ('handed_over', 'Handed over to the client'), ('received_by_client', 'Client has it'), ('decided', 'Decided'), ('packed', 'Package made'), ('fetched', 'Package downloaded'), ('package_gone', 'Package erased'), ('erased', 'Erased'), ('rest_erased', 'Erased what nothing keeps any more'), ('corrected', 'Corrected'), ('restricted', 'Restricted'), ('lifted', 'Restriction ended'), ('carried', 'Recorded at the clients'), ('given_to_clients', 'Opened for each client that answers'), ('passed_on', 'Recipient notifications started'), ('notice_sent', 'Recipient notification sent'), ('notice_acknowledged', 'Recipient notification acknowledged'), ('written', 'Letter sent'), ('appealed', 'Appealed against'), ('reminded', 'Reminder of the date'), ('failed', 'A step failed'), ('taken_back', 'Taken back'), ('answered', 'Answered')], max_length=20),
        ),
        migrations.AlterField(
            model_name='case',
            name='state',
            field=models.CharField(choices=[('proving', 'Waits for proof'), ('open', 'Open'), ('with_client', 'Waits for the client'), ('handed_over', 'Handed over to the client'), ('decided', 'Decided'), ('done', 'Answered'), ('withdrawn', 'Taken back')], max_length=12),
        ),
        migrations.AlterField(
            model_name='step',
            name='kind',
            field=models.CharField(choices=[('suppress', 'Stop what was refused'), ('object', 'Stop what was objected to'), ('pack', 'Make the package'), ('erase', 'Erase'), ('rest', 'Erase what was kept'), ('correct', 'Correct'), ('restrict', 'Restrict'), ('lift', 'End the restriction'), ('pass_on', 'Notify recipients')], max_length=10),
        ),
    ]
