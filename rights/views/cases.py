"""One case: what its page shows, and the small actions on it."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import INFO, WARNING, Confirmation, Done, form_page
from callprivacy.lib.status import Reader, Thing, words_for
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from rights.enums import Ask, Channel, OnBehalf, StepKind
from rights.forms.cases import (
    AnswerForm,
    AppealForm,
    AssignForm,
    ExtendForm,
    NewForm,
    NoteForm,
    PauseForm,
    TaskForm,
)
from rights.models import Case, CaseTask
from rights.selectors import board, casebook, progress, words
from rights.selectors import letters as letter_selectors
from rights.services import approvals, cases, deciding, restricting
from rights.services.cases import Claim, Contact
from rights.services.letters import EXTENSION
from rights.views import told
from rights.views.doors import (
    address_of,
    case_action,
    case_page,
    clients_of,
    last_of,
    noon_of,
    of_case,
    require_work,
    sees_own,
    works,
)


def _clients(request: StaffRequest) -> list[Client]:
    clients = clients_of(request)
    require_work(request)
    return clients


@form_page(
    NewForm,
    right=None,
    load=_clients,
    title="New request",
    lede="Enter a request that came by email, mail, phone or in person. Its deadline counts from the day it arrived.",
    button="Enter request",
    crumbs=lambda _: [("Requests", reverse("rights:home"))],
    fill=lambda request, clients: {
        "clients": clients,
        "with_own": sees_own(request),
        "zone": request.agency.time_zone,
        "at": request.at,
        "initial": {"client": request.GET.get("client", "")},
    },
    secret=("number", "email", "name", "post", "words"),
    refused=422,
)
def new_request(request: StaffRequest, _: list[Client], form: NewForm) -> Done:
    entered = form.cleaned_data
    submission = cases.open_cases(
        agency=request.agency,
        client=form.of_client,
        asks=[Ask(ask) for ask in entered["asks"]],
        channel=Channel(entered["channel"]),
        claims=[Claim(kind, value) for kind, value in form.claims()],
        contact=Contact(
            name=entered["name"], mail=entered["email"], phone=entered["number"], post=entered["post"]
        ),
        received_at=form.received_at(),
        said_at=form.said_at(),
        by=request.actor,
        at=request.at,
        words=entered["words"],
        on_behalf=OnBehalf(entered["on_behalf"]),
        is_minor=entered["is_minor"],
        place=form.place_said,
        language=entered["language"],
    )
    opened = list(submission.cases.all())
    first = min(opened, key=lambda case: list(Ask).index(Ask(case.asks)))
    what = "The request is" if len(opened) == 1 else f"{len(opened)} requests are"
    return Done(f"{what} entered. The deadline counts from the day it arrived.", address_of(first))


@require_safe
@of_case
def show_case(request: StaffRequest, case: Case) -> HttpResponse:
    return page(request, case)


def page(request: StaffRequest, case: Case, status: int = 200, **more: Any) -> HttpResponse:
    """
    Draw a case's page.

    :param more: forms with what was wrong in them, or what was opened on it.
    """
    zone = letter_selectors.zone_of(case)
    key = words.key_of(case.submission)
    is_open = case.closed_at is None
    people = _people(request, case)
    # Nobody of the agency approves for the client.
    asked = None if works(request) else approvals.waiting(case=case, at=request.at)
    letters = letter_selectors.written(case)
    context = {
        "case": case,
        "zone": zone,
        "line": board.line_of(case, zone=request.agency.time_zone, at=request.at),
        "answered": progress.answer(case),
        "others": casebook.others_of(case),
        "laws": casebook.laws_of(case),
        "person": casebook.person_of(case, key),
        "identities": casebook.identities_of(case, key),
        "proofs": casebook.other_proofs(case),
        "notes": casebook.notes_of(case, key),
        "tasks": casebook.tasks_of(case, key, today=board.today(zone, request.at)),
        "events": casebook.timeline_of(case, key),
        **work_of(case),
        "approvals": casebook.approvals_of(case, key),
        "notices": told.OF_CASE.draw(request, casebook.notices_of(case), zone=zone),
        "letters": letters,
        "acknowledged": min(
            (one for one in letters if one.row.template == progress.ACKNOWLEDGEMENT),
            key=lambda one: not one.progress.sent,
            default=None,
        ),
        "ground": letter_selectors.ground_of(case),
        "answer": words.text(case.answer, key),
        "is_open": is_open,
        "not_recorded": is_open and casebook.is_not_recorded(case),
        "waits_for_number": is_open and casebook.waits_for_number(case),
        "works": works(request),
        "may_extend": is_open and cases.may_extend(case, request.at),
        "may_stop": is_open and case.paused_at is None and cases.may_stop(case),
        "may_appeal": case.decided_at is not None and not case.appeals.exists(),
        "may_lift": restricting.may_lift(case),
        "may_decide": not deciding.why_not(case),
        "assign": AssignForm(people=people, initial={"owner": case.owner_id or ""}),
        "answer_waits": asked,
        "answer_form": AnswerForm(kind=asked.approval.kind, initial={"name": str(request.user)}) if asked else None,
        "note": NoteForm(auto_id="note_%s"),
        "task": TaskForm(auto_id="task_%s"),
        **more,
    }  # fmt: skip
    return render(request, "rights/case.html", context, status=status)


def work_of(case: Case) -> dict[str, Any]:
    steps = casebook.steps_of(case)
    tells_later = casebook.tells_later(steps)
    notified = progress.notifications(case, waits=tells_later)
    is_erased = any(step.kind == StepKind.ERASE and step.finished_at for step in steps)
    deleted = progress.deletions(list(letter_selectors.findings_of(case)) if is_erased else [])
    return {
        "steps": steps,
        "tells_later": tells_later,
        "notified": notified,
        "notified_words": words_for(notified, Reader.OFFICER),
        "deleted": deleted,
        "deleted_words": words_for(deleted, Reader.OFFICER, thing=Thing.DELETIONS),
        "packages": casebook.packages_of(case),
        "found": casebook.found_of(case),
        "is_working": casebook.is_working(steps) or case.submission.search_due_at is not None,
    }


def _people(request: StaffRequest, case: Case) -> list[Any]:
    if case.client_id is None:
        user_ids = access.people_with_right(AgencyRight.SIGN_OFF, agency_id=case.agency_id)
    else:
        user_ids = access.people_with(
            Permission.HANDLE_REQUESTS, case.client_id, agency_id=case.agency_id, at=request.at
        )
    return list(casebook.people_who_may(user_ids))


def _shows(name: str) -> Callable[..., HttpResponse]:
    """What draws the case's page with a refused form in its place."""
    return lambda request, case, form: page(request, case, 422, **{name: form})


@case_action(
    AssignForm,
    fill=lambda request, case: {"people": _people(request, case)},
    redraw=_shows("assign"),
    errors={cases.ClosedError: INFO},
)
def assign(request: StaffRequest, case: Case, form: AssignForm) -> str:
    cases.assign(case=case, owner_id=form.owner_id, by=request.actor, at=request.at)
    return "Owner changed." if form.owner_id else "The request has no owner now."


@case_action(NoteForm, redraw=_shows("note"), secret=("words",))
def add_note(request: StaffRequest, case: Case, form: NoteForm) -> None:
    cases.write_note(case=case, words=form.cleaned_data["words"], by=request.actor, at=request.at)


@case_action(TaskForm, redraw=_shows("task"), errors={cases.ClosedError: INFO}, secret=("words",))
def add_task(request: StaffRequest, case: Case, form: TaskForm) -> None:
    owner_id = case.owner_id or request.membership.user_id
    cases.add_task(case=case, **form.cleaned_data, owner_id=owner_id, by=request.actor, at=request.at)


def _task(request: StaffRequest, case: Case, todo_id: UUID) -> CaseTask:
    return get_object_or_404(
        CaseTask.objects.filter(case=case).select_related("case__submission"), pk=todo_id
    )


@case_action(load=_task, back=lambda task: address_of(task.case))
def finish_task(request: StaffRequest, task: CaseTask, _: Any) -> None:
    cases.finish_task(task=task, by=request.actor, at=request.at)


def _to_letter(case: Case, name: str) -> str:
    return f"{reverse('rights:letter', args=[case.pk])}?letter={name}"


@case_page(
    ExtendForm,
    title="Extend the deadline",
    lede=lambda case: (
        (
            f"Notify the person of the extension and its reason by {case.extend_before:%-d %b %Y}. The next page is"
            " that letter; the due date moves when it is sent."
        )
        if case.extend_before
        else ""
    ),
    button="Write the letter",
    errors={
        cases.AlreadyDoneError: WARNING,
        cases.ClosedError: WARNING,
        cases.NoExtensionError: WARNING,
        cases.EmptyWordsError: "words",
    },
    template="rights/extend.html",
)
def extend(request: StaffRequest, case: Case, form: ExtendForm) -> Done:
    reason = form.cleaned_data
    extended = cases.extend(
        case=case, ground=reason["ground"], words=reason["words"], by=request.actor, at=request.at
    )
    until = (
        f"the answer stays due by {extended.answer_by:%-d %b %Y}"
        if extended.answer_by
        else "it takes no longer"
    )
    return Done(
        f"Send the person the letter that says so by {extended.extend_before:%-d %b %Y}. Until it is sent {until}.",
        _to_letter(case, EXTENSION),
    )


def _stands(case: Case) -> bool:
    return case.paused_at is not None


def _today(request: StaffRequest, case: Case) -> date:
    return board.today(letter_selectors.zone_of(case), request.at)


@case_page(
    PauseForm,
    title=lambda case: "Resume the deadline" if _stands(case) else "Pause the deadline",
    lede=lambda case: (
        "The person has clarified the request. The paused days are added."
        if _stands(case)
        else "The deadline pauses while the person clarifies the request, where the law allows it. The next page is the"
        " letter that asks."
    ),
    button=lambda case: "Resume deadline" if _stands(case) else "Pause and write",
    fill=lambda request, case: {"stands": _stands(case), "today": _today(request, case)},
    errors={cases.AlreadyDoneError: WARNING, cases.ClosedError: WARNING, cases.ClockRunsOnError: WARNING},
    secret=("words",),
)
def stop_clock(request: StaffRequest, case: Case, form: PauseForm) -> Done:
    text = form.cleaned_data["words"]
    if _stands(case):
        said_at = noon_of(form.cleaned_data["said_on"], case, request.at)
        cases.resume_clock(case=case, words=text, said_at=said_at, by=request.actor, at=request.at)
        return Done("The deadline runs again; the paused days are added.")
    cases.stop_clock(case=case, words=text, by=request.actor, at=request.at)
    case.refresh_from_db(fields=["paused_at", "answer_by"])
    how = (
        "The deadline is paused."
        if case.stands
        else f"The answer stays due by {case.answer_by:%-d %b %Y}, since some laws allow no pause."
    )
    return Done(f"{how} Send the person the letter that asks.", _to_letter(case, "clarification"))


@case_page(
    AppealForm,
    title="Record an appeal",
    lede=lambda case: (
        "It becomes a case of its own, with the deadline that the law sets for appeals. Another person than"
        f" {case.decided_by or 'the one who decided'} must answer it."
    ),
    button="Record appeal",
    fill=lambda request, case: {"initial": {"received_on": _today(request, case)}},
    errors={cases.AlreadyDoneError: WARNING, cases.NotAnsweredError: WARNING},
    secret=("words",),
)
def note_appeal(request: StaffRequest, case: Case, form: AppealForm) -> Done | None:
    entered = form.cleaned_data
    answered_on = case.decided_at and board.today(letter_selectors.zone_of(case), case.decided_at)
    if entered["received_on"] > _today(request, case):
        form.add_error("received_on", "It cannot have arrived after today.")
        return None
    if answered_on and entered["received_on"] < answered_on:
        form.add_error("received_on", f"It cannot have arrived before the answer of {answered_on:%-d %b %Y}.")
        return None
    made = cases.appeal(
        case=case,
        words=entered["words"],
        received_at=noon_of(entered["received_on"], case, request.at),
        said_at=last_of(entered["received_on"], case, request.at),
        by=request.actor,
        at=request.at,
    )
    return Done(
        "The appeal is a case of its own. A person who did not decide it must answer.", address_of(made)
    )


def _before_withdrawal(request: StaffRequest, case: Case) -> Confirmation:
    received_at = case.received_at.astimezone(ZoneInfo(letter_selectors.zone_of(case)))
    return Confirmation(
        "Close the request as taken back",
        "Only where the person has said so. What the request stopped stays stopped; its record stays, sealed, as long"
        " as the policy for requests says.",
        extent=[
            {"label": "Request", "value": f"{case.get_asks_display()} ({case.reference})"},
            {"label": "Received", "value": f"{received_at:%-d %b %Y}"},
        ],
    )


@case_page(
    title="Withdraw request",
    button="It was taken back",
    confirm=_before_withdrawal,
    errors={cases.ClosedError: INFO},
)
def take_back(request: StaffRequest, case: Case, _: Any) -> str:
    cases.take_back(case=case, by=request.actor, at=request.at)
    return "Taken back. What it stopped stays stopped."
