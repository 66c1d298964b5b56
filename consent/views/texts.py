"""
Twilio's webhooks for texts, and the pages on which people review messages.

The response to a text is empty: a confirmation to the person is sent separately, once.
"""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import FORM, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Moment, Table, list_page
from callprivacy.calls.models import Caller
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.channels import texts as words
from consent.channels import twiml
from consent.enums import Channel
from consent.forms.menus import DecisionForm, InviteForm, WriterForm
from consent.models import Invitation, Reply
from consent.selectors import replies as selectors
from consent.selectors.people import name_of
from consent.services import again, finding, text_sending, texts, twilio_door
from consent.services.ledger import CallerGoneError
from consent.services.twilio_door import Door
from consent.tasks.decisions import nudge_decisions
from consent.tasks.menu_calls import nudge_stops
from consent.tasks.texts import nudge_texts
from consent.tasks.withdrawals import nudge_withdrawals
from consent.views.voice import busy, delivery_of, forbidden, not_found

ACTOR: Final = "twilio.sms"
_GONE: Final = "Nothing was saved because this person was erased at the same moment. Reload the page."


# --- Webhooks ------------------------------------------------------------------------------------------------------


@csrf_exempt
@login_not_required
@require_POST
def receive(request: HttpRequest, key: str) -> HttpResponse:
    return _take(request, key, lambda door: texts.take_in(door=door, at=timezone.now()))


@csrf_exempt
@login_not_required
@require_POST
def note_status(request: HttpRequest, key: str) -> HttpResponse:
    return _take(request, key, lambda door: text_sending.note_status(door=door, at=timezone.now()))


def _take(request: HttpRequest, key: str, handle: Callable[[Door], object]) -> HttpResponse:
    delivery = delivery_of(request, key)
    if isinstance(delivery, HttpResponse):
        return delivery

    def once() -> int:
        with twilio_door.entered(key=key, delivery=delivery, by=ACTOR, at=timezone.now()) as door:
            handle(door)
            return door.client.agency_id

    try:
        # Twilio does not retry a text by itself, so a STOP that meets a lock is retried here.
        agency_id = again.insist(once)
    except twilio_door.UnknownConnectionError:
        return not_found()
    except twilio_door.ForgedError:
        return forbidden()
    except texts.NoMessageError:
        return HttpResponse(b"No message found.\n", status=400, content_type="text/plain; charset=utf-8")
    except again.BusyError:
        return busy()
    nudge_stops(agency_id)
    nudge_texts(agency_id)
    nudge_withdrawals(agency_id)
    nudge_decisions(agency_id)
    return HttpResponse(twiml.NOTHING, content_type=twiml.CONTENT_TYPE)


# --- The pages ------------------------------------------------------------------------------------------------------


def _address(reply: Reply) -> str:
    return reverse("consent:decide_reply", args=[reply.client.slug, reply.pk])


_REPLIES: Final = Table(
    label="Messages",
    columns=(
        Column("From", "caller", link=lambda row: _address(row.reply)),
        Column(
            "Received",
            lambda row: Moment(row.reply.received_at, row.reply.client.time_zone),
            sort="received_at",
        ),
        Column("Channel", "reply.get_channel_display"),
        Column("To", "number", nothing="unknown"),
        Column("Reason for review", "reply.why"),
    ),
    lines=lambda _, rows: selectors.reply_lines(rows),
    links=lambda row: [Link("Read and decide", _address(row.reply))],
    size=25,
    empty=Empty(
        "No messages to review",
        "Messages that may be withdrawals appear here. STOP and other clear messages take effect automatically.",
    ),
)


@list_page(
    _REPLIES,
    right=Permission.MANAGE_CONSENT,
    lede=(
        "Texts and emails that may be withdrawals, and unprompted YES replies. A possible withdrawal counts as a"
        " withdrawal 10 days after it was received. If the sender is unknown, it waits until you name the caller."
    ),
)
def list_replies(request: StaffRequest, client: Client) -> QuerySet[Reply]:
    return selectors.waiting(client)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("number")
@needs(Permission.MANAGE_CONSENT)
def decide_reply(request: StaffRequest, client: Client, reply_id: UUID) -> HttpResponse:
    """One message: its text, why it needs review, and the decision."""
    reply = get_object_or_404(selectors.replies_of(client), pk=reply_id)
    caller, candidates = selectors.caller_of(reply), selectors.candidates_of(reply)
    names = "writer" in request.POST
    writer = WriterForm(request.POST if names else None, candidates=candidates)
    form = DecisionForm(None if names else request.POST or None, is_named=caller is not None)
    if names and _name(request, client, reply, writer):
        return redirect("consent:decide_reply", client.slug, reply.pk)
    if request.method == "POST" and not names and form.is_valid():
        try:
            texts.decide_reply(
                reply=reply,
                withdrawn=form.withdrawn,
                refused=form.refused,
                by=request.actor,
                at=request.at,
            )
        except (texts.DecidedError, texts.NobodyNamedError) as error:
            messages.warning(request, str(error))
        except CallerGoneError:
            messages.warning(request, _GONE)
        else:
            nudge_stops(client.agency_id)
            nudge_texts(client.agency_id)
            messages.success(request, form.outcome)
        return redirect("consent:replies", client.slug)
    context = {
        "client": client,
        "reply": reply,
        "form": form,
        "writer": writer,
        "may_name": reply.channel == Channel.EMAIL,
        "text": texts.read_reply(reply=reply, by=request.actor, at=request.at),
        "caller": caller,
        "candidates": candidates,
        "is_erased": reply.caller_id is not None and caller is None,
        "decides_itself_at": reply.received_at + texts.UNDECIDED_FOR,
    }
    return render(request, "consent/replies_decide.html", context)


def _name(request: StaffRequest, client: Client, reply: Reply, form: WriterForm) -> bool:
    """Name the sender of an email; returns whether the form has no error."""
    if not form.is_valid():
        return False
    try:
        caller_id = form.caller_id or finding.meet(
            client=client, number=form.cleaned_data["number"], by=request.actor, at=request.at
        )
        texts.name_writer(reply=reply, caller_id=caller_id, by=request.actor, at=request.at)
    except finding.NotANumberError:
        form.add_error("number", "Enter a valid phone number with its country code, such as +1.")
        return False
    except texts.DecidedError as error:
        messages.warning(request, str(error))
    except CallerGoneError:
        messages.warning(request, _GONE)
    else:
        messages.success(request, f"{name_of(caller_id)} is the sender. Now choose what the message means.")
    return True


def _load_caller(request: StaffRequest, client: Client, caller_id: UUID) -> Caller | HttpResponse:
    caller = get_object_or_404(Caller.objects.for_client(client).select_related("client"), pk=caller_id)
    if not selectors.versions_for_texts(client):
        messages.warning(request, "Publish a notice for the channel “Text message” first.")
        return redirect("consent:new_notice", client.slug)
    return caller


def _preview(request: StaffRequest, caller: Caller) -> dict[str, Any]:
    client = caller.client
    versions = selectors.versions_for_texts(client)
    shown = [(row, words.inviting(client, Invitation(client=client, version=row))) for row in versions]
    return {"client": client, "shown": shown, "goes_at": text_sending.when(client, caller.pk, request.at)}


@form_page(
    InviteForm,
    right=Permission.MANAGE_CONSENT,
    load=_load_caller,
    title=lambda caller: f"Ask {caller} by text",
    lede="The caller has two weeks to reply YES to agree or NO to refuse; STOP opts out of everything.",
    button="Send text",
    crumbs=lambda caller: [("Messages", reverse("consent:replies", args=[caller.client.slug]))],
    fill=lambda _, caller: {"versions": selectors.versions_for_texts(caller.client)},
    more=_preview,
    errors={text_sending.NotInvitedError: FORM},
    template="consent/replies_invite.html",
)
def invite(request: StaffRequest, caller: Caller, form: InviteForm) -> str:
    """Request one caller's consent by text, after a preview of the exact text."""
    invitation = text_sending.invite(
        client=caller.client, caller_id=caller.pk, by=request.actor, at=request.at, **form.cleaned_data
    )
    nudge_texts(caller.agency_id)
    is_sent_now = invitation.due_at is not None and invitation.due_at <= request.at
    return "Text queued." if is_sent_now else "Text scheduled for the morning."
