"""Sources and mediums: common ones are kept, others wait for a person, and calls show no free text meanwhile."""

import importlib
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.calls import tasks
from callprivacy.calls.models import Call, KnownValue
from callprivacy.calls.services import intake, values
from callprivacy.calls.services.intake import Way
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Item
from tests import make
from tests.accounts.browsers import come_in
from tests.calls.saying import calls as calls_of
from tests.calls.saying import fact, the_call, told
from tests.calls.test_hooks import connect
from tests.calls.test_inbox import bring, event, work_off
from tests.cast import Cast, assemble
from tests.make import NOON

pytestmark = pytest.mark.django_db

URL = "/clients/dentist/connections/values/"
STATION = "Radio WXYZ"
NAME = "Jo Miller mobile"


@pytest.fixture
def cast() -> Cast:
    return assemble()


def waiting(client: Client) -> list[KnownValue]:
    with job_scope(agency_id=client.agency_id):
        return list(KnownValue.objects.for_client(client).waiting().select_related("client").order_by("pk"))


def items(client: Client) -> list[int | None]:
    with job_scope(agency_id=client.agency_id):
        rows = Item.objects.open().filter(kind="new_values", client_id=client.pk)
        return list(rows.values_list("count", flat=True))


def decide(value: KnownValue, stored_as: str = "") -> None:
    """Confirm a value, or refuse it where nothing is given, and fill its calls."""
    with job_scope(agency_id=value.agency_id):
        if stored_as:
            values.confirm(value=value, stored_as=stored_as, by=make.JOB, at=NOON)
        else:
            values.refuse(value=value, by=make.JOB, at=NOON)
    values.fill(agency_id=value.agency_id, client_id=value.client_id, at=NOON)


def browse(person: Membership) -> Browser:
    browser = Browser()
    come_in(browser, person.user)
    return browser


def sources(client: Client) -> list[str]:
    return [call.source for call in calls_of(client)]


@pytest.mark.parametrize(
    "value",
    ["Google Ads", "google_ads", "Bing", "(direct)", "Online: Search", "Yellow Pages", "E-mail", "(not set)"],
)
def test_a_common_value_is_kept_as_it_comes(cast: Cast, value: str) -> None:
    told(cast.dentist, fact(source=value, medium=value))

    call = the_call(cast.dentist)
    assert (call.source, call.medium) == (value, value)
    assert waiting(cast.dentist) == []


def test_a_new_value_waits_and_is_filled_when_confirmed(cast: Cast) -> None:
    told(cast.dentist, fact(source=STATION, medium="airtime"))

    source, medium = sorted(waiting(cast.dentist), key=lambda value: value.field != "source")
    call = the_call(cast.dentist)
    assert (call.source, call.medium) == (source.placeholder, medium.placeholder)
    assert call.source == f"New value {source.pk}, not confirmed"
    assert items(cast.dentist) == [2]

    decide(source, STATION)
    decide(medium, "airtime")

    call = the_call(cast.dentist)
    assert (call.source, call.medium) == (STATION, "airtime")
    assert items(cast.dentist) == []
    told(cast.dentist, fact(source=STATION, references=(("id", "2"),), seconds=7))
    assert sources(cast.dentist) == [STATION, STATION]
    assert waiting(cast.dentist) == []


def test_a_repeat_of_a_waiting_value_changes_nothing(cast: Cast) -> None:
    told(cast.dentist, fact(source=STATION))

    assert told(cast.dentist, fact(source=STATION)) == [intake.Taken.KNOWN]
    assert len(waiting(cast.dentist)) == 1


def test_a_refused_value_is_forgotten_and_not_asked_about_again(cast: Cast) -> None:
    told(cast.dentist, fact(source=NAME))
    decide(waiting(cast.dentist)[0])
    told(cast.dentist, fact(source=NAME, references=(("id", "2"),), seconds=7))

    assert sources(cast.dentist) == [values.OTHER, values.OTHER]
    assert waiting(cast.dentist) == []
    with job_scope(agency_id=cast.acme.pk):
        assert NAME not in KnownValue.objects.get().value


def test_a_value_is_stored_as_another_known_one_alone(cast: Cast) -> None:
    told(cast.dentist, fact(source="Gogle Ads"))
    (value,) = waiting(cast.dentist)

    with pytest.raises(values.NotKnownError):
        decide(value, "Radio ABC")
    decide(value, "Google Ads")

    assert sources(cast.dentist) == ["Google Ads"]
    told(cast.dentist, fact(source="Gogle Ads", references=(("id", "2"),), seconds=7))
    assert sources(cast.dentist) == ["Google Ads", "Google Ads"]


def test_two_people_do_not_decide_on_one_value(cast: Cast) -> None:
    told(cast.dentist, fact(source=STATION))
    (value,) = waiting(cast.dentist)
    decide(value, STATION)

    with pytest.raises(values.AlreadyDecidedError):
        decide(value)


def test_another_client_is_asked_for_itself(cast: Cast) -> None:
    told(cast.dentist, fact(source=STATION))
    decide(waiting(cast.dentist)[0], STATION)
    told(cast.plumber, fact(source=STATION))

    assert sources(cast.plumber) == [waiting(cast.plumber)[0].placeholder]


def test_a_text_like_a_placeholder_names_no_row(cast: Cast) -> None:
    told(cast.dentist, fact(source="New value 1, not confirmed"))

    assert sources(cast.dentist) == [values.OTHER]


def test_a_flood_of_values_is_bounded(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "WAITING_AT_MOST", 2)
    told(
        cast.dentist,
        *(
            fact(source=f"Person {name}", references=(("id", name),), seconds=place)
            for place, name in enumerate("abc")
        ),
        way=Way.IMPORT,
    )

    assert len(waiting(cast.dentist)) == 2
    assert sources(cast.dentist).count(values.OTHER) == 1


@pytest.mark.parametrize("look_first", [True, False])
def test_a_batch_that_waited_for_its_turn_has_what_was_decided_meanwhile(
    cast: Cast, look_first: bool
) -> None:
    prepared = intake.prepare(
        client=cast.dentist, provider="callrail", connection_id=None, facts=[fact(source=STATION)],
        way=Way.IMPORT, at=NOON, look_first=look_first,
    )  # fmt: skip
    decide(waiting(cast.dentist)[0], STATION)
    prepared.store()

    assert sources(cast.dentist) == [STATION]


def test_a_batch_asks_once_for_all_its_values(cast: Cast) -> None:
    def prepare(*names: str) -> int:
        facts = [fact(source=name, medium=name, references=(("id", name),)) for name in names]
        with CaptureQueriesContext(connection) as queries:
            intake.prepare(
                client=cast.dentist,
                provider="callrail",
                connection_id=None,
                facts=facts,
                way=Way.HOOK,
                at=NOON,
            )
        return sum("calls_knownvalue" in query["sql"] for query in queries)

    names = ["Radio A", "Radio B", "Radio C"]
    prepare(*names)

    assert prepare(*names) == 1
    assert prepare("Google Ads", "Bing") == 0


def test_the_sweep_fills_what_a_lost_message_left(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    fill = tasks.values.fill_values
    monkeypatch.setattr(fill, "apply_async", lambda *, kwargs, **_: fill(**kwargs))
    told(cast.dentist, fact(source=STATION))
    with job_scope(agency_id=cast.acme.pk):
        values.confirm(value=waiting(cast.dentist)[0], stored_as=STATION, by=make.JOB, at=NOON)

    with django_capture_on_commit_callbacks(execute=True):
        tasks.inbox.sweep_inbox()

    assert sources(cast.dentist) == [STATION]


def test_values_that_calls_hold_count_as_confirmed_but_numbers_do_not(cast: Cast) -> None:
    told(cast.dentist, fact())
    migration = importlib.import_module("callprivacy.calls.migrations.0026_known_values")
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.for_client(cast.dentist).update(source=STATION, medium="Call 415_555_0147")
        with connection.cursor() as cursor:
            cursor.execute(migration._CONFIRM_STORED)
        rows = list(KnownValue.objects.values_list("client_id", "field", "value", "stored_as"))

    assert rows == [(cast.dentist.pk, "source", STATION, STATION)]


def test_a_number_as_in_the_clients_country_is_left_out(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(home_country="ES")
    said = {"source": "612345678", "campaign": "llama 612 34 56 78", "medium": "cpc 612345678"}
    tags = ("urgente", "612 34 56 78")
    for client in (cast.dentist, cast.plumber):
        told(client, fact(**said, tags=tags))

    call = the_call(cast.dentist)
    assert (call.source, call.campaign, call.medium, call.tags) == ("", "", "", ["urgente"])
    assert the_call(cast.plumber).campaign == said["campaign"]


def test_stored_texts_pass_the_recognizer_again_and_are_counted(cast: Cast) -> None:
    for place in range(3):
        told(cast.dentist, fact(references=(("id", str(place)),), seconds=place))
    number = "Call 415_555_0147"
    first, second, third = (call.pk for call in calls_of(cast.dentist))
    with job_scope(agency_id=cast.acme.pk):
        stored = Call.objects.for_client(cast.dentist)
        stored.filter(pk=first).update(source=number, medium=number, campaign=number, tags=["quote", number])
        stored.filter(pk=second).update(campaign=number, on_hold=True)
        for value in (number, STATION):
            KnownValue.objects.create(
                agency_id=cast.acme.pk, client=cast.dentist, field="source", value=value, stored_as=value,
                first_seen_at=NOON, decided_at=NOON, filled_at=NOON,
            )  # fmt: skip
    out = StringIO()

    call_command("recheck_calls", "--client", "dentist", stdout=out, stderr=StringIO())

    assert "3 calls, 1 changed, 1 on hold and left, 1 known values forgotten" in out.getvalue()
    found = {call.pk: (call.source, call.medium, call.campaign, call.tags) for call in calls_of(cast.dentist)}
    assert found[first] == (values.OTHER, values.OTHER, "", ["quote"])
    assert found[second][2] == number
    assert found[third][0] == "Google Ads"
    with job_scope(agency_id=cast.acme.pk):
        assert KnownValue.objects.get().value == STATION
        assert Event.objects.get(action="calls.rechecked").details == {"count": 1}
    call_command("recheck_calls", "--client", "dentist", stdout=out, stderr=StringIO())
    assert "3 calls, 0 changed" in out.getvalue()


# --- The page --------------------------------------------------------------------------------------------


def shown(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_what_a_tracker_sends_is_listed_with_its_calls_and_confirmed(cast: Cast) -> None:
    way, browser = connect(cast.dentist), browse(cast.alice)
    bring(way, event(1, source=STATION))
    bring(way, event(2, source=STATION, duration="7"))
    work_off(cast)
    (value,) = waiting(cast.dentist)

    text = shown(browser.get(URL))
    assert STATION in text
    assert '<td data-label="Calls" class="num">2</td>' in text
    assert "New values of source or medium" in shown(browser.get("/clients/dentist/connections/"))
    browser.post(f"{URL}{value.pk}/", {"stored_as": STATION})
    values.fill(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=NOON)

    assert sources(cast.dentist) == [STATION, STATION]
    assert "No new values" in shown(browser.get(URL))


def test_the_page_says_what_is_wrong_with_a_value(cast: Cast) -> None:
    told(cast.dentist, fact(source=STATION))
    browser, (value,) = browse(cast.alice), waiting(cast.dentist)

    for text, why in (
        ("Call 415 555 0147", "without a number"),
        ("", "Write the value to store"),
        ("Radio ABC", "is not confirmed"),
    ):
        assert why in shown(browser.post(f"{URL}{value.pk}/", {"stored_as": text}))
    assert len(waiting(cast.dentist)) == 1
    browser.post(f"{URL}{value.pk}/", {"stored_as": STATION, "refuse": "1"})
    assert waiting(cast.dentist) == []


@pytest.mark.parametrize("seen", ["", "x", "-1", "9" * 40, "²"])
def test_confirming_all_without_having_seen_confirms_nothing(cast: Cast, seen: str) -> None:
    told(cast.dentist, fact(source=STATION))

    browse(cast.alice).post(f"{URL}confirm/", {"seen": seen})

    assert len(waiting(cast.dentist)) == 1


def test_confirming_all_leaves_what_came_since_the_page_was_shown(cast: Cast) -> None:
    told(cast.dentist, fact(source=STATION))
    seen = waiting(cast.dentist)[0].pk
    told(cast.dentist, fact(source="Radio ABC", references=(("id", "2"),), seconds=7))

    browse(cast.alice).post(f"{URL}confirm/", {"seen": seen})

    assert [value.value for value in waiting(cast.dentist)] == ["Radio ABC"]


def test_only_people_who_manage_the_connections_decide(cast: Cast) -> None:
    told(cast.dentist, fact(source=STATION))
    told(cast.plumber, fact(source=STATION))
    (value,), (foreign,) = waiting(cast.dentist), waiting(cast.plumber)

    for person in (cast.bob, cast.carol, cast.mallory):
        browser = browse(person)
        assert browser.get(URL).status_code in {403, 404}
        assert browser.post(f"{URL}{value.pk}/", {"refuse": "1"}).status_code in {403, 404}
        assert browser.post(f"{URL}confirm/", {"seen": value.pk}).status_code in {403, 404}
    assert browse(cast.alice).post(f"{URL}{foreign.pk}/", {"refuse": "1"}).status_code == 404
    assert len(waiting(cast.dentist)) == len(waiting(cast.plumber)) == 1
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert not KnownValue.objects.exists()
