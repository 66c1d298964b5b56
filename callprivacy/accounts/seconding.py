"""
Whether one person's signature counts as the second one beside another's; every second signature asks here.

One person who has two sign-ins is not two people. What the rows show of that is compared: who gave them their roles,
their mailboxes, and the browsers and networks from which they came. What does not count waits for another officer.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Final, cast

from django.db.models import Model, Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.formats import date_format

from callprivacy.accounts.enums import AgencyRight, Uncounted
from callprivacy.accounts.models import Invitation, Membership, SignInMark, User
from callprivacy.audit import services as audit
from callprivacy.lib import logs
from callprivacy.lib.scope import Actor

ACTION: Final = "signature.not_counted"
INVITED_WITHIN: Final = timedelta(days=30)
BROWSER_FOR: Final = timedelta(days=30)
NETWORK_FOR: Final = timedelta(hours=1)
_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})
_WORDS: Final = {
    Uncounted.SELF: "You proposed this. Another officer has to agree.",
    Uncounted.NEW: "Your role is new. Your second signature counts from {from_at}.",
    Uncounted.INVITER: "The same person gave you and the proposer your roles within 30 days.",
    Uncounted.MAILBOX: "You and {other} have the same mailbox.",
    Uncounted.BROWSER: "You and {other} signed in from the same browser within 30 days.",
    Uncounted.NETWORK: "You and {other} were in the same network within an hour.",
}


class NotCountedError(ValueError):
    """A signature does not count as the second one; it is kept for the audit log once the change is undone."""

    def __init__(
        self,
        doubt: "Doubt",
        *,
        proposer: int | None = None,
        signer: int | None = None,
        agency_id: int | None = None,
        subject: Model | None = None,
        at: datetime | None = None,
    ) -> None:
        super().__init__(doubt.words)
        self.doubt, self.proposer, self.signer = doubt, proposer, signer
        self.agency_id, self.subject, self.at = agency_id, subject, at


class SamePersonError(NotCountedError):
    """Who proposed a change does not decide it as well."""

    def __init__(self, words: str = "") -> None:
        super().__init__(Doubt(Uncounted.SELF, words or _WORDS[Uncounted.SELF]))


@dataclass(frozen=True, slots=True)
class Doubt:
    """
    Why a signature does not count as the second one, and what the signer reads.

    :ivar is_of_new: the signer is compared with the new officer, and not with the proposer.
    """

    why: Uncounted
    words: str
    is_of_new: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """Where the person of a request is, signed in or not: keyed digests, None where it is not known."""

    user_id: int | None
    browser: bytes | None
    network: bytes | None

    def digests(self) -> set[bytes]:
        return {one for one in (self.browser, self.network) if one is not None}


_here: ContextVar[Marks | None] = ContextVar("marks of the request's person", default=None)


def marks_of(*, user_id: int | None, browser: str | None, address: str | None) -> Marks:
    """
    The marks of a browser, by the word in its cookie, and of the network of an address.

    The machine's own address marks nobody: behind a proxy that is not counted everybody has it.
    """
    network = logs.network_of(address)
    if network is not None and ipaddress.ip_network(network).is_loopback:
        network = None
    return Marks(
        user_id,
        None if browser is None else _digest("browser", browser),
        None if network is None else _digest("network", network),
    )


def _digest(kind: str, value: str) -> bytes:
    return salted_hmac("callprivacy.marks", f"{kind}\0{value}", algorithm="sha256").digest()


@contextmanager
def at_marks(marks: Marks) -> Iterator[None]:
    """Let what is proposed and signed inside know where the person is."""
    token = _here.set(marks)
    try:
        yield
    finally:
        _here.reset(token)


def where(*, agency_id: int | None) -> dict[str, Any]:
    """
    Where the request comes from, for the audit log: marks of its network and browser that equal no other agency's.

    :param agency_id: None for what has no agency.
    """
    marks = _here.get()
    found = {} if marks is None else {"network": marks.network, "browser": marks.browser}
    return {
        name: _digest(f"{name} of agency {agency_id or 0}", digest.hex()).hex()[:16]
        for name, digest in found.items()
        if digest is not None
    }


def remember(marks: Marks, *, at: datetime) -> None:
    """Remember where a person is: at sign-in, and when they propose or sign what takes a second signature."""
    if marks.user_id is None:
        return
    rows = [
        SignInMark(user_id=marks.user_id, digest=digest, is_network=is_network, seen_at=at)
        for digest, is_network in ((marks.browser, False), (marks.network, True))
        if digest is not None
    ]
    SignInMark.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["user", "digest"], update_fields=["seen_at"]
    )


def proposed(*, user_id: int | None, at: datetime) -> None:
    """A person proposes what takes a second signature: remember where they are."""
    marks = _here.get()
    if marks is not None and marks.user_id == user_id:
        remember(marks, at=at)


def purge_marks(*, at: datetime) -> int:
    """Remove marks that are compared no more; returns how many."""
    old = Q(seen_at__lte=at - BROWSER_FOR) | Q(is_network=True, seen_at__lte=at - NETWORK_FOR)
    return SignInMark.objects.filter(old).delete()[0]


def mailbox_of(email: str) -> str:
    """
    Where mail for an address arrives: without case, quotes and what follows a plus, at Gmail without dots, the domain
    as it is looked up.
    """
    name, _, domain = unicodedata.normalize("NFKC", email).strip().casefold().rpartition("@")
    with suppress(UnicodeError):
        domain = domain.rstrip(".").encode("idna").decode()
    if name.startswith('"') and name.endswith('"'):
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    name = name.partition("+")[0]
    if domain in _GMAIL:
        name, domain = name.replace(".", ""), "gmail.com"
    return f"{name}@{domain}"


def may_second(*, proposer: int, signer: int, agency_id: int, at: datetime) -> Doubt | None:
    """Why a person's signature does not count as the second one beside the proposer's; None: it counts."""
    return doubts(proposer=proposer, signers=[signer], agency_id=agency_id, at=at)[signer]


def check(
    *,
    proposer: int,
    signer: int | None,
    agency_id: int,
    subject: Model,
    at: datetime,
    new_email: str = "",
) -> None:
    """
    Refuse a second signature that does not count; the service that asks is decorated with `seconds`.

    :param new_email: compare the signer with the person to whom this address belongs, too.
    :raises SamePersonError: the signer proposed it. :raises NotCountedError: for another reason.
    """
    if signer is None or signer == proposer:
        raise SamePersonError
    doubt = may_second(proposer=proposer, signer=signer, agency_id=agency_id, at=at)
    if doubt is None and new_email:
        new = User.objects.filter(email=new_email).exclude(pk=signer).values_list("pk", flat=True).first()
        found = doubts(proposer=new or 0, signers=[signer], agency_id=agency_id, at=at, new_email=new_email)
        doubt = found[signer]
    if doubt is not None:
        raise NotCountedError(
            doubt, proposer=proposer, signer=signer, agency_id=agency_id, subject=subject, at=at
        )


def check_other(*, proposer: int | None, signer: int | None, words: str) -> None:
    """
    Refuse that a proposer declines their own proposal, which they withdraw instead.

    :raises SamePersonError: with these words.
    """
    if signer == proposer:
        raise SamePersonError(words)


def seconds[**P, R](service: Callable[P, R]) -> Callable[P, R]:
    """
    Decorate a service that takes a second signature, outside its transaction: where it is signed is remembered, and a
    signature that does not count stands in the audit log, from where the other officers hear of it.
    """

    @wraps(service)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if (here := _here.get()) is not None:
            remember(here, at=cast(datetime, kwargs["at"]))
        try:
            return service(*args, **kwargs)
        except NotCountedError as error:
            if error.signer is not None and error.at is not None:
                audit.record(
                    ACTION,
                    by=cast(Actor, kwargs.get("by", Actor.staff(user_id=error.signer))),
                    at=error.at,
                    agency_id=error.agency_id,
                    subject=error.subject,
                    why=error.doubt.why.value,
                    proposed_by=error.proposer,
                    of_new=error.doubt.is_of_new,
                )
            raise

    guarded.takes_second = True  # type: ignore[attr-defined]  # a mark on a function
    return guarded


def doubts(
    *, proposer: int, signers: Collection[int], agency_id: int, at: datetime, new_email: str = ""
) -> dict[int, Doubt | None]:
    """
    User id of each signer -> why the signature does not count beside the proposer's; two queries, and one more where
    somebody is not in the agency.

    :param new_email: the proposer is in truth a new officer with this address, who may have no user id yet.
    """
    wanted = {proposer, *signers}
    rows = Membership.objects.filter(
        Q(user_id__in=wanted) | Q(made_at__gt=at - INVITED_WITHIN), agency_id=agency_id
    )
    members = {row.user_id: row for row in rows.select_related("user", "agency")}
    marks: _Marks = {} if _is_demo(members) else _marks(wanted, at)
    emails = {user_id: member.user.email for user_id, member in members.items()}
    if strangers := wanted - emails.keys():
        emails |= User.objects.filter(pk__in=strangers).values_list("pk", "email")
    if new_email:
        emails[proposer] = new_email
    for user_id, email in emails.items():
        marks.setdefault(user_id, set()).add((Uncounted.MAILBOX, mailbox_of(email)))
    return {
        one: _doubt(_why(proposer, one, members, marks, at), members.get(one), is_of_new=bool(new_email))
        for one in signers
    }


def _is_demo(members: dict[int, Membership]) -> bool:
    """In a demo one visitor plays everybody, in one browser."""
    return any(row.agency.is_demo for row in members.values())


type _Marks = dict[int, set[tuple[Uncounted, bytes | str]]]


def _marks(user_ids: Collection[int], at: datetime) -> _Marks:
    counts = Q(is_network=False, seen_at__gt=at - BROWSER_FOR) | Q(seen_at__gt=at - NETWORK_FOR)
    found: _Marks = {}
    for row in SignInMark.objects.filter(counts, user_id__in=list(user_ids)):
        kind = Uncounted.NETWORK if row.is_network else Uncounted.BROWSER
        found.setdefault(row.user_id, set()).add((kind, bytes(row.digest)))
    if (here := _here.get()) is not None and here.user_id is not None:
        own = found.setdefault(here.user_id, set())
        own |= {(Uncounted.BROWSER, one) for one in (here.browser,) if one is not None}
        own |= {(Uncounted.NETWORK, one) for one in (here.network,) if one is not None}
    return found


def _doubt(why: Uncounted | None, signer: Membership | None, *, is_of_new: bool) -> Doubt | None:
    if why is None:
        return None
    words = _WORDS[why].format(
        other="the new officer" if is_of_new else "the proposer",
        from_at=date_format(signer.signs_from.astimezone(timezone.get_current_timezone()), "j M Y, H:i")
        if signer and signer.signs_from
        else "",
    )
    if why not in {Uncounted.NEW, Uncounted.SELF}:
        words += " Your signature does not count as the second one. A second officer still has to sign."
    return Doubt(why, words, is_of_new)


def _why(
    proposer: int,
    signer: int,
    members: dict[int, Membership],
    marks: _Marks,
    at: datetime,
) -> Uncounted | None:
    if signer == proposer:
        return Uncounted.SELF
    second = members.get(signer)
    if second is not None and second.signs_from is not None and at < second.signs_from:
        return Uncounted.NEW
    if _are_of_one(proposer, signer, members, at):
        return Uncounted.INVITER
    shared = {kind for kind, _ in marks.get(proposer, set()) & marks.get(signer, set())}
    order = (Uncounted.MAILBOX, Uncounted.BROWSER, Uncounted.NETWORK)
    return next((kind for kind in order if kind in shared), None)


def _are_of_one(proposer: int, signer: int, members: dict[int, Membership], at: datetime) -> bool:
    """
    Whether one person gave both their roles within 30 days, be it through others; or one of them gave the other one's.

    The latter does not count where somebody else has confirmed the officer.
    """
    ours, theirs = _givers(proposer, members, at), _givers(signer, members, at)
    if ours & theirs:
        return True
    return any(
        giver in givers and not _is_confirmed(members.get(given))
        for giver, given, givers in ((proposer, signer, theirs), (signer, proposer, ours))
    )


def _is_confirmed(member: Membership | None) -> bool:
    """Whether another person confirmed the role: that of an officer, unless it is from before officers took two."""
    if member is None or AgencyRight.SIGN_OFF not in member.rights:
        return False
    confirmed = Invitation.objects.filter(
        agency_id=member.agency_id, role=member.role, confirmed_at__isnull=False
    )
    return confirmed.filter(accepted_at=member.made_at).exists()


def _givers(user_id: int, members: dict[int, Membership], at: datetime) -> set[int]:
    """Who gave a person their role within 30 days, who gave it to those, and so on."""
    found: set[int] = set()
    member = members.get(user_id)
    while (
        member is not None
        and member.made_by_id is not None
        and member.made_at is not None
        and member.made_at > at - INVITED_WITHIN
        and member.made_by_id not in found
    ):
        found.add(member.made_by_id)
        member = members.get(member.made_by_id)
    return found
