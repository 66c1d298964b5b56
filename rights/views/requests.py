"""The personal page of a request: how far it is, what is needed, the proofs, and what comes of it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from callprivacy.calls.http import SealingUpload, opened
from callprivacy.lib.status import UNPROVEN, Reader, Thing, words_for
from consent.channels import words as consent_words
from consent.enums import CodeWay, Language
from consent.services import posted
from consent.views import doors
from consent.views.doors import RefusedError, SeeOther
from rights.channels import links, words
from rights.channels.links import UnknownLinkError
from rights.enums import CaseState, Decided, EventKind
from rights.forms.portal import DeclareForm, EvidenceForm, FactsForm, ProveForm, WayForm, WordsForm
from rights.models import Submission
from rights.selectors import guardians, letters
from rights.services import cases, packages, portal, proofs
from rights.services.portal import Request, ShownCase, ShownEvent
from rights.services.proofs import NotOfThisRequestError, WrongCodeError
from rights.views.portal import draw, gone, need_fresh

# An hour from one address at one holder, however many requests it makes there.
CODES: Final = 8
TRIES: Final = 30
SAYS: Final = 30
LARGEST: Final = proofs.PERMISSION_AT_MOST + 64 * 1024


class _Shown(Exception):  # noqa: N818  (not an error: the page is drawn in place of being sent on)
    """A page that goes on where it is: a code was sent, and is asked for."""

    def __init__(self, **context: Any) -> None:
        super().__init__()
        self.context = context


class _NotTakenError(RefusedError):
    def __init__(self, status: int, problem: str, **context: Any) -> None:
        super().__init__(status, problem)
        self.context = context


def _too_large(request: HttpRequest, link: str) -> HttpResponseBase:
    """Say on the page that a file is too large, of which nothing was read."""
    language = consent_words.language_of(
        request.GET.get("lang", ""), request.headers.get("Accept-Language", "")
    )
    try:
        shown = portal.show_request(link=link, at=timezone.now())
    except UnknownLinkError:
        return gone(request)
    return _draw(
        request, shown, language, refused=RefusedError(413, "again_send"), file_is_bad=True, unread=True
    )


@doors.taking_files(LARGEST, too_large=_too_large)
@require_http_methods(["GET", "HEAD", "POST"])
def show_request(request: HttpRequest, link: str) -> HttpResponseBase:
    """The page, and what its person does there."""
    at = timezone.now()
    try:
        if request.method == "POST":
            return _take(request, link, at)
        return _draw(request, portal.show_request(link=link, at=at), doors.language_for(request))
    except UnknownLinkError:
        return gone(request)


def _take(request: HttpRequest, link: str, at: datetime) -> HttpResponseBase:
    shown = portal.show_request(link=link, at=at)
    holder = shown.submission.holder_id
    upload = SealingUpload(holder, at=at, at_most=proofs.PERMISSION_AT_MOST)
    request.upload_handlers = [upload]
    try:
        return _do(request, shown, upload, at)
    except NotOfThisRequestError:
        raise Http404 from None
    finally:
        upload.forget_unclaimed()


def _do(request: HttpRequest, shown: Request, upload: SealingUpload, at: datetime) -> HttpResponseBase:
    """Do what the form asks for; a file is sealed while the form is read."""
    language = doors.language_for(request)
    name = request.POST.get("deed", "")
    try:
        need_fresh(request, shown.submission.holder_id, at)
        if name == "hand_in":
            _hand_in(request, shown, upload, at)
        elif name == "download":
            return _download(request, shown, at)
        elif name in _DEEDS:
            _DEEDS[name](request, shown, language, at)
        else:
            raise Http404
    except _Shown as page:
        return _draw(request, shown, language, **page.context)
    except RefusedError as refused:
        more = refused.context if isinstance(refused, _NotTakenError) else {}
        return _draw(request, shown, language, refused=refused, **more)
    return SeeOther(f"{reverse('rights:request', args=[shown.link])}?lang={language.value}")


def _room(request: HttpRequest, shown: Request, what: str, most: int, at: datetime) -> None:
    doors.need_room(request, f"{what}:{shown.submission.holder_id}", most=most, at=at, while_unknown=True)


# --- Deeds ----------------------------------------------------------------------------------------------------------


def _code(request: HttpRequest, shown: Request, language: Language, at: datetime) -> None:
    """Send a code, or say when the next can be requested; the answer is the same for every number, known or not."""
    form = _valid(WayForm(request.POST))
    _room(request, shown, _what("code", shown, form.cleaned_data["identity"]), CODES, at)
    way, identity = CodeWay(form.cleaned_data["way"]), form.cleaned_data["identity"]
    sending = proofs.send_code(
        named=shown.named,
        identity_id=identity,
        challenge=form.cleaned_data["challenge"],
        language=language,
        way=way,
        at=at,
    )
    held = sending.not_now
    raise _Shown(
        coding=str(identity),
        challenge=sending.challenge,
        way=way.value,
        wants=request.POST.get("wants", ""),
        not_now=held and consent_words.when(held.next_at, shown.look.zone, language),
    )


def _what(deed: str, shown: Request, identity_id: UUID) -> str:
    """Codes by mail and codes by phone are counted apart: who has used up the ones may still use the others."""
    mailed_to = {one.identity.pk: one.mailed_to for one in shown.numbers}
    return f"{deed}_by_mail" if mailed_to.get(identity_id) else deed


def _prove(request: HttpRequest, shown: Request, language: Language, at: datetime) -> None:
    form = ProveForm(request.POST, language=language)
    again = {
        "coding": request.POST.get("identity", ""),
        "challenge": request.POST.get("challenge", ""),
        "way": request.POST.get("way", ""),
        "wants": request.POST.get("wants", ""),
        "code_is_wrong": True,
    }
    if not form.is_valid():
        if "code" in form.errors and len(form.errors) == 1:
            raise _NotTakenError(422, "code_wrong", **again)
        raise Http404
    said = form.cleaned_data
    _room(request, shown, _what("try", shown, said["identity"]), TRIES, at)
    try:
        proof = proofs.prove_phone(
            named=shown.named,
            identity_id=said["identity"],
            challenge=said["challenge"],
            code=said["code"],
            way=CodeWay(said["way"]),
            at=at,
        )
    except WrongCodeError:
        raise _NotTakenError(422, "code_wrong", **again) from None
    if again["wants"] == "package":
        _offer(shown, proof, at)


def _offer(shown: Request, proof: UUID, at: datetime) -> None:
    """Show the button that takes the data, once; its secret stands in no address."""
    try:
        token = portal.open_package(named=shown.named, proof_id=proof, at=at)
    except (packages.NotReadyError, packages.NotFreshError):
        raise _NotTakenError(410, "data_over") from None
    raise _Shown(token=token)


def _download(request: HttpRequest, shown: Request, at: datetime) -> HttpResponseBase:
    _room(request, shown, "take", SAYS, at)
    try:
        taken = portal.take_package(named=shown.named, token=request.POST.get("token", ""), at=at)
    except packages.UsedError:
        raise _NotTakenError(410, "data_over") from None
    answer = FileResponse(taken.file, content_type="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="{taken.name}"'
    answer.headers["Content-Length"] = str(taken.size)
    return answer


def _facts(request: HttpRequest, shown: Request, language: Language, at: datetime) -> None:
    form = FactsForm(request.POST, language=language, at=at)
    _room(request, shown, "say", SAYS, at)
    if shown.steps.facts is not False:
        raise NotOfThisRequestError
    if not form.is_valid():
        raise _NotTakenError(422, "again_send", facts_form=form)
    said = form.cleaned_data
    proofs.say_facts(named=shown.named, day=said["day"], business=said["business"].strip(), at=at)


def _declare(request: HttpRequest, shown: Request, language: Language, at: datetime) -> None:
    form = DeclareForm(request.POST, language=language)
    _room(request, shown, "say", SAYS, at)
    if shown.steps.declaration is not False:
        raise NotOfThisRequestError
    if not form.is_valid():
        raise _NotTakenError(422, "again_send", declare_form=form)
    proofs.declare(
        named=shown.named,
        name=form.cleaned_data["name"],
        declaration=words.TEXTS[language]["declaration"],
        language=language,
        at=at,
    )


def _hand_in(request: HttpRequest, shown: Request, upload: SealingUpload, at: datetime) -> None:
    """Keep a file that was sealed while it arrived, if it is what it has to be."""
    form = EvidenceForm(request.POST, request.FILES)
    _room(request, shown, "file", SAYS, at)
    if shown.steps.evidence is not False:
        raise NotOfThisRequestError
    if upload.is_too_large or not form.is_valid():
        raise _NotTakenError(422, "bad_file", file_is_bad=True)
    stored = form.cleaned_data["file"].stored
    holder = shown.submission.holder_id
    try:
        with opened(holder, stored) as stream:
            kind = posted.look_at(stream, file_id=stored.file_id, digest=stored.digest)
    except posted.NoPictureError:
        raise _NotTakenError(422, "bad_file", file_is_bad=True) from None
    proofs.hand_in(
        named=shown.named, file_key=kind.file_id, file_type=kind.media_type, digest=kind.digest, at=at
    )
    upload.is_claimed = True


def _take_back(request: HttpRequest, shown: Request, _language: Language, at: datetime) -> None:
    form = _valid(WordsForm(request.POST))
    _room(request, shown, "say", SAYS, at)
    try:
        portal.take_back(named=shown.named, case_id=form.cleaned_data["case"], at=at)
    except cases.ClosedError:
        return


def _reply(request: HttpRequest, shown: Request, _language: Language, at: datetime) -> None:
    form = _valid(WordsForm(request.POST))
    _room(request, shown, "say", SAYS, at)
    said = form.cleaned_data["words"].strip()
    if not said:
        raise _NotTakenError(422, "again_send", reply_is_empty=True)
    try:
        portal.answer_question(named=shown.named, case_id=form.cleaned_data["case"], said=said, at=at)
    except (cases.ClosedError, cases.AlreadyDoneError):
        raise _NotTakenError(409, "reply_late", not_taken=said) from None


def _appeal(request: HttpRequest, shown: Request, _language: Language, at: datetime) -> None:
    form = _valid(WordsForm(request.POST))
    _room(request, shown, "say", SAYS, at)
    said = form.cleaned_data["words"].strip()
    if not said:
        raise _NotTakenError(422, "again_send", appeal_is_empty=True)
    try:
        portal.appeal(named=shown.named, case_id=form.cleaned_data["case"], said=said, at=at)
    except cases.AlreadyDoneError:
        raise _NotTakenError(409, "appeal_there", not_taken=said) from None
    except cases.NotAnsweredError:
        raise NotOfThisRequestError from None


def _valid[F: forms.Form](form: F) -> F:
    """A form that only our own page sends: whatever else comes is no request of ours."""
    if not form.is_valid():
        raise Http404
    return form


_DEEDS: Final[dict[str, Callable[..., None]]] = {
    "code": _code,
    "prove": _prove,
    "facts": _facts,
    "declare": _declare,
    "take_back": _take_back,
    "reply": _reply,
    "appeal": _appeal,
}


# --- The page -------------------------------------------------------------------------------------------------------


def _draw(request: HttpRequest, shown: Request, language: Language, **more: Any) -> HttpResponse:
    zone = ZoneInfo(shown.look.zone)
    appealed = {one.case.appeal_of_id for one in shown.cases}
    context = {
        "request_shown": shown,
        "rows": [
            _row(one, zone, language, is_done=shown.steps.is_done, is_appealed=one.case.pk in appealed)
            for one in shown.cases
        ],
        "is_new": "new" in request.GET,
        "address": links.address_of(shown.named),
        "messages_shown": [
            (consent_words.when(message.at, shown.look.zone, language), message.subject, message.body)
            for message in shown.messages
        ],
        "data_lede": _data_lede(shown, zone, language),
        "file_label": words.TEXTS[language][_file_step(shown.submission)],
        "file_lede": words.TEXTS[language][f"{_file_step(shown.submission)}_lede"],
        "today": timezone.now().astimezone(zone).date().isoformat(),
        "sent": request.POST if request.method == "POST" and "unread" not in more else {},
        "is_heard": shown.heard_signal,
        **more,
    }
    return draw(request, "request", shown.look, language, **context)


def _data_lede(shown: Request, zone: ZoneInfo, language: Language) -> str:
    """Until when the data are there, and what opens them."""
    if shown.package is None or shown.package.expires_at is None:
        return ""
    texts, opens = words.TEXTS[language], [one for one in shown.numbers if one.opens]
    until = words.day(shown.package.expires_at.astimezone(zone).date(), language)
    if not opens:
        return texts["data_lede_closed"].format(at=until)
    mails = ", ".join(one.mailed_to for one in opens if one.mailed_to)
    return texts["data_lede_mail" if mails else "data_lede"].format(at=until, mask=mails)


def _file_step(submission: Submission) -> str:
    if submission.on_behalf == "agent":
        return "step_permission"
    return "step_of_age" if guardians.is_presumed(submission) else "step_guardian"


def _state(
    one: ShownCase, language: Language, *, is_done: bool, may_appeal: bool, remaining: bool
) -> tuple[str, str]:
    """How far a case is, and what comes next, of whom."""
    texts = words.TEXTS[language]
    # Who has done everything waits for us, whatever the case waits for.
    seen = CaseState.OPEN if one.state is CaseState.PROVING and is_done else one.state
    state, next_ = words.STATES[language][seen]
    if one.question is not None:
        return texts["asked"], texts["asked_stands" if one.case.stands else "asked_next"]
    if one.waits_for_number and one.ask.works_at_once:
        return texts["waits"], texts["waits_next"]
    if seen is CaseState.OPEN and one.case.took_effect_at is not None:
        return texts["counts"], texts["counts_next"]
    if seen is CaseState.DONE:
        # Without proof no page says that there is a recipient to notify.
        is_open = remaining or (one.is_proven and not one.notified.is_done)
        return state, _of_done(texts, next_, is_open=is_open, may_appeal=may_appeal)
    if seen is CaseState.DECIDED and one.is_carried_out:
        return state, _of_decided(one, texts, language)
    return state, next_


def _of_done(texts: Mapping[str, str], next_: str, *, is_open: bool, may_appeal: bool) -> str:
    if is_open:
        return texts["done_open_appeal" if may_appeal else "done_open"]
    return next_ if may_appeal else texts["done_next"]


def _of_decided(one: ShownCase, texts: Mapping[str, str], language: Language) -> str:
    if one.answered.sent_on:
        return texts["answer_sent"].format(at=words.day(one.answered.sent_on, language))
    is_something = one.case.decided in {Decided.FULFIL, Decided.PART}
    return texts["carried_out" if is_something else "written_up"]


def _notified(one: ShownCase, language: Language) -> str:
    """How far those who received the data are notified."""
    return words_for(one.notified, Reader.CALLER, language) if one.is_proven else UNPROVEN[language]


def _row(
    one: ShownCase, zone: ZoneInfo, language: Language, *, is_done: bool, is_appealed: bool
) -> dict[str, Any]:
    case = one.case
    may_appeal = (
        one.state is CaseState.DONE
        and case.decided_at is not None
        and case.appeal_of_id is None
        and not is_appealed
    )
    remaining = letters.remaining(one.found, one.deleted, language)
    state, next_ = _state(one, language, is_done=is_done, may_appeal=may_appeal, remaining=bool(remaining))
    events = words.EVENTS[language] | {EventKind.PASSED_ON: _notified(one, language)}
    return {
        "case": case,
        "title": words.ABOUT[language][one.ask].title,
        "state": state,
        "next": next_,
        "tone": "yes" if one.state is CaseState.DONE else "",
        "received": words.day(case.received_at.astimezone(zone).date(), language),
        "answer_by": words.day(case.answer_by, language) if case.answer_by and case.closed_at is None else "",
        "answered": words.day(case.answered_at.astimezone(zone).date(), language) if case.answered_at else "",
        "counts_since": consent_words.when(case.took_effect_at, str(zone), language)
        if case.took_effect_at
        else "",
        "answer": one.answer,
        "asks_back": one.question is not None,
        "question": one.question,
        "waits_for_number": one.waits_for_number,
        "remaining": remaining,
        "may_appeal": may_appeal,
        "may_take_back": case.closed_at is None and case.decided_at is None,
        "events": [
            (_event(event, events, language), _when(event, zone, language), event.words)
            for event in one.events
            # That it was acknowledged is said once the letter has gone; until then its own line says how far it is.
            if event.kind in events and not (event.kind is EventKind.ACKNOWLEDGED and _is_unsent(event))
        ],
    }


def _is_unsent(event: ShownEvent) -> bool:
    return event.letter is not None and not event.letter.sent


def _event(event: ShownEvent, events: Mapping[EventKind, str], language: Language) -> str:
    if event.letter is None or event.kind is not EventKind.WRITTEN:
        return events[event.kind]
    return words_for(event.letter, Reader.CALLER, language, thing=Thing.LETTER)


def _when(event: ShownEvent, zone: ZoneInfo, language: Language) -> str:
    sent_at = event.letter.sent_at if event.letter else None
    return consent_words.when(sent_at or event.at, str(zone), language)
