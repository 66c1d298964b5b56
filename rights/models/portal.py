"""The public pages of requests: whose address it is, and the notice that stands there, which never changes."""

from django.db import models

from callprivacy.tenancy.models import AgencyOwned, Client, ClientOwned, WithId


class RequestPage(AgencyOwned, WithId):
    """
    The requests page of a client, or of an agency where `client` is empty: its key, and what staff say there.

    The contact fields are the company's own, not a caller's.
    """

    client = models.ForeignKey(
        Client, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    key = models.CharField(max_length=64)
    email = models.EmailField("e-mail", blank=True)
    phone = models.CharField(max_length=40, blank=True)
    address = models.CharField(max_length=300, blank=True)
    officer = models.CharField("data protection officer", max_length=200, blank=True)
    sells = models.BooleanField("data are sold or shared for advertising", default=False)
    others = models.TextField("who else receives it", max_length=2000, blank=True)
    more_en = models.TextField("more, in English", max_length=4000, blank=True)
    more_es = models.TextField("more, in Spanish", max_length=4000, blank=True)
    created_at = models.DateTimeField()
    key_changed_at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "client"], nulls_distinct=False, name="rights_requestpage_one_a_client"
            ),
        )


class PrivacyNotice(ClientOwned, WithId):
    """
    A published privacy notice: the facts as they were, and the words by language. No row is ever changed.

    `digest` is SHA-256 over both, in the one form that JSON has (keys sorted, no blanks).
    """

    number = models.PositiveIntegerField()
    facts = models.JSONField()
    body = models.JSONField()
    digest = models.BinaryField(max_length=32)
    published_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    published_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "number"], name="rights_privacynotice_number"),
        )

    def __str__(self) -> str:
        return f"privacy notice {self.number}"


class HouseCode(AgencyOwned, WithId):
    """
    A code that proves a phone on the agency's own page, where no client is named and so none's tokens are; or a mail
    address on any page.

    Only keyed digests are kept, of the code and of where it went, for a day.
    """

    number_digest = models.BinaryField(max_length=32)
    by_mail = models.BooleanField(default=False)
    digest = models.BinaryField(max_length=32)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        indexes = (models.Index(fields=["agency", "created_at"], name="rights_housecode_of_agency"),)
