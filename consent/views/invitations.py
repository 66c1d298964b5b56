"""Email invitations: batches, imported messages, and the public page behind an invitation's link."""

import io
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.calls.http import SealedUpload, SealingUpload, opened
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.channels import mail_in, tokens
from consent.enums import Purpose
from consent.forms.invitations import BatchForm, MailForm
from consent.selectors import invitations as selectors
from consent.services import again, invitations, ledger, mail
from consent.services.mail import Outcome
from consent.tasks.mail import nudge_invitations
from consent.tasks.menu_calls import nudge_stops
from consent.views import doors
from consent.views.doors import RefusedError
from consent.views.voice import busy

LIST_AT_MOST: Final = 2 * 1024 * 1024
ANSWERS: Final = 60
_CHANGED: Final = "Nothing was saved because a person on it was erased at the same moment. Submit it again."
_LEFT_BY_LAW: Final = (
    "{count:,} people were skipped. Under the law of their place or the client's, an email that asks for consent to"
    " contact or sharing is advertising, and they have not consented to contact."
)
_SAID: Final = {
    Outcome.WITHDRAWN: "Withdrawal saved. It applies now.",
    Outcome.AGREED: "Reply to an invitation: consent saved.",
    Outcome.REFUSED: "Reply to an invitation: refusal saved.",
    Outcome.NOTHING: "The message does not mention consent. Nothing was saved.",
    Outcome.BOUNCED: "The message is a bounce. No more invitations are sent to that address.",
    Outcome.ROBOT: "The message is an automatic reply. Nothing was saved.",
    Outcome.WAITING: "The message needs review. Find it among the replies.",
    Outcome.KNOWN: "This message was imported before. Nothing changed.",
}


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


@require_safe
@needs(Permission.MANAGE_CONSENT)
def list_batches(request: StaffRequest, client: Client) -> HttpResponse:
    rows, older = selectors.page(client, before=request.GET.get("before", ""))
    context = _context(
        client,
        rows=rows,
        older=older,
        may_ask=bool(selectors.versions_to_send(client)),
        mailbox=settings.CALLPRIVACY_MAIL_REPLY,
        is_brought=settings.CALLPRIVACY_TAKES_MAIL,
        trusted=sorted(settings.CALLPRIVACY_MAIL_AUTHSERV),
        trusted_hook=sorted(settings.CALLPRIVACY_MAIL_HOOK_AUTHSERV),
    )
    return render(request, "consent/invitations.html", context)


@csrf_exempt  # until the list is encrypted; `_ask` is protected
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def new_batch(request: StaffRequest, client: Client) -> HttpResponse:
    """Invite a list of people. It is encrypted on arrival, read, and removed."""
    handler = SealingUpload(client.pk, at=request.at, at_most=LIST_AT_MOST)
    request.upload_handlers = [handler]
    try:
        return _ask(request, client, handler)
    finally:
        handler.forget_unclaimed()


@csrf_protect
def _ask(request: StaffRequest, client: Client, handler: SealingUpload) -> HttpResponse:
    form = BatchForm(request.POST or None, request.FILES or None, versions=selectors.versions_to_send(client))
    refused: tuple[invitations.Refusal, ...] = ()
    if request.method == "POST":
        if handler.is_too_large:
            form.add_error("file", "The list is larger than 2 MB. Split it and upload the parts.")
        if form.is_valid():
            read = _read(client, form.cleaned_data["file"])
            refused = read.refused
            try:
                batch = invitations.create_batch(
                    client=client,
                    name=form.cleaned_data["name"],
                    version=form.cleaned_data["version"],
                    read=read,
                    by=request.actor,
                    at=request.at,
                )
            except invitations.NothingToAskError as error:
                form.add_error("file", str(error) if read.people else "No one on this list can be invited.")
            except tenancy.ClientLeftError as error:
                form.add_error(None, str(error))
            except ledger.CallerGoneError:
                form.add_error(None, _CHANGED)
            else:
                nudge_invitations(client.agency_id)
                messages.success(request, f"{batch.size:,} people will be invited, 60 a minute.")
                if batch.left_by_law:
                    messages.warning(request, _LEFT_BY_LAW.format(count=batch.left_by_law))
                for each in refused[:10]:
                    messages.warning(request, f"Line {each.line} was skipped: {each.why}.")
                return redirect("consent:batch", client.slug, batch.pk)
    context = {
        "form": form,
        "title": "Invite list",
        "about": "CallPrivacy sends 60 invitations a minute and skips people who opted out, consented already or must"
        " first consent to contact.",
        "button": "Send invitations",
        "back": reverse("consent:invitations", args=[client.slug]),
        "refused": refused[:20],
        "has_notice": bool(selectors.versions_to_send(client)),
    }
    return render(request, "consent/invitations_new.html", context)


def _read(client: Client, upload: SealedUpload) -> invitations.Read:
    with opened(client.pk, upload.stored) as stream:
        body = stream.read().decode("utf-8-sig", "replace")
    return invitations.read_list(io.StringIO(body, newline=""), country=client.home_country)


@require_safe
@needs(Permission.MANAGE_CONSENT)
def show_batch(request: StaffRequest, client: Client, batch_id: UUID) -> HttpResponse:
    row = get_object_or_404(selectors.batches(client), pk=batch_id)
    context = _context(client, row=row, progress=selectors.progress_of(row))
    return render(request, "consent/invitations_batch.html", context)


@require_POST
@needs(Permission.MANAGE_CONSENT)
def pause_batch(request: StaffRequest, client: Client, batch_id: UUID) -> HttpResponse:
    row = get_object_or_404(selectors.batches(client), pk=batch_id)
    is_paused = row.paused_at is None
    if invitations.pause(batch=row, is_paused=is_paused, by=request.actor, at=request.at):
        messages.success(request, "Sending paused." if is_paused else "Sending resumed.")
        if not is_paused:
            nudge_invitations(client.agency_id)
    return redirect("consent:batch", client.slug, row.pk)


@csrf_exempt  # until the message is encrypted; `_bring` is protected
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def bring_mail(request: StaffRequest, client: Client) -> HttpResponse:
    handler = SealingUpload(client.pk, at=request.at, at_most=mail_in.LARGEST)
    request.upload_handlers = [handler]
    try:
        return _bring(request, client, handler)
    finally:
        handler.forget_unclaimed()


@csrf_protect
def _bring(request: StaffRequest, client: Client, handler: SealingUpload) -> HttpResponse:
    form = MailForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        if handler.is_too_large:
            form.add_error("file", "The message is larger than 2 MB. Import a smaller one.")
        if form.is_valid():
            try:
                with opened(client.pk, form.cleaned_data["file"].stored) as stream:
                    raw = stream.read()
                outcome = mail.take_in(
                    raw,
                    client=client,
                    trusted=settings.CALLPRIVACY_MAIL_AUTHSERV,
                    by=request.actor,
                    at=request.at,
                )
            except mail.UnreadableError as error:
                form.add_error("file", str(error))
            except ledger.CallerGoneError:
                form.add_error(None, _CHANGED)
            else:
                nudge_stops(client.agency_id)
                messages.success(request, _SAID[outcome])
                where = "consent:replies" if outcome is Outcome.WAITING else "consent:bring_mail"
                return redirect(where, client.slug)
    context = {
        "form": form,
        "title": "Import message",
        "about": "Import a reply or withdrawal from another mailbox; clear messages from verified senders apply at"
        " once.",
        "button": "Import message",
        "back": reverse("consent:invitations", args=[client.slug]),
        "trusted": settings.CALLPRIVACY_MAIL_AUTHSERV,
    }
    return render(request, "consent/invitations_mail.html", context)


# --- The page behind a link ---------------------------------------------------------------------------------------


@doors.public
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, key: str, secret: str) -> HttpResponse:
    """The very words of the letter, a box for each purpose, yes and no; and the one click that ends the letters."""
    at = timezone.now()
    if request.method == "POST" and request.POST.get("List-Unsubscribe") == "One-Click":
        return _unsubscribe(key, secret)
    chosen = doors.language_for(request) if request.GET.get("lang") or request.POST.get("lang") else None
    try:
        asked = invitations.show(key=key, secret=secret, language=chosen, at=at)
    except invitations.UnknownInvitationError:
        raise Http404 from None
    if request.method != "POST":
        return _draw(request, asked)
    try:
        doors.need_fresh(request, asked.look, at=at)
        doors.need_room(request, f"ask:{asked.look.client_id}", most=ANSWERS, at=at, while_unknown=True)
        agreed = _agreed(request, asked)
        # The link is a secret: evidence names the page without it.
        visit = doors.visit_of(request, page=f"link of an invitation of {asked.look.name}")
        with doors.refusing():
            _, agency_id = again.insist(
                lambda: invitations.answer(key=key, secret=secret, agreed=agreed, visit=visit, at=at)
            )
    except RefusedError as refused:
        return _draw(request, asked, refused)
    except invitations.UnknownInvitationError:
        raise Http404 from None
    nudge_stops(agency_id)
    return doors.page(
        request, "asked", asked.look, asked.language, is_heard=True, agreed=bool(agreed), words=asked.words
    )


def _agreed(request: HttpRequest, asked: invitations.Asked) -> frozenset[Purpose]:
    """What was ticked beside the words of this very version; nothing where the answer is no."""
    if request.POST.get("deed") == "no":
        return frozenset()
    shown = tokens.read_form(request.POST.get("form", ""), client_id=asked.look.client_id, at=timezone.now())
    ticked = {purpose for purpose in shown if purpose.value in request.POST.getlist("purposes")}
    if not ticked or any(shown[purpose] != asked.words.version_id for purpose in ticked):
        raise RefusedError(422, "none_ticked")
    if doors.visit_of(request).opted_out:
        ticked -= {Purpose.SHARE}
        if not ticked:
            raise RefusedError(422, "gpc_share")
    return frozenset(ticked)


def _draw(
    request: HttpRequest, asked: invitations.Asked, refused: RefusedError | None = None
) -> HttpResponse:
    return doors.page(
        request,
        "ask",
        asked.look,
        asked.language,
        refused=refused,
        notice=asked.words,
        form=asked.form,
        answered=asked.answered,
        stands=asked.stands,
        is_over=asked.is_over,
        ticked=request.POST.getlist("purposes"),
    )


def _unsubscribe(key: str, secret: str) -> HttpResponse:
    try:
        agency_id = again.insist(lambda: invitations.unsubscribe(key=key, secret=secret, at=timezone.now()))
    except again.BusyError:
        return busy()
    except invitations.UnknownInvitationError:
        raise Http404 from None
    nudge_stops(agency_id)
    return HttpResponse(b"Done.\n", content_type="text/plain; charset=utf-8")
