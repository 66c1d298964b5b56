"""Certificates of destruction, as the scope sees them."""

import json
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet

from callprivacy.lib.status import Progress
from callprivacy.tenancy.models import Client
from retention.models import Backup, Certificate, HouseCertificate, Run


def certificates_of(client: Client) -> QuerySet[Certificate]:
    """A client's certificates, newest first."""
    return Certificate.objects.for_client(client).select_related("client", "run").order_by("-number")


def of_run(run: Run) -> dict[int, Certificate]:
    """Client id -> the certificate that a run gave there, for those clients that the scope sees."""
    rows = Certificate.objects.filter(run=run).defer("statement", "signature")
    return {row.client_id: row for row in rows}


def own_of_run(run: Run) -> HouseCertificate | None:
    """The certificate about the agency's own rows that a run gave; none where the scope does not see it."""
    return own_certificates().filter(run=run).first()


def own_certificates() -> QuerySet[HouseCertificate]:
    """The certificates about the agency's own rows, newest first."""
    return HouseCertificate.objects.select_related("run").order_by("-number")


def statement_of(certificate: Certificate | HouseCertificate) -> dict[str, Any]:
    statement: dict[str, Any] = json.loads(certificate.statement)
    return statement


def copies(certificate: Certificate | HouseCertificate, *, at: datetime) -> Progress:
    """How far the vault's backups are removed that may hold the keys of what a certificate says was destroyed."""
    rows = Backup.objects.filter(database="vault", made_at__lte=certificate.issued_at)
    held = list(rows.filter(Q(removed_at=None) | Q(removed_at__gt=certificate.issued_at)))
    removed = [row.removed_at for row in held if row.removed_at]
    is_over = at.astimezone(UTC).date() >= certificate.copies_gone_on
    return Progress(
        planned=len(held),
        sent=len(removed),
        acknowledged=len(removed),
        acknowledged_at=max(removed, default=None),
        late=len(held) - len(removed) if is_over else 0,
    )
