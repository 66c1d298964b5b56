"""
Custom courses of an agency. Published versions never change.

Open attempts continue with their version. Completions of inactive courses stay valid.
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
    def __init__(self) -> None:
        super().__init__("This course has no draft. Create a new version first.")


class UnfinishedError(ValueError):
    """:ivar lacks: what the draft lacks, as sentences."""

    def __init__(self, lacks: Sequence[str]) -> None:
        super().__init__(" ".join(lacks))
        self.lacks = list(lacks)


class FullError(ValueError):
    """The course has the maximum number of screens, questions or pictures."""


class NameTakenError(ValueError):
    """Published screens may show the picture of this name, so it is not replaced."""


@dataclass(frozen=True, slots=True)
class Facts:
    title: str
    about: str
    minutes: int
    valid_months: int
    reviewed_on: date
    sources: list[str]


@transaction.atomic
def create_course(*, agency: Agency, facts: Facts, by: Actor, at: datetime) -> OwnCourse:
    if by.user_id is None:
        raise TypeError("Only a user writes a course.")
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
    Create a draft from the published version, unless there is one.

    :raises NoDraftError: no version is published.
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
    """Lock the draft. :raises NoDraftError: there is none."""
    draft = CourseVersion.objects.drafts().select_for_update().filter(course=course).first()
    if draft is None:
        raise NoDraftError
    return draft


def _save(draft: CourseVersion, what: str, by: Actor, at: datetime, **values: Any) -> None:
    for name, value in values.items():
        setattr(draft, name, value)
    draft.edited_at, draft.edited_by_id = at, by.user_id or draft.edited_by_id
    draft.save(update_fields=[*values, "edited_at", "edited_by"])
    audit.record("course.edited", subject=draft.course, by=by, at=at, what=what, version=draft.number)


@transaction.atomic
def change_facts(*, course: OwnCourse, facts: Facts, by: Actor, at: datetime) -> None:
    """:raises NoDraftError: there is no draft."""
    _save(_draft(course), "facts", by, at, **asdict(facts))


@transaction.atomic
def put_screen(*, course: OwnCourse, place: int, title: str, text: str, by: Actor, at: datetime) -> None:
    """
    Add or replace a screen of the draft.

    :param place: from 1; 0 adds one at the end.
    :raises NoDraftError: there is no draft, or no such screen.
    :raises FullError: the course has the maximum number.
    """
    _put(course, "screens", place, {"title": title, "text": text}, most=SCREENS_AT_MOST, by=by, at=at)


@transaction.atomic
def put_question(
    *, course: OwnCourse, place: int, words: str, answers: Sequence[str], why: str, by: Actor, at: datetime
) -> None:
    """
    Add or replace a question of the draft.

    :param place: from 1; 0 adds one at the end. :param answers: the correct one first.
    :raises NoDraftError: there is no draft, or no such question.
    :raises FullError: the course has the maximum number.
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
        raise FullError(f"A course can have up to {most} {part}.")
    else:
        rows.append(dict(row))
    _save(draft, part, by, at, **{part: rows})


@transaction.atomic
def arrange(*, course: OwnCourse, part: str, place: int, up: bool, by: Actor, at: datetime) -> None:
    """
    Move a screen or question of a draft up by one, or remove it.

    :param part: "screens" or "questions". :param place: from 1. :param up: False removes it.
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
    Publish the draft.

    :raises NoDraftError: there is no draft.
    :raises UnfinishedError: it is incomplete.
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
    Activate or deactivate a course. Returns whether this changed.

    :raises training.OwnTrainingError: the actor is overdue with the course to deactivate.
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
    Store a re-encoded picture without its metadata.

    :raises pictures.PictureError: the file is not a picture, or too large.
    :raises NameTakenError: the name is taken.
    :raises FullError: the course has the maximum number.
    """
    clean = pictures.read(raw)
    OwnCourse.objects.select_for_update().get(pk=course.pk)
    if CoursePicture.objects.filter(course=course).count() >= PICTURES_AT_MOST:
        raise FullError(f"A course can have up to {PICTURES_AT_MOST} pictures.")
    picture = CoursePicture(
        pk=uuid4(),
        agency_id=course.agency_id,
        course=course,
        name=name,
        kind=clean.kind,
        width=clean.width,
        height=clean.height,
        size=len(clean.data),
        added_at=at,
    )
    try:
        with transaction.atomic():
            picture.save(force_insert=True)
    except IntegrityError:
        raise NameTakenError(f"A picture named {name} already exists.") from None
    pictures.keep(agency_id=course.agency_id, picture_id=picture.pk, data=clean.data)
    audit.record("course.picture_added", subject=course, by=by, at=at, size=picture.size)
    return picture
