"""Signed documents of a client, and how much rests on each."""

from django.db.models import QuerySet

from callprivacy.tenancy.models import Client
from consent.enums import EventKind
from consent.models import ConsentEvent, TermsDocument


def documents(client: Client) -> QuerySet[TermsDocument]:
    """Every signed document, the newest first."""
    rows = TermsDocument.objects.for_client(client).select_related("client", "created_by")
    return rows.order_by("-created_at", "-pk")


def purposes_of(document: TermsDocument) -> list[str]:
    rows = ConsentEvent.objects.for_client(document.client_id).filter(document_id=document.pk)
    return sorted(set(rows.values_list("purpose", flat=True)))


def held_back(document: TermsDocument) -> int:
    """Of how many people on a document a no stood that it does not lift."""
    rows = ConsentEvent.objects.for_client(document.client_id).filter(document_id=document.pk)
    return rows.filter(kind=EventKind.NOTICED).values("caller_id").distinct().count()
