"""External certificates and their files, which are encrypted during the upload."""

from typing import Any, Final, cast
from uuid import UUID

from django.http import Http404, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods

from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import INFO, Done, form_page
from callprivacy.calls.http import SealedUpload, SealingUpload, opened
from governance.courses import Course
from governance.forms.training import OutsideForm
from governance.selectors import training as selectors
from governance.services import certificates, training
from governance.tasks import watch as tasks
from governance.views.deeds import today
from governance.views.training import above

_SUFFIXES: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "application/pdf": "pdf"}


@csrf_exempt  # so that the upload handler can be set first; `_note` is protected
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_CLIENTS)
def note_outside(request: StaffRequest) -> HttpResponse:
    """Encrypt the file during the upload, before anything else reads it."""
    holder = certificates.holder_of(request.agency.pk)
    if request.method == "POST":
        certificates.open_holder(agency_id=request.agency.pk, at=request.at)
    handler = SealingUpload(holder, at=request.at, at_most=certificates.AT_MOST)
    request.upload_handlers = [handler]
    try:
        return _note(request)
    finally:
        handler.forget_unclaimed()


def _handler(request: StaffRequest) -> SealingUpload:
    return cast(SealingUpload, request.upload_handlers[0])


def _choices(request: StaffRequest, offered: dict[str, Course]) -> dict[str, Any]:
    return {
        "people": list(selectors.members()),
        "courses": offered,
        "today": today(request),
        "is_too_large": _handler(request).is_too_large,
    }


@csrf_protect
@form_page(
    OutsideForm,
    right=AgencyRight.MANAGE_CLIENTS,
    load=lambda _: selectors.catalogue(),
    title="Add an external certificate",
    button="Add certificate",
    crumbs=above,
    fill=_choices,
    errors={
        training.OwnCertificateError: "people",
        training.NotPassedYetError: "passed_on",
        certificates.NoCertificateError: "file",
    },
)
def _note(request: StaffRequest, offered: dict[str, Course], form: OutsideForm) -> Done:
    data = form.cleaned_data
    file, user_id = _file(request.agency.pk, data["file"]), int(data["people"])
    training.note_outside(
        agency=request.agency,
        course=offered[data["course"]],
        user_id=user_id,
        issuer=data["issuer"],
        passed_on=data["passed_on"],
        valid_until=data["valid_until"],
        file=file,
        by=request.actor,
        at=request.at,
    )
    _handler(request).is_claimed = file is not None
    tasks.settle_training.delay_on_commit(agency_id=request.agency.pk, user_id=user_id)
    if data["valid_until"] < today(request):
        return Done("Saved. The certificate has expired, so the course is still required.", level=INFO)
    return Done("Saved.")


def _file(agency_id: int, upload: SealedUpload | None) -> certificates.File | None:
    if upload is None:
        return None
    with opened(certificates.holder_of(agency_id), upload.stored) as stream:
        return certificates.look_at(stream, file_id=upload.stored.file_id, digest=upload.stored.digest)


@never_cache
@require_GET
def take_file(request: StaffRequest, completion_id: UUID) -> HttpResponse:
    """Download one's own certificate file, or any file with the right to manage the agency."""
    row = selectors.find_completion(completion_id)
    if row is None:
        raise Http404
    try:
        content = certificates.take(row=row, by=request.actor, at=request.at)
    except certificates.NoFileError:
        raise Http404 from None
    answer = HttpResponse(content, content_type=row.file_type)
    answer["Content-Disposition"] = (
        f'attachment; filename="certificate-{row.course}.{_SUFFIXES[row.file_type]}"'
    )
    return answer
