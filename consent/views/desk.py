"""The desk of people on the phone: who it is, the words to speak, and one tap for what was said."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.calls.models import Caller
from callprivacy.calls.selectors import masks
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Language, Scope, WaitingState
from consent.forms.desk import (
    AGREE,
    AGREE_CALL,
    MINOR,
    SPOKE,
    STOP,
    TAKE_OFF,
    CallBackForm,
    DeskNumberForm,
    TapForm,
)
from consent.models import CallBack
from consent.selectors import asking, notices, people, standards
from consent.selectors import desk as selectors
from consent.selectors import minors as known_minors
from consent.selectors.decisions import is_live
from consent.selectors.desk import Running
from consent.services import call_backs, desk, finding, minors
from consent.services.desk import Speaker
from consent.tasks.call_backs import nudge_call_backs
from consent.tasks.decisions import nudge_decisions
from consent.tasks.menu_calls import nudge_stops
from consent.tasks.withdrawals import nudge_withdrawals

EVENTS_SHOWN: Final = 5


def _clients(request: StaffRequest) -> list[Client]:
    return list(
        access.clients_with(request.membership, Permission.ANSWER_CALLS, at=request.at).select_related(
            "agency"
        )
    )


def _uuid(raw: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(raw) if raw else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Who:
    """Who is on the phone, as the address says: a caller, or a call of somebody who withholds the number."""

    client: Client
    caller_id: uuid.UUID | None
    call: Running | None

    @property
    def speaker(self) -> Speaker:
        """As the services ask for it."""
        return Speaker(self.caller_id, self.call.digest if self.call else None)

    @property
    def name(self) -> str:
        return people.name_of(self.caller_id) if self.caller_id else "Caller without caller ID"

    def address(self, language: Language) -> str:
        """Where the desk shows this person."""
        about = (
            f"caller={self.caller_id}" if self.caller_id else f"call={self.call.call_id if self.call else ''}"
        )
        return f"{reverse('consent:desk')}?client={self.client.slug}&{about}&language={language}"


def _who(
    client: Client, calls: list[Running], *, caller_id: uuid.UUID | None, call_id: uuid.UUID | None
) -> Who | None:
    """
    Whom the ids mean at a client; None for nobody.

    :raises Http404: they are another's, or of somebody erased.
    """
    if caller_id is None and call_id is None:
        return None
    call = selectors.call_of(calls, client, caller_id=caller_id, call_id=call_id)
    if caller_id is None:
        if call is None:
            raise Http404
        caller_id = call.caller_id
    if caller_id is not None:
        person = people.find_person(client, caller_id)
        if person is None or person.caller is None:
            raise Http404
    return Who(client, caller_id, call)


@require_safe
@never_cache
def show_desk(request: StaffRequest) -> HttpResponse:
    """The one page: find who it is, speak the notice, tap what was said."""
    clients = _clients(request)
    picked = request.GET.get("client", "")
    client = next((one for one in clients if one.slug == picked), None)
    if picked and client is None:
        raise Http404
    client = client or (clients[0] if len(clients) == 1 else None)
    calls = selectors.running(clients, at=request.at)
    who = None
    if client is not None:
        who = _who(
            client,
            calls,
            caller_id=_uuid(request.GET.get("caller")),
            call_id=_uuid(request.GET.get("call")),
        )
    if who is not None:
        return _show_who(request, clients, calls, who, language=_language(request))
    form = DeskNumberForm(clients=clients, initial={"client": client.slug}) if client else None
    return _ask_who(request, clients, calls, client, form)


def _ask_who(
    request: StaffRequest,
    clients: list[Client],
    calls: list[Running],
    client: Client | None,
    form: DeskNumberForm | None,
) -> HttpResponse:
    """The page before anybody is found; with what was typed where that did not do."""
    context = _frame(clients, calls, client) | {"number_form": form}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None and form.errors else HTTPStatus.OK
    return render(request, "consent/desk.html", context, status=status)


def _show_who(
    request: StaffRequest,
    clients: list[Client],
    calls: list[Running],
    who: Who,
    *,
    language: Language,
    form: CallBackForm | None = None,
) -> HttpResponse:
    """The page of who is on the phone; with the call back that was asked for where that did not do."""
    context = _frame(clients, calls, who.client) | {"who": who} | _about(request, who, language)
    if form is not None:
        context["call_back_form"] = form
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None else HTTPStatus.OK
    return render(request, "consent/desk.html", context, status=status)


def _frame(clients: list[Client], calls: list[Running], client: Client | None) -> dict[str, Any]:
    return {
        "desk_clients": clients,
        "client": client,
        "calls": [call for call in calls if client is None or call.client.pk == client.pk],
    }


def _language(request: StaffRequest) -> Language:
    asked = request.GET.get("language", "")
    return Language(asked) if asked in Language.values else Language.ENGLISH


def _about(request: StaffRequest, who: Who, language: Language) -> dict[str, Any]:
    """What the page shows of the person on the phone."""
    client = who.client
    versions = {one: selectors.script(client, one) for one in Language}
    version = versions[language]
    found: dict[str, Any] = {
        "language": language,
        "languages": [
            {"label": one.label, "url": who.address(one), "active": one == language}
            for one in Language
            if versions[one] is not None or one == language
        ],
        "version": version,
        "script": notices.said_in_full(version) if version else "",
        "spoken": selectors.spoken_lately(
            client, caller_id=who.caller_id, digest=who.speaker.call_digest, at=request.at
        ),
        "tap": uuid.uuid4(),
        "zone": client.time_zone,
    }
    if who.caller_id is not None:
        found |= _about_caller(request, who, who.caller_id)
    return found


def _about_caller(request: StaffRequest, who: Who, caller_id: uuid.UUID) -> dict[str, Any]:
    client = who.client
    person = people.find_person(client, caller_id)
    mask = masks.numbers_masked([person.caller])[caller_id] if person and person.caller else ""
    own = selectors.call_back_of(client, caller_id, request.membership.user_id, at=request.at)
    return {
        "mask": mask,
        "minor": known_minors.mark_of(client, caller_id),
        "not_asked_until": asking.not_asked_until(client, caller_id, at=request.at),
        "standings": people.standings(client, caller_id, on=standards.today_at(client, request.at)),
        "lines": people.timeline(client, caller_id).lines[:EVENTS_SHOWN],
        "stopped": selectors.stopped_lately(client, caller_id, at=request.at),
        "call_back": _call_back(own),
        "call_back_form": CallBackForm(initial={"caller": caller_id}),
        "cannot_call": _cannot_call(client, caller_id),
    }


def _cannot_call(client: Client, caller_id: uuid.UUID) -> str:
    """Why nobody can be connected here; "" where it can be tried."""
    try:
        call_backs.line_of(client, caller_id)
    except call_backs.NoLineError as error:
        return str(error)
    return ""


def _call_back(row: CallBack | None) -> dict[str, Any] | None:
    """How far a call back is, in words."""
    if row is None:
        return None
    words = {
        WaitingState.WAITING: ("Your phone is about to ring.", "info"),
        WaitingState.SENT: ("Your phone is ringing. Press any key when you answer.", "info"),
        WaitingState.DONE: ("The call connected you with the caller.", "good"),
        WaitingState.FAILED: (row.last_error or "The call failed. Try again.", "bad"),
        WaitingState.CANCELLED: ("The call was canceled.", "warn"),
    }
    text, tone = words[WaitingState(row.state)]
    return {
        "row": row,
        "text": text,
        "tone": tone,
        "is_open": row.state in {WaitingState.WAITING, WaitingState.SENT},
    }


@require_safe
@never_cache
def show_running(request: StaffRequest) -> HttpResponse:
    clients = _clients(request)
    picked = request.GET.get("client", "")
    calls = selectors.running(clients, at=request.at)
    context = {"calls": [call for call in calls if picked in {"", call.client.slug}], "picked": picked}
    return render(request, "consent/desk_running.html", context)


@require_POST
@never_cache
@sensitive_post_parameters("number")
def find(request: StaffRequest) -> HttpResponse:
    clients = _clients(request)
    form = DeskNumberForm(request.POST, clients=clients)
    client = next((one for one in clients if one.slug == form.data.get("client")), None)
    if client is None:
        messages.warning(request, "Choose a client first.")
        return redirect("consent:desk")
    if form.is_valid():
        try:
            caller_id = finding.meet(
                client=client, number=form.cleaned_data["number"], by=request.actor, at=request.at
            )
        except finding.NotANumberError:
            form.add_error("number", "Enter a valid phone number with its country code, such as +1.")
        else:
            return redirect(Who(client, caller_id, None).address(Language.ENGLISH))
    return _ask_who(request, clients, selectors.running(clients, at=request.at), client, form)


@require_POST
@never_cache
@needs(Permission.ANSWER_CALLS)
def tap(request: StaffRequest, client: Client) -> HttpResponse:
    """One tap: what the person was told or said is written down, and what it asks is done at once."""
    form = TapForm(request.POST)
    if not form.is_valid():
        messages.warning(request, "Choose the caller first, then record the answer.")
        return redirect(f"{reverse('consent:desk')}?client={client.slug}")
    said = form.cleaned_data
    calls = selectors.running([client], at=request.at)
    who = _who(client, calls, caller_id=said["caller"], call_id=said["call"])
    if who is None:
        raise Http404
    language = form.language_said
    try:
        _do(request, who, said["deed"], said["tap"], language)
    except (desk.NobodyError, desk.NotSpokenError) as error:
        messages.warning(request, str(error))
    except desk.CallerGoneError:
        raise Http404 from None
    nudge_stops(client.agency_id)
    nudge_withdrawals(client.agency_id)
    nudge_decisions(client.agency_id)
    return redirect(who.address(language))


def _do(request: StaffRequest, who: Who, deed: str, mark: uuid.UUID, language: Language) -> None:
    facts: dict[str, Any] = {
        "client": who.client, "speaker": who.speaker, "tap": mark, "by": request.actor, "at": request.at
    }  # fmt: skip
    if deed in {STOP, TAKE_OFF}:
        stopped = (desk.stop_recording if deed == STOP else desk.take_off)(**facts)
        messages.success(request, _stopped_words(who.client, deed, stopped, request.at))
        return
    if deed == MINOR:
        _note_minor(request, who)
        return
    version = selectors.script(who.client, language)
    if version is None:
        messages.warning(request, "No notice for agents is in force in this language. Publish one first.")
    elif deed == SPOKE:
        desk.speak_notice(version=version, **facts)
        messages.success(request, "Saved: you read the notice.")
    elif deed in {AGREE, AGREE_CALL}:
        scope = Scope.STANDING if deed == AGREE else Scope.THIS_CALL
        desk.agree(version=version, scope=scope, **facts)
        against = desk.what_stands_against(
            client=who.client, caller_id=who.caller_id, purposes=version.notice.purposes, at=request.at
        )
        if against:
            messages.warning(request, f"Consent saved. {against}")
            return
        far = "from now on, until withdrawn" if deed == AGREE else "for this call"
        messages.success(request, f"Consent saved {far}.")


def _note_minor(request: StaffRequest, who: Who) -> None:
    if who.caller_id is None:
        raise desk.NobodyError("You cannot mark this caller as a minor because the call has no caller ID.")
    caller = Caller(pk=who.caller_id, client_id=who.client.pk)
    minors.mark(client=who.client, caller=caller, by=request.actor, at=request.at)
    messages.success(request, "Caller marked as a minor. A notice alone is no longer enough.")


def _stopped_words(client: Client, deed: str, stopped: desk.Stopped, at: datetime) -> str:
    when = stopped.at.astimezone(ZoneInfo(client.time_zone))
    if not stopped.events:
        return "This answer was saved already."
    if deed == TAKE_OFF:
        return f"Opt-out saved at {when:%H:%M:%S %Z}. Do not call or text this number for {client.name}."
    words = f"Stopped at {when:%H:%M:%S %Z}."
    if stopped.recordings:
        words += " The active recording is being stopped"
        words += " and deleted." if is_live(client) else "; it is deleted there once enforcement is on."
    return words


@require_POST
@never_cache
@needs(Permission.ANSWER_CALLS)
@sensitive_post_parameters("own_number")
def ask_call_back(request: StaffRequest, client: Client) -> HttpResponse:
    form = CallBackForm(request.POST)
    caller_id = _uuid(request.POST.get("caller"))
    clients = _clients(request)
    calls = selectors.running(clients, at=request.at)
    who = _who(client, calls, caller_id=caller_id, call_id=None)
    if who is None or caller_id is None:
        messages.warning(request, "Choose the caller to call back first.")
        return redirect(f"{reverse('consent:desk')}?client={client.slug}")
    if form.is_valid():
        try:
            call_backs.ask(
                client=client,
                caller_id=caller_id,
                agent_number=form.cleaned_data["own_number"],
                by=request.actor,
                at=request.at,
            )
        except finding.NotANumberError:
            form.add_error("own_number", "Enter a valid phone number with its country code, such as +1.")
        except call_backs.NotToCallError as error:
            messages.warning(request, f"The call was not placed. {error}")
        except (call_backs.NoLineError, call_backs.NoNumberError) as error:
            messages.warning(request, str(error))
            return redirect(who.address(form.language_said))
        else:
            nudge_call_backs(client.agency_id)
            return redirect(who.address(form.language_said))
    return _show_who(request, clients, calls, who, language=form.language_said, form=form)


@require_safe
@never_cache
@needs(Permission.ANSWER_CALLS)
def call_back_state(request: StaffRequest, client: Client, caller_id: uuid.UUID) -> HttpResponse:
    """How far one's own newest call back to a caller is, for the page to ask again."""
    row = selectors.call_back_of(client, caller_id, request.membership.user_id, at=request.at)
    if row is None:
        raise Http404
    return render(request, "consent/desk_call.html", {"call_back": _call_back(row), "client": client})
