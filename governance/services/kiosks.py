"""
The public sign-in page of a site.

The page shows no stored names. The response is the same for known and unknown badges, names and hosts, so that a
visitor cannot probe them. Unknown ones are flagged for review.

Each form carries a signed token, valid for some minutes and one entry. The sign-out number is derived from the token
and not stored. Only its keyed digest is stored until the exit.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from callprivacy.audit import services as audit
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import PublicKey
from callprivacy.tenancy.scope import job_scope, scope_of_key
from governance.enums import EntrySource
from governance.models import KioskLink, Site
from governance.selectors import premises as selectors
from governance.services import premises
from governance.services.premises import Passing

LIFE: Final = timedelta(days=365)
FORM_FOR: Final = timedelta(minutes=15)
SAID_FOR: Final = timedelta(seconds=60)
"""How long a receipt can be reloaded."""
_SECRET_BYTES: Final = 32
_NOTE: Final = "callprivacy.governance.kiosk.form"
_SAID: Final = "callprivacy.governance.kiosk.said"
_NUMBER: Final = "callprivacy.governance.kiosk.number"
# Clock difference between servers.
_EARLY: Final = timedelta(minutes=1)


class UnknownKioskError(LookupError):
    """An unknown or expired link, or a closed site. The response does not say which."""


class LinkMadeError(ValueError):
    """The link was replaced since the page was loaded."""


class StaleFormError(ValueError):
    """The form has expired or is not of this page."""


class WrongNumberError(LookupError):
    """No one inside has this number."""


class Answer(StrEnum):
    CAME = "came"
    LEFT = "left"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Kiosk:
    """:ivar agency: its name, like :ivar site:; the page shows both."""

    link_id: UUID
    agency_id: int
    site_id: UUID
    agency: str
    site: str
    zone: str

    @property
    def actor(self) -> Actor:
        return Actor.client(f"kiosk:{self.link_id}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """:ivar number: to sign out with, or empty."""

    answer: Answer
    at: datetime
    number: str


def digest_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def url_of(token: str) -> str:
    return f"{settings.CALLPRIVACY_URL.rstrip('/')}/k/{token}/"


# --- The link -------------------------------------------------------------------------------------------------------


@transaction.atomic
def make_link(*, site: Site, instead_of: UUID | None, by: Actor, at: datetime) -> str:
    """
    Create the link of a site's sign-in page, valid for a year, and revoke the previous one. The token is not stored.

    :param instead_of: the link to replace, if any.
    :raises LinkMadeError: that one is no longer current.
    """
    if by.user_id is None:
        raise TypeError("Only a user creates a link.")
    Site.objects.select_for_update().get(pk=site.pk)
    present = KioskLink.objects.filter(site=site, ended_at=None).values_list("pk", flat=True).first()
    if present != instead_of:
        raise LinkMadeError
    _end(site, by=by, at=at)
    token = secrets.token_urlsafe(_SECRET_BYTES)
    link = KioskLink.objects.create(
        agency_id=site.agency_id,
        site=site,
        digest=digest_of(token),
        made_by_id=by.user_id,
        made_at=at,
        ends_at=at + LIFE,
    )
    PublicKey.objects.create(key=bytes(link.digest).hex(), purpose=KeyPurpose.KIOSK, agency_id=site.agency_id)
    audit.record(
        "kiosk.linked", subject=site, by=by, at=at, link=str(link.pk), until=link.ends_at.isoformat()
    )
    return token


@transaction.atomic
def end_link(*, site: Site, by: Actor, at: datetime) -> bool:
    """Revoke the link. Returns whether there was one."""
    return _end(site, by=by, at=at)


def _end(site: Site, *, by: Actor, at: datetime) -> bool:
    rows = list(KioskLink.objects.filter(site=site, ended_at=None))
    for row in rows:
        if KioskLink.objects.filter(pk=row.pk, ended_at=None).update(ended_at=at):
            key = bytes(row.digest).hex()
            PublicKey.objects.filter(key=key, purpose=KeyPurpose.KIOSK).delete()
            audit.record("kiosk.link_ended", subject=site, by=by, at=at, link=str(row.pk))
    return bool(rows)


def kiosk_of(token: str, *, at: datetime) -> Kiosk:
    """
    The kiosk of a link. Called outside any scope.

    :raises UnknownKioskError: the link is not valid.
    """
    digest = digest_of(token)
    with scope_of_key(digest.hex(), KeyPurpose.KIOSK):
        link = KioskLink.objects.filter(digest=digest, ended_at=None, ends_at__gt=at).first()
        if link is None:
            raise UnknownKioskError
    with job_scope(agency_id=link.agency_id):
        site = Site.objects.filter(pk=link.site_id, closed_on=None).select_related("agency").first()
        if site is None:
            raise UnknownKioskError
        return Kiosk(link.pk, link.agency_id, site.pk, site.agency.name, site.name, site.time_zone)


# --- Signed tokens --------------------------------------------------------------------------------------------------


def sign_form(kiosk: Kiosk, *, at: datetime) -> str:
    return _sign(_NOTE, kiosk, at, once=secrets.token_hex(12))


def is_fresh(text: str, kiosk: Kiosk, *, at: datetime) -> bool:
    return _read(_NOTE, text, kiosk, at, FORM_FOR) is not None


def _read_form(text: str, kiosk: Kiosk, at: datetime) -> str:
    token = _read(_NOTE, text, kiosk, at, FORM_FOR)
    if token is None:
        raise StaleFormError
    return str(token["once"])


def read_answer(text: str, kiosk: Kiosk, *, at: datetime) -> Receipt | None:
    """None for an expired receipt, or one of another page."""
    token = _read(_SAID, text, kiosk, at, SAID_FOR)
    if token is None:
        return None
    answer = Answer(token["answer"])
    number = _number(token["once"]) if answer is Answer.NUMBER else ""
    return Receipt(answer, datetime.fromtimestamp(token["at"], UTC), number)


def _answer(kiosk: Kiosk, answer: Answer, once: str, at: datetime) -> str:
    return _sign(_SAID, kiosk, at, once=once, answer=answer.value)


def _sign(salt: str, kiosk: Kiosk, at: datetime, **more: str) -> str:
    token = {"link": str(kiosk.link_id), "at": int(at.timestamp()), **more}
    return signing.Signer(salt=salt, sep=".").sign_object(token)


def _read(salt: str, text: str, kiosk: Kiosk, at: datetime, good_for: timedelta) -> dict[str, Any] | None:
    try:
        token: dict[str, Any] = signing.Signer(salt=salt, sep=".").unsign_object(text)
    except (signing.BadSignature, ValueError):
        return None
    age = at.timestamp() - token["at"]
    is_fresh = -_EARLY.total_seconds() <= age < good_for.total_seconds()
    return token if is_fresh and token["link"] == str(kiosk.link_id) else None


def _number(once: str) -> str:
    """Six digits, the same for the same form."""
    drawn = salted_hmac(_NUMBER, once, algorithm="sha256").digest()
    return f"{int.from_bytes(drawn[:8]) % 1_000_000:06}"


def _number_digest(kiosk: Kiosk, number: str) -> bytes:
    return salted_hmac(f"{_NUMBER}.kept", f"{kiosk.site_id}\n{number}", algorithm="sha256").digest()


# --- Entries and exits. Each returns a signed receipt ---------------------------------------------------------------


def pass_with_badge(*, kiosk: Kiosk, form: str, code: str, is_in: bool, at: datetime) -> str:
    """:raises StaleFormError: the form has expired."""
    once = _read_form(form, kiosk, at)
    with job_scope(agency_id=kiosk.agency_id):
        site = _site(kiosk, at)
        passing = Passing(once, code, is_in, at)
        premises.take_in(site=site, passings=[passing], source=EntrySource.KIOSK, by=kiosk.actor, at=at)
    return _answer(kiosk, Answer.CAME if is_in else Answer.LEFT, once, at)


def come_without_badge(*, kiosk: Kiosk, form: str, name: str, at: datetime) -> str:
    """
    Save a flagged entry, since the name is not verified.

    :raises StaleFormError: the form has expired.
    """
    once = _read_form(form, kiosk, at)
    with job_scope(agency_id=kiosk.agency_id):
        site = _site(kiosk, at)
        person = selectors.person_called(name)
        return _come(kiosk, site, once, at, visitor="" if person else name, user_id=person, has_badge=False)


def visit(*, kiosk: Kiosk, form: str, name: str, company: str, host: str, purpose: str, at: datetime) -> str:
    """:raises StaleFormError: the form has expired."""
    once = _read_form(form, kiosk, at)
    with job_scope(agency_id=kiosk.agency_id):
        site = _site(kiosk, at)
        person = selectors.person_called(host)
        return _come(
            kiosk,
            site,
            once,
            at,
            visitor=name,
            company=company,
            host_id=person,
            host_said="" if person else host,
            purpose=purpose,
        )


def _come(
    kiosk: Kiosk,
    site: Site,
    once: str,
    at: datetime,
    *,
    visitor: str,
    user_id: int | None = None,
    company: str = "",
    host_id: int | None = None,
    host_said: str = "",
    purpose: str = "",
    has_badge: bool = True,
) -> str:
    try:
        premises.come_by_kiosk(
            site=site,
            reference=once,
            number_digest=_number_digest(kiosk, _number(once)),
            visitor=visitor,
            user_id=user_id,
            company=company,
            host_id=host_id,
            host_said=host_said,
            purpose=purpose,
            has_badge=has_badge,
            by=kiosk.actor,
            at=at,
        )
    except IntegrityError:
        # The number is in use. A new form gets another one.
        raise StaleFormError from None
    return _answer(kiosk, Answer.NUMBER, once, at)


def leave(*, kiosk: Kiosk, form: str, number: str, at: datetime) -> str:
    """
    Save an exit.

    :raises StaleFormError: the form has expired.
    :raises WrongNumberError: no one inside has the number.
    """
    once = _read_form(form, kiosk, at)
    with job_scope(agency_id=kiosk.agency_id):
        entry = selectors.find_by_number(kiosk.site_id, _number_digest(kiosk, number))
        if entry is None:
            raise WrongNumberError
        _use(kiosk, at)
        try:
            premises.sign_out(entry=entry, by=kiosk.actor, at=at)
        except premises.NotOutError:
            raise WrongNumberError from None
    return _answer(kiosk, Answer.LEFT, once, at)


def _site(kiosk: Kiosk, at: datetime) -> Site:
    # The same lock order as `make_link`.
    site = Site.objects.select_for_update().get(pk=kiosk.site_id)
    _use(kiosk, at)
    return site


def _use(kiosk: Kiosk, at: datetime) -> None:
    today = calendars.day_in(kiosk.zone, at)
    KioskLink.objects.filter(pk=kiosk.link_id).exclude(last_used_on=today).update(last_used_on=today)
