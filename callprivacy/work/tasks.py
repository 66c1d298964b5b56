"""Mail about what waits: claimed, committed, sent, recorded."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone

from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services


@shared_task(name="work.send_mail", acks_late=True)
def send_due_mail(**_: Any) -> None:
    """Send the mail that is due, one message a person, without a number, a name or a link that opens by itself."""
    for agency_id in tenancy.agency_ids():
        at = timezone.now()
        with job_scope(agency_id=agency_id):
            rows = services.claim_mail(agency_id=agency_id, at=at, limit=200)
        for address in sorted({row.user.email for row in rows}):
            mine = [row for row in rows if row.user.email == address]
            titles = sorted({row.about.title for row in mine})
            lines = "\n".join(f"- {title}" for title in titles)
            send_mail(
                "CallPrivacy: something waits for you",
                f"New in CallPrivacy:\n\n{lines}\n\nSign in to see it: {settings.CALLPRIVACY_URL}/work/\n",
                None,
                [address],
            )
            with job_scope(agency_id=agency_id):
                services.mail_sent(notification_ids=[row.pk for row in mine], at=timezone.now())
