"""Mail about what waits: claimed, committed, sent, recorded."""

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from callprivacy.lib.logs import logger
from callprivacy.lib.mail import hand_over
from callprivacy.tenancy.jobs import agency_job
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services
from callprivacy.work.models import Notification

log = logger(__name__)

_BATCH = 200


mind_people = agency_job(name="work.mind_people", every=300, in_scope=True)(services.mind_people)
remove_old = agency_job(name="work.remove_old", every=3600, in_scope=True)(services.remove_old)


@agency_job(name="work.send_mail", every=60)
def send_due_mail(agency_id: int, at: datetime) -> None:
    """Send the mail that is due, one message a person and agency."""
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
