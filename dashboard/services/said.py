"""
Writing down what the demo's callers were told and said: notices, a phone menu, what hangs where, and the ledger.

What a person sent by text comes in by the public door, signed, as it would in life; the rest is written by the services
that its own way in would ask.
"""

import hashlib
import io
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings

from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.calls.providers import twilio as provider
from callprivacy.calls.providers.base import CallFacts, Delivery
from callprivacy.calls.services import people
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from consent.channels import twilio
from consent.enums import (
    Basis,
    Channel,
    EventKind,
    Language,
    Scope,
    Strength,
    VendorStep,
    WaitingState,
)
from consent.models import NoticeVersion, VendorTask, Withdrawal
from consent.selectors import notices as notice_selectors
from consent.selectors import phone, wording
from consent.services import (
    declarations,
    ledger,
    menus,
    notices,
    posted,
    standards,
    terms,
    texts,
    twilio_door,
    vendor_tasks,
    web,
    withdrawals,
)
from consent.services.ledger import Said
from consent.services.web import Visit
from dashboard import demo
from dashboard.demo import said as data
from dashboard.demo.said import Fact, No, Work
from rights.selectors import notice as privacy_selectors
from rights.services import notice as privacy

type Versions = Mapping[tuple[Channel, Language], NoticeVersion]

_MAKER: Final = Actor.job("dashboard.demo")
_VISIT: Final = Visit(page="the demo's own page", browser="Firefox on Windows", opted_out=False)
_DECIDED_AFTER, _ANSWERED_AFTER = timedelta(hours=3), timedelta(hours=26)
_REPLY: Final = "Done on our side. Case closed, the account's audit log shows it."


@dataclass(frozen=True, slots=True)
class Ground:
    """
    A client that is filled, and what its calls are.

    :ivar secrets: of its connections, by their keys.
    :ivar talks: what is said on the calls that can be heard, by the address of the recording.
    """

    client: Client
    about: demo.DemoClient
    facts: Sequence[CallFacts]
    doors: Sequence[Connection]
    secrets: Mapping[str, str]
    talks: Mapping[str, Sequence[str]]

    @property
    def twilio(self) -> Connection | None:
        return next((door for door in self.doors if door.provider == twilio.NAME), None)


def fill(grounds: Sequence[Ground], *, officer: Actor, at: datetime) -> None:
    """Give the demo's clients notices, standards and a ledger, and bring their withdrawals on the way."""
    said = {ground.about.slug: list(data.said_of(ground.about, ground.facts)) for ground in grounds}
    for ground in grounds:
        with job_scope(agency_id=ground.client.agency_id):
            versions = _publish(ground, officer, at - data.PUBLISHED_BEFORE)
            _describe_accounts(ground, at)
            _set_up_menu(ground, versions, officer, at)
            _write(ground, versions, said[ground.about.slug], officer, at)
    if grounds:
        agency = grounds[0].client.agency
        with job_scope(agency_id=agency.pk):
            said_here = {"email": f"privacy@{agency.slug}.example"}
            privacy.save_page(agency=agency, client=None, said=said_here, by=officer, at=at)
    _take_back({ground.about.slug: ground for ground in grounds}, said, officer, at)


# --- What callers are told ------------------------------------------------------------------------------------------


def _publish(ground: Ground, officer: Actor, at: datetime) -> Versions:
    """Ready words in force on each of the client's channels, what hangs where, and what the client asks of itself."""
    client, slug = ground.client, ground.about.slug
    found = {
        (channel, language): _in_force(client, channel, language, officer, at)
        for channel in data.NOTICES.get(slug, ())
        for language in data.LANGUAGES
    }
    lines = demo.tracking_numbers(ground.about)
    for one in data.POSTED.get(slug, ()):
        version = found[Channel.POSTED, Language.ENGLISH]
        number = (
            None if one.nth is None else TrackingNumber.objects.for_client(client).get(number=lines[one.nth])
        )
        posted.post_notice(
            client=client, tracking_number=number, where=one.where, place=one.place,
            words=notice_selectors.said_in_full(version), version=version, from_on=one.from_on, to_on=None,
            picture=None, by=officer, at=at,
        )  # fmt: skip
    chosen = data.STANDARDS.get(slug)
    if chosen is not None:
        standards.choose(client=client, standard=chosen.standard, reason=chosen.reason, by=officer, at=at)
    if slug in data.DECLARED:
        facts = notice_selectors.facts_about(client)
        test = wording.ready_balancing_test(Language.ENGLISH, facts)
        declarations.declare(
            client=client, basis=Basis.LEGITIMATE_INTERESTS, balancing_test=test, by=officer, at=at
        )
    if Channel.WEB in data.NOTICES.get(slug, ()):
        web.open_page(client=client, at=at)
        _open_requests(client, officer, at)
    return found


def _open_requests(client: Client, officer: Actor, at: datetime) -> None:
    """A requests page, with the privacy notice that follows from what is set up."""
    said = {"email": f"privacy@{client.slug}.example"}
    page = privacy.save_page(agency=client.agency, client=client, said=said, by=officer, at=at)
    facts = privacy_selectors.facts_of(client, page, at=at)
    seen = privacy_selectors.digest_of(facts.as_json(), privacy_selectors.body_of(facts))
    privacy.publish(client=client, seen=seen, by=officer, at=at)


def _in_force(
    client: Client, channel: Channel, language: Language, officer: Actor, at: datetime
) -> NoticeVersion:
    words = notices.ready(client=client, channel=channel, language=language, purposes=data.ASKED)
    notice = notices.create_notice(
        client=client,
        name=channel.label,
        purposes=data.ASKED,
        channel=channel,
        language=language,
        words=words,
        by=officer,
        at=at,
    )
    draft = NoticeVersion.objects.for_client(client).select_related("notice").get(notice=notice)
    seen = notice_selectors.digest_of(draft)
    version = notices.publish(notice=notice, client=client, seen=seen, by=officer, at=at)
    version.notice = notice
    return version


def _describe_accounts(ground: Ground, at: datetime) -> None:
    """Name the invented accounts, so that the demo's vendor can be asked before anybody has used its telephone."""
    for door in ground.doors:
        if door.provider == twilio.NAME:
            menus.describe_account(
                connection=door, account=phone.account_of(door), twilio_answers=True, by=_MAKER, at=at
            )


def _set_up_menu(ground: Ground, versions: Versions, officer: Actor, at: datetime) -> None:
    client, door = ground.client, ground.twilio
    if ground.about.slug != data.MENU or door is None:
        return
    line = demo.tracking_numbers(ground.about)[0]
    menu = menus.add_menu(
        client=client,
        number=TrackingNumber.objects.for_client(client).get(number=line),
        facts={
            "connection": door,
            "language": Language.ENGLISH,
            "notice": versions[Channel.MENU, Language.ENGLISH].notice,
            "other_notice": versions[Channel.MENU, Language.SPANISH].notice,
            "forward_to": data.FORWARD_TO,
            "person_line": data.PERSON_LINE,
            "wait_seconds": 8,
        },
        by=officer,
        at=at - data.MENU_FOR,
    )
    menus.activate_menu(menu=menu, by=officer, at=at - data.MENU_FOR)


# --- What they said -------------------------------------------------------------------------------------------------


def _write(ground: Ground, versions: Versions, said: Sequence[Fact], officer: Actor, at: datetime) -> None:
    signed = [fact for fact in said if fact.channel is Channel.TERMS]
    others = [fact for fact in said if fact.channel is not Channel.TERMS]
    if signed:
        _keep_terms(ground.client, signed, officer, at)
    callers = people.add_callers(client=ground.client, numbers={fact.number for fact in others}, at=at)
    written = [one for fact in others for one in _facts(ground, versions, fact, callers[fact.number])]
    if written:
        ledger.record_events(client=ground.client, said=written, by=_MAKER, at=at)


def _facts(ground: Ground, versions: Versions, fact: Fact, caller_id: uuid.UUID) -> list[Said]:
    """One caller's word, purpose by purpose, with the words it was said to."""
    version = versions[fact.channel, fact.language]
    if fact.channel is Channel.WEB:
        strength = Strength.A if fact.is_proven else Strength.C
        return [
            web.agreement(
                purpose, version, caller_id, source=_source(fact), visit=_VISIT, at=fact.happened_at,
                strength=strength,
            )
            for purpose in data.ASKED
        ]  # fmt: skip
    digest = None
    if fact.call:
        tokens = vault.client_keys(ground.client.pk).tokens
        digest = tokens.digest(ground.about.provider, "call", fact.call)
    return [
        Said(
            purpose=purpose,
            kind=fact.kind,
            channel=fact.channel,
            strength=_STRENGTHS[fact.channel],
            happened_at=fact.happened_at,
            source=_source(fact),
            caller_id=caller_id,
            call_digest=digest,
            scope=Scope.STANDING if digest is None else Scope.THIS_CALL,
            basis=Basis.NOTICE if fact.kind is EventKind.NOTICED else Basis.CONSENT,
            version_id=version.pk,
            evidence=_evidence(fact, version),
        )
        for purpose in data.ASKED
    ]


_STRENGTHS: Final = {Channel.MENU: Strength.A, Channel.EMAIL: Strength.B, Channel.AGENT: Strength.C}


def _source(fact: Fact) -> str:
    return f"demo {fact.channel} {fact.happened_at.isoformat()} {fact.number} {fact.key}"


def _evidence(fact: Fact, version: NoticeVersion) -> dict[str, Any]:
    did = {
        Channel.EMAIL: {"by": "link in an e-mail"},
        Channel.AGENT: {
            "said_by": "agent",
            "did": "spoke the notice"
            if fact.kind is EventKind.NOTICED
            else "reported that the person agreed",
        },
        Channel.MENU: {"key": fact.key, "without_a_key": "" if fact.key else "no key in time"},
    }
    return {
        **did[fact.channel],
        "words": notice_selectors.said_in_full(version),
        "version": str(version.pk),
        "version_digest": bytes(version.digest or b"").hex(),
        "language": version.notice.language,
    }


_PDF: Final = b"""%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 420 595] /Contents 4 0 R /Resources <</Font <</F 5 0 R>>>>>> endobj
4 0 obj <</Length 77>> stream
BT /F 14 Tf 40 520 Td (Registration forms, an invented list of the demo.) Tj ET
endstream endobj
5 0 obj <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> endobj
trailer <</Root 1 0 R>>
%%EOF
"""


def _keep_terms(client: Client, signed: Sequence[Fact], officer: Actor, at: datetime) -> None:
    """One list of signed forms, and everybody whom it covers, from the last of their days on."""
    file_id = uuid.uuid4()
    with files.Writer(client.pk, file_id, at=at) as file:
        file.write(_PDF)
    picture = posted.look_at(io.BytesIO(_PDF), file_id=file_id, digest=hashlib.sha256(_PDF).digest())
    last = max(fact.happened_at for fact in signed)
    terms.add_document(
        client=client,
        name=data.TERMS,
        clause=data.CLAUSE,
        stands_apart=True,
        is_list=True,
        signed_on=last.date(),
        purposes=data.ASKED,
        numbers=list(dict.fromkeys(fact.number for fact in signed)),
        file=picture,
        size=len(_PDF),
        by=officer,
        at=at,
    )


# --- What they took back --------------------------------------------------------------------------------------------


def _take_back(
    grounds: Mapping[str, Ground], said: Mapping[str, Sequence[Fact]], officer: Actor, at: datetime
) -> None:
    """Each no at its own time, the oldest first, and how far the officer is with it."""
    counts: dict[str, int] = defaultdict(int)
    asked = sorted((*data.NOES, data.DOUBTFUL), key=lambda no: no.ago, reverse=True)
    for no in asked:
        ground = grounds.get(no.slug)
        if ground is None:
            continue
        number = data.who_said_no(ground.about, ground.facts, said[no.slug], nth=counts[no.slug])
        counts[no.slug] += 1
        if number:
            _say_no(ground, no, number, at - no.ago)
            withdrawals.carry_out(agency_id=ground.client.agency_id, at=at - no.ago + timedelta(seconds=2))
            _work(ground, no, officer, at - no.ago)
    for agency_id, _ in groupby(ground.client.agency_id for ground in grounds.values()):
        withdrawals.carry_out(agency_id=agency_id, at=at)


def _say_no(ground: Ground, no: No, number: str, at: datetime) -> None:
    if no.channel is Channel.SMS:
        _text(ground, number, no.words, at)
        return
    client = ground.client
    with job_scope(agency_id=client.agency_id):
        caller_id = people.add_callers(client=client, numbers=[number], at=at)[number]
        source = f"demo no {no.channel} {at.isoformat()}"
        if no.channel is Channel.GPC:
            visit = Visit(_VISIT.page, _VISIT.browser, opted_out=True)
            web.write(
                client,
                [web.opt_out(caller_id, Strength.C, source=source, visit=visit, at=at)],
                by=web.BY,
                at=at,
            )
            return
        texts.withdraw(
            client=client,
            caller_id=caller_id,
            purposes=no.purposes,
            channel=no.channel,
            strength=_NO_STRENGTHS[no.channel],
            source=source,
            evidence=_NO_EVIDENCE[no.channel],
            said_at=at,
            by=_MAKER,
            at=at,
        )


_NO_STRENGTHS: Final = {
    Channel.EMAIL: Strength.B,
    Channel.WEB: Strength.C,
    Channel.AGENT: Strength.C,
    Channel.MENU: Strength.C,
}
_NO_EVIDENCE: Final[Mapping[Channel, Mapping[str, Any]]] = {
    Channel.EMAIL: {"by": "answer to an e-mail", "text": "Please do not record my calls."},
    Channel.WEB: {"page": _VISIT.page, "browser": _VISIT.browser, "said": "no"},
    Channel.AGENT: {"said_by": "agent", "did": "tapped: what the caller asked for"},
    Channel.MENU: {"key": "9", "carrier_says": ""},
}


def _text(ground: Ground, number: str, words: str, at: datetime) -> None:
    """A text comes in by the client's public door, signed by the invented vendor."""
    door = ground.twilio
    if door is None:
        return
    said = {
        "MessageSid": f"SM{uuid.uuid4().hex}",
        "AccountSid": phone.account_of(door),
        "From": number,
        "To": demo.text_number(ground.about),
        "Body": words,
        "NumMedia": "0",
    }
    url = f"{settings.CALLPRIVACY_URL}/twilio/{door.key}/sms/"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": provider.signature(url, said, ground.secrets[door.key]),
    }
    delivery = Delivery(urlencode(said).encode(), headers, url)
    with twilio_door.entered(key=door.key, delivery=delivery, by="twilio.sms", at=at) as entered:
        texts.take_in(door=entered, at=at)


def _work(ground: Ground, no: No, officer: Actor, at: datetime) -> None:
    """What the officer has done since about the vendors' part."""
    client = ground.client
    if no.work is Work.NOTHING:
        return
    with job_scope(agency_id=client.agency_id):
        row = Withdrawal.objects.for_client(client).order_by("-stopped_at").first()
        for task in _tasks(row).filter(step=VendorStep.CHOOSE):
            withdrawals.choose(task=task, choice=no.choice, for_all=False, by=officer, at=at + _DECIDED_AFTER)
        letters = _tasks(row).filter(by_ticket=True, state=WaitingState.WAITING)
        for task in letters if no.work in {Work.SENT, Work.DONE} else ():
            vendor_tasks.mark_sent(task=task, words=task.ticket, by=officer, at=at + _DECIDED_AFTER)
            if no.work is Work.DONE:
                answered = at + _ANSWERED_AFTER
                vendor_tasks.note_reply(task=task, words=_REPLY, by=officer, at=answered)
                vendor_tasks.confirm_done(
                    task=task,
                    receipt="Seen on the tracker's own page.",
                    was_checked=True,
                    by=officer,
                    at=answered,
                )


def _tasks(row: Withdrawal | None) -> Any:
    rows = VendorTask.objects.filter(withdrawal=row) if row is not None else VendorTask.objects.none()
    return rows.select_related("client__agency", "connection")
