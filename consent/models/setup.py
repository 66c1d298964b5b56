"""How far the setting up of a new client has come, where no other row says so."""

from django.db import models

from callprivacy.tenancy.models import ClientOwned
from consent.enums import SetupStep


class SetupMark(ClientOwned):
    """That a person settled one step of setting a client up: by whom, when, and with what."""

    id = models.BigAutoField(primary_key=True)
    step = models.CharField(max_length=12, choices=SetupStep)
    note = models.CharField(max_length=200, blank=True)
    marked_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    marked_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client", "step"], name="consent_setupmark_once"),)

    def __str__(self) -> str:
        return self.step
