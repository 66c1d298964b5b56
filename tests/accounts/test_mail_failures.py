"""When a mail cannot be sent, no log holds what was in it: a link in a log opens an account to its reader."""

import io
import re
from smtplib import SMTPDataError, SMTPRecipientsRefused
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.test import Client as Browser

from callprivacy.accounts.services import passwords
from callprivacy.lib.after_commit import after_commit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.as_committed

BOB = "bob@acme.example"
NEW = "nora.new@acme.example"


@pytest.fixture(params=["recipients", "data", "refused"])
def lost(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[EmailMessage]:
    """The messages that the mail server did not take; its answers quote what they were about."""
    found: list[EmailMessage] = []

    def send(message: EmailMessage, *_: Any, **__: Any) -> int:
        found.append(message)
        if request.param == "refused":
            raise ConnectionRefusedError(message.to[0])
        if request.param == "data":
            raise SMTPDataError(554, str(message.body).encode())
        raise SMTPRecipientsRefused({message.to[0]: (550, message.to[0].encode())})

    monkeypatch.setattr(EmailMessage, "send", send)
    return found


def holds_nothing_of(written: str, lost: list[EmailMessage], *names: str) -> None:
    assert lost
    links = [link for message in lost for link in re.findall(r"https?://\S+", str(message.body))]
    secrets = {part for link in links for part in re.split(r"[/?=&]", link) if len(part) > 15}
    for secret in {*secrets, *(message.to[0] for message in lost), *names}:
        assert secret not in written
    assert "after_commit.failed" in written


def test_a_link_for_a_new_password(cast: Cast, lost: list[EmailMessage], logged: io.StringIO) -> None:
    Browser().post("/accounts/password/reset/", {"email": BOB})
    holds_nothing_of(logged.getvalue(), lost, cast.bob.user.name)


def test_an_invitation(cast: Cast, lost: list[EmailMessage], logged: io.StringIO) -> None:
    signed_in(cast.carol).post("/people/invite/", {"name": "Nora New", "email": NEW, "role": "reviewer"})
    holds_nothing_of(logged.getvalue(), lost, "Nora New")


def test_a_password_that_is_closed(cast: Cast, lost: list[EmailMessage], logged: io.StringIO) -> None:
    with job_scope(agency_id=cast.acme.pk):
        passwords.mark_known(membership=cast.bob, by=Actor.staff(user_id=cast.carol.user_id), at=NOON)
    holds_nothing_of(logged.getvalue(), lost, cast.bob.user.name)


def test_what_fails_is_named_by_its_kind_and_stops_nothing(db: None, logged: io.StringIO) -> None:
    done: list[int] = []

    def fail(secret: str) -> None:
        raise ValueError(secret)

    after_commit("mail of a test", fail, "a-secret-in-the-arguments")
    after_commit("another mail", done.append, 1)
    assert done == [1]
    assert "mail of a test" in logged.getvalue()
    assert "a-secret-in-the-arguments" not in logged.getvalue()
