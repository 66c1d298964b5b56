"""
Whether one person's signature counts as the second one beside another's; every second signature asks here.

One person who has two sign-ins is not two people. What the rows show of that is compared: who gave them their roles,
their mailboxes, and the browsers and networks from which they came. What does not count waits for another officer.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Final

from django.db.models import Model, Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.formats import date_format

from callprivacy.accounts.enums import AgencyRight, Uncounted
from callprivacy.accounts.models import Membership, SignInMark
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
    Uncounted.MAILBOX: "You and the proposer have the same mailbox.",
    Uncounted.BROWSER: "You and the proposer signed in from the same browser within 30 days.",
    Uncounted.NETWORK: "You and the proposer were in the same network within an hour.",
}


class NotCountedError(ValueError):
    """A signature does not count as the second one; it is kept for the audit log once the change is undone."""

    def __init__(
        self,
        doubt: Doubt,
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
    """Why a signature does not count as the second one, and what the signer reads."""

    why: Uncounted
    words: str


@dataclass(frozen=True, slots=True)
class Marks:
    """Where the person of a request is: keyed digests, None where it is not known."""

    user_id: int
    browser: bytes | None
    network: bytes | None

    def digests(self) -> set[bytes]:
        return {one for one in (self.browser, self.network) if one is not None}


_here: ContextVar[Marks | None] = ContextVar("marks of the request's person", default=None)


def marks_of(*, user_id: int, browser: str | None, address: str | None) -> Marks:
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


def remember(marks: Marks, *, at: datetime) -> None:
    """Remember where a person is: at sign-in, and when they propose what takes a second signature."""
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
    """Where mail for an address arrives: without case, without what follows a plus, at Gmail without dots."""
    name, _, domain = email.strip().lower().rpartition("@")
    name = name.partition("+")[0]
    if domain in _GMAIL:
        name, domain = name.replace(".", ""), "gmail.com"
    return f"{name}@{domain}"


def may_second(*, proposer: int, signer: int, agency_id: int, at: datetime) -> Doubt | None:
    """Why a person's signature does not count as the second one beside the proposer's; None: it counts."""
    return doubts(proposer=proposer, signers=[signer], agency_id=agency_id, at=at)[signer]


def check(*, proposer: int, signer: int | None, agency_id: int, subject: Model, at: datetime) -> None:
    """
    Refuse a second signature that does not count; the service that asks is decorated with `seconds`.

    :raises SamePersonError: the signer proposed it. :raises NotCountedError: for another reason.
    """
    if signer is None or signer == proposer:
        raise SamePersonError
    doubt = may_second(proposer=proposer, signer=signer, agency_id=agency_id, at=at)
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
    Decorate a service that takes a second signature, outside its transaction: one that does not count stands in the
    audit log, from where the other officers hear of it.
    """

    @wraps(service)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return service(*args, **kwargs)
        except NotCountedError as error:
            if error.signer is not None and error.at is not None:
                audit.record(
                    ACTION,
                    by=Actor.staff(user_id=error.signer),
                    at=error.at,
                    agency_id=error.agency_id,
                    subject=error.subject,
                    why=error.doubt.why.value,
                    proposed_by=error.proposer,
                )
            raise

    guarded.takes_second = True  # type: ignore[attr-defined]  # a mark on a function
    return guarded


def doubts(
    *, proposer: int, signers: Collection[int], agency_id: int, at: datetime
) -> dict[int, Doubt | None]:
    """User id of each signer -> why the signature does not count beside the proposer's; two queries."""
    wanted = {proposer, *signers}
    rows = Membership.objects.filter(
        Q(user_id__in=wanted) | Q(made_at__gt=at - INVITED_WITHIN), agency_id=agency_id
    )
    members = {row.user_id: row for row in rows.select_related("user", "agency")}
    marks = {} if _is_demo(members) else _marks(wanted, at)
    return {one: _doubt(proposer, one, members, marks, at) for one in signers}


def _is_demo(members: dict[int, Membership]) -> bool:
    """In a demo one visitor plays everybody, in one browser."""
    return any(row.agency.is_demo for row in members.values())


def _marks(user_ids: Collection[int], at: datetime) -> dict[int, set[tuple[bytes, bool]]]:
    counts = Q(is_network=False, seen_at__gt=at - BROWSER_FOR) | Q(seen_at__gt=at - NETWORK_FOR)
    found: dict[int, set[tuple[bytes, bool]]] = {}
    for row in SignInMark.objects.filter(counts, user_id__in=list(user_ids)):
        found.setdefault(row.user_id, set()).add((bytes(row.digest), row.is_network))
    if (here := _here.get()) is not None:
        own = found.setdefault(here.user_id, set())
        own |= {(one, False) for one in (here.browser,) if one is not None}
        own |= {(one, True) for one in (here.network,) if one is not None}
    return found


def _doubt(
    proposer: int,
    signer: int,
    members: dict[int, Membership],
    marks: dict[int, set[tuple[bytes, bool]]],
    at: datetime,
) -> Doubt | None:
    why = _why(proposer, signer, members, marks, at)
    if why is None:
        return None
    words = _WORDS[why]
    if why is Uncounted.NEW and (from_at := members[signer].signs_from) is not None:
        words = words.format(
            from_at=date_format(from_at.astimezone(timezone.get_current_timezone()), "j M Y, H:i")
        )
    elif why is not Uncounted.SELF:
        words = (
            f"{words} Your signature does not count as the second one. A second officer still has to sign."
        )
    return Doubt(why, words)


def _why(
    proposer: int,
    signer: int,
    members: dict[int, Membership],
    marks: dict[int, set[tuple[bytes, bool]]],
    at: datetime,
) -> Uncounted | None:
    if signer == proposer:
        return Uncounted.SELF
    first, second = members.get(proposer), members.get(signer)
    if second is not None and second.signs_from is not None and at < second.signs_from:
        return Uncounted.NEW
    if _are_of_one(proposer, signer, members, at):
        return Uncounted.INVITER
    if first and second and mailbox_of(first.user.email) == mailbox_of(second.user.email):
        return Uncounted.MAILBOX
    shared = marks.get(proposer, set()) & marks.get(signer, set())
    if any(not is_network for _, is_network in shared):
        return Uncounted.BROWSER
    return Uncounted.NETWORK if shared else None


def _are_of_one(proposer: int, signer: int, members: dict[int, Membership], at: datetime) -> bool:
    """
    Whether one person gave both their roles within 30 days, be it through others; or one of them gave the other one's.

    The latter does not count between officers: somebody else has confirmed each of those.
    """
    ours, theirs = _givers(proposer, members, at), _givers(signer, members, at)
    if ours & theirs:
        return True
    return any(
        giver in givers and not _is_confirmed(members.get(given))
        for giver, given, givers in ((proposer, signer, theirs), (signer, proposer, ours))
    )


def _is_confirmed(member: Membership | None) -> bool:
    return member is not None and AgencyRight.SIGN_OFF in member.rights


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
