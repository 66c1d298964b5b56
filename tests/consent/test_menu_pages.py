"""Pages of menus and messages: what a person sets up, tries out, reads and decides; and the demo's telephone."""

import base64
import json
import threading
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection as database
from django.test import Client as Browser
from django.test import override_settings

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import Caller, Connection, ConnectionSecret, Pull, PullRun, TrackingNumber
from callprivacy.calls.services import connections, people, pulls
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from consent.enums import Channel, Language, ReplyState
from consent.models import ConsentEvent, Invitation, NoticeVersion, PhoneMenu, Reply
from consent.selectors import menus as selectors
from consent.services import call_backs, menus, phone, twilio_door
from tests import make
from tests.accounts.browsers import signed_in
from tests.aside import Aside
from tests.cast import Cast
from tests.consent import twilio_side
from tests.consent.twilio_side import CALLER, LINE, TRACKING
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)


@pytest.fixture
def alice(cast: Cast) -> Browser:
    return signed_in(cast.alice)


@pytest.fixture
def connection(cast: Cast) -> Connection:
    return twilio_side.connect(cast.dentist)


@pytest.fixture
def number(cast: Cast) -> TrackingNumber:
    return make.tracking_number(cast.dentist, TRACKING, label="Ads")


def facts(
    number: TrackingNumber | None, connection: Connection, version: NoticeVersion, **more: str
) -> dict[str, str]:
    return {
        "number": str(number.pk) if number else "", "connection": str(connection.pk), "languages": "en-only",
        "english": str(version.notice_id), "spanish": "", "forward_to": "(415) 555-0180", "person_line": "",
        "wait_seconds": "6",
    } | more  # fmt: skip


def only_menu(cast: Cast) -> PhoneMenu:
    with job_scope(agency_id=cast.acme.pk):
        return PhoneMenu.objects.for_client(cast.dentist).select_related("client").get()


# --- Menus ---


def test_a_menu_is_set_up_tried_out_and_switched_on_and_off(
    cast: Cast, alice: Browser, connection: Connection, number: TrackingNumber
) -> None:
    version = twilio_side.notice(cast.dentist)
    answer = alice.post("/clients/dentist/consent/menus/new/", facts(number, connection, version))
    menu = only_menu(cast)
    assert answer["Location"] == f"/clients/dentist/consent/menus/{menu.pk}/"
    assert (menu.forward_to, menu.is_active) == (LINE, False)
    page = alice.get(answer["Location"]).content.decode()
    assert f"/twilio/{connection.key}/voice/" in page
    assert f"/twilio/{connection.key}/voice/status/" in page
    assert "&lt;Dial timeout=&quot;30&quot;&gt;" in page
    alice.post(f"/clients/dentist/consent/menus/{menu.pk}/activate/")
    assert only_menu(cast).is_active
    assert "Active" in alice.get("/clients/dentist/consent/menus/").content.decode()
    alice.post(f"/clients/dentist/consent/menus/{menu.pk}/deactivate/")
    assert not only_menu(cast).is_active


def test_without_published_words_it_does_not_answer_calls(
    cast: Cast, alice: Browser, connection: Connection, number: TrackingNumber
) -> None:
    version = twilio_side.notice(cast.dentist, published=False)
    alice.post("/clients/dentist/consent/menus/new/", facts(number, connection, version))
    menu = only_menu(cast)
    page = alice.post(f"/clients/dentist/consent/menus/{menu.pk}/activate/", follow=True).content.decode()
    assert "Publish the notice" in page
    assert not only_menu(cast).is_active


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"forward_to": "call me"}, "Enter a valid phone number"),
        pytest.param({"english": ""}, "Choose a notice", marks=pytest.mark.thorough),
        pytest.param({"languages": "en"}, "Choose a notice", marks=pytest.mark.thorough),
        pytest.param({"wait_seconds": "1"}, "greater than or equal to 3", marks=pytest.mark.thorough),
        pytest.param({"number": ""}, "required", marks=pytest.mark.thorough),
        ({"number": str(uuid.uuid4())}, "one from the list"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(
    cast: Cast, alice: Browser, number: TrackingNumber, change: dict[str, str], said: str
) -> None:
    connection = twilio_side.connect(cast.dentist)
    version = twilio_side.notice(cast.dentist)
    page = alice.post("/clients/dentist/consent/menus/new/", facts(number, connection, version) | change)
    assert said in page.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not PhoneMenu.objects.exists()


def test_a_menu_that_answers_calls_cannot_be_changed_into_one_that_cannot(
    cast: Cast, alice: Browser, connection: Connection
) -> None:
    menu = twilio_side.menu(cast.dentist, connection)
    draft = twilio_side.notice(cast.dentist, published=False, name="Draft")
    path = f"/clients/dentist/consent/menus/{menu.pk}/change/"
    page = alice.post(path, facts(None, connection, draft)).content.decode()
    assert "Publish the notice" in page
    assert only_menu(cast).notice_id == menu.notice_id
    with job_scope(agency_id=cast.acme.pk):
        version = NoticeVersion.objects.get(notice_id=menu.notice_id)
    alice.post(path, facts(None, connection, version, wait_seconds="9"))
    assert only_menu(cast).wait_seconds == 9


def test_spanish_may_come_first(
    cast: Cast, alice: Browser, connection: Connection, number: TrackingNumber
) -> None:
    version = twilio_side.notice(cast.dentist)
    other = twilio_side.notice(cast.dentist, language=Language.SPANISH)
    said = facts(number, connection, version, languages="es", spanish=str(other.notice_id))
    alice.post("/clients/dentist/consent/menus/new/", said)
    menu = only_menu(cast)
    assert (menu.language, menu.notice_id, menu.other_notice_id) == ("es", other.notice_id, version.notice_id)
    page = alice.get(f"/clients/dentist/consent/menus/{menu.pk}/change/").content.decode()
    assert '<option value="es" selected>' in page


def test_a_number_has_one_menu(cast: Cast, connection: Connection) -> None:
    menu = twilio_side.menu(cast.dentist, connection)
    with job_scope(agency_id=cast.acme.pk), pytest.raises(menus.MenuTakenError):
        menus.add_menu(
            client=cast.dentist,
            number=TrackingNumber.objects.get(),
            facts={"connection": connection, "notice": menu.notice, "forward_to": LINE},
            by=make.JOB,
            at=NOON,
        )


@pytest.mark.thorough
def test_the_lists_ask_a_fixed_number_of_questions(
    cast: Cast, alice: Browser, connection: Connection, django_assert_max_num_queries: Any
) -> None:
    twilio_side.menu(cast.dentist, connection)
    waiting(cast)
    for path in ("/clients/dentist/consent/menus/", "/clients/dentist/consent/messages/"):
        with django_assert_max_num_queries(24):
            assert alice.get(path).status_code == 200


# --- The preview ---


def test_the_preview_says_what_would_be_said_and_written(
    cast: Cast, alice: Browser, connection: Connection
) -> None:
    menu = twilio_side.menu(cast.dentist, connection, spanish=True)
    path = f"/clients/dentist/consent/menus/{menu.pk}/preview/"
    page = alice.get(path).content.decode()
    assert twilio_side.WORDS["en"] in page
    assert "Not recorded" in page
    assert 'value="1"' in page
    page = alice.get(path, {"keys": "c", "press": "1"}).content.decode()
    assert "The recording starts." in page
    assert "Agreed for this call" in page
    page = alice.get(path, {"keys": "c3", "press": "9"}).content.decode()
    assert "Es un no para todas las llamadas" in page
    assert "Withdrawn permanently" in page
    page = alice.get(path, {"keys": "c", "press": "9", "withheld": "on"}).content.decode()
    assert "cannot apply your choice" in page
    page = alice.get(path, {"never": "on"}).content.decode()
    assert "Press 1" not in page
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize("keys", some(["<script>", "c" + "7" * 200, "x", "é", "c1h1", "1"], one_in=3))
def test_the_preview_takes_whatever_is_in_its_address(
    cast: Cast, alice: Browser, connection: Connection, keys: str
) -> None:
    menu = twilio_side.menu(cast.dentist, connection)
    answer = alice.get(f"/clients/dentist/consent/menus/{menu.pk}/preview/", {"keys": keys})
    assert answer.status_code == 200
    assert "<script>" not in answer.content.decode().replace('<script src="', "")


def test_the_preview_shows_a_draft_as_one_and_a_menu_without_words_as_none(
    cast: Cast, alice: Browser, connection: Connection
) -> None:
    version = twilio_side.notice(cast.dentist, published=False)
    menu = twilio_side.menu(cast.dentist, connection, version=version, active=False)
    path = f"/clients/dentist/consent/menus/{menu.pk}/preview/"
    assert "This notice is a draft" in alice.get(path).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        NoticeVersion.objects.all().delete()
    assert "no text yet" in alice.get(path).content.decode()


def test_everything_that_can_happen_is_walked(cast: Cast, connection: Connection) -> None:
    menu = twilio_side.menu(cast.dentist, connection, spanish=True)
    with job_scope(agency_id=cast.acme.pk):
        found = selectors.tried(PhoneMenu.objects.select_related("client").get(pk=menu.pk))
    assert found.faults == []
    assert found.ways > 1000
    assert found.recorded > 0


# --- The account ---


def test_the_account_and_redaction_are_said(cast: Cast, alice: Browser, connection: Connection) -> None:
    path = f"/clients/dentist/consent/accounts/{connection.pk}/"
    page = alice.post(path, {"account": "AC123"}).content.decode()
    assert "AC followed by 32" in page
    alice.post(path, {"account": twilio_side.ACCOUNT, "redaction": "on"})
    with job_scope(agency_id=cast.acme.pk):
        mapping = Connection.objects.get(pk=connection.pk).mapping
    assert mapping == {"account": twilio_side.ACCOUNT, "twilio_answers": False}
    assert "redaction is on" in alice.get("/clients/dentist/consent/menus/").content.decode()
    other = f"AC{'0' * 32}"
    for account in ("", other):
        page = alice.post(path, {"account": account, "redaction": "on"}).content.decode()
        assert "Enter that account’s auth token" in page.replace("&#x27;", "’")
    with job_scope(agency_id=cast.acme.pk):
        assert Connection.objects.get(pk=connection.pk).mapping["account"] == twilio_side.ACCOUNT
    alice.post(path, {"account": other, "secret": "t" * 32})
    with job_scope(agency_id=cast.acme.pk):
        assert Connection.objects.get(pk=connection.pk).mapping["account"] == other
        assert Event.objects.filter(action="connection.account_changed").count() == 1
        alive = ConnectionSecret.objects.filter(connection=connection, ends_at=None)
        assert [row.secret for row in alive] == ["t" * 32]
    alice.post(path, {"account": "", "secret": "u" * 32})
    with job_scope(agency_id=cast.acme.pk):
        assert Connection.objects.get(pk=connection.pk).mapping == {"twilio_answers": True}


def test_a_connection_that_moves_asks_the_account_before_for_no_calls_any_more(
    cast: Cast, alice: Browser, connection: Connection
) -> None:
    path, other = f"/clients/dentist/consent/accounts/{connection.pk}/", f"AC{'0' * 32}"
    asked: dict[str, Any] = {"company": "", "login": "", "only_known": False, "by": make.JOB, "at": NOON}
    with job_scope(agency_id=cast.acme.pk):
        pulls.set_access(connection=connection, account=twilio_side.ACCOUNT, secret="k" * 32, **asked)
    for account, is_asked in ((twilio_side.ACCOUNT, True), (other, False)):
        alice.post(path, {"account": account, "secret": "t" * 32})
        with job_scope(agency_id=cast.acme.pk):
            assert Connection.objects.get(pk=connection.pk).mapping["account"] == account
            row = Pull.objects.get(connection=connection)
            assert row.is_on is is_asked
            assert (row.secret is not None) is is_asked
            assert PullRun.objects.filter(state=JobState.QUEUED).exists() is is_asked
            assert Event.objects.filter(action="pull.closed").exists() is not is_asked
    with job_scope(agency_id=cast.acme.pk):
        pulls.set_access(connection=connection, account=other, secret="l" * 32, **asked)
    alice.post(path, {"account": other, "redaction": "on"})
    with job_scope(agency_id=cast.acme.pk):
        assert Pull.objects.get(connection=connection).is_on


# --- Messages ---


def waiting(cast: Cast, body: str = "we have got to STOP this bill", count: int = 1) -> Reply:
    connection = twilio_side.connect(cast.dentist, name=f"Texts {body[:9]}")
    for index in range(count):
        said = {
            "MessageSid": f"SM{uuid.uuid4().hex}", "AccountSid": twilio_side.ACCOUNT, "To": TRACKING,
            "From": f"+1415555{200 + index:04d}", "Body": body,
        }  # fmt: skip
        assert twilio_side.post(f"/twilio/{connection.key}/sms/", said).status_code == 200
    with job_scope(agency_id=cast.acme.pk):
        reply = Reply.objects.for_client(cast.dentist).order_by("-received_at").first()
        assert reply is not None
        return reply


def test_a_message_is_read_and_decided(cast: Cast, alice: Browser) -> None:
    reply = waiting(cast)
    page = alice.get("/clients/dentist/consent/messages/").content.decode()
    assert "bill" not in page
    path = f"/clients/dentist/consent/messages/{reply.pk}/"
    assert "we have got to STOP this bill" in alice.get(path).content.decode()
    page = alice.post(path, {"decision": "withdrawn"}).content.decode()
    assert "Select at least one withdrawn purpose" in page
    answer = alice.post(path, {"decision": "withdrawn", "purposes": ["contact", "record"]}, follow=True)
    assert "Withdrawn: being recorded, being called and texted." in answer.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert Reply.objects.get(pk=reply.pk).state == ReplyState.DECIDED
        assert set(ConsentEvent.objects.values_list("purpose", flat=True)) == {"contact", "record"}
    again = alice.post(path, {"decision": "nothing"}, follow=True)
    assert "has already been decided" in again.content.decode()


def test_messages_come_a_page_at_a_time(cast: Cast, alice: Browser) -> None:
    waiting(cast, count=27)
    page = alice.get("/clients/dentist/consent/messages/")
    assert page.content.decode().count("Read and decide") == 25
    after = page.context["table"]["after"]
    rest = alice.get("/clients/dentist/consent/messages/", {"after": after}).content.decode()
    assert rest.count("Read and decide") == 2
    assert alice.get("/clients/dentist/consent/messages/", {"after": "x"}).status_code == 200


def test_a_caller_is_asked_by_text_after_the_words_were_shown(cast: Cast, alice: Browser) -> None:
    version = twilio_side.notice(
        cast.dentist, channel=Channel.SMS, words="Acme Dental would like to record you."
    )
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=[CALLER], at=NOON)[CALLER]
    path = f"/clients/dentist/consent/ask/{caller_id}/"
    page = alice.get(path).content.decode()
    assert "Acme Dental would like to record you. Reply YES to agree. Reply STOP to end." in page
    assert CALLER not in page
    alice.post(path, {"version": str(version.pk)})
    with job_scope(agency_id=cast.acme.pk):
        assert Invitation.objects.get().caller_id == caller_id
    page = alice.post(path, {"version": str(version.pk)}).content.decode()
    assert "two weeks" in page


@pytest.mark.thorough
def test_without_words_for_texts_nobody_can_be_asked(cast: Cast, alice: Browser) -> None:
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=[CALLER], at=NOON)[CALLER]
    page = alice.get(f"/clients/dentist/consent/ask/{caller_id}/", follow=True).content.decode()
    assert "Publish a notice for the channel “Text message” first." in page


# --- The demo's telephone ---


@pytest.fixture
def demo(cast: Cast, connection: Connection) -> Connection:
    with job_scope(agency_id=cast.acme.pk):
        Agency.objects.filter(pk=cast.acme.pk).update(is_demo=True)
    twilio_side.menu(cast.dentist, connection)
    return connection


def signed(browser: Browser, path: str, body: str) -> Any:
    return browser.post("/demo/phone/sign/", {"path": path, "body": body})


def test_outside_a_demo_there_is_no_telephone(cast: Cast, alice: Browser, connection: Connection) -> None:
    assert alice.get("/demo/phone/").status_code == 404
    assert alice.get("/demo/phone/heard/").status_code == 404
    assert signed(alice, f"/twilio/{connection.key}/sms/", "Body=STOP").status_code == 404
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk), pytest.raises(phone.NotPlayedError):
        phone.sign(agency=cast.acme, path=f"/twilio/{connection.key}/sms/", body="", at=NOON)


def test_what_the_page_signs_gets_in_by_the_public_doors(
    cast: Cast, alice: Browser, demo: Connection
) -> None:
    page = alice.get("/demo/phone/").content.decode()
    assert f'data-key="{demo.key}"' in page
    assert twilio_side.TOKEN not in page
    account = f"AC{demo.pk.hex}"
    body = urlencode(
        {
            "CallSid": twilio_side.CALL,
            "AccountSid": account,
            "From": CALLER,
            "To": TRACKING,
            "CallStatus": "ringing",
        }
    )
    path = f"/twilio/{demo.key}/voice/"
    found = signed(alice, path, body).json()
    answer = Browser().post(
        path, body, content_type=twilio_side.FORM, headers={found["header"]: found["signature"]}
    )
    assert answer.status_code == 200
    assert b"<Gather" in answer.content


@pytest.mark.thorough
def test_a_callrail_call_is_signed_too(cast: Cast, alice: Browser, demo: Connection) -> None:
    with job_scope(agency_id=cast.acme.pk):
        rail = connections.create_connection(
            client=cast.dentist, provider="callrail", name="Rail", secret="k" * 32, by=make.JOB, at=NOON
        )
    make.tracking_number(cast.dentist, "+14155550188", provider="callrail", label="Rail line")
    assert "Rail line (CallRail)" in alice.get("/demo/phone/").content.decode()
    path, body = f"/hooks/callrail/{rail.key}/", json.dumps({"resource_id": "CAL1"})
    found = signed(alice, path, body).json()
    answer = Browser().post(
        path, body, content_type="application/json", headers={"Signature": found["signature"]}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/overview/", "/twilio/no-such-key/sms/", "/hooks/callrail/{key}/", "//evil/{key}/"]
)
def test_only_its_own_doors_are_signed_for(alice: Browser, demo: Connection, path: str) -> None:
    assert signed(alice, path.format(key=demo.key), "a=b").status_code == 404


def test_the_vendors_part_is_played_and_heard(cast: Cast, alice: Browser, demo: Connection) -> None:
    account = f"AC{demo.pk.hex}"
    base = f"/demo/vendor/2010-04-01/Accounts/{account}/"
    given = base64.b64encode(f"{account}:{twilio_side.TOKEN}".encode()).decode()
    worker = Browser(headers={"Authorization": f"Basic {given}"})

    def ask(method: str, path: str, **said: str) -> Any:
        return getattr(worker, method)(base + path, urlencode(said), content_type=twilio_side.FORM)

    # Its account is known by its name alone: the worker may ask before anybody has used the telephone.
    assert ask("post", "Messages.json", To=CALLER, Body="Hello").status_code == 201
    call, recording = twilio_side.CALL, twilio_side.RECORDING
    began = {"CallSid": call, "RecordingSid": recording, "RecordingStatus": "in-progress"}
    signed(alice, f"/twilio/{demo.key}/voice/recording/", urlencode(began))
    assert ask("post", "Messages.json", To=CALLER, Body="Hello").json()["sid"].startswith("SM")
    stopped = ask("post", f"Calls/{call}/Recordings/Twilio.CURRENT.json", Status="stopped")
    assert stopped.json()["sid"] == recording
    assert ask("delete", f"Recordings/{recording}.json").status_code == 204
    assert ask("delete", f"Recordings/{recording}.json").status_code == 404
    assert ask("post", "Calls.json").status_code == 400
    signed(alice, f"/twilio/{demo.key}/sms/", urlencode({"From": CALLER, "Body": "stop"}))
    assert ask("post", "Messages.json", To=CALLER, Body="Confirmed").json() == {"code": 21610}
    signed(alice, f"/twilio/{demo.key}/sms/", urlencode({"From": CALLER, "Body": "START"}))
    assert ask("post", "Messages.json", To=CALLER, Body="Hello again").status_code == 201
    heard = [event["what"] for event in alice.get("/demo/phone/heard/").json()["events"]]
    assert heard == ["text", "text", "stopped", "deleted", "own", "blocked", "own", "text"]
    wrong = base64.b64encode(f"{account}:wrong".encode()).decode()
    for header in (f"Basic {wrong}", "Basic é", "Bearer x", ""):
        stranger = Browser(headers={"Authorization": header} if header else {})
        assert stranger.post(base + "Messages.json", "To=1", content_type=twilio_side.FORM).status_code == 404
    with override_settings(CALLPRIVACY_URL="https://calls.example.com"):
        assert ask("post", "Messages.json", To=CALLER, Body="Hello").status_code in {301, 404}


def test_what_two_ask_the_vendor_at_once_is_both_heard(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    account, token = f"AC{uuid.uuid4().hex}", "of-the-demo"
    phone._remember(account, cast.acme.pk, token)
    answer, has_begun, may_end = phone._answer, threading.Event(), threading.Event()

    def answer_late(*asked: Any) -> Any:
        has_begun.set()
        assert may_end.wait(20)
        return answer(*asked)

    def text(words: str) -> None:
        with database.cursor() as cursor:
            cursor.execute("SET lock_timeout = '20s'")
        said = {"To": CALLER, "Body": words}
        phone.play(account=account, token=token, method="POST", path="Messages.json", said=said, at=NOON)

    monkeypatch.setattr(phone, "_answer", answer_late)
    one = Aside(lambda: text("one"))
    assert has_begun.wait(20)
    other = Aside(lambda: text("other"))
    assert other.is_waiting()
    may_end.set()
    one.end()
    other.end()

    heard = [(event["number"], event["words"]) for event in phone.heard(agency=cast.acme)]
    assert heard == [(1, "one"), (2, "other")]


def test_a_call_back_rings_on_the_page_and_is_connected_after_a_key(
    cast: Cast, alice: Browser, demo: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = f"AC{demo.pk.hex}"
    make.call(cast.dentist, CALLER)
    with job_scope(agency_id=cast.acme.pk):
        menus.describe_account(
            connection=demo, account=account, twilio_answers=True, by=Actor.job("tests"), at=NOON
        )
        caller = Caller.objects.get()
    at = NOON + timedelta(hours=8)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        call_backs.ask(
            client=cast.dentist, caller_id=caller.pk, agent_number="+14155550177",
            by=Actor.staff(user_id=cast.alice.user_id), at=at,
        )  # fmt: skip

    order = call_backs.claim(agency_id=cast.acme.pk, at=at)
    assert order is not None
    given = base64.b64encode(f"{account}:{twilio_side.TOKEN}".encode()).decode()
    asked = {"To": order.to, "From": order.sender, "Url": order.script_at, "Method": "POST"}
    rung = Browser(headers={"Authorization": f"Basic {given}"}).post(
        f"/demo/vendor/2010-04-01/Accounts/{account}/Calls.json",
        urlencode(asked),
        content_type=twilio_side.FORM,
    )
    call_backs.settle(agency_id=cast.acme.pk, order=order, outcome=call_backs.Outcome(rings=True), at=at)

    (event,) = alice.get("/demo/phone/heard/").json()["events"]
    assert (rung.status_code, event["what"], event["to"]) == (201, "ring", "+14155550177")
    assert event["call"] == rung.json()["sid"]
    body = urlencode({"CallSid": event["call"], "AccountSid": account})
    found = signed(alice, event["path"], body).json()
    monkeypatch.setattr("django.utils.timezone.now", lambda: at)
    heard = Browser().post(
        event["path"], body, content_type=twilio_side.FORM, headers={found["header"]: found["signature"]}
    )
    assert b"Press any key to connect" in heard.content


def test_a_demo_never_asks_the_real_twilio(cast: Cast, demo: Connection) -> None:
    with job_scope(agency_id=cast.acme.pk):
        menus.describe_account(
            connection=demo, account=twilio_side.ACCOUNT, twilio_answers=True, by=Actor.job("tests"), at=NOON
        )
        row = Connection.objects.select_related("client__agency").get(pk=demo.pk)
        assert twilio_door.account_of(row, at=NOON).base == "http://127.0.0.1:8000/demo/vendor"


def test_nobody_but_the_officer_has_the_telephone(cast: Cast, demo: Connection) -> None:
    assert signed_in(cast.carol).get("/demo/phone/").status_code == 403
    assert signed_in(cast.bob).get("/demo/phone/").status_code == 403


def test_a_reply_that_waits_is_shown_until_it_counts_by_itself(cast: Cast, alice: Browser) -> None:
    reply = waiting(cast)
    page = alice.get(f"/clients/dentist/consent/messages/{reply.pk}/").content.decode()
    day = (reply.received_at + timedelta(days=10)).astimezone().strftime("%Y")
    assert "Counts as a withdrawal" in page
    assert day in page


def test_where_calls_go_on_to_is_changed_by_who_manages_connections(
    cast: Cast, connection: Connection
) -> None:
    other = twilio_side.connect(cast.dentist)
    menu = twilio_side.menu(cast.dentist, connection)
    gus = make.person(cast.acme, "gus", Role.ACCOUNT_MANAGER)
    make.grant(gus, cast.dentist, without=Permission.MANAGE_CONNECTIONS)
    browser = signed_in(gus)
    with job_scope(agency_id=cast.acme.pk):
        version = NoticeVersion.objects.select_related("notice").get()
    said = facts(
        None, other, version, forward_to="+14155550199", person_line="+14155550198", wait_seconds="9"
    )
    address = f"/clients/dentist/consent/menus/{menu.pk}/change/"
    assert "Only a team member who manages connections can change this" in browser.get(address).text
    assert browser.post(address, said).status_code == 302
    row = only_menu(cast)
    assert (row.connection_id, row.forward_to, row.person_line) == (
        connection.pk,
        menu.forward_to,
        menu.person_line,
    )
    assert row.wait_seconds == 9
    assert browser.post("/clients/dentist/consent/menus/new/", facts(None, other, version)).status_code == 403


@pytest.mark.parametrize("length", ["x", "-1", "\u00b2"])
def test_a_length_that_is_none_reaches_nobody(length: str) -> None:
    answer = Browser().generic(
        "POST", "/demo/vendor/2010-04-01/Accounts/AC1/Calls.json", b"", CONTENT_LENGTH=length
    )
    assert answer.status_code == 404
