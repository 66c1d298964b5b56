"""Training: taking courses and managing them."""

from datetime import datetime, time, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight, Role
from callprivacy.accounts.views.form_pages import FORM, INFO, Done, action, form_page
from callprivacy.accounts.views.pages import page_of
from governance.channels import certificate
from governance.courses import Course, draw, is_passed
from governance.forms.training import (
    AnswersForm,
    AssignForm,
    CampaignForm,
    EndProofForm,
    MoveForm,
    RulesForm,
    TakeBackForm,
)
from governance.models import Assignment, Completion
from governance.selectors import training as selectors
from governance.services import training
from governance.tasks import watch as tasks
from governance.views.deeds import today

_PAGE: Final = 40
_MANAGE: Final = AgencyRight.MANAGE_CLIENTS


def _course_or_404(name: str) -> Course:
    course = selectors.find_course(name)
    if course is None:
        raise Http404
    return course


@require_GET
def show_mine(request: StaffRequest) -> HttpResponse:
    user_id = request.membership.user_id
    context = {
        "mine": selectors.mine(user_id, today=today(request)),
        "passed": selectors.titled(selectors.completions(user_id)),
        "withheld_from": request.membership.withheld_from,
        "now": request.at,
    }
    return render(request, "governance/training.html", context)


@require_GET
def read_screen(request: StaffRequest, course: str, screen: int) -> HttpResponse:
    content = _course_or_404(course)
    if not 1 <= screen <= len(content.screens):
        raise Http404
    context = {
        "course": content,
        "screen": content.screens[screen - 1],
        "html": content.html(screen),
        "is_begun": screen == len(content.screens)
        and selectors.begun_attempt(request.membership.user_id, content.id) is not None,
        "number": screen,
        "before": screen - 1,
        "after": screen + 1 if screen < len(content.screens) else 0,
    }
    return render(request, "governance/screen.html", context)


@require_POST
def start(request: StaffRequest, course: str) -> HttpResponse:
    """Start or continue an attempt."""
    content = _course_or_404(course)
    user_id = request.membership.user_id
    try:
        training.start_attempt(agency=request.agency, course=content, user_id=user_id, at=request.at)
    except training.TooSoonError as error:
        messages.warning(request, str(error))
        return redirect("governance:screen", content.id, 1)
    return redirect("governance:questions", content.id)


@require_http_methods(["GET", "POST"])
def answer(request: StaffRequest, course: str) -> HttpResponse:
    _course_or_404(course)
    user_id = request.membership.user_id
    attempt = selectors.begun_attempt(user_id, course)
    content = selectors.course_of(attempt) if attempt is not None else None
    if attempt is None or content is None:
        messages.info(request, "Start the questions at the end of the last screen.")
        return redirect("governance:screen", course, 1)
    form = AnswersForm(request.POST or None, drawn=draw(content, attempt.seed))
    if request.method == "POST" and form.is_valid():
        try:
            training.finish_attempt(
                attempt=attempt, course=content, answers=form.answers(), user_id=user_id, at=request.at
            )
        except training.NotYoursError as error:
            messages.warning(request, str(error))
        else:
            tasks.settle_training.delay_on_commit(agency_id=request.agency.pk, user_id=user_id)
        return redirect("governance:result", content.id)
    return render(request, "governance/questions.html", {"course": content, "form": form})


@require_GET
def show_result(request: StaffRequest, course: str) -> HttpResponse:
    content = _course_or_404(course)
    attempt = selectors.last_attempt(request.membership.user_id, content.id)
    if attempt is None:
        return redirect("governance:screen", content.id, 1)
    taken = selectors.course_of(attempt)
    drawn = draw(taken, attempt.seed) if taken is not None else []
    passed = is_passed(attempt.right or 0, attempt.asked)
    context = {
        "course": content,
        "attempt": attempt,
        "passed": passed,
        "newest": selectors.completions(request.membership.user_id).filter(course=content.id).first(),
        "rows": [
            {
                "question": one.question,
                "is_right": attempt.answers.get(str(one.number)) == 0,
                "chosen": _chosen(one.question.answers, attempt.answers.get(str(one.number))),
            }
            for one in drawn
        ],
    }
    return render(request, "governance/result.html", context)


def _chosen(answers: tuple[str, ...], place: int | None) -> str:
    return answers[place] if place is not None and 0 <= place < len(answers) else ""


@require_GET
def take_certificate(request: StaffRequest, completion_id: UUID) -> HttpResponse:
    """Download one's own certificate as PDF, or any certificate with the right to manage the agency."""
    row = selectors.find_completion(completion_id)
    if row is None or row.issuer or row.ended_at is not None:
        raise Http404
    passed_at = datetime.combine(row.passed_on, time.min, tzinfo=ZoneInfo(row.agency.time_zone))
    ((_, title),) = selectors.titled([row])
    data = certificate.training_pdf(row, title, made_at=passed_at)
    response = HttpResponse(data, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="certificate-{row.course}.pdf"'
    return response


@require_GET
@needs_right(_MANAGE)
def show_matrix(request: StaffRequest) -> HttpResponse:
    has_left = request.GET.get("who") == "left"
    people = selectors.people_who_left() if has_left else selectors.members()
    page = page_of(request, people, size=_PAGE)
    offered = selectors.catalogue()
    context = {
        "page": page,
        "courses": list(offered.values()),
        "rows": selectors.matrix(list(page.object_list), list(offered), today=today(request)),
        "views": [
            {"url": "?", "label": "Active", "active": not has_left},
            {"url": "?who=left", "label": "Former", "active": has_left},
        ],
    }
    return render(request, "governance/training_matrix.html", context)


@require_GET
@needs_right(_MANAGE)
def show_person(request: StaffRequest, pk: int) -> HttpResponse:
    member = selectors.find_member(pk)
    if member is None:
        raise Http404
    titles = selectors.titles_offered()
    context = {
        "member": member,
        "asked": [(row, titles.get(row.course, row.course)) for row in selectors.asked_of(member.user_id)],
        "passed": selectors.titled(selectors.completions(member.user_id)),
        "today": today(request),
    }
    return render(request, "governance/training_person.html", context)


def above(_: object) -> list[tuple[str, str]]:
    return [("Training", reverse("governance:training_matrix"))]


_page = partial(form_page, right=_MANAGE, crumbs=above)


def _load_proof(request: StaffRequest, completion_id: UUID) -> Completion:
    completion = selectors.find_completion(completion_id)
    if completion is None:
        raise Http404
    return completion


@_page(
    EndProofForm,
    load=_load_proof,
    title="Revoke the completion",
    lede=lambda row: (
        f"{row.user} passed on {row.passed_on.day} {row.passed_on:%b %Y}. You cannot undo this, and the course may "
        "become due again."
    ),
    button="Revoke",
    is_final=True,
    errors={training.OwnCertificateError: FORM, training.NoProofError: INFO},
)
def end_proof(request: StaffRequest, row: Completion, form: EndProofForm) -> str:
    training.end_proof(proof=row, **form.cleaned_data, by=request.actor, at=request.at)
    tasks.watch_training.delay_on_commit()
    return "Completion revoked."


@require_GET
@needs_right(_MANAGE)
def show_campaign(request: StaffRequest) -> HttpResponse:
    offered = selectors.titles_offered()
    form = CampaignForm(request.GET, offered=offered)
    wanted = form.cleaned_data if form.is_valid() else {}
    names = {name: offered[name] for name in ([wanted["course"]] if wanted.get("course") else offered)}
    people = list(selectors.members())
    chosen = [row for row in people if not wanted.get("role") or row.role == wanted["role"]]
    on = today(request)
    courses = selectors.by_course(chosen, names, today=on)
    month = selectors.reminded(since=on - timedelta(days=29))
    days = selectors.training_days(list(names), since=on - timedelta(days=179))
    incomplete = selectors.still_open(chosen, names, today=on)
    context = {
        "form": form,
        "active": sum(bool(value) for value in wanted.values()),
        "courses": [(one, month.get(one.name, 0)) for one in courses if one.of or len(names) == 1],
        "roles": [one for one in selectors.by_role(chosen, names, today=on) if one.of],
        "total": sum(one.of for one in courses),
        "done": sum(one.done for one in courses),
        "overdue": sum(one.overdue for one in courses),
        "reminded": sum(month.get(name, 0) for name in names),
        "chart": {
            "series": ["Overdue", "Due", "Done"],
            "more": ["Reminders"],
            "rows": [[f"{day.on:%-d %b}", day.overdue, day.due, day.done, day.reminders] for day in days],
        },
        "page": page_of(request, incomplete, size=_PAGE),
        "of_role": Role(wanted["role"]).label if wanted.get("role") else "",
    }
    return render(request, "governance/training_campaign.html", context)


def _load_course(request: StaffRequest, course: str) -> Course:
    return _course_or_404(course)


def _rules(request: StaffRequest, course: Course) -> dict[str, Any]:
    return {"initial": {role.value: days for role, days in selectors.rules(course.id).items()}}


@_page(
    RulesForm,
    load=_load_course,
    title=lambda course: f"Requirements of “{course.title}”",
    lede="Leave a role empty to make the course optional. For current members, the days count from today.",
    button="Save",
    fill=_rules,
    errors={training.OwnTrainingError: FORM},
)
def set_rules(request: StaffRequest, course: Course, form: RulesForm) -> str:
    training.set_rules(
        agency=request.agency, course=course, within=form.within(), by=request.actor, at=request.at
    )
    tasks.watch_training.delay_on_commit()
    return "Saved. Courses are assigned within a few minutes."


@_page(
    AssignForm,
    load=lambda _: selectors.catalogue(),
    title="Assign a course",
    lede="The people you select are notified in the app and by email.",
    button="Assign course",
    fill=lambda request, offered: {
        "people": list(selectors.members()),
        "courses": offered,
        "today": today(request),
    },
)
def assign(request: StaffRequest, offered: dict[str, Course], form: AssignForm) -> Done:
    data = form.cleaned_data
    count = training.assign(
        agency=request.agency,
        course=offered[data["course"]],
        user_ids=[int(one) for one in data["people"]],
        due_on=data["due_on"],
        by=request.actor,
        at=request.at,
    )
    where = f"{reverse('governance:training_campaign')}?course={data['course']}"
    return Done(f"Assigned to {count}. Existing assignments keep their due dates.", where)


def _load_assignment(request: StaffRequest, assignment_id: int) -> Assignment:
    assignment = selectors.find_assignment(assignment_id)
    if assignment is None:
        raise Http404
    return assignment


def _about(row: Assignment) -> str:
    title = selectors.titles_offered().get(row.course, row.course)
    return f"“{title}”, assigned to {row.user}, due {row.due_on.day} {row.due_on:%b %Y}."


def _moved(request: StaffRequest, row: Assignment, text: str) -> Done:
    tasks.settle_training.delay_on_commit(agency_id=request.agency.pk, user_id=row.user_id)
    return Done(text, reverse("governance:training_campaign"))


_assignment_page = partial(_page, load=_load_assignment, lede=_about)


@_assignment_page(
    MoveForm,
    title="Change the due date",
    button="Save",
    fill=lambda request, row: {"initial": {"due_on": row.due_on, "was": row.due_on}, "today": today(request)},
    errors={training.OwnTrainingError: FORM},
)
def move_assignment(request: StaffRequest, row: Assignment, form: MoveForm) -> Done:
    data = form.cleaned_data
    # The date that the page showed, so that a colleague's change since is not overwritten.
    row.due_on = data.pop("was") or row.due_on
    try:
        training.move_assignment(row=row, **data, by=request.actor, at=request.at)
    except training.NotAskedError as error:
        return Done(str(error), reverse("governance:training_campaign"), INFO)
    return _moved(request, row, "Due date changed.")


@_assignment_page(
    TakeBackForm,
    title="Withdraw the assignment",
    button="Withdraw",
    errors={training.OwnTrainingError: FORM, training.OfARuleError: FORM},
)
def take_back(request: StaffRequest, row: Assignment, form: TakeBackForm) -> Done:
    try:
        training.take_back(
            agency=request.agency, row=row, **form.cleaned_data, by=request.actor, at=request.at
        )
    except training.NotAskedError as error:
        return Done(str(error), reverse("governance:training_campaign"), INFO)
    return _moved(request, row, "Assignment withdrawn.")


@action(right=_MANAGE, back=lambda _: reverse("governance:training_matrix"))
def look_again(request: StaffRequest, _: None, form: Any) -> str:
    tasks.watch_training.delay_on_commit()
    return "Required courses are assigned within a minute."
