"""A client's public page and its form on other sites; who asked to be told by e-mail of what changes."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.tenancy.models import ClientOwned, WithId
from callprivacy.vault.fields import SealedField
from consent.enums import Language, Strength


class WebPage(ClientOwned, WithId):
    """
    The public page of a client: the key in its address, and the sites that may carry its form.

    `swap_*` is the script of a call tracker that shows other numbers to visitors; the form loads it only where
    nobody objects. With `swap_needs_consent` every visitor has to agree first, without it those outside the
    Americas and Australia. `links_ended_at`: personal links that were sent until then take no yes any more.
    """

    key = models.CharField(max_length=64)
    origins = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    swap_url = models.URLField(max_length=500, blank=True)
    swap_integrity = models.CharField(max_length=120, blank=True)
    swap_needs_consent = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    key_changed_at = models.DateTimeField()
    links_ended_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client"], name="consent_webpage_one_a_client"),)


class Subscription(ClientOwned, WithId):
    """
    An address at which a person wants to be told of changes: it counts once it was confirmed from that address.

    `strength` is that of the link behind which the address was given: the links in its letters prove no more.
    `told_at` is until when news has been told. `due_at` holds a row back while a message about it is on its way.
    """

    caller_id = models.UUIDField()
    address = SealedField()
    strength = models.CharField(max_length=1, choices=Strength, default=Strength.C)
    language = models.CharField(max_length=2, choices=Language, default=Language.ENGLISH)
    on_change = models.BooleanField("when my choices change", default=False)
    on_notice = models.BooleanField("when a notice that I agreed to changes", default=False)
    created_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "caller_id"], name="consent_subscription_one_a_caller"),
        )
        indexes = (models.Index(fields=["agency", "due_at"], name="consent_subscription_due"),)
