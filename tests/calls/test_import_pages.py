"""The pages of a file of calls: who may, what they show and hide, and that nothing lies in the clear."""

import csv
import io
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.test import override_settings
from django.urls import reverse
from django.utils.html import strip_tags

from callprivacy.accounts.enums import Role
from callprivacy.calls import http
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallImport, Connection, ImportRefusal
from callprivacy.calls.services import imports
from callprivacy.calls.services.imports import Layout
from callprivacy.calls.views import imports as views
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.accounts.browsers import come_in, signed_in
from tests.calls import files
from tests.calls.files import ZONE, line, table
from tests.calls.saying import calls
from tests.cast import Cast, assemble
from tests.make import NOON
from tests.samples import moved, night_of_25_hours
from tests.scale import some

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Iterator[Path]:
    with override_settings(MEDIA_ROOT=tmp_path):
        yield tmp_path


@pytest.fixture
def cast() -> Cast:
    """Alice may manage connections; so may erin, who is an admin with a grant."""
    found = assemble()
    make.grant(found.alice, found.dentist, Role.ADMIN)
    return found


def url(name: str, client: Client, *ids: Any) -> str:
    return reverse(f"calls:{name}", args=[client.slug, *ids])


def bring(browser: Browser, client: Client, content: bytes, **said: Any) -> Any:
    data = {"format": "callrail", "connection": "", "time_zone": ZONE} | said
    return browser.post(
        url("import_new", client), data | {"file": SimpleUploadedFile("canary 2025550147.csv", content)}
    )


def the_import(client: Client) -> CallImport:
    with job_scope(agency_id=client.agency_id):
        return CallImport.objects.get()


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


# --- Who may -------------------------------------------------------------------------------------------------------


def test_every_door_is_for_who_manages_connections(cast: Cast) -> None:
    row = files.draft(cast.dentist, table([line(1)]))
    doors = [
        ("get", url("imports", cast.dentist)),
        ("get", url("import_new", cast.dentist)),
        ("post", url("import_new", cast.dentist)),
        ("get", url("import", cast.dentist, row.pk)),
        ("get", url("import_progress", cast.dentist, row.pk)),
        ("get", url("import_refusals", cast.dentist, row.pk)),
        ("post", url("import_describe", cast.dentist, row.pk)),
        ("post", url("import_start", cast.dentist, row.pk)),
        ("post", url("import_cancel", cast.dentist, row.pk)),
    ]
    for method, address in doors:
        for person, status in [(cast.bob, 403), (cast.carol, 403), (cast.mallory, 404)]:
            answer = getattr(signed_in(person), method)(address)
            assert answer.status_code == status, (address, person.user.name)
        answer = getattr(Browser(), method)(address)
        assert answer.status_code == 302, address
        assert answer.url.startswith("/accounts/login/")
    for method, address in doors:
        assert getattr(signed_in(cast.alice), method)(address).status_code in {200, 302}, address


def test_an_import_of_another_client_is_not_there(cast: Cast) -> None:
    make.grant(cast.alice, cast.plumber, Role.ADMIN)
    row = files.draft(cast.dentist, table([line(1)]))
    browser = signed_in(cast.alice)
    for name in ("import", "import_progress", "import_refusals"):
        assert browser.get(url(name, cast.plumber, row.pk)).status_code == 404
    for name in ("import_start", "import_cancel", "import_describe"):
        assert browser.post(url(name, cast.plumber, row.pk)).status_code == 404


# --- Bringing it ---------------------------------------------------------------------------------------------------


def go_live(client: Client) -> None:
    """A policy counts at intake from now on."""
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(
            retention_state=RetentionState.LIVE, keep_calls_for_days=400
        )


def test_from_upload_to_result(cast: Cast, media: Path) -> None:
    go_live(cast.dentist)
    browser = signed_in(cast.alice)
    assert "No file yet" in text(browser.get(url("imports", cast.dentist)))
    content = table(
        [
            line(47, Start_Time=f"{night_of_25_hours()} 01:30:12"),
            line(2, Start_Time="2019-01-01 10:00:00"),
            line(3, Phone_Number="none 1234"),
        ]
    )
    answer = bring(browser, cast.dentist, content)
    row = the_import(cast.dentist)
    assert answer.url == url("import", cast.dentist, row.pk)
    shown = text(browser.get(answer.url))
    assert "+1 ••• ••• 0147" in shown
    assert "Older than 400 days" in shown
    assert "Of an hour that the clocks of America/New_York show twice" in shown
    for secret in ("5550147", "555-0147", "canary", "Canary Person", "none 1234", "access_key"):
        assert secret not in shown
    for dropped in ("Name", "Email", "Landing Page", "Note"):
        assert f"{dropped}</span>" in shown
    assert (row.rows, row.too_old, row.refused) == (3, 1, 1)
    browser.post(url("import_start", cast.dentist, row.pk))
    assert "Stop the import" in text(browser.get(answer.url))
    moving = browser.get(url("import_progress", cast.dentist, row.pk))
    assert 'hx-trigger="every 1s"' in text(moving)
    imports.run_import(agency_id=cast.acme.pk, import_id=row.pk, clock=files.now, workers=0)
    assert browser.get(url("import_progress", cast.dentist, row.pk))["HX-Refresh"] == "true"
    shown = text(browser.get(answer.url))
    assert "Phone Number" in shown
    assert "Expected a telephone number." in shown
    assert "1 call that was added is of an hour" in shown
    assert len(calls(cast.dentist)) == 1
    assert "The file has been read" in text(browser.get(url("imports", cast.dentist)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty"),
        pytest.param(
            b"PK\x03\x04 a workbook", "not UTF-16, a workbook or a zip file", marks=pytest.mark.thorough
        ),
        pytest.param(
            "Start\n1".encode("utf-16"), "not UTF-16, a workbook or a zip file", marks=pytest.mark.thorough
        ),
        (b"\x1f\x8b broken gzip", "damaged"),
        pytest.param(b"%PDF-1.7\x00\x01\n", "no header", marks=pytest.mark.thorough),
    ],
    ids=["empty", "workbook", "utf-16", "gzip", "pdf"],
)
def test_what_is_no_file_of_calls_is_refused_and_deleted(
    cast: Cast, media: Path, content: bytes, reason: str
) -> None:
    assert reason in text(bring(signed_in(cast.alice), cast.dentist, content))
    assert files.sealed_files(media) == []
    with job_scope(agency_id=cast.acme.pk):
        assert not CallImport.objects.exists()


def test_too_large_a_file_is_refused_and_deleted(
    cast: Cast, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = http.SealingUpload.__init__
    monkeypatch.setattr(
        http.SealingUpload, "__init__", lambda self, client_id, at: kept(self, client_id, at=at, at_most=100)
    )
    shown = text(bring(signed_in(cast.alice), cast.dentist, table([line(1)] * 5)))
    assert "larger than 1 GB" in shown
    assert files.sealed_files(media) == []


def test_a_form_that_will_not_do_deletes_the_file(cast: Cast, media: Path) -> None:
    shown = text(bring(signed_in(cast.alice), cast.dentist, table([line(1)]), time_zone="Mars/Base"))
    assert "Pick one from the list" in shown
    assert files.sealed_files(media) == []


def test_an_upload_lies_sealed_at_every_moment(
    cast: Cast, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django would write what is over 2.5 MB to a temporary file in the clear."""
    content = table([line(number) for number in range(20_000)])
    assert len(content) > 4 << 20
    seen: list[bytes] = []
    receive = http.SealingUpload.receive_data_chunk

    def watch(self: Any, raw: bytes, start: int) -> None:
        receive(self, raw, start)
        seen.append(b"".join(path.read_bytes()[:4096] for path in files.sealed_files(media)))

    monkeypatch.setattr(http.SealingUpload, "receive_data_chunk", watch)
    monkeypatch.setattr("tempfile.NamedTemporaryFile", None)
    bring(signed_in(cast.alice), cast.dentist, content)
    assert the_import(cast.dentist).due_at is not None, "a large file is counted in the background"
    assert len(seen) > 20
    assert not any(b"access_key" in head or b"555-01" in head for head in seen)
    assert b"access_key" not in b"".join(path.read_bytes() for path in files.sealed_files(media))


@pytest.mark.parametrize("name", some(["../../x", r"..\..\x", "/etc/x", "%2e%2e%2fx", "x\ny"], one_in=3))
def test_an_upload_lies_under_an_id_of_ours_whatever_its_name(cast: Cast, media: Path, name: str) -> None:
    """The test client names a file by its last part alone, so that the body is written by hand."""
    fields = {"format": "callrail", "connection": "", "time_zone": ZONE}
    parts = [f'name="{key}"\r\n\r\n{value}'.encode() for key, value in fields.items()]
    parts.append(f'name="file"; filename="{name}"\r\n\r\n'.encode() + table([line(1)]))
    body = b"".join(b"--edge\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    before = set(media.parent.rglob("*"))

    answer = signed_in(cast.alice).post(
        url("import_new", cast.dentist), body + b"--edge--\r\n", "multipart/form-data; boundary=edge"
    )

    assert answer.status_code == 302
    folder = media / "sealed" / str(cast.dentist.pk)
    key = the_import(cast.dentist).file_key
    assert key is not None
    kept = folder / key.hex
    assert set(media.parent.rglob("*")) - before == {folder.parent, folder, kept}


def test_a_forged_upload_is_refused_and_deleted(cast: Cast, media: Path) -> None:
    browser = Browser(enforce_csrf_checks=True)
    come_in(browser, cast.alice.user)
    assert bring(browser, cast.dentist, table([line(1)])).status_code == 403
    assert files.sealed_files(media) == []
    browser.get(url("import_new", cast.dentist))
    token = browser.cookies["csrf"].value
    assert bring(browser, cast.dentist, table([line(1)]), csrfmiddlewaretoken=token).status_code == 302


def test_another_clients_connection_cannot_be_chosen(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        connection = Connection.objects.create(
            agency_id=cast.acme.pk, client=cast.plumber, provider="callrail", name="Theirs", key=uuid.uuid4().hex,
            created_at=NOON,
        )  # fmt: skip
    shown = text(bring(signed_in(cast.alice), cast.dentist, table([line(1)]), connection=connection.pk))
    assert "Pick one from the list" in shown
    assert "Theirs" not in shown


# --- Saying what it is -----------------------------------------------------------------------------------------------


def test_format_is_recognized_by_the_columns(cast: Cast) -> None:
    """A file of any other tracker was called a CallRail export unless a person chose the format."""
    browser = signed_in(cast.alice)
    call = (f"{NOON - timedelta(days=2):%Y-%m-%d %H:%M:%S}", "202-555-0147", "202-555-0199")
    bring(browser, cast.dentist, table([call], ("Date", "From", "To")), format="")
    row = the_import(cast.dentist)
    shown = text(browser.get(url("import", cast.dentist, row.pk)))
    assert "CallRail export" not in shown
    assert "It cannot be read like this" not in shown
    assert row.format == "generic"


def test_a_first_line_that_is_a_call_is_no_heading(cast: Cast) -> None:
    """Its number was shown and stored as the name of a column."""
    browser = signed_in(cast.alice)
    start = NOON - timedelta(days=2)
    first = [(f"{start:%Y-%m-%d %H:%M:%S}", "202-555-0147", "5")]
    bring(
        browser,
        cast.dentist,
        table(first, (f"{start:%Y-%m-%d %H:%M:%S}", "202-555-0199", "9")),
        format="generic",
    )
    row = the_import(cast.dentist)
    shown = text(browser.get(url("import", cast.dentist, row.pk)))
    assert "202-555-0199" not in shown
    assert "Is the first line a header?" in shown
    said = {
        "time_zone": "UTC",
        "column_started_at": "Column 1",
        "column_caller": "Column 2",
        "is_headed": "no",
    }
    browser.post(url("import_describe", cast.dentist, row.pk), said)
    row = the_import(cast.dentist)
    assert row.mapping["columns"] == {"started_at": "Column 1", "caller": "Column 2"}
    assert (row.rows, row.failure) == (2, "")
    browser.post(url("import_describe", cast.dentist, row.pk), said | {"is_headed": "yes"})
    shown = text(browser.get(url("import", cast.dentist, row.pk)))
    assert "It cannot be read like this" in shown
    assert "0199" not in shown


def test_the_columns_are_said_and_remembered_for_the_connection(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        connection = Connection.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, provider="callrail", name="Main", key=uuid.uuid4().hex,
            created_at=NOON,
        )  # fmt: skip
    browser = signed_in(cast.alice)
    header = ("When", "Who", "Secs", "Else")
    content = table([(moved("2026-11-02 10:00:00"), "202-555-0147", "5", "x")], header)
    bring(browser, cast.dentist, content, format="generic", connection=connection.pk)
    row = the_import(cast.dentist)
    shown = text(browser.get(url("import", cast.dentist, row.pk)))
    assert "Choose the column for “Start” below, and save." in shown
    assert "Start the import" not in shown
    said = {
        "time_zone": "UTC", "slashes": "", "column_started_at": "When", "column_caller": "Who",
        "column_seconds": "Who",
    }  # fmt: skip
    shown = text(browser.post(url("import_describe", cast.dentist, row.pk), said))
    assert "chosen for “Caller&#x27;s number” already" in shown
    browser.post(url("import_describe", cast.dentist, row.pk), said | {"column_seconds": "Secs"})
    row = the_import(cast.dentist)
    assert row.mapping["columns"] == {"started_at": "When", "caller": "Who", "seconds": "Secs"}
    assert (row.rows, row.time_zone, row.due_at, row.failure) == (1, "UTC", None, "")
    shown = text(browser.get(url("import", cast.dentist, row.pk)))
    assert "Start the import" in shown
    assert "Times without an offset are read as UTC." in shown
    assert "The columns that are read: When, Who, Secs." in shown
    assert "Else</span>" in shown
    bring(browser, cast.dentist, content, format="generic", connection=connection.pk)
    with job_scope(agency_id=cast.acme.pk):
        newest = CallImport.objects.order_by("-created_at")[0]
    assert newest.mapping["columns"] == row.mapping["columns"]
    assert newest.rows == 1


def test_drafts_are_told_apart_by_kind_and_by_what_is_known_of_them(cast: Cast) -> None:
    go_live(cast.dentist)
    browser = signed_in(cast.alice)
    bring(browser, cast.dentist, table([line(1), line(2, Phone_Number="x")]))
    bring(
        browser,
        cast.dentist,
        table([(moved("2026-11-02 10:00:00"), "x")], ("When", "Else")),
        format="generic",
    )
    bring(browser, cast.dentist, table([]))
    bring(browser, cast.dentist, table([line(2, Start_Time="2019-01-01 10:00:00")]))
    counting = files.draft(cast.dentist, table([line(number) for number in range(3)]))
    with job_scope(agency_id=cast.acme.pk):
        CallImport.objects.filter(pk=counting.pk).update(due_at=NOON, rows=0)

    answer = browser.get(url("imports", cast.dentist))
    drawn = [[str(shown) for _, shown in row["cells"]] for row in answer.context["table"]["rows"]]
    states = Counter((cells[1], strip_tags(cells[3]).strip(), "not known" not in cells[4]) for cells in drawn)
    assert states == {
        ("CallRail export", "Waiting for you", True): 1,
        ("Other file", "Cannot be read like this", False): 1,
        ("CallRail export", "Nothing in it to read", True): 2,
        ("CallRail export", "Counting the rows", False): 1,
    }
    page = text(answer)
    assert page.count(">Other file<") == 1
    assert page.count(">not known<") == 2


@pytest.mark.parametrize(
    ("lines", "words"),
    [([], "The file has a header and no rows"), ([line(1, Phone_Number="x")], "Look at the columns below")],
)
def test_a_file_with_nothing_to_read_is_not_started(cast: Cast, lines: list[Any], words: str) -> None:
    browser = signed_in(cast.alice)
    shown = text(browser.get(bring(browser, cast.dentist, table(lines)).url))
    assert "Nothing in it to read." in shown
    assert words in shown
    assert "Start the import" not in shown
    assert "Discard the file" in shown


def test_a_started_file_cannot_be_described_or_started_again(cast: Cast) -> None:
    row = files.imported(cast.dentist, table([line(1)]))
    browser = signed_in(cast.alice)
    for name, words in [
        ("import_describe", "has been started already"),
        ("import_start", "cannot be started now"),
        ("import_cancel", "is over already"),
    ]:
        assert words in text(browser.post(url(name, cast.dentist, row.pk), follow=True))


def test_discarding_deletes_the_file(
    cast: Cast, django_capture_on_commit_callbacks: Any, media: Path
) -> None:
    row = files.draft(cast.dentist, table([line(1)]))
    with django_capture_on_commit_callbacks(execute=True):
        signed_in(cast.alice).post(url("import_cancel", cast.dentist, row.pk))
    assert the_import(cast.dentist).state == JobState.CANCELLED
    assert files.sealed_files(media) == []


# --- What became of it -----------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_what_was_stopped_midway_says_how_far_it_came_and_how_to_go_on(cast: Cast) -> None:
    row = files.imported(cast.dentist, table([line(1)]))
    page = url("import", cast.dentist, row.pk)
    assert "Import another file" in text(signed_in(cast.alice).get(page))
    with job_scope(agency_id=cast.acme.pk):
        CallImport.objects.update(state=JobState.CANCELLED, rows=4200, rows_done=1850)

    shown = text(signed_in(cast.alice).get(page))

    assert "Stopped at 1,850 of 4,200" in shown
    assert "calls that are in already are met and not added twice" in shown
    assert "Import it again" in shown


def test_refused_lines_as_csv_are_no_formulas(cast: Cast) -> None:
    header = ("=HYPERLINK(1)", "Who")
    layout = Layout("generic", {"started_at": "=HYPERLINK(1)", "caller": "Who"}, ZONE)
    row = files.imported(cast.dentist, table([("@cmd", "1")], header), layout)
    answer = signed_in(cast.alice).get(url("import_refusals", cast.dentist, row.pk))
    assert answer["Content-Disposition"].startswith("attachment")
    found = list(csv.reader(io.StringIO(text(answer).removeprefix("\ufeff"))))
    assert found == [["Line", "Column", "Reason"], ["2", "Who", "Expected a telephone number."]]
    with job_scope(agency_id=cast.acme.pk):
        ImportRefusal.objects.update(column="=HYPERLINK(1)", reason="@sum")
    content = text(signed_in(cast.alice).get(url("import_refusals", cast.dentist, row.pk)))
    assert list(csv.reader(io.StringIO(content)))[1] == ["2", "'=HYPERLINK(1)", "'@sum"]


@pytest.mark.thorough
def test_the_result_shows_the_first_refusals_and_says_that_there_are_more(cast: Cast) -> None:
    row = files.imported(cast.dentist, table([line(number, Phone_Number="x") for number in range(130)]))
    shown = text(signed_in(cast.alice).get(url("import", cast.dentist, row.pk)))
    assert shown.count("Expected a telephone number.") == 100
    assert "All 130 as CSV" in shown
    assert "The first 100 of them" in shown


@pytest.mark.thorough
def test_pages_ask_little(cast: Cast, django_assert_max_num_queries: Any) -> None:
    content = table([line(number, Phone_Number="x") for number in range(9)])
    row, *_ = [files.imported(cast.dentist, content) for _ in range(6)]
    browser = signed_in(cast.alice)
    for address in (url("imports", cast.dentist), url("import", cast.dentist, row.pk)):
        with django_assert_max_num_queries(19, using="default"):
            browser.get(address)


@pytest.mark.thorough
def test_a_preview_is_of_ten_rows(cast: Cast) -> None:
    row = files.draft(cast.dentist, table([line(number) for number in range(40)]))
    shown = text(signed_in(cast.alice).get(url("import", cast.dentist, row.pk)))
    assert shown.count("+1 ••• •••") == views.PREVIEWED == 10
    assert "<dd>40</dd>" in shown
