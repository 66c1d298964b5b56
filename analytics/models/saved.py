"""Reports that people keep, and who is sent which."""

from django.db import models

from analytics.enums import Every
from callprivacy.accounts.models import User
from callprivacy.tenancy.models import ClientOwned, WithId


class SavedReport(ClientOwned, WithId):
    """
    A question to the explorer that somebody wants to ask again; the answer is counted anew each time.

    :ivar query: the question as it stands in the address.
    :ivar is_shared: whoever may see the client's reports finds it; else only its owner does.
    """

    owner = models.ForeignKey(User, models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    query = models.CharField(max_length=2000)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "id"], name="analytics_savedreport_in_client"),
            models.UniqueConstraint(
                fields=["client", "owner", "name"], name="analytics_savedreport_name_of_owner"
            ),
        )

    def __str__(self) -> str:
        return self.name


class ReportMail(ClientOwned):
    """
    That a person is sent a saved report, each person by an own wish.

    :ivar due_at: when the next one goes out; a claim moves `claimed_until`, a sent mail `due_at`.
    """

    id = models.BigAutoField(primary_key=True)
    report = models.ForeignKey(SavedReport, models.CASCADE, related_name="mails", db_constraint=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    every = models.CharField(max_length=5, choices=Every)
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "report", "user"], name="analytics_reportmail_once"),
        )
        indexes = (models.Index(fields=["agency", "due_at"], name="analytics_reportmail_due"),)
