"""
Applying a blueprint. Nothing is published silently: notices land as drafts, and go in force only where they say what
they must and the person asked for it; what somebody is writing, signed or declared is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client, Engagement
from consent.enums import Language, NoticeState, SetupStep
from consent.models import Notice, NoticeVersion
from consent.selectors import blueprints as selectors
from consent.selectors import notices as notice_selectors
from consent.selectors import standards as standard_selectors
from consent.selectors import wording
from consent.selectors.blueprints import Blueprint, PlannedNotice
from consent.services import declarations, notices, setup, standards, web
from consent.services.notices import Words


class ReasonMissingError(ValueError):
    """The blueprint asks less than express consent, and nobody said why that is enough."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a blueprint did at a client."""

    drafted: int
    published: int
    left: int


@transaction.atomic
def apply(
    *,
    client: Client,
    blueprint: Blueprint,
    publishes: bool,
    declares: bool,
    reason: str,
    by: Actor,
    at: datetime,
) -> Applied:
    """
    Bring a client's notices, standard and roles in line with a blueprint. How long calls are kept is proposed apart.

    Whoever calls this has made sure that who lowers a standard is an officer.

    :param publishes: put in force what says what it must.
    :param declares: declare the basis of measuring, with the balancing test that ships.
    :param reason: why less than express consent is enough, where the blueprint asks less.
    :raises ReasonMissingError: it asks less, and there is no reason.
    """
    lowers = blueprint.asks_less and standard_selectors.standard_of(client, at=at) != blueprint.standard
    if lowers and not reason.strip():
        raise ReasonMissingError("Enter the reason why less than express consent is enough.")
    web.open_page(client=client, at=at)
    done = [_apply_notice(client, planned, publishes, by, at) for planned in blueprint.notices]
    if standard_selectors.standard_of(client, at=at) != blueprint.standard:
        standards.choose(client=client, standard=blueprint.standard, reason=reason, by=by, at=at)
    if declares and standard_selectors.declaration_of(client) is None:
        facts = notice_selectors.facts_about(client)
        test = wording.ready_balancing_test(Language.ENGLISH, facts)
        declarations.declare(client=client, basis=blueprint.basis, balancing_test=test, by=by, at=at)
    _agree(client, blueprint, by, at)
    audit.record(
        "blueprint.applied",
        subject=client,
        by=by,
        at=at,
        blueprint=blueprint.name,
        drafted=done.count("drafted"),
        published=done.count("published"),
    )
    setup.mark(client=client, step=SetupStep.BLUEPRINT, note=blueprint.title, by=by, at=at)
    return Applied(done.count("drafted"), done.count("published"), done.count("left"))


def _apply_notice(client: Client, planned: PlannedNotice, publishes: bool, by: Actor, at: datetime) -> str:
    """Draft one notice, and publish it where that is asked for and it may be; returns what was done."""
    facts = notice_selectors.facts_about(client)
    text, withdraw = selectors.said(planned, facts)
    words = Words(facts.controller, text, withdraw, client.policy_url)
    notice = Notice.objects.for_client(client).filter(
        name=planned.name, channel=planned.channel, language=planned.language
    )
    found = notice.first()
    if found is None:
        found = notices.create_notice(
            client=client,
            name=planned.name,
            purposes=planned.purposes,
            channel=planned.channel,
            language=planned.language,
            words=words,
            by=by,
            at=at,
        )
    else:
        versions = NoticeVersion.objects.for_client(client).filter(notice=found)
        if versions.filter(state=NoticeState.DRAFT).exists():
            return "left"
        if versions.filter(state=NoticeState.PUBLISHED, words=text, withdraw=withdraw).exists():
            return "left"
        notices.save_draft(notice=found, words=words, by=by, at=at)
    return "published" if publishes and _publish(client, found, by, at) else "drafted"


def _publish(client: Client, notice: Notice, by: Actor, at: datetime) -> bool:
    rows = NoticeVersion.objects.for_client(client).filter(notice=notice, state=NoticeState.DRAFT)
    draft = rows.select_related("notice").get()
    if notice_selectors.missing_in(draft, client):
        return False
    seen = notice_selectors.digest_of(draft)
    notices.publish(notice=notice, client=client, seen=seen, by=by, at=at)
    return True


def _agree(client: Client, blueprint: Blueprint, by: Actor, at: datetime) -> None:
    """What the agency acts as, and who answers; written instructions of the client stay."""
    roles: Mapping[str, Any] = dict(blueprint.roles)
    engagement = Engagement.objects.for_client(client).get()
    if engagement.instructions:
        roles = {name: value for name, value in roles.items() if name != "instructions"}
    setup.agree(client=client, facts=roles, by=by, at=at)


def names() -> list[tuple[str, str]]:
    """Every blueprint as (name, title)."""
    return [(blueprint.name, blueprint.title) for blueprint in selectors.blueprints().values()]
