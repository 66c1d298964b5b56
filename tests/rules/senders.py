"""
What this program sends, each by the function that hands it over, with values that no log may hold.

The lists are compared with the code: a new mail, text or question to another system needs a case here.
"""

import ast
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Any, Final

from allauth.core import context as allauth_context
from django.test import RequestFactory

from analytics.tasks import releases, reports
from callprivacy.accounts import providers
from callprivacy.accounts import tasks as accounts_tasks
from callprivacy.accounts.adapter import AccountAdapter
from callprivacy.accounts.models import PasswordReminder, User
from callprivacy.accounts.services import agencies, factors, invitations, officers, passwords, removal, sso
from callprivacy.calls.channels import asking
from callprivacy.lib import outside
from callprivacy.lib.after_commit import after_commit
from callprivacy.tenancy.models import Agency
from callprivacy.work import kinds
from callprivacy.work import tasks as work_tasks
from callprivacy.work.models import Notification
from consent.channels import callrail, codes, recordings, twilio
from consent.enums import Language
from consent.services import preferences, text_sending, webhooks
from consent.services.invitations import Letter
from consent.tasks import mail as consent_mail
from consent.tasks import web as consent_web
from rights.channels import mail_codes
from rights.letters import Filled
from rights.tasks import letters as rights_letters
from tests.make import NOON
from tests.rules.source import ROOT, files, nodes

type Sends = Callable[[], object]


@dataclass(frozen=True)
class Canary:
    """What a message holds: a person, a number, and a link that opens something."""

    token: str = field(default_factory=lambda: token_urlsafe(24))
    mark: str = field(default_factory=lambda: token_hex(5))
    number: str = "+14155550143"

    @property
    def address(self) -> str:
        return f"quill.{self.mark}@nowhere.example"

    @property
    def name(self) -> str:
        return f"Anna Quillfeather-{self.mark}"

    @property
    def link(self) -> str:
        return f"https://calls.example/invitation/{self.token}/"

    @property
    def said(self) -> str:
        """All of it, as an error repeats it."""
        return f"{self.name} <{self.address}> {self.number} {self.link}"

    def is_in(self, written: str) -> list[str]:
        """What of it stands in a text."""
        needles = (
            self.token,
            self.mark,
            self.address,
            self.name,
            self.link,
            "Quillfeather",
            "4155550143",
            "555-0143",
        )
        return [needle for needle in needles if needle in written]


def _calls(file: Path) -> Iterator[tuple[str, ast.Call]]:
    """Each call with the name of a function that it stands in."""
    for node in nodes(file):
        if isinstance(node, ast.FunctionDef):
            yield from ((node.name, inner) for inner in ast.walk(node) if isinstance(inner, ast.Call))


def _sites(words: Sequence[str], is_one: Callable[[str, ast.Call], bool]) -> set[str]:
    """
    Functions that hold such a call.

    :param words: one of them stands in every file with such a call; no other file is parsed.
    """
    return {
        f"{file.relative_to(ROOT).as_posix()}::{name}"
        for file in files()
        if any(word in file.read_text(encoding="utf-8") for word in words)
        for name, call in _calls(file)
        if is_one(ast.unparse(call.func), call)
    }


def mail_sites() -> set[str]:
    """Functions that hand a mail over."""
    found = _sites(
        ["hand_over", "send"],
        lambda called, call: (
            called.split(".")[-1] == "hand_over"
            or (called.endswith(".send") and not call.args and not call.keywords)
            or any(ast.unparse(argument) == "super().send_mail" for argument in call.args)
        ),
    )
    return found - {"callprivacy/lib/mail.py::hand_over"}


def question_sites() -> set[str]:
    """Functions that ask another system something, or tell it: texts, calls, webhooks, interfaces."""
    return _sites(
        ["_pool", "urlopen", "connection", "send_text", "read_aloud"],
        lambda called, _: (
            called in {"_pool.request", "pool.urlopen", "connection.request"}
            or called in {"twilio.send_text", "twilio.read_aloud"}
        ),
    )


def job_names(app: Any) -> list[str]:
    """Every job of ours."""
    app.loader.import_default_modules()
    return sorted(name for name in app.tasks if not name.startswith("celery."))


def mails(canary: Canary, agency: Agency) -> dict[str, Sends]:
    """Each mail, with what may be in no log."""
    to, url, name = canary.address, canary.link, canary.name
    user = User(pk=7, email=to, name=name)
    context: dict[str, Any] = {
        "name": name,
        "agency": name,
        "url": url,
        "invited": to,
        "lost": to,
        "role": "Reviewer",
    }
    context |= {"keys": 1, "days": 7}
    about: dict[str, Any] = {"user": user, "password_reset_url": url, "at": NOON, "name": name}

    def through_allauth() -> None:
        with allauth_context.request_context(RequestFactory().get("/")):
            AccountAdapter().send_mail("account/email/password_reset_key", to, about)

    asked = Letter(uuid.uuid4(), 1, False, to, name, name, url, {"Reply-To": to}, "en")
    news = preferences.Letter(uuid.uuid4(), name, to, name, url, NOON, "en")
    accounts = "callprivacy/accounts/services"
    return {
        f"{accounts}/agencies.py::_send_mail": lambda: after_commit(
            "a", agencies._send_mail, to=to, context=context
        ),
        f"{accounts}/factors.py::_send_mail": lambda: after_commit(
            "a", factors._send_mail, to=to, context=context
        ),
        f"{accounts}/factors.py::_send_copied": lambda: after_commit(
            "a", factors._send_copied, to=to, context=context | {"person": name, "key": name, "is_own": False}
        ),
        f"{accounts}/invitations.py::_send_mail": lambda: after_commit(
            "an invitation",
            invitations._send_mail,
            invitation_id=1,
            agency_id=agency.pk,
            to=to,
            at=NOON,
            context=context,
        ),
        f"{accounts}/officers.py::_send_mail": lambda: after_commit(
            "a", officers._send_mail, to=to, context=context | {"news": "proposed", "by": name}
        ),
        f"{accounts}/removal.py::_send_mail": lambda: after_commit(
            "a", removal._send_mail, to=to, context=context | {"removed": name, "by": name}
        ),
        f"{accounts}/passwords.py::_send_link": lambda: after_commit(
            "a", passwords._send_link, to=to, context=context
        ),
        f"{accounts}/sso.py::_send_mail": lambda: after_commit("a", sso._send_mail, to=to, context=context),
        "callprivacy/accounts/adapter.py::send_mail": through_allauth,
        "callprivacy/accounts/tasks.py::_send": lambda: accounts_tasks._send(
            PasswordReminder(user=user, due_at=NOON, days=1)
        ),
        "callprivacy/work/tasks.py::_send": lambda: work_tasks._send(
            [
                Notification(
                    agency=Agency(name=name), user=user, kind=kinds.every()[0].name, key=canary.token, at=NOON
                )
            ],
            {kinds.every()[0].name: [canary.said]},
        ),
        "consent/channels/codes.py::_write": lambda: codes.PageOfMails().send(
            number=canary.number, words=url
        ),
        "consent/tasks/mail.py::_send": lambda: consent_mail._send(asked),
        "consent/tasks/web.py::_send": lambda: consent_web._send(news),
        "rights/channels/mail_codes.py::bring": lambda: mail_codes.bring(
            canary.token, address=to, name=name, language=Language.ENGLISH
        ),
        "rights/tasks/letters.py::_sent": lambda: rights_letters._sent(name, to, Filled(name, url), "en", to),
        "analytics/tasks/releases.py::_went_out": lambda: releases._went_out(name, url, to, "a release"),
        "analytics/tasks/reports.py::_send": lambda: reports._send(
            reports._Letter(to, next(iter(reports._SUBJECTS)), url, "report.pdf", b"%PDF")
        ),
    }


def questions(canary: Canary) -> dict[str, Sends]:
    """Each text, call, webhook and question to another system, with what may be in no log."""
    account = twilio.Account(f"AC{'0' * 32}", canary.token, f"https://vendor.example/{canary.token}")
    sender = codes.ByTwilio(account, canary.number)
    outgoing = text_sending.Outgoing(
        "answer", uuid.uuid4(), 1, account, canary.number, canary.number, canary.said, canary.link
    )
    source = recordings.Source("callrail", canary.link, also=("calls.example:443",))
    letter = webhooks.Letter(
        delivery_id=uuid.uuid4(),
        url=canary.link,
        body=canary.said.encode(),
        headers={"X-Token": canary.token},
        attempts=1,
        tried_since=NOON,
    )
    access = callrail.Access("1234", "a" * 32)
    return {
        "consent/channels/twilio.py::_ask_at": lambda: twilio.send_text(
            account, to=canary.number, sender=canary.number, words=canary.said
        ),
        "consent/channels/codes.py::send": lambda: sender.send(number=canary.number, words=canary.said),
        "consent/channels/codes.py::read_aloud": lambda: sender.read_aloud(
            number=canary.number, sentences=[canary.said], language=Language.ENGLISH
        ),
        "consent/services/text_sending.py::send": lambda: text_sending.settle(
            agency_id=1, outgoing=outgoing, sent=text_sending.send(outgoing), chance=0.5, at=NOON
        ),
        "consent/channels/callrail.py::_ask": lambda: callrail._ask(
            access, f"calls/{canary.token}", {"q": canary.said}
        ),
        "consent/channels/recordings.py::_open": lambda: recordings.fetch(
            source, bytearray().extend, seconds=2
        ),
        "consent/services/webhooks.py::_post": lambda: webhooks._post(
            letter, outside.checked(canary.link), "192.0.2.1"
        ),
        "callprivacy/calls/channels/asking.py::get": lambda: asking.get(
            canary.link, {"number": canary.number}, {"Authorization": canary.token}
        ),
        "callprivacy/lib/outside.py::fetch": lambda: providers.discover(canary.link),
    }


def filled(route: str, canary: Canary) -> str:
    """An address of a pattern, with the canary where a text stands."""
    values = {"int": "1", "uuid": str(uuid.uuid4())}
    return _PART.sub(lambda found: values.get(found[1] or "str", canary.token), route)


_PART: Final = re.compile(r"<(?:(\w+):)?\w+>")
