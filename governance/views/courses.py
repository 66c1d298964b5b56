"""Custom courses of an agency."""

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
    course = selectors.find_own(own_id)
    if course is None:
        raise Http404
    return course


def _address(course: OwnCourse) -> str:
    return reverse("governance:own_course", args=[course.pk])


def _above(course: "OwnCourse | _Part | None") -> list[tuple[str, str]]:
    crumbs = [("Custom courses", reverse("governance:own_courses"))]
    if course is None:
        return crumbs
    return [*crumbs, ("Course", _address(course.course if isinstance(course, _Part) else course))]


_page = partial(form_page, right=_MANAGE, load=_load, crumbs=_above)
_action = partial(action, right=_MANAGE, load=_load, back=_address)
_NO_DRAFT: Final = Done("There is no draft. Create a new version first.", level=WARNING)


@dataclass(frozen=True, slots=True)
class _Part:
    """
    A screen or a question of a draft.

    :ivar place: from 1; 0 for a new one.
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
    rows = [
        {
            "course": course,
            "newest": course.shown[0],  # type: ignore[attr-defined]  # prefetched
            "published": next((one for one in course.shown if one.published_at), None),  # type: ignore[attr-defined]  # prefetched
        }
        for course in selectors.own_courses()
    ]
    return render(request, "governance/own_courses.html", {"rows": rows})


@_page(
    CourseForm,
    load=lambda _: None,
    title="New course",
    button="Create course",
    fill=lambda request, _: {"initial": {"reviewed_on": today(request)}},
)
def new_course(request: StaffRequest, _: None, form: CourseForm) -> Done:
    course = courses.create_course(agency=request.agency, facts=form.facts(), by=request.actor, at=request.at)
    return Done("Draft created. Add screens and questions, then publish it.", _address(course))


@require_GET
@needs_right(_MANAGE)
def show_course(request: StaffRequest, own_id: UUID) -> HttpResponse:
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
    title="Edit details",
    button="Save",
    crumbs=lambda draft: _above(draft.course),
    fill=_facts,
)
def change_facts(request: StaffRequest, draft: CourseVersion, form: CourseForm) -> Done:
    try:
        courses.change_facts(course=draft.course, facts=form.facts(), by=request.actor, at=request.at)
    except courses.NoDraftError:
        return _NO_DRAFT
    return Done()


@_page(
    ScreenForm,
    load=_load_screen,
    title=lambda part: f"Screen {part.place}" if part.place else "Add a screen",
    button="Save screen",
    fill=lambda _, part: {"initial": part.row},
    errors={courses.FullError: FORM},
)
def write_screen(request: StaffRequest, part: _Part, form: ScreenForm) -> Done:
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
    title=lambda part: f"Question {part.place}" if part.place else "Add a question",
    button="Save question",
    fill=_question,
    errors={courses.FullError: FORM},
)
def write_question(request: StaffRequest, part: _Part, form: QuestionForm) -> Done:
    data = form.cleaned_data
    try:
        courses.put_question(
            course=part.course,
            place=part.place,
            words=data["words"],
            answers=form.answers(),
            why=data["why"],
            by=request.actor,
            at=request.at,
        )
    except courses.NoDraftError:
        return _NO_DRAFT
    return Done()


@_action(ArrangeForm)
def arrange(request: StaffRequest, course: OwnCourse, form: ArrangeForm) -> Done:
    data = form.cleaned_data
    is_up = data["move"] == "up"
    try:
        courses.arrange(
            course=course, part=data["part"], place=data["place"], up=is_up, by=request.actor, at=request.at
        )
    except courses.NoDraftError:
        return Done("This part of the draft no longer exists.", level=WARNING)
    return Done()


@_page(
    PictureForm,
    title="Add a picture",
    button="Upload picture",
    errors={pictures.PictureError: "file", courses.NameTakenError: "name", courses.FullError: "name"},
)
def add_picture(request: StaffRequest, course: OwnCourse, form: PictureForm) -> str:
    data = form.cleaned_data
    courses.add_picture(course=course, name=data["name"], raw=data["file"], by=request.actor, at=request.at)
    return "Picture added. Copy its Markdown into a screen."


@require_GET
def show_picture(request: StaffRequest, picture_id: UUID) -> HttpResponse:
    """A re-encoded picture of a course. Only authors see those of drafts."""
    picture = selectors.find_picture(picture_id, drafts=access.has_right(request.membership, _MANAGE))
    if picture is None:
        raise Http404
    try:
        data = pictures.load(agency_id=picture.agency_id, picture_id=picture.pk)
    except OSError:
        raise Http404 from None
    response = HttpResponse(data, content_type=picture.kind)
    response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return response


@_action(errors={courses.UnfinishedError: WARNING})
def publish(request: StaffRequest, course: OwnCourse, _: Any) -> str | Done:
    try:
        version = courses.publish(course=course, by=request.actor, at=request.at)
    except courses.NoDraftError:
        return _NO_DRAFT
    return f"Version {version.number} is published. Set the roles that must take it."


@_action(errors={courses.NoDraftError: WARNING})
def begin_version(request: StaffRequest, course: OwnCourse, _: Any) -> None:
    courses.begin_version(course=course, by=request.actor, at=request.at)


@_action(errors={training.OwnTrainingError: WARNING})
def offer(request: StaffRequest, course: OwnCourse, _: Any) -> str:
    on = request.POST.get("on") == "yes"
    if not courses.offer(course=course, on=on, by=request.actor, at=request.at):
        return ""
    if on:
        return "The course is active."
    return "The course is inactive. Completions stay valid."
