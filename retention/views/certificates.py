"""Certificates of destruction as people see them, and take them away."""

import hashlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from callprivacy.accounts.access import StaffRequest, needs, needs_right, takes_files
from callprivacy.accounts.enums import AgencyRight
from callprivacy.lib.status import Reader, Thing, words_for
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.vault import signing
from retention.channels import certificate as drawn
from retention.models import Certificate, HouseCertificate
from retention.selectors import certificates as selectors
from retention.services import certificates


@require_GET
@needs(Permission.MANAGE_RETENTION)
def list_certificates(request: StaffRequest, client: Client) -> HttpResponse:
    """A client's certificates, newest first."""
    page = selectors.page_of(client, request.GET.get("page"))
    context = {"client": client, "page": page, "rows": _rows(page.object_list)}
    return render(request, "retention/certificates.html", context)


@require_GET
@needs(Permission.MANAGE_RETENTION)
def show_certificate(request: StaffRequest, client: Client, certificate_id: UUID) -> HttpResponse:
    context = {"client": client, **_shown(request, _find(client, certificate_id))}
    return render(request, "retention/certificate.html", context)


def _rows(found: Iterable[Certificate | HouseCertificate]) -> list[dict[str, Any]]:
    said = [(certificate, selectors.statement_of(certificate)) for certificate in found]
    return [
        {"certificate": certificate, "rows": drawn.destroyed(one).sent, "words": drawn.destroyed_words(one)}
        for certificate, one in said
    ]


def _shown(request: StaffRequest, certificate: Certificate | HouseCertificate) -> dict[str, Any]:
    said = selectors.statement_of(certificate)
    public = signing.public_keys().get(certificate.key_id)
    copies = selectors.copies(certificate, at=request.at)
    return {
        "certificate": certificate,
        "said": said,
        "destroyed": drawn.destroyed(said),
        "words": drawn.destroyed_words(said),
        "copies": copies,
        "copies_words": words_for(copies, Reader.OFFICER, thing=Thing.COPIES),
        "public": public.hex() if public else None,
    }


@never_cache
@require_POST
@needs(Permission.MANAGE_RETENTION)
@takes_files
def take_certificate(request: StaffRequest, client: Client, certificate_id: UUID, form: str) -> HttpResponse:
    """Download one as JSON or PDF; that it was taken is in the trail."""
    certificate = _find(client, certificate_id)
    return _taken(request, certificate, form) or redirect(
        "retention:certificate", client.slug, certificate.pk
    )


def _taken(
    request: StaffRequest, certificate: Certificate | HouseCertificate, form: str
) -> HttpResponse | None:
    """The file; None where its key is not known any more, which is said."""
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


@require_GET
@needs_right(AgencyRight.SIGN_OFF)
def list_own(request: StaffRequest) -> HttpResponse:
    """The certificates about the agency's own rows, newest first."""
    page = selectors.own_page(request.GET.get("page"))
    context = {"page": page, "rows": _rows(page.object_list)}
    return render(request, "retention/certificates_own.html", context)


@require_GET
@needs_right(AgencyRight.SIGN_OFF)
def show_own(request: StaffRequest, certificate_id: UUID) -> HttpResponse:
    return render(request, "retention/certificate_own.html", _shown(request, _find_own(certificate_id)))


@never_cache
@require_POST
@needs_right(AgencyRight.SIGN_OFF)
@takes_files
def take_own(request: StaffRequest, certificate_id: UUID, form: str) -> HttpResponse:
    """Download one as JSON or PDF; that it was taken is in the trail."""
    certificate = _find_own(certificate_id)
    return _taken(request, certificate, form) or redirect("retention:own_certificate", certificate.pk)


def _find_own(certificate_id: UUID) -> HouseCertificate:
    found = selectors.own_certificates().filter(pk=certificate_id).first()
    if found is None:
        raise Http404
    return found


def _find(client: Client, certificate_id: UUID) -> Certificate:
    found = selectors.certificates_of(client).filter(pk=certificate_id).first()
    if found is None:
        raise Http404
    return found
