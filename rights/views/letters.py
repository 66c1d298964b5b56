"""Letters about a case: picked, looked at, sent or printed, and read again."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.views.form_pages import INFO, WARNING, Done
from callprivacy.lib.status import Reader, Thing, words_for
from rights import letters as texts
from rights.channels import links
from rights.channels.links import Named
from rights.enums import Decided, Kind, LetterWay
from rights.forms.cases import LetterForm, SendForm
from rights.letters import Filled, MissingWordsError
from rights.models import Case, Letter
from rights.selectors import casebook, progress, words
from rights.selectors.letters import zone_of
from rights.services import letters
from rights.views.doors import address_of, case_action, of_case, work_of_case, works


@sensitive_post_parameters("words", "body", "subject")
@require_http_methods(["GET", "POST"])
@work_of_case
def write_letter(request: StaffRequest, case: Case) -> HttpResponse:
    form = LetterForm(
        request.POST or None,
        letters=texts.letters_for(case.kind),
        initial={"letter": request.GET.get("letter", "")},
    )
    if request.method == "POST" and form.is_valid():
        picked = form.cleaned_data["letter"]
        try:
            shown = letters.preview(
                case=case, name=picked, at=request.at, said=form.cleaned_data["words"], link=_link(case)
            )
        except MissingWordsError as error:
            form.add_error("words", _missing(picked, error))
        else:
            return _page(request, case, form, _send_form(case, picked, shown))
    return _page(request, case, form, None, status=422 if request.method == "POST" else 200)


def _link(case: Case) -> str:
    """The person's own page of the request."""
    return links.address_of(Named(case.agency_id, case.client_id or 0, case.submission_id))


_ANSWERS = {Decided.REFUSE: "refused", Decided.PART: "refused_in_part", Decided.NOT_OURS: "handed_over"}
_DONE = {
    Kind.ACCESS: "copy_ready",
    Kind.PORTABILITY: "copy_ready",
    Kind.DELETE: "erased",
    Kind.APPEAL: "appeal_decided",
}


@require_safe
@work_of_case
def write_answer(request: StaffRequest, case: Case) -> HttpResponse:
    if not case.decided:
        messages.info(request, "Decide the request first; the letter takes the decision from there.")
        return redirect("rights:case", case.pk)
    name = _ANSWERS.get(Decided(case.decided)) or _DONE.get(Kind(case.kind), "done")
    if case.kind == Kind.APPEAL:
        name = "appeal_decided"
    answer = words.text(case.answer, words.key_of(case.submission))
    form = LetterForm(letters=texts.letters_for(case.kind), initial={"letter": name, "words": answer})
    try:
        shown = letters.preview(case=case, name=name, at=request.at, said=answer, link=_link(case))
    except MissingWordsError as error:
        messages.info(request, _missing(name, error))
        return _page(request, case, form, None)
    return _page(request, case, form, _send_form(case, name, shown))


def _send_form(case: Case, name: str, shown: Filled) -> SendForm:
    return SendForm(initial={"letter": name, "subject": shown.subject, "body": shown.body, "way": _way(case)})


def _missing(picked: str, error: MissingWordsError) -> str:
    wanted = texts.letter(picked)
    if error.names == ["words"]:
        return f"This letter needs your words: {wanted.asks or 'what you want to say.'}"
    known = {
        "ground": "Decide the request with a ground first; the letter takes it from there.",
        "found": "Look first for what there is of the person; the letter lists it.",
        "done": "Nothing was done yet that this letter could tell of.",
        "answers": "Hand the request over to the client first.",
    }
    hints = [known[one] for one in error.names if one in known]
    return " ".join(hints) or str(error)


def _way(case: Case) -> str:
    person = casebook.person_of(case, words.key_of(case.submission))
    return LetterWay.MAIL if person.can_mail else LetterWay.POST


def _page(
    request: StaffRequest, case: Case, form: LetterForm, send: SendForm | None, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "case": case,
        "form": form,
        "send": send,
        "person": casebook.person_of(case, words.key_of(case.submission)),
    }
    return render(request, "rights/letter_new.html", context, status=status)


@case_action(
    SendForm,
    redraw=lambda request, case, form: _page(
        request, case, LetterForm(letters=texts.letters_for(case.kind)), form, 422
    ),
    errors={letters.NoAddressError: "way", letters.TooLateError: "way"},
    secret=("body", "subject"),
)
def send_letter(request: StaffRequest, case: Case, form: SendForm) -> Done | None:
    sent = form.cleaned_data
    if sent["letter"] not in {one.name for one in texts.letters_for(case.kind)}:
        form.add_error(None, "This letter does not fit the request. Select another one.")
        return None
    letter = letters.send_letter(
        case=case,
        name=sent["letter"],
        way=LetterWay(sent["way"]),
        text=Filled(" ".join(sent["subject"].split()), sent["body"]),
        by=request.actor,
        at=request.at,
    )
    if letter.way == LetterWay.MAIL:
        return Done("The letter is being sent.")
    next_ = " Close the request next." if progress.answer(case).may_close and case.closed_at is None else ""
    if letter.way == LetterWay.POST:
        return Done(f"Saved as sent. Print it here.{next_}", _address(letter))
    return Done(f"Saved: {_WENT[LetterWay(letter.way)]}.{next_}")


_WENT = {
    LetterWay.PHONE: "the letter was read to the requester",
    LetterWay.PAGE: "the letter is on the requester’s page",
}


def _address(letter: Letter) -> str:
    return reverse("rights:show_letter", args=[letter.case_id, letter.pk])


def _find(request: StaffRequest, case: Case, letter_id: UUID) -> Letter:
    rows = Letter.objects.filter(case=case).select_related("case__submission", "made_by")
    return get_object_or_404(rows, pk=letter_id)


@require_safe
@of_case
def show_letter(request: StaffRequest, case: Case, letter_id: UUID) -> HttpResponse:
    letter = _find(request, case, letter_id)
    try:
        text: Filled | None = letters.open_letter(letter=letter)
    except letters.GoneError:
        text = None
    if text is not None and not works(request):
        # The link to the person's own page acts in the person's name; who approves for the client is not that person.
        text = Filled(text.subject, text.body.replace(_link(case), "[the person's own page]"))
    state = words_for(progress.letter(letter), Reader.OFFICER, thing=Thing.LETTER)
    context = {"case": case, "letter": letter, "state": state, "text": text, "zone": zone_of(case)}
    return render(request, "rights/letter.html", context)


@case_action(load=_find, back=lambda letter: address_of(letter.case), errors={letters.GoneError: INFO})
def send_again(request: StaffRequest, letter: Letter, _: Any) -> Done:
    if letters.send_again(letter=letter, by=request.actor, at=request.at):
        return Done("It is sent again within a minute.")
    return Done(
        "It is not sent: the first deadline has passed, and the due date stays as it was.", level=WARNING
    )
