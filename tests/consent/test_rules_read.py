"""Which topics of the law decide something, that an imported pack changes it, and that pages name those that do not."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from callprivacy.tenancy.scope import job_scope
from consent import law
from consent.enums import Purpose
from consent.law import Topic
from consent.replies import classify
from consent.selectors import law as selectors
from consent.services import contact
from consent.services.contact import Aim, Asked, Code
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.own_rules import put_in_force

pytestmark = pytest.mark.as_committed

ROOT = Path(law.__file__).parent.parent
ON = date(2026, 11, 25)
READING = {
    Topic.CONTACTS_PER_DAY,
    Topic.OPT_OUT_REACH,
    Topic.SIGNAL_HONOURED,
    Topic.SIGNAL_CONFIRMED,
    Topic.VENDOR_USE,
    Topic.EVIDENCE_MONTHS,
    Topic.RECORDING_MONTHS,
}


# --- What is for reading -------------------------------------------------------------------------------------------


def test_a_topic_is_read_by_the_code_or_its_rules_say_that_they_are_for_reading() -> None:
    code = "\n".join(
        file.read_text(encoding="utf-8") for file in ROOT.rglob("*.py") if file.name != "topics.py"
    )
    read = {topic for topic in Topic if re.search(rf"Topic\.{topic.name}\b(?!\s*:)", code)}
    noted = {topic for topic in Topic if topic.note}
    assert noted == READING
    # How a topic's values are worded is no reading; only those that are dictionaries' keys are found nowhere else.
    assert read == set(Topic) - noted


@pytest.mark.thorough
def test_pages_say_beside_a_rule_that_it_decides_nothing(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    for topic in Topic:
        page = browser.get(f"/law/?topic={topic}").content.decode()
        if topic in READING:
            assert topic.note in page.replace("&#x27;", "'"), topic
        else:
            assert "Information only:" not in page, topic


# --- What an imported pack changes ---------------------------------------------------------------------------------


def test_the_strictest_of_any_place_counts_where_one_answer_is_for_everybody(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        assert selectors.confirm_within(cast.acme.pk, ON) == timedelta(minutes=5)
        assert selectors.sale_wait_months(cast.acme.pk, ON) == 12
        assert {"stop", "revoke", "arret"} <= selectors.opt_out_words(cast.acme.pk, ON)
    put_in_force(cast, confirmation_minutes="3", sale_wait_months="18", withdrawal_words="stop|basta ya")
    with job_scope(agency_id=cast.acme.pk):
        assert selectors.confirm_within(cast.acme.pk, ON) == timedelta(minutes=3)
        assert selectors.sale_wait_months(cast.acme.pk, ON) == 18
        assert selectors.opt_out_words(cast.acme.pk, ON) == {"stop", "basta ya"}
    with job_scope(agency_id=cast.globex.pk):
        assert selectors.sale_wait_months(cast.globex.pk, ON) == 12, "another agency's rules are its own"


def test_every_shipped_word_opts_out() -> None:
    words = {word for rule in law.load_pack() if rule.topic is Topic.WITHDRAWAL_WORDS for word in rule.read()}
    assert {word for word in words if classify(word, channel="sms").label != "withdraw"} == set()


# --- A company's own do-not-call requests --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "least"),
    [("+12145550101", "at least until 25 Nov 2031"), ("+17035550101", "at least until 25 Nov 2036")],
)
def test_a_request_not_to_be_called_never_ends_by_itself(cast: Cast, number: str, least: str) -> None:
    """Five years, in Virginia ten, are what the law asks at least; nothing ends it here but the person."""
    from callprivacy.vault import services as vault

    asked_at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    vault.suppress(client_id=cast.dentist.pk, numbers=[number], purposes=[Purpose.CONTACT], at=asked_at)
    for years in (0, 6, 20):
        at = datetime(2026 + years, 11, 25, 18, tzinfo=UTC)
        with job_scope(agency_id=cast.acme.pk):
            (answer,) = contact.check(
                client=cast.dentist, asked=[Asked(number)], aim=Aim.SERVICE, at=at
            ).answers
        (obstacle,) = (one for one in answer.obstacles if one.code is Code.DO_NOT_CALL)
        assert not answer.allowed
        assert obstacle.until is None
        assert "The opt-out applies until the person opts in again" in obstacle.text
        assert least in obstacle.text
