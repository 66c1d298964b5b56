"""
A client's public page and its form on other sites: words with boxes, a number, and what is written of it.

Nobody is told whether a number is known. A yes on an unproven number is claimed (grade D): it counts for recording and
contact only where the client says why. It never lifts an earlier no: it is kept as a
notice that was shown, until the phone is proven. Taking back takes one step and no proof, for it can only protect.
What is sent is believed as far as this page's own signature says which words stood beside which box.
"""

import secrets
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.services import people
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import client_scope
from callprivacy.tenancy.selectors import require_here
from consent.channels import tokens, words
from consent.channels.colours import Shades, shades_of
from consent.channels.tokens import StaleFormError
from consent.enums import Channel, EventKind, Language, Purpose, Strength
from consent.models import ConsentEvent, NoticeVersion, WebPage
from consent.selectors import web as selectors
from consent.selectors.web import Door
from consent.services import again, codes, ledger, menu_calls
from consent.services.again import BusyError
from consent.services.ledger import CallerGoneError, Said

__all__ = ["BusyError", "CallerGoneError", "StaleFormError"]

BY: Final = Actor.client("consent.web")
KEY_BYTES: Final = 24


class Deed(StrEnum):
    """What a form asks for."""

    GIVE = "give"
    WITHDRAW = "withdraw"


class UnknownKeyError(LookupError):
    """No client's page has this key."""


class NothingTickedError(ValueError):
    """A form that asks for nothing, or for a purpose that stood nowhere in it."""


@dataclass(frozen=True, slots=True)
class Box:
    """One purpose that can be ticked."""

    purpose: Purpose
    title: str
    ask: str


@dataclass(frozen=True, slots=True)
class Words:
    version_id: uuid.UUID
    language: Language
    controller: str
    words: str
    withdraw: str
    policy_url: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """In whose name a page stands, and its colours."""

    key: str
    agency_id: int
    client_id: int
    name: str
    legal_name: str
    zone: str
    country: str
    policy_url: str
    shades: Shades


@dataclass(frozen=True, slots=True)
class Page:
    """
    What the public page shows.

    :ivar form: names the words that were shown; the form brings it back.
    """

    look: Look
    language: Language
    notices: tuple[Words, ...]
    form: str
    can_prove: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """
    What is known of who sends a form.

    :ivar page: host and path of the page that carried it.
    :ivar browser: the kind of browser, "Firefox on Linux".
    :ivar opted_out: the browser asks not to sell or share.
    """

    page: str
    browser: str
    opted_out: bool


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What somebody chose on a form."""

    deed: Deed
    number: str
    purposes: frozenset[Purpose]
    form: str
    language: Language


# --- The page and its key -----------------------------------------------------------------------------------


def open_page(*, client: Client, at: datetime) -> WebPage:
    """
    Return a client's public page, made with a key when first asked for.

    Inside a scope that may write the client's consent.

    :raises ClientLeftError: it has none, and has left.
    """
    page = WebPage.objects.for_client(client).first()
    if page is not None:
        return page
    fresh = WebPage(
        agency_id=client.agency_id,
        client=client,
        key=secrets.token_urlsafe(KEY_BYTES),
        swap_needs_consent=True,
        created_at=at,
        key_changed_at=at,
    )
    with transaction.atomic():
        WebPage.objects.bulk_create([fresh], ignore_conflicts=True)
        page = WebPage.objects.for_client(client).get()
        if page.pk == fresh.pk:
            _publish(client, page.key)
    return page


def _publish(client: Client, key: str) -> None:
    require_here(client.pk)
    PublicKey.objects.create(
        key=key, purpose=KeyPurpose.CONSENT, agency_id=client.agency_id, client_id=client.pk
    )


@transaction.atomic
def rotate_key(*, client: Client, by: Actor, at: datetime) -> WebPage:
    """
    Give a client's page another key. The old one opens nothing from now on: no page, form, link or receipt.

    :raises ClientLeftError: it has left.
    """
    page = open_page(client=client, at=at)
    old = page.key
    page.key, page.key_changed_at = secrets.token_urlsafe(KEY_BYTES), at
    page.save(update_fields=["key", "key_changed_at"])
    PublicKey.objects.filter(key=old, purpose=KeyPurpose.CONSENT, client_id=client.pk).delete()
    _publish(client, page.key)
    audit.record("consent_page.key_changed", subject=client, by=by, at=at)
    return page


@transaction.atomic
def save_page(
    *,
    client: Client,
    origins: Collection[str],
    swap_url: str,
    swap_integrity: str,
    swap_needs_consent: bool,
    by: Actor,
    at: datetime,
) -> WebPage:
    """Change which sites may carry a client's form, and which number-swap it may load there."""
    page = open_page(client=client, at=at)
    page.origins = sorted(set(origins))
    page.swap_url, page.swap_integrity = swap_url, swap_integrity
    page.swap_needs_consent = swap_needs_consent
    page.save(update_fields=["origins", "swap_url", "swap_integrity", "swap_needs_consent"])
    audit.record(
        "consent_page.changed",
        subject=client,
        by=by,
        at=at,
        sites=len(page.origins),
        swap=bool(swap_url),
        needs_consent=swap_needs_consent,
    )
    return page


def door_of(key: str) -> Door:
    """
    Whose page a key opens; outside any scope.

    :raises UnknownKeyError: nobody's.
    """
    door = selectors.find_door(key)
    if door is None:
        raise UnknownKeyError
    return door


def client_of(door: Door) -> Client:
    """The client behind a door, inside its scope."""
    return Client.objects.select_related("agency").get(pk=door.client_id)


def look_of(client: Client, key: str) -> Look:
    """In whose name and colours a page stands."""
    return Look(
        key=key,
        agency_id=client.agency_id,
        client_id=client.pk,
        name=client.name,
        legal_name=client.legal_name,
        zone=client.time_zone,
        country=client.home_country,
        policy_url=client.policy_url,
        shades=shades_of(client.brand_colour),
    )


def show_look(*, key: str) -> Look:
    """
    A page's name and colours alone. Enters the client's scope itself.

    :raises UnknownKeyError: nobody's key.
    """
    door = door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        return look_of(client_of(door), key)


def show_page(*, key: str, language: Language, at: datetime) -> Page:
    """
    Return what the public page shows. Enters the client's scope itself.

    :raises UnknownKeyError: nobody's key.
    """
    door = door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        client = client_of(door)
        notices = notices_of(client, language)
        return Page(
            look=look_of(client, key),
            language=language,
            notices=notices,
            form=form_of(client, notices, at=at),
            can_prove=codes.can_send(client, at=at),
        )


def show_embed(*, key: str, origin: str | None, language: Language, at: datetime) -> tuple[Page, WebPage]:
    """
    Return what the form on another site shows, and that client's settings. Enters the client's scope itself.

    :param origin: of the site that asks; None where it is this one.
    :raises UnknownKeyError: nobody's key.
    :raises ForeignSiteError: the client has not listed the site.
    """
    page = show_page(key=key, language=language, at=at)
    return page, allow_site(key=key, origin=origin)


class ForeignSiteError(PermissionError):
    """A site that the client has not listed."""


def allow_site(*, key: str, origin: str | None) -> WebPage:
    """
    Return the settings of a client whose form a site may carry. Enters the client's scope itself.

    :raises UnknownKeyError: nobody's key.
    :raises ForeignSiteError: the client has not listed the site.
    """
    door = door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        settings = WebPage.objects.get(client_id=door.client_id)
    if origin is not None and origin not in settings.origins:
        raise ForeignSiteError
    return settings


def notices_of(client: Client, language: Language) -> tuple[Words, ...]:
    """The words in force with a box for each purpose; none for a client that is archived. Inside a scope."""
    if client.archived_at is not None:
        return ()
    by_version: dict[uuid.UUID, tuple[NoticeVersion, list[Purpose]]] = {}
    in_force = selectors.words_by_purpose(client, language)
    for purpose, version in ((purpose, in_force[purpose]) for purpose in words.ORDER if purpose in in_force):
        by_version.setdefault(version.pk, (version, []))[1].append(purpose)
    return tuple(words_of(version, purposes) for version, purposes in by_version.values())


def words_of(version: NoticeVersion, purposes: Iterable[Purpose] | None = None) -> Words:
    """The words of one version with a box for each of these purposes, by default all that its notice asks for."""
    purposes = purposes or [Purpose(purpose) for purpose in version.notice.purposes]
    language = Language(version.notice.language)
    about = words.ABOUT[language]
    return Words(
        version_id=version.pk,
        language=language,
        controller=version.controller,
        words=version.words,
        withdraw=version.withdraw,
        policy_url=version.policy_url,
        boxes=tuple(Box(purpose, about[purpose].title, about[purpose].ask) for purpose in purposes),
    )


def form_of(client: Client, notices: Iterable[Words], *, at: datetime) -> str:
    """The signed note of what these notices show."""
    shown = {notice.version_id: [box.purpose for box in notice.boxes] for notice in notices}
    return tokens.sign_form(client.pk, shown, at=at)


def note_of(look: Look, *, at: datetime) -> str:
    """The signed note of a page that shows no words to agree to."""
    return tokens.sign_form(look.client_id, {}, at=at)


def send_code(*, key: str, number: str, language: Language, at: datetime) -> codes.Sending:
    """
    Send a code to a number, and return what the page needs. Enters the client's scope itself.

    :raises UnknownKeyError: nobody's key.
    """
    return codes.send_code(client=_client_behind(key), number=number, language=language, at=at)


def send_another(*, key: str, challenge: str, language: Language, at: datetime) -> codes.Sending:
    """
    Send another code to the number of a challenge, and return what the page needs. Enters the client's scope itself.

    :raises UnknownKeyError: nobody's key.
    :raises StaleChallengeError: the page is too old.
    """
    client = _client_behind(key)
    number, earlier = codes.open_challenge(client=client, challenge=challenge, at=at)
    return codes.send_code(client=client, number=number, language=language, at=at, earlier=earlier)


def check_code(*, key: str, challenge: str, code: str, at: datetime) -> tuple[Client, codes.Proven]:
    """
    Prove the number of a challenge. Enters the client's scope itself.

    :raises UnknownKeyError: nobody's key.
    :raises StaleChallengeError: the page is too old.
    :raises WrongCodeError: the number is not proven.
    """
    client = _client_behind(key)
    return client, codes.check_code(client=client, challenge=challenge, code=code, at=at)


def _client_behind(key: str) -> Client:
    door = door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        return client_of(door)


# --- What a form brings back --------------------------------------------------------------------------------


def record_answer(*, key: str, answer: Answer, visit: Visit, at: datetime) -> str:
    """
    Write down what somebody chose on a form, and return the token of the receipt. Enters the client's scope itself.

    :raises UnknownKeyError: nobody's key.
    :raises StaleFormError: the form is too old or not from here.
    :raises NothingTickedError: nothing was chosen, or what was not offered.
    :raises BusyError: it could not be written now; it may be sent again.
    """
    door = door_of(key)
    shown = tokens.read_form(answer.form, client_id=door.client_id, at=at)
    wanted = answer.purposes & shown.keys() if answer.deed is Deed.GIVE else answer.purposes
    if not wanted:
        raise NothingTickedError
    if visit.opted_out and answer.deed is Deed.GIVE:
        wanted -= {Purpose.SHARE}

    def deed() -> str:
        with client_scope(agency_id=door.agency_id, client_id=door.client_id):
            client = client_of(door)
            events = _record(client, answer, wanted=wanted, shown=shown, visit=visit, at=at)
            return tokens.sign_receipt(client.pk, [event.pk for event in events], at=at)

    return again.insist(deed)


def _record(
    client: Client,
    answer: Answer,
    *,
    wanted: Collection[Purpose],
    shown: Mapping[Purpose, uuid.UUID],
    visit: Visit,
    at: datetime,
) -> list[ConsentEvent]:
    caller_id = people.add_callers(client=client, numbers=[answer.number], at=at)[answer.number]
    source = f"form {uuid.uuid4()}"
    if answer.deed is Deed.WITHDRAW:
        said = [
            withdrawal(purpose, caller_id, source=source, visit=visit, language=answer.language, at=at)
            for purpose in sorted(wanted)
        ]
    else:
        versions = selectors.versions_shown(client, {shown[purpose] for purpose in wanted})
        said = [
            agreement(
                purpose, versions[shown[purpose]], caller_id,
                source=source, visit=visit, at=at,
            )
            for purpose in sorted(wanted)
            if shown[purpose] in versions
        ]  # fmt: skip
    if visit.opted_out and (answer.deed is Deed.GIVE or Purpose.SHARE not in wanted):
        said.append(opt_out(caller_id, Strength.D, source=source, visit=visit, at=at))
    return write(client, said, by=BY, at=at)


def write(client: Client, said: Collection[Said], *, by: Actor, at: datetime) -> list[ConsentEvent]:
    """
    Write into the ledger; a recording that runs in this moment of who takes recording back is stopped.

    Inside the client's scope. Who calls wakes `consent.tasks.menu_calls` on commit.
    """
    events = ledger.record_events(client=client, said=list(said), by=by, at=at)
    for event in events:
        if event.purpose == Purpose.RECORD and event.kind == EventKind.WITHDRAWN and event.caller_id:
            menu_calls.stop_running(client=client, caller_id=event.caller_id, by=by, at=at, event_id=event.pk)
    return events


def _evidence(visit: Visit, **more: Any) -> dict[str, Any]:
    """What shows an event: never an address of the network, which proves nothing about a phone."""
    return {"page": visit.page, "browser": visit.browser, "gpc": visit.opted_out, **more}


def agreement(
    purpose: Purpose,
    version: NoticeVersion,
    caller_id: uuid.UUID,
    *,
    source: str,
    visit: Visit,
    at: datetime,
    strength: Strength = Strength.D,
    channel: Channel = Channel.WEB,
    asked_twice: bool = False,
    **evidence: Any,
) -> Said:
    """
    A yes for the ledger, with the exact words it was said to.

    :param asked_twice: it was said a second time, to a question of its own.
    """
    language = Language(version.notice.language)
    return Said(
        purpose=purpose,
        kind=EventKind.RENEWED if asked_twice else EventKind.GIVEN,
        channel=channel,
        strength=strength,
        happened_at=at,
        source=source,
        caller_id=caller_id,
        version_id=version.pk,
        evidence=_evidence(
            visit,
            said="yes",
            controller=version.controller,
            words=version.words,
            withdraw=version.withdraw,
            ask=words.ABOUT[language][purpose].ask,
            language=language.value,
            version=str(version.pk),
            version_number=version.number,
            version_digest=bytes(version.digest or b"").hex(),
            **({"asked_twice": True} if asked_twice else {}),
            **evidence,
        ),
    )


def withdrawal(
    purpose: Purpose,
    caller_id: uuid.UUID,
    *,
    source: str,
    visit: Visit,
    language: Language,
    at: datetime,
    strength: Strength = Strength.D,
    channel: Channel = Channel.WEB,
) -> Said:
    return Said(
        purpose=purpose,
        kind=EventKind.WITHDRAWN,
        channel=channel,
        strength=strength,
        happened_at=at,
        source=source,
        caller_id=caller_id,
        evidence=_evidence(visit, said="no", language=language.value, ask=words.TEXTS[language]["stop"]),
    )


def opt_out(caller_id: uuid.UUID, strength: Strength, *, source: str, visit: Visit, at: datetime) -> Said:
    """The no to sharing that a browser's signal says (Sec-GPC: 1)."""
    return Said(
        purpose=Purpose.SHARE,
        kind=EventKind.WITHDRAWN,
        channel=Channel.GPC,
        strength=strength,
        happened_at=at,
        source=source,
        caller_id=caller_id,
        evidence=_evidence(visit, said="no", header="Sec-GPC: 1"),
    )
