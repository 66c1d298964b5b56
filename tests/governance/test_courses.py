"""Courses that an agency writes: drafts and versions, Markdown that stays harmless, pictures that are pictures."""

import io
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from callprivacy.accounts.enums import Role
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from governance.channels import pictures
from governance.courses import courses as shipped
from governance.courses import draw, markdown
from governance.models import Assignment, Attempt, Completion, CoursePicture, CourseVersion, OwnCourse
from governance.selectors import training as selectors
from governance.services import courses, training
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.rules.world import browser_of
from tests.scale import some

FACTS = courses.Facts("Our house", "Rules of ours", 10, 12, date(2026, 11, 1), ["The handbook"])
needs_db = pytest.mark.django_db


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 8), **more: Any) -> bytes:
    into = io.BytesIO()
    Image.new("RGB", size, "teal").save(into, format=kind, **more)
    return into.getvalue()


def written(cast: Cast, *, questions: int = 8) -> OwnCourse:
    """A course with a draft that can be published; in a scope."""
    by = Actor.staff(user_id=cast.alice.user_id)
    course = courses.create_course(agency=cast.acme, facts=FACTS, by=by, at=NOON)
    courses.put_screen(course=course, place=0, title="The gate", text="It *shuts*.", by=by, at=NOON)
    for number in range(questions):
        courses.put_question(
            course=course, place=0, words=f"Question {number}?", answers=["Yes", "No", "Perhaps"], why="So it is.",
            by=by, at=NOON,
        )  # fmt: skip
    return course


# --- Markdown ---


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>"),
        ("[a](//elsewhere.example)", "<p>[a](//elsewhere.example)</p>"),
        ("![a](https://elsewhere.example/x.png)", "<p><em>[missing picture “https://elsewhere.example/x.png”]</em></p>"),
        ("# High", "<h2>High</h2>"),
        ("**a** and\n\n- b", "<p><strong>a</strong> and</p><ul><li>b</li></ul>"),
        ('![a "b](picture:gate)', '<p><img src="/gate/" alt="a &quot;b" loading="lazy"></p>'),
    ],
)  # fmt: skip
def test_markdown_becomes_harmless_html(text: str, html: str) -> None:
    assert markdown.as_html(text, pictures={"gate": "/gate/"}) == html


_TAG = re.compile(r"<(/?)([a-z0-9]+)([^<>]*)>")
_ATTRIBUTES = re.compile(
    r"""(?:[ ](?:href="https://[^"<>]*"|rel="noreferrer[ ]noopener"|class="link"|src="/gate/"|alt="[^"<>]*"
    |loading="lazy"))*""",
    re.VERBOSE,
)


@pytest.mark.thorough
@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["<script>", "<img src=x onerror=y>", "](", "[a]", "(javascript:x)", '"', "'", "`", "\n", "![",
             "picture:gate", "https://a.example/", "<", ">", "&", "# ", "- ", "\\", "*", "style=",
             "<!--", "]: ", "&#106;", "x"]
        ),
        max_size=25,
    ).map("".join)
)  # fmt: skip
def test_whatever_is_written_only_tags_and_attributes_of_the_list_come_out(text: str) -> None:
    made = str(markdown.as_html(text, pictures={"gate": "/gate/"}))
    left = _TAG.sub(lambda tag: "" if _ATTRIBUTES.fullmatch(tag[3]) else "<", made)
    assert "<" not in left
    names = {tag[2] for tag in _TAG.finditer(made)}
    allowed = "p h2 h3 h4 ul ol li em strong code pre blockquote a img br hr"
    assert names <= set(allowed.split())


def test_the_shipped_courses_are_plain_markdown() -> None:
    for course in shipped().values():
        for number in range(1, len(course.screens) + 1):
            tags = {tag[2] for tag in _TAG.finditer(course.html(number))}
            assert tags <= {"p", "ul", "li"}, (course.id, number)


# --- Pictures ---


@pytest.mark.parametrize("kind", some(["JPEG", "PNG", "WEBP"], one_in=3))
def test_a_picture_is_written_anew_without_what_cannot_be_seen(kind: str) -> None:
    where = Image.Exif()
    where[0x010E] = "taken at Harbor Street"
    raw = picture(kind, (2000, 1000), exif=where)
    assert b"Harbor Street" in raw
    found = pictures.read(raw + b"<script>alert(1)</script>")
    assert b"Harbor Street" not in found.data
    assert b"script" not in found.data
    assert (found.kind, found.width, found.height) == (f"image/{kind.lower()}", 1600, 800)


@pytest.mark.parametrize(
    "raw",
    [b"", b"GIF89a" + b"\0" * 40, b"<svg onload='x'></svg>", picture()[:44], picture("BMP"),
     b"\x89PNG\r\n\x1a\n" + b"\0" * 9],
)  # fmt: skip
def test_what_is_no_picture_is_refused(raw: bytes) -> None:
    with pytest.raises(pictures.PictureError, match="not a PNG, JPEG or WebP"):
        pictures.read(raw)


def test_a_picture_that_is_too_large_is_refused() -> None:
    with pytest.raises(pictures.PictureError, match="4 MB"):
        pictures.read(b"x" * (pictures.LARGEST + 1))
    with pytest.raises(pictures.PictureError, match="24 million"):
        pictures.read(picture("PNG", (6000, 4001)))


# --- Versions ---


@needs_db
def test_a_draft_is_published_when_it_lacks_nothing_and_is_never_changed_then(cast: Cast) -> None:
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        course = written(cast, questions=7)
        courses.put_screen(
            course=course, place=1, title="The gate", text="![gate](picture:gate)", by=by, at=NOON
        )
        with pytest.raises(courses.UnfinishedError) as lacks:
            courses.publish(course=course, by=by, at=NOON)
        assert lacks.value.lacks == [
            "Add questions. It has 7 of at least 8.", "Upload the missing pictures: gate.",
        ]  # fmt: skip
        assert course.name not in selectors.catalogue()
        courses.put_screen(course=course, place=1, title="The gate", text="It shuts.", by=by, at=NOON)
        courses.put_question(
            course=course, place=0, words="One more?", answers=["a", "b", "c"], why="", by=by, at=NOON
        )
        courses.publish(course=course, by=by, at=NOON)
        with pytest.raises(courses.NoDraftError):
            courses.put_screen(course=course, place=1, title="x", text="x", by=by, at=NOON)
        with pytest.raises(DatabaseError, match="stays as it was"), transaction.atomic():
            CourseVersion.objects.filter(course=course).update(title="Another")
        courses.begin_version(course=course, by=by, at=NOON)
        courses.begin_version(course=course, by=by, at=NOON)
        courses.arrange(course=course, part="questions", place=8, up=True, by=by, at=NOON)
        courses.arrange(course=course, part="questions", place=1, up=False, by=by, at=NOON)
        draft, published = selectors.versions(course)
        assert [row["words"] for row in draft.questions][5:] == ["One more?", "Question 6?"]
        assert len(published.questions) == 8
        assert selectors.catalogue()[course.name].version == "v1"


@needs_db
def test_who_began_a_try_goes_on_with_its_version(cast: Cast) -> None:
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        course = written(cast)
        courses.publish(course=course, by=by, at=NOON)
        first = selectors.catalogue()[course.name]
        attempt = training.start_attempt(agency=cast.acme, course=first, user_id=cast.bob.user_id, at=NOON)
        courses.begin_version(course=course, by=by, at=NOON)
        courses.put_question(
            course=course, place=1, words="Rewritten?", answers=["x", "y", "z"], why="", by=by, at=NOON
        )
        facts = courses.Facts("Our other house", "Rules of ours", 10, 12, date(2026, 11, 1), ["The handbook"])
        courses.change_facts(course=course, facts=facts, by=by, at=NOON)
        courses.publish(course=course, by=by, at=NOON)

        newest = selectors.catalogue()[course.name]
        assert newest.version == "v2"
        again = training.start_attempt(agency=cast.acme, course=newest, user_id=cast.bob.user_id, at=NOON)
        assert again.pk == attempt.pk
        its = selectors.course_of(again)
        assert its == first
        passed = training.finish_attempt(
            attempt=again, course=first, answers={one.number: 0 for one in draw(first, again.seed)},
            user_id=cast.bob.user_id, at=NOON,
        )  # fmt: skip
        assert passed is not None
        assert (passed.version, passed.asked, passed.valid_until) == (
            "v1",
            4,
            NOON.date().replace(year=NOON.year + 1),
        )
        elsewhere = training.note_outside(
            agency=cast.acme, course=newest, user_id=cast.carol.user_id, issuer="Other Academy",
            passed_on=NOON.date() - timedelta(days=23), valid_until=NOON.date() + timedelta(days=342), by=by, at=NOON,
        )  # fmt: skip
        titles = [title for _, title in selectors.titled([passed, elsewhere])]
        assert titles == ["Our house", "Our other house"], "a certificate says what was passed"


@needs_db
def test_a_course_that_is_offered_no_more_is_asked_of_nobody_and_stays_with_who_passed(cast: Cast) -> None:
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        course = written(cast)
        courses.publish(course=course, by=by, at=NOON)
        made = selectors.catalogue()[course.name]
        training.set_rules(agency=cast.acme, course=made, within={Role.REVIEWER: 10}, by=by, at=NOON)
        training.note_outside(
            agency=cast.acme, course=made, user_id=cast.carol.user_id, issuer="Other Academy",
            passed_on=NOON.date() - timedelta(days=23), valid_until=NOON.date() + timedelta(days=342), by=by, at=NOON,
        )  # fmt: skip
    training.watch_training(agency_id=cast.acme.pk, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert Assignment.objects.get().user_id == cast.bob.user_id
        courses.offer(course=course, on=False, by=by, at=NOON)
    training.watch_training(agency_id=cast.acme.pk, at=NOON + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        assert not Assignment.objects.exists()
        assert Completion.objects.get().course == course.name
        assert [title for _, title in selectors.titled(Completion.objects.all())] == ["Our house"]


@needs_db
def test_staff_see_what_is_published_and_write_nothing(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        course = written(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert not CourseVersion.objects.exists(), "a draft is for who manages the agency"
        with pytest.raises(Exception, match="row-level security"), transaction.atomic():
            OwnCourse.objects.create(
                agency=cast.acme, name="own-x", created_at=NOON, created_by_id=cast.bob.user_id
            )
    with job_scope(agency_id=cast.acme.pk):
        courses.publish(course=course, by=make.JOB, at=NOON)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert course.name in selectors.catalogue()
    with staff_scope(agency_id=cast.globex.pk, user_id=cast.mallory.user_id):
        assert course.name not in selectors.catalogue()


@needs_db
def test_a_course_is_written_published_and_taken_through_its_pages(
    cast: Cast, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    alice, bob = browser_of(cast.alice.user), browser_of(cast.bob.user)
    facts = {
        "title": "Our <house>", "about": "Rules", "minutes": 5, "valid_months": 6, "reviewed_on": "2026-11-01",
        "sources": "The handbook",
    }  # fmt: skip
    page = alice.post(reverse("governance:new_course"), facts)["Location"]
    with job_scope(agency_id=cast.acme.pk):
        course = OwnCourse.objects.get()
    add = reverse("governance:add_picture", args=[course.pk])
    wrong = alice.post(add, {"name": "gate", "file": SimpleUploadedFile("gate.png", b"<svg/>", "image/png")})
    assert "The file is not a PNG" in wrong.content.decode()
    alice.post(add, {"name": "gate", "file": SimpleUploadedFile("x.exe", picture(), "text/html")})
    twice = alice.post(add, {"name": "gate", "file": SimpleUploadedFile("y.png", picture())})
    assert "A picture named gate already exists" in twice.content.decode()
    text = "Look: ![the gate](picture:gate)\n\n<script>alert(1)</script>"
    alice.post(reverse("governance:course_screen", args=[course.pk, 0]), {"title": "The gate", "text": text})
    question = reverse("governance:course_question", args=[course.pk, 0])
    refused = alice.post(question, {"words": "Which?", "right": "This", "wrong": "This\nThat", "why": "So."})
    assert "Remove the duplicate answer" in refused.content.decode()
    for number in range(8):
        alice.post(
            question, {"words": f"Which {number}?", "right": "This", "wrong": "That\nNone", "why": "So."}
        )
    assert "Publish version 1" in alice.get(page).content.decode()
    assert bob.get(page).status_code == 403
    with job_scope(agency_id=cast.acme.pk):
        shown = reverse("governance:course_picture", args=[CoursePicture.objects.get().pk])
    assert alice.get(shown).status_code == 200
    assert bob.get(shown).status_code == 404, "a draft is for its writers, its pictures too"
    alice.post(reverse("governance:publish_course", args=[course.pk]))

    screen = bob.get(reverse("governance:screen", args=[course.name, 1])).content.decode()
    assert f'<img src="{shown}" alt="the gate" loading="lazy">' in screen
    assert "&lt;script&gt;" in screen
    answer = bob.get(shown)
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert browser_of(cast.mallory.user).get(shown).status_code == 404
    alice.post(add, {"name": "cellar", "file": SimpleUploadedFile("z.png", picture())})
    with job_scope(agency_id=cast.acme.pk):
        unused = CoursePicture.objects.get(name="cellar")
    assert bob.get(reverse("governance:course_picture", args=[unused.pk])).status_code == 404
    bob.post(reverse("governance:start_try", args=[course.name]))
    with job_scope(agency_id=cast.acme.pk):
        attempt = Attempt.objects.get()
        made = selectors.course_of(attempt)
        assert made is not None
    right = {
        f"q_{one.number}": [place for place, _ in one.choices].index(0) for one in draw(made, attempt.seed)
    }
    done = bob.post(reverse("governance:questions", args=[course.name]), right, follow=True)
    assert "4 of 4 correct" in done.content.decode()
    mine = bob.get(reverse("governance:training")).content.decode()
    assert "Our &lt;house&gt;" in mine
