"""Mail about what waits: what it says, whom it never reaches, and what a failing server costs."""

import logging
import re
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, connections
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import User
from callprivacy.lib import scope
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from callprivacy.work import tasks
from callprivacy.work.enums import Told
from callprivacy.work.models import Notification
from retention.selectors import due
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast, assemble
from tests.scale import some, times
from tests.work import waiting

NUMBER = "+14045554686"


def _send() -> None:
    tasks.send_due_mail.run()


def _to() -> list[str]:
    return sorted(address for message in mail.outbox for address in message.to)


def _due_again(cast: Cast) -> None:
    """Let the time pass after which a claim ends."""
    with job_scope(agency_id=cast.acme.pk):
        Notification.objects.filter(mail_due_at__isnull=False).update(mail_due_at=make.now())


def _claim(cast: Cast, at: datetime, limit: int = 200) -> list[Notification]:
    with job_scope(agency_id=cast.acme.pk):
        return work.claim_mail(agency_id=cast.acme.pk, at=at, limit=limit)


# --- What it says -------------------------------------------------------------------------------------------


def test_one_message_a_person_with_kinds_and_a_link_to_the_notifications(cast: Cast, settings: Any) -> None:
    make.call(cast.dentist, NUMBER)
    waiting.of_client(cast.dentist, "one")
    waiting.of_client(cast.plumber, "two")
    waiting.of_agency(cast.acme)

    _send()

    [message] = mail.outbox
    assert message.to == [cast.alice.user.email]
    assert message.subject == "CallPrivacy: open items for you"
    assert message.body == (
        "New for you at Acme:\n\n"
        f"- {waiting.LIMIT_TITLE}\n- {waiting.EVENTS_TITLE}\n\n"
        f"Sign in to see it: {settings.CALLPRIVACY_URL}/notifications/\n\n"
        "On that page, you choose how often these mails come.\n"
    )
    [(html, kind)] = message.alternatives  # type: ignore[attr-defined]  # a message as it was sent
    assert kind == "text/html"
    assert f"<li>{waiting.EVENTS_TITLE}</li>" in html
    assert cast.dentist.name not in html


def test_neither_number_nor_client_nor_person_nor_a_link_that_opens_by_itself(cast: Cast) -> None:
    dave = waiting.manager(cast, "dave", cast.dentist)
    item = waiting.of_client(cast.dentist)
    waiting.do(cast.alice, "assign", item, owner=dave.user_id)

    _send()

    assert len(mail.outbox) == 2
    for message in mail.outbox:
        text = str(message.message())
        body = str(message.body)
        assert re.search(r"\d{4}", body.split("http", maxsplit=1)[0]) is None
        for word in ("Dentist", "Plumber", "Alice", "Dave", str(item.pk), "token", "?"):
            assert word not in body
        [link] = set(re.findall(r"https?://[^\s\"<>]+", text))
        assert link.endswith("/notifications/")
    answer = signed_in(cast.alice).get("/notifications/")
    assert answer.status_code == 200
    assert Browser().get("/notifications/").headers["Location"].startswith("/accounts/login/")


def test_a_handed_item_is_mailed_to_its_new_owner(cast: Cast) -> None:
    dave = waiting.manager(cast, "dave", cast.dentist)
    item = waiting.of_client(cast.dentist)
    waiting.forget_all(cast.acme)
    waiting.do(cast.alice, "assign", item, owner=dave.user_id)

    _send()

    assert _to() == [dave.user.email]
    assert f"- Assigned to you: {waiting.EVENTS_TITLE}\n" in str(mail.outbox[0].body)


def test_it_is_sent_once(cast: Cast) -> None:
    waiting.of_client(cast.dentist)

    _send()
    _due_again(cast)
    _send()

    assert _to() == [cast.alice.user.email]
    [row] = waiting.told(cast.acme)
    assert row.mailed_at is not None
    assert row.mail_due_at is None


def test_what_was_read_needs_no_mail(cast: Cast) -> None:
    waiting.of_client(cast.dentist)
    signed_in(cast.alice).post("/notifications/read/")

    _send()

    assert mail.outbox == []
    assert waiting.told(cast.acme)[0].mail_due_at is None


# --- Whom it never reaches ----------------------------------------------------------------------------------


def _lose(cast: Cast, how: str) -> None:
    person = cast.alice
    if how == "suspended":
        waiting.suspend(person)
    elif how == "inactive":
        User.objects.filter(pk=person.user_id).update(is_active=False)
    elif how == "grant ended":
        make.grant(person, cast.dentist, ends_at=make.now() - timedelta(seconds=1))
    elif how == "grant lesser":
        make.grant(person, cast.dentist, Role.REVIEWER)
    elif how == "gone":
        with job_scope(agency_id=cast.acme.pk):
            type(person).objects.filter(pk=person.pk).delete()


@pytest.mark.parametrize("how", ["suspended", "inactive", "grant ended", "grant lesser", "gone"])
def test_who_may_not_act_any_more_gets_no_mail(cast: Cast, how: str) -> None:
    dave = waiting.manager(cast, "dave", cast.dentist)
    waiting.of_client(cast.dentist)
    assert len(waiting.told(cast.acme)) == 2
    _lose(cast, how)

    _send()
    _due_again(cast)
    _send()

    assert _to() == [dave.user.email]
    [row] = waiting.told(cast.acme, user_id=cast.alice.user_id)
    assert (row.mail_due_at, row.mailed_at) == (None, None)


@pytest.mark.parametrize("how", ["suspended", "inactive", "demoted"])
def test_without_the_right_any_more_no_mail_about_the_agency(cast: Cast, how: str) -> None:
    waiting.of_agency(cast.acme)
    _lose(cast, how)
    if how == "demoted":
        with job_scope(agency_id=cast.acme.pk):
            type(cast.alice).objects.filter(pk=cast.alice.pk).update(role="analyst")

    _send()

    assert mail.outbox == []


def test_what_a_person_may_still_act_on_is_mailed_without_the_rest(cast: Cast) -> None:
    waiting.of_client(cast.dentist)
    waiting.of_agency(cast.acme)
    _lose(cast, "grant ended")

    _send()

    [message] = mail.outbox
    assert waiting.LIMIT_TITLE in str(message.body)
    assert waiting.EVENTS_TITLE not in str(message.body)


def test_suspended_here_and_active_elsewhere_is_mailed_about_elsewhere(cast: Cast) -> None:
    with job_scope(agency_id=cast.globex.pk):
        type(cast.alice).objects.create(
            agency=cast.globex, user=cast.alice.user, role="officer", created_at=make.NOON
        )
    waiting.of_agency(cast.acme)
    waiting.of_agency(cast.globex)
    waiting.suspend(cast.alice)

    _send()

    assert _to() == sorted([cast.alice.user.email, cast.mallory.user.email])
    assert all("Globex" in str(message.body) for message in mail.outbox)


# --- A failing server ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    some(
        [
            SMTPServerDisconnected("gone"),
            SMTPRecipientsRefused({"alice@acme.example": (550, b"no such box alice@acme.example")}),
            ConnectionRefusedError("refused"),
            TimeoutError("slow"),
            UnicodeEncodeError("ascii", "alice@acme.example", 0, 1, "no"),
        ],
        one_in=5,
        each=lambda error: (isinstance(error, OSError), "alice" in str(error)),
    ),
    ids=lambda error: type(error).__name__,
)
def test_a_failure_delays_one_mail_and_stops_no_other(
    cast: Cast, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dave = waiting.manager(cast, "dave", cast.dentist)
    waiting.of_client(cast.dentist)
    waiting.of_agency(cast.globex)
    real = EmailBackend.send_messages

    def sometimes(self: EmailBackend, messages: Sequence[EmailMessage]) -> int:
        if any(message.to == [cast.alice.user.email] for message in messages):
            raise error
        return real(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", sometimes)
    before = make.now()
    with caplog.at_level(logging.DEBUG):
        _send()

    assert _to() == sorted([dave.user.email, cast.mallory.user.email])
    [row] = waiting.told(cast.acme, user_id=cast.alice.user_id)
    assert row.mailed_at is None
    assert row.mail_due_at is not None
    assert before + work.MAIL_AGAIN_AFTER <= row.mail_due_at <= make.now() + work.MAIL_AGAIN_AFTER
    assert "mail.not_taken" in caplog.text
    assert type(error).__name__ in caplog.text
    assert "@" not in "".join(str(line.msg) for line in caplog.records if "mail" in str(line.msg))

    monkeypatch.setattr(EmailBackend, "send_messages", real)
    mail.outbox.clear()
    _send()
    assert mail.outbox == []  # the claim still holds
    _due_again(cast)
    _send()
    assert _to() == [cast.alice.user.email]


@pytest.mark.parametrize("told", [Told.AT_ONCE, Told.DAILY], ids=str)
def test_the_outbox_is_as_old_as_its_oldest_mail_however_often_it_was_tried(cast: Cast, told: Told) -> None:
    began = make.NOON
    with job_scope(agency_id=cast.acme.pk):
        work.choose_mail(membership=cast.alice, told={"": told}, by=make.JOB, at=began)
        work.notify(
            "posture_weekly", agency_id=cast.acme.pk, user_ids=[cast.alice.user_id], at=began, key="one"
        )
    if told is Told.DAILY:
        assert _claim(cast, began) == []
        began = work.next_daily_mail(began, cast.acme.time_zone)
        with job_scope(agency_id=cast.acme.pk):
            assert due.outbox(cast.acme.pk, began - timedelta(minutes=5)) == (None, 0)
    for minutes in range(0, 24 * 60, times(60, 10)):
        at = began + timedelta(minutes=minutes)
        assert len(_claim(cast, at)) == 1
        with job_scope(agency_id=cast.acme.pk):
            assert due.outbox(cast.acme.pk, at) == (minutes * 60, 1)
            assert due.oldest(cast.acme.pk, at) == {}, "its job has done what it could"
    later = began + timedelta(days=1)
    [row] = _claim(cast, later)
    with job_scope(agency_id=cast.acme.pk):
        work.mail_sent(notification_ids=[row.pk], at=later)
        assert due.outbox(cast.acme.pk, later) == (None, 0)


def test_nothing_is_sent_inside_a_transaction_of_the_agency(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting.of_client(cast.dentist)
    seen: list[object] = []
    monkeypatch.setattr(EmailBackend, "send_messages", lambda *_: seen.append(scope.current()))

    _send()

    assert seen == [None]


def test_a_run_that_outlives_its_claim_stops(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting.manager(cast, "dave", cast.dentist)
    waiting.of_client(cast.dentist)
    clock = [make.now()]
    sent: list[EmailMessage] = []

    def slow(_: EmailBackend, messages: Sequence[EmailMessage]) -> int:
        sent.extend(messages)
        clock[0] += work.MAIL_AGAIN_AFTER
        return len(messages)

    monkeypatch.setattr(EmailBackend, "send_messages", slow)
    monkeypatch.setattr(timezone, "now", lambda: clock[0])

    _send()
    assert len(sent) == 1
    _due_again(cast)
    _send()
    assert len(sent) == 2


def test_a_claim_holds_until_it_ends(cast: Cast) -> None:
    waiting.of_client(cast.dentist, at=make.NOON)

    assert len(_claim(cast, make.NOON)) == 1
    assert _claim(cast, make.NOON + work.MAIL_AGAIN_AFTER - timedelta(microseconds=1)) == []
    assert len(_claim(cast, make.NOON + work.MAIL_AGAIN_AFTER)) == 1


def test_claims_are_bounded_and_reach_everything(cast: Cast) -> None:
    for number in range(5):
        waiting.of_client(cast.dentist, f"k{number}", at=make.NOON)

    claimed = [len(_claim(cast, make.NOON, limit=2)) for _ in range(4)]

    assert claimed == [2, 2, 1, 0]


def test_claiming_asks_no_more_for_more_notifications(cast: Cast) -> None:
    waiting.of_client(cast.dentist, "one", at=make.NOON)
    with CaptureQueriesContext(connection) as few:
        _claim(cast, make.NOON)
    for number in range(10):
        waiting.of_client(cast.plumber, f"k{number}", at=make.NOON)
    with CaptureQueriesContext(connection) as many:
        assert len(_claim(cast, make.NOON)) == 10

    assert len(many) == len(few)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_each_mail_once() -> None:
    cast = assemble()
    waiting.of_client(cast.dentist, at=make.NOON)
    gate, claimed = threading.Barrier(3), []

    def run() -> None:
        try:
            gate.wait()
            claimed.extend(_claim(cast, make.NOON))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(claimed) == 1
