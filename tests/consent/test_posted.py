"""What hangs where: the register, its pictures sealed and known by content, and that it counts day by day."""

import hashlib
import uuid
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from callprivacy.audit.models import Event
from callprivacy.calls.models import TrackingNumber
from callprivacy.lib import keyset
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import files
from consent.enums import PostedWhere
from consent.forms.posted import PostedFilter
from consent.models import PostedNotice, Rejudgement
from consent.selectors import notices as selectors
from consent.services import posted
from retention.services import files_sweep
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.django_db

HOME = "/clients/dentist/posted/"
TODAY = date(2026, 11, 24)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(40)
JPEG = b"\xff\xd8\xff\xe0" + bytes(60)
PDF = b"%PDF-1.7\n" + bytes(60)


@pytest.fixture(autouse=True)
def _own_files(settings: Any, tmp_path: Path) -> None:
    """A folder that no test beside this one writes into, or sweeps."""
    settings.MEDIA_ROOT = tmp_path


def by(cast: Cast) -> Actor:
    return Actor.staff(user_id=cast.alice.user_id)


def hang(cast: Cast, **facts: Any) -> PostedNotice:
    said: dict[str, Any] = {
        "tracking_number": None,
        "where": PostedWhere.SITE,
        "place": "dentist.example/contact",
        "words": "Calls are recorded.",
        "version": None,
        "from_on": TODAY - timedelta(days=10),
        "to_on": None,
        "picture": None,
    }
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        return posted.post_notice(client=cast.dentist, by=by(cast), at=NOON, **(said | facts))


def narrowed(cast: Cast, **wanted: Any) -> list[PostedNotice]:
    """The register as the address narrows it; inside a scope."""
    request = SimpleNamespace(used_client_id=cast.dentist.pk, at=NOON)
    rows = selectors.posted_rows(cast.dentist)
    return list(PostedFilter({name: str(value) for name, value in wanted.items()}, rows, request=request).qs)


def was_posted(cast: Cast, on: date, number: TrackingNumber | None = None) -> bool:
    number_id = number.pk if number is not None else None
    with job_scope(agency_id=cast.acme.pk):
        rows = narrowed(cast, on=on, **({"number": number_id} if number_id else {}))
    return any(row.tracking_number_id in {None, number_id} for row in rows)


def waiting(cast: Cast) -> int:
    with job_scope(agency_id=cast.acme.pk):
        return Rejudgement.objects.for_client(cast.dentist).filter(cause="posted", finished_at=None).count()


# --- The register ---


def test_it_counts_from_its_first_day_to_the_day_before_it_is_taken_down(cast: Cast) -> None:
    row = hang(cast)
    first = row.from_on
    assert [was_posted(cast, first + timedelta(days=days)) for days in (-1, 0, 10)] == [False, True, True]
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        posted.end_posted(posted=row, client=cast.dentist, on=first + timedelta(days=4), by=by(cast), at=NOON)
    assert [was_posted(cast, first + timedelta(days=days)) for days in (3, 4)] == [True, False]
    assert waiting(cast) == 2, "hanging and taking down both have recordings decided anew"


def test_it_counts_for_its_number_alone(cast: Cast) -> None:
    mine = make.tracking_number(cast.dentist, "+14155550101")
    other = make.tracking_number(cast.dentist, "+14155550102")
    hang(cast, tracking_number=mine)
    assert was_posted(cast, TODAY, mine)
    assert not was_posted(cast, TODAY, other)
    assert not was_posted(cast, TODAY)
    with job_scope(agency_id=cast.acme.pk):
        assert selectors.numbers_without_posted(cast.dentist, on=TODAY) == [other]
    hang(cast)
    assert was_posted(cast, TODAY, other)
    with job_scope(agency_id=cast.acme.pk):
        assert selectors.numbers_without_posted(cast.dentist, on=TODAY) == []


def test_it_ends_once_and_never_before_it_began(cast: Cast) -> None:
    row = hang(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        with pytest.raises(posted.EndsTooEarlyError):
            posted.end_posted(posted=row, client=cast.dentist, on=row.from_on, by=by(cast), at=NOON)
        posted.end_posted(posted=row, client=cast.dentist, on=TODAY, by=by(cast), at=NOON)
        with pytest.raises(posted.EndedError):
            posted.end_posted(posted=row, client=cast.dentist, on=TODAY, by=by(cast), at=NOON)
    with pytest.raises(posted.EndsTooEarlyError):
        hang(cast, to_on=TODAY - timedelta(days=10))


def test_the_register_is_read_page_by_page(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rows = [
        hang(cast, from_on=TODAY - timedelta(days=days), place=f"Place {days}") for days in (3, 1, 1, 2, 9)
    ]
    found: list[PostedNotice] = []
    after: Any = None
    with job_scope(agency_id=cast.acme.pk):
        for _ in range(3):
            with django_assert_num_queries(2 if after else 1):
                query = {"after": str(after)} if after else {}
                page, _before, after = keyset.page(selectors.posted_rows(cast.dentist), query, size=2)
            found += page
    assert after is None
    assert [row.from_on for row in found] == sorted((row.from_on for row in rows), reverse=True)
    assert {row.pk for row in found} == {row.pk for row in rows}


def test_the_register_is_narrowed(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14155550101")
    ended = hang(cast, to_on=TODAY - timedelta(days=2), place="ended")
    now = hang(cast, where=PostedWhere.AD, place="now", tracking_number=number)

    def places(**wanted: Any) -> set[str]:
        with job_scope(agency_id=cast.acme.pk):
            return {row.place for row in narrowed(cast, **wanted)}

    assert places() == {ended.place, now.place}
    assert places(state="now") == {"now"}
    assert places(state="ended") == {"ended"}
    assert places(where="ad") == {"now"}
    assert places(on=TODAY - timedelta(days=3)) == {"ended", "now"}
    assert places(on=TODAY - timedelta(days=30)) == set()
    other = make.tracking_number(cast.dentist, "+14155550102")
    assert places(number=other.pk) == {"ended"}, "what hangs beside every number hangs beside this one"


# --- Pictures ---


@pytest.mark.parametrize(
    ("head", "kind"),
    [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp"), (PDF, "application/pdf"),
     (b"\n\n%PDF-2.0\n", "application/pdf")],
)  # fmt: skip
def test_a_picture_is_what_its_content_says(head: bytes, kind: str) -> None:
    assert posted.type_of(head) == kind


@pytest.mark.parametrize(
    "head",
    [b"", b"<svg xmlns='http://www.w3.org/2000/svg'>", b"GIF89a", b"<html>", b"RIFF1234WAVE", b"PK\x03\x04"],
)
def test_anything_else_is_refused(head: bytes) -> None:
    with pytest.raises(posted.NoPictureError):
        posted.type_of(head)


def form(**more: Any) -> dict[str, Any]:
    today = timezone.now().date()  # noqa: TID251  (the page asks the clock)
    said = {
        "tracking_number": "", "where": "site", "place": "dentist.example", "version": "",
        "words": "Calls are recorded.", "from_on": str(today - timedelta(days=3)), "to_on": "",
    }  # fmt: skip
    return said | more


def upload(content: bytes, name: str = "picture.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="image/png")


def test_a_picture_is_sealed_shown_to_staff_and_known_by_its_digest(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    answer = browser.post(f"{HOME}new/", form(picture=upload(PNG)))
    assert answer.status_code == 302, answer.content.decode()
    page = browser.get(answer["Location"]).content.decode()
    assert hashlib.sha256(PNG).hexdigest() in page
    picture = browser.get(f"{answer['Location']}picture/")
    assert (picture.content, picture["Content-Type"]) == (PNG, "image/png")
    assert picture["Content-Disposition"].startswith("inline")
    assert picture["X-Content-Type-Options"] == "nosniff"
    with job_scope(agency_id=cast.acme.pk):
        row = PostedNotice.objects.get()
        event = Event.objects.get(action="notice.posted")
    assert row.picture_key is not None
    stored = files._path(cast.dentist.pk, row.picture_key).read_bytes()
    assert PNG[:8] not in stored
    assert event.details["picture"] == hashlib.sha256(PNG).hexdigest()
    assert signed_in(cast.bob).get(f"{answer['Location']}picture/").status_code == 200
    assert signed_in(cast.carol).get(f"{answer['Location']}picture/").status_code == 403
    assert signed_in(cast.mallory).get(f"{answer['Location']}picture/").status_code == 404


def test_a_picture_that_was_changed_is_said_to_be_and_not_shown(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    where = browser.post(f"{HOME}new/", form(picture=upload(PNG)))["Location"]
    with job_scope(agency_id=cast.acme.pk):
        row = PostedNotice.objects.get()
    assert row.picture_key is not None
    path = files._path(cast.dentist.pk, row.picture_key)
    stored = path.read_bytes()
    path.write_bytes(stored[:-1] + bytes([stored[-1] ^ 1]))
    answer = browser.get(f"{where}picture/")
    assert answer["Location"] == where
    assert "is damaged or changed" in browser.get(where).content.decode()
    path.write_bytes(stored)
    with job_scope(agency_id=cast.acme.pk):
        PostedNotice.objects.update(picture_digest=b"d" * 32)
    assert browser.get(f"{where}picture/").status_code == 302


def test_a_pdf_is_handed_out_as_a_file(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    answer = browser.post(f"{HOME}new/", form(picture=upload(PDF, "page.pdf")))
    picture = browser.get(f"{answer['Location']}picture/")
    assert picture["Content-Type"] == "application/pdf"
    assert picture["Content-Disposition"].startswith("attachment")


def test_what_is_no_picture_is_refused_and_leaves_nothing(cast: Cast) -> None:
    at = timezone.now() + timedelta(days=1)  # noqa: TID251  (what is tested reads the same clock)
    page = signed_in(cast.alice).post(f"{HOME}new/", form(picture=upload(b"<svg/>"))).content.decode()
    assert "This file is not a PNG, JPEG, WebP, or PDF" in page
    assert "dentist.example" in page, "what was typed is still there"
    with job_scope(agency_id=cast.acme.pk):
        assert not PostedNotice.objects.exists()
    assert files.ids(cast.dentist.pk, older_than=at) == []


def test_a_picture_that_is_too_large_is_refused(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posted, "PICTURE_AT_MOST", 100)
    page = signed_in(cast.alice).post(f"{HOME}new/", form(picture=upload(PNG))).content.decode()
    assert "larger than 8 MB" in page
    at = timezone.now() + timedelta(days=1)  # noqa: TID251  (what is tested reads the same clock)
    assert files.ids(cast.dentist.pk, older_than=at) == []


def test_a_picture_that_was_swapped_is_not_shown(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    one = browser.post(f"{HOME}new/", form(picture=upload(PNG)))["Location"]
    other = browser.post(f"{HOME}new/", form(picture=upload(JPEG)))["Location"]
    with job_scope(agency_id=cast.acme.pk):
        rows = {str(row.pk): row for row in PostedNotice.objects.all()}
        first, second = (rows[where.rstrip("/").rsplit("/", 1)[1]] for where in (one, other))
        first.picture_key = second.picture_key
        with pytest.raises(posted.PictureChangedError):
            posted.picture_of(first)


def test_the_sweep_of_files_that_nothing_names_leaves_pictures_that_the_register_names(cast: Cast) -> None:
    signed_in(cast.alice).post(f"{HOME}new/", form(picture=upload(PNG)))
    later = timezone.now() + timedelta(days=3)  # noqa: TID251  (what is tested reads the same clock)
    forgotten = uuid.uuid4()
    with files.Writer(cast.dentist.pk, forgotten, at=NOON) as out:
        out.write(b"forgotten")
    files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=later)
    with job_scope(agency_id=cast.acme.pk):
        row = PostedNotice.objects.get()
        assert posted.picture_of(row) == PNG
    assert files.ids(cast.dentist.pk, older_than=later) == [row.picture_key]


# --- Pages ---


@pytest.mark.parametrize(
    ("field", "value", "words"),
    some(
        [
            ("from_on", "2999-01-01", "in the future"),
            ("to_on", "2000-01-01", "a date after the start date"),
            ("place", "", "required"),
            ("words", "", "required"),
            ("where", "moon", "one from the list"),
        ],
        one_in=4,
        each=lambda case: case[0] in {"from_on", "to_on"},
    ),
)
def test_bad_input_is_told_beside_its_field(cast: Cast, field: str, value: str, words: str) -> None:
    page = signed_in(cast.alice).post(f"{HOME}new/", form(**{field: value})).content.decode()
    assert words in page


def test_the_page_warns_of_numbers_beside_which_nothing_hangs(cast: Cast) -> None:
    make.tracking_number(cast.dentist, "+14155550101", label="Billboard")
    browser = signed_in(cast.alice)
    assert "No notice is posted for 1 number today" in browser.get(HOME).content.decode()
    browser.post(f"{HOME}new/", form())
    page = browser.get(HOME).content.decode()
    assert "No notice is posted for" not in page
    assert "Posted" in page
    assert "No rows match these filters" in browser.get(f"{HOME}?where=print").content.decode()


def test_taking_down_is_written_on_its_page(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    where = browser.post(f"{HOME}new/", form())["Location"]
    today = timezone.now().date()  # noqa: TID251  (what is tested reads the same clock)
    early = browser.post(f"{where}end/", {"to_on": str(today - timedelta(days=30))}).content.decode()
    assert "must be after" in early
    late = browser.post(f"{where}end/", {"to_on": str(today + timedelta(days=30))}).content.decode()
    assert "in the future" in late
    browser.post(f"{where}end/", {"to_on": str(today - timedelta(days=1))})
    assert "not including that day" in browser.get(where).content.decode()


def test_who_only_sees_the_client_reads_and_changes_nothing(cast: Cast) -> None:
    row = hang(cast)
    bob = signed_in(cast.bob)
    assert bob.get(HOME).status_code == 200
    assert bob.get(f"{HOME}{row.pk}/").status_code == 200
    assert "Write" not in bob.get(HOME).content.decode()
    for url in (f"{HOME}new/", f"{HOME}{row.pk}/end/"):
        assert bob.get(url).status_code == 403
        assert bob.post(url, form()).status_code == 403
    assert signed_in(cast.mallory).get(f"{HOME}{row.pk}/").status_code == 404
    assert signed_in(cast.alice).get(f"{HOME}{row.pk}/picture/").status_code == 404, "it has no picture"
