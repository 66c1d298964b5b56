"""Rules by which calls become confidential: when they come in, and of those that are here already."""

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.calls.enums import ConfidentialCause
from callprivacy.calls.models import Call, Caller, CallGrant, ConfidentialCall, ConfidentialRule
from callprivacy.calls.providers.transcripts import Words
from callprivacy.calls.services import confidential, confidential_rules, intake, transcripts
from callprivacy.calls.services.intake import Way
from callprivacy.calls.tasks import confidential as tasks
from callprivacy.lib.health_words import speaks_of_health
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import selectors as vault
from consent.services import minors
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.saying import fact
from tests.cast import Cast, assemble
from tests.make import JOB, NOON

pytestmark = pytest.mark.django_db

NUMBER, OTHER = "+14045554686", "+14045554687"
WHY = "The patient agreed to an open record."


@pytest.fixture
def cast() -> Cast:
    return assemble()


def as_alice(cast: Cast) -> AbstractContextManager[Any]:
    return staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id)


def _by(person: Membership) -> Actor:
    return Actor.staff(user_id=person.user_id)


def switch(cast: Cast, *causes: ConfidentialCause) -> None:
    with as_alice(cast):
        confidential_rules.switch_rules(client=cast.dentist, causes=causes, by=_by(cast.alice), at=NOON)


def add_employee(cast: Cast, number: str = NUMBER) -> None:
    with as_alice(cast):
        confidential_rules.add_employee_number(
            client=cast.dentist, number=number, by=_by(cast.alice), at=NOON
        )


def causes(client: Client) -> list[str]:
    """Why calls of a client are confidential now."""
    with job_scope(agency_id=client.agency_id):
        assert (
            Call.objects.filter(confidential=True).count()
            == ConfidentialCall.objects.filter(lifted_at=None).count()
        )
        assert not CallGrant.objects.exists()
        return list(
            ConfidentialCall.objects.for_client(client).values_list("cause", flat=True).order_by("cause")
        )


def arrive(client: Client, *numbers: str) -> None:
    facts = [fact(references=(("id", f"call-{number}"),), caller=number) for number in numbers]
    intake.take_in(client=client, provider="callrail", connection_id=None, facts=facts, way=Way.HOOK, at=NOON)


# --- On arrival ---


def test_a_call_from_an_employees_number_is_confidential_when_it_comes_in(cast: Cast) -> None:
    add_employee(cast)
    switch(cast, ConfidentialCause.EMPLOYEE)
    arrive(cast.dentist, NUMBER, OTHER)
    assert causes(cast.dentist) == ["employee"]


def test_no_rule_marks_nothing(cast: Cast) -> None:
    add_employee(cast)
    arrive(cast.dentist, NUMBER)
    tasks.apply_confidential_rules()
    assert causes(cast.dentist) == []


def test_a_number_that_is_removed_marks_nothing(cast: Cast) -> None:
    add_employee(cast)
    switch(cast, ConfidentialCause.EMPLOYEE)
    with as_alice(cast):
        assert confidential_rules.remove_employee_number(
            client=cast.dentist, number="(404) 555-4686", by=_by(cast.alice), at=NOON
        )
        assert not confidential_rules.remove_employee_number(
            client=cast.dentist, number=NUMBER, by=_by(cast.alice), at=NOON
        )
    arrive(cast.dentist, NUMBER)
    assert causes(cast.dentist) == []


def test_an_employees_number_is_no_refusal(cast: Cast) -> None:
    make.call(cast.dentist, NUMBER)
    add_employee(cast)
    assert vault.suppressed(cast.dentist.pk, [NUMBER], on=NOON.date())[NUMBER].keys() == {"employee"}
    page = signed_in(cast.alice).get(reverse("calls:list")).content.decode()
    assert "4686" in page


@pytest.mark.parametrize(
    ("text", "found"), [("She asked about chemotherapy.", ["health"]), ("Two tires.", [])]
)
def test_words_of_health_in_a_transcript_make_its_call_confidential(
    cast: Cast, text: str, found: list[str]
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(takes_transcripts=True)
        client = Client.objects.select_related("agency").get(pk=cast.dentist.pk)
    switch(cast, ConfidentialCause.HEALTH)
    arrive(client, NUMBER)
    said = fact(references=(("id", f"call-{NUMBER}"),), caller=NUMBER)
    assert (
        transcripts.take_in(client=client, provider="callrail", said=[(said, Words(text, None))], at=NOON)
        == 1
    )
    assert causes(client) == found


@pytest.mark.parametrize(
    "text", ["my diagnosis", "I am PREGNANT", "una cirugía", "tengo cáncer", "HIV.", "insulin", "depresión"]
)
def test_words_of_health_are_found(text: str) -> None:
    assert speaks_of_health(text)


@pytest.mark.parametrize(
    "text", ["", "a new roof", "cancel my order", "the hive", "an expression", "considared"]
)
def test_other_words_are_not(text: str) -> None:
    assert not speaks_of_health(text)


# --- Of calls that are here ---


def _minor(cast: Cast) -> None:
    call = make.call(cast.dentist, NUMBER)
    assert call.caller_id is not None
    with job_scope(agency_id=cast.acme.pk):
        minors.mark(client=cast.dentist, caller=Caller.objects.get(pk=call.caller_id), by=JOB, at=NOON)


def _held(cast: Cast) -> None:
    call = make.call(cast.dentist, NUMBER)
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk=call.pk).update(on_hold=True)


def _employee(cast: Cast) -> None:
    make.call(cast.dentist, NUMBER)
    add_employee(cast)


@pytest.mark.parametrize(
    ("happens", "cause"),
    [
        (_minor, ConfidentialCause.MINOR),
        (_held, ConfidentialCause.LITIGATION),
        (_employee, ConfidentialCause.EMPLOYEE),
    ],
)
def test_a_job_marks_what_became_known_later_and_nothing_twice(
    cast: Cast, happens: Any, cause: ConfidentialCause
) -> None:
    make.call(cast.dentist, OTHER, at=NOON - timedelta(days=2))
    happens(cast)
    make.call(cast.plumber, NUMBER)
    switch(cast, cause)

    tasks.apply_confidential_rules()

    assert causes(cast.dentist) == [cause]
    assert causes(cast.plumber) == []
    with job_scope(agency_id=cast.acme.pk):
        row = ConfidentialCall.objects.get()
        confidential.lift(confidential=row, reason=WHY, by=_by(cast.alice), at=NOON)
    tasks.apply_confidential_rules()
    with job_scope(agency_id=cast.acme.pk):
        assert not ConfidentialCall.objects.filter(lifted_at=None).exists()


def test_a_minors_next_call_is_confidential_when_it_comes_in(cast: Cast) -> None:
    _minor(cast)
    switch(cast, ConfidentialCause.MINOR)
    arrive(cast.dentist, NUMBER)
    assert "minor" in causes(cast.dentist)


def test_batches_go_on_until_all_are_marked(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confidential_rules, "BATCH", 2)
    for hours in range(5):
        make.call(cast.dentist, NUMBER, at=NOON - timedelta(hours=hours + 1))
    add_employee(cast)
    switch(cast, ConfidentialCause.EMPLOYEE)
    assert confidential_rules.apply_rules(agency_id=cast.acme.pk, at=NOON) == 5


# --- The officer's page ---


def test_an_officer_switches_rules_on_record(cast: Cast) -> None:
    alice, page = signed_in(cast.alice), reverse("calls:confidential_rules", args=["dentist"])
    alice.post(page, {"causes": ["health", "minor"]})
    alice.post(page, {"causes": ["minor"]})
    with job_scope(agency_id=cast.acme.pk):
        assert list(ConfidentialRule.objects.values_list("cause", flat=True)) == ["minor"]
        rows = Event.objects.filter(action="confidential_rule.switched").order_by("pk")
        assert [(row.details["cause"], row.details["on"]) for row in rows] == [
            ("health", True), ("minor", True), ("health", False),
        ]  # fmt: skip
    assert alice.get(page).context["form"].initial == {"causes": ["minor"]}
    assert alice.post(page, {"causes": ["officer"]}).context["form"].errors


def test_an_officer_keeps_an_employees_number(cast: Cast) -> None:
    alice, page = signed_in(cast.alice), reverse("calls:employee_numbers", args=["dentist"])
    assert "on the list" in alice.post(page, {"number": NUMBER, "add": ""}, follow=True).content.decode()
    assert "off the list" in alice.post(page, {"number": NUMBER, "remove": ""}, follow=True).content.decode()
    assert "was not on" in alice.post(page, {"number": NUMBER, "remove": ""}, follow=True).content.decode()
    assert alice.post(page, {"number": "twelve", "add": ""}).context["number_form"].errors
    assert signed_in(cast.bob).post(page, {"number": NUMBER}).status_code == 403
