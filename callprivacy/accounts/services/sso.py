"""
An agency's own sign-in provider: set up by one, agreed to by another, and what happens when somebody comes from there.

Whoever says to whom a provider speaks for could speak as anybody in the agency, so one alone never decides it where
there are two. No account is made by a provider: who comes through it is somebody who works here already. The first time
their address says who they are; from then on it is the provider's own name for them, and nothing ever replaces that
silently.
"""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.template.loader import render_to_string

from callprivacy.accounts import access, providers, seconding, selectors
from callprivacy.accounts.access import Through
from callprivacy.accounts.enums import AgencyRight, Refusal
from callprivacy.accounts.models import Invitation, Membership, ProviderLink, SignInProvider, User
from callprivacy.accounts.providers import Party, RefusedError
from callprivacy.accounts.services import invitations, passwords, sign_in
from callprivacy.audit import services as audit
from callprivacy.lib.after_commit import after_commit
from callprivacy.lib.mail import letter
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Agency, PublicKey
from callprivacy.tenancy.scope import job_scope

_KEY_BYTES: Final = 16
_IDENTITY: Final = frozenset({"issuer", "application", "domains", "wants_factor", "classes"})
_DOOR: Final = Actor.job("sign_in")
_NEWEST: Final = 5
"""How many sessions at the provider a link names: those whose sign-in here may still wait for its second step."""


class NotYoursError(ValueError):
    """Somebody else has to agree, and why."""


class NotReadyError(ValueError):
    """Something has to be there first; the text says what."""


@dataclass(frozen=True, slots=True, repr=False)
class Door:
    """An agency's sign-in address: with whom it speaks, outside any scope."""

    agency_id: int
    agency: str
    key: str
    name: str
    party: Party
    endpoint: str
    agreed_at: datetime
    wants_factor: bool = False
    classes: tuple[str, ...] = ()

    @property
    def back_to(self) -> str:
        """Where the provider leads people back to."""
        return back_to(self.key)


def address_of(key: str) -> str:
    """The agency's sign-in address, at the public address."""
    return f"{settings.CALLPRIVACY_URL.rstrip('/')}/sso/{key}/"


def back_to(key: str) -> str:
    """Where the provider leads people back to; it is registered there."""
    return f"{address_of(key)}back/"


def signed_out_at(key: str) -> str:
    """Where the provider tells us that somebody signed out there."""
    return f"{address_of(key)}signed-out/"


# --- Setting it up -------------------------------------------------------------------------------------------------


@transaction.atomic
def set_up(
    *,
    agency: Agency,
    name: str,
    issuer: str,
    application: str,
    secret: str,
    domains: Collection[str],
    wants_factor: bool = False,
    classes: Sequence[str] = (),
    by: Actor,
    at: datetime,
) -> list[str]:
    """
    Name the agency's provider, or change it; returns the names of what changed. It is looked at after the commit.

    Another issuer, client id, other domains or another word about second factors switch it off until a second person
    has agreed, and with another issuer or client id everybody's link to it ends, because its names for people are
    others.

    :param secret: empty: the one that is there.
    :param wants_factor: it has to say each time that it asked for more than one factor.
    :param classes: what it may call that, beside `mfa`.
    """
    if by.user_id is None:
        raise TypeError("A provider is named by a person.")
    Agency.objects.select_for_update(no_key=True).get(pk=agency.pk)  # one change at a time, also the first
    # Held, and read after whoever switched it off meanwhile: what is saved below is the whole row.
    SignInProvider.objects.select_for_update().filter(agency_id=agency.pk).first()
    values: dict[str, Any] = {
        "name": name,
        "issuer": issuer,
        "application": application,
        "domains": sorted(set(domains)),
        "wants_factor": wants_factor,
        "classes": list(classes),
    }
    row = selectors.provider()
    if row is None:
        key = secrets.token_hex(_KEY_BYTES)
        PublicKey.objects.create(key=key, purpose=KeyPurpose.SIGN_IN, agency_id=agency.pk)
        row = SignInProvider(agency_id=agency.pk, key=key)
    changed = sorted(field for field, value in values.items() if getattr(row, field) != value)
    for field in changed:
        setattr(row, field, values[field])
    if secret:
        row.secret = secret  # type: ignore[assignment]  # the field is typed as itself
        changed.append("secret")
    if not changed:
        return []
    was_on, links = row.is_on, 0
    if _IDENTITY & set(changed):
        row.is_on = row.is_required = row.is_sound = False
        row.beside, row.agreed_by, row.agreed_at = [], None, None
        row.proposed_by_id, row.proposed_at = by.user_id, at
        seconding.proposed(user_id=by.user_id, at=at)
        if {"issuer", "application"} & set(changed):
            links = ProviderLink.objects.filter(agency_id=agency.pk).delete()[0]
    row.save()
    audit.record(
        "sign_in_provider.changed",
        by=by,
        at=at,
        subject=row,
        fields=", ".join(changed),
        switched_off=was_on and not row.is_on,
        links_ended=links,
    )
    if was_on and not row.is_on:
        _renew_due()
    check_on_commit(agency_id=agency.pk, by=by, at=at)
    return changed


def check_on_commit(*, agency_id: int, by: Actor, at: datetime) -> None:
    """Look at the provider once everything about it is kept: nothing asks the outside from inside a scope."""
    after_commit("look at a sign-in provider", _check, agency_id=agency_id, by=by, at=at)


def _check(*, agency_id: int, by: Actor, at: datetime) -> None:
    with job_scope(agency_id=agency_id):
        row = selectors.provider()
    if row is None:
        return
    endpoints, found = providers.look(row.issuer)
    with job_scope(agency_id=agency_id):
        kept = SignInProvider.objects.filter(pk=row.pk, issuer=row.issuer)
        kept.update(found=found, checked_at=at)
        if endpoints is not None:
            kept.update(is_sound=True, endpoints={"authorization_endpoint": endpoints.authorization_endpoint})
        audit.record("sign_in_provider.checked", by=by, at=at, subject=row, good=endpoints is not None)


def why_not_agree(row: SignInProvider, *, user_id: int, at: datetime) -> str:
    """Why a person may not be the one who agrees to the provider, in words; empty: they may."""
    if (why := _why_not_theirs(row, user_id=user_id, at=at)) or _is_alone(row, user_id, at):
        return why
    doubt = seconding.may_second(proposer=row.proposed_by_id, signer=user_id, agency_id=row.agency_id, at=at)
    return "" if doubt is None else doubt.words


def _why_not_theirs(row: SignInProvider, *, user_id: int, at: datetime) -> str:
    if row.proposed_by_id == user_id and not _is_alone(row, user_id, at):
        return "Somebody else who manages people has to agree: who speaks for a provider could speak as anybody here."
    two = {row.proposed_by_id, user_id}
    officers = access.people_with_right(AgencyRight.SIGN_OFF, agency_id=row.agency_id)
    removed = access.removed_lately(AgencyRight.SIGN_OFF, agency_id=row.agency_id, at=at)
    if two.isdisjoint(officers) and (officers or removed.exists()):
        return "A compliance officer has to be one of the two."
    return ""


def _is_alone(row: SignInProvider, user_id: int, at: datetime) -> bool:
    """Whether nobody but the proposer manages people, or did until lately; the proposer then agrees alone."""
    return row.proposed_by_id == user_id and not access.has_another(
        AgencyRight.MANAGE_PEOPLE, agency_id=row.agency_id, at=at, but=user_id
    )


def named(row: SignInProvider) -> str:
    """What a second person agrees to, as the page that they look at says it."""
    said = json.dumps([row.issuer, row.application, row.domains, row.wants_factor, row.classes])
    return hashlib.sha256(said.encode()).hexdigest()


@seconding.seconds
@transaction.atomic
def switch_on(*, seen: str, by: Actor, at: datetime) -> None:
    """
    Let people sign in through the provider; the first time since it was named by a second person.

    :param seen: what `named` said on the page on which they agreed.
    :raises NotReadyError: there is none, it was not found sound, or it is another one by now.
    :raises NotYoursError: somebody else has to agree. :raises NotCountedError: the person's signature does not count.
    """
    row = _held()
    if row.agreed_at is None and seen != named(row):
        raise NotReadyError("It was changed since you looked. Read what it is now, then agree.")
    if not row.is_sound:
        raise NotReadyError("The provider was not found sound yet. Test it, and read what is written there.")
    if row.agreed_at is None:
        if by.user_id is None or (why := _why_not_theirs(row, user_id=by.user_id, at=at)):
            raise NotYoursError(why)
        if not _is_alone(row, by.user_id, at):
            seconding.check(
                proposer=row.proposed_by_id, signer=by.user_id, agency_id=row.agency_id, subject=row, at=at
            )
        row.agreed_by_id, row.agreed_at = by.user_id, at
    row.is_on = True
    row.save(update_fields=["is_on", "agreed_by", "agreed_at"])
    audit.record(
        "sign_in_provider.switched_on",
        by=by,
        at=at,
        subject=row,
        proposed_by=row.proposed_by_id,
        agreed_by=row.agreed_by_id,
    )


@transaction.atomic
def switch_off(*, by: Actor, at: datetime) -> None:
    """Let nobody sign in through the provider, and let no session go on that began there; passwords count again."""
    row = _held()
    if not row.is_on:
        return
    row.is_on = row.is_required = False
    row.beside = []
    row.save(update_fields=["is_on", "is_required", "beside"])
    audit.record("sign_in_provider.switched_off", by=by, at=at, subject=row)
    _renew_due()


@transaction.atomic
def delete_provider(*, by: Actor, at: datetime) -> None:
    """
    Delete the provider and who people are there.

    :raises NotReadyError: there is none, or people sign in through it.
    """
    row = _held()
    if row.is_on:
        raise NotReadyError("Switch the provider off first: people sign in through it.")
    links = ProviderLink.objects.filter(agency_id=row.agency_id).delete()[0]
    audit.record("sign_in_provider.deleted", by=by, at=at, subject=row, links=links)
    row.delete()


@transaction.atomic
def require(*, beside: Collection[int], by: Actor, at: datetime) -> None:
    """
    Let people in through the provider alone, but for those named, who manage people and have a second factor.

    :param beside: user ids of those; empty: passwords count again for everybody.
    :raises NotReadyError: nobody has come through it since it was agreed to, or somebody named is none of those.
    """
    row = _held()
    wanted = sorted(set(beside))
    if wanted:
        fit = set(selectors.managers_with_factor().values_list("user_id", flat=True))
        if not set(wanted) <= fit:
            raise NotReadyError("Only people who manage people and have a second factor can be named.")
        if not row.is_on or row.agreed_at is None or not _was_used_since(row.agreed_at):
            raise NotReadyError(
                "Nobody has come through the provider yet. Sign in through it once, then you know that it works."
            )
    row.is_required, row.beside = bool(wanted), wanted
    row.save(update_fields=["is_required", "beside"])
    audit.record(
        "sign_in_provider.required",
        by=by,
        at=at,
        subject=row,
        required=row.is_required,
        beside=", ".join(str(one) for one in wanted),
    )
    _renew_due()


def _was_used_since(at: datetime) -> bool:
    row = selectors.provider()
    return row is not None and ProviderLink.objects.filter(agency_id=row.agency_id, last_at__gte=at).exists()


@transaction.atomic
def unlink(*, membership: Membership, by: Actor, at: datetime) -> bool:
    """
    Forget who a person is at the provider, so that another account there can become theirs by its address.

    What the account before has opened ends with it.
    """
    if by.user_id == membership.user_id and selectors.managers().exclude(pk=membership.pk).exists():
        raise NotYoursError("Ask another admin or compliance officer: nobody loosens their own link.")
    gone = ProviderLink.objects.filter(agency_id=membership.agency_id, user_id=membership.user_id).delete()[0]
    if gone:
        bound = Through(membership.agency_id, key="", agreed_at="", shown_at=0)
        sessions = selectors.sessions_of(membership.user_id, bound)
        for session in sessions:
            session.end()
        audit.record(
            "sign_in_provider.unlinked",
            by=by,
            at=at,
            subject=membership,
            person=membership.user_id,
            sessions=len(sessions),
        )
    return bool(gone)


def _held() -> SignInProvider:
    found = selectors.provider()
    if found is None:
        raise NotReadyError("Name the provider first.")
    return SignInProvider.objects.select_for_update().get(pk=found.pk)


def _renew_due() -> None:
    """Whose password ages follows from who signs in with one."""
    passwords.renew_due(user_ids=[member.user_id for member in selectors.members_by_due()])


# --- At the door ---------------------------------------------------------------------------------------------------


def open_door(key: str) -> Door | None:
    """What stands behind a sign-in address; None where there is none, or it is off. It enters the scope itself."""
    found = tenancy.find_public_key(key, KeyPurpose.SIGN_IN)
    if found is None:
        return None
    with job_scope(agency_id=found.agency_id):
        row = selectors.provider()
        if row is None or not row.is_on or row.key != key or row.agreed_at is None:
            return None
        agency = Agency.objects.get(pk=found.agency_id)
        return Door(
            agency.pk,
            agency.name,
            key,
            row.name,
            Party(row.issuer, row.application, str(row.secret)),
            str(row.endpoints["authorization_endpoint"]),
            row.agreed_at,
            row.wants_factor,
            tuple(row.classes),
        )


def let_in(
    *, door: Door, person: providers.Person, at: datetime, invited: bytes = b""
) -> tuple[User, Through]:
    """
    Find who somebody is who came back from the provider, and note that they came. It enters the scope itself.

    :param invited: the digest of an invitation that they hold: who has no account gets one by it, without a password.
    :raises RefusedError: nobody whom the provider may speak for, who works here now, and whom it always called so.
    """
    _check_address(door, person)
    with job_scope(agency_id=door.agency_id):
        row = selectors.provider()
        if row is None or not row.is_on or row.agreed_at != door.agreed_at:
            raise RefusedError(Refusal.NO_TRIP)
        if person.email.rpartition("@")[2] not in row.domains:
            raise RefusedError(Refusal.OTHER_DOMAIN)
        _check_factor(door, person)
        shown, session = providers.has_factor(person, row.classes), _session_of(door, person.session)
        digest = selectors.digest_of_subject(row.issuer, person.subject)
        link = ProviderLink.objects.filter(agency_id=door.agency_id, digest=digest).first()
        if link is None:
            if invited and not User.objects.filter(email=person.email).exists():
                _accept(invited, person, at)
            membership = _member(door.agency_id, user__email=person.email)
            _link(membership, digest, at, with_factor=shown, sessions=[session] if session else [])
        else:
            membership = _member(door.agency_id, user_id=link.user_id)
            sessions = list(filter(None, [session, *link.sessions]))[:_NEWEST]
            ProviderLink.objects.filter(pk=link.pk).update(last_at=at, with_factor=shown, sessions=sessions)
        user = membership.user
    return user, Through(
        door.agency_id,
        door.key,
        door.agreed_at.isoformat(),
        min(person.shown_at or 0, at.timestamp()),
        session,
    )


def may_complete(*, user_id: int, through: Through, began_at: float) -> bool:
    """
    Whether a sign-in that began at a provider may be completed: it did not end there since. It enters the scope itself.

    :param began_at: in seconds.
    """
    with job_scope(agency_id=through.agency_id):
        link = selectors.link_of(user_id)
    return link is not None and (
        link.sessions_ended_at is None or link.sessions_ended_at.timestamp() < began_at
    )


def _accept(invited: bytes, person: providers.Person, at: datetime) -> None:
    """Let somebody in by an invitation to the address that the provider vouches for; no password is chosen."""
    invitation = Invitation.objects.filter(digest=invited, email=person.email).first()
    if invitation is None:
        raise RefusedError(Refusal.NOBODY)
    try:
        invitations.accept(invitation=invitation, name=invitation.name, password=None, at=at)
    except (invitations.InvitationGoneError, invitations.AccountExistsError):
        raise RefusedError(Refusal.NOBODY) from None


def _check_factor(door: Door, person: providers.Person) -> None:
    if door.wants_factor and not providers.has_factor(person, door.classes):
        raise RefusedError(Refusal.NO_FACTOR)


def _session_of(door: Door, name: str) -> str:
    """What is kept of the provider's name for a session."""
    return selectors.digest_of_subject(door.party.issuer, f"session\0{name}").hex() if name else ""


def _check_address(door: Door, person: providers.Person) -> None:
    if not person.email or not person.is_verified:
        raise RefusedError(Refusal.UNVERIFIED)
    if not person.email.isascii() or person.email.count("@") != 1:
        raise RefusedError(Refusal.OTHER_DOMAIN)


def _member(agency_id: int, **who: Any) -> Membership:
    found = Membership.objects.select_related("user").filter(agency_id=agency_id, **who).active().first()
    if found is None:
        raise RefusedError(Refusal.NOBODY)
    return found


def _link(
    membership: Membership, digest: bytes, at: datetime, *, with_factor: bool, sessions: list[str]
) -> None:
    try:
        with transaction.atomic():
            ProviderLink.objects.create(
                agency_id=membership.agency_id,
                user_id=membership.user_id,
                digest=digest,
                linked_at=at,
                last_at=at,
                with_factor=with_factor,
                sessions=sessions,
            )
    except IntegrityError:
        raise RefusedError(Refusal.OTHER_LINK) from None
    audit.record("sign_in_provider.linked", by=_DOOR, at=at, subject=membership, person=membership.user_id)
    agency = Agency.objects.get(pk=membership.agency_id)
    context = {"name": str(membership.user), "agency": agency.name}
    after_commit("mail of a new link to a provider", _send_mail, to=membership.user.email, context=context)


def _send_mail(*, to: str, context: dict[str, str]) -> None:
    text = render_to_string("accounts/email/provider_linked.txt", context)
    letter(f"You sign in to {context['agency']} through its provider now", text, [to]).send()


def confirm(
    *, door: Door, person: providers.Person, trip: providers.Trip, user_id: int, at: datetime
) -> None:
    """
    Let somebody who came through the provider confirm there that it is still them. It enters the scope itself.

    :raises RefusedError: it is somebody else, or the provider did not ask them since.
    """
    if not providers.is_fresh(person, trip, at):
        raise RefusedError(Refusal.NOT_FRESH)
    _check_factor(door, person)
    with job_scope(agency_id=door.agency_id):
        link = selectors.link_of(user_id)
        digest = selectors.digest_of_subject(door.party.issuer, person.subject)
        if link is None or bytes(link.digest) != digest:
            raise RefusedError(Refusal.OTHER_PERSON)
        _member(door.agency_id, user_id=user_id)
        audit.record("person.confirmed", by=Actor.staff(user_id=user_id), at=at, person=user_id)


def sign_out(*, door: Door, said: providers.SignedOut, at: datetime) -> int:
    """
    End the sessions that began at the provider and that it says are over; returns how many. It enters the scope itself.

    None that began after it said so: a word that is sent again ends nothing that is newer than it. Of a person whom it
    names, or whose session, no sign-in is completed either that began there before and waits for its second step.
    """
    with job_scope(agency_id=door.agency_id):
        links = ProviderLink.objects.filter(agency_id=door.agency_id)
        session, limit = _session_of(door, said.session), said.at + providers.LEEWAY.total_seconds()
        if said.subject:
            links = links.filter(digest=selectors.digest_of_subject(door.party.issuer, said.subject))
        ended_at = min(at, datetime.fromtimestamp(limit, tz=UTC))
        named = links if said.subject else links.filter(sessions__contains=[session])
        named.filter(Q(sessions_ended_at=None) | Q(sessions_ended_at__lt=ended_at)).update(
            sessions_ended_at=ended_at
        )
        found = selectors.sessions_through(
            user_ids=list(links.values_list("user_id", flat=True)), agency_id=door.agency_id
        )
        # Of a person, a session whose name there is not known is ended rather than left.
        fits = {session, ""} if said.subject else {session}
        ended = [
            one for one in found if one.started_at <= limit and (not session or one.through.session in fits)
        ]
        for one in ended:
            one.row.end()
        if ended:
            audit.record(
                "sign_in_provider.signed_out",
                by=_DOOR,
                at=at,
                people=", ".join(map(str, sorted({one.row.user_id for one in ended}))),
                sessions=len(ended),
            )
    return len(ended)


def must_wait(*, door: Door, address: str | None, at: datetime, signs_out: bool = False) -> int:
    """Seconds until somebody at an address may come back from the provider again, or speak for it; 0: now."""
    return selectors.seconds_to_wait(_tries_of(door, address, _kind(signs_out)), at=at)


def record_refusal(
    *, door: Door, address: str | None, why: Refusal, at: datetime, signs_out: bool = False
) -> None:
    """Write down that somebody was not let in and why, and count it against where they came from."""
    with contextlib.suppress(sign_in.MustWaitError):
        sign_in.start_attempt(digest=_tries_of(door, address, _kind(signs_out)), at=at)
    with job_scope(agency_id=door.agency_id):
        action = "sign_in_provider.sign_out_refused" if signs_out else "sign_in_provider.refused"
        audit.record(action, by=_DOOR, at=at, why=why.value, **seconding.where(agency_id=door.agency_id))


def record_no_word(*, door: Door, address: str | None, why: Refusal, at: datetime) -> None:
    """Write down what came and can be no word of the provider's; of many from one place only some."""
    with contextlib.suppress(sign_in.MustWaitError):
        sign_in.start_attempt(digest=_tries_of(door, address, "no word"), at=at)
        with job_scope(agency_id=door.agency_id):
            audit.record("sign_in_provider.sign_out_refused", by=_DOOR, at=at, why=why.value)


def forget_refusals(*, door: Door, address: str | None, signs_out: bool = False) -> None:
    """Start again from nothing, after somebody came in from there."""
    sign_in.forget_failures(digest=_tries_of(door, address, _kind(signs_out)))


def _kind(signs_out: bool) -> str:
    return "sign-out" if signs_out else "provider"


def _tries_of(door: Door, address: str | None, kind: str) -> bytes:
    return selectors.digest_of_name(f"{kind} {door.key}", address or "nowhere")


def record_beside(*, user_id: int, at: datetime) -> None:
    """Write down, in each agency that asks for its provider, that one of the few named came in without it."""
    for door in selectors.doors_of_user(user_id):
        if door.is_required and not door.must:
            with job_scope(agency_id=door.agency_id):
                audit.record(
                    "sign_in_provider.passed_by", by=Actor.staff(user_id=user_id), at=at, person=user_id
                )
