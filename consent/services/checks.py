"""
What may be done with whoever has a number, at this moment: asked by a program, for one number or many.

The same engine decides as for calls, from the same ledger and list of numbers. Nothing is made: who is not known is
answered as somebody who never said anything.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault
from consent.decide import Answer, CallSpan, Question, decide
from consent.enums import Purpose
from consent.selectors import contact as selectors
from consent.selectors import minors
from consent.selectors.contact import Asked
from consent.selectors.vendors import number_digest

AT_MOST: Final = 1000

__all__ = ["AT_MOST", "Asked", "Checked", "check"]


@dataclass(frozen=True, slots=True)
class Checked:
    """
    The answers for numbers in their order, purpose -> answer, and the rules that decided.

    :ivar numbers: what our messages call each number (`vendors.number_digest`).
    :ivar pack: the version of the rules. :ivar digest: SHA-256 over them.
    """

    answers: list[dict[Purpose, Answer]]
    numbers: list[str]
    pack: str
    digest: str


def check(
    *,
    client: Client,
    asked: Sequence[Asked],
    purposes: Collection[Purpose],
    announced: bool = False,
    on_recording: bool = False,
    at: datetime,
) -> Checked:
    """
    Decide for each number and purpose. Inside the client's scope; at most six queries.

    :param announced: the caller hears at the call's beginning, which is now, that it is recorded.
    :param on_recording: the recording will hold that announcement.
    """
    facts = selectors.facts_of(client, at=at)
    rules = facts.rules
    keys = vault.client_keys(client.pk)
    people = selectors.people_of(client, asked, purposes, keys=keys, at=at)
    call = CallSpan(at, announcement=True, announced_on_recording=on_recording) if announced else None
    answers = [
        {
            purpose: decide(
                Question(
                    purpose=purpose,
                    at=at,
                    call=call,
                    places=(*person.places, *facts.sites),
                    events=person.events,
                    posted_notice=purpose.value in facts.posted,
                    standard=facts.asks.standard,
                    claimed_reason=facts.asks.claimed_reason,
                    unknown_age=facts.asks.unknown_age,
                    age_reason=facts.asks.age_reason,
                    **minors.asked(person.minor, presumed=facts.minors, on=at.astimezone(facts.zone).date()),
                    health=facts.health,
                    declared=facts.declared,
                ),
                rules,
            )
            for purpose in purposes
        }
        for person in people
    ]
    numbers = [number_digest(keys, one.number) for one in asked]
    return Checked(answers, numbers, rules.version, rules.digest)
