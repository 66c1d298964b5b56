"""Courses that an agency writes: the list, the draft with its screens, questions and pictures, and publishing."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import FORM, WARNING, Done, action, form_page
from governance.channels import pictures
from governance.courses import lacking
from governance.forms.training import ArrangeForm, CourseForm, PictureForm, QuestionForm, ScreenForm
from governance.models import CourseVersion, OwnCourse
from governance.selectors import training as selectors
from governance.services import courses, training
from governance.views.deeds import today

_MANAGE: Final = AgencyRight.MANAGE_CLIENTS


def _load(request: StaffRequest, own_id: UUID) -> OwnCourse:
    found = selectors.find_own(own_id)
    if found is None:
        raise Http404
    return found


def _address(course: OwnCourse) -> str:
    return reverse("governance:own_course", args=[course.pk])


def _above(course: "OwnCourse | _Part | None") -> list[tuple[str, str]]:
    crumbs = [("Own courses", reverse("governance:own_courses"))]
    if course is None:
        return crumbs
    return [*crumbs, ("The course", _address(course.course if isinstance(course, _Part) else course))]


_page = partial(form_page, right=_MANAGE, load=_load, crumbs=_above)
_action = partial(action, right=_MANAGE, load=_load, back=_address)
_NO_DRAFT: Final = Done("There is no draft to change. Begin a new version first.", level=WARNING)


@dataclass(frozen=True, slots=True)
class _Part:
    """
    A screen or a question of a draft.

    :ivar place: from 1; 0: it is added.
    """

    course: OwnCourse
    place: int
    row: dict[str, Any]


def _load_screen(request: StaffRequest, own_id: UUID, place: int) -> _Part:
    return _part(_load(request, own_id), "screens", place)


def _load_question(request: StaffRequest, own_id: UUID, place: int) -> _Part:
    return _part(_load(request, own_id), "questions", place)


def _part(course: OwnCourse, part: str, place: int) -> _Part:
    draft = selectors.versions(course).filter(published_at=None).first()
    rows = getattr(draft, part) if draft is not None else []
    if place > len(rows):
        raise Http404
    return _Part(course, place, dict(rows[place - 1]) if place else {})


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
    return render(request, "governance/own_courses.html", {"rows": rows})


@_page(
    CourseForm,
    load=lambda _: None,
    title="A course of your own",
    lede="Nobody else sees it before it is published.",
    button="Begin it",
    fill=lambda request, _: {"initial": {"reviewed_on": today(request)}},
)
def new_course(request: StaffRequest, _: None, form: CourseForm) -> Done:
    course = courses.create_course(agency=request.agency, facts=form.facts(), by=request.actor, at=request.at)
    return Done("A draft. Write its screens and questions, then publish it.", _address(course))


@require_GET
@needs_right(_MANAGE)
def show_course(request: StaffRequest, own_id: UUID) -> HttpResponse:
    """A course: its draft with all its parts, what it lacks, and what was published."""
    course = _load(request, own_id)
    versions = list(selectors.versions(course))
    draft = next((one for one in versions if one.published_at is None), None)
    shown = draft or versions[0]
    made = selectors.as_course(shown)
    context = {
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


def _load_draft(request: StaffRequest, own_id: UUID) -> CourseVersion | HttpResponse:
    course = _load(request, own_id)
    draft = selectors.versions(course).filter(published_at=None).first()
    if draft is None:
        messages.warning(request, _NO_DRAFT.text)
        return redirect(_address(course))
    return draft


def _facts(request: StaffRequest, draft: CourseVersion) -> dict[str, Any]:
    names = ("title", "about", "minutes", "valid_months", "reviewed_on")
    known = {name: getattr(draft, name) for name in names}
    return {"initial": known | {"sources": "\n".join(draft.sources)}}


@_page(
    CourseForm,
    load=_load_draft,
    title="About the course",
    button="Save",
    crumbs=lambda draft: _above(draft.course),
    fill=_facts,
)
def change_facts(request: StaffRequest, draft: CourseVersion, form: CourseForm) -> Done:
    """Change what stands before a draft's screens."""
    try:
        courses.change_facts(course=draft.course, facts=form.facts(), by=request.actor, at=request.at)
    except courses.NoDraftError:
        return _NO_DRAFT
    return Done()


@_page(
    ScreenForm,
    load=_load_screen,
    title=lambda part: f"Screen {part.place}" if part.place else "Another screen",
    button="Save the screen",
    fill=lambda _, part: {"initial": part.row},
    errors={courses.FullError: FORM},
)
def write_screen(request: StaffRequest, part: _Part, form: ScreenForm) -> Done:
    """Write a screen of the draft; the place 0 adds one."""
    try:
        courses.put_screen(
            course=part.course, place=part.place, **form.cleaned_data, by=request.actor, at=request.at
        )
    except courses.NoDraftError:
        return _NO_DRAFT
    return Done()


def _question(request: StaffRequest, part: _Part) -> dict[str, Any]:
    answers = part.row.get("answers", ["", ""])
    return {"initial": part.row | {"right": answers[0], "wrong": "\n".join(answers[1:])}}


@_page(
    QuestionForm,
    load=_load_question,
    title=lambda part: f"Question {part.place}" if part.place else "Another question",
    button="Save the question",
    fill=_question,
    errors={courses.FullError: FORM},
)
def write_question(request: StaffRequest, part: _Part, form: QuestionForm) -> Done:
    """Write a question of the draft; the place 0 adds one."""
    said = form.cleaned_data
    try:
        courses.put_question(
            course=part.course,
            place=part.place,
            words=said["words"],
            answers=form.answers(),
            why=said["why"],
            by=request.actor,
            at=request.at,
        )
    except courses.NoDraftError:
        return _NO_DRAFT
    return Done()


@_action(ArrangeForm)
def arrange(request: StaffRequest, course: OwnCourse, form: ArrangeForm) -> Done:
    """Move a part of the draft up, or take it out."""
    said = form.cleaned_data
    is_up = said["deed"] == "up"
    try:
        courses.arrange(
            course=course, part=said["part"], place=said["place"], up=is_up, by=request.actor, at=request.at
        )
    except courses.NoDraftError:
        return Done("That part of the draft is not there any more.", level=WARNING)
    return Done()


@_page(
    PictureForm,
    title="A picture",
    button="Keep it",
    errors={pictures.PictureError: "file", courses.NameTakenError: "name", courses.FullError: "name"},
)
def add_picture(request: StaffRequest, course: OwnCourse, form: PictureForm) -> str:
    said = form.cleaned_data
    courses.add_picture(course=course, name=said["name"], raw=said["file"], by=request.actor, at=request.at)
    return "The picture is there. Its line for a screen stands beside it."


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


@_action(errors={courses.UnfinishedError: WARNING})
def publish(request: StaffRequest, course: OwnCourse, _: Any) -> str | Done:
    """Let people take the draft."""
    try:
        version = courses.publish(course=course, by=request.actor, at=request.at)
    except courses.NoDraftError:
        return _NO_DRAFT
    return f"Version {version.number} is what people take from now on. Say who takes it, next."


@_action(errors={courses.NoDraftError: WARNING})
def begin_version(request: StaffRequest, course: OwnCourse, _: Any) -> None:
    courses.begin_version(course=course, by=request.actor, at=request.at)


@_action(errors={training.OwnTrainingError: WARNING})
def offer(request: StaffRequest, course: OwnCourse, _: Any) -> str:
    on = request.POST.get("on") == "yes"
    if not courses.offer(course=course, on=on, by=request.actor, at=request.at):
        return ""
    if on:
        return "It is offered again."
    return "Nobody is asked to take it any more. Who passed it keeps that."
