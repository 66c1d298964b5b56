"""What a mail server's refusal counts for: the recipient's for good, or a matter of the server and our account."""

from smtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from typing import Any

import pytest
from django.core.mail.backends.locmem import EmailBackend

from callprivacy.lib import mail

TO = "anna@example.org"


def refused(code: int, said: bytes) -> SMTPRecipientsRefused:
    return SMTPRecipientsRefused({TO: (code, said)})


def handed(monkeypatch: pytest.MonkeyPatch, error: Exception, to: str = TO) -> mail.Fault:
    def refuse(*_: Any) -> int:
        raise error

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    fault = mail.hand_over(mail.letter("Hello", "Hello.", [to]))
    assert fault is not None
    assert fault.kind == type(error).__name__
    return fault


@pytest.mark.parametrize(
    "error",
    [
        refused(550, b"5.1.1 <anna@example.org>: no such user"),
        refused(550, b"5.2.1 The account is disabled"),
        refused(552, b"5.2.2 Mailbox full"),
        refused(556, b"5.1.10 The domain takes no mail"),
        refused(550, b"No such user here"),
        refused(553, b"Mailbox name not allowed"),
        SMTPDataError(550, b"5.1.1 no such user"),
        SMTPDataError(550, "5.1.1 no such user"),
    ],
    ids=str,
)
def test_a_permanent_answer_about_the_recipient_counts(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert handed(monkeypatch, error).is_recipients


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("refused"),
        TimeoutError("slow"),
        OSError("no route"),
        SMTPServerDisconnected("gone"),
        SMTPConnectError(421, b"too many connections"),
        SMTPAuthenticationError(535, b"5.7.8 Bad credentials"),
        SMTPSenderRefused(550, b"5.1.8 Sender address rejected", "us@example.com"),
        SMTPNotSupportedError("STARTTLS extension not supported by server."),
        refused(450, b"4.2.1 greylisted"),
        refused(421, b"closing"),
        refused(530, b"5.7.0 Authentication required"),
        refused(550, b"5.7.1 Relaying denied"),
        refused(554, b"5.7.1 <anna@example.org>: Relay access denied"),
        refused(550, b"relay not permitted"),
        refused(550, b"Sender verify failed"),
        refused(550, b"5.1.7 The sender's address is none"),
        refused(554, b"5.1.90 Your daily limit is exceeded"),
        refused(550, b"5.4.5 Daily sending quota exceeded"),
        refused(554, b"Client host rejected"),
        refused(503, b"5.5.1 MAIL first"),
        SMTPRecipientsRefused({}),
        SMTPDataError(451, b"4.7.1 try later"),
        SMTPDataError(550, b"5.7.1 This looks like spam"),
        SMTPDataError(550, b"Message refused"),
        SMTPDataError(554, b"5.2.252 SendAsDenied"),
        SMTPDataError(552, b"5.3.4 Message too big"),
        ValueError("Header values can't contain newlines"),
    ],
    ids=str,
)
def test_what_is_temporary_or_about_us_counts_against_nobody(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert not handed(monkeypatch, error).is_recipients


@pytest.mark.parametrize("to", ["jörg@example.org", "anna@", f"anna@{'ü' * 70}.example"])
def test_an_address_to_which_no_mail_can_go_is_the_recipients(
    monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    assert handed(monkeypatch, UnicodeEncodeError("ascii", to, 0, 1, "no"), to).is_recipients


def test_what_is_taken_has_no_fault(mailoutbox: list[Any]) -> None:
    assert mail.hand_over(mail.letter("Hello", "Hello.", [TO])) is None
    assert [one.to for one in mailoutbox] == [[TO]]
