"""Files of CallTrackingMetrics and Invoca, from the upload or the command to the calls."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from callprivacy.accounts.enums import Role
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import Connection
from callprivacy.calls.services import imports
from callprivacy.calls.services.imports import Layout
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls import files
from tests.calls.saying import calls, number_of
from tests.calls.test_hooks import connect
from tests.calls.test_import_pages import bring, text, the_import, url
from tests.calls.test_presses import pressed
from tests.calls.test_providers_invoca import FILE, JSON
from tests.cast import Cast, assemble
from tests.samples import moved

pytestmark = pytest.mark.django_db

CTM = moved(
    "Called At,Contact Number,Tracking Number,Duration,Call Status,Name,Menu Key Presses,Odd One\n"
    '2026-11-01 01:05 PM,(202) 555-0147,+18005550123,95,answered,Canary Person,"1, 9",x\n'
).encode()


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Iterator[Path]:
    with override_settings(MEDIA_ROOT=tmp_path):
        yield tmp_path


@pytest.fixture
def cast() -> Cast:
    found = assemble()
    make.grant(found.alice, found.dentist, Role.ADMIN)
    return found


@pytest.mark.parametrize("content", [FILE, pytest.param(JSON, marks=pytest.mark.thorough)])
def test_transactions_of_invoca_by_the_page(cast: Cast, content: bytes) -> None:
    connection = connect(cast.dentist, "invoca", "")
    answer = bring(
        signed_in(cast.alice), cast.dentist, content, format="invoca", connection=str(connection.pk)
    )
    shown = text(signed_in(cast.alice).get(answer.url))
    for words in ("keypress_1: 1, keypress_2: 9", "opt_in_SMS: 1, Do not record", "display_name_data_append"):
        assert words in shown
    assert "Jo Doe" not in shown
    assert "555-0188" not in shown

    row = the_import(cast.dentist)
    assert (row.rows, row.refused, row.failure, row.connection_id) == (3, 0, "", connection.pk)
    assert signed_in(cast.alice).post(url("import_start", cast.dentist, row.pk)).status_code == 302
    assert files.fresh(row).state == JobState.QUEUED


def test_a_file_of_ctm_is_matched_by_its_names_and_a_person_may_choose(cast: Cast) -> None:
    connection = connect(cast.dentist, "ctm")
    browser = signed_in(cast.alice)
    answer = bring(browser, cast.dentist, CTM, format="ctm", connection=str(connection.pk))
    row = the_import(cast.dentist)
    assert row.mapping["columns"] == {
        "started_at": "Called At",
        "caller": "Contact Number",
        "tracking_number": "Tracking Number",
        "seconds": "Duration",
        "outcome": "Call Status",
        "presses": "Menu Key Presses",
    }
    shown = text(browser.get(answer.url))
    assert "menu 1: 1, menu 2: 9" in shown
    assert "Odd One" in shown
    chosen = {f"column_{field}": column for field, column in row.mapping["columns"].items()}
    described = browser.post(
        url("import_describe", cast.dentist, row.pk),
        chosen | {"column_source": "Odd One", "time_zone": files.ZONE, "slashes": "month first"},
    )
    assert described.status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert Connection.objects.get(pk=connection.pk).mapping["columns"]["source"] == "Odd One"

    files.imported(cast.dentist, CTM, Layout.of(files.fresh(row)))

    (call,) = calls(cast.dentist)
    assert (call.source, number_of(call)) == ("x", "+12025550147")
    assert pressed(cast.dentist) == [("menu 1", "1"), ("menu 2", "9")]


def test_columns_with_the_same_name_are_refused_beside_the_file(cast: Cast) -> None:
    answer = bring(
        signed_in(cast.alice), cast.dentist, b"Called At,called at,Caller ID\n1,2,3\n", format="ctm"
    )
    assert "Two columns are named" in text(answer)


@pytest.mark.thorough
def test_the_form_shows_the_column_that_a_settled_format_finds(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    content = b"Start Time,Customer Phone Number\n2026-11-01 10:00:00,(202) 555-0147\n"
    answer = bring(browser, cast.dentist, content)
    shown = text(browser.get(answer.url))
    assert '<option value="Customer Phone Number" selected>' in shown


def test_what_is_proposed_takes_no_column_twice() -> None:
    assert imports.columns_proposed(["transaction_id"], "invoca") == {}
    found = imports.columns_proposed(
        ["id", "sid", "called_at", "caller_number", "Keypresses", "talk time"], "ctm"
    )
    assert len(set(found.values())) == len(found)
    assert found["presses"] == "Keypresses"
    assert imports.columns_proposed(["Date", "From"], "generic") == {"started_at": "Date", "caller": "From"}


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_by_the_command(cast: Cast, tmp_path: Path) -> None:
    connect(cast.dentist, "invoca", "")
    path = tmp_path / "transactions.json"
    path.write_bytes(JSON)
    said = StringIO()
    call_command(
        "import_calls",
        str(path),
        client="dentist",
        agency="acme",
        format="invoca",
        connection="Main",
        stdout=said,
    )
    assert "2 added" in said.getvalue()
    assert "5550188" not in said.getvalue()
    path.write_bytes(CTM)
    call_command("import_calls", str(path), client="plumber", agency="acme", format="ctm", stdout=said)
    assert pressed(cast.plumber) == [("menu 1", "1"), ("menu 2", "9")]


def test_the_command_says_what_is_missing(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "calls.json"
    path.write_text(json.dumps([{"when": "2026-11-01"}]))
    for file_format, words in (
        ("generic", "No column is known for started_at"),
        ("ctm", "Missing column: unix_time"),
        ("invoca", "Missing column: start_time_utc"),
    ):
        with pytest.raises(CommandError, match=words):
            call_command("import_calls", str(path), client="dentist", agency="acme", format=file_format)
