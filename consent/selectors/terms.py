"""Signed documents of a client, and how much rests on each."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet

from callprivacy.tenancy.models import Client
from consent.enums import EventKind
from consent.models import ConsentEvent, TermsDocument

PAGE: Final = 50


def documents(client: Client) -> QuerySet[TermsDocument]:
    """Every signed document, the newest first."""
    return (
        TermsDocument.objects.for_client(client).select_related("created_by").order_by("-created_at", "-pk")
    )


def page(client: Client, *, before: str = "") -> tuple[list[TermsDocument], str]:
    """A page of documents, and the cursor of the next; a cursor that cannot be read begins anew."""
    rows = documents(client)
    moment, _, identity = before.partition("_")
    try:
        at, key = datetime.fromisoformat(moment), uuid.UUID(identity)
    except ValueError:
        pass
    else:
        if at.tzinfo is not None:
            rows = rows.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=key))
    found = list(rows[: PAGE + 1])
    last = found[PAGE - 1] if len(found) > PAGE else None
    return found[:PAGE], f"{last.created_at.isoformat()}_{last.pk}" if last is not None else ""


def purposes_of(document: TermsDocument) -> list[str]:
    """For what the people of a document agreed."""
    rows = ConsentEvent.objects.for_client(document.client_id).filter(document_id=document.pk)
    return sorted(set(rows.values_list("purpose", flat=True)))


def held_back(document: TermsDocument) -> int:
    """Of how many people on a document a no stood that it does not lift."""
    rows = ConsentEvent.objects.for_client(document.client_id).filter(document_id=document.pk)
    return rows.filter(kind=EventKind.NOTICED).values("caller_id").distinct().count()
