"""Each morning it is found whose password is due; what follows from that, through the door."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.hashers import make_password
from django.core import mail
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from callprivacy.accounts import passwords as rules
from callprivacy.accounts import selectors
from callprivacy.accounts.enums import ApiScope, DueWhy, Role
from callprivacy.accounts.models import (
    ApiKey,
    Membership,
    PasswordDay,
    PasswordHistory,
    PasswordReminder,
    User,
)
from callprivacy.accounts.services import api_keys, passwords, people
from callprivacy.accounts.tasks import rotate_passwords
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.accounts.browsers import actions_of, is_in, sign_in, signed_in
from tests.cast import Cast
from tests.make import NOON, PASSWORD

NEW_YORK = ZoneInfo("America/New_York")
BOB = "bob@acme.example"
CHANGE = "/accounts/password/change/"
FRESH = "Another-Horse-8-Battery"


def set_on(person: Membership, at: datetime) -> None:
    """Let a person's password be as old as if it had been chosen at an instant."""
    User.objects.filter(pk=person.user_id).update(password_changed_at=at)
    passwords.renew_due(user_ids=[person.user_id])
    person.user.refresh_from_db()


def morning(agency_id: int, at: datetime) -> bool:
    with job_scope(agency_id=agency_id):
        return passwords.start_day(agency_id=agency_id, at=at)


def change(browser: Browser, old: str = PASSWORD, new: str = FRESH) -> int:
    return int(browser.post(CHANGE, {"oldpassword": old, "password1": new, "password2": new}).status_code)


def test_a_password_of_91_days_is_changed_on_the_day(cast: Cast) -> None:
    set_on(cast.bob, NOON - timedelta(days=91))
    with time_machine.travel(NOON, tick=False):
        browser = Browser()
        assert sign_in(browser, BOB).status_code == 302

        for path in (
            "/",
            "/clients/",
            "/clients/dentist/calls/",
            "/accounts/sessions/",
            "/accounts/2fa/",
            "/agencies/",
        ):
            answer = browser.get(path)
            assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, CHANGE), path
        part = browser.get("/clients/", headers={"HX-Request": "true"})
        assert (part.status_code, part["HX-Redirect"]) == (204, CHANGE)
        assert browser.post("/people/invite/", {"name": "x"})["Location"] == CHANGE
        assert "Your password is due" in browser.get(CHANGE).content.decode()

        assert change(browser) == 302
        assert not is_in(browser), "a new password signs out everywhere"
        assert sign_in(browser, BOB, FRESH).status_code == 302
        assert is_in(browser)
    cast.bob.user.refresh_from_db()
    assert cast.bob.user.password_due_at == datetime.combine(
        NOON + timedelta(days=90), time(), tzinfo=NEW_YORK
    )


@pytest.mark.parametrize("asked", ["/clients/dentist/calls/?page=2", "/"])
def test_after_a_forced_change_one_lands_on_the_page_that_was_asked_for(cast: Cast, asked: str) -> None:
    set_on(cast.bob, NOON - timedelta(days=91))
    with time_machine.travel(NOON, tick=False):
        browser = Browser()
        sign_in(browser, BOB)
        form = browser.get(browser.get(asked)["Location"])
        done = browser.post(
            CHANGE,
            {
                "oldpassword": PASSWORD,
                "password1": FRESH,
                "password2": FRESH,
                "next": form.context["redirect_field_value"] or "",
            },
        )
    assert done["Location"] == asked


def test_a_day_begins_at_midnight_in_the_agencys_zone(cast: Cast) -> None:
    set_on(cast.bob, datetime(2026, 8, 26, 20, 0, tzinfo=UTC))  # due on 24 November
    browser = signed_in(cast.bob)
    with time_machine.travel(datetime(2026, 11, 24, 4, 59, 59, tzinfo=UTC), tick=False) as clock:
        assert is_in(browser)
        clock.shift(timedelta(seconds=1))
        assert browser.get("/clients/")["Location"] == f"{CHANGE}?next=%2Fclients%2F"


def test_the_present_one_and_the_last_four_are_refused_and_the_fifth_is_not(cast: Cast) -> None:
    user = cast.bob.user
    User.objects.filter(pk=user.pk).update(password=make_password("Zero-Horse-0-Battery"))
    user.refresh_from_db()
    for number in range(1, 6):
        people.set_password(user=user, password=f"Horse-Lantern-{number}-Gravel", at=NOON)
    for number in range(1, 6):
        assert rules.was_used(user, f"Horse-Lantern-{number}-Gravel"), number
    second = "Horse-Lantern-2-Gravel"
    answer = signed_in(cast.bob).post(
        CHANGE, {"oldpassword": "Horse-Lantern-5-Gravel", "password1": second, "password2": second}
    )
    assert "among your last 4" in answer.content.decode()
    digests = PasswordHistory.objects.filter(user=user).values_list("password", flat=True)
    assert len(digests) == 4
    assert not any("Horse" in digest for digest in digests)
    assert change(signed_in(cast.bob), "Horse-Lantern-5-Gravel", "Zero-Horse-0-Battery") == 302


# --- the morning ---


def test_a_morning_counts_reminds_and_is_done_once(cast: Cast) -> None:
    for person, days in ((cast.alice, 76), (cast.bob, 83), (cast.carol, 95)):
        set_on(person, NOON - timedelta(days=days))
    early = datetime.combine(NOON, time(5, 59), tzinfo=NEW_YORK)

    assert not morning(cast.acme.pk, early)
    assert morning(cast.acme.pk, early + timedelta(minutes=1))
    assert not morning(cast.acme.pk, NOON)

    with job_scope(agency_id=cast.acme.pk):
        day = PasswordDay.objects.get()
    assert (day.on, day.people, day.soon, day.overdue, day.without_factor) == (NOON.date(), 3, 2, 1, 3)
    reminders = PasswordReminder.objects.order_by("-days").values_list("user__name", "days")
    assert list(reminders) == [("Alice", 14), ("Bob", 7), ("Carol", 0)]


def test_each_step_is_told_once_and_what_was_missed_by_the_next_alone(cast: Cast) -> None:
    set_on(cast.bob, NOON - timedelta(days=75))  # 15 days left
    told = []
    for day in (0, 1, 2, 5, 8, 14, 15, 16, 400):
        if day == 5:  # the beat was away from the 3rd to the 9th day: the seventh is told, and only it
            continue
        morning(cast.acme.pk, NOON + timedelta(days=day))
        told.append(
            (day, list(PasswordReminder.objects.filter(user=cast.bob.user).values_list("days", flat=True)))
        )
    assert [days for _, days in told[:3]] == [[], [14], [14]]
    assert sorted(told[3][1]) == [7, 14]
    assert sorted(told[-1][1]) == [0, 1, 7, 14]


@pytest.mark.django_db(transaction=True)
def test_reminders_go_out_by_mail_once_and_not_to_who_has_chosen_another(
    mailoutbox: list[mail.EmailMessage],
) -> None:
    from tests import cast as actors

    cast = actors.assemble()
    set_on(cast.bob, NOON - timedelta(days=83))
    set_on(cast.carol, NOON - timedelta(days=89))
    with time_machine.travel(NOON, tick=False):
        with job_scope(agency_id=cast.acme.pk):
            passwords.start_day(agency_id=cast.acme.pk, at=NOON)
        people.set_password(user=cast.carol.user, password=FRESH, at=NOON)
        mailoutbox.clear()
        rotate_passwords()
        rotate_passwords()
    assert all(
        isinstance(one, mail.EmailMultiAlternatives) and "<a href" in str(one.alternatives[0][0])
        for one in mailoutbox
    )
    assert [(one.to, one.subject) for one in mailoutbox] == [
        ([BOB], "Your CallPrivacy password is due within 7 days")
    ]
    assert "/.well-known/change-password" in mailoutbox[0].body
    assert "Acme" not in str(mailoutbox[0].message())


def test_mornings_across_clock_changes_come_once_a_day(cast: Cast) -> None:
    for hour in range(0, 24 * 5, 3):  # 1 November has 25 hours in New York
        morning(cast.acme.pk, datetime(2026, 10, 30, 4, tzinfo=UTC) + timedelta(hours=hour))
    with job_scope(agency_id=cast.acme.pk):
        days = list(PasswordDay.objects.order_by("on").values_list("on", flat=True))
    assert days == [date(2026, 10, 30) + timedelta(days=n) for n in range(5)]


# --- overdue ---


def test_sessions_and_keys_of_the_overdue_end_after_the_grace(cast: Cast) -> None:
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        mine = api_keys.create_key(
            client=cast.dentist,
            name="CRM",
            scopes=[ApiScope.CONSENT_CHECK],
            by=by,
            at=NOON,
            life=timedelta(days=300),
        )
    set_on(cast.alice, NOON)
    browser = Browser()
    due = datetime.combine(NOON + timedelta(days=90), time(), tzinfo=NEW_YORK)
    with time_machine.travel(due - timedelta(hours=3), tick=False):
        sign_in(browser, "alice@acme.example")
        assert is_in(browser)

    def alive() -> tuple[int, bool]:
        with job_scope(agency_id=cast.acme.pk):
            key = ApiKey.objects.get(pk=mine.key.pk)
        return UserSession.objects.filter(user=cast.alice.user).count(), key.revoked_at is None

    morning(cast.acme.pk, due + timedelta(hours=12))
    assert alive() == (1, True)
    morning(cast.acme.pk, due + timedelta(hours=72 + 12))
    assert alive() == (0, False)
    assert "person.password_overdue" in actions_of(cast.acme.pk)


@pytest.mark.thorough
def test_who_was_away_for_a_year_comes_in_to_the_page_for_a_new_one(cast: Cast) -> None:
    set_on(cast.bob, NOON - timedelta(days=400))
    for day in range(-300, 0, 60):
        morning(cast.acme.pk, NOON + timedelta(days=day))
    with time_machine.travel(NOON, tick=False):
        browser = Browser()
        assert sign_in(browser, BOB).status_code == 302
        assert browser.get("/")["Location"] == CHANGE
        assert change(browser) == 302


def test_the_last_who_manages_people_is_never_kept_out(cast: Cast) -> None:
    mallory = cast.mallory  # Globex has nobody else
    set_on(mallory, NOON - timedelta(days=500))
    morning(cast.globex.pk, NOON)
    with job_scope(agency_id=cast.globex.pk):
        closed = passwords.mark_known(membership=mallory, by=Actor.job("tests"), at=NOON)
    assert not closed
    with time_machine.travel(NOON, tick=False):
        browser = Browser()
        assert sign_in(browser, "mallory@globex.example").status_code == 302
        assert browser.get("/clients/")["Location"] == f"{CHANGE}?next=%2Fclients%2F"
        assert "Someone else may know your password" in browser.get(CHANGE).content.decode()
        assert change(browser) == 302
        assert sign_in(browser, "mallory@globex.example", FRESH).status_code == 302
        assert is_in(browser)


# --- evidence ---


@pytest.mark.django_db(transaction=True)
def test_a_password_that_somebody_knows_opens_nothing_and_a_link_is_mailed(
    mailoutbox: list[mail.EmailMessage],
) -> None:
    from tests import cast as actors

    cast = actors.assemble()
    bob = Browser()
    sign_in(bob, BOB)
    carol = signed_in(cast.carol)
    page = carol.get(f"/people/{cast.bob.pk}/password/").content.decode()
    assert "Sessions that end" in page

    carol.post(f"/people/{cast.bob.pk}/password/")

    assert not is_in(bob)
    assert sign_in(Browser(), BOB).status_code == 200
    body = next(one.body for one in mailoutbox if one.to == [BOB])
    path = next(word for word in body.split() if "/password/reset/key/" in word).removeprefix(
        "http://127.0.0.1:8000"
    )
    form = bob.get(path)["Location"]
    again = bob.post(form, {"password1": PASSWORD, "password2": PASSWORD})
    assert "among your last 4" in again.content.decode()
    assert bob.post(form, {"password1": FRESH, "password2": FRESH}).status_code == 302
    assert sign_in(Browser(), BOB, FRESH).status_code == 302
    assert "person.password_known" in actions_of(cast.acme.pk)


def with_factors(person: Membership) -> None:
    """A passkey and codes of ten days ago and another passkey of yesterday, beside a password of five days ago."""
    set_on(person, NOON - timedelta(days=5))
    for kind, days in (("webauthn", 10), ("totp", 9), ("webauthn", 1)):
        data = {"credential": {selectors.OPENS_ALONE: True}} if kind == "webauthn" else {}
        row = Authenticator.objects.create(user=person.user, type=kind, data=data)
        Authenticator.objects.filter(pk=row.pk).update(created_at=NOON - timedelta(days=days))


@pytest.mark.as_committed
def test_a_passkey_that_was_added_since_the_known_password_was_chosen_opens_nothing_alone(
    cast: Cast, mailoutbox: list[mail.EmailMessage]
) -> None:
    """None is taken away: for that there are two people."""
    for person in (cast.bob, cast.mallory):
        with_factors(person)
    carol, url = signed_in(cast.carol), f"/people/{cast.bob.pk}/password/"
    rows = carol.get(url).context["extent"]
    assert [(row["label"].partition(",")[0], row["value"]) for row in rows[:3]] == [
        ("Passkey or security key", "stays"),
        ("Authenticator app", "stays"),
        ("Passkey or security key", "beside the password"),
    ]
    assert f"{NOON - timedelta(days=1):%-d %b %Y}" in rows[2]["label"]

    carol.post(url)
    assert "may not be yours: 1. They no longer work alone" in mailoutbox[-1].body
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.get(action="person.password_known").details["keys"] == 1
    with job_scope(agency_id=cast.mallory.agency_id):
        passwords.mark_known(membership=cast.mallory, by=make.JOB, at=NOON)
    for person in (cast.bob, cast.mallory):
        assert [selectors.opens_alone(key) for key in selectors.keys_of(person.user_id)] == [True, False]
        assert selectors.has_second_factor(person.user_id)


def test_a_password_that_is_closed_while_it_is_being_replaced_stays_closed(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(cast.bob)
    set_password = people.set_password

    def meanwhile(*, user: User, **facts: Any) -> None:
        people.close_password(user=User.objects.get(pk=user.pk), at=NOON)
        set_password(user=user, **facts)

    monkeypatch.setattr(people, "set_password", meanwhile)
    answer = browser.post(
        CHANGE, {"oldpassword": PASSWORD, "password1": FRESH, "password2": FRESH}, follow=True
    )
    assert "The password was changed or closed meanwhile." in answer.content.decode()
    assert not User.objects.get(pk=cast.bob.user_id).has_usable_password()
    assert sign_in(Browser(), BOB, FRESH).status_code == 200


def test_who_signs_in_with_a_stolen_password_changes_it_first(cast: Cast) -> None:
    stolen = "P@ssw0rd1234"
    User.objects.filter(pk=cast.bob.user_id).update(password=make_password(stolen))
    browser = Browser()
    assert sign_in(browser, BOB, stolen).status_code == 302
    assert browser.get("/clients/")["Location"] == f"{CHANGE}?next=%2Fclients%2F"
    cast.bob.user.refresh_from_db()
    assert cast.bob.user.password_due_why == DueWhy.KNOWN
    assert "person.password_breached" in actions_of(cast.acme.pk)


# --- several agencies, and the rule ---


def test_the_stricter_of_two_agencies_counts_from_the_day_that_somebody_joins(cast: Cast) -> None:
    with job_scope(agency_id=cast.globex.pk):
        passwords.change_policy(
            agency=cast.globex, values={"max_age_days": 60, "min_length": 16}, by=make.JOB, at=NOON
        )
        Membership.objects.create(agency=cast.globex, user=cast.bob.user, role=Role.REVIEWER, created_at=NOON)
    set_on(cast.bob, NOON - timedelta(days=61))
    assert cast.bob.user.password_due_at is not None
    assert cast.bob.user.password_due_at < NOON
    rule = selectors.rule_of(cast.bob.user)
    assert (rule.min_length, rule.max_age_days, rule.words) == (16, 60, ("Acme", "Globex"))
    answer = signed_in(cast.bob).post(
        CHANGE, {"oldpassword": PASSWORD, "password1": "Kite-7-Gravel-x", "password2": "Kite-7-Gravel-x"}
    )
    assert "Add 1 more character." in answer.content.decode()


def test_a_rule_that_asks_people_at_once_says_how_many_first(cast: Cast) -> None:
    set_on(cast.bob, make.now() - timedelta(days=70))
    browser = signed_in(cast.alice)
    where = "/people/passwords/rule/"
    page = browser.get(where)
    values = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    values |= {"max_age_days": 60, "keeper": "We pay for a safe."}

    asked = browser.post(where, values)
    assert "1 person has a password that is older already" in asked.content.decode()
    assert browser.post(where, values | {"sure": "on"}).status_code == 302

    assert signed_in(cast.bob).get("/clients/")["Location"] == f"{CHANGE}?next=%2Fclients%2F"
    assert "We pay for a safe." in signed_in(cast.bob).get(CHANGE).content.decode()
    assert "sign_in_policy.changed" in actions_of(cast.acme.pk)
    nist = browser.post(where, values | {"profile": "nist"})
    assert nist.status_code == 302
    assert is_in(signed_in(cast.bob)), "nothing ages any more"


@pytest.mark.parametrize(("field", "value"), [("max_age_days", 91), ("max_age_days", 59), ("min_length", 7)])
def test_no_agency_goes_below_the_floor(cast: Cast, field: str, value: int) -> None:
    browser = signed_in(cast.alice)
    values = browser.get("/people/passwords/rule/").context["form"].initial
    values = {name: one for name, one in values.items() if one is not None} | {field: value}
    assert browser.post("/people/passwords/rule/", values).status_code == 200
    assert browser.get("/people/passwords/rule/").context["form"].initial[field] != value


def test_the_page_shows_who_is_due_first_and_asks_the_database_little(
    cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    set_on(cast.bob, make.now() - timedelta(days=100))
    # Whatever the clock says while the tests run, the day's work begins at six in the agency's zone.
    assert morning(cast.acme.pk, make.now().astimezone(ZoneInfo(cast.acme.time_zone)).replace(hour=12))
    browser = signed_in(cast.alice)
    browser.get("/people/passwords/")
    with django_assert_max_num_queries(24):
        page = browser.get("/people/passwords/").content.decode()
    assert page.index("Overdue") < page.index("Current")
    assert "bob" not in page.partition('id="passwords-days"')[0].lower().rpartition("panel")[2]
    assert signed_in(cast.bob).get("/people/passwords/").status_code in {302, 403}


def test_the_door_asks_no_more_than_before(cast: Cast) -> None:
    """What is due, which factor there is and what the agency wants come with the person and the membership."""
    browser = signed_in(cast.bob)
    browser.get("/accounts/sessions/")
    with CaptureQueriesContext(connection) as asked:
        browser.post("/agencies/", {"agency": "x"})
    about = [
        one["sql"]
        for one in asked
        if "accounts_signinpolicy" in one["sql"] or "mfa_authenticator" in one["sql"]
    ]
    assert len(about) == 1
    assert 'FROM "accounts_membership"' in about[0]
