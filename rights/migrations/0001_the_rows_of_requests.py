"""Requests of the people called: submissions, cases, proofs, what was found, and what goes out."""

import callprivacy.vault.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

# What an agency's own submission has to do with a client's rows stays inside the agency.
_WITHIN_AGENCY = """
ALTER TABLE rights_submission ADD CONSTRAINT rights_submission_in_agency UNIQUE (agency_id, id);
ALTER TABLE rights_identity ADD CONSTRAINT rights_identity_in_agency UNIQUE (agency_id, id);
ALTER TABLE rights_submission ADD CONSTRAINT rights_submission_parent_same_agency
    FOREIGN KEY (agency_id, parent_id) REFERENCES rights_submission (agency_id, id)
    ON DELETE SET NULL (parent_id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE rights_finding ADD CONSTRAINT rights_finding_submission_same_agency
    FOREIGN KEY (agency_id, submission_id) REFERENCES rights_submission (agency_id, id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE rights_finding ADD CONSTRAINT rights_finding_identity_same_agency
    FOREIGN KEY (agency_id, identity_id) REFERENCES rights_identity (agency_id, id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""
_NOT_WITHIN_AGENCY = """
ALTER TABLE rights_finding DROP CONSTRAINT rights_finding_identity_same_agency;
ALTER TABLE rights_finding DROP CONSTRAINT rights_finding_submission_same_agency;
ALTER TABLE rights_submission DROP CONSTRAINT rights_submission_parent_same_agency;
ALTER TABLE rights_identity DROP CONSTRAINT rights_identity_in_agency;
ALTER TABLE rights_submission DROP CONSTRAINT rights_submission_in_agency;
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tenancy', '0010_public_keys_of_requests'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Case',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('reference', models.CharField(max_length=12)),
                ('asks', models.CharField(choices=[('see', 'See what you have about me'), ('copy', 'Get a copy to take along'), ('correct', 'Correct what is wrong'), ('delete', 'Delete my data'), ('restrict', 'Stop using my data for now'), ('object', 'Object to what is done with my data'), ('do_not_sell', 'Do not sell or share my data'), ('do_not_contact', 'Do not call or text me'), ('limit', 'Limit the use of sensitive data'), ('do_not_track', 'Do not track my calls'), ('withdraw', 'Take back my consent'), ('complain', 'Complain'), ('appeal', 'Appeal against an answer')], max_length=16)),
                ('kind', models.CharField(choices=[('access', 'See my data'), ('portability', 'A copy to take along'), ('correct', 'Correct my data'), ('delete', 'Delete my data'), ('restrict', 'Restrict what is done with my data'), ('object', 'Object'), ('opt_out', 'Do not sell or share my data, or do not contact me'), ('limit', 'Limit the use of sensitive data'), ('revocation', 'Take back my consent'), ('complaint', 'Complain'), ('appeal', 'Appeal against an answer')], max_length=12)),
                ('channel', models.CharField(choices=[('portal', 'The requests page'), ('email', 'E-mail'), ('post', 'Post'), ('phone', 'Phone'), ('in_person', 'In person'), ('api', 'Another system')], max_length=10)),
                ('state', models.CharField(choices=[('proving', 'Waits for proof'), ('open', 'Open'), ('with_client', 'Waits for the client'), ('handed_over', 'Handed over to the client'), ('decided', 'Decided, being carried out'), ('done', 'Answered'), ('withdrawn', 'Taken back')], max_length=12)),
                ('answerer', models.CharField(choices=[('agency', 'The agency'), ('after_approval', "The agency, after the client's approval"), ('client', 'The client')], max_length=16)),
                ('role', models.CharField(choices=[('controller', 'Controller'), ('joint', 'Joint controller'), ('processor', 'Processor')], max_length=12)),
                ('received_at', models.DateTimeField()),
                ('law', models.CharField(blank=True, max_length=20)),
                ('laws', models.JSONField(default=list)),
                ('acknowledge_by', models.DateField(null=True)),
                ('acknowledge_due_at', models.DateTimeField(null=True)),
                ('acknowledged_at', models.DateTimeField(null=True)),
                ('extend_before', models.DateField(null=True)),
                ('extended_at', models.DateTimeField(null=True)),
                ('extended_for', models.CharField(blank=True, max_length=20)),
                ('answer_by', models.DateField(null=True)),
                ('answer_due_at', models.DateTimeField(null=True)),
                ('paused_at', models.DateTimeField(null=True)),
                ('identified_at', models.DateTimeField(null=True)),
                ('took_effect_at', models.DateTimeField(null=True)),
                ('ask_again_from', models.DateField(null=True)),
                ('handed_over_at', models.DateTimeField(null=True)),
                ('client_has_it_at', models.DateTimeField(null=True)),
                ('decided', models.CharField(blank=True, choices=[('fulfil', 'Fulfilled'), ('part', 'Fulfilled in part'), ('refuse', 'Refused'), ('not_ours', 'Not ours to answer: told whom to ask')], max_length=10)),
                ('ground', models.CharField(blank=True, max_length=40)),
                ('answer', callprivacy.vault.fields.SealedField(null=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('answered_at', models.DateTimeField(null=True)),
                ('closed_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('appeal_of', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='appeals', to='rights.case')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ClientFacts',
            fields=[
                ('client', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='tenancy.client')),
                ('revenue', models.BigIntegerField(null=True)),
                ('sale_share', models.PositiveSmallIntegerField(null=True)),
                ('people', models.JSONField(default=dict)),
                ('traded', models.JSONField(default=dict)),
                ('nonprofit', models.BooleanField(null=True)),
                ('ask', models.CharField(blank=True, max_length=200, verbose_name='whom people may ask at the client')),
                ('set_at', models.DateTimeField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('set_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Identity',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('phone', 'Phone number'), ('email', 'E-mail address'), ('withheld', 'A call whose number was withheld')], max_length=10)),
                ('value', callprivacy.vault.fields.SealedField()),
                ('state', models.CharField(choices=[('claimed', 'Claimed'), ('proven', 'Proven'), ('doubtful', 'A person looks at it'), ('refused', 'Not proven')], default='claimed', max_length=10)),
                ('caller_id', models.UUIDField(null=True)),
                ('from_at', models.DateTimeField(null=True)),
                ('claimed_at', models.DateTimeField()),
                ('proven_at', models.DateTimeField(null=True)),
                ('looked_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('looked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Package',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('ready', 'Ready'), ('gone', 'Erased'), ('failed', 'Stopped by a fault')], default='waiting', max_length=10)),
                ('other_party', models.CharField(choices=[('withhold', 'Withhold the recording, and say why'), ('one_side', "Only the person's own side, where the file keeps sides apart"), ('whole', 'The whole recording: the other party agreed, or is not harmed')], default='withhold', max_length=10)),
                ('total', models.PositiveIntegerField(default=0)),
                ('done', models.PositiveIntegerField(default=0)),
                ('contents', models.JSONField(default=dict)),
                ('file_key', models.UUIDField(null=True)),
                ('size', models.BigIntegerField(default=0)),
                ('digest', models.CharField(blank=True, max_length=64)),
                ('link_digest', models.BinaryField(max_length=32, null=True)),
                ('link_expires_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField()),
                ('ready_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('gone_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('case', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='packages', to='rights.case')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Pause',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('case', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='pauses', to='rights.case')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Proof',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('text_code', 'Code by text'), ('call_code', 'Code by a call'), ('facts', 'Two facts of a call'), ('declaration', 'Signed declaration'), ('document', 'Seen by staff'), ('permission', 'Signed permission of an agent'), ('guardian', 'Evidence of a guardian')], max_length=12)),
                ('holds', models.BooleanField()),
                ('evidence', callprivacy.vault.fields.SealedField(null=True)),
                ('file_key', models.UUIDField(null=True)),
                ('file_type', models.CharField(blank=True, max_length=40)),
                ('at', models.DateTimeField()),
                ('by', models.CharField(max_length=60)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('identity', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='proofs', to='rights.identity')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Download',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('event_id', models.BigIntegerField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('package', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='downloads', to='rights.package')),
                ('proof', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='rights.proof')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='RecipientNotice',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('about', models.CharField(choices=[('erasure', 'Erase it'), ('correction', 'Correct it'), ('restriction', 'Restrict it'), ('opt_out', 'Sell, share and use it no more')], max_length=12)),
                ('way', models.CharField(choices=[('webhook', 'Signed webhook'), ('ticket', 'Ticket')], max_length=8)),
                ('recipient', models.CharField(max_length=120)),
                ('target_id', models.UUIDField(null=True)),
                ('delivery_id', models.UUIDField(null=True)),
                ('task_id', models.UUIDField(null=True)),
                ('ticket', models.TextField(blank=True, max_length=4000)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sent', 'Sent'), ('confirmed', 'Confirmed'), ('failed', 'Not delivered')], default='waiting', max_length=10)),
                ('created_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(null=True)),
                ('sent_at', models.DateTimeField(null=True)),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('receipt', models.CharField(blank=True, max_length=300)),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('case', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='rights.case')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('sent_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Step',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('suppress', 'Stop what was refused'), ('pack', 'Make the package'), ('erase', 'Erase'), ('correct', 'Correct'), ('restrict', 'Restrict'), ('pass_on', 'Tell recipients')], max_length=10)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Stopped by a fault')], default='waiting', max_length=10)),
                ('total', models.PositiveIntegerField(default=0)),
                ('done', models.PositiveIntegerField(default=0)),
                ('wanted', models.JSONField(default=dict)),
                ('outcome', models.JSONField(default=dict)),
                ('due_at', models.DateTimeField(null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('last_error', models.CharField(blank=True, max_length=120)),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('case', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='rights.case')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Submission',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('channel', models.CharField(choices=[('portal', 'The requests page'), ('email', 'E-mail'), ('post', 'Post'), ('phone', 'Phone'), ('in_person', 'In person'), ('api', 'Another system')], max_length=10)),
                ('on_behalf', models.CharField(choices=[('self', 'For myself'), ('guardian', 'For my child, or somebody in my care'), ('agent', 'For somebody who gave me a signed permission')], default='self', max_length=10)),
                ('is_minor', models.BooleanField(default=False)),
                ('language', models.CharField(default='en', max_length=2)),
                ('country', models.CharField(blank=True, max_length=2)),
                ('region', models.CharField(blank=True, max_length=8)),
                ('place_by', models.CharField(blank=True, max_length=12)),
                ('contact', callprivacy.vault.fields.SealedField(null=True)),
                ('words', callprivacy.vault.fields.SealedField(null=True)),
                ('received_at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField()),
                ('search_due_at', models.DateTimeField(null=True)),
                ('search_total', models.PositiveIntegerField(default=0)),
                ('search_done', models.PositiveIntegerField(default=0)),
                ('search_failures', models.PositiveSmallIntegerField(default=0)),
                ('searched_at', models.DateTimeField(null=True)),
                ('erase_on', models.DateField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('parent', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='children', to='rights.submission')),
                ('recorded_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.AddField(
            model_name='proof',
            name='submission',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='proofs', to='rights.submission'),
        ),
        migrations.AddField(
            model_name='identity',
            name='submission',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='identities', to='rights.submission'),
        ),
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('caller_id', models.UUIDField(null=True)),
                ('copies', models.CharField(choices=[('identity', 'Number and identity'), ('calls', 'Call records'), ('recordings', 'Recordings'), ('transcripts', 'Transcripts'), ('consent', 'Consents and refusals'), ('messages', 'Texts, mails and invitations'), ('requests', 'Requests'), ('exports', 'Exports'), ('vendor', 'At the call tracker'), ('recipients', 'Passed on to others')], max_length=12)),
                ('count', models.PositiveIntegerField()),
                ('detail', models.JSONField(default=dict)),
                ('oldest_at', models.DateTimeField(null=True)),
                ('newest_at', models.DateTimeField(null=True)),
                ('found_at', models.DateTimeField()),
                ('erased', models.PositiveIntegerField(default=0)),
                ('kept', models.PositiveIntegerField(default=0)),
                ('kept_why', models.CharField(blank=True, max_length=40)),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('identity', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='findings', to='rights.identity')),
                ('submission', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='findings', to='rights.submission')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.AddField(
            model_name='case',
            name='submission',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='cases', to='rights.submission'),
        ),
        migrations.CreateModel(
            name='Approval',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('approve', 'Whether the answer may be given'), ('take_over', 'A receipt: the client answers')], max_length=10)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('approved', 'Agreed'), ('refused', 'Not agreed'), ('withdrawn', 'Not asked any more')], default='waiting', max_length=10)),
                ('digest', models.BinaryField(max_length=32)),
                ('to', callprivacy.vault.fields.SealedField(null=True)),
                ('asked', callprivacy.vault.fields.SealedField(null=True)),
                ('name', callprivacy.vault.fields.SealedField(null=True)),
                ('words', callprivacy.vault.fields.SealedField(null=True)),
                ('asked_at', models.DateTimeField()),
                ('mail_due_at', models.DateTimeField(null=True)),
                ('mailed_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField()),
                ('answered_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('answered_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('asked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('case', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='approvals', to='rights.case')),
            ],
            options={
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['case', 'asked_at'], name='rights_approval_of_case'), models.Index(condition=models.Q(('mail_due_at__isnull', False)), fields=['agency', 'mail_due_at'], name='rights_approval_mail')],
                'constraints': [models.UniqueConstraint(fields=('agency', 'digest'), name='rights_approval_by_link'), models.UniqueConstraint(condition=models.Q(('state', 'waiting')), fields=('agency', 'case'), name='rights_approval_one_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='CaseEvent',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('opened', 'Came in'), ('took_effect', 'Took effect'), ('proven', 'Proven who asks'), ('not_proven', 'Not proven who asks'), ('acknowledged', 'Acknowledged'), ('assigned', 'Assigned'), ('noted', 'Note written'), ('task_added', 'Task added'), ('task_done', 'Task done'), ('extended', 'Extended'), ('stopped', 'Clock stopped: asked what is meant'), ('resumed', 'Clock goes on'), ('searched', 'Looked for what there is'), ('approval_asked', 'Client asked'), ('approved', 'Client agreed'), ('not_approved', 'Client did not agree'), ('handed_over', 'Handed over to the client'), ('received_by_client', 'Client has it'), ('decided', 'Decided'), ('packed', 'Package made'), ('fetched', 'Package downloaded'), ('package_gone', 'Package erased'), ('erased', 'Erased'), ('corrected', 'Corrected'), ('restricted', 'Restricted'), ('passed_on', 'Recipients told'), ('written', 'Letter sent'), ('appealed', 'Appealed against'), ('reminded', 'Reminder of the date'), ('failed', 'A step failed'), ('taken_back', 'Taken back'), ('answered', 'Answered')], max_length=20)),
                ('at', models.DateTimeField()),
                ('by', models.CharField(max_length=60)),
                ('shown', models.BooleanField(default=False)),
                ('words', callprivacy.vault.fields.SealedField(null=True)),
                ('details', models.JSONField(default=dict)),
                ('event_id', models.BigIntegerField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('case', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='rights.case')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['case', 'at', 'id'], name='rights_event_of_case')],
            },
        ),
        migrations.CreateModel(
            name='CaseNote',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('words', callprivacy.vault.fields.SealedField()),
                ('at', models.DateTimeField()),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('case', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='notes', to='rights.case')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['case', 'at'], name='rights_note_of_case')],
            },
        ),
        migrations.CreateModel(
            name='CaseTask',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('words', callprivacy.vault.fields.SealedField()),
                ('due_on', models.DateField(null=True)),
                ('added_at', models.DateTimeField()),
                ('done_at', models.DateTimeField(null=True)),
                ('added_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('case', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='rights.case')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('done_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['case', 'due_on'], name='rights_task_of_case')],
            },
        ),
        migrations.CreateModel(
            name='Letter',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('template', models.CharField(max_length=40)),
                ('language', models.CharField(default='en', max_length=2)),
                ('way', models.CharField(choices=[('mail', 'E-mail'), ('post', 'Post: printed by staff'), ('phone', 'Read to the person by staff'), ('page', "The person's own page")], max_length=6)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('waiting', 'Being sent'), ('sent', 'Sent'), ('failed', 'Not delivered')], default='draft', max_length=8)),
                ('to', callprivacy.vault.fields.SealedField(null=True)),
                ('subject', callprivacy.vault.fields.SealedField(null=True)),
                ('body', callprivacy.vault.fields.SealedField()),
                ('made_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('last_error', models.CharField(blank=True, max_length=120)),
                ('sent_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('case', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='letters', to='rights.case')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('made_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('sent_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['case', 'made_at'], name='rights_letter_of_case'), models.Index(condition=models.Q(('due_at__isnull', False)), fields=['agency', 'due_at'], name='rights_letter_due')],
            },
        ),
        migrations.AddIndex(
            model_name='package',
            index=models.Index(fields=['case', 'created_at'], name='rights_package_of_case'),
        ),
        migrations.AddIndex(
            model_name='package',
            index=models.Index(condition=models.Q(('expires_at__isnull', False), ('gone_at__isnull', True)), fields=['agency', 'expires_at'], name='rights_package_expires'),
        ),
        migrations.AddConstraint(
            model_name='package',
            constraint=models.UniqueConstraint(condition=models.Q(('link_digest__isnull', False)), fields=('agency', 'link_digest'), name='rights_package_by_link'),
        ),
        migrations.AddIndex(
            model_name='pause',
            index=models.Index(fields=['case', 'since'], name='rights_pause_of_case'),
        ),
        migrations.AddConstraint(
            model_name='pause',
            constraint=models.UniqueConstraint(condition=models.Q(('until__isnull', True)), fields=('agency', 'case'), name='rights_pause_one_at_a_time'),
        ),
        migrations.AddConstraint(
            model_name='pause',
            constraint=models.CheckConstraint(condition=models.Q(('until__isnull', True), ('until__gte', models.F('since')), _connector='OR'), name='rights_pause_ends_after_it_begins'),
        ),
        migrations.AddIndex(
            model_name='download',
            index=models.Index(fields=['package', 'at'], name='rights_download_of_package'),
        ),
        migrations.AddIndex(
            model_name='recipientnotice',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['agency', 'due_at'], name='rights_notice_due'),
        ),
        migrations.AddConstraint(
            model_name='recipientnotice',
            constraint=models.UniqueConstraint(fields=('client', 'case', 'about', 'way', 'target_id'), name='rights_notice_once', nulls_distinct=False),
        ),
        migrations.AddIndex(
            model_name='step',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['agency', 'due_at'], name='rights_step_due'),
        ),
        migrations.AddConstraint(
            model_name='step',
            constraint=models.UniqueConstraint(fields=('agency', 'case', 'kind'), name='rights_step_once_a_case'),
        ),
        migrations.AddIndex(
            model_name='submission',
            index=models.Index(condition=models.Q(('search_due_at__isnull', False)), fields=['agency', 'search_due_at'], name='rights_submission_search'),
        ),
        migrations.AddIndex(
            model_name='submission',
            index=models.Index(condition=models.Q(('erase_on__isnull', False)), fields=['agency', 'erase_on'], name='rights_submission_end'),
        ),
        migrations.AddIndex(
            model_name='submission',
            index=models.Index(fields=['parent'], name='rights_submission_parent'),
        ),
        migrations.AddIndex(
            model_name='proof',
            index=models.Index(fields=['submission', 'at'], name='rights_proof_of_request'),
        ),
        migrations.AddIndex(
            model_name='identity',
            index=models.Index(fields=['submission'], name='rights_identity_of_request'),
        ),
        migrations.AddIndex(
            model_name='identity',
            index=models.Index(condition=models.Q(('caller_id__isnull', False)), fields=['client', 'caller_id'], name='rights_identity_of_caller'),
        ),
        migrations.AddConstraint(
            model_name='identity',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'proven'), _negated=True), ('proven_at__isnull', False), _connector='OR'), name='rights_identity_proven_some_day'),
        ),
        migrations.AddIndex(
            model_name='finding',
            index=models.Index(fields=['submission', 'client'], name='rights_finding_of_request'),
        ),
        migrations.AddConstraint(
            model_name='finding',
            constraint=models.UniqueConstraint(fields=('client', 'submission', 'identity', 'copies'), name='rights_finding_once'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(fields=['submission'], name='rights_case_of_submission'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(('closed_at__isnull', True)), fields=['client', 'answer_due_at', 'id'], name='rights_case_board'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(fields=['client', '-received_at', '-id'], name='rights_case_newest'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(('closed_at__isnull', True)), fields=['agency', 'answer_due_at'], name='rights_case_clock'),
        ),
        migrations.AddConstraint(
            model_name='case',
            constraint=models.UniqueConstraint(fields=('agency', 'reference'), name='rights_case_reference'),
        ),
        migrations.AddConstraint(
            model_name='case',
            constraint=models.CheckConstraint(condition=models.Q(('decided', ''), ('decided_at__isnull', False), _connector='OR'), name='rights_case_decided_some_day'),
        ),
        rls.HeldRows("rights_submission", "handle_requests"),
        rls.HeldRows("rights_case", "handle_requests"),
        rls.HeldRows("rights_pause", "handle_requests"),
        rls.HeldRows("rights_caseevent", "handle_requests"),
        rls.HeldRows("rights_casenote", "handle_requests"),
        rls.HeldRows("rights_casetask", "handle_requests"),
        rls.HeldRows("rights_step", "handle_requests"),
        rls.HeldRows("rights_identity", "handle_requests"),
        rls.HeldRows("rights_proof", "handle_requests"),
        rls.HeldRows("rights_letter", "handle_requests"),
        rls.HeldRows("rights_approval", "handle_requests"),
        rls.HeldRows("rights_recipientnotice", "handle_requests"),
        rls.HeldRows("rights_package", "handle_requests"),
        rls.HeldRows("rights_download", "handle_requests"),
        rls.ClientRows("rights_finding", read="handle_requests", write=None),
        rls.ClientRows("rights_clientfacts", read="view_client", write="handle_requests"),
        rls.AgencyClientKey("rights_submission"),
        rls.AgencyClientKey("rights_case"),
        rls.AgencyClientKey("rights_pause"),
        rls.AgencyClientKey("rights_caseevent"),
        rls.AgencyClientKey("rights_casenote"),
        rls.AgencyClientKey("rights_casetask"),
        rls.AgencyClientKey("rights_step"),
        rls.AgencyClientKey("rights_identity"),
        rls.AgencyClientKey("rights_proof"),
        rls.AgencyClientKey("rights_letter"),
        rls.AgencyClientKey("rights_approval"),
        rls.AgencyClientKey("rights_recipientnotice"),
        rls.AgencyClientKey("rights_package"),
        rls.AgencyClientKey("rights_download"),
        rls.AgencyClientKey("rights_finding"),
        rls.AgencyClientKey("rights_clientfacts"),
        rls.Holder("rights_submission"),
        rls.Holder("rights_case"),
        rls.Holder("rights_pause"),
        rls.Holder("rights_caseevent"),
        rls.Holder("rights_casenote"),
        rls.Holder("rights_casetask"),
        rls.Holder("rights_step"),
        rls.Holder("rights_identity"),
        rls.Holder("rights_proof"),
        rls.Holder("rights_letter"),
        rls.Holder("rights_approval"),
        rls.Holder("rights_recipientnotice"),
        rls.Holder("rights_package"),
        rls.Holder("rights_download"),
        rls.HolderKey("rights_pause", "case_id", "rights_case"),
        rls.HolderKey("rights_caseevent", "case_id", "rights_case"),
        rls.HolderKey("rights_casenote", "case_id", "rights_case"),
        rls.HolderKey("rights_casetask", "case_id", "rights_case"),
        rls.HolderKey("rights_step", "case_id", "rights_case"),
        rls.HolderKey("rights_letter", "case_id", "rights_case"),
        rls.HolderKey("rights_approval", "case_id", "rights_case"),
        rls.HolderKey("rights_recipientnotice", "case_id", "rights_case"),
        rls.HolderKey("rights_package", "case_id", "rights_case"),
        rls.HolderKey("rights_case", "submission_id", "rights_submission"),
        rls.HolderKey("rights_case", "appeal_of_id", "rights_case"),
        rls.HolderKey("rights_identity", "submission_id", "rights_submission"),
        rls.HolderKey("rights_proof", "submission_id", "rights_submission"),
        rls.HolderKey("rights_proof", "identity_id", "rights_identity"),
        rls.HolderKey("rights_download", "package_id", "rights_package"),
        rls.HolderKey("rights_download", "proof_id", "rights_proof"),
        migrations.RunSQL(_WITHIN_AGENCY, _NOT_WITHIN_AGENCY),
    ]
