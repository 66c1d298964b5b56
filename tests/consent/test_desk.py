"""The desk of people on the phone: by one tap, at once, for granted clients alone; and calls back without a number."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.db import ProgrammingError, transaction
from django.test import Client as Browser
from django.test import override_settings
from django.urls import reverse

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.calls.enums import Outcome
from callprivacy.calls.models import Caller, Connection
from callprivacy.calls.services import people
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from consent.enums import (
    NOT_ASKED,
    Channel,
    EventKind,
    InvitationState,
    Language,
    Purpose,
    Scope,
    State,
    Strength,
    VendorStep,
    WaitingState,
)
from consent.models import CallBack, ConsentEvent, ConsentState, Invitation, MenuSession, VendorTask, WebPage
from consent.selectors import asking
from consent.services import call_backs, ledger
from consent.tasks import call_backs as tasks
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent import twilio_side
from tests.consent.twilio_side import CALLER, TRACKING, Phone
from tests.make import NOON
from tests.samples import local, new_york
from tests.scale import some

pytestmark = pytest.mark.as_committed

OWN = "+14155550160"
CLOCK = "%H:%M:%S %Z"
NEW = "+14155550144"
FOREIGN = "CA" + "9" * 32


@pytest.fixture(autouse=True)
def _afternoon() -> Iterator[None]:
    """One o'clock in New York, ten in California: everybody may be called."""
    with time_machine.travel(NOON + timedelta(hours=6), tick=False):
        yield


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)


@pytest.fixture
def agent(cast: Cast) -> Membership:
    found = make.person(cast.acme, "dora", Role.AGENT)
    make.grant(found, cast.dentist)
    return found


@pytest.fixture
def dora(agent: Membership) -> Browser:
    return signed_in(agent)


@pytest.fixture
def connection(cast: Cast) -> Connection:
    return twilio_side.connect(cast.dentist)


@pytest.fixture
def phone(cast: Cast, connection: Connection) -> Phone:
    twilio_side.menu(cast.dentist, connection)
    return Phone(connection)


@pytest.fixture
def vendor() -> Iterator[twilio_side.Interface]:
    with twilio_side.interface() as found, override_settings(CALLPRIVACY_TWILIO_URL=found.url):
        yield found


@pytest.fixture
def words(cast: Cast) -> Any:
    return twilio_side.notice(cast.dentist, channel=Channel.AGENT, name="Script")


def events(cast: Cast) -> list[ConsentEvent]:
    with job_scope(agency_id=cast.acme.pk):
        return list(ConsentEvent.objects.for_client(cast.dentist).order_by("recorded_at", "purpose"))


def tap(browser: Browser, deed: str, **who: Any) -> Any:
    form = {"deed": deed, "tap": str(uuid.uuid4()), "language": "en"} | {
        name: str(value) for name, value in who.items()
    }
    return browser.post(reverse("consent:desk_tap", args=["dentist"]), form)


def said(browser: Browser, answer: Any) -> str:
    """What the page says after a tap, or after a form that did not do."""
    if answer.status_code == 422:
        refused: str = answer.text
        return refused
    assert answer.status_code == 302, answer.content
    text: str = browser.get(answer.headers["Location"]).text
    return text


def caller(cast: Cast) -> uuid.UUID:
    found = make.call(cast.dentist, CALLER).caller_id
    assert found is not None
    return found


# --- Who it is ---


def test_an_agent_lands_here_and_a_single_client_is_chosen(dora: Browser) -> None:
    assert dora.get("/").headers["Location"] == reverse("consent:desk")
    page = dora.get(reverse("consent:desk")).text
    assert "Find the caller" in page
    assert "Choose a client" not in page


def test_only_granted_clients_can_be_chosen(cast: Cast, dora: Browser) -> None:
    assert dora.get(reverse("consent:desk") + "?client=plumber").status_code == 404
    assert signed_in(cast.mallory).get(reverse("consent:desk") + "?client=dentist").status_code == 404
    assert "Choose a client" in signed_in(cast.alice).get(reverse("consent:desk")).text
    for person in (cast.bob, cast.carol):
        assert "You have no clients to answer for" in signed_in(person).get(reverse("consent:desk")).text
    assert Browser().get(reverse("consent:desk")).status_code == 302


def test_who_is_on_the_phone_is_found_or_becomes_somebody(cast: Cast, dora: Browser) -> None:
    known = caller(cast)
    find = reverse("consent:desk_find")
    answer = dora.post(find, {"client": "dentist", "number": "(415) 555-0101"})
    assert f"caller={known}" in answer.headers["Location"]
    answer = dora.post(find, {"client": "dentist", "number": NEW})
    where = answer.headers["Location"]
    assert "5550144" not in where
    with job_scope(agency_id=cast.acme.pk):
        assert Caller.objects.for_client(cast.dentist).count() == 2
        assert Event.objects.filter(action="caller.added").count() == 1
    assert "+1 ••• ••• 0144" in dora.get(where).text
    assert dora.post(find, {"client": "plumber", "number": NEW}).headers["Location"] == reverse(
        "consent:desk"
    )
    for wrong, words in (
        ("(415) 555-010", "Enter a valid phone number"),
        ("", "Write the number to look for"),
    ):
        answer = dora.post(find, {"client": "dentist", "number": wrong})
        assert answer.status_code == 422
        assert words in answer.text
        assert f'value="{wrong}" aria-invalid="true"' in answer.text
        assert "aria-invalid" not in dora.get(reverse("consent:desk") + "?client=dentist").text
    with job_scope(agency_id=cast.acme.pk):
        assert Caller.objects.count() == 2


def test_staff_are_warned_of_whoever_is_not_to_be_asked_until_the_day_on_which_they_may(
    cast: Cast, dora: Browser
) -> None:
    caller_id, other = caller(cast), make.call(cast.dentist, NEW).caller_id
    assert other is not None
    day = NOON.date() + timedelta(days=365)
    vault.suppress(client_id=cast.dentist.pk, numbers=[CALLER], purposes={NOT_ASKED}, at=NOON, ends_on=day)
    alice = signed_in(cast.alice)

    def warned(of: uuid.UUID) -> list[bool]:
        pages = (
            dora.get(reverse("consent:desk") + f"?client=dentist&caller={of}"),
            alice.get(reverse("consent:caller", args=["dentist", of])),
            alice.get(reverse("consent:record_said", args=["dentist", of])),
        )
        assert [page.status_code for page in pages] == [200, 200, 200]
        return [
            "No consent requests until" in page.text
            and f">{day:%-d %b %Y}<" in page.text.split("requests until")[1][:120]
            for page in pages
        ]

    assert warned(caller_id) == [True, True, True]
    assert warned(other) == [False, False, False]
    assert asking.not_asked_until(cast.dentist, caller_id, at=NOON + timedelta(days=364)) == day
    assert asking.not_asked_until(cast.dentist, caller_id, at=NOON + timedelta(days=365)) is None


def test_the_calls_that_run_now_are_listed(cast: Cast, dora: Browser, phone: Phone) -> None:
    phone.ring()
    phone.press("1")
    make.call(
        cast.dentist, NEW, at=NOON + timedelta(hours=5, minutes=50), outcome=Outcome.UNDERWAY, seconds=None
    )
    make.call(
        cast.plumber, NEW, at=NOON + timedelta(hours=5, minutes=50), outcome=Outcome.UNDERWAY, seconds=None
    )
    part = dora.get(reverse("consent:desk_running")).text
    assert part.count("<li>") == 2
    assert "Recording" in part
    assert "At the tracker" in part
    assert "Plumber" not in part
    phone.hang_up()
    assert dora.get(reverse("consent:desk_running")).text.count("<li>") == 1
    assert signed_in(cast.mallory).get(reverse("consent:desk_running")).text.count("<li>") == 0


# --- What was said ---


def test_the_script_is_the_published_words_in_the_language_asked_for(
    cast: Cast, dora: Browser, words: Any
) -> None:
    twilio_side.notice(cast.dentist, channel=Channel.AGENT, language=Language.SPANISH, name="Script")
    address = reverse("consent:desk") + f"?client=dentist&caller={caller(cast)}"
    assert twilio_side.WORDS["en"] in dora.get(address).text
    assert twilio_side.WORDS["es"] in dora.get(address + "&language=es").text
    assert twilio_side.WORDS["en"] in dora.get(address + "&language=xx").text


def test_without_words_in_force_it_says_what_to_do(cast: Cast, dora: Browser) -> None:
    page = dora.get(reverse("consent:desk") + f"?client=dentist&caller={caller(cast)}").text
    assert "Publish a notice for" in page
    assert "I read the notice" not in page
    assert "No notice for agents is in force" in said(dora, tap(dora, "spoke", caller=caller(cast)))
    assert events(cast) == []


def test_the_notice_that_was_spoken_is_written_down_with_its_words(
    cast: Cast, dora: Browser, words: Any
) -> None:
    caller_id = caller(cast)
    said(dora, tap(dora, "spoke", caller=caller_id))
    found = events(cast)
    assert {row.purpose for row in found} == {"record", "review", "analyse"}
    assert {(row.kind, row.basis, row.channel, row.scope, row.strength) for row in found} == {
        ("noticed", "notice", "agent", "standing", "C")
    }
    assert {row.version_id for row in found} == {words.pk}
    with job_scope(agency_id=cast.acme.pk):
        opened = ledger.evidence_of(client=cast.dentist, events=found, at=NOON)
    assert opened[found[0].pk]["words"] == twilio_side.WORDS["en"]


def test_nobody_agrees_before_the_notice_was_spoken(
    cast: Cast, agent: Membership, dora: Browser, words: Any
) -> None:
    caller_id = caller(cast)
    assert "Read the notice to the caller first" in said(dora, tap(dora, "agree", caller=caller_id))
    assert events(cast) == []
    tap(dora, "spoke", caller=caller_id)
    assert "from now on" in said(dora, tap(dora, "agree", caller=caller_id))
    with job_scope(agency_id=cast.acme.pk):
        states = ConsentState.objects.for_client(cast.dentist)
        assert set(states.values_list("state", "strength")) == {(State.GIVEN, Strength.C)}
    with time_machine.travel(NOON + timedelta(hours=11), tick=False):
        later = signed_in(agent)
        assert "Read the notice to the caller first" in said(later, tap(later, "agree", caller=caller_id))


def test_a_yes_for_this_call_names_the_call_that_runs(
    cast: Cast, dora: Browser, phone: Phone, words: Any
) -> None:
    phone.ring()
    phone.press("2")
    with job_scope(agency_id=cast.acme.pk):
        session = MenuSession.objects.get()
    tap(dora, "spoke", caller=session.caller_id)
    said(dora, tap(dora, "agree_call", caller=session.caller_id))
    (given,) = [
        row
        for row in events(cast)
        if row.channel == "agent" and row.kind == "given" and row.purpose == "record"
    ]
    assert given.scope == Scope.THIS_CALL
    assert bytes(given.call_digest or b"") == bytes(session.call_digest)


def test_a_yes_for_this_call_needs_a_call(cast: Cast, dora: Browser, words: Any) -> None:
    caller_id = caller(cast)
    tap(dora, "spoke", caller=caller_id)
    assert "No call is in progress" in said(dora, tap(dora, "agree_call", caller=caller_id))


def test_stop_recording_me_is_one_tap_that_stops_what_runs(cast: Cast, dora: Browser, phone: Phone) -> None:
    phone.ring()
    phone.press("1")
    with job_scope(agency_id=cast.acme.pk):
        session = MenuSession.objects.get(is_recording=True)
    page = said(dora, tap(dora, "stop", caller=session.caller_id))
    assert f"Stopped at {new_york(NOON + timedelta(hours=6), CLOCK)}." in page
    assert "is being stopped; it is deleted there once enforcement is on" in page
    with job_scope(agency_id=cast.acme.pk):
        session.refresh_from_db()
        assert not session.is_recording
        assert session.stopped_at == NOON + timedelta(hours=6)
        steps = VendorTask.objects.for_client(cast.dentist)
        assert set(steps.values_list("step", flat=True)) == {
            VendorStep.STOP_RECORDING,
            VendorStep.DELETE_RECORDING,
        }
        states = ConsentState.objects.for_client(cast.dentist).filter(state=State.WITHDRAWN)
        assert set(states.values_list("purpose", flat=True)) == {"record", "review", "analyse"}
    found = vault_selectors.suppressed(cast.dentist.pk, [CALLER], on=NOON.date())
    assert set(found[CALLER]) == {"record", "review", "analyse"}


def test_who_withholds_the_number_can_stop_it_too(cast: Cast, dora: Browser, phone: Phone) -> None:
    """Of two such calls the one on the line is stopped, and no other."""
    phone.caller = "anonymous"
    phone.ring()
    phone.press("1")
    other = Phone(phone.connection, caller="anonymous", call=FOREIGN)
    other.ring()
    other.press("1")
    with job_scope(agency_id=cast.acme.pk):
        first, second = MenuSession.objects.order_by("pk")
    page = said(dora, tap(dora, "stop", call=first.pk))
    assert "Stopped at" in page
    with job_scope(agency_id=cast.acme.pk):
        first.refresh_from_db()
        second.refresh_from_db()
    assert (first.is_recording, second.is_recording) == (False, True)
    mine = [row for row in events(cast) if row.channel == "agent"]
    assert {(row.kind, row.scope, row.caller_id) for row in mine} == {("withdrawn", "this_call", None)}
    assert "number is hidden" in said(dora, tap(dora, "take_off", call=first.pk))


def test_take_me_off_is_one_tap(cast: Cast, dora: Browser) -> None:
    caller_id = caller(cast)
    page = said(dora, tap(dora, "take_off", caller=caller_id))
    at = new_york(NOON + timedelta(hours=6), CLOCK)
    assert f"Opt-out saved at {at}. Do not call or text this number for Dentist." in page
    assert "cannot be undone here" in page
    assert {(row.purpose, row.kind) for row in events(cast)} == {("contact", "withdrawn")}
    assert "contact" in vault_selectors.suppressed(cast.dentist.pk, [CALLER], on=NOON.date())[CALLER]


def test_the_same_tap_twice_is_one_fact(cast: Cast, dora: Browser) -> None:
    caller_id, mark = caller(cast), str(uuid.uuid4())
    tap(dora, "stop", caller=caller_id, tap=mark)
    assert "saved already" in said(dora, tap(dora, "stop", caller=caller_id, tap=mark))
    assert len(events(cast)) == 3


def test_no_tap_reaches_anybody_elses_caller(cast: Cast, dora: Browser) -> None:
    foreign = make.call(cast.plumber, CALLER).caller_id
    for deed in ("spoke", "agree", "agree_call", "stop", "take_off"):
        assert tap(dora, deed, caller=foreign).status_code == 404
        assert tap(dora, deed, call=uuid.uuid4()).status_code == 404
        assert "Choose the caller first" in said(dora, tap(dora, deed))
    assert "Choose the caller first" in said(dora, tap(dora, "erase", caller=caller(cast)))
    plumber = reverse("consent:desk_tap", args=["plumber"])
    form = {"deed": "stop", "tap": str(uuid.uuid4()), "caller": str(foreign)}
    assert dora.post(plumber, form).status_code == 404
    assert signed_in(cast.bob).post(reverse("consent:desk_tap", args=["dentist"]), form).status_code == 403
    assert signed_in(cast.mallory).post(plumber, form).status_code == 404
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentEvent.objects.exists()


def test_who_is_erased_is_not_on_the_desk(cast: Cast, dora: Browser) -> None:
    caller_id = caller(cast)
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[vault.Erasure(caller_id)], at=NOON)
    assert dora.get(reverse("consent:desk") + f"?client=dentist&caller={caller_id}").status_code == 404
    assert tap(dora, "stop", caller=caller_id).status_code == 404


@pytest.mark.thorough
def test_the_desk_takes_the_same_questions_however_much_there_is(
    cast: Cast, dora: Browser, words: Any, phone: Phone, django_assert_max_num_queries: Any
) -> None:
    caller_id = caller(cast)
    for _ in range(3):
        tap(dora, "spoke", caller=caller_id)
    address = reverse("consent:desk") + f"?client=dentist&caller={caller_id}"
    dora.get(address)
    with django_assert_max_num_queries(34):
        dora.get(address)


# --- Calling back ---


def name_account(phone: Phone) -> None:
    """A first signed call names the account."""
    phone.ring()
    phone.hang_up()


def ask(browser: Browser, caller_id: uuid.UUID, number: str = OWN) -> Any:
    return browser.post(
        reverse("consent:desk_call_back", args=["dentist"]), {"caller": str(caller_id), "own_number": number}
    )


def only(cast: Cast) -> CallBack:
    with job_scope(agency_id=cast.acme.pk):
        return CallBack.objects.for_client(cast.dentist).get()


def work(cast: Cast) -> None:
    tasks.ring_agents.run(agency_id=cast.acme.pk)


def go(phone: Phone, address: str, **more: str) -> Any:
    return phone.go(urlsplit(address).path, **({"From": TRACKING, "To": OWN} | more))


def test_a_caller_is_called_back_and_nobody_sees_the_number(
    cast: Cast, dora: Browser, agent: Membership, phone: Phone, vendor: twilio_side.Interface
) -> None:
    caller_id = caller(cast)
    name_account(phone)
    page = said(dora, ask(dora, caller_id))
    assert "Your phone is about to ring" in page
    work(cast)
    (order,) = [one for one in vendor.asked if one.path.endswith("/Calls.json")]
    assert (order.said["To"], order.said["From"]) == (OWN, TRACKING)
    assert CALLER not in str(order)
    assert only(cast).state == WaitingState.SENT
    assert only(cast).agent_number is None
    greeting = go(phone, order.said["Url"])
    gather = greeting.find("Gather")
    assert gather is not None
    assert greeting.find("Dial") is None, "no voicemail of the agent's talks to a caller"
    go(phone, gather.attrib["action"], Digits="1")
    assert phone.dialled == CALLER
    dial = phone.heard.find("Dial")
    assert dial is not None
    assert dial.attrib == {"timeout": "40", "callerId": TRACKING}, "and nothing records"
    assert only(cast).state == WaitingState.DONE
    state = dora.get(reverse("consent:desk_call_back_state", args=["dentist", caller_id])).text
    assert "The call connected you" in state
    assert "hx-get" not in state
    assert CALLER not in state
    with job_scope(agency_id=cast.acme.pk):
        asked, connected = (Event.objects.get(action=f"call_back.{verb}") for verb in ("asked", "connected"))
        assert asked.actor_user_id == agent.user_id
        assert connected.details["asked_by"] == agent.user_id
    go(phone, gather.attrib["action"], Digits="1")
    assert phone.dialled is None, "once"


def test_without_a_key_nobody_is_called(cast: Cast, dora: Browser, phone: Phone, vendor: Any) -> None:
    name_account(phone)
    ask(dora, caller(cast))
    work(cast)
    row = only(cast)
    go(phone, f"/twilio/{phone.connection.key}/desk/{row.pk}/connect/")
    assert phone.dialled is None
    go(phone, f"/twilio/{phone.connection.key}/desk/{uuid.uuid4()}/connect/", Digits="1")
    assert phone.dialled is None


def test_who_said_no_in_the_meantime_is_not_called(
    cast: Cast, dora: Browser, phone: Phone, vendor: Any
) -> None:
    name_account(phone)
    caller_id = caller(cast)
    ask(dora, caller_id)
    work(cast)
    tap(dora, "take_off", caller=caller_id)
    go(phone, f"/twilio/{phone.connection.key}/desk/{only(cast).pk}/connect/", Digits="1")
    assert phone.dialled is None
    assert "cannot be called" in phone.words
    assert only(cast).state == WaitingState.FAILED


@pytest.mark.thorough
def test_who_said_no_before_is_not_even_asked_for(cast: Cast, dora: Browser, phone: Phone) -> None:
    name_account(phone)
    caller_id = caller(cast)
    tap(dora, "take_off", caller=caller_id)
    assert "The call was not placed." in said(dora, ask(dora, caller_id))
    with job_scope(agency_id=cast.acme.pk):
        assert not CallBack.objects.exists()


def test_nobody_is_called_at_night(cast: Cast, agent: Membership, phone: Phone) -> None:
    name_account(phone)
    caller_id = caller(cast)
    with time_machine.travel(NOON + timedelta(hours=20), tick=False):
        browser = signed_in(agent)
        page = said(browser, ask(browser, caller_id))
        assert "The call was not placed." in page
        # The number is of California, the client in New York: eight there is eleven here.
        from_then = new_york(local(1, 11), "%A %-d %B, %H:%M %Z")
        assert f"You can call back from {from_then}." in page


def test_a_call_back_that_does_not_come_about_leaves_the_words_and_the_number_as_they_were(
    cast: Cast, dora: Browser, agent: Membership, phone: Phone
) -> None:
    name_account(phone)
    twilio_side.notice(cast.dentist, channel=Channel.AGENT, name="Script")
    twilio_side.notice(cast.dentist, channel=Channel.AGENT, language=Language.SPANISH, name="Guion")
    caller_id = caller(cast)
    page = dora.get(reverse("consent:desk") + f"?client=dentist&caller={caller_id}&language=es").text
    form = page.split(reverse("consent:desk_call_back", args=["dentist"]))[1].split("</form>")[0]
    assert '<input type="hidden" name="language" value="es" />' in form

    def asked(number: str, at: timedelta = timedelta(hours=6)) -> Any:
        with time_machine.travel(NOON + at, tick=False):
            fields = {"caller": str(caller_id), "own_number": number, "language": "es"}
            return signed_in(agent).post(reverse("consent:desk_call_back", args=["dentist"]), fields)

    for answer, typed in (
        (asked("(415) 555-016"), "(415) 555-016"),
        (asked(CALLER), CALLER),
        (asked(OWN, timedelta(hours=20)), OWN),
    ):
        assert answer.status_code == 422
        assert answer.context["language"] == Language.SPANISH
        assert f'value="{typed}"' in answer.text
    led_to = asked(OWN).headers["Location"]
    assert led_to.endswith("&language=es")
    assert OWN not in led_to


@pytest.mark.thorough
def test_without_twilio_it_explains(cast: Cast, dora: Browser) -> None:
    caller_id = caller(cast)
    page = dora.get(reverse("consent:desk") + f"?client=dentist&caller={caller_id}").text
    assert "no active Twilio connection" in page
    assert "no active Twilio connection" in said(dora, ask(dora, caller_id))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("hello", "Enter a valid phone number"),
        (CALLER, "Enter the number of your own phone"),
        pytest.param("", "Enter your phone number", marks=pytest.mark.thorough),
    ],
)
def test_ones_own_number_has_to_be_one(
    cast: Cast, dora: Browser, phone: Phone, number: str, words: str
) -> None:
    name_account(phone)
    assert words in said(dora, ask(dora, caller(cast), number))
    with job_scope(agency_id=cast.acme.pk):
        assert not CallBack.objects.exists()


def test_what_twilio_refuses_is_said_and_what_it_did_not_hear_is_tried_again(
    cast: Cast, dora: Browser, phone: Phone, vendor: twilio_side.Interface
) -> None:
    name_account(phone)
    caller_id = caller(cast)
    ask(dora, caller_id)
    vendor.answers = [(503, {})]
    work(cast)
    assert only(cast).state == WaitingState.WAITING
    with time_machine.travel(NOON + timedelta(hours=6, seconds=15), tick=False):
        vendor.answers = [(400, {"code": 21211})]
        work(cast)
    row = only(cast)
    assert (row.state, row.agent_number) == (WaitingState.FAILED, None)
    page = dora.get(reverse("consent:desk") + f"?client=dentist&caller={caller_id}").text
    assert "Twilio rejected the request" in page
    assert OWN not in page


def test_nobody_is_rung_minutes_later(cast: Cast, dora: Browser, phone: Phone, vendor: Any) -> None:
    name_account(phone)
    ask(dora, caller(cast))
    with time_machine.travel(NOON + timedelta(hours=6, minutes=3), tick=False):
        work(cast)
    assert only(cast).state == WaitingState.FAILED
    assert not [one for one in vendor.asked if one.path.endswith("/Calls.json")]


def test_a_forged_question_is_told_nothing(cast: Cast, dora: Browser, phone: Phone, vendor: Any) -> None:
    name_account(phone)
    ask(dora, caller(cast))
    work(cast)
    address = f"/twilio/{phone.connection.key}/desk/{only(cast).pk}/connect/"
    forged = twilio_side.post(address, phone.said(Digits="1"), signature="AAAA")
    assert forged.status_code == 403
    other = twilio_side.connect(cast.plumber, token="1" * 32)
    theirs = f"/twilio/{other.key}/desk/{only(cast).pk}/connect/"
    answer = twilio_side.post(
        theirs, {"CallSid": FOREIGN, "AccountSid": "AC" + "b" * 32, "Digits": "1"}, token="1" * 32
    )
    assert CALLER not in answer.text
    assert only(cast).connected_at is None


def test_calls_back_leave_after_a_day(cast: Cast, dora: Browser, phone: Phone) -> None:
    name_account(phone)
    ask(dora, caller(cast))
    assert call_backs.purge(agency_id=cast.acme.pk, at=NOON + timedelta(hours=20)) == 0
    assert call_backs.purge(agency_id=cast.acme.pk, at=NOON + timedelta(hours=31)) == 1


def test_nobody_watches_another_agents_call_back(cast: Cast, dora: Browser, phone: Phone) -> None:
    name_account(phone)
    caller_id = caller(cast)
    ask(dora, caller_id)
    address = reverse("consent:desk_call_back_state", args=["dentist", caller_id])
    assert dora.get(address).status_code == 200
    assert signed_in(cast.alice).get(address).status_code == 404
    assert signed_in(cast.bob).get(address).status_code == 403
    assert signed_in(cast.mallory).get(address).status_code == 404


# --- What an agent may, and nothing else ---


def test_an_agent_works_at_the_desk_and_manages_nothing(cast: Cast, dora: Browser) -> None:
    known = caller(cast)
    there = {
        "web": {"origins": "https://www.example.com", "swap_url": "https://evil.example/x.js"},
        "menus": {},
        "new_notice": {},
        "terms": {},
        "withdrawals": {},
        "invitations": {},
    }
    for name, form in there.items():
        address = reverse(f"consent:{name}", args=["dentist"])
        assert dora.get(address).status_code == 403, name
        assert dora.post(address, form).status_code in {403, 405}, name
    for name in ("record_said", "hand_link"):
        assert dora.post(reverse(f"consent:{name}", args=["dentist", known])).status_code == 403
    page = dora.get(reverse("consent:desk")).text
    assert f'href="{reverse("consent:desk")}"' in page
    assert f'href="{reverse("consent:home")}"' not in page


def test_postgresql_lets_an_agent_write_what_the_desk_writes(cast: Cast, agent: Membership) -> None:
    """Said to an agent alone: what came by a form or a text is none of theirs to write."""
    known = caller(cast)
    by = Actor.staff(user_id=agent.user_id)

    def fact(channel: Channel) -> ledger.Said:
        return ledger.Said(
            Purpose.CONTACT,
            EventKind.WITHDRAWN,
            channel,
            Strength.C,
            NOON,
            f"test {channel}",
            caller_id=known,
        )

    with staff_scope(agency_id=cast.acme.pk, user_id=agent.user_id):
        ledger.record_events(client=cast.dentist, said=[fact(Channel.AGENT)], by=by, at=NOON)
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            ledger.record_events(client=cast.dentist, said=[fact(Channel.WEB)], by=by, at=NOON)
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            WebPage.objects.create(
                agency_id=cast.acme.pk, client=cast.dentist, key="k", created_at=NOON, key_changed_at=NOON
            )


def test_take_me_off_answers_the_open_questions_of_an_agents_caller(
    cast: Cast, dora: Browser, words: Any
) -> None:
    known = caller(cast)
    with job_scope(agency_id=cast.acme.pk):
        Invitation.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, version=words, caller_id=known, channel=Channel.SMS,
            created_at=NOON, purge_at=NOON + timedelta(days=9),
        )  # fmt: skip
    assert "Opt-out saved at" in said(dora, tap(dora, "take_off", caller=known))
    with job_scope(agency_id=cast.acme.pk):
        assert Invitation.objects.get().state == InvitationState.ANSWERED


# --- A vendor's bill is no agent's to run up ---


@pytest.mark.parametrize(
    ("number", "why"),
    some(
        [
            ("+447400123456", "not in a country"),
            ("+18765550123", "not in a country"),
            ("+18005550123", "not in a country"),
            (NEW, "do-not-call list"),
        ],
        one_in=4,
    ),
)
def test_an_agents_own_phone_is_one_of_the_clients_country_and_nobodys_who_said_no(
    cast: Cast, dora: Browser, phone: Phone, number: str, why: str
) -> None:
    name_account(phone)
    with job_scope(agency_id=cast.acme.pk):
        refused = people.add_callers(client=cast.dentist, numbers=[NEW], at=NOON)[NEW]
    said(dora, tap(dora, "take_off", caller=refused))
    assert why in said(dora, ask(dora, caller(cast), number))
    with job_scope(agency_id=cast.acme.pk):
        assert not CallBack.objects.exists()


def test_who_has_not_called_is_called_back_in_the_clients_countries_alone(
    cast: Cast, dora: Browser, phone: Phone
) -> None:
    name_account(phone)
    london = "+442079460123"
    with job_scope(agency_id=cast.acme.pk):
        met = people.add_callers(client=cast.dentist, numbers=[london], at=NOON)[london]
    assert "has not called this client" in said(dora, ask(dora, met))
    make.call(cast.dentist, london)
    assert "has not called this client" not in said(dora, ask(dora, met))


def test_an_agent_calls_back_so_often_an_hour(
    cast: Cast, dora: Browser, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_account(phone)
    monkeypatch.setattr(call_backs, "AN_HOUR_AT_MOST", 2)
    who = caller(cast)
    for _ in range(2):
        assert "about to ring" in said(dora, ask(dora, who))
    assert "Try again later" in said(dora, ask(dora, who))
    with job_scope(agency_id=cast.acme.pk):
        assert CallBack.objects.count() == 2
