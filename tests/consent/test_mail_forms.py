"""Every mail of ours has its words twice: as text, and as HTML that loads nothing."""

import ast
from pathlib import Path

import pytest
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives

from callprivacy.lib.mail import with_html
from consent.enums import Language
from rights.channels import mail_codes

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {
    "consent/channels/codes.py": "A demo's page of texts and calls, which are no mails",
    "callprivacy/lib/mail.py": "Makes the second form",
    "callprivacy/accounts/adapter.py": "Names the type that django-allauth hands over",
}


def _sends_plain(path: Path) -> bool:
    """Whether a file makes a message and never gives it the second form."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return "EmailMessage" in called and "with_html" not in called


def test_no_mail_leaves_as_text_alone() -> None:
    rooms = ("callprivacy", "consent", "analytics", "retention", "rights", "governance", "dashboard")
    found = {
        str(path.relative_to(ROOT))
        for room in rooms
        for path in (ROOT / room).rglob("*.py")
        if "/migrations/" not in str(path) and _sends_plain(path)
    }
    assert found - PLAIN.keys() == set()


def test_the_second_form_keeps_headers_and_says_its_language() -> None:
    plain = EmailMessage(
        "S", "Hola <b>\nhttps://a.example/x", "a@b.example", ["c@d.example"], headers={"Message-ID": "<1@x>"}
    )
    both = with_html(plain, language="es")
    (form,) = both.alternatives
    assert both.extra_headers["Message-ID"] == "<1@x>"
    assert '<html lang="es">' in str(form[0])
    assert "&lt;b&gt;" in str(form[0])
    assert '<a href="https://a.example/x"' in str(form[0])


@pytest.mark.parametrize("language", list(Language))
def test_a_code_by_mail_has_both_forms(
    language: Language, mailoutbox: list[mail.EmailMultiAlternatives]
) -> None:
    mail_codes.bring("123456", address="anna@example.org", name="Dentist", language=language)
    (sent,) = mailoutbox
    assert isinstance(sent, EmailMultiAlternatives)
    assert "123456" in str(sent.body)
    assert "123456" in str(sent.alternatives[0][0])
    assert f'lang="{language.value}"' in str(sent.alternatives[0][0])
