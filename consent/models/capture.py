"""The ways in which people say yes and no: codes, invitations, documents, the phone menu, messages."""

from django.db import models

from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.tenancy.models import ClientOwned, WithId
from callprivacy.vault.fields import SealedField
from consent.enums import Channel, InvitationState, Language, ReplyState
from consent.models.notices import Notice, NoticeVersion


class PhoneCode(ClientOwned, WithId):
    """A code sent to a phone, to prove that whoever types it holds the number: its digest, tries, end."""

    caller_id = models.UUIDField()
    digest = models.BinaryField(max_length=32)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        indexes = (models.Index(fields=["client", "caller_id", "created_at"], name="consent_code_of_caller"),)


class InvitationBatch(ClientOwned, WithId):
    """A list of people who are asked for their consent by e-mail, with which words."""

    name = models.CharField(max_length=120)
    version = models.ForeignKey(NoticeVersion, models.PROTECT, db_constraint=False, related_name="+")
    size = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    left_by_law = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client", "id"], name="consent_batch_in_client"),)

    def __str__(self) -> str:
        return self.name


class Invitation(ClientOwned, WithId):
    """
    One person asked, by e-mail or by text; the address is sealed and goes when nobody answers.

    `confirms` names the invitation whose yes this one asks to be said a second time, for sharing alone.
    """

    batch = models.ForeignKey(
        InvitationBatch, models.CASCADE, null=True, db_constraint=False, related_name="invitations"
    )
    caller_id = models.UUIDField()
    channel = models.CharField(max_length=12, choices=Channel)
    version = models.ForeignKey(NoticeVersion, models.PROTECT, db_constraint=False, related_name="+")
    confirms = models.ForeignKey("self", models.CASCADE, null=True, db_constraint=False, related_name="+")
    address = SealedField(null=True)
    address_digest = models.BinaryField(max_length=32, null=True)
    link_digest = models.BinaryField(max_length=32, null=True)
    message_digest = models.BinaryField(max_length=32, null=True)
    state = models.CharField(max_length=10, choices=InvitationState, default=InvitationState.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    bounced_at = models.DateTimeField(null=True)
    purge_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "link_digest"],
                condition=models.Q(link_digest__isnull=False),
                name="consent_invitation_link",
            ),
            models.UniqueConstraint(fields=["client", "id"], name="consent_invitation_in_client"),
        )
        indexes = (
            models.Index(fields=["client", "caller_id", "sent_at"], name="consent_invitation_of_caller"),
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_invitation_due",
            ),
            models.Index(fields=["client", "batch", "state"], name="consent_invitation_of_batch"),
            models.Index(fields=["client", "purge_at"], name="consent_invitation_purge"),
        )


class TermsDocument(ClientOwned, WithId):
    """A document that people signed, or a list attested under one: the file sealed, its hash, its clause."""

    name = models.CharField(max_length=120)
    clause = models.TextField(max_length=5000)
    stands_apart = models.BooleanField("the clause stands apart from the other terms", default=False)
    is_list = models.BooleanField(default=False)
    file_key = models.UUIDField(null=True)
    file_digest = models.BinaryField(max_length=32)
    media_type = models.CharField(max_length=40)
    size = models.PositiveIntegerField()
    signed_on = models.DateField()
    people = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client", "id"], name="consent_terms_in_client"),)

    def __str__(self) -> str:
        return self.name


class PhoneMenu(ClientOwned, WithId):
    """The menu that answers a tracking number before anybody is recorded, and the line it goes on to."""

    tracking_number = models.ForeignKey(TrackingNumber, models.PROTECT, db_constraint=False, related_name="+")
    connection = models.ForeignKey(Connection, models.PROTECT, db_constraint=False, related_name="+")
    is_active = models.BooleanField(default=False)
    language = models.CharField(max_length=2, choices=Language, default=Language.ENGLISH)
    notice = models.ForeignKey(Notice, models.PROTECT, db_constraint=False, related_name="+")
    other_notice = models.ForeignKey(
        Notice, models.PROTECT, null=True, blank=True, db_constraint=False, related_name="+"
    )
    forward_to = models.CharField(max_length=16)
    person_line = models.CharField(max_length=16, blank=True)
    wait_seconds = models.PositiveSmallIntegerField(default=6)
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "tracking_number"], name="consent_menu_one_a_number"),
            models.UniqueConstraint(fields=["client", "id"], name="consent_menu_in_client"),
        )


class MenuSession(ClientOwned, WithId):
    """One call on its way through a menu: which version was spoken, what was pressed, whether it records now."""

    menu = models.ForeignKey(PhoneMenu, models.CASCADE, db_constraint=False, related_name="+")
    caller_id = models.UUIDField(null=True)
    call_digest = models.BinaryField(max_length=32)
    vendor_call = SealedField(null=True)
    vendor_recording = SealedField(null=True)
    version = models.ForeignKey(
        NoticeVersion, models.PROTECT, null=True, db_constraint=False, related_name="+"
    )
    step = models.CharField(max_length=20)
    pressed = models.CharField(max_length=10, blank=True)
    verification = models.CharField(max_length=40, blank=True)
    is_recording = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    recording_from = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "call_digest"], name="consent_menusession_one_a_call"),
        )
        indexes = (
            models.Index(
                fields=["client", "caller_id"],
                condition=models.Q(ended_at__isnull=True),
                name="consent_menusession_running",
            ),
        )


class Reply(ClientOwned, WithId):
    """
    What a person wrote, by text or e-mail, sealed; how it was understood, and what became of it.

    `confirm_words` are what we answer once, and only until a few minutes later. `sender_digest` finds the invitations
    that went to the address a mail came from.
    """

    caller_id = models.UUIDField(null=True)
    invitation = models.ForeignKey(
        Invitation, models.SET_NULL, null=True, db_constraint=False, related_name="+"
    )
    tracking_number_id = models.UUIDField(null=True)
    channel = models.CharField(max_length=12, choices=Channel)
    message_digest = models.BinaryField(max_length=32)
    sender_digest = models.BinaryField(max_length=32, null=True)
    text = SealedField(null=True)
    label = models.CharField(max_length=10)
    why = models.CharField(max_length=300)
    proof = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=ReplyState)
    received_at = models.DateTimeField()
    confirm_words = models.CharField(max_length=320, blank=True, default="", db_default="")
    confirm_due_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    purge_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "message_digest"], name="consent_reply_once"),
        )
        indexes = (
            models.Index(fields=["client", "state", "received_at"], name="consent_reply_waiting"),
            models.Index(
                fields=["agency", "confirm_due_at"],
                condition=models.Q(confirm_due_at__isnull=False),
                name="consent_reply_confirm_due",
            ),
            models.Index(fields=["client", "purge_at"], name="consent_reply_purge"),
        )
