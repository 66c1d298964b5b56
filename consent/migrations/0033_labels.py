import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """The labels of choices in plain words; the stored values stay."""

    dependencies = [
        ('consent', '0032_states_of_web_forms_are_claimed'),
    ]

    operations = [
        migrations.AlterField(
            model_name='agencyage',
            name='purpose',
            field=models.CharField(choices=[('measure', 'Track and count'), ('record', 'Record'), ('review', 'Play, read, listen live'), ('analyse', 'Analyze the content'), ('contact', 'Contact'), ('share', 'Share or sell')], max_length=10),
        ),
        migrations.AlterField(
            model_name='callback',
            name='state',
            field=models.CharField(choices=[('waiting', 'Waiting'), ('sent', 'Sent'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Canceled')], default='waiting', max_length=10),
        ),
        migrations.AlterField(
            model_name='clientstandard',
            name='standard',
            field=models.CharField(choices=[('express', 'Express consent'), ('announce', 'Announcement on the call, or express consent'), ('legal_minimum', 'Legal minimum')], max_length=14),
        ),
        migrations.AlterField(
            model_name='clientstandard',
            name='unknown_age',
            field=models.CharField(choices=[('adult', 'As an adult'), ('minor', 'As a minor whose guardian must consent')], db_default='adult', default='adult', max_length=5),
        ),
        migrations.AlterField(
            model_name='consentage',
            name='purpose',
            field=models.CharField(choices=[('measure', 'Track and count'), ('record', 'Record'), ('review', 'Play, read, listen live'), ('analyse', 'Analyze the content'), ('contact', 'Contact'), ('share', 'Share or sell')], max_length=10),
        ),
        migrations.AlterField(
            model_name='consentevent',
            name='channel',
            field=models.CharField(choices=[('web', 'Web form'), ('email', 'Email'), ('terms', 'Signed terms'), ('menu', 'Phone menu'), ('sms', 'Text message'), ('posted', 'Posted notice'), ('announcement', 'Announcement on the call'), ('agent', 'Agent on the phone'), ('api', 'API'), ('tracker', 'Call tracker'), ('import', 'Imported list'), ('gpc', 'Browser signal'), ('portal', 'Preference center'), ('officer', 'Compliance officer')], max_length=12),
        ),
        migrations.AlterField(
            model_name='consentevent',
            name='purpose',
            field=models.CharField(choices=[('measure', 'Track and count'), ('record', 'Record'), ('review', 'Play, read, listen live'), ('analyse', 'Analyze the content'), ('contact', 'Contact'), ('share', 'Share or sell')], max_length=10),
        ),
        migrations.AlterField(
            model_name='consentevent',
            name='scope',
            field=models.CharField(choices=[('this_call', 'This call'), ('standing', 'Until withdrawn')], max_length=10),
        ),
        migrations.AlterField(
            model_name='consentevent',
            name='strength',
            field=models.CharField(choices=[('A', "Verified number, key press, or the person's own signature"), ('B', 'Authenticated email'), ('C', 'Attested by staff, a list, or another system'), ('D', 'Claimed: number not verified')], max_length=1),
        ),
        migrations.AlterField(
            model_name='consentstate',
            name='purpose',
            field=models.CharField(choices=[('measure', 'Track and count'), ('record', 'Record'), ('review', 'Play, read, listen live'), ('analyse', 'Analyze the content'), ('contact', 'Contact'), ('share', 'Share or sell')], max_length=10),
        ),
        migrations.AlterField(
            model_name='consentstate',
            name='state',
            field=models.CharField(choices=[('none', 'No record'), ('noticed', 'Notice given'), ('given', 'Given'), ('refused', 'Refused'), ('withdrawn', 'Withdrawn'), ('expired', 'Expired'), ('invalidated', 'Invalidated')], max_length=12),
        ),
        migrations.AlterField(
            model_name='consentstate',
            name='strength',
            field=models.CharField(blank=True, choices=[('A', "Verified number, key press, or the person's own signature"), ('B', 'Authenticated email'), ('C', 'Attested by staff, a list, or another system'), ('D', 'Claimed: number not verified')], max_length=1),
        ),
        migrations.AlterField(
            model_name='decision',
            name='purpose',
            field=models.CharField(choices=[('measure', 'Track and count'), ('record', 'Record'), ('review', 'Play, read, listen live'), ('analyse', 'Analyze the content'), ('contact', 'Contact'), ('share', 'Share or sell')], max_length=10),
        ),
        migrations.AlterField(
            model_name='decision',
            name='standard',
            field=models.CharField(choices=[('express', 'Express consent'), ('announce', 'Announcement on the call, or express consent'), ('legal_minimum', 'Legal minimum')], max_length=14),
        ),
        migrations.AlterField(
            model_name='invitation',
            name='channel',
            field=models.CharField(choices=[('web', 'Web form'), ('email', 'Email'), ('terms', 'Signed terms'), ('menu', 'Phone menu'), ('sms', 'Text message'), ('posted', 'Posted notice'), ('announcement', 'Announcement on the call'), ('agent', 'Agent on the phone'), ('api', 'API'), ('tracker', 'Call tracker'), ('import', 'Imported list'), ('gpc', 'Browser signal'), ('portal', 'Preference center'), ('officer', 'Compliance officer')], max_length=12),
        ),
        migrations.AlterField(
            model_name='notice',
            name='channel',
            field=models.CharField(choices=[('web', 'Web form'), ('email', 'Email'), ('terms', 'Signed terms'), ('menu', 'Phone menu'), ('sms', 'Text message'), ('posted', 'Posted notice'), ('announcement', 'Announcement on the call'), ('agent', 'Agent on the phone'), ('api', 'API'), ('tracker', 'Call tracker'), ('import', 'Imported list'), ('gpc', 'Browser signal'), ('portal', 'Preference center'), ('officer', 'Compliance officer')], max_length=12),
        ),
        migrations.AlterField(
            model_name='notice',
            name='purposes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('measure', 'Track and count'), ('record', 'Record'), ('review', 'Play, read, listen live'), ('analyse', 'Analyze the content'), ('contact', 'Contact'), ('share', 'Share or sell')], max_length=10)),
        ),
        migrations.AlterField(
            model_name='numberlist',
            name='kind',
            field=models.CharField(choices=[('do_not_call', 'Do-not-call list'), ('reassigned', 'Reassigned numbers')], max_length=12),
        ),
        migrations.AlterField(
            model_name='reply',
            name='channel',
            field=models.CharField(choices=[('web', 'Web form'), ('email', 'Email'), ('terms', 'Signed terms'), ('menu', 'Phone menu'), ('sms', 'Text message'), ('posted', 'Posted notice'), ('announcement', 'Announcement on the call'), ('agent', 'Agent on the phone'), ('api', 'API'), ('tracker', 'Call tracker'), ('import', 'Imported list'), ('gpc', 'Browser signal'), ('portal', 'Preference center'), ('officer', 'Compliance officer')], max_length=12),
        ),
        migrations.AlterField(
            model_name='reply',
            name='state',
            field=models.CharField(choices=[('settled', 'Resolved automatically'), ('waiting', 'Waiting for review'), ('decided', 'Reviewed')], max_length=10),
        ),
        migrations.AlterField(
            model_name='setupmark',
            name='step',
            field=models.CharField(choices=[('blueprint', 'Blueprint'), ('engagement', 'Engagement'), ('tracker', 'Call tracker'), ('backfill', 'Past calls'), ('numbers', 'Numbers'), ('findings', 'Findings'), ('people', 'People'), ('words', 'Text and snippet'), ('live', 'Go live')], max_length=12),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='strength',
            field=models.CharField(choices=[('A', "Verified number, key press, or the person's own signature"), ('B', 'Authenticated email'), ('C', 'Attested by staff, a list, or another system'), ('D', 'Claimed: number not verified')], default='C', max_length=1),
        ),
        migrations.AlterField(
            model_name='vendortask',
            name='state',
            field=models.CharField(choices=[('waiting', 'Waiting'), ('sent', 'Sent'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Canceled')], default='waiting', max_length=10),
        ),
        migrations.AlterField(
            model_name='vendortask',
            name='step',
            field=models.CharField(choices=[('choose', 'Choose how to stop recording this caller'), ('stop_recording', 'Stop the recording in progress'), ('delete_recording', 'Delete a recording'), ('redact_caller', 'Redact the caller'), ('turn_off_recording', 'Turn off recording for the number'), ('turn_off_monitoring', 'Turn off live monitoring'), ('move_to_menu', 'Move the number to our phone menu'), ('announce', 'Announce recording before the call connects'), ('stop_texts', 'Stop texting'), ('remove_from_ads', "Remove from an advertiser's list")], max_length=20),
        ),
        migrations.AlterField(
            model_name='webhookdelivery',
            name='state',
            field=models.CharField(choices=[('waiting', 'Waiting'), ('sent', 'Sent'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Canceled')], default='waiting', max_length=10),
        ),
        migrations.AlterField(
            model_name='withdrawal',
            name='channel',
            field=models.CharField(choices=[('web', 'Web form'), ('email', 'Email'), ('terms', 'Signed terms'), ('menu', 'Phone menu'), ('sms', 'Text message'), ('posted', 'Posted notice'), ('announcement', 'Announcement on the call'), ('agent', 'Agent on the phone'), ('api', 'API'), ('tracker', 'Call tracker'), ('import', 'Imported list'), ('gpc', 'Browser signal'), ('portal', 'Preference center'), ('officer', 'Compliance officer')], max_length=12),
        ),
        migrations.AlterField(
            model_name='withdrawal',
            name='purposes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('measure', 'Track and count'), ('record', 'Record'), ('review', 'Play, read, listen live'), ('analyse', 'Analyze the content'), ('contact', 'Contact'), ('share', 'Share or sell')], max_length=10)),
        ),
    ]
