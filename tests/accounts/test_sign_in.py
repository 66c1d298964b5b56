"""The door: e-mail and password, slow-down and lockout, sessions that end, and what is written down."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.usersessions.models import UserSession
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from callprivacy.accounts import selectors
from callprivacy.accounts.adapter import AccountAdapter
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership, SignInFailure, User
from callprivacy.accounts.services import people as deeds
from callprivacy.accounts.services import sign_in as slow
from callprivacy.accounts.services.operators import LinkTokens
from callprivacy.accounts.tasks import purge_sign_ins
from callprivacy.audit.models import Event, HouseEvent
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, operator_scope
from tests import cast, ground
from tests.accounts.browsers import actions_of, code_of, give_codes, is_in, sign_in, signed_in
from tests.make import NOON, PASSWORD

pytestmark = pytest.mark.django_db
BOB = "bob@acme.example"
WRONG = "Wrong-Horse-7-Battery"


@pytest.fixture
def people(cast: cast.Cast) -> cast.Cast:
    return cast


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def house_actions() -> list[str]:
    with operator_scope():
        return list(HouseEvent.objects.order_by("id").values_list("action", flat=True))


# --- in and out ---


def test_a_sign_in_and_a_sign_out_are_in_the_trail(people: cast.Cast) -> None:
    browser = Browser()
    assert sign_in(browser, " BOB@acme.example ")["Location"] == "/"
    assert is_in(browser)
    browser.post("/accounts/logout/")
    assert not is_in(browser)
    assert actions_of(people.acme.pk)[-2:] == ["person.signed_in", "person.signed_out"]
    assert "person.signed_in" not in actions_of(people.globex.pk)


def test_who_works_for_two_agencies_is_in_both_trails_and_may_change(people: cast.Cast) -> None:
    with job_scope(agency_id=people.globex.pk):
        Membership.objects.create(
            agency=people.globex, user=people.bob.user, role=Role.REVIEWER, created_at=NOON
        )
    browser = Browser()
    sign_in(browser, BOB)
    for agency in (people.acme, people.globex):
        assert "person.signed_in" in actions_of(agency.pk)
    link = 'href="/agencies/"'
    assert link in browser.get("/work/").content.decode()
    assert link not in signed_in(people.alice).get("/work/").content.decode()
    page = browser.get("/agencies/").content.decode()
    assert "Acme" in page
    assert "Change to Globex" in page
    assert browser.post("/agencies/", {"agency": people.globex.pk}).status_code == 302
    assert browser.session["agency_id"] == people.globex.pk
    assert browser.get("/clients/dentist/").status_code == 404


def test_nobody_changes_into_an_agency_that_is_not_theirs(people: cast.Cast) -> None:
    browser = signed_in(people.bob)
    assert browser.post("/agencies/", {"agency": people.globex.pk}).status_code == 404
    assert browser.post("/agencies/", {"agency": "x"}).status_code == 404
    assert browser.session["agency_id"] == people.acme.pk


def test_sign_up_is_closed(people: cast.Cast) -> None:
    Browser().post("/accounts/signup/", {"email": "eve@acme.example", "password1": PASSWORD})
    assert not User.objects.filter(email="eve@acme.example").exists()


def test_an_unknown_name_a_wrong_password_and_a_closed_account_read_the_same(people: cast.Cast) -> None:
    people.carol.user.is_active = False
    people.carol.user.save(update_fields=["is_active"])
    answers = [
        sign_in(Browser(), BOB, WRONG),
        sign_in(Browser(), "nobody@acme.example", WRONG),
        sign_in(Browser(), "carol@acme.example", PASSWORD),
    ]
    words = "The email address or password is incorrect."
    assert all(answer.status_code == 200 and words in answer.content.decode() for answer in answers)
    assert house_actions() == ["sign_in.failed"] * 3


def test_an_unknown_name_asks_the_database_the_same(people: cast.Cast) -> None:
    """An answer's time is one hash, below, and what the database is asked. `make attack` looks at a clock."""

    def asked(email: str, n: int) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            sign_in(Browser(), email, WRONG, address=f"10.0.0.{n}")
        return [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries]

    asked(BOB, 1)
    known = asked(BOB, 2)
    assert asked("nobody@acme.example", 3) == known
    assert len(known) > 5


@pytest.mark.parametrize("who", ["there is", "there is none", "closed", "without a password"])
def test_each_name_costs_one_hash(people: cast.Cast, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """What Argon2 takes is most of an answer: by their time names are told apart where one is hashed more often."""
    if who == "closed":
        people.bob.user.is_active = False
    if who == "without a password":
        people.bob.user.set_unusable_password()
    people.bob.user.save()
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def count(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(salt)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)
    sign_in(Browser(), "nobody@acme.example" if who == "there is none" else BOB, WRONG)
    assert len(hashed) == 1


def test_no_name_is_in_the_houses_log(people: cast.Cast) -> None:
    sign_in(Browser(), BOB, WRONG)
    with operator_scope():
        event = HouseEvent.objects.get()
    assert "bob" not in str(event.details)
    assert event.details["name"] == selectors.digest_of_name(BOB).hex()[:16]


def test_sign_in_events_say_network_and_browser_by_marks_of_their_agency(people: cast.Cast) -> None:
    secret, browser, at = give_codes(people.bob.user), Browser(), "198.51.100.7"
    code, authenticate = {"code": code_of(secret)}, "/accounts/2fa/authenticate/"

    def sign_in_from(address: str) -> None:
        sign_in(browser, BOB, address=address)
        browser.post(authenticate, code, REMOTE_ADDR=address)

    sign_in_from(at)
    browser.post("/accounts/logout/", REMOTE_ADDR="198.51.100.200")
    sign_in(browser, BOB, WRONG, address=at)
    sign_in(browser, BOB, address=at)
    browser.post(authenticate, {"code": "000000"}, REMOTE_ADDR="203.0.113.9")
    with job_scope(agency_id=people.acme.pk):
        signed = Event.objects.filter(action__in=["person.signed_in", "person.signed_out"]).order_by("id")
        inside = [(event.action, event.details) for event in signed]
    with operator_scope():
        failed = [
            event.details for event in HouseEvent.objects.filter(action="sign_in.failed").order_by("id")
        ]

    (_, first), (_, out) = inside
    assert [action for action, _ in inside] == ["person.signed_in", "person.signed_out"]
    assert first.pop("methods") == "password, totp"
    assert first == out
    assert first.keys() == {"network", "browser"}
    wrong_password, wrong_code = failed
    assert wrong_password["browser"] == wrong_code["browser"]
    assert wrong_password["network"] != wrong_code["network"]
    assert not {*first.values()} & {*wrong_password.values(), *wrong_code.values()}
    assert all(re.fullmatch("[0-9a-f]{16}", value) for one in (first, *failed) for value in one.values())


# --- guesses ---


def test_after_five_failures_a_name_waits_longer_and_longer_but_never_over_a_minute(
    people: cast.Cast,
) -> None:
    digest, at = selectors.digest_of_name(BOB), NOON
    for _ in range(5):
        slow.start_attempt(digest=digest, at=at)
    waits = []
    for _ in range(9):
        with pytest.raises(slow.MustWaitError) as refused:
            slow.start_attempt(digest=digest, at=at)
        waits.append(refused.value.seconds)
        at += timedelta(seconds=refused.value.seconds)
        slow.start_attempt(digest=digest, at=at)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_try_during_the_wait_does_not_make_it_longer(people: cast.Cast) -> None:
    digest = selectors.digest_of_name(BOB)
    for _ in range(5):
        slow.start_attempt(digest=digest, at=NOON)
    for _ in range(20):
        with pytest.raises(slow.MustWaitError):
            slow.start_attempt(digest=digest, at=NOON)
    slow.start_attempt(digest=digest, at=NOON + timedelta(seconds=1))


def test_failures_are_forgotten_after_a_day_and_swept(people: cast.Cast) -> None:
    digest = selectors.digest_of_name(BOB)
    for _ in range(5):
        slow.start_attempt(digest=digest, at=NOON)
    later = NOON + timedelta(days=1)
    slow.start_attempt(digest=digest, at=later)
    assert SignInFailure.objects.get().failures == 1
    assert slow.purge_failures(at=later + timedelta(hours=23)) == 0
    assert slow.purge_failures(at=later + timedelta(days=1)) == 1


def test_the_slow_down_holds_however_the_address_changes(
    people: cast.Cast, clock: time_machine.Traveller
) -> None:
    for n in range(5):
        sign_in(Browser(), BOB, WRONG, address=f"10.0.1.{n}")
    answer = sign_in(Browser(), BOB, PASSWORD, address="10.0.2.1")
    assert "Wait 1 second, then try again" in answer.content.decode()
    clock.shift(timedelta(seconds=1))
    assert sign_in(Browser(), BOB, PASSWORD, address="10.0.2.1").status_code == 302
    assert not SignInFailure.objects.exists()


def test_an_unknown_name_waits_just_the_same(people: cast.Cast, clock: time_machine.Traveller) -> None:
    for n in range(5):
        sign_in(Browser(), "nobody@acme.example", WRONG, address=f"10.0.1.{n}")
    answer = sign_in(Browser(), "nobody@acme.example", WRONG, address="10.0.2.1")
    assert "Wait 1 second, then try again" in answer.content.decode()


def test_a_strangers_guesses_leave_a_session_and_a_known_device_alone(
    people: cast.Cast, clock: time_machine.Traveller
) -> None:
    at_home = Browser()
    sign_in(at_home, BOB, address="10.9.9.9")
    for n in range(6):
        sign_in(Browser(), BOB, WRONG, address=f"10.0.1.{n}")
    assert is_in(at_home)
    at_home.post("/accounts/logout/")
    assert sign_in(Browser(), BOB, address="10.9.9.8").status_code == 200
    assert sign_in(at_home, BOB, address="10.9.9.9").status_code == 302


def test_a_known_device_is_slowed_down_for_itself_and_is_nobody_elses(
    people: cast.Cast, clock: time_machine.Traveller
) -> None:
    device = Browser()
    sign_in(device, BOB)
    device.post("/accounts/logout/")
    for n in range(5):
        sign_in(device, BOB, WRONG, address=f"10.0.1.{n}")
    assert "Wait 1 second" in sign_in(device, BOB, address="10.0.2.1").content.decode()
    for n in range(5):
        sign_in(device, "carol@acme.example", WRONG, address=f"10.0.1.{n}")
    plain = selectors.digest_of_name("carol@acme.example")
    assert SignInFailure.objects.get(name_digest=plain).failures == 5


@pytest.mark.as_committed
@pytest.mark.parametrize("how", ["nothing", "changed", "closed"])
def test_a_device_is_known_for_as_long_as_the_password_it_came_with(
    people: cast.Cast, clock: time_machine.Traveller, mailoutbox: list[EmailMessage], how: str
) -> None:
    device, user = Browser(), people.bob.user
    sign_in(device, BOB)
    device.post("/accounts/logout/")
    if how == "changed":
        deeds.set_password(user=user, password="Another-Horse-8-Battery", at=NOON)
    elif how == "closed":
        deeds.close_password(user=user, at=NOON)
    sign_in(device, BOB, WRONG)
    counts = SignInFailure.objects.filter(name_digest=selectors.digest_of_name(BOB)).exists()
    assert counts == (how != "nothing")
    if how == "closed":
        deeds.set_password(user=user, password=PASSWORD, at=NOON)
    clock.shift(timedelta(minutes=1))
    mailoutbox.clear()
    assert (
        sign_in(device, BOB, "Another-Horse-8-Battery" if how == "changed" else PASSWORD).status_code == 302
    )
    assert len(mailoutbox) == (how != "nothing")


def test_five_failures_lock_the_pair_of_name_and_address_only(
    people: cast.Cast, clock: time_machine.Traveller
) -> None:
    for _ in range(5):
        sign_in(Browser(), BOB, WRONG, address="10.0.0.1")
        clock.shift(timedelta(minutes=2))
    locked = sign_in(Browser(), BOB, PASSWORD, address="10.0.0.1")
    assert locked.status_code == 429
    assert "Try again later" in locked.content.decode()
    assert "sign_in.locked" in house_actions()
    clock.shift(timedelta(minutes=2))
    assert sign_in(Browser(), "carol@acme.example", PASSWORD, address="10.0.0.1").status_code == 302
    assert sign_in(Browser(), BOB, PASSWORD, address="10.0.0.2").status_code == 302
    clock.shift(timedelta(minutes=16))
    assert sign_in(Browser(), BOB, PASSWORD, address="10.0.0.1").status_code == 302


def test_the_page_says_how_long_the_lock_still_lasts(
    people: cast.Cast, clock: time_machine.Traveller
) -> None:
    def tried(password: str = WRONG) -> str:
        return str(sign_in(Browser(), BOB, password, address="10.0.0.1").content.decode())

    for _ in range(4):
        assert "again in" not in tried()
        clock.shift(timedelta(minutes=4))

    assert "again in 15 minutes." in tried()
    clock.shift(timedelta(minutes=1))
    assert "again in 14 minutes." in tried()
    clock.shift(timedelta(minutes=13, seconds=30))
    assert "again in 1 minute." in tried(PASSWORD)
    clock.shift(timedelta(seconds=31))
    assert sign_in(Browser(), BOB, PASSWORD, address="10.0.0.1").status_code == 302


def test_a_lock_lasts_until_enough_of_the_failures_are_past(
    people: cast.Cast, clock: time_machine.Traveller
) -> None:
    one, other = Browser(), Browser(headers={"user-agent": "Another"})
    for browser, minutes in ((one, 0), (one, 10), (other, 0), (other, 0)):
        sign_in(browser, BOB, WRONG, address="10.0.0.1")
        clock.shift(timedelta(minutes=minutes))
    locked = sign_in(other, BOB, WRONG, address="10.0.0.1")

    assert "again in 5 minutes." in locked.content.decode()
    clock.shift(timedelta(minutes=5, seconds=1))
    assert sign_in(one, BOB, PASSWORD, address="10.0.0.1").status_code == 302


def test_a_new_password_lifts_the_lock(people: cast.Cast, clock: time_machine.Traveller) -> None:
    for _ in range(5):
        sign_in(Browser(), BOB, WRONG, address="10.0.0.1")
    assert sign_in(Browser(), BOB, PASSWORD, address="10.0.0.1").status_code == 429

    AccountAdapter().set_password(people.bob.user, f"New-{PASSWORD}")

    assert sign_in(Browser(), BOB, f"New-{PASSWORD}", address="10.0.0.1").status_code == 302


# --- sessions ---


def test_a_session_ends_after_an_hour_without_use(people: cast.Cast, clock: time_machine.Traveller) -> None:
    browser = Browser()
    sign_in(browser, BOB)
    for _ in range(3):
        clock.shift(timedelta(minutes=59))
        assert is_in(browser)
    clock.shift(timedelta(minutes=60))
    answer = browser.get("/clients/?q=x")
    assert answer["Location"] == "/accounts/login/?next=/clients/%3Fq%3Dx"
    assert not is_in(browser)
    assert "person.timed_out" in actions_of(people.acme.pk)


def test_a_session_ends_after_its_longest_time_however_busy(
    people: cast.Cast, clock: time_machine.Traveller, settings: Settings
) -> None:
    browser = Browser()
    sign_in(browser, BOB)
    for _ in range(15):
        clock.shift(timedelta(minutes=47))
        assert is_in(browser)
    clock.shift(timedelta(minutes=16))
    assert not is_in(browser)


def test_a_piece_of_a_page_is_sent_to_the_door_as_a_whole(
    people: cast.Cast, clock: time_machine.Traveller
) -> None:
    browser = Browser()
    sign_in(browser, BOB)
    clock.shift(timedelta(hours=2))
    answer = browser.get("/clients/", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer["HX-Redirect"].startswith("/accounts/login/")


def test_a_page_that_asks_by_itself_is_no_use_of_a_session(
    people: cast.Cast, clock: time_machine.Traveller
) -> None:
    browser = Browser()
    sign_in(browser, BOB)
    assert is_in(browser)
    used_at = selectors.sessions_of(people.bob.user_id)[0].last_seen_at
    by_itself = {"HX-Request": "true", "X-Unattended": "1"}
    for _ in range(11):
        clock.shift(timedelta(minutes=5))
        assert browser.get("/desk/running/", headers=by_itself).status_code == 200
    assert selectors.sessions_of(people.bob.user_id)[0].last_seen_at == used_at
    clock.shift(timedelta(minutes=5))
    answer = browser.get("/desk/running/", headers=by_itself)
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/accounts/login/?next=/")
    assert "person.timed_out" in actions_of(people.acme.pk)


@pytest.mark.thorough
def test_who_works_beside_a_page_that_asks_by_itself_stays(
    people: cast.Cast, clock: time_machine.Traveller
) -> None:
    browser = Browser()
    sign_in(browser, BOB)
    for _ in range(4):
        clock.shift(timedelta(minutes=30))
        browser.get("/desk/running/", headers={"HX-Request": "true", "X-Unattended": "1"})
        assert is_in(browser)
    assert selectors.sessions_of(people.bob.user_id)[0].last_seen_at == NOON + timedelta(hours=2)


def test_a_piece_in_another_tab_of_a_session_that_is_over_leads_to_the_door_as_well(
    people: cast.Cast,
) -> None:
    """A redirect would be followed by the script, and the page of the door would stand in the piece's place."""
    answer = Browser().get("/desk/running/", headers={"HX-Request": "true", "X-Unattended": "1"})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/accounts/login/?next=/")


def test_one_session_or_all_of_ones_own_can_be_ended(people: cast.Cast) -> None:
    here, there, carols = Browser(), Browser(), Browser()
    sign_in(here, BOB)
    sign_in(there, BOB)
    sign_in(carols, "carol@acme.example")
    listed = {session.session_key: session.pk for session in selectors.sessions_of(people.bob.user_id)}
    foreign = selectors.sessions_of(people.carol.user_id)[0].pk
    assert len(listed) == 2
    assert here.post("/accounts/sessions/", {"session": foreign}).status_code == 404
    assert here.post("/accounts/sessions/", {"session": "²"}).status_code == 404
    here.post("/accounts/sessions/", {"session": listed[there.session.session_key]})
    assert (is_in(here), is_in(there), is_in(carols)) == (True, False, True)
    here.post("/accounts/sessions/", {"session": "all"})
    assert not is_in(here)
    assert is_in(carols)
    assert actions_of(people.acme.pk)[-2:] == ["person.ended_session", "person.signed_out_everywhere"]


def test_a_suspended_person_is_out_at_the_next_request_and_told_why(people: cast.Cast) -> None:
    browser = Browser()
    sign_in(browser, BOB)
    with job_scope(agency_id=people.acme.pk):
        deeds.suspend(membership=people.bob, by=Actor.staff(user_id=people.alice.user_id), at=NOON)
    assert not is_in(browser)
    sign_in(browser, BOB)
    answer = browser.get("/clients/", follow=True)
    assert "You have no access to an agency" in answer.content.decode()


def test_a_membership_suspended_behind_the_sessions_back_counts_at_once(people: cast.Cast) -> None:
    browser = signed_in(people.bob)
    assert is_in(browser)
    with job_scope(agency_id=people.acme.pk):
        Membership.objects.filter(pk=people.bob.pk).update(state="suspended")
    assert not is_in(browser)


# --- passwords ---


def test_guesses_of_the_present_password_wait_and_are_written_down(people: cast.Cast) -> None:
    browser, url = signed_in(people.bob), "/accounts/password/change/"
    fresh = {"password1": "Another-Horse-8-Battery", "password2": "Another-Horse-8-Battery"}
    with time_machine.travel(NOON, tick=False) as clock:
        for number in range(5):
            ground.count_anew()
            page = browser.post(
                url, fresh | {"oldpassword": f"Guess-{number}-Horse-Battery"}
            ).content.decode()
            assert "Please type your current password." in page
        ground.count_anew()
        page = browser.post(url, fresh | {"oldpassword": PASSWORD}).content.decode()
        assert "Too many wrong passwords. Wait 1 second, then try again." in page
        clock.shift(timedelta(seconds=2))
        assert browser.post(url, fresh | {"oldpassword": PASSWORD}).status_code == 302
    assert house_actions() == ["sign_in.failed"] * 5
    assert not SignInFailure.objects.exists()


def test_a_new_password_ends_every_session_and_is_in_the_trail(people: cast.Cast) -> None:
    here, there = Browser(), Browser()
    sign_in(here, BOB)
    sign_in(there, BOB)
    fresh = "Another-Horse-8-Battery"
    answer = here.post(
        "/accounts/password/change/", {"oldpassword": PASSWORD, "password1": fresh, "password2": fresh}
    )
    assert answer.status_code == 302
    assert not is_in(there)
    assert "person.changed_password" in actions_of(people.acme.pk)
    people.bob.user.refresh_from_db()
    assert people.bob.user.password_changed_at is not None
    assert sign_in(Browser(), BOB).status_code == 200
    assert sign_in(Browser(), BOB, fresh).status_code == 302


def test_a_wrong_old_password_changes_nothing(people: cast.Cast) -> None:
    browser = signed_in(people.bob)
    fresh = "Another-Horse-8-Battery"
    answer = browser.post(
        "/accounts/password/change/", {"oldpassword": WRONG, "password1": fresh, "password2": fresh}
    )
    assert answer.status_code == 200
    assert "Acme" in answer.content.decode()
    assert sign_in(Browser(), BOB).status_code == 302


def test_a_simple_new_password_is_told_all_it_lacks(people: cast.Cast) -> None:
    answer = signed_in(people.bob).post(
        "/accounts/password/change/", {"oldpassword": PASSWORD, "password1": "horse", "password2": "horse"}
    )
    assert "Add 7 more characters, a capital letter, a digit and a symbol" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_forgotten_password_is_reset_by_a_mail_that_works_once(
    people: cast.Cast, mailoutbox: list[object]
) -> None:
    browser = Browser()
    known = browser.post("/accounts/password/reset/", {"email": BOB})
    unknown = browser.post("/accounts/password/reset/", {"email": "nobody@acme.example"})
    assert known["Location"] == unknown["Location"]
    body = next(mail.body for mail in mailoutbox if mail.to == [BOB])  # type: ignore[attr-defined]  # a message as it was sent
    link = next(word for word in body.split() if "/password/reset/key/" in word)
    assert link.startswith("http://127.0.0.1:8000/")
    path = link.removeprefix("http://127.0.0.1:8000")
    fresh = "Another-Horse-8-Battery"
    form = browser.get(path)["Location"]
    assert browser.post(form, {"password1": fresh, "password2": fresh}).status_code == 302
    assert sign_in(Browser(), BOB, fresh).status_code == 302
    assert "person.changed_password" in actions_of(people.acme.pk)
    again = Browser().get(path)
    assert again.status_code == 200
    assert "password1" not in again.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_newer_link_for_a_password_ends_the_one_before(
    people: cast.Cast, mailoutbox: list[EmailMessage]
) -> None:
    for _ in range(2):
        Browser().post("/accounts/password/reset/", {"email": BOB})
    words = [word for mail in mailoutbox if mail.to == [BOB] for word in str(mail.body).split()]
    links = [word for word in words if "/password/reset/key/" in word]
    pages = [
        Browser().get(link.removeprefix("http://127.0.0.1:8000"), follow=True).content.decode()
        for link in links
    ]
    assert ["password1" in page for page in pages] == [False, True]


@pytest.mark.django_db(transaction=True)
def test_a_forgotten_password_does_not_pass_by_the_second_factor(
    people: cast.Cast, mailoutbox: list[EmailMessage]
) -> None:
    secret = str(totp.generate_totp_secret())
    totp.TOTP.activate(people.bob.user, secret)
    browser = Browser()
    browser.post("/accounts/password/reset/", {"email": BOB})
    (body,) = [mail.body for mail in mailoutbox if mail.to == [BOB]]
    link = next(word for word in body.split() if "/password/reset/key/" in word)
    form = browser.get(link.removeprefix("http://127.0.0.1:8000"))["Location"]
    fresh = "Another-Horse-8-Battery"
    assert browser.post(form, {"password1": fresh, "password2": fresh}).status_code == 302
    assert not is_in(browser), "a new password is no sign-in"
    assert Authenticator.objects.filter(user=people.bob.user, type="totp").exists()
    assert sign_in(browser, BOB, fresh)["Location"] == "/accounts/2fa/authenticate/"
    assert not is_in(browser)
    code = totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30))
    assert browser.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert is_in(browser)


def test_ended_sessions_are_tidied_away_and_others_stay(
    people: cast.Cast, clock: time_machine.Traveller
) -> None:
    old, new = Browser(), Browser()
    sign_in(old, BOB)
    clock.shift(timedelta(hours=11))
    sign_in(new, "carol@acme.example")
    clock.shift(timedelta(hours=1, seconds=1))
    purge_sign_ins()
    assert [session.user_id for session in UserSession.objects.all()] == [people.carol.user_id]
    purge_sign_ins()
    assert UserSession.objects.count() == 1


def test_link_for_a_new_password_ends_with_all_sessions(cast: cast.Cast) -> None:
    tokens, user = LinkTokens(), cast.bob.user
    token = tokens.make_token(user)
    assert tokens.check_token(user, token)
    deeds.end_sessions(user.pk, at=NOON)
    user.refresh_from_db()
    assert not tokens.check_token(user, token)
    assert tokens.check_token(user, tokens.make_token(user))
