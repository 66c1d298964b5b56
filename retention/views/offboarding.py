"""A client leaves: asked for, agreed to, handed over, erased; and the link under which its file is taken."""

from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.http.request import HttpRequest
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from callprivacy.accounts import access, seconding
from callprivacy.accounts.access import StaffRequest, confirms, needs, needs_right, takes_files
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.seconding import NotCountedError
from callprivacy.audit.services import ReasonUnreadError
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from retention.enums import EndState
from retention.forms.offboarding import AskForm, shown_in
from retention.models import Offboarding
from retention.services import offboarding
from retention.tasks.offboarding import nudge_on_commit

_WORDS: Final = {
    "calls": "Calls, in and out",
    "callers": "Callers, with their numbers",
    "facts": "Consents, refusals and withdrawals in the ledger",
    "connections": "Open connections of trackers",
    "keys": "Keys of systems",
    "people": "People with a grant",
    "links": "Public pages and personal links",
}
_ANOTHER: Final = "It was requested again since you opened this page. Review it again."


def _extent(counts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"name": name, "label": words, "value": counts.get(name, 0)} for name, words in _WORDS.items()]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_RETENTION)
@confirms(Deed.POLICY)
def show(request: StaffRequest, client: Client) -> HttpResponse:
    """How far it is; or, where nobody has asked yet, the exact extent, and the form that asks."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    row = offboarding.of_client(client)
    if row is None:
        return _ask(request, client)
    return _show(request, client, row)


def _show(
    request: StaffRequest, client: Client, row: Offboarding, link: str = "", **more: Any
) -> HttpResponse:
    """
    :param link: that was made just now; it is shown in this answer and kept nowhere.
    :param more: what else is shown in this answer alone.
    """
    waits = offboarding.waits_for_second(row, at=request.at)
    is_last = row.state == EndState.WRITTEN and row.taken_at is not None and not waits
    counts = offboarding.extent_of(client).stored() if is_last else row.extent
    context = {
        "client": client,
        "row": row,
        "counts": counts,
        "extent": _extent(counts),
        "is_mine": row.asked_by_id == request.membership.user_id,
        "holds": offboarding.open_holds(client),
        "link": link,
        "waits_for_second": waits,
        "doubt": seconding.may_second(
            proposer=row.asked_by_id,
            signer=request.membership.user_id,
            agency_id=row.agency_id,
            at=request.at,
        ),
        "may_erase": is_last,
        "rows": [
            {"label": name.replace("_", " ").capitalize(), "value": count}
            for name, count in row.file_rows.items()
        ],
        "erased": [
            {"label": name.replace("_", " ").capitalize(), "value": count}
            for name, count in row.erased.items()
        ],
    }
    return render(request, "retention/offboarding.html", context | more)


def _ask(request: StaffRequest, client: Client) -> HttpResponse:
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _check_sight(request, client, with_numbers=form.cleaned_data["with_numbers"])
            row = offboarding.ask(
                client=client,
                moved_to=form.cleaned_data["moved_to"],
                with_numbers=form.cleaned_data["with_numbers"],
                reason=form.cleaned_data["reason"],
                shown=shown_in(form.data),
                by=request.actor,
                at=request.at,
            )
        except offboarding.ExtentChangedError:
            messages.warning(request, "The counts have changed since you saw them. Look again, then ask.")
        except (offboarding.HeldError, offboarding.NotNowError) as error:
            messages.error(request, str(error))
        else:
            messages.success(
                request,
                "Asked for. Nothing happens before a second officer agrees."
                if row.due_at is None
                else "Asked for. It begins in a day; everybody who manages the agency is told, and may stop it.",
            )
            return redirect("retention:offboarding", client.slug)
    extent = offboarding.extent_of(client).stored()
    context = {
        "client": client,
        "form": form,
        "extent": _extent(extent),
        "counts": extent,
        "holds": offboarding.open_holds(client),
        "is_alone": not offboarding.has_other_officer(
            client.agency_id, request.membership.user_id, at=request.at
        ),
    }
    return render(request, "retention/offboarding_ask.html", context)


@never_cache
@require_POST
@needs(Permission.MANAGE_RETENTION, also_left=True)
@confirms(Deed.POLICY)
def steer(request: StaffRequest, client: Client, how: str) -> HttpResponse:
    access.require(request, AgencyRight.SIGN_OFF, client)
    if how not in {_REASON, _LINK, *_DEEDS}:
        raise Http404
    row = offboarding.of_client(client)
    if row is None:
        messages.info(request, "It was not requested yet.")
        return redirect("retention:offboarding", client.slug)
    if not _is_shown(request, row):
        messages.error(request, _ANOTHER)
        return redirect("retention:offboarding", client.slug)
    if how == _REASON:
        words = offboarding.read_reason(row=row, by=request.actor, at=request.at)
        return _show(request, client, row, words=words, has_read=True)
    try:
        if how == _LINK:
            return _show(request, client, row, link=_make_link(request, row))
        messages.success(request, _DEEDS[how](request, row))
    except offboarding.ExtentChangedError:
        messages.warning(
            request, "The counts have changed since you saw them. Look again. Nothing was erased."
        )
    except (
        offboarding.HeldError,
        offboarding.NotNowError,
        NotCountedError,
        ReasonUnreadError,
    ) as error:
        messages.error(request, str(error))
    nudge_on_commit(client.agency_id)
    return redirect("retention:offboarding", client.slug)


def _is_shown(request: StaffRequest, row: Offboarding) -> bool:
    """Whether the page that was sent showed this row, and not one that was stopped since."""
    return request.POST.get("row") == str(row.pk)


def _check_sight(request: StaffRequest, client: Client, *, with_numbers: bool) -> None:
    """:raises NotNowError: numbers stand in the file, and none may be shown to the person."""
    if with_numbers and not access.may(request.membership, Permission.REVEAL_NUMBERS, client, at=request.at):
        raise offboarding.NotNowError(
            "With numbers it is for an officer to whom they may be shown at this client. Ask one to do it."
        )


def _agree(request: StaffRequest, row: Offboarding) -> str:
    _check_sight(request, row.client, with_numbers=row.with_numbers)
    offboarding.agree(row=row, by=request.actor, at=request.at)
    return "Agreed. The file is being written."


def _stop(request: StaffRequest, row: Offboarding) -> str:
    offboarding.stop(row=row, by=request.actor, at=request.at)
    return "Stopped. Nothing was erased."


def _make_link(request: StaffRequest, row: Offboarding) -> str:
    access.require_files(request)
    _check_sight(request, row.client, with_numbers=row.with_numbers)
    text = offboarding.new_link(row=row, by=request.actor, at=request.at)
    row.refresh_from_db(fields=["link_until", "taken_at"])
    return f"{settings.CALLPRIVACY_URL}{reverse('retention:handover', args=[text])}"


def _erase(request: StaffRequest, row: Offboarding) -> str:
    if request.POST.get("phrase", "") != row.client.slug:
        raise offboarding.NotNowError(f"Type {row.client.slug} to confirm. Nothing was erased.")
    offboarding.begin_erasing(row=row, shown=shown_in(request.POST), by=request.actor, at=request.at)
    return "The ways in are being shut. What is not in the file is looked for, then everything goes."


_REASON: Final = "reason"
_LINK: Final = "link"
_DEEDS: Final = {"agree": _agree, "stop": _stop, "erase": _erase}


@require_http_methods(["GET", "HEAD"])
@needs_right(AgencyRight.MANAGE_CLIENTS)
def show_leaving(request: StaffRequest) -> HttpResponse:
    """The clients that leave, for everybody who manages the agency: who asked, how far it is, and a way to stop it."""
    member = request.membership
    opened: list[int] = []
    if access.has_right(member, AgencyRight.SIGN_OFF):
        opened = access.client_ids_with(member, Permission.MANAGE_RETENTION, at=request.at)
    context = {
        "section": "leaving",
        "rows": offboarding.of_agency(request.agency),
        "opened": opened,
    }
    return render(request, "retention/leaving.html", context)


@require_POST
@needs_right(AgencyRight.MANAGE_CLIENTS)
@confirms(Deed.POLICY)
def stop_leaving(request: StaffRequest, slug: str) -> HttpResponse:
    """Stop the end of a client, as somebody who was told of it."""
    client = access.visible_clients(request.membership, at=request.at).filter(slug=slug).first()
    if client is None:
        raise Http404
    row = offboarding.of_client(client)
    if row is None:
        messages.info(request, "It was not requested, or it was stopped.")
        return redirect("retention:leaving")
    if not _is_shown(request, row):
        messages.error(request, _ANOTHER)
        return redirect("retention:leaving")
    try:
        messages.success(request, _stop(request, row))
    except offboarding.NotNowError as error:
        messages.error(request, str(error))
    return redirect("retention:leaving")


@never_cache
@require_http_methods(["GET", "HEAD"])
@needs(Permission.MANAGE_RETENTION)
@takes_files
def take_statement(request: StaffRequest, client: Client) -> HttpResponse:
    access.require(request, AgencyRight.SIGN_OFF, client)
    row = offboarding.of_client(client)
    if row is None or row.state != EndState.DONE:
        messages.info(request, "There is no statement before everything is done.")
        return redirect("retention:offboarding", client.slug)
    name, data = offboarding.statement_file(row=row, by=request.actor, at=request.at)
    answer = HttpResponse(data, content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def hand_over(request: HttpRequest, token: str) -> HttpResponseBase:
    """The page of the link; only its button takes the file, so that what looks at links does not use it up."""
    at = timezone.now()
    try:
        row = offboarding.door_of(token, at=at)
        if request.method != "POST":
            return render(request, "retention/handover.html", {"row": row, "client": row.client})
        handover = offboarding.take(token, clock=timezone.now)
    except offboarding.NoFileError:
        raise Http404 from None
    answer = StreamingHttpResponse(handover, content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{slugify(row.client.name) or "client"}.zip"'
    return answer
