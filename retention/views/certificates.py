"""Certificates of destruction as people see them, and take them away."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from callprivacy.accounts.access import StaffRequest, needs, needs_right, takes_files
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.tables import Column, Empty, Table, list_page
from callprivacy.lib.status import Reader, Thing, words_for
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.vault import signing
from retention.channels import certificate as drawn
from retention.models import Certificate, HouseCertificate
from retention.selectors import certificates as selectors
from retention.services import certificates


@dataclass(frozen=True, slots=True)
class _Line:
    certificate: Certificate | HouseCertificate
    rows: int
    words: str


def _lines(request: StaffRequest, rows: list[Certificate | HouseCertificate]) -> list[_Line]:
    statements = [(certificate, selectors.statement_of(certificate)) for certificate in rows]
    return [
        _Line(certificate, drawn.destroyed(statement).sent, drawn.destroyed_words(statement))
        for certificate, statement in statements
    ]


def _address(line: _Line) -> str:
    if isinstance(line.certificate, HouseCertificate):
        return reverse("retention:own_certificate", args=[line.certificate.pk])
    return reverse("retention:certificate", args=[line.certificate.client.slug, line.certificate.pk])


_OWN: Final = Table(
    label="Certificates of the agency's own",
    columns=(
        Column("Number", lambda line: f"Number {line.certificate.number}", link=_address, sort="number"),
        Column("Issued", "certificate.issued_at", sort="issued_at"),
        Column("Run of", "certificate.run.planned_on", sort="run__planned_on"),
        Column("Rows destroyed", "rows", note="words", is_number=True),
    ),
    empty=Empty(
        "No certificate yet",
        "The first run that destroys something of the agency's own issues one, a minute after it has ended.",
        "retention",
    ),
    lines=_lines,
    size=25,
    file="agency-certificates",
)
_OF_A_CLIENT: Final = replace(
    _OWN,
    label="Certificates of destruction",
    columns=(
        *_OWN.columns,
        Column(
            "Backups due to be removed by",
            lambda line: line.certificate.copies_gone_on if line.rows else None,
            nothing="nothing destroyed",
        ),
    ),
    empty=Empty(
        "No certificate yet",
        "The first retention run that deletes something here issues one. A deletion on request has its letter and the"
        " request’s page instead.",
        "retention",
    ),
    file="certificates",
)


@list_page(
    _OF_A_CLIENT,
    right=Permission.MANAGE_RETENTION,
    lede="One for each retention run that deleted something, was limited by a legal hold, or was stopped by an error."
    " Each is signed and can be verified independently.",
)
def list_certificates(request: StaffRequest, client: Client) -> QuerySet[Certificate]:
    return selectors.certificates_of(client)


@require_GET
@needs(Permission.MANAGE_RETENTION)
def show_certificate(request: StaffRequest, client: Client, certificate_id: UUID) -> HttpResponse:
    context = {"client": client, **_shown(request, _find(client, certificate_id))}
    return render(request, "retention/certificate.html", context)


def _shown(request: StaffRequest, certificate: Certificate | HouseCertificate) -> dict[str, Any]:
    statement = selectors.statement_of(certificate)
    public = signing.public_keys().get(certificate.key_id)
    copies = selectors.copies(certificate, at=request.at)
    return {
        "certificate": certificate,
        "said": statement,
        "destroyed": drawn.destroyed(statement),
        "words": drawn.destroyed_words(statement),
        "copies": copies,
        "copies_words": words_for(copies, Reader.OFFICER, thing=Thing.COPIES),
        "public": public.hex() if public else None,
    }


@never_cache
@require_POST
@needs(Permission.MANAGE_RETENTION)
@takes_files
def take_certificate(request: StaffRequest, client: Client, certificate_id: UUID, form: str) -> HttpResponse:
    """Download one as JSON or PDF; the audit log records it."""
    certificate = _find(client, certificate_id)
    return _taken(request, certificate, form) or redirect(
        "retention:certificate", client.slug, certificate.pk
    )


def _taken(
    request: StaffRequest, certificate: Certificate | HouseCertificate, form: str
) -> HttpResponse | None:
    """The file; None where its key is not known any more, which a message says."""
    if form not in {"json", "pdf"}:
        raise Http404
    try:
        file = certificates.take(
            certificate=certificate,
            agency=request.agency,
            as_pdf=form == "pdf",
            by=request.actor,
            at=request.at,
        )
    except certificates.UnknownKeyError:
        messages.error(
            request,
            f"The certificate was signed by key {certificate.key_id}. Name it in CALLPRIVACY_EARLIER_PUBLIC_KEYS, "
            "then take the certificate.",
        )
        return None
    response = HttpResponse(file.data, content_type=file.media_type)
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    response["Digest"] = f"sha-256={hashlib.sha256(file.data).hexdigest()}"
    return response


# --- Of the agency's own rows -------------------------------------------------------------------------------------


@list_page(
    _OWN,
    right=AgencyRight.SIGN_OFF,
    lede="One for each run that destroyed requests that name no client, training, entries of premises, reasons or"
    " events of the audit log, was limited by a legal hold, or was stopped by an error. Each client's own are on its"
    " page.",
)
def list_own(request: StaffRequest) -> QuerySet[HouseCertificate]:
    return selectors.own_certificates()


@require_GET
@needs_right(AgencyRight.SIGN_OFF)
def show_own(request: StaffRequest, certificate_id: UUID) -> HttpResponse:
    return render(request, "retention/certificate_own.html", _shown(request, _find_own(certificate_id)))


@never_cache
@require_POST
@needs_right(AgencyRight.SIGN_OFF)
@takes_files
def take_own(request: StaffRequest, certificate_id: UUID, form: str) -> HttpResponse:
    """Download one as JSON or PDF; the audit log records it."""
    certificate = _find_own(certificate_id)
    return _taken(request, certificate, form) or redirect("retention:own_certificate", certificate.pk)


def _find_own(certificate_id: UUID) -> HouseCertificate:
    return get_object_or_404(selectors.own_certificates(), pk=certificate_id)


def _find(client: Client, certificate_id: UUID) -> Certificate:
    return get_object_or_404(selectors.certificates_of(client), pk=certificate_id)
