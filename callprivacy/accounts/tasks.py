"""What is tidied at the door from time to time, and what happens to passwords each morning."""

import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

from celery import current_app, shared_task
from django.conf import settings
from django.core.cache import caches
from django.template.loader import render_to_string
from django.utils import timezone
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from callprivacy.accounts import seconding
from callprivacy.accounts.models import PasswordReminder
from callprivacy.accounts.services import passwords, people, reviews, sign_in
from callprivacy.lib.after_commit import after_commit
from callprivacy.lib.logs import logger
from callprivacy.lib.mail import hand_over, letter
from callprivacy.tenancy.jobs import agency_job, job
from callprivacy.tenancy.scope import in_each_agency, job_scope

log = logger(__name__)
_BATCH = 200


@job(name="accounts.purge_sign_ins", every=3600)
def purge_sign_ins(**_: Any) -> None:
    """Remove counts of failed sign-ins that are forgotten anyway, sessions that have ended, and marks of both."""
    at = timezone.now()
    sign_in.purge_failures(at=at)
    seconding.purge_marks(at=at)
    people.purge_sessions(at=at)


@job(name="accounts.rotate_passwords", every=600)
def rotate_passwords(**_: Any) -> None:
    """Do the morning's work of each agency where it is morning, then mail who is reminded."""
    at = timezone.now()
    in_each_agency(partial(_start_day, at=at))
    _remind(at)


def _start_day(agency_id: int, *, at: datetime) -> None:
    with job_scope(agency_id=agency_id):
        passwords.start_day(agency_id=agency_id, at=at)


def _remind(at: datetime) -> None:
    for reminder in passwords.claim_reminders(at=at, limit=_BATCH):
        if timezone.now() >= at + passwords.MAIL_AGAIN_AFTER:
            return  # the server was slow, and the rest may be claimed by another run by now
        if _send(reminder):
            passwords.reminder_sent(reminder_id=reminder.pk, at=timezone.now())


def _send(reminder: PasswordReminder) -> bool:
    """Send one reminder; returns whether the server took it. If not, it is tried again when the claim ends."""
    context = {
        "name": str(reminder.user),
        "days": reminder.days,
        "due_at": reminder.due_at,
        "url": f"{settings.CALLPRIVACY_URL.rstrip('/')}/.well-known/change-password",
    }
    when = {0: "is due today", 1: "is due tomorrow"}.get(reminder.days, f"is due within {reminder.days} days")
    text = render_to_string("accounts/email/password_due.txt", context)
    fault = hand_over(letter(f"Your CallPrivacy password {when}", text, [reminder.user.email]))
    if fault is not None:
        log.warning("mail.not_taken", user_id=reminder.user_id, error=fault.kind)
    return fault is None


# --- Grants ---

mind_reviews = agency_job(name="accounts.mind_reviews", every=3600, in_scope=True)(reviews.mind_review)


@shared_task(name="accounts.note_use", acks_late=True)
def note_use(*, agency_id: int, user_id: int, client_id: int, **_: Any) -> None:
    """Remember that a person opened a page of a client today."""
    with job_scope(agency_id=agency_id):
        reviews.note_use(
            agency_id=agency_id,
            user_id=user_id,
            client_id=client_id,
            on=timezone.now().astimezone(UTC).date(),
        )


_quiet = {"until": 0.0}
_QUIET_AFTER_FAILURE = 30
_A_DAY = 24 * 3600


def wake_people() -> None:
    """Let a worker put what waits of people into the inbox as soon as it is kept, and not with the next round."""
    after_commit("wake of the inbox", current_app.send_task, "work.mind_people")


def hint_use(*, agency_id: int, user_id: int, client_id: int, at: datetime) -> None:
    """
    Let a worker remember that a person opened a page of a client, once a day. Never raises, and asks no database.

    A hint that is lost costs a day of what is known about one grant's use.
    """
    if time.monotonic() < _quiet["until"]:
        return
    try:
        if caches["hints"].add(f"use:{agency_id}:{user_id}:{client_id}:{at:%Y%m%d}", 1, timeout=_A_DAY):
            note_use.delay(agency_id=agency_id, user_id=user_id, client_id=client_id)
    except (RedisError, KombuError, OSError) as error:
        _quiet["until"] = time.monotonic() + _QUIET_AFTER_FAILURE
        log.warning("use.not_noted", agency=agency_id, error=type(error).__name__)
