"""The page of a person's own choices, behind a link that ends."""

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from consent.channels import words
from consent.enums import Language, Purpose
from consent.forms.public import SwitchForm, UpdatesForm
from consent.services import preferences, web
from consent.services.limits import Verdict, knock
from consent.services.preferences import AskTwiceError, Centre, ExpiredLinkError, Switch
from consent.services.web import Deed, Visit
from consent.tasks.menu_calls import nudge_stops
from consent.views import doors
from consent.views.doors import RefusedError, SeeOther

ADDRESSES: Final = 5
_DAY: Final = timedelta(days=1)
_EVERYTHING: Final = "everything"
_HELD: Final = "held"
_SAID: Final = frozenset({"saved", "asked", "updates_off", _HELD})


def _visit(request: HttpRequest) -> Visit:
    """The address of this page is a secret and stands in no evidence."""
    return doors.visit_of(request, page=f"{urlsplit(settings.CALLPRIVACY_URL).netloc}/p/")


@doors.public
@require_http_methods(["GET", "HEAD", "POST"])
def show_choices(request: HttpRequest, link: str) -> HttpResponse:
    """Each purpose with its own switch; the confirmation of an address; or the end of a link."""
    at, language = timezone.now(), doors.language_for(request)
    try:
        if preferences.is_confirmation(link, at=at):
            return _confirm(request, link, language, at)
        centre = preferences.show_centre(link=link, language=language, visit=_visit(request), at=at)
        return (
            _take(request, centre, language, at)
            if request.method == "POST"
            else _draw(request, centre, language)
        )
    except ExpiredLinkError as error:
        look = web.show_look(key=error.key)
        return doors.page(request, "expired", look, language, status=410)


def _draw(request: HttpRequest, centre: Centre, language: Language, **more: Any) -> HttpResponse:
    zone, texts = centre.look.zone, words.TEXTS[language]
    said = request.GET.get("said", "")
    stopped = _stopped(centre, said)
    opted_out = _visit(request).opted_out
    context = {
        "centre": centre,
        "rows": [
            {
                "switch": switch,
                "at": words.when(switch.since, zone, language) if switch.since else "",
                "is_held": switch.purpose == Purpose.SHARE and opted_out,
            }
            for switch in centre.switches
        ],
        "until": words.when(centre.until, zone, language),
        "stopped_at": words.clock(stopped.since, zone) if stopped and stopped.since else "",
        "saved": texts[said] if said in _SAID else "",
        **more,
    }
    return doors.page(request, "centre", centre.look, language, is_heard=True, **context)


def _stopped(centre: Centre, said: str) -> Switch | None:
    """The switch that was turned off just now, or the last of all of them; its time is the ledger's."""
    off = [switch for switch in centre.switches if switch.is_no]
    if said == _EVERYTHING:
        return off[0] if centre.is_all_stopped else None
    return next((switch for switch in off if switch.purpose == said), None)


def _take(request: HttpRequest, centre: Centre, language: Language, at: datetime) -> HttpResponse:
    updates = None
    try:
        doors.need_fresh(request, centre.look, at=at)
        if request.POST.get("deed") == "updates":
            updates = UpdatesForm(request.POST, language=language, has_address=bool(centre.updates.address))
            return _back(centre, language, _subscribe(updates, centre, language, at))
        return _back(centre, language, _switch(request, centre, language, at))
    except AskTwiceError:
        return _ask_again(request, centre, language, at)
    except RefusedError as refused:
        return _draw(request, centre, language, refused=refused, updates_form=updates)


def _back(centre: Centre, language: Language, said: str) -> HttpResponse:
    there = reverse("consent:preferences", args=[centre.link])
    return SeeOther(f"{there}?lang={language.value}&said={said}")


def _switch(request: HttpRequest, centre: Centre, language: Language, at: datetime) -> str:
    """Turn a switch, or all of them off; returns which, or that an earlier no goes on counting."""
    form = SwitchForm(request.POST, language=language)
    if not form.is_valid():
        raise RefusedError(422, "again_send")
    purpose, visit = str(form.cleaned_data["purpose"]), _visit(request)
    with doors.refusing():
        if form.cleaned_data["deed"] == Deed.WITHDRAW:
            purposes = list(Purpose) if purpose == _EVERYTHING else [Purpose(purpose)]
            preferences.stop(link=centre.link, purposes=purposes, language=language, visit=visit, at=at)
            nudge_stops(centre.look.agency_id)
        elif purpose != _EVERYTHING:
            is_on = preferences.allow(
                link=centre.link,
                purpose=Purpose(purpose),
                form=form.cleaned_data["form"],
                asked=form.cleaned_data["asked"],
                visit=visit,
                at=at,
            )
            return purpose if is_on else _HELD
    return purpose


def _ask_again(request: HttpRequest, centre: Centre, language: Language, at: datetime) -> HttpResponse:
    """The second question about sharing."""
    switch = centre.switch(Purpose.SHARE)
    return doors.page(
        request,
        "again",
        centre.look,
        language,
        centre=centre,
        switch=switch,
        asked=preferences.question_for(link=centre.link, at=at),
        at=words.when(switch.since, centre.look.zone, language) if switch.since else "",
    )


def _subscribe(form: UpdatesForm, centre: Centre, language: Language, at: datetime) -> str:
    """Set what is told by e-mail; returns which of our words says what became of it."""
    if not form.is_valid():
        raise RefusedError(422, "again_send")
    if form.cleaned_data["address"]:
        who = f"{centre.look.client_id}:{centre.link}"
        verdict = knock("address", who, most=ADDRESSES, per=_DAY, at=at)
        if verdict is not Verdict.OPEN:
            full = verdict is Verdict.FULL
            raise RefusedError(429 if full else 503, "too_many" if full else "unknown_limit")
    with doors.refusing():
        updates = preferences.subscribe(link=centre.link, language=language, at=at, **form.cleaned_data)
    if not updates.address:
        return "updates_off"
    return "saved" if updates.is_confirmed else "asked"


def _confirm(request: HttpRequest, link: str, language: Language, at: datetime) -> HttpResponse:
    """An address that was given for news is confirmed by a press, because programs open links on their own."""
    look = preferences.show_confirmation(link=link, at=at)
    context: dict[str, Any] = {"form": web.note_of(look, at=at), "link": link}
    if request.method == "POST":
        try:
            doors.need_fresh(request, look, at=at)
            preferences.confirm(link=link, at=at)
            context["is_confirmed"] = True
        except RefusedError as refused:
            context["refused"] = refused
    return doors.page(request, "confirm", look, language, **context)
