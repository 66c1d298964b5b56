"""What people say that keys mean, what each tracker can, and connections whose calls come by files."""

from typing import Any

import pytest
from django.test import Client as Browser

from callprivacy.audit.models import Event
from callprivacy.calls.enums import PressKind, PressPurpose, PressScope
from callprivacy.calls.models import Connection
from callprivacy.calls.selectors import connections as selectors
from callprivacy.calls.selectors.connections import PressRule
from callprivacy.calls.services import connections, imports
from callprivacy.calls.services.imports import Layout
from callprivacy.tenancy.models import PublicKey
from callprivacy.tenancy.scope import job_scope
from consent.enums import EventKind, Purpose, Scope
from tests import make
from tests.calls import files
from tests.calls.saying import fact
from tests.calls.test_connections import browse, page, the_connection
from tests.calls.test_hooks import CALLRAIL_KEY, connect, post_to
from tests.cast import Cast, assemble
from tests.make import NOON

pytestmark = pytest.mark.django_db

ROW = {
    "name": "menu 2",
    "value": "9",
    "kind": "withdrawn",
    "purpose": ["record", "review"],
    "scope": "standing",
}
RULE = PressRule("menu 2", "9", ("record", "review"), "withdrawn", "standing")


@pytest.fixture
def cast() -> Cast:
    return assemble()


def url(connection: Connection, tail: str = "presses/") -> str:
    return f"/clients/dentist/connections/{connection.pk}/{tail}"


def typed(*rows: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {"keys-TOTAL_FORMS": total or len(rows) + 2, "keys-INITIAL_FORMS": 0}
    for place, row in enumerate(rows):
        data |= {f"keys-{place}-{name}": value for name, value in row.items()}
    for place in range(len(rows), len(rows) + 2):
        data |= {f"keys-{place}-scope": "this_call"}
    return data


def said(cast: Cast) -> tuple[PressRule, ...]:
    return selectors.press_rules(the_connection(cast))


def mapped(cast: Cast) -> list[dict[str, Any]]:
    with job_scope(agency_id=cast.acme.pk):
        found = Event.objects.filter(action="connection.presses_mapped").order_by("id")
        return list(found.values_list("details", flat=True))


# --- What keys mean -------------------------------------------------------------------------------------


def test_the_words_are_the_ledgers() -> None:
    assert dict(PressPurpose.choices) == dict(Purpose.choices)
    assert dict(PressKind.choices).keys() <= dict(EventKind.choices).keys()
    assert dict(PressScope.choices).keys() == dict(Scope.choices).keys()


def test_as_long_as_nothing_is_said_nothing_happens_and_the_page_says_so(cast: Cast) -> None:
    connection, browser = connect(cast.dentist, "ctm"), browse(cast.alice)
    assert "No key has a meaning, so nothing happens" in page(browser.get(url(connection, "")))
    assert browser.post(url(connection), typed()).status_code == 302
    assert said(cast) == ()
    assert mapped(cast) == []


def test_a_row_is_kept_as_the_ledger_reads_it_and_shown(cast: Cast) -> None:
    connection, browser = connect(cast.dentist, "ctm"), browse(cast.alice)
    answer = browser.post(url(connection), typed(ROW | {"name": "  menu   2 "}))
    assert answer["Location"] == url(connection, "")
    assert the_connection(cast).mapping == {
        "presses": [
            {
                "name": "menu 2",
                "value": "9",
                "purpose": ["record", "review"],
                "kind": "withdrawn",
                "scope": "standing",
            }
        ]
    }
    assert said(cast) == (RULE,)
    assert mapped(cast) == [{"rules": 1}]
    shown = page(browser.get(url(connection, "")))
    for words in (
        "menu 2",
        "takes consent back",
        "Record, Play, read, listen live",
        "Until the caller says otherwise",
    ):
        assert words in shown
    shown = page(browser.get(url(connection)))
    assert 'value="menu 2"' in shown
    assert shown.count("checked") == 2
    assert 'name="keys-TOTAL_FORMS" value="3"' in shown


def test_said_again_it_is_no_change_and_an_emptied_row_goes(cast: Cast) -> None:
    connection, browser = connect(cast.dentist, "ctm"), browse(cast.alice)
    other = ROW | {"name": "opt_in_SMS", "value": "1", "kind": "given", "purpose": ["contact"]}
    browser.post(url(connection), typed(ROW, other))
    browser.post(url(connection), typed(ROW, other))
    assert mapped(cast) == [{"rules": 2}]
    browser.post(url(connection), typed({"scope": "standing"}, other))
    assert [rule.name for rule in said(cast)] == ["opt_in_SMS"]
    assert mapped(cast) == [{"rules": 2}, {"rules": 1}]


def test_that_a_key_agrees_is_said_by_who_manages_consent(cast: Cast) -> None:
    make.grant(cast.carol, cast.dentist)
    connection = connect(cast.dentist, "ctm")
    agrees = ROW | {"name": "Recording", "value": "1", "kind": "given", "gates": "on"}
    refused = browse(cast.carol).post(url(connection), typed(agrees))
    assert "said by who manages consent" in page(refused)
    assert said(cast) == ()
    browse(cast.alice).post(url(connection), typed(agrees))
    kept = PressRule("Recording", "1", ("record", "review"), "given", "standing", gates=True)
    assert said(cast) == (kept,)
    assert "the recording starts only after it" in page(browse(cast.alice).get(url(connection, "")))
    assert browse(cast.carol).post(url(connection), typed(agrees, ROW)).status_code == 302
    assert said(cast) == (kept, RULE), "what was there may stay"
    browse(cast.carol).post(url(connection), typed(agrees | {"purpose": ["record", "analyse"]}))
    browse(cast.carol).post(url(connection), typed({k: v for k, v in agrees.items() if k != "gates"}))
    assert said(cast) == (kept, RULE)
    browse(cast.carol).post(url(connection), typed(ROW | {"gates": "on"}))
    assert said(cast) == (RULE,), "a yes may be taken away, and a no waits for nothing"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([ROW | {"value": "x"}], "Up to four digits"),
        pytest.param([ROW | {"value": "٣"}], "Up to four digits", marks=pytest.mark.thorough),
        pytest.param([ROW | {"value": "12345"}], "at most 4 characters", marks=pytest.mark.thorough),
        ([ROW | {"name": "", "value": ""}], "Say which key, or which menu"),
        ([ROW | {"kind": ""}], "Say what the caller says by it"),
        ([ROW | {"kind": "noticed"}], "Pick one from the list"),
        ([ROW | {"purpose": []}], "Choose at least one"),
        pytest.param(
            [ROW | {"purpose": ["everything"]}], "Pick one from the list", marks=pytest.mark.thorough
        ),
        ([ROW | {"scope": ""}], "Choose how far it reaches"),
        ([ROW | {"kind": "given", "name": ""}], "that would be no consent"),
        ([ROW | {"name": "404-555-0123"}], "not a number or an address"),
        pytest.param([ROW | {"name": "a" * 41}], "at most 40 characters", marks=pytest.mark.thorough),
        ([ROW, ROW | {"name": "MENU 2", "kind": "given"}], "Another row says"),
        ([ROW] * 21, "at most 20"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_saved(
    cast: Cast, rows: list[dict[str, Any]], words: str
) -> None:
    connection = connect(cast.dentist, "ctm")
    shown = page(browse(cast.alice).post(url(connection), typed(*rows)))
    assert words in shown
    assert "Not saved" in shown
    assert said(cast) == ()
    assert mapped(cast) == []


def test_one_key_may_say_different_things_about_different_purposes(cast: Cast) -> None:
    connection = connect(cast.dentist, "ctm")
    refused = ROW | {"kind": "refused", "purpose": ["contact"], "scope": "this_call"}
    assert browse(cast.alice).post(url(connection), typed(ROW, refused)).status_code == 302
    found = selectors.rules_for(said(cast), name="Menu 2", value="9")
    assert [rule.kind for rule in found] == ["withdrawn", "refused"]


@pytest.mark.parametrize(
    ("rule", "press", "meant"),
    [
        (RULE, ("menu 2", "9"), True),
        (RULE, ("MENU 2", "9"), True),
        (RULE, ("menu 1", "9"), False),
        (RULE, ("menu 2", "8"), False),
        (RULE, ("menu 2", "99"), False),
        (PressRule("", "9", ("record",), "refused", "this_call"), ("Anything", "9"), True),
        (PressRule("", "9", ("record",), "refused", "this_call"), ("Anything", ""), False),
        (PressRule("Do not record", "", ("record",), "refused", "this_call"), ("do not record", ""), True),
        (PressRule("Do not record", "", ("record",), "refused", "this_call"), ("Do not record", "3"), True),
        (PressRule("Do not record", "", ("record",), "refused", "this_call"), ("Record", ""), False),
    ],
)
def test_which_press_a_row_means(rule: PressRule, press: tuple[str, str], meant: bool) -> None:
    name, value = press
    assert rule.covers(name, value) is meant
    assert selectors.rules_for([rule], name=name, value=value) == ([rule] if meant else [])


def test_the_files_layout_and_the_keys_do_not_forget_each_other(cast: Cast) -> None:
    connection = connect(cast.dentist, "ctm")
    by = make.JOB
    with job_scope(agency_id=cast.acme.pk):
        connections.map_presses(connection=connection, rules=[RULE], by=by, at=NOON)
        row = imports.create_import(
            client=cast.dentist,
            connection=connection,
            layout=Layout("ctm", {}, files.ZONE),
            stored=imports.Stored(connection.pk, 1, b"1" * 32),
            by=by,
            at=NOON,
        )
        layout = Layout("ctm", {"started_at": "When", "caller": "Who"}, files.ZONE)
        imports.describe_import(row=row, layout=layout, by=by, at=NOON)
        assert said_in_scope(connection) == (RULE,)
        connections.map_presses(connection=connection, rules=[], by=by, at=NOON)
        found = Connection.objects.get(pk=connection.pk)
    assert found.mapping == {
        "presses": [],
        "format": "ctm",
        "columns": {"started_at": "When", "caller": "Who"},
        "slashes": "",
    }


def said_in_scope(connection: Connection) -> tuple[PressRule, ...]:
    return selectors.press_rules(Connection.objects.get(pk=connection.pk))


def test_what_was_pressed_lately_helps_and_names_nobody(cast: Cast, django_assert_num_queries: Any) -> None:
    from callprivacy.calls.services import intake

    connection, other = connect(cast.dentist, "ctm"), connect(cast.dentist, "ctm")
    for way, key, count in ((connection, "9", 3), (connection, "1", 1), (other, "7", 1)):
        for place in range(count):
            intake.take_in(
                client=cast.dentist,
                provider="ctm",
                connection_id=way.pk,
                facts=[fact(references=(("id", f"{key}{place}"),), presses=(("menu 2", key),))],
                way=intake.Way.HOOK,
                at=NOON,
            )
    with job_scope(agency_id=cast.acme.pk), django_assert_num_queries(1):
        assert selectors.pressed_lately(connection) == [("menu 2", "9", 3), ("menu 2", "1", 1)]
    shown = page(browse(cast.alice).get(url(connection)))
    assert "menu 2: 9" in shown
    assert "menu 2: 7" not in shown


# --- What trackers can ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "count"),
    [
        pytest.param("callrail", 0, marks=pytest.mark.thorough),
        ("twilio", 3),
        ("ctm", 1),
        pytest.param("invoca", 0, marks=pytest.mark.thorough),
    ],
)
def test_each_page_says_in_plain_words_what_the_tracker_lets_us_do(
    cast: Cast, provider: str, count: int
) -> None:
    shown = page(browse(cast.alice).get(url(connect(cast.dentist, provider), "")))
    abilities = selectors.abilities_of(provider)
    assert [ability.is_there for ability in abilities].count(True) == count
    for ability in abilities:
        assert ability.title in shown
        assert ability.words.replace("'", "&#x27;") in shown


def test_what_a_page_promises_is_what_happens(cast: Cast) -> None:
    """Twilio stops what our menu started; CallTrackingMetrics redacts on a letter, and deletes on none but that."""
    can = {one.title: one for one in selectors.abilities_of("twilio")}
    assert can["Stop a recording that runs"].words.startswith("Only on calls through our menu")
    assert "once the client is live" in can["Delete a recording afterwards"].words
    can = {one.title: one for one in selectors.abilities_of("ctm")}
    assert not can["Delete a recording afterwards"].is_there
    assert "asked by a letter" in can["Take the person out of its record of a call"].words


@pytest.mark.thorough
def test_ctms_instructions_name_what_nobody_verified(cast: Cast) -> None:
    shown = page(browse(cast.alice).get(url(connect(cast.dentist, "ctm"), "")))
    for words in (
        "Settings, Integrations, Webhooks",
        "Not verified with the vendor",
        "/hooks/ctm/",
        "refused as a repeat",
    ):
        assert words in shown


# --- Calls by files alone -------------------------------------------------------------------------------


def test_a_connection_of_invoca_has_no_door_and_no_secret(cast: Cast) -> None:
    browser = browse(cast.alice)
    answer = browser.post(
        "/clients/dentist/connections/new/", {"provider": "invoca", "name": "Invoca", "secret": ""}
    )
    connection = the_connection(cast)
    assert answer["Location"] == url(connection, "")
    shown = page(browser.get(answer["Location"]))
    assert "Import a file" in shown
    assert "anybody who learns it could invent calls and consent" in shown
    assert "transaction_id,corrects_transaction_id" in shown
    for words in (
        connection.key,
        "/hooks/",
        "Change the secret",
        "Active secrets",
        "Events read",
        "Close</a>",
    ):
        assert words not in shown
    assert not PublicKey.objects.filter(key=connection.key).exists()
    assert post_to(f"/hooks/invoca/{connection.key}/", b"{}", "x").status_code == 404
    assert browser.get(url(connection, "rotate/")).status_code == 404
    assert (
        browser.post(url(connection, "rotate/"), {"secret": CALLRAIL_KEY, "overlap_hours": 0}).status_code
        == 404
    )
    assert "by files" in page(browser.get("/clients/dentist/connections/"))


def test_a_secret_is_not_taken_from_who_signs_nothing_and_not_left_out_by_who_does(cast: Cast) -> None:
    browser = browse(cast.alice)
    for provider, secret, words in (
        ("invoca", CALLRAIL_KEY, "signs nothing"),
        ("ctm", "", "This field is required"),
        ("ctm", "short", "16 to 200"),
    ):
        shown = page(
            browser.post(
                "/clients/dentist/connections/new/", {"provider": provider, "name": "X", "secret": secret}
            )
        )
        assert words in shown
        assert CALLRAIL_KEY not in shown
    with job_scope(agency_id=cast.acme.pk):
        assert not Connection.objects.exists()


def test_the_columns_to_ask_for_are_those_that_are_read() -> None:
    columns = selectors.columns_read("invoca")
    assert {"calling_phone_number", "start_time_utc", "keypress_1", "opt_in_SMS", "complete_call_id"} <= set(
        columns
    )
    assert not {"notes", "city", "verified_zip", "mobile", "first_name_data_append"} & set(columns)
    assert len(columns) == len(set(columns))
    assert selectors.columns_read("nobody") == []


def test_a_stranger_finds_no_page_of_keys(cast: Cast) -> None:
    connection = connect(cast.dentist, "ctm")
    for person, status in ((cast.bob, 403), (cast.carol, 403), (cast.mallory, 404)):
        browser = browse(person)
        assert browser.get(url(connection)).status_code == status
        assert browser.post(url(connection), typed(ROW)).status_code == status
    assert Browser().post(url(connection), typed(ROW)).status_code == 302
    assert said(cast) == ()
