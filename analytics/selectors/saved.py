"""Reports that people have kept: one's own, and those that are shared."""

from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery

from analytics.models import ReportMail, SavedReport
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.models import Client


def reports_of(membership: Membership, client_ids: list[int]) -> QuerySet[SavedReport]:
    """What a person finds of saved reports at clients, by name; `mailed` is how often they are sent each."""
    mine = ReportMail.objects.filter(report=OuterRef("pk"), user_id=membership.user_id)
    return (
        SavedReport.objects.filter(
            Q(is_shared=True) | Q(owner_id=membership.user_id), client_id__in=client_ids
        )
        .select_related("owner", "client")
        .annotate(mailed=Subquery(mine.values("every")[:1]))
        .order_by("name", "pk")
    )


def find_report(membership: Membership, client: Client, report_id: UUID) -> SavedReport | None:
    """One of them; another's private report is none."""
    return reports_of(membership, [client.pk]).filter(pk=report_id).first()


def named(membership: Membership, client: Client, report_id: str) -> SavedReport | None:
    """The saved report that an address names, if it names one that the person finds."""
    try:
        return find_report(membership, client, UUID(report_id))
    except ValueError:
        return None


def mails_of(report: SavedReport) -> int:
    """How many people are sent a report."""
    return ReportMail.objects.filter(report=report).count()
