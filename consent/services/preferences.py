"""
A person's own page of choices: behind a sealed link that ends, or behind the proof of the phone.

A link holds no number and opens for whoever has it, so it is short-lived, and all of a client's links die together
with the key that seals them. Every switch counts in the transaction that turns it. Saying yes needs words in force;
saying no needs nothing. E-mail goes only to an address that was given for it here and confirmed from there.
"""

import base64
import binascii
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.lib import phone
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client, ScopedQuerySet
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Place, SealBrokenError
from consent.channels import tokens, words
from consent.enums import NO_STATES, Channel, EventKind, Language, Purpose, Scope, State, Strength
from consent.models import ConsentEvent, ConsentState, NoticeVersion, Subscription, WebPage
from consent.selectors import web as selectors
from consent.selectors.web import Door
from consent.services import again, contact, ledger, web
from consent.services.again import BusyError
from consent.services.ledger import Said
from consent.services.web import Look, Visit, Words

__all__ = ["BusyError"]

BY: Final = Actor.client("consent.preferences")
JOB: Final = Actor.job("consent.send_updates")
PROVEN_FOR: Final = timedelta(minutes=30)
UNCONFIRMED_FOR: Final = timedelta(days=7)
MAIL_AGAIN_AFTER: Final = timedelta(minutes=10)
MAIL_TRIES: Final = 8
SETTLED_AFTER: Final = timedelta(seconds=30)
"""What is younger may still be on its way into the database behind something that is there already."""
_PURPOSE: Final = "preference link"
_CENTRE, _CONFIRM = b"c", b"m"
_HEAD: Final = 2
_ID: Final = 16
_INSTANT: Final = 5
_NEWS: Final = {
    EventKind.GIVEN: "on",
    EventKind.RENEWED: "on",
    EventKind.REFUSED: "off",
    EventKind.WITHDRAWN: "off",
    EventKind.EXPIRED: "ended",
    EventKind.INVALIDATED: "ended",
}
_LONGEST_LINK: Final = 300


class UnknownLinkError(LookupError):
    """No link of ours, or one whose person or client is gone."""


class ExpiredLinkError(LookupError):
    """A genuine link whose time, or whose number's, is over; it still says whose page it led to."""

    def __init__(self, key: str) -> None:
        super().__init__("This link has expired.")
        self.key = key


class NoWordsError(ValueError):
    """Nothing in force says what a yes would mean."""


class AskTwiceError(ValueError):
    """A yes to sharing after a no counts only when it is said a second time."""


class SignalError(ValueError):
    """The browser asks not to share; a yes to sharing is not taken from it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """
    A link that opens.

    :ivar subject: the caller, or for a link of confirmation the subscription.
    :ivar since: when who gets it was known by this number; long ago where the link does not say it.
    """

    door: Door
    kind: bytes
    subject: uuid.UUID
    strength: Strength
    until: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class Switch:
    """
    One purpose among a person's choices.

    :ivar since: when it was said last; None where nothing was.
    :ivar words: what a yes would mean; None where nothing in force says it.
    """

    purpose: Purpose
    title: str
    ask: str
    stops: str
    is_on: bool
    by_default: bool
    state: State
    since: datetime | None
    words: Words | None

    @property
    def is_no(self) -> bool:
        """Whether the person has said no; else it was allowed once, or never answered."""
        return self.state in NO_STATES


@dataclass(frozen=True, slots=True)
class Updates:
    """Whether and where news goes by e-mail; the address is masked."""

    address: str = ""
    on_change: bool = False
    on_notice: bool = False
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Centre:
    """What the page of choices shows."""

    look: Look
    link: str
    mask: str
    until: datetime
    switches: tuple[Switch, ...]
    updates: Updates
    form: str

    @property
    def is_all_stopped(self) -> bool:
        """Whether the person has said no to everything."""
        return all(switch.is_no for switch in self.switches)

    def switch(self, purpose: Purpose) -> Switch:
        return next(switch for switch in self.switches if switch.purpose == purpose)


# --- Links --------------------------------------------------------------------------------------------------


def link_for(
    *,
    client: Client,
    caller_id: uuid.UUID,
    at: datetime,
    days: int = 30,
    strength: Strength = Strength.B,
    since: datetime | None = None,
) -> str:
    """
    Return the address of a person's choices, which opens until so many days from now.

    Inside a scope that may write the client's consent (a job's, the client's, or an officer's).

    :param strength: how sure whoever gets it is that person: A for a text to the number itself, B for an e-mail.
    :param since: when whoever gets it was known by this number, where that is earlier than now.
    """
    until = at + timedelta(days=days)
    return _link(client, _CENTRE, caller_id, strength, at=at, until=until, since=since)


def prove(*, key: str, challenge: str, code: str, at: datetime) -> str:
    """
    Return the path of a person's choices for who proves the phone just now. Enters the client's scope itself.

    :raises UnknownKeyError: nobody's key.
    :raises StaleChallengeError: the page is too old.
    :raises WrongCodeError: the phone is not proven.
    """
    client, proven = web.check_code(key=key, challenge=challenge, code=code, at=at)
    with client_scope(agency_id=client.agency_id, client_id=client.pk):
        url = _link(client, _CENTRE, proven.caller_id, Strength.A, at=at, until=at + PROVEN_FOR)
    return url.removeprefix(settings.CALLPRIVACY_URL)


def _link(
    client: Client,
    kind: bytes,
    subject: uuid.UUID,
    strength: Strength,
    *,
    at: datetime,
    until: datetime,
    since: datetime | None = None,
) -> str:
    page = web.open_page(client=client, at=at)
    key = vault.purpose_key(client_id=client.pk, purpose=_PURPOSE, at=at)
    instants = b"".join(int(one.timestamp()).to_bytes(_INSTANT) for one in (until, since or at))
    plain = kind + strength.encode() + subject.bytes + instants
    sealed = base64.urlsafe_b64encode(key.seal(plain, _place(client.pk))).decode().rstrip("=")
    return f"{settings.CALLPRIVACY_URL}{reverse('consent:preferences', args=[f'{page.key}.{sealed}'])}"


def _place(client_id: int) -> Place:
    return Place(client_id, "consent_webpage", "link", client_id)


@transaction.atomic
def revoke_links(*, client: Client, by: Actor, at: datetime) -> bool:
    """
    Let none of a client's links open any more; the next ones are sealed anew. Returns whether there were any.

    What was sent out to ask for a consent takes a no alone from then on.
    """
    WebPage.objects.for_client(client).update(links_ended_at=at)
    there_were = vault.destroy_purpose_key(client_id=client.pk, purpose=_PURPOSE)
    audit.record("consent_links.revoked", subject=client, by=by, at=at)
    return there_were


def _open(link: str, at: datetime) -> Opened:
    """
    Read a link; outside any scope.

    :raises UnknownLinkError: it is none.
    :raises ExpiredLinkError: its time is over.
    """
    key, _, sealed = link.partition(".")
    door = selectors.find_door(key)
    if door is None or len(link) > _LONGEST_LINK or not sealed.isascii():
        raise UnknownLinkError
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        purpose_key = vault.purpose_key(client_id=door.client_id, purpose=_PURPOSE, at=at)
    try:
        blob = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
        plain = purpose_key.unseal(blob, _place(door.client_id))
    except (SealBrokenError, binascii.Error, ValueError):
        raise UnknownLinkError from None
    instants = plain[_HEAD + _ID :]
    until = datetime.fromtimestamp(int.from_bytes(instants[:_INSTANT]), tz=UTC)
    # A link of an earlier version ends here.
    since = datetime.fromtimestamp(int.from_bytes(instants[_INSTANT:]), tz=UTC)
    if at >= until:
        raise ExpiredLinkError(key)
    return Opened(
        door=door,
        kind=plain[:1],
        subject=uuid.UUID(bytes=plain[_HEAD : _HEAD + _ID]),
        strength=Strength(plain[1:_HEAD].decode()),
        until=until,
        since=since,
    )


def _open_centre(link: str, at: datetime) -> Opened:
    opened = _open(link, at)
    if opened.kind != _CENTRE:
        raise UnknownLinkError
    if opened.strength != Strength.A:
        _need_same_holder(opened)
    return opened


def _need_same_holder(opened: Opened) -> None:
    """
    Whoever has had the number before may still have a link, and speaks for nobody; who has it now can prove that.

    :raises ExpiredLinkError: since the link's time it was learned that the number had been disconnected.
    """
    door = opened.door
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        client = web.client_of(door)
        if contact.is_reassigned(client=client, caller_id=opened.subject, since=opened.since):
            raise ExpiredLinkError(door.key)


def is_confirmation(link: str, *, at: datetime) -> bool:
    """
    Whether a link asks to confirm an address; else it leads to the choices.

    :raises UnknownLinkError: it is none.
    :raises ExpiredLinkError: its time is over.
    """
    return _open(link, at).kind == _CONFIRM


# --- The choices --------------------------------------------------------------------------------------------


def show_centre(*, link: str, language: Language, visit: Visit, at: datetime) -> Centre:
    """
    Return a person's choices. A browser that asks not to share is a no to sharing, written once.

    Enters the client's scope itself.

    :raises UnknownLinkError: the link is none, or the person is gone.
    :raises ExpiredLinkError: its time is over.
    """
    opened = _open_centre(link, at)
    door = opened.door
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        client = web.client_of(door)
        caller = _caller_of(client, opened.subject)
        key = vault_selectors.content_keys({client.pk: [caller.pk]})[caller.pk]
        _heed_signal(client, opened, visit, at)
        notices = web.notices_of(client, language)
        return Centre(
            look=web.look_of(client, door.key),
            link=link,
            mask=phone.mask(caller.number.reveal(key)),
            until=opened.until,
            switches=_switches(client, caller.pk, notices, language),
            updates=_updates_of(client, caller.pk),
            form=web.form_of(client, notices, at=at),
        )


def _caller_of(client: Client, caller_id: uuid.UUID) -> Caller:
    """The person behind a link, who is still there with a key."""
    caller = Caller.objects.for_client(client).filter(pk=caller_id).first()
    if caller is None or not vault_selectors.content_keys({client.pk: [caller_id]}):
        raise UnknownLinkError
    return caller


def _switches(
    client: Client, caller_id: uuid.UUID, notices: Iterable[Words], language: Language
) -> tuple[Switch, ...]:
    by_purpose = {box.purpose: notice for notice in notices for box in notice.boxes}
    states = selectors.states_of(client, caller_id)
    return tuple(
        _switch(purpose, states.get(purpose), by_purpose.get(purpose), language) for purpose in words.ORDER
    )


def _switch(purpose: Purpose, row: ConsentState | None, notice: Words | None, language: Language) -> Switch:
    state = State(row.state) if row is not None else State.NONE
    by_default = purpose == Purpose.MEASURE and state not in NO_STATES and state != State.GIVEN
    about = words.ABOUT[language][purpose]
    ask = (
        next((box.ask for box in notice.boxes if box.purpose == purpose), about.ask) if notice else about.ask
    )
    return Switch(
        purpose=purpose,
        title=about.title,
        ask=ask,
        stops=about.stops,
        is_on=state == State.GIVEN or by_default,
        by_default=by_default,
        state=state,
        since=row.since if row is not None and state not in {State.NONE, State.NOTICED} else None,
        words=notice,
    )


def _heed_signal(client: Client, opened: Opened, visit: Visit, at: datetime) -> None:
    """Write the no that `Sec-GPC: 1` says, unless that no stands already."""
    if not visit.opted_out:
        return
    state = selectors.states_of(client, opened.subject).get(Purpose.SHARE)
    if state is not None and state.state in NO_STATES:
        return
    said = web.opt_out(opened.subject, opened.strength, source=f"signal {uuid.uuid4()}", visit=visit, at=at)
    web.write(client, [said], by=BY, at=at)


def allow(
    *,
    link: str,
    purpose: Purpose,
    form: str,
    asked: str,
    visit: Visit,
    at: datetime,
) -> bool:
    """
    Turn one switch on, by the words that the page showed; returns whether it is on. Enters the client's scope itself.

    Behind a link that proves nothing an earlier no goes on counting.

    :param asked: what `question_for` gave, where the person was asked a second time; else "".
    :raises UnknownLinkError: the link is none, or the person is gone.
    :raises ExpiredLinkError: its time is over.
    :raises StaleFormError: the page was open for too long.
    :raises NoWordsError: no words in force stood beside the switch.
    :raises AskTwiceError: sharing was refused before; ask again, then send `asked`.
    :raises SignalError: the browser asks not to share.
    :raises BusyError: it could not be written now; it may be sent again.
    """
    opened = _open_centre(link, at)
    door = opened.door
    shown = tokens.read_form(form, client_id=door.client_id, at=at)
    source = f"switch {uuid.uuid4()}"
    if purpose not in shown:
        raise NoWordsError

    def deed() -> bool:
        with client_scope(agency_id=door.agency_id, client_id=door.client_id):
            client = web.client_of(door)
            _caller_of(client, opened.subject)
            twice = purpose == Purpose.SHARE and _was_asked_twice(client, opened, asked, visit, at)
            version = selectors.versions_shown(client, [shown[purpose]]).get(shown[purpose])
            if version is None:
                raise NoWordsError
            said = web.agreement(
                purpose,
                version,
                opened.subject,
                source=source,
                visit=visit,
                at=at,
                strength=opened.strength,
                channel=Channel.PORTAL,
                asked_twice=twice,
            )
            return not ledger.purposes_held_back([said], web.write(client, [said], by=BY, at=at))

    return again.insist(deed)


def _was_asked_twice(client: Client, opened: Opened, asked: str, visit: Visit, at: datetime) -> bool:
    if visit.opted_out:
        raise SignalError
    twice = tokens.was_asked(asked, client_id=client.pk, caller_id=opened.subject, at=at)
    if not twice and Purpose.SHARE in ledger.noes_of(client, opened.subject, at=at):
        raise AskTwiceError
    return twice


def question_for(*, link: str, at: datetime) -> str:
    """
    What the second question about sharing carries, for the answer to bring back; outside any scope.

    :raises UnknownLinkError: the link is none.
    :raises ExpiredLinkError: its time is over.
    """
    opened = _open_centre(link, at)
    return tokens.sign_question(opened.door.client_id, opened.subject, at=at)


def stop(*, link: str, purposes: Collection[Purpose], language: Language, visit: Visit, at: datetime) -> None:
    """
    Turn switches off. Enters the client's scope itself.

    :raises UnknownLinkError: the link is none, or the person is gone.
    :raises ExpiredLinkError: its time is over.
    :raises BusyError: it could not be written now; it may be sent again.
    """
    opened = _open_centre(link, at)
    door = opened.door
    source = f"switch {uuid.uuid4()}"

    def deed() -> None:
        with client_scope(agency_id=door.agency_id, client_id=door.client_id):
            client = web.client_of(door)
            _caller_of(client, opened.subject)
            said: list[Said] = [
                web.withdrawal(
                    purpose,
                    opened.subject,
                    source=source,
                    visit=visit,
                    language=language,
                    at=at,
                    strength=opened.strength,
                    channel=Channel.PORTAL,
                )
                for purpose in sorted(set(purposes))
            ]
            web.write(client, said, by=BY, at=at)

    again.insist(deed)


# --- News by e-mail -----------------------------------------------------------------------------------------


def _updates_of(client: Client, caller_id: uuid.UUID) -> Updates:
    row = Subscription.objects.for_client(client).filter(caller_id=caller_id).first()
    if row is None:
        return Updates()
    address = _address_of(row)
    return Updates(
        address=_masked(address) if address else "",
        on_change=row.on_change,
        on_notice=row.on_notice,
        is_confirmed=row.confirmed_at is not None,
    )


def _masked(address: str) -> str:
    name, _, host = address.rpartition("@")
    return f"{name[:1]}{phone.DOTS}@{host}"


def _address_of(row: Subscription) -> str | None:
    """The address in the clear; None where its person was erased, or it does not open any more."""
    return vault_selectors.content_of(row.client_id, row.caller_id, row.address)


def subscribe(
    *,
    link: str,
    address: str,
    on_change: bool,
    on_notice: bool,
    language: Language,
    at: datetime,
) -> Updates:
    """
    Set what a person wants to be told by e-mail; neither removes the address. Enters the client's scope itself.

    :param address: where to; "" keeps the one that is there.
    :raises UnknownLinkError: the link is none, or the person is gone.
    :raises ExpiredLinkError: its time is over.
    :raises ValueError: no address is there and none was given.
    :raises BusyError: it could not be written now; it may be sent again.
    """
    opened = _open_centre(link, at)
    door = opened.door

    def deed() -> Updates:
        with client_scope(agency_id=door.agency_id, client_id=door.client_id):
            client = web.client_of(door)
            caller = _caller_of(client, opened.subject)
            rows = Subscription.objects.for_client(client).filter(caller_id=caller.pk)
            row = rows.select_for_update().first()
            if not (on_change or on_notice):
                rows.remove()
                return Updates()
            if row is None and not address:
                raise ValueError("There is no email address.")
            if row is None or (address and address != _address_of(row)):
                rows.remove()
                _add_subscription(client, caller.pk, address, opened.strength, at)
            rows.update(on_change=on_change, on_notice=on_notice, language=language)
            return _updates_of(client, caller.pk)

    # Sent twice at once, the second meets the first one's row and finds it the next time.
    return again.insist(deed)


def _add_subscription(
    client: Client, caller_id: uuid.UUID, address: str, strength: Strength, at: datetime
) -> None:
    """An address that is still to be confirmed. Whoever opens a mail is no surer than that, and than who gave it."""
    row = Subscription(
        agency_id=client.agency_id,
        client=client,
        caller_id=caller_id,
        strength=max(strength, Strength.B),
        created_at=at,
        told_at=at,
        due_at=at,
    )
    key = vault_selectors.content_keys({client.pk: [caller_id]})[caller_id]
    row.address = key.seal(address.encode(), Place(client.pk, Subscription._meta.db_table, "address", row.pk))
    row.save(force_insert=True)


def show_confirmation(*, link: str, at: datetime) -> Look:
    """
    Whose news a link of confirmation is about. Enters the client's scope itself.

    :raises UnknownLinkError: the link is none, or the address was taken back.
    :raises ExpiredLinkError: its time is over.
    """
    opened = _open(link, at)
    if opened.kind != _CONFIRM:
        raise UnknownLinkError
    door = opened.door
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        client = web.client_of(door)
        if not Subscription.objects.for_client(client).filter(pk=opened.subject).exists():
            raise UnknownLinkError
        return web.look_of(client, door.key)


def confirm(*, link: str, at: datetime) -> Look:
    """
    Let an address count, because its owner opened the link. Enters the client's scope itself.

    :raises UnknownLinkError: the link is none, or the address was taken back.
    :raises ExpiredLinkError: its time is over.
    """
    opened = _open(link, at)
    if opened.kind != _CONFIRM:
        raise UnknownLinkError
    door = opened.door
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        client = web.client_of(door)
        rows = Subscription.objects.for_client(client).filter(pk=opened.subject)
        if not rows.exists():
            raise UnknownLinkError
        rows.filter(confirmed_at__isnull=True).update(confirmed_at=at, told_at=at, due_at=None)
        return web.look_of(client, door.key)


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """
    A message to be sent now.

    :ivar told_at: until when its news goes; None for a request to confirm.
    """

    subscription_id: uuid.UUID
    sender: str
    address: str
    subject: str
    text: str
    told_at: datetime | None
    language: str


def claim_letters(*, agency_id: int, at: datetime, limit: int) -> list[Letter]:
    """
    Claim what is due by e-mail; each comes back after `MAIL_AGAIN_AFTER` unless `letter_sent` is told.

    Inside the agency's job scope. An address whose person was erased, or that does not open any more, leaves here.
    """
    until = at - SETTLED_AFTER
    rows = list(
        _with_news(agency_id, until=until)
        .filter(Q(due_at__isnull=True) | Q(due_at__lte=at))
        .select_related("client__agency")
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("told_at", "pk")[:limit]
    )
    letters = []
    for row in rows:
        address = _address_of(row)
        if address is None:
            Subscription.objects.filter(pk=row.pk).remove()
            continue
        Subscription.objects.filter(pk=row.pk).update(due_at=at + MAIL_AGAIN_AFTER)
        letters.append(_letter(row, address, at=at, until=until))
    return letters


def _with_news(agency_id: int, *, until: datetime) -> ScopedQuerySet[Subscription]:
    """Addresses that are to be confirmed, or whose person's choices or notices have changed since they were told."""
    changed = ConsentEvent.objects.filter(
        client_id=OuterRef("client_id"),
        caller_id=OuterRef("caller_id"),
        scope=Scope.STANDING,
        kind__in=list(_NEWS),
        recorded_at__gt=OuterRef("told_at"),
        recorded_at__lte=until,
    )
    fresh = NoticeVersion.objects.published().filter(
        client_id=OuterRef("client_id"), published_at__gt=OuterRef("told_at"), published_at__lte=until
    )
    rests_on = ConsentState.objects.filter(
        client_id=OuterRef("client_id"), caller_id=OuterRef(OuterRef("caller_id")), state=State.GIVEN
    )
    old = NoticeVersion.objects.filter(client_id=OuterRef("client_id"), notice_id=OuterRef("notice_id"))
    agreed_to_old = ConsentState.objects.filter(
        client_id=OuterRef("client_id"),
        caller_id=OuterRef(OuterRef(OuterRef("caller_id"))),
        state=State.GIVEN,
        version_id=OuterRef("pk"),
    )
    replaced = fresh.filter(Exists(old.filter(Exists(agreed_to_old)))).exclude(
        Exists(rests_on.filter(version_id=OuterRef("pk")))
    )
    unasked = Q(confirmed_at__isnull=True, asked_at__isnull=True)
    news = Q(on_change=True) & Exists(changed) | Q(on_notice=True) & Exists(replaced)
    rows = Subscription.objects.filter(agency_id=agency_id, attempts__lt=MAIL_TRIES, client__shut_at=None)
    return rows.filter(unasked | Q(confirmed_at__isnull=False) & news)


def _letter(row: Subscription, address: str, *, at: datetime, until: datetime) -> Letter:
    client, language = row.client, Language(row.language)
    say = {name: text.replace("{name}", client.legal_name) for name, text in words.MAIL[language].items()}
    if row.confirmed_at is None:
        link = _link(client, _CONFIRM, row.pk, Strength.B, at=at, until=at + UNCONFIRMED_FOR)
        return Letter(
            row.pk,
            client.name,
            address,
            say["confirm_subject"],
            f"{say['confirm']}\n\n{link}\n",
            None,
            row.language,
        )
    changes = _changes(row, client, language, until) if row.on_change else []
    notices = _replaced(row, client, language, until) if row.on_notice else []
    lines = [say["changed"], *changes, ""] if changes else []
    lines += [say["replaced"], *notices, ""] if notices else []
    # It goes to whoever gave the address, so that of the number's holder it knows no more than on that day.
    link = link_for(
        client=client,
        caller_id=row.caller_id,
        at=at,
        strength=Strength(row.strength),
        since=row.created_at,
    )
    text = "\n".join([*lines, say["see"], link, ""])
    return Letter(row.pk, client.name, address, say["subject"], text, until, row.language)


def _changes(row: Subscription, client: Client, language: Language, until: datetime) -> list[str]:
    """What was said last of each purpose since the person was told, a line each."""
    events = ConsentEvent.objects.for_client(client).filter(
        caller_id=row.caller_id,
        scope=Scope.STANDING,
        kind__in=list(_NEWS),
        recorded_at__gt=row.told_at,
        recorded_at__lte=until,
    )
    newest = {event.purpose: event for event in events.defer("evidence").order_by("happened_at")}
    return [
        f"- {words.ABOUT[language][purpose].title}: {words.MAIL[language][_NEWS[EventKind(event.kind)]]},"
        f" {words.when(event.happened_at, client.time_zone, language)}"
        for purpose in Purpose
        if (event := newest.get(purpose)) is not None
    ]


def _replaced(row: Subscription, client: Client, language: Language, until: datetime) -> list[str]:
    """Notices that the person agreed to and whose words are others since the person was told."""
    agreed = ConsentState.objects.for_client(client).filter(caller_id=row.caller_id, state=State.GIVEN)
    old = NoticeVersion.objects.for_client(client).filter(pk__in=agreed.values("version_id"))
    fresh = NoticeVersion.objects.for_client(client).published()
    fresh = fresh.filter(
        published_at__gt=row.told_at, published_at__lte=until, notice_id__in=old.values("notice_id")
    ).exclude(pk__in=agreed.values("version_id"))
    return [
        f"- {words.when(version.published_at, client.time_zone, language)}: {version.words}"
        for version in fresh.select_related("notice").order_by("published_at")
        if version.published_at is not None
    ]


def letter_refused(*, letter: Letter) -> None:
    """The server refused the address for good; too often, and `purge` removes it. Inside the agency's job scope."""
    Subscription.objects.filter(pk=letter.subscription_id).update(attempts=F("attempts") + 1)


def letter_sent(*, letter: Letter, at: datetime) -> None:
    """Note that a letter went out. Inside the agency's job scope."""
    rows = Subscription.objects.filter(pk=letter.subscription_id)
    if letter.told_at is None:
        rows.update(asked_at=at, due_at=None, attempts=0)
    else:
        rows.filter(told_at__lt=letter.told_at).update(told_at=letter.told_at)
        rows.update(due_at=None, attempts=0)


def purge(*, agency_id: int, at: datetime) -> int:
    """
    Remove addresses that nobody confirmed within a week, that no letter reaches, or whose person is gone; returns
    how many.
    """
    with job_scope(agency_id=agency_id):
        people = Caller.objects.filter(client_id=OuterRef("client_id"), pk=OuterRef("caller_id"))
        return (
            Subscription.objects.filter(agency_id=agency_id)
            .filter(
                Q(confirmed_at__isnull=True, created_at__lte=at - UNCONFIRMED_FOR)
                | Q(attempts__gte=MAIL_TRIES)
                | ~Exists(people)
            )
            .remove()
        )
