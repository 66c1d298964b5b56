"""Certificates of destruction as people see them, and take them away."""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.vault import signing
from retention.models import Certificate
from retention.selectors import certificates as selectors
from retention.services import certificates


@require_GET
@needs(Permission.MANAGE_RETENTION)
def list_certificates(request: StaffRequest, client: Client) -> HttpResponse:
    """A client's certificates, newest first."""
    page = selectors.page_of(client, request.GET.get("page"))
    rows = [
        {"certificate": certificate, "rows": selectors.rows_in(certificate)}
        for certificate in page.object_list
    ]
    context = {"client": client, "tab": "policies", "page": page, "rows": rows}
    return render(request, "retention/certificates.html", context)


@require_GET
@needs(Permission.MANAGE_RETENTION)
def show_certificate(request: StaffRequest, client: Client, certificate_id: UUID) -> HttpResponse:
    """What one certificate states."""
    certificate = _find(client, certificate_id)
    public = signing.public_keys().get(certificate.key_id)
    context = {
        "client": client,
        "tab": "policies",
        "certificate": certificate,
        "said": selectors.statement_of(certificate),
        "public": public.hex() if public else None,
    }
    return render(request, "retention/certificate.html", context)


@never_cache
@require_POST
@needs(Permission.MANAGE_RETENTION)
def take_certificate(request: StaffRequest, client: Client, certificate_id: UUID, form: str) -> HttpResponse:
    """Download one as JSON or PDF; that it was taken is in the trail."""
    if form not in {"json", "pdf"}:
        raise Http404
    certificate = _find(client, certificate_id)
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
        return redirect("retention:certificate", client.slug, certificate.pk)
    response = HttpResponse(file.data, content_type=file.media_type)
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    response["Digest"] = f"sha-256={hashlib.sha256(file.data).hexdigest()}"
    return response


def _find(client: Client, certificate_id: UUID) -> Certificate:
    found = selectors.certificates_of(client).filter(pk=certificate_id).first()
    if found is None:
        raise Http404
    return found
