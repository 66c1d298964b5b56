"""Courses that an agency writes: the list, the draft with its screens, questions and pictures, and publishing."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from governance.channels import pictures
from governance.courses import lacking
from governance.forms.training import ArrangeForm, CourseForm, PictureForm, QuestionForm, ScreenForm
from governance.models import CourseVersion, OwnCourse
from governance.selectors import training as selectors
from governance.services import courses, training
from governance.views.deeds import show_form, today

_MANAGE: Final = AgencyRight.MANAGE_CLIENTS


def _course_or_404(own_id: UUID) -> OwnCourse:
    found = selectors.find_own(own_id)
    if found is None:
        raise Http404
    return found


def _draft_of(course: OwnCourse) -> CourseVersion | None:
    return selectors.versions(course).filter(published_at=None).first()


def _form(
    request: StaffRequest,
    form: Any,
    title: str,
    button: str,
    course: OwnCourse | None = None,
    *,
    lede: str = "",
) -> HttpResponse:
    crumbs = [("Own courses", reverse("governance:own_courses"))]
    if course is not None:
        crumbs.append(("The course", reverse("governance:own_course", args=[course.pk])))
    return show_form(request, form, section="training", title=title, lede=lede, button=button, crumbs=crumbs)


@require_GET
@needs_right(_MANAGE)
def list_courses(request: StaffRequest) -> HttpResponse:
    """The courses that the agency wrote or writes."""
    rows = [
        {
            "course": course,
            "newest": course.shown[0],  # type: ignore[attr-defined]  # fetched along
            "published": next((one for one in course.shown if one.published_at), None),  # type: ignore[attr-defined]  # prefetched where it was read
        }
        for course in selectors.own_courses()
    ]
    return render(request, "governance/own_courses.html", {"section": "training", "rows": rows})


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def new_course(request: StaffRequest) -> HttpResponse:
    """Begin a course."""
    form = CourseForm(request.POST or None, initial={"reviewed_on": today(request)})
    if request.method == "POST" and form.is_valid():
        course = courses.create_course(
            agency=request.agency, facts=form.facts(), by=request.actor, at=request.at
        )
        messages.success(request, "A draft. Write its screens and questions, then publish it.")
        return redirect("governance:own_course", course.pk)
    return _form(
        request, form, "A course of your own", "Begin it", lede="Nobody else sees it before it is published."
    )


@require_GET
@needs_right(_MANAGE)
def show_course(request: StaffRequest, own_id: UUID) -> HttpResponse:
    """A course: its draft with all its parts, what it lacks, and what was published."""
    course = _course_or_404(own_id)
    versions = list(selectors.versions(course))
    draft = next((one for one in versions if one.published_at is None), None)
    shown = draft or versions[0]
    made = selectors.as_course(shown)
    context = {
        "section": "training",
        "course": course,
        "shown": shown,
        "draft": draft,
        "lacks": lacking(made) if draft is not None else [],
        "screens": [
            {"title": one.title, "html": made.html(place), "place": place}
            for place, one in enumerate(made.screens, 1)
        ],
        "questions": [{"question": one, "place": place} for place, one in enumerate(made.questions, 1)],
        "asked": made.asked,
        "pictures": selectors.pictures(course),
        "published": [one for one in versions if one.published_at is not None],
    }
    return render(request, "governance/own_course.html", context)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def change_facts(request: StaffRequest, own_id: UUID) -> HttpResponse:
    """Change what stands before a draft's screens."""
    course = _course_or_404(own_id)
    draft = _draft_of(course)
    if draft is None:
        return _no_draft(request, course)
    names = ("title", "about", "minutes", "valid_months", "reviewed_on")
    initial = {name: getattr(draft, name) for name in names} | {"sources": "\n".join(draft.sources)}
    form = CourseForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            courses.change_facts(course=course, facts=form.facts(), by=request.actor, at=request.at)
        except courses.NoDraftError:
            return _no_draft(request, course)
        return redirect("governance:own_course", course.pk)
    return _form(request, form, "About the course", "Save", course)


def _no_draft(request: StaffRequest, course: OwnCourse) -> HttpResponse:
    messages.warning(request, "There is no draft to change. Begin a new version first.")
    return redirect("governance:own_course", course.pk)


def _part(course: OwnCourse, part: str, place: int) -> dict[str, Any]:
    """One screen or question of the draft; empty for the place 0."""
    draft = _draft_of(course)
    rows = getattr(draft, part) if draft is not None else []
    if place > len(rows):
        raise Http404
    return dict(rows[place - 1]) if place else {}


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def write_screen(request: StaffRequest, own_id: UUID, place: int) -> HttpResponse:
    """Write a screen of the draft; the place 0 adds one."""
    course = _course_or_404(own_id)
    form = ScreenForm(request.POST or None, initial=_part(course, "screens", place))
    if request.method == "POST" and form.is_valid():
        try:
            courses.put_screen(
                course=course, place=place, **form.cleaned_data, by=request.actor, at=request.at
            )
        except courses.NoDraftError:
            return _no_draft(request, course)
        except courses.FullError as error:
            form.add_error(None, str(error))
        else:
            return redirect("governance:own_course", course.pk)
    return _form(request, form, f"Screen {place}" if place else "Another screen", "Save the screen", course)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def write_question(request: StaffRequest, own_id: UUID, place: int) -> HttpResponse:
    """Write a question of the draft; the place 0 adds one."""
    course = _course_or_404(own_id)
    row = _part(course, "questions", place)
    answers = row.pop("answers", ["", ""])
    form = QuestionForm(
        request.POST or None, initial=row | {"right": answers[0], "wrong": "\n".join(answers[1:])}
    )
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            courses.put_question(
                course=course,
                place=place,
                words=said["words"],
                answers=form.answers(),
                why=said["why"],
                by=request.actor,
                at=request.at,
            )
        except courses.NoDraftError:
            return _no_draft(request, course)
        except courses.FullError as error:
            form.add_error(None, str(error))
        else:
            return redirect("governance:own_course", course.pk)
    return _form(
        request, form, f"Question {place}" if place else "Another question", "Save the question", course
    )


@require_POST
@needs_right(_MANAGE)
def arrange(request: StaffRequest, own_id: UUID) -> HttpResponse:
    """Move a part of the draft up, or take it out."""
    course = _course_or_404(own_id)
    form = ArrangeForm(request.POST)
    if not form.is_valid():
        messages.warning(request, "Pick one of the buttons.")
        return redirect("governance:own_course", course.pk)
    said = form.cleaned_data
    try:
        courses.arrange(
            course=course,
            part=said["part"],
            place=said["place"],
            up=said["deed"] == "up",
            by=request.actor,
            at=request.at,
        )
    except courses.NoDraftError:
        messages.warning(request, "That part of the draft is not there any more.")
    return redirect("governance:own_course", course.pk)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def add_picture(request: StaffRequest, own_id: UUID) -> HttpResponse:
    """Keep a picture for the screens."""
    course = _course_or_404(own_id)
    form = PictureForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            courses.add_picture(
                course=course,
                name=form.cleaned_data["name"],
                raw=form.cleaned_data["file"],
                by=request.actor,
                at=request.at,
            )
        except pictures.PictureError as error:
            form.add_error("file", str(error))
        except (courses.NameTakenError, courses.FullError) as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, "The picture is there. Its line for a screen stands beside it.")
            return redirect("governance:own_course", course.pk)
    return _form(request, form, "A picture", "Keep it", course)


@require_GET
def show_picture(request: StaffRequest, picture_id: UUID) -> HttpResponse:
    """A picture of one of the agency's courses, as it was written anew when it came; of drafts for writers alone."""
    found = selectors.find_picture(picture_id, drafts=access.has_right(request.membership, _MANAGE))
    if found is None:
        raise Http404
    try:
        data = pictures.load(agency_id=found.agency_id, picture_id=found.pk)
    except OSError:
        raise Http404 from None
    response = HttpResponse(data, content_type=found.kind)
    response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return response


@require_POST
@needs_right(_MANAGE)
def publish(request: StaffRequest, own_id: UUID) -> HttpResponse:
    """Let people take the draft."""
    course = _course_or_404(own_id)
    try:
        version = courses.publish(course=course, by=request.actor, at=request.at)
    except courses.NoDraftError:
        return _no_draft(request, course)
    except courses.UnfinishedError as error:
        messages.warning(request, str(error))
    else:
        messages.success(
            request, f"Version {version.number} is what people take from now on. Say who takes it, next."
        )
    return redirect("governance:own_course", course.pk)


@require_POST
@needs_right(_MANAGE)
def begin_version(request: StaffRequest, own_id: UUID) -> HttpResponse:
    """Begin a draft from what is published."""
    course = _course_or_404(own_id)
    try:
        courses.begin_version(course=course, by=request.actor, at=request.at)
    except courses.NoDraftError as error:
        messages.warning(request, str(error))
    return redirect("governance:own_course", course.pk)


@require_POST
@needs_right(_MANAGE)
def offer(request: StaffRequest, own_id: UUID) -> HttpResponse:
    """Offer a course again, or no more."""
    course = _course_or_404(own_id)
    on = request.POST.get("on") == "yes"
    try:
        is_new = courses.offer(course=course, on=on, by=request.actor, at=request.at)
    except training.OwnTrainingError as error:
        messages.warning(request, str(error))
        is_new = False
    if is_new:
        messages.success(
            request,
            "It is offered again."
            if on
            else "Nobody is asked to take it any more. Who passed it keeps that.",
        )
    return redirect("governance:own_course", course.pk)
