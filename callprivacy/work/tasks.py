"""Mail about what waits: claimed, committed, sent, recorded."""

from collections.abc import Mapping
from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from callprivacy.lib.logs import logger
from callprivacy.lib.mail import hand_over
from callprivacy.tenancy.scope import in_each_agency, job_scope
from callprivacy.work import services
from callprivacy.work.models import Notification

log = logger(__name__)

_BATCH = 200


@shared_task(name="work.send_mail", acks_late=True)
def send_due_mail(**_: Any) -> None:
    """Send the mail that is due, one message a person and agency."""
    in_each_agency(_send_of)


@shared_task(name="work.mind_people", acks_late=True)
def mind_people(**_: Any) -> None:
    """Put into each agency's queue what waits of people and their grants, and take out what does not any more."""
    in_each_agency(_mind_people_of)


@shared_task(name="work.remove_old", acks_late=True)
def remove_old(**_: Any) -> None:
    """Let what people were told and have done long ago go, and claims of periods that are over."""

    def remove(agency_id: int) -> None:
        with job_scope(agency_id=agency_id):
            services.remove_old(agency_id=agency_id, at=timezone.now())

    in_each_agency(remove)


def _mind_people_of(agency_id: int) -> None:
    with job_scope(agency_id=agency_id):
        services.mind_people(agency_id=agency_id, at=timezone.now())


def _send_of(agency_id: int) -> None:
    at = timezone.now()
    with job_scope(agency_id=agency_id):
        rows = services.claim_mail(agency_id=agency_id, at=at, limit=_BATCH)
        details = {row.kind: row.about.details() for row in rows if row.about.details is not None}
    for user_id in sorted({row.user_id for row in rows}):
        if timezone.now() >= at + services.MAIL_AGAIN_AFTER:
            return  # the server was slow, and the rest may be claimed by another run by now
        mine = [row for row in rows if row.user_id == user_id]
        if _send(mine, details):
            with job_scope(agency_id=agency_id):
                services.mail_sent(notification_ids=[row.pk for row in mine], at=timezone.now())


def _send(rows: list[Notification], details: Mapping[str, list[str]]) -> bool:
    """
    Send one person's message: what kinds of thing are new, and where to sign in to see them.

    :param details: kind -> lines below its title.
    :returns: whether the server took it; if not, it is tried again when the claim ends.
    """
    user, agency = rows[0].user, rows[0].agency
    context = {
        "agency": agency.name,
        "lines": sorted({(row.words, tuple(details.get(row.kind, ()))) for row in rows}),
        "url": f"{settings.CALLPRIVACY_URL}{reverse('work:notifications')}",
    }
    mail = EmailMultiAlternatives(
        subject="CallPrivacy: open items for you",
        body=render_to_string("work/email/news.txt", context),
        to=[user.email],
    )
    mail.attach_alternative(render_to_string("work/email/news.html", context), "text/html")
    fault = hand_over(mail)
    if fault is not None:
        log.warning("mail.not_taken", user_id=user.pk, error=fault.kind)
    return fault is None
