"""The trail page: who may see it, what it shows, and that what is taken along is written down first."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from callprivacy.accounts.enums import Role
from callprivacy.audit import selectors, services
from callprivacy.audit.models import Event
from callprivacy.tenancy.scope import job_scope
from tests import cast, make
from tests.accounts.browsers import signed_in
from tests.audit.trails import seal
from tests.make import JOB, NOON
from tests.rules import source
from tests.scale import some

pytestmark = pytest.mark.django_db
WORDS = "The caller asked us to call back about the bridge."


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, settings: Settings) -> None:
    settings.CALLPRIVACY_STATE = tmp_path / "state"


@pytest.fixture
def everybody(cast: cast.Cast) -> cast.Cast:
    return cast


def record(everybody: cast.Cast, action: str = "call.revealed", **given: object) -> Event:
    with job_scope(agency_id=everybody.acme.pk):
        return services.record(action, by=JOB, **({"at": NOON} | given))  # type: ignore[arg-type]  # facts of a table


def actions_of(agency_id: int) -> list[str]:
    with job_scope(agency_id=agency_id):
        return list(Event.objects.filter(agency_id=agency_id).order_by("id").values_list("action", flat=True))


POSTS = ["trail_verify", "trail_export", "trail_table"]


def test_a_stranger_is_asked_to_sign_in() -> None:
    answer = Browser().get(reverse("dashboard:trail"))

    assert answer.status_code == 302
    assert "/accounts/" in answer["Location"]


@pytest.mark.parametrize("name", ["trail", *POSTS])
def test_a_role_without_the_right_is_refused(everybody: cast.Cast, name: str) -> None:
    browser = signed_in(everybody.bob)
    url = reverse(f"dashboard:{name}")

    answer = browser.get(url) if name == "trail" else browser.post(url)

    assert answer.status_code == 403


@pytest.mark.parametrize("name", POSTS)
def test_what_leaves_a_mark_is_not_done_by_a_link(everybody: cast.Cast, name: str) -> None:
    assert signed_in(everybody.alice).get(reverse(f"dashboard:{name}")).status_code == 405


def test_the_page_shows_ones_own_agency_alone(everybody: cast.Cast) -> None:
    record(everybody, "call.revealed", client_id=everybody.dentist.pk)
    with job_scope(agency_id=everybody.globex.pk):
        services.record("florist.closed", by=JOB, at=NOON)

    page = signed_in(everybody.alice).get(reverse("dashboard:trail")).content.decode()

    assert "Call revealed" in page
    assert "Not sealed yet" in page
    assert "Florist closed" not in page


def test_filters_are_in_the_address(everybody: cast.Cast) -> None:
    record(everybody, "call.revealed", client_id=everybody.dentist.pk)
    record(everybody, "call.erased", client_id=everybody.plumber.pk, at=NOON - timedelta(days=3))
    browser, before = signed_in(everybody.alice), str(NOON.date() - timedelta(days=2))

    def deeds(**query: str) -> list[str]:
        answer = browser.get(reverse("dashboard:trail"), {"client": ""} | query)
        assert answer.status_code == 200
        shown = [row.event.action for row in answer.context["rows"]]
        return [action for action in shown if action.startswith("call.")]

    assert deeds() == ["call.revealed", "call.erased"]
    assert deeds(client="dentist") == ["call.revealed"]
    assert deeds(what="call.erased") == ["call.erased"]
    assert deeds(until=before) == ["call.erased"]
    assert deeds(since=before, until=str(NOON.date())) == ["call.revealed"]
    assert deeds(who="job") == ["call.revealed", "call.erased"]
    assert deeds(who=str(everybody.alice.user_id)) == []
    assert deeds(sealed="yes") == []
    assert deeds(sealed="no") == ["call.revealed", "call.erased"]
    assert deeds(client="florist") == []
    assert deeds(subject="tenancy.client") == []
    assert deeds(since="never") == []


def test_a_filter_that_cannot_be_read_is_not_answered_with_an_empty_trail(everybody: cast.Cast) -> None:
    record(everybody)
    page = signed_in(everybody.alice).get(reverse("dashboard:trail"), {"until": "9999-12-31"})
    assert "Filter not applied" in page.content.decode()
    assert "Nothing was saved" not in page.content.decode()


@pytest.mark.thorough
def test_pages_follow_each_other_both_ways(everybody: cast.Cast) -> None:
    for number in range(120):
        record(everybody, "call.revealed", at=NOON + timedelta(seconds=number // 3), number=number)
    browser = signed_in(everybody.alice)

    def numbers(query: dict[str, str]) -> tuple[list[int], str | None, str | None]:
        context = browser.get(reverse("dashboard:trail"), query | {"what": "call.revealed"}).context
        return [row.event.details["number"] for row in context["rows"]], context["newer"], context["older"]

    first, newer, older = numbers({})
    assert (first, newer) == (list(range(119, 69, -1)), None)
    second, newer, oldest = numbers({"before": str(older)})
    assert second == list(range(69, 19, -1))
    third, _, end = numbers({"before": str(oldest)})
    assert (third, end) == (list(range(19, -1, -1)), None)
    assert numbers({"after": str(newer)})[0] == first
    for nonsense in ("x", "1-", "-1", "9" * 60, f"{10**20}-1", "1-" + "9" * 30):
        assert numbers({"before": nonsense})[0] in (first, [])


@pytest.mark.thorough
def test_the_page_costs_a_bounded_number_of_queries(
    everybody: cast.Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        record(everybody, "call.revealed", client_id=everybody.dentist.pk, number=number, reason=WORDS)
    browser = signed_in(everybody.alice)
    browser.get(reverse("dashboard:trail"))

    with django_assert_max_num_queries(40):
        browser.get(reverse("dashboard:trail"))


def test_a_reason_is_opened_by_post_and_that_is_an_event(everybody: cast.Cast) -> None:
    event = record(everybody, "call.revealed", client_id=everybody.dentist.pk, reason=WORDS)
    browser = signed_in(everybody.alice)
    url = reverse("dashboard:trail_reason", args=[event.pk])

    assert WORDS not in browser.get(reverse("dashboard:trail")).content.decode()
    assert browser.get(url).status_code == 405
    part = browser.post(url, headers={"HX-Request": "true"}).content.decode()
    whole = browser.post(url).content.decode()

    assert WORDS in part
    assert "<html" not in part
    assert WORDS in whole
    assert "<html" in whole
    assert actions_of(everybody.acme.pk)[-2:] == ["reason.opened", "reason.opened"]


def test_a_strangers_reason_is_not_there(everybody: cast.Cast) -> None:
    event = record(everybody, "call.revealed", client_id=everybody.dentist.pk, reason=WORDS)
    url = reverse("dashboard:trail_reason", args=[event.pk])

    foreign = signed_in(everybody.mallory).post(url)
    none = signed_in(everybody.mallory).post(reverse("dashboard:trail_reason", args=[10**12]))

    assert foreign.status_code == none.status_code == 404
    assert signed_in(everybody.bob).post(url).status_code == 403


def test_a_table_is_what_was_filtered_and_is_no_formula(everybody: cast.Cast) -> None:
    record(everybody, "call.revealed", client_id=everybody.dentist.pk, reason=WORDS, note="=1+1")
    record(everybody, "call.erased")

    answer = signed_in(everybody.alice).post(f"{reverse('dashboard:trail_table')}?what=call.revealed")
    lines = answer.content.decode("utf-8-sig").splitlines()

    assert answer["Content-Disposition"].startswith('attachment; filename="trail-acme-')
    assert len(lines) == 2
    assert "call.revealed" in lines[1]
    assert "Dentist" in lines[1]
    assert WORDS not in answer.content.decode()
    assert actions_of(everybody.acme.pk)[-1] == "trail.exported"


@pytest.mark.parametrize("name", ["trail_table", "trail_export"])
def test_the_name_of_an_agency_stays_inside_a_files_name(db: None, name: str) -> None:
    agency = make.agency(make.HOSTILE_NAME)

    answer = signed_in(make.person(agency, "olga", Role.OFFICER)).post(reverse(f"dashboard:{name}"))

    assert re.fullmatch(
        r'attachment; filename="trail-acme-a-filenameevilhtml-x-evil-1-[\d-]+\.(csv|jsonl)"',
        answer["Content-Disposition"],
    )
    assert "X-Evil" not in answer
    answer.getvalue()


def test_a_table_that_is_too_long_is_refused(everybody: cast.Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from callprivacy.audit.services import exporting

    monkeypatch.setattr(exporting, "ROWS_A_TABLE", 1)
    record(everybody)

    answer = signed_in(everybody.alice).post(reverse("dashboard:trail_table"), follow=True)

    assert "narrow the dates" in answer.content.decode()
    assert "trail.exported" not in actions_of(everybody.acme.pk)


def test_the_bundle_holds_its_own_export(everybody: cast.Cast) -> None:
    record(everybody)

    answer = signed_in(everybody.alice).post(reverse("dashboard:trail_export"))
    lines = [json.loads(line) for line in b"".join(answer).splitlines()]

    assert answer["Content-Disposition"].startswith('attachment; filename="trail-acme-')
    assert lines[0]["agency"] == everybody.acme.pk
    assert lines[-2]["event"]["action"] == "trail.exported"
    assert lines[-1] == {"end": {"events": len(lines) - 2, "seals": 0}}


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_the_button_verifies_and_the_page_says_what_vouches(everybody: cast.Cast) -> None:
    record(everybody)
    seal(everybody.acme.pk, at=NOON)
    browser = signed_in(everybody.alice)

    result = browser.post(reverse("dashboard:trail_verify")).content.decode()
    page = browser.get(reverse("dashboard:trail"))

    assert "Audit log verified" in result
    assert "Nothing is wrong" in result
    assert "verify_bundle.py FILE" in result
    assert "verify_bundle.py FILE" in page.content.decode()
    row = next(row for row in page.context["rows"] if row.event.action == "call.revealed")
    assert row.seal is not None
    assert bytes(row.seal.root).hex().startswith(row.root)
    assert row.root in page.content.decode()
    assert "the trail held" in page.content.decode()
    assert page.context["state"].unsealed == 1


def test_what_no_seal_vouches_for_is_not_said_to_hold(everybody: cast.Cast) -> None:
    record(everybody)
    browser = signed_in(everybody.alice)

    result = browser.post(reverse("dashboard:trail_verify")).content.decode()
    page = browser.get(reverse("dashboard:trail")).content.decode()

    assert "Nothing is signed yet" in result
    assert "nothing vouches for any of them" in result
    assert "Audit log verified" not in result
    assert "alert-good" not in result
    assert "nothing was sealed yet" in page
    assert "the trail held" not in page


@pytest.mark.django_db(transaction=True)
def test_the_page_says_when_the_trail_does_not_hold(everybody: cast.Cast) -> None:
    from tests.audit.trails import superuser

    event = record(everybody)
    seal(everybody.acme.pk, at=NOON)
    with superuser() as line:
        line.execute("UPDATE audit_event SET at = now() WHERE id = %s", [event.pk])

    result = signed_in(everybody.alice).post(reverse("dashboard:trail_verify")).content.decode()

    assert "Verification failed" in result
    assert f"event {event.pk}: changed (seal 1)" in result


UNREADABLE = (
    "at = 'infinity'",
    "at = at - interval '2100 years'",
    "details = ('{\"number\": 1' || repeat('0', 5000) || '}')::jsonb",
    "subject_id = '\\xff'::bytea::text",
)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", some(UNREADABLE, one_in=4))
def test_an_event_that_nobody_can_read_hides_no_other(everybody: cast.Cast, change: str) -> None:
    from tests.audit.trails import no_text_may_be_written, superuser

    others = [record(everybody), record(everybody, "call.exported")]
    event = record(everybody, "request.granted")
    seal(everybody.acme.pk, at=NOON)
    browser = signed_in(everybody.alice)
    with superuser() as line:
        no_text_may_be_written(line)
        line.execute(f"UPDATE audit_event SET {change} WHERE id = %s".encode(), [event.pk])

    page = browser.get(reverse("dashboard:trail"))
    table = browser.post(reverse("dashboard:trail_table")).content.decode()
    bundle = b"".join(browser.post(reverse("dashboard:trail_export")))
    result = browser.post(reverse("dashboard:trail_verify")).content.decode()

    shown = {row.event.pk: row for row in page.context["rows"]}
    assert shown.keys() >= {event.pk, *(other.pk for other in others)}
    assert not shown[event.pk].event.is_readable
    assert shown[event.pk].what == "Request granted"
    assert all(shown[other.pk].event.is_readable for other in others)
    assert page.content.decode().count("Cannot be read") == 1
    assert "cannot be read" in next(row for row in table.splitlines() if row.startswith(str(event.pk)))
    assert json.loads(bundle.splitlines()[-1])["end"]["seals"] == 1
    assert f"event {event.pk}: changed (seal 1)" in result


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", some(["signed_at = 'infinity'", "sealed_at = '-infinity'"], one_in=2))
def test_a_seal_that_nobody_can_read_hides_no_event(everybody: cast.Cast, change: str) -> None:
    from tests.audit.trails import superuser

    event = record(everybody)
    seal(everybody.acme.pk, at=NOON)
    with superuser() as line:
        line.execute(f"UPDATE audit_seal SET {change} WHERE number = 1".encode())
    browser = signed_in(everybody.alice)

    page = browser.get(reverse("dashboard:trail"))
    overview = browser.get(reverse("dashboard:overview"))

    row = next(row for row in page.context["rows"] if row.event.pk == event.pk)
    assert row.seal.number == 1
    assert "its cells cannot be read" in page.content.decode()
    assert "the newest checkpoint is unreadable" in overview.content.decode()


@pytest.mark.django_db(transaction=True)
def test_details_that_are_no_names_and_values_are_shown_as_they_are(everybody: cast.Cast) -> None:
    from tests.audit.trails import superuser

    event = record(everybody)
    with superuser() as line:
        line.execute("""UPDATE audit_event SET details = '["odd"]' WHERE id = %s""", [event.pk])

    page = signed_in(everybody.alice).get(reverse("dashboard:trail"))

    row = next(row for row in page.context["rows"] if row.event.pk == event.pk)
    assert row.details == [("Details", "['odd']")]


@pytest.mark.django_db(transaction=True)
def test_a_verification_that_nobody_can_read_is_not_said_to_have_held(everybody: cast.Cast) -> None:
    from tests.audit.trails import superuser

    record(everybody)
    seal(everybody.acme.pk, at=NOON)
    browser = signed_in(everybody.alice)
    browser.post(reverse("dashboard:trail_verify"))
    with superuser() as line:
        line.execute("UPDATE audit_event SET at = 'infinity' WHERE action = 'trail.verified'")

    page = browser.get(reverse("dashboard:trail")).content.decode()

    assert "what was written of it cannot be read" in page
    assert "the trail held" not in page


def test_every_entrance_is_named_in_words() -> None:
    code = "\n".join(file.read_text() for file in source.files())
    names = set(re.findall(r'Actor\.client\("([^"]+)"\)|^ACTOR: Final = "([^"]+)"', code, re.MULTILINE))
    shown = {"".join(name): selectors.actor_in_words("".join(name), is_job=False) for name in names}

    assert {"rights.portal", "twilio.sms"} <= set(shown)
    assert [name for name, said in shown.items() if said == name] == []
    assert selectors.actor_in_words("api:7", is_job=False) == "an API key"
