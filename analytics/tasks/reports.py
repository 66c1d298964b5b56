"""Reports by mail, and removes files of costs that nobody decided about within a day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from analytics.channels import paper
from analytics.enums import Every
from analytics.forms import explorer as asking
from analytics.models import ReportMail
from analytics.selectors import counting, explorer
from analytics.services import costs, saved
from callprivacy.lib import mail
from callprivacy.lib.logs import logger
from callprivacy.tenancy.jobs import agency_job
from callprivacy.tenancy.scope import job_scope

log = logger(__name__)
_BATCH = 50
_WAITS: Final = timedelta(hours=3)
_SUBJECTS = {
    Every.DAY: "CallPrivacy: your daily report",
    Every.WEEK: "CallPrivacy: your weekly report",
    Every.MONTH: "CallPrivacy: your monthly report",
}


@dataclass(frozen=True, slots=True)
class _Letter:
    """A report as it goes to one person."""

    to: str
    every: Every
    url: str
    filename: str
    data: bytes


@agency_job(name="analytics.mail_reports", every=300)
def mail_reports(agency_id: int, at: datetime) -> None:
    """Send the reports that are due, each as PDF to the one person who asked for it."""
    with job_scope(agency_id=agency_id):
        due = saved.claim_mails(agency_id=agency_id, at=at, limit=_BATCH)
    for one in due:
        if timezone.now() >= at + saved.AGAIN_AFTER:
            return  # the rest may be claimed by another run by now
        with job_scope(agency_id=agency_id):
            if _is_early(one, at):
                continue  # its claim ends, and it comes back
            letter = _letter(one)
        if letter is None or _send(letter):
            with job_scope(agency_id=agency_id):
                saved.mail_sent(due=one, at=timezone.now())


def _is_early(due: saved.DueMail, at: datetime) -> bool:
    """Whether calls of the report's client are being counted; the mail waits for that, but not for ever."""
    if at >= due.due_at + _WAITS:
        return False
    client_ids = ReportMail.objects.filter(pk=due.mail_id).values_list("report__client_id", flat=True)
    return bool(counting.among(list(client_ids)))


def _letter(due: saved.DueMail) -> _Letter | None:
    """The report as of the date on which it fell due; None where its question has a fault by now."""
    row = ReportMail.objects.select_related("report__client", "user").filter(pk=due.mail_id).first()
    if row is None:
        return None
    report, client = row.report, row.report.client
    form, asked = asking.read(QueryDict(report.query), client, due.due_at)
    if asked is None:
        log.warning("report.not_asked", report_id=str(report.pk), fields=sorted(form.errors))
        return None
    answer = explorer.answer(client, asked)
    facts = [("Client", client.name), *asking.in_words(form, asked), ("Time zone", client.time_zone)]
    made = explorer.paper_of(answer, title=report.name, facts=facts, zone=client.time_zone, at=due.due_at)
    return _Letter(
        to=row.user.email,
        every=Every(row.every),
        url=f"{settings.CALLPRIVACY_URL}{reverse('analytics:open_saved', args=[client.slug, report.pk])}",
        filename=f"report-{due.due_at:%Y-%m-%d}.pdf",
        data=paper.as_pdf(made),
    )


def _send(letter: _Letter) -> bool:
    """Send one; returns whether the server took it. If not, it is tried again when its claim ends."""
    message = mail.letter(
        _SUBJECTS[letter.every],
        f"The report that you asked for is attached.\n\nSign in to see it with the figures of today:\n{letter.url}\n\n"
        "Under Saved reports you can also end these mails.\n",
        [letter.to],
    )
    message.attach(letter.filename, letter.data, "application/pdf")
    fault = mail.hand_over(message)
    if fault is not None:
        log.warning("report.not_taken", error=fault.kind)
    return fault is None


discard_costs = agency_job(name="analytics.discard_costs", every=3600, in_scope=True)(costs.discard_old)
