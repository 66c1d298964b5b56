"""A mail server that takes nothing costs time: no log holds what the mail held, and the job sends it again."""

import io
import json
import re
from typing import Any

import pytest
from celery.app.trace import build_tracer
from django.test import Client as Browser
from django.test import override_settings

from callprivacy.accounts.models import User
from callprivacy.celery import app
from callprivacy.tenancy.scope import job_scope
from callprivacy.work.models import Notification
from rights.enums import ApprovalKind, Ask
from rights.models import Approval
from rights.services import approvals
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.rights import asking
from tests.rules import senders
from tests.rules.senders import Canary
from tests.rules.test_failures import MAILS, holds_nothing, in_a_job
from tests.smtp import WAYS, Way, serving
from tests.work import waiting

pytestmark = [pytest.mark.as_committed, pytest.mark.parametrize("way", WAYS)]


@pytest.mark.parametrize("site", MAILS)
def test_a_mail_that_no_server_takes_leaves_nothing_of_it_in_a_log(
    cast: Cast, logged: io.StringIO, site: str, way: Way
) -> None:
    canary = Canary()
    with serving(way) as server, override_settings(MAILERS=server.mailers):
        for _ in range(2):
            in_a_job(senders.mails(canary, cast.acme)[site], canary)
    holds_nothing(logged, canary, f"{site}, {way}")
    assert len(server.sent) == (0 if way == "refused" else 2 if way == "cut" else 1)
    assert re.search("not_taken|not_told|after_commit.failed|NotSentError", logged.getvalue())


def _worked(name: str) -> None:
    """A job as the worker runs it."""
    build_tracer(name, app.tasks[name], app=app)("the-job", [], {}, {})


def test_what_waits_is_sent_by_the_worker_once_a_server_takes_it(
    cast: Cast, logged: io.StringIO, mailoutbox: list[Any], way: Way
) -> None:
    make.call(cast.dentist, Canary.number)
    waiting.of_client(cast.dentist, "one")
    submission = asking.asked(cast.dentist, Ask.DELETE, at=make.now())
    asking.prove(submission, at=make.now())
    asking.search(submission, at=make.now())
    asking.Office(cast).does(
        approvals.ask_client, case=asking.case_of(submission, Ask.DELETE), kind=ApprovalKind.APPROVE,
        to="owner@dentist.example", said="We would erase it.", at=make.now(), is_vouched=True,
    )  # fmt: skip
    with serving(way) as server, override_settings(MAILERS=server.mailers):
        for name in ("work.send_mail", "rights.ask_clients"):
            _worked(name)
    written = logged.getvalue()
    with job_scope(agency_id=cast.acme.pk):
        assert not Notification.objects.filter(mailed_at__isnull=False).exists()
        assert Approval.objects.get().mailed_at is None
        Notification.objects.update(mail_due_at=make.now())
        Approval.objects.update(mail_due_at=make.now())
    for name in ("work.send_mail", "rights.ask_clients"):
        _worked(name)
    with job_scope(agency_id=cast.acme.pk):
        assert Notification.objects.filter(mailed_at__isnull=False).exists()
        assert Approval.objects.get().mailed_at is not None
    assert {address for message in mailoutbox for address in message.to} >= {"owner@dentist.example"}
    people = [person for email, name in User.objects.values_list("email", "name") for person in (email, name)]
    secrets = re.findall(rb"/approve/([\w-]{20,})", b"".join(server.sent).replace(b"=\r\n", b""))
    for secret in ["owner@dentist.example", *people, *(one.decode() for one in secrets)]:
        assert secret not in written
    assert all(json.loads(line)["event"] for line in written.splitlines() if line.startswith("{"))


def test_a_page_that_sends_a_mail_answers_as_ever(cast: Cast, logged: io.StringIO, way: Way) -> None:
    with serving(way) as server, override_settings(MAILERS=server.mailers):
        for _ in range(2):
            answer = Browser().post("/accounts/password/reset/", {"email": cast.bob.user.email})
            assert answer.status_code == 302
        invited = signed_in(cast.carol).post(
            "/people/invite/", {"name": "Nora Quill", "email": "nora.q@acme.example", "role": "reviewer"}
        )
        assert invited.status_code == 302
    sent = b"".join(server.sent).replace(b"=\r\n", b"").decode()
    secrets = re.findall(r"/(?:invitation|reset/key)/([\w-]{20,})", sent)
    assert bool(secrets) is (way != "refused")
    for secret in [cast.bob.user.email, cast.bob.user.name, "Nora Quill", "nora.q@", *secrets]:
        assert secret not in logged.getvalue()
    assert logged.getvalue().count("after_commit.failed") >= 3
