"""
Courses: screens of Markdown to read, then questions of which each try draws half. Pure; the shipped ones are TOML.

A shipped course's version is a digest of its file: whoever passed is known to have passed these words. Courses of an
agency are made of their published versions by `made_of`.
"""

import hashlib
import random
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

from governance.courses import markdown

ASKED: Final = 12
PASS_PERCENT: Final = 80
LEAST_QUESTIONS: Final = 8
"""How many questions a course of an agency has at least, so that two tries are not the same four."""
_HERE: Final = Path(__file__).parent


class CourseError(ValueError):
    """A course is not as a course must be; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen. :ivar text: Markdown."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question; its right answer is the first of `answers`. :ivar why: said after the answer."""

    words: str
    answers: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Course:
    """
    One course.

    :ivar valid_months: how long having passed it counts. :ivar pictures: name -> address, of an agency's own course.
    """

    id: str
    title: str
    about: str
    minutes: int
    valid_months: int
    reviewed_on: date
    sources: tuple[str, ...]
    screens: tuple[Screen, ...]
    questions: tuple[Question, ...]
    version: str
    pictures: Mapping[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> int:
        """How many questions a try has: half of them, and twelve at most."""
        return min(ASKED, (len(self.questions) + 1) // 2)

    def html(self, number: int) -> str:
        """What a screen shows, from 1; safe to stand in a page as it is."""
        return markdown.as_html(self.screens[number - 1].text, pictures=self.pictures)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as one try puts it. :ivar order: places of the course's answers, as they are shown."""

    number: int
    question: Question
    order: tuple[int, ...]

    @property
    def choices(self) -> list[tuple[int, str]]:
        """Place among the course's answers and words, in the order that is shown."""
        return [(place, self.question.answers[place]) for place in self.order]


@cache
def courses() -> Mapping[str, Course]:
    """
    Every shipped course by its name.

    :raises CourseError: a file is not as a course must be.
    """
    files = sorted(_HERE.glob("*.toml"))
    return {file.stem: _read(file.stem, file.read_bytes()) for file in files}


def draw(course: Course, seed: int) -> list[Asked]:
    """
    The questions of one try: half of the course's, in an order and with answers in an order that the seed decides.

    :param seed: kept with the try, so that the same questions come again when a page is loaded anew.
    """
    chance = random.Random(seed)  # noqa: S311  (an order of questions is no secret)
    numbers = chance.sample(range(len(course.questions)), course.asked)
    drawn = []
    for number in numbers:
        question = course.questions[number]
        order = list(range(len(question.answers)))
        chance.shuffle(order)
        drawn.append(Asked(number, question, tuple(order)))
    return drawn


def is_passed(right: int, asked: int) -> bool:
    """Whether so many right answers pass."""
    return asked > 0 and 100 * right >= PASS_PERCENT * asked


def made_of(
    facts: Mapping[str, Any],
    *,
    name: str,
    version: str,
    screens: Iterable[Mapping[str, Any]],
    questions: Iterable[Mapping[str, Any]],
    pictures: Mapping[str, str],
) -> Course:
    """
    A course of an agency, as far as it is written.

    :param facts: title, about, minutes, valid_months, reviewed_on and sources. :param screens: with title and text.
    :param questions: with words, answers (the right one first) and why.
    """
    return Course(
        id=name,
        version=version,
        screens=tuple(Screen(one["title"], one["text"]) for one in screens),
        questions=tuple(Question(one["words"], tuple(one["answers"]), one["why"]) for one in questions),
        pictures=pictures,
        **facts,
    )


def lacking(course: Course) -> list[str]:
    """What an agency's course lacks before people can take it, in words; nothing: it can be published."""
    found = []
    if not course.screens:
        found.append("It has no screen to read.")
    if len(course.questions) < LEAST_QUESTIONS:
        found.append(f"It has {len(course.questions)} questions; {LEAST_QUESTIONS} are the least.")
    if len({question.words for question in course.questions}) != len(course.questions):
        found.append("A question stands in it twice.")
    missing = {
        name
        for one in course.screens
        for name in markdown.pictures_in(one.text)
        if name not in course.pictures
    }
    if missing:
        found.append(f"These pictures are not there: {', '.join(sorted(missing))}.")
    if not course.sources:
        found.append("It names no source.")
    return found


def _read(name: str, raw: bytes) -> Course:
    row = tomllib.loads(raw.decode())
    questions = tuple(_question(name, one) for one in row["questions"])
    if len({question.words for question in questions}) != len(questions):
        raise CourseError(f"{name}: a question stands twice.")
    if len(questions) < 2 * ASKED:
        raise CourseError(f"{name}: {len(questions)} questions, fewer than {2 * ASKED}.")
    return Course(
        id=name,
        title=row["title"],
        about=row["about"],
        minutes=row["minutes"],
        valid_months=row["valid_months"],
        reviewed_on=row["reviewed_on"],
        sources=tuple(row["sources"]),
        screens=tuple(Screen(one["title"], one["text"].strip()) for one in row["screens"]),
        questions=questions,
        version=hashlib.sha256(raw).hexdigest()[:12],
    )


def _question(name: str, row: Mapping[str, Any]) -> Question:
    answers = (row["right"], *row["wrong"])
    if len(set(answers)) != len(answers) or len(answers) < 3:
        raise CourseError(f"{name}: {row['words']!r} needs three different answers.")
    return Question(row["words"], answers, row["why"])
