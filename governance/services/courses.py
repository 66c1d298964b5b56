"""
Courses that an agency writes: a draft is changed until it is published, and what was published stays as it was.

Whoever began a try goes on with the version of that moment. A course that is not offered any more stays with who
passed it.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import uuid4

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from governance.channels import pictures
from governance.courses import lacking
from governance.models import CoursePicture, CourseVersion, OwnCourse
from governance.selectors import training as selectors
from governance.services import training

SCREENS_AT_MOST: Final = 60
QUESTIONS_AT_MOST: Final = 200
PICTURES_AT_MOST: Final = 60
_PREFIX: Final = "own-"


class NoDraftError(LookupError):
    """There is no draft: it was published a moment ago, or none was begun."""

    def __init__(self) -> None:
        super().__init__("There is no draft of this course. Begin a new version first.")


class UnfinishedError(ValueError):
    """A draft lacks something before people can take it. `lacks`: what, in words."""

    def __init__(self, lacks: Sequence[str]) -> None:
        super().__init__(" ".join(lacks))
        self.lacks = list(lacks)


class FullError(ValueError):
    """A course has as many screens, questions or pictures as one can have."""


class NameTakenError(ValueError):
    """A picture of this name is there; published screens may show it, so it is not replaced."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands before the screens of a course."""

    title: str
    about: str
    minutes: int
    valid_months: int
    reviewed_on: date
    sources: list[str]


@transaction.atomic
def create_course(*, agency: Agency, facts: Facts, by: Actor, at: datetime) -> OwnCourse:
    """Begin a course with an empty draft of its first version."""
    if by.user_id is None:
        raise TypeError("A person writes a course.")
    course = OwnCourse.objects.create(
        agency=agency,
        name=f"{_PREFIX}{slugify(facts.title)[:26] or 'course'}-{secrets.token_hex(3)}",
        created_at=at,
        created_by_id=by.user_id,
    )
    CourseVersion.objects.create(
        agency=agency, course=course, number=1, edited_at=at, edited_by_id=by.user_id, **asdict(facts)
    )
    audit.record("course.begun", subject=course, by=by, at=at)
    return course


@transaction.atomic
def begin_version(*, course: OwnCourse, by: Actor, at: datetime) -> None:
    """
    Begin a draft from what is published now; where one is there already, nothing changes.

    :raises NoDraftError: nothing was published yet, so the draft is the first one's.
    """
    OwnCourse.objects.select_for_update().get(pk=course.pk)
    if CourseVersion.objects.drafts().filter(course=course).exists():
        return
    newest = CourseVersion.objects.published().filter(course=course).order_by("-number").first()
    if newest is None or by.user_id is None:
        raise NoDraftError
    CourseVersion.objects.create(
        agency_id=course.agency_id,
        course=course,
        number=newest.number + 1,
        title=newest.title,
        about=newest.about,
        minutes=newest.minutes,
        valid_months=newest.valid_months,
        reviewed_on=newest.reviewed_on,
        sources=newest.sources,
        screens=newest.screens,
        questions=newest.questions,
        edited_at=at,
        edited_by_id=by.user_id,
    )
    audit.record("course.version_begun", subject=course, by=by, at=at, version=newest.number + 1)


def _draft(course: OwnCourse) -> CourseVersion:
    """
    The draft, held until the transaction ends.

    :raises NoDraftError: there is none.
    """
    found = CourseVersion.objects.drafts().select_for_update().filter(course=course).first()
    if found is None:
        raise NoDraftError
    return found


def _save(draft: CourseVersion, what: str, by: Actor, at: datetime, **values: Any) -> None:
    for name, value in values.items():
        setattr(draft, name, value)
    draft.edited_at, draft.edited_by_id = at, by.user_id or draft.edited_by_id
    draft.save(update_fields=[*values, "edited_at", "edited_by"])
    audit.record("course.edited", subject=draft.course, by=by, at=at, what=what, version=draft.number)


@transaction.atomic
def change_facts(*, course: OwnCourse, facts: Facts, by: Actor, at: datetime) -> None:
    """
    Change what stands before a draft's screens.

    :raises NoDraftError: there is no draft.
    """
    _save(_draft(course), "facts", by, at, **asdict(facts))


@transaction.atomic
def put_screen(*, course: OwnCourse, place: int, title: str, text: str, by: Actor, at: datetime) -> None:
    """
    Write a draft's screen.

    :param place: which one, from 1; 0 adds one at the end.
    :raises NoDraftError: there is no draft, or no such screen.
    :raises FullError: it has as many as a course can have.
    """
    _put(course, "screens", place, {"title": title, "text": text}, most=SCREENS_AT_MOST, by=by, at=at)


@transaction.atomic
def put_question(
    *, course: OwnCourse, place: int, words: str, answers: Sequence[str], why: str, by: Actor, at: datetime
) -> None:
    """
    Write a draft's question.

    :param place: which one, from 1; 0 adds one at the end. :param answers: the right one first.
    :raises NoDraftError: there is no draft, or no such question.
    :raises FullError: it has as many as a course can have.
    """
    _put(
        course,
        "questions",
        place,
        {"words": words, "answers": list(answers), "why": why},
        most=QUESTIONS_AT_MOST,
        by=by,
        at=at,
    )


def _put(
    course: OwnCourse, part: str, place: int, row: Mapping[str, Any], *, most: int, by: Actor, at: datetime
) -> None:
    draft = _draft(course)
    rows = list(getattr(draft, part))
    if place > len(rows):
        raise NoDraftError
    if place:
        rows[place - 1] = dict(row)
    elif len(rows) >= most:
        raise FullError(f"A course has {most} {part} at most.")
    else:
        rows.append(dict(row))
    _save(draft, part, by, at, **{part: rows})


@transaction.atomic
def arrange(*, course: OwnCourse, part: str, place: int, up: bool, by: Actor, at: datetime) -> None:
    """
    Move a screen or question of a draft up by one, or take it out.

    :param part: "screens" or "questions". :param place: which one, from 1. :param up: else it is taken out.
    :raises NoDraftError: there is no draft, or no such part.
    """
    draft = _draft(course)
    rows = list(getattr(draft, part))
    if not 1 <= place <= len(rows):
        raise NoDraftError
    if not up:
        del rows[place - 1]
    elif place > 1:
        rows[place - 2], rows[place - 1] = rows[place - 1], rows[place - 2]
    _save(draft, part, by, at, **{part: rows})


@transaction.atomic
def publish(*, course: OwnCourse, by: Actor, at: datetime) -> CourseVersion:
    """
    Let people take a draft from now on, in place of the version before; it is never changed again.

    :raises NoDraftError: there is no draft.
    :raises UnfinishedError: it lacks something.
    """
    draft = _draft(course)
    lacks = lacking(selectors.as_course(draft))
    if lacks:
        raise UnfinishedError(lacks)
    draft.published_at = at
    draft.save(update_fields=["published_at"])
    audit.record(
        "course.published",
        subject=course,
        by=by,
        at=at,
        version=draft.number,
        screens=len(draft.screens),
        questions=len(draft.questions),
    )
    return draft


@transaction.atomic
def offer(*, course: OwnCourse, on: bool, by: Actor, at: datetime) -> bool:
    """
    Offer a course again, or no more; who passed it keeps that. Returns whether that is new.

    :raises training.OwnTrainingError: it is offered no more, and one is overdue with it oneself.
    """
    if not on:
        training.check_not_own(agency=course.agency, course=course.name, by=by, at=at)
    rows = OwnCourse.objects.filter(pk=course.pk, ended_at__isnull=not on)
    if not rows.update(ended_at=None if on else at):
        return False
    audit.record("course.offered" if on else "course.ended", subject=course, by=by, at=at)
    return True


@transaction.atomic
def add_picture(*, course: OwnCourse, name: str, raw: bytes, by: Actor, at: datetime) -> CoursePicture:
    """
    Keep a picture for a course's screens, cleaned of everything that cannot be seen.

    :raises pictures.PictureError: the file is no picture, or too large.
    :raises NameTakenError: one of this name is there.
    :raises FullError: the course has as many as one can have.
    """
    read = pictures.read(raw)
    OwnCourse.objects.select_for_update().get(pk=course.pk)
    if CoursePicture.objects.filter(course=course).count() >= PICTURES_AT_MOST:
        raise FullError(f"A course has {PICTURES_AT_MOST} pictures at most.")
    picture = CoursePicture(
        pk=uuid4(),
        agency_id=course.agency_id,
        course=course,
        name=name,
        kind=read.kind,
        width=read.width,
        height=read.height,
        size=len(read.data),
        added_at=at,
    )
    try:
        with transaction.atomic():
            picture.save(force_insert=True)
    except IntegrityError:
        raise NameTakenError(f"There is a picture called {name} already.") from None
    pictures.keep(agency_id=course.agency_id, picture_id=picture.pk, data=read.data)
    audit.record("course.picture_added", subject=course, by=by, at=at, size=picture.size)
    return picture
