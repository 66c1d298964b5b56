"""What a password must be, the strictest of several rules, and the meter."""

import io
import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callprivacy.accounts import passwords
from callprivacy.accounts.models import User
from callprivacy.accounts.passwords import Asked, Rule, RuleValidator
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import PASSWORD

NIST = Rule(8, 15, composed=False, max_age_days=None)


def asked(**fields: object) -> Asked:
    given_ = {
        "agency_id": 1,
        "agency": "Acme",
        "time_zone": "America/New_York",
        "profile": "rotating",
        "min_length": 12,
        "max_age_days": 90,
        "grace_hours": 72,
    }
    return Asked(**(given_ | fields))  # type: ignore[arg-type]  # facts of a table


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("correct-horse-7-battery", "Add a capital letter."),
        ("CORRECT-HORSE-7-BATTERY", "Add a small letter."),
        ("Correct-Horse-Battery", "Add a digit."),
        ("CorrectHorse7Battery", "Add a symbol such as ! or -."),
        ("Short-7-now", "Add 1 more character."),
        (
            "",
            "Add 12 more characters, a small letter, a capital letter, a digit and a symbol such as ! or -.",
        ),
    ],
)
def test_the_message_names_everything_that_is_missing(password: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RuleValidator().validate(password)
    assert refused.value.messages == [message]


def test_a_good_password_passes_and_eight_is_the_floor() -> None:
    RuleValidator(min_length=8).validate("Xv7-qmLeu")
    with pytest.raises(ImproperlyConfigured):
        RuleValidator(min_length=7)


@settings(max_examples=40)
@given(st.text(st.sampled_from("bqzßBQZÉ07٣-!_ "), min_size=10, max_size=20) | st.text(max_size=40))
@example("Correct-Horse-7")
@example("Correct Horse 7b")
def test_exactly_what_holds_all_four_kinds_passes(password: str) -> None:
    kinds = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum() and not c.isspace())
    is_good = len(password) >= 12 and all(any(kind(c) for c in password) for kind in kinds)
    assert (not passwords.missing(password, Rule(), has_factor=True)) == is_good


def test_the_nist_profile_asks_for_length_alone_and_for_less_beside_a_second_factor() -> None:
    assert passwords.missing("seven quiet lanterns", NIST, has_factor=False) == []
    assert passwords.missing("quiet lamp", NIST, has_factor=False) == ["5 more characters"]
    assert passwords.missing("quiet lamp", NIST, has_factor=True) == []
    assert passwords.missing("lamps", NIST, has_factor=True) == ["3 more characters"]


def test_who_works_for_several_agencies_meets_the_strictest_of_their_rules() -> None:
    rule = passwords.strictest(
        [asked(min_length=10, max_age_days=75), asked(profile="nist"), asked(min_length=14)]
    )
    assert (rule.min_length, rule.alone, rule.composed, rule.max_age_days) == (14, 15, True, 75)
    assert passwords.strictest([]) == Rule()


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("password1", "too common|stolen"),
        ("Gwendolyn-Fairweather-7", "too similar|guessed soon"),
        ("Acme-Acme-Acme-2026!", "guessed soon"),
        ("CallPrivacy-2026!", "guessed soon"),
        ("Password-12345!", "guessed soon|stolen"),
        ("P@ssw0rd1234", "stolen"),
        ("Aaaaaaaaaaaa1!", "guessed soon"),
        ("Qqwwqqwwqqww1!", "guessed soon"),
    ],
)
def test_what_a_guesser_would_try_is_refused(password: str, why: str) -> None:
    user = User(email="x@y.example", name="Gwendolyn Fairweather")
    user.password_rule = Rule(words=("Acme",))  # type: ignore[attr-defined]  # read by the validators
    with pytest.raises(ValidationError, match=why):
        validate_password(password, user)


def test_long_ones_and_those_with_spaces_and_other_letters_are_fine() -> None:
    user = User(email="x@y.example", name="Ana")
    user.password_rule = NIST  # type: ignore[attr-defined]  # read by the validators
    for password in ("seven quiet lanterns over Łódź", "ж" * 3 + " rattling 4 umbrellas" * 8):
        validate_password(password, user)


# --- when one is due ---


@pytest.mark.parametrize(
    ("zone", "changed", "days", "due"),
    [
        # Clocks go back on 1 November and forward on 14 March in New York; days are the calendar's either way.
        (
            "America/New_York",
            datetime(2026, 8, 28, 23, 30, tzinfo=ZoneInfo("America/New_York")),
            90,
            "2026-11-26T05:00",
        ),
        (
            "America/New_York",
            datetime(2026, 12, 20, 9, 0, tzinfo=ZoneInfo("America/New_York")),
            90,
            "2027-03-20T04:00",
        ),
        # 29 February is a day like any other.
        ("Europe/Berlin", datetime(2027, 12, 1, 8, 0, tzinfo=UTC), 90, "2028-02-28T23:00"),
        ("Europe/Berlin", datetime(2028, 2, 29, 8, 0, tzinfo=UTC), 60, "2028-04-28T22:00"),
        # A zone whose clocks change at midnight: the day begins at one.
        ("America/Havana", datetime(2026, 12, 14, 12, 0, tzinfo=UTC), 90, "2027-03-14T05:00"),
        ("Australia/Lord_Howe", datetime(2026, 7, 6, 0, 0, tzinfo=UTC), 90, "2026-10-03T13:30"),
    ],
)
def test_days_are_counted_by_the_calendar(zone: str, changed: datetime, days: int, due: str) -> None:
    found = asked(time_zone=zone, max_age_days=days).due_at(changed)
    assert found is not None
    assert found.isoformat() == f"{due}:00+00:00"


def test_of_several_agencies_the_first_day_counts_and_nist_has_none() -> None:
    changed = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
    both = [asked(max_age_days=90), asked(max_age_days=60, time_zone="UTC"), asked(profile="nist")]
    found = passwords.due_at(both, changed)
    assert found is not None
    assert found.date() == date(2026, 10, 31)
    assert passwords.due_at([asked(profile="nist")], changed) is None


# --- the meter ---


def test_the_meter_says_what_helps_and_keeps_nothing(cast: Cast) -> None:
    browser = Browser()
    rule = passwords.pack(Rule(words=("Acme",)), has_factor=False)
    ask = "/accounts/password/strength/"

    weak = browser.post(ask, {"password": "Acme-1", "rule": rule}).content.decode()
    good = browser.post(ask, {"password": PASSWORD, "rule": rule}).content.decode()
    stolen = browser.post(ask, {"password": "P@ssw0rd1234", "rule": rule}).content.decode()

    assert "Add 6 more characters" in weak
    assert "Very good." in good
    assert "In lists of stolen passwords" in stolen
    for page in (weak, good, stolen):
        assert PASSWORD not in page
        assert "P@ssw0rd1234" not in page
    assert browser.get(ask).status_code == 405


def test_what_is_typed_into_the_meter_is_in_no_log_and_no_row(cast: Cast, logged: io.StringIO) -> None:
    typed = "Quokka-Lantern-77-Gravel"
    browser = signed_in(cast.bob)
    browser.get("/accounts/password/change/")
    with CaptureQueriesContext(connection) as asked:
        browser.post(
            "/accounts/password/strength/",
            {"password": typed, "rule": passwords.pack(Rule(), has_factor=False)},
        )
    assert "request_finished" in logged.getvalue()
    for text in (logged.getvalue(), *(one["sql"] for one in asked)):
        assert typed not in text
    assert typed not in str(dict(browser.session))


def test_a_forged_rule_is_the_default_one() -> None:
    forged = passwords.pack(Rule(1, 1, composed=False), has_factor=True)[:-1] + "x"
    assert passwords.unpack(forged) == (Rule(), False)


def test_password_managers_find_the_page_for_a_new_one() -> None:
    answer = Browser().get("/.well-known/change-password")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/password/change/")


def test_no_password_keeps_the_guesser_busy() -> None:
    """What stands for other letters is tried in every way; 22 kinds of it took four seconds."""
    worst = "4@8({[<369&#!1/|0$5+7%2" * 20
    started = time.perf_counter()
    assert passwords.strength_of(worst, Rule()).score == 4
    assert time.perf_counter() - started < 1.5
