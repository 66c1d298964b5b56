"""Second factors: sealed, asked for by role, taken away by two; and who confirms that it is still them."""

import base64
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from cryptography.fernet import Fernet
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client as Browser

from callprivacy.accounts.enums import Deed, Role
from callprivacy.accounts.models import FactorReset, Membership, User
from callprivacy.accounts.services import factors, keys, passwords, people
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import fields
from tests import ground, make
from tests.accounts.browsers import actions_of, code_of, give_codes, is_in, now, sign_in, signed_in
from tests.aside import Aside
from tests.cast import Cast
from tests.consent.test_expiry import text_of
from tests.make import NOON, PASSWORD

BOB = "bob@acme.example"


def policy(of: Agency, **values: Any) -> None:
    with job_scope(agency_id=of.pk):
        passwords.change_policy(agency=of, values=values, by=make.JOB, at=NOON)


def with_codes(person: Membership) -> str:
    return give_codes(person.user)


# --- codes and passkeys ---


def test_codes_are_added_and_asked_for_at_the_door_and_count_once(cast: Cast) -> None:
    browser = Browser()
    sign_in(browser, BOB)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = browser.get("/accounts/2fa/totp/activate/")
    secret = page.context["form"].secret
    waiting = browser.session["mfa.totp.secret"]
    assert secret not in waiting
    assert fields.open_secret(waiting) == secret

    assert browser.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)}).status_code == 302
    row = Authenticator.objects.get(user=cast.bob.user, type="totp")
    assert secret not in str(row.data)
    assert fields.open_secret(row.data["secret"]) == secret
    codes = browser.get("/accounts/2fa/recovery-codes/").context["unused_codes"]
    assert len(codes) == 10

    with time_machine.travel(time.time() + 30, tick=False):
        other = Browser()
        assert sign_in(other, BOB)["Location"] == "/accounts/2fa/authenticate/"
        assert not is_in(other)
        code = code_of(secret)
        assert other.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
        assert is_in(other)
        third = Browser()
        sign_in(third, BOB)
        assert "not the code" in third.post("/accounts/2fa/authenticate/", {"code": code}).content.decode()
        assert third.post("/accounts/2fa/authenticate/", {"code": codes[0]}).status_code == 302
        fourth = Browser()
        sign_in(fourth, BOB)
        assert fourth.post("/accounts/2fa/authenticate/", {"code": codes[0]}).status_code == 200


@pytest.mark.parametrize("later", [1, 31, 59])
def test_a_code_counts_once_for_as_long_as_it_is_right(cast: Cast, later: int) -> None:
    """Clocks may differ by a step, so it is right for longer than the library remembers it; and Valkey forgets."""
    secret = with_codes(cast.bob)
    with time_machine.travel(NOON, tick=False) as clock:
        code = code_of(secret)
        for shown, given, then in [
            ("right", code, later),
            ("used", code, 0),
        ]:
            browser = Browser()
            sign_in(browser, BOB)
            answer = browser.post("/accounts/2fa/authenticate/", {"code": given})
            if shown == "right":
                assert answer.status_code == 302, shown
            else:
                assert "count once" in answer.content.decode(), shown
            ground.count_anew()
            clock.shift(timedelta(seconds=then))


def test_a_code_that_was_used_ends_those_before_it(cast: Cast) -> None:
    secret = with_codes(cast.bob)
    with time_machine.travel(NOON, tick=False) as clock:
        before = code_of(secret)
        clock.shift(timedelta(seconds=30))
        browsers = Browser(), Browser()
        for browser in browsers:
            sign_in(browser, BOB)
        assert browsers[0].post("/accounts/2fa/authenticate/", {"code": code_of(secret)}).status_code == 302
        answer = browsers[1].post("/accounts/2fa/authenticate/", {"code": before})
        assert "count once" in answer.content.decode()


@pytest.mark.parametrize(("seconds", "counts"), [(-31, False), (-30, True), (59, True), (60, False)])
def test_a_code_is_right_for_its_thirty_seconds_and_those_beside_them(
    cast: Cast, seconds: int, counts: bool
) -> None:
    """At the door, and where codes are switched on."""
    secret = with_codes(cast.bob)
    with time_machine.travel(NOON, tick=False) as clock:
        browser, carol = Browser(), signed_in(cast.carol)
        sign_in(browser, BOB)
        carol.post("/accounts/reauthenticate/", {"password": PASSWORD})
        carols = carol.get("/accounts/2fa/totp/activate/").context["form"].secret
        code, first = code_of(secret), code_of(carols)
        clock.shift(timedelta(seconds=seconds))
        answer = browser.post("/accounts/2fa/authenticate/", {"code": code})
        assert (answer.status_code == 302) == counts
        assert (carol.post("/accounts/2fa/totp/activate/", {"code": first}).status_code == 302) == counts


@pytest.mark.parametrize("later", [0, 29, 59])
def test_the_code_by_which_codes_are_switched_on_has_counted(cast: Cast, later: int) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        browser = signed_in(cast.bob)
        browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
        secret = browser.get("/accounts/2fa/totp/activate/").context["form"].secret
        code = code_of(secret)
        assert browser.post("/accounts/2fa/totp/activate/", {"code": code}).status_code == 302
        clock.shift(timedelta(seconds=later))
        other = Browser()
        sign_in(other, BOB)
        assert "count once" in other.post("/accounts/2fa/authenticate/", {"code": code}).content.decode()
        clock.shift(timedelta(seconds=30))
        assert other.post("/accounts/2fa/authenticate/", {"code": code_of(secret)}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_two_at_once_do_not_use_the_same_recovery_code(cast: Cast) -> None:
    with_codes(cast.bob)
    code = RecoveryCodes.activate(cast.bob.user).get_unused_codes()[0]
    browser = Browser()
    sign_in(browser, BOB)
    with transaction.atomic():
        factors.hold_factors(cast.bob.user)
        other = Aside(lambda: browser.post("/accounts/2fa/authenticate/", {"code": code}))
        assert other.is_waiting()
        row = Authenticator.objects.get(user=cast.bob.user, type="recovery_codes")
        assert RecoveryCodes(row).validate_code(code)
    other.end()
    assert not is_in(browser)


@pytest.mark.as_committed
def test_who_changes_second_factors_is_led_to_where_sessions_end(
    cast: Cast, mailoutbox: list[mail.EmailMessage]
) -> None:
    browser = signed_in(cast.bob)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    secret = browser.get("/accounts/2fa/totp/activate/").context["form"].secret
    for url, sent in (("activate", {"code": code_of(secret)}), ("deactivate", {})):
        mailoutbox.clear()
        page = browser.post(f"/accounts/2fa/totp/{url}/", sent, follow=True).content.decode()
        assert "End them under Where you are signed in" in page
        assert mailoutbox[0].to == [BOB]
        assert "http://127.0.0.1:8000/accounts/sessions/" in mailoutbox[0].body
    assert (
        'href="/accounts/sessions/"' in browser.get("/accounts/2fa/").content.decode().partition("<main")[2]
    )


@pytest.mark.parametrize("how", ["known", "changed", "shut out", "everywhere", "suspended", "nothing"])
def test_sign_in_that_waits_for_its_code_ends_with_the_password_and_the_sessions(
    cast: Cast, how: str
) -> None:
    secret = with_codes(cast.bob)
    browser = Browser()
    sign_in(browser, BOB)
    if how == "known":
        User.objects.filter(pk=cast.bob.user_id).update(password_changed_at=now())
        with job_scope(agency_id=cast.acme.pk):
            passwords.mark_known(membership=cast.bob, by=make.JOB, at=NOON)
    elif how == "changed":
        people.set_password(user=cast.bob.user, password="Another-Horse-8-Battery", at=NOON)
    elif how == "shut out":
        User.objects.filter(pk=cast.bob.user_id).update(is_active=False)
    elif how == "everywhere":
        signed_in(cast.bob).post("/accounts/sessions/", {"session": "all"})
    elif how == "suspended":
        with job_scope(agency_id=cast.acme.pk):
            people.suspend(membership=cast.bob, by=make.JOB, at=NOON)
            people.reactivate(membership=cast.bob, by=make.JOB, at=NOON)
    answer = browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert is_in(browser) == (how == "nothing")
    if how != "nothing":
        assert answer["Location"] == "/accounts/login/"
        page = browser.get("/accounts/login/").content.decode()
        assert "Sign in again from the start" in page


def test_sign_in_that_begins_after_all_sessions_ended_is_completed(cast: Cast) -> None:
    secret = with_codes(cast.bob)
    signed_in(cast.bob).post("/accounts/sessions/", {"session": "all"})
    browser = Browser()
    sign_in(browser, BOB)
    browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert is_in(browser)


def test_who_waits_for_a_code_while_the_factors_are_taken_away_is_led_to_the_password(cast: Cast) -> None:
    with_codes(cast.bob)
    browser = Browser()
    sign_in(browser, BOB)
    Authenticator.objects.filter(user=cast.bob.user).delete()
    assert browser.get("/accounts/2fa/authenticate/")["Location"] == "/accounts/login/"
    assert browser.get("/accounts/login/").status_code == 200
    assert sign_in(browser, BOB)["Location"] == "/"
    assert is_in(browser)


def test_guesses_of_a_code_wait_from_whatever_browser(cast: Cast) -> None:
    secret = with_codes(cast.bob)
    with time_machine.travel(NOON, tick=False):
        for _ in range(5):
            browser = Browser()
            sign_in(browser, BOB)
            browser.post("/accounts/2fa/authenticate/", {"code": "000000"})
        browser = Browser()
        sign_in(browser, BOB)
        answer = browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
        assert "Too many wrong codes. Wait 1 second" in answer.content.decode()


def test_another_master_key_opens_the_seeds_and_the_old_one_is_not_needed(
    cast: Cast, masters: Callable[..., None]
) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    masters(old)
    secret = with_codes(cast.bob)
    codes = RecoveryCodes.activate(cast.bob.user).generate_codes()
    masters(new, old)
    assert keys._rewrap_second_factors() == 2
    assert keys._rewrap_second_factors() == 0
    masters(new)
    row = Authenticator.objects.get(type="totp")
    assert fields.open_secret(row.data["secret"]) == secret
    assert Authenticator.objects.get(type="recovery_codes").wrap().generate_codes() == codes


def test_seeds_are_drawn_anew_and_by_the_system(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def drawn(length: int) -> bytes:
        asked.append(length)
        return bytes([len(asked)]) * length

    seeds = {with_codes(one) for one in (cast.bob, cast.carol)}
    codes = {tuple(RecoveryCodes.activate(one.user).generate_codes()) for one in (cast.bob, cast.carol)}
    assert len(seeds) == len(codes) == 2
    assert all(len(base64.b32decode(seed)) == 20 for seed in seeds)
    assert all(len(set(ten)) == 10 for ten in codes)

    monkeypatch.setattr("secrets.token_bytes", drawn)
    monkeypatch.setattr("secrets.token_hex", lambda length: drawn(length).hex())
    assert base64.b32decode(with_codes(cast.alice)) == b"\x01" * 20
    RecoveryCodes.activate(cast.alice.user)
    row = Authenticator.objects.get(user=cast.alice.user, type="recovery_codes")
    assert fields.open_secret(row.data["seed"]) == "02" * 40
    assert asked == [20, 40]


def test_a_passkey_is_offered_at_the_door_and_on_ones_own_page(cast: Cast) -> None:
    page = Browser().get("/accounts/login/").content.decode()
    assert "Sign in with a passkey" in page
    options = (
        Browser().get("/accounts/2fa/webauthn/login/", headers={"X-Requested-With": "XMLHttpRequest"}).json()
    )
    assert options["request_options"]["publicKey"]["challenge"]
    browser = signed_in(cast.bob)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    asked = browser.get("/accounts/2fa/webauthn/add/").context["js_data"]["creation_options"]["publicKey"]
    assert asked["rp"]["name"] == "CallPrivacy"
    assert browser.post("/accounts/2fa/webauthn/add/", {"name": "x", "credential": "{}"}).status_code == 200
    assert not Authenticator.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_who_adds_a_factor_is_told_by_mail_and_on_the_page(mailoutbox: list[mail.EmailMessage]) -> None:
    """What the library says and sends comes once the scope has committed, and needs nothing of it."""
    from tests import cast as actors

    cast = actors.assemble()
    browser = Browser()
    sign_in(browser, BOB)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    secret = browser.get("/accounts/2fa/totp/activate/").context["form"].secret
    answer = browser.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)}, follow=True)
    assert answer.status_code == 200
    assert "Save as a file" in answer.content.decode()
    assert [one.to for one in mailoutbox] == [[BOB]]
    assert secret not in str(mailoutbox[0].message())
    said = actions_of(cast.acme.pk)
    assert said.count("codes.added") == said.count("recovery_codes.added") == 1


def test_who_loses_the_last_second_factor_chooses_a_longer_password_where_it_counts(cast: Cast) -> None:
    browser = signed_in(cast.bob)
    for profile, where in (
        ("rotating", "/accounts/2fa/"),
        ("nist", "/accounts/password/change/?next=%2Faccounts%2F2fa%2F"),
    ):
        policy(cast.acme, profile=profile)
        with_codes(cast.bob)
        browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
        assert browser.post("/accounts/2fa/totp/deactivate/").status_code == 302
        assert not Authenticator.objects.exists()
        answer = browser.get("/accounts/2fa/")
        assert answer.headers.get("Location", "/accounts/2fa/") == where, profile
    assert "Choose a longer password" in browser.get("/accounts/password/change/").content.decode()
    assert actions_of(cast.acme.pk).count("codes.removed") == 2


@pytest.mark.parametrize(
    "path", ["totp/activate", "webauthn/add", "recovery-codes/generate", "totp/deactivate"]
)
def test_who_changes_second_factors_shows_again_who_they_are_after_a_quarter_of_an_hour(
    cast: Cast, path: str
) -> None:
    where = f"/accounts/2fa/{path}/"
    start = make.now()
    with time_machine.travel(start, tick=False) as clock:
        browser = Browser()
        sign_in(browser, BOB)
        if path in {"totp/deactivate", "recovery-codes/generate"}:
            with_codes(cast.bob)
        assert browser.get(where)["Location"].startswith("/accounts/reauthenticate/"), (
            "to be signed in is not enough"
        )
        browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
        clock.move_to(start + timedelta(minutes=14, seconds=59))
        assert browser.get(where).status_code == 200
        clock.move_to(start + timedelta(minutes=15, seconds=1))
        kept = sorted(Authenticator.objects.values_list("type", flat=True))
        for method in (browser.get, browser.post):
            answer = method(where)
            assert answer.status_code == 302
            assert re.match(r"/accounts/(2fa/)?reauthenticate/\?", answer["Location"]), answer["Location"]
        assert sorted(Authenticator.objects.values_list("type", flat=True)) == kept


# --- who has to have one ---


def test_a_role_that_has_to_have_one_is_led_to_where_one_is_added_and_nowhere_else(cast: Cast) -> None:
    policy(cast.acme, second_factor_roles=["reviewer"])
    browser = signed_in(cast.bob)
    for path in ("/clients/", "/", "/clients/dentist/calls/", "/work/"):
        assert browser.get(path)["Location"] == "/accounts/2fa/", path
    part = browser.get("/clients/", headers={"HX-Request": "true"})
    assert part["HX-Redirect"] == "/accounts/2fa/"
    assert "Your role needs a second factor" in browser.get("/accounts/2fa/").content.decode()
    assert browser.get("/accounts/password/change/").status_code == 200
    assert is_in(signed_in(cast.carol))

    with_codes(cast.bob)
    assert is_in(browser)
    assert "Your role needs a second factor" not in browser.get("/accounts/2fa/").content.decode()
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    kept = browser.get("/accounts/2fa/totp/deactivate/").content.decode()
    assert "Your role has to have a second factor" in kept
    browser.post("/accounts/2fa/totp/deactivate/")
    assert Authenticator.objects.filter(user=cast.bob.user).exists()


def test_an_agency_asks_a_second_factor_of_everyone_by_one_box(cast: Cast) -> None:
    alice = signed_in(cast.alice)
    with_codes(cast.alice)
    alice.post("/accounts/reauthenticate/", {"password": PASSWORD})
    form = alice.get("/people/passwords/rule/").context["form"]
    shown = {name: value for name, value in form.initial.items() if value is not None}
    answer = alice.post(
        "/people/passwords/rule/", shown | {"networks": "", "second_factor_roles": ["everyone"]}
    )
    assert answer.status_code == 302, answer.context["form"].errors
    for role in Role:
        person = make.person(cast.acme, f"one-{role.value.replace('_', '-')}", role)
        assert signed_in(person).get("/")["Location"] == "/accounts/2fa/", role
    page = alice.get("/people/passwords/rule/")
    assert page.context["form"].initial["second_factor_roles"] == ["everyone"]


# --- taken away by two ---


def test_second_factors_are_taken_away_by_two_and_the_person_is_told(cast: Cast) -> None:
    with_codes(cast.bob)
    bob = signed_in(cast.bob)
    assert is_in(bob)
    alice, carol = signed_in(cast.alice), signed_in(cast.carol)
    assert "People who can approve: Carol" in alice.get(f"/people/{cast.bob.pk}/factors/").content.decode()
    alice.post(f"/people/{cast.bob.pk}/factors/")
    with job_scope(agency_id=cast.acme.pk):
        reset = FactorReset.objects.get()
    where = f"/people/factors/{reset.pk}/"

    asked = text_of(carol.get(where).content)
    zone = ZoneInfo(cast.acme.time_zone)
    assert f"Alice requested their removal {reset.asked_at.astimezone(zone):%-d %b %Y, %H:%M}" in asked
    assert f"A decision is possible until {reset.ends_at.astimezone(zone):%-d %b %Y, %H:%M}" in asked
    assert "Another person must approve" in alice.get(where).content.decode()
    alice.post(where, {"deed": "agree"})
    assert Authenticator.objects.exists(), "who asked does not agree with herself"
    assert signed_in(cast.mallory).post(where, {"deed": "agree"}).status_code == 404
    carol.post(where, {"deed": "agree"})
    carol.post(where, {"deed": "agree"})
    assert "may be decided until" not in carol.get(where).content.decode()

    assert not Authenticator.objects.exists()
    said = actions_of(cast.acme.pk)
    assert said.count("factors.reset_asked") == said.count("factors.reset") == 1
    assert sign_in(Browser(), BOB)["Location"] == "/"


@pytest.mark.django_db(transaction=True)
def test_who_lost_second_factors_is_told_by_mail(mailoutbox: list[mail.EmailMessage]) -> None:
    from tests import cast as actors

    cast = actors.assemble()
    with_codes(cast.bob)
    with job_scope(agency_id=cast.acme.pk):
        reset = factors.ask_reset(membership=cast.bob, by=Actor.staff(user_id=cast.alice.user_id), at=NOON)
        factors.decide_reset(reset=reset, agree=True, by=Actor.staff(user_id=cast.carol.user_id), at=NOON)
    assert [one.to for one in mailoutbox] == [[BOB]]


def test_who_works_for_two_agencies_keeps_them_until_two_have_agreed_in_each(cast: Cast) -> None:
    with job_scope(agency_id=cast.globex.pk):
        Membership.objects.create(agency=cast.globex, user=cast.bob.user, role=Role.REVIEWER, created_at=NOON)
        other = make.person(cast.globex, "gina", Role.ADMIN)
    with_codes(cast.bob)
    Authenticator.objects.update(created_at=NOON - timedelta(days=30))
    page = signed_in(cast.alice).get(f"/people/{cast.bob.pk}/factors/").content.decode()
    assert "They open another agency, too" in page
    assert "Globex" not in page

    def agreed(agency_id: int, asks: Membership, agrees: Membership, at: datetime) -> int | None:
        bob = Membership(agency_id=agency_id, user_id=cast.bob.user_id)
        with job_scope(agency_id=agency_id):
            reset = factors.ask_reset(membership=bob, by=Actor.staff(user_id=asks.user_id), at=at)
            return factors.decide_reset(
                reset=reset, agree=True, by=Actor.staff(user_id=agrees.user_id), at=at
            )

    assert agreed(cast.acme.pk, cast.alice, cast.carol, NOON) is None
    assert agreed(cast.globex.pk, cast.mallory, other, NOON + timedelta(days=3)) is None, "too late after it"
    assert Authenticator.objects.exists()
    assert agreed(cast.acme.pk, cast.carol, cast.alice, NOON + timedelta(days=4))
    assert not Authenticator.objects.exists()
    with_codes(cast.bob)
    Authenticator.objects.update(created_at=NOON + timedelta(days=4, hours=1))
    assert agreed(cast.acme.pk, cast.carol, cast.alice, NOON + timedelta(days=4, hours=2)) is None


def test_what_waited_two_days_is_over_and_what_is_refused_changes_nothing(cast: Cast) -> None:
    with_codes(cast.bob)
    alice, carol = (Actor.staff(user_id=one.user_id) for one in (cast.alice, cast.carol))
    with job_scope(agency_id=cast.acme.pk):
        reset = factors.ask_reset(membership=cast.bob, by=alice, at=NOON)
        with pytest.raises(factors.AlreadyAskedError):
            factors.ask_reset(membership=cast.bob, by=carol, at=NOON)
        with pytest.raises(factors.NotYoursError):
            factors.decide_reset(reset=reset, agree=True, by=carol, at=NOON + timedelta(days=2))
        again = factors.ask_reset(membership=cast.bob, by=carol, at=NOON + timedelta(days=2))
        factors.decide_reset(reset=again, agree=False, by=alice, at=NOON + timedelta(days=2))
        with pytest.raises(IntegrityError), transaction.atomic():
            FactorReset.objects.filter(pk=again.pk).update(agreed=True, decided_by_id=cast.carol.user_id)
    assert Authenticator.objects.exists()


# --- confirming ---


def test_a_number_is_shown_to_who_has_shown_lately_who_they_are(cast: Cast) -> None:
    call = make.call(cast.dentist, "+12025550144", at=make.now() - timedelta(days=1))
    where = f"/clients/dentist/calls/{call.pk}/reveal/"
    policy(cast.acme, confirm_minutes=10)
    start = make.now()
    with time_machine.travel(start, tick=False) as clock:
        browser = Browser()
        sign_in(browser, "alice@acme.example")
        clock.move_to(start + timedelta(minutes=9))
        assert browser.get(where).status_code == 200
        clock.move_to(start + timedelta(minutes=11))
        assert browser.get(where)["Location"] == f"/accounts/reauthenticate/?next={where.replace('/', '%2F')}"
        part = browser.get(
            where, headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/clients/?x=1"}
        )
        assert part["HX-Redirect"] == "/accounts/reauthenticate/?next=%2Fclients%2F%3Fx%3D1"
        late = browser.post(where, {"reason": "x"})
        assert late.status_code != 302, "what was opened in time may be sent a little later"
        clock.move_to(start + timedelta(minutes=26))
        assert browser.post(where, {"reason": "x"})["Location"].startswith("/accounts/reauthenticate/")

        back = browser.post(f"/accounts/reauthenticate/?next={where}", {"password": PASSWORD})
        assert back["Location"] == where
        assert browser.get(where).status_code == 200


def test_an_agency_says_which_deeds_ask(cast: Cast) -> None:
    policy(cast.acme, confirm_minutes=10, confirm=[Deed.EXPORT.value])
    start = make.now()
    with time_machine.travel(start, tick=False) as clock:
        browser = signed_in(cast.alice)
        browser.get("/clients/")
        clock.move_to(start + timedelta(minutes=30))
        assert browser.get("/people/invite/").status_code == 200
        assert browser.get("/clients/dentist/calls/export/")["Location"].startswith(
            "/accounts/reauthenticate/"
        )


# --- sessions and devices ---


def test_an_agencys_limits_end_sessions_earlier(cast: Cast) -> None:
    policy(cast.acme, idle_minutes=15, longest_hours=1)
    start = make.now()
    with time_machine.travel(start, tick=False) as clock:
        bob, mallory = Browser(), Browser()
        sign_in(bob, BOB)
        sign_in(mallory, "mallory@globex.example")
        assert (
            "after 15 minutes without use, and at the latest 1 hours"
            in bob.get("/accounts/sessions/").content.decode()
        )
        clock.move_to(start + timedelta(minutes=14))
        assert is_in(bob)
        clock.move_to(start + timedelta(minutes=29))
        assert (is_in(bob), is_in(mallory)) == (False, True)
        sign_in(bob, BOB)
        for minute in range(40, 91, 10):
            clock.move_to(start + timedelta(minutes=minute))
            is_in(bob)
        assert not is_in(bob)


@pytest.mark.django_db(transaction=True)
def test_a_browser_that_is_new_is_told_by_mail_and_one_that_is_known_is_not(
    mailoutbox: list[mail.EmailMessage],
) -> None:
    from tests import cast as actors

    actors.assemble()
    home, cafe = Browser(headers={"user-agent": "Firefox/140.0 (X11; Linux)"}), Browser()
    sign_in(home, BOB)
    assert mailoutbox == [], "the first sign-in of all is no news"
    home.post("/accounts/logout/")
    sign_in(home, BOB)
    assert mailoutbox == []
    sign_in(cafe, BOB, address="192.0.2.7")
    (told,) = mailoutbox
    assert told.to == [BOB]
    assert "192.0.2.7" in told.body
