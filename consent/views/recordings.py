"""A client's recordings by decision, playback, transcripts, and quarantine settings."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final, cast
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.csp import CSP
from django.views.decorators.cache import never_cache
from django.views.decorators.csp import csp_override
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.form_pages import INFO, Done, action, form_page
from callprivacy.calls.models import Call
from callprivacy.calls.selectors import calls as call_selectors
from callprivacy.calls.selectors import masks
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.forms.recordings import HandlingForm, PlaceForm, UseForm
from consent.selectors import decisions as selectors
from consent.services import addresses, playing, quarantine, store, transcripts
from consent.services.playing import NotHereError, Opened, Sound
from consent.tasks.decisions import nudge_decisions

_PIECE: Final = 1 << 20
_WITH_SOUND: Final = {**settings.SECURE_CSP, "media-src": [CSP.SELF]}
_RANGE: Final = re.compile(r"bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))").fullmatch


def _call(client: Client, call_id: UUID) -> Call:
    call = call_selectors.find_call(client, call_id)
    if call is None:
        raise Http404
    return call


def _session(request: HttpRequest) -> str:
    return request.session.session_key or ""


# --- The list -----------------------------------------------------------------------------------------------------


@require_safe
@never_cache
@needs(Permission.VIEW_CALLS)
def list_recordings(request: StaffRequest, client: Client) -> HttpResponse:
    shown = selectors.Shown.of(request.GET.get("show", ""))
    page = selectors.recording_page(client, shown, before=request.GET.get("before", ""))
    masked = masks.masks_of([row.call for row in page.rows])
    context = {
        "client": client,
        "counts": selectors.record_counts(client),
        "is_live": selectors.is_live(client),
        "shown": shown,
        "choices": list(selectors.Shown),
        "rows": [{"row": row, "mask": masked[row.call.pk]} for row in page.rows],
        "older": page.older,
        "numbers": selectors.numbers_with_many(client, at=request.at),
        "not_fetched": store.not_fetched(client),
        "not_redacted": transcripts.not_redacted(client, at=request.at),
    }
    return render(request, "consent/recordings.html", context)


def _list_address(client: Client) -> str:
    return reverse("consent:recordings", args=[client.slug])


@never_cache
@form_page(
    HandlingForm,
    right=Permission.MANAGE_RETENTION,
    confirms=Deed.POLICY,
    title="Quarantine settings",
    lede=lambda client: (
        f"How long quarantined recordings of {client.name} are kept, and what CallPrivacy stores."
    ),
    button="Save settings",
    crumbs=lambda client: [("Recordings", _list_address(client))],
    fill=lambda _, client: {"initial": HandlingForm.values_of(client)},
    more=lambda _, client: {
        "client": client,
        "has_dates": selectors.is_live(client) and selectors.record_counts(client).due,
        "at_vendor": selectors.deletes_at_vendor(client),
    },
    errors={quarantine.NotSignedError: "quarantine_hours"},
    template="consent/recordings_handling.html",
)
def change_handling(request: StaffRequest, client: Client, form: HandlingForm) -> str:
    """Set how long quarantined recordings are kept, and whether recordings and transcripts are stored here."""
    is_signed = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    quarantine.change_handling(
        client=client, is_signed=is_signed, by=request.actor, at=request.at, **form.cleaned_data
    )
    nudge_decisions(client.agency_id)
    return "Saved. A longer period moves deletion dates within minutes. A shorter one applies from now on."


@action(right=Permission.MANAGE_CONSENT, back=_list_address)
def fetch_again(request: StaffRequest, client: Client, _: Any) -> Done:
    count = store.ask_again(client=client, by=request.actor, at=request.at)
    nudge_decisions(client.agency_id)
    if count:
        return Done(f"Requested {count:,} again. Available recordings arrive within minutes.")
    return Done("No recordings are missing.", level=INFO)


# --- One recording ------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csp_override(_WITH_SOUND)
@needs(Permission.PLAY_RECORDINGS)
@sensitive_post_parameters("reason")
def play(request: StaffRequest, client: Client, call_id: UUID) -> HttpResponse:
    """Ask for the reason, log it, and play what the caller consented to."""
    call = _call(client, call_id)
    form = UseForm(request.POST or None)
    context = _context(client, call, form)
    try:
        playing.stored_recording(call)
    except NotHereError as error:
        return render(request, "consent/recording.html", context | {"missing": str(error)})
    if request.method != "POST" or not form.is_valid():
        return render(request, "consent/recording.html", context)
    opened = playing.open_recording(
        client=client,
        call=call,
        kind=form.cleaned_data["kind"],
        reason=form.cleaned_data["reason"],
        session=_session(request),
        by=request.actor,
        at=request.at,
    )
    context |= _outcome(opened) | {"minutes": int(playing.PLAYS_FOR.total_seconds() // 60)}
    if opened.ticket:
        address = reverse("consent:audio", args=[client.slug, call.pk])
        context["address"] = f"{address}?ticket={opened.ticket}"
    return render(request, "consent/recording.html", context, status=_status(opened))


def _context(client: Client, call: Call, form: UseForm) -> dict[str, Any]:
    return {"client": client, "call": call, "mask": masks.masks_of([call])[call.pk], "form": form}


def _outcome(opened: Opened) -> dict[str, Any]:
    return {"opened": opened, "use": opened.use, "until": opened.use.until}


def _status(opened: Opened) -> int:
    is_given = opened.use.allowed and not opened.obstacle
    return HTTPStatus.OK if is_given else HTTPStatus.UNPROCESSABLE_ENTITY


@require_safe
@needs(Permission.PLAY_RECORDINGS)
def give_audio(request: StaffRequest, client: Client, call_id: UUID) -> HttpResponse:
    """The sound behind a ticket, as a whole or in the range that the player requests."""
    call = _call(client, call_id)
    try:
        sound = playing.sound_for(
            client=client,
            call=call,
            ticket=request.GET.get("ticket", ""),
            session=_session(request),
            by=request.actor,
            at=request.at,
        )
    except NotHereError:
        raise Http404 from None
    response = _sound(sound, request.headers.get("Range", ""))
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "no-store, private"
    response["Content-Disposition"] = "inline"
    return response


def _sound(sound: Sound, asked: str) -> HttpResponse:
    if not asked:
        whole = StreamingHttpResponse(_all(sound), content_type=sound.media_type)
        whole["Content-Length"] = str(sound.size)
        return cast(HttpResponse, whole)
    part = _part(asked, sound.size)
    if part is None:
        sound.close()
        refused = HttpResponse(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        refused["Content-Range"] = f"bytes */{sound.size}"
        return refused
    start, length = part
    piece = _read(sound, start, length)
    sound.close()
    answer = HttpResponse(piece, content_type=sound.media_type, status=HTTPStatus.PARTIAL_CONTENT)
    answer["Content-Range"] = f"bytes {start}-{start + len(piece) - 1}/{sound.size}"
    return answer


def _part(header: str, size: int) -> tuple[int, int] | None:
    """The start and length of the requested range, a piece at most; None if there is no such range."""
    match = _RANGE(header.strip())
    if match is None or size == 0:
        return None
    if match[3] is not None:
        start, last = max(0, size - int(match[3])), size - 1
        if int(match[3]) == 0:
            return None
    else:
        start, last = int(match[1]), int(match[2]) if match[2] else size - 1
    if start >= size or last < start:
        return None
    return start, min(last, size - 1, start + _PIECE - 1) - start + 1


def _read(sound: Sound, start: int, length: int) -> bytes:
    content = bytearray()
    while len(content) < length and (piece := sound.read(start + len(content), length - len(content))):
        content += piece
    return bytes(content)


def _all(sound: Sound) -> Iterator[bytes]:
    try:
        position = 0
        while piece := sound.read(position, _PIECE):
            position += len(piece)
            yield piece
    finally:
        sound.close()


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.READ_TRANSCRIPTS)
@sensitive_post_parameters("reason")
def read(request: StaffRequest, client: Client, call_id: UUID) -> HttpResponse:
    """Ask for the reason, log it, and show the transcript that the caller consented to."""
    call = _call(client, call_id)
    form = UseForm(request.POST or None)
    context = _context(client, call, form)
    try:
        context["transcript"] = playing.kept_transcript(call)
    except NotHereError as error:
        return render(request, "consent/transcript.html", context | {"missing": str(error)})
    if request.method != "POST" or not form.is_valid():
        return render(request, "consent/transcript.html", context)
    opened = playing.open_transcript(
        client=client,
        call=call,
        kind=form.cleaned_data["kind"],
        reason=form.cleaned_data["reason"],
        by=request.actor,
        at=request.at,
    )
    return render(request, "consent/transcript.html", context | _outcome(opened), status=_status(opened))


# --- Where the caller lives ---------------------------------------------------------------------------------------


def _load_with_caller(request: StaffRequest, client: Client, call_id: UUID) -> Call | HttpResponse:
    call = _call(client, call_id)
    if call.caller is None:
        messages.info(request, "You cannot set a place because the call has no caller ID.")
        return redirect("calls:call", client.slug, call.pk)
    return call


def _place_form(data: Any = None, **kwargs: Any) -> forms.Form:
    return forms.Form(data) if data and "forget" in data else PlaceForm(data, **kwargs)


def _known_place(_: StaffRequest, call: Call) -> dict[str, Any]:
    known = selectors.address_of(call)
    return {"initial": {"country": known.country, "region": known.region}} if known else {}


def _name(call: Call) -> str:
    return masks.masks_of([call])[call.pk].name


@never_cache
@form_page(
    _place_form,
    right=Permission.MANAGE_CONSENT,
    load=_load_with_caller,
    title=lambda call: f"Where {_name(call) or 'the caller'} lives",
    lede=lambda call: (
        f"A state or country from an address that {call.client.name} has, such as a customer record, overrides the"
        " tracker’s. Only the state or country is stored, not the address. All recordings of this caller are decided"
        " again."
    ),
    button="Save place",
    crumbs=lambda call: [
        ("Calls", reverse("calls:list")),
        (_name(call) or "Call", reverse("calls:call", args=[call.client.slug, call.pk])),
    ],
    fill=_known_place,
    more=lambda _, call: {"known": selectors.address_of(call)},
    template="consent/caller_place.html",
)
def place_caller(request: StaffRequest, call: Call, form: forms.Form) -> str:
    """Record the state or country of the caller's address, or remove it; recordings are decided again."""
    facts: dict[str, Any] = {
        "client": call.client, "caller": call.caller, "by": request.actor, "at": request.at
    }  # fmt: skip
    is_removed = "forget" in request.POST
    (addresses.forget_place if is_removed else addresses.record_place)(**facts, **form.cleaned_data)
    nudge_decisions(call.agency_id)
    return "" if is_removed else "Place saved. Recordings are decided again within minutes."
