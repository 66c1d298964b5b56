"""Blueprints: what clients of a trade usually need, as files; and what one would change at a client."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from callprivacy.tenancy.enums import Answerer, AtEnd, PartyRole, Sector
from callprivacy.tenancy.models import Client, Engagement
from consent.enums import Basis, Channel, Language, NoticeState, Purpose, Standard
from consent.models import NoticeVersion
from consent.selectors import notices, standards, wording
from consent.selectors.cases import HEALTH
from consent.selectors.wording import Draft, Facts

FOLDER: Final = Path(__file__).parent.parent / "blueprints"
PUBLIC_PAGE: Final = "https://example.com/consent/"
"""Stands in for the client's own public page while that is not made yet: applying a blueprint makes it."""

ROLES: Final[dict[str, type[PartyRole | Answerer | AtEnd | int | str]]] = {
    "measure_as": PartyRole,
    "record_as": PartyRole,
    "contact_as": PartyRole,
    "answered_by": Answerer,
    "breach_notice_hours": int,
    "at_end": AtEnd,
    "instructions": str,
}
_ROLE_TITLES: Final = {
    "measure_as": "Measuring ads",
    "record_as": "Recording calls",
    "contact_as": "Contacting callers",
    "answered_by": "Response to requests",
    "breach_notice_hours": "Breach notice within (hours)",
    "at_end": "At end of contract",
    "instructions": "Instructions",
}


class UnknownBlueprintError(LookupError):
    """There is no blueprint of that name."""


@dataclass(frozen=True, slots=True)
class PlannedNotice:
    """One notice that a blueprint carries, in one language."""

    name: str
    channel: Channel
    language: Language
    purposes: tuple[Purpose, ...]
    words: str
    withdraw: str


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a trade usually needs."""

    name: str
    title: str
    about: str
    sector: Sector
    standard: Standard
    keep_calls_for_days: int
    roles: Mapping[str, str | int]
    basis: Basis
    notices: tuple[PlannedNotice, ...]

    @property
    def asks_less(self) -> bool:
        """Whether its standard is below express consent, which an officer signs for."""
        return self.standard != Standard.EXPRESS

    def is_for(self, client: Client) -> bool:
        """Whether it is the client's trade; what a dentist needs, whoever heals needs."""
        return client.sector == self.sector or {client.sector, self.sector} <= HEALTH


@cache
def blueprints() -> dict[str, Blueprint]:
    """Every blueprint by its name, in the order of their titles."""
    found = [_read(path) for path in sorted(FOLDER.glob("*.toml"))]
    return {blueprint.name: blueprint for blueprint in sorted(found, key=lambda each: each.title)}


def get(name: str) -> Blueprint:
    """
    A blueprint by its name.

    :raises UnknownBlueprintError: there is none.
    """
    try:
        return blueprints()[name]
    except KeyError:
        raise UnknownBlueprintError(name) from None


def _read(path: Path) -> Blueprint:
    with path.open("rb") as file:
        raw = tomllib.load(file)
    return Blueprint(
        name=path.stem,
        title=raw["title"],
        about=raw["about"],
        sector=Sector(raw["sector"]),
        standard=Standard(raw["standard"]),
        keep_calls_for_days=raw["keep_calls_for_days"],
        roles={name: kind(raw["roles"][name]) for name, kind in ROLES.items() if name in raw["roles"]},
        basis=Basis(raw["declaration"]["basis"]),
        notices=tuple(notice for each in raw["notices"] for notice in _notices(each)),
    )


def _notices(raw: Mapping[str, Any]) -> list[PlannedNotice]:
    """One notice a language; words that a blueprint does not write are those that ship for its channel."""
    return [
        PlannedNotice(
            name=raw["name"],
            channel=Channel(raw["channel"]),
            language=Language(language),
            purposes=tuple(Purpose(purpose) for purpose in raw["purposes"]),
            words=raw.get("words", {}).get(language, ""),
            withdraw=raw.get("withdraw", {}).get(language, ""),
        )
        for language in raw["languages"]
    ]


def said(planned: PlannedNotice, facts: Facts) -> tuple[str, str]:
    """The words of a planned notice and how to withdraw, with what is known of the client."""
    words = facts.fill(planned.words) or wording.ready_words(
        planned.channel, planned.language, planned.purposes, facts
    )
    withdraw = facts.fill(planned.withdraw) or wording.ready_withdraw(
        planned.channel, planned.language, facts
    )
    return words, withdraw


# --- What it would change ---


@dataclass(frozen=True, slots=True)
class Item:
    """
    One thing that a blueprint would change at a client.

    :ivar effect: "new", "change", "same", or "left" for what is left as it is, with the reason in `why`.
    :ivar publishes: whether the words go in force when the person says so.
    """

    part: str
    title: str
    before: str
    after: str
    effect: str
    why: str = ""
    publishes: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a blueprint would change at a client."""

    client: Client
    blueprint: Blueprint
    items: tuple[Item, ...]
    lowers: bool

    @property
    def changes(self) -> int:
        """How many things change."""
        return sum(item.effect in {"new", "change"} for item in self.items)

    @property
    def publishable(self) -> int:
        """How many notices can go in force at once."""
        return sum(item.publishes for item in self.items)


def plan_for(client: Client, blueprint: Blueprint, *, at: datetime) -> Plan:
    """What a blueprint would change at a client now; about eight queries. Nothing is written."""
    standard = standards.standard_of(client, at=at)
    items = [
        *_notice_items(client, blueprint),
        _standard_item(standard, blueprint),
        _basis_item(client, blueprint),
        _keep_item(client, blueprint),
        *_role_items(client, blueprint),
    ]
    lowers = blueprint.asks_less and standard != blueprint.standard
    return Plan(client, blueprint, tuple(items), lowers)


def planned_facts(client: Client) -> Facts:
    """What is known of a client once a blueprint is applied, which makes its public page."""
    facts = notices.facts_about(client)
    return facts if facts.page else replace(facts, page=PUBLIC_PAGE)


def _notice_items(client: Client, blueprint: Blueprint) -> list[Item]:
    facts = planned_facts(client)
    rows = NoticeVersion.objects.for_client(client).exclude(state=NoticeState.RETIRED)
    known: dict[tuple[str, str, str], dict[str, NoticeVersion]] = {}
    for row in rows.select_related("notice"):
        key = (row.notice.name, row.notice.channel, row.notice.language)
        known.setdefault(key, {})[row.state] = row
    return [
        _notice_item(
            planned,
            client,
            facts,
            known.get((planned.name, planned.channel.value, planned.language.value), {}),
        )
        for planned in blueprint.notices
    ]


def _notice_item(
    planned: PlannedNotice, client: Client, facts: Facts, known: Mapping[str, NoticeVersion]
) -> Item:
    words, withdraw = said(planned, facts)
    draft = Draft(
        channel=planned.channel,
        language=planned.language,
        purposes=planned.purposes,
        controller=client.legal_name,
        words=words,
        withdraw=withdraw,
        names=(client.name, client.legal_name),
    )
    missing = wording.what_is_missing(draft, facts)
    title = f"{planned.name}: {planned.channel.label.lower()}, {planned.language.label}"
    after = "a draft" if missing else "a draft, ready to publish"
    published, drafted = known.get(NoticeState.PUBLISHED), known.get(NoticeState.DRAFT)
    if drafted is not None:
        return Item("Notices", title, "a draft", "", "left", "A draft is in progress and stays unchanged.")
    if published is not None and (published.words, published.withdraw) == (words, withdraw):
        return Item("Notices", title, "in force", "in force", "same")
    if published is not None:
        before = f"version {published.number}"
        return Item("Notices", title, before, after, "change", _why(missing), not missing)
    return Item("Notices", title, "none", after, "new", _why(missing), not missing)


def _why(missing: list[wording.Missing]) -> str:
    return missing[0].what if missing else ""


def _standard_item(now: Standard, blueprint: Blueprint) -> Item:
    effect = "same" if now == blueprint.standard else "change"
    return Item("Standard", "Consent standard", now.label, blueprint.standard.label, effect)


def _basis_item(client: Client, blueprint: Blueprint) -> Item:
    title = "Legal basis for measuring"
    now = standards.declaration_of(client)
    if now is not None:
        return Item("Basis", title, now.get_basis_display(), "", "left", "A legal basis is already declared.")
    why = "Includes a suggested balancing test. Review it under “Standard and basis”."
    return Item("Basis", title, "none", blueprint.basis.label, "new", why)


def _keep_item(client: Client, blueprint: Blueprint) -> Item:
    """How long calls are kept: a blueprint changes no policy, which is proposed where its effect is shown."""
    title = "Retention period of calls"
    before, usual = _days(client.keep_for_days), _days(blueprint.keep_calls_for_days)
    if before == usual:
        return Item("Policies", title, before, usual, "same")
    why = f"Usual in this industry: {usual}. Propose it under Policies, which shows the effect first."
    return Item("Policies", title, before, "", "left", why)


def _days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"


def _role_items(client: Client, blueprint: Blueprint) -> list[Item]:
    engagement = Engagement.objects.for_client(client).get()
    items = []
    for name, after in blueprint.roles.items():
        before = getattr(engagement, name)
        if name == "instructions" and before and before != after:
            why = "The agreed instructions stay unchanged."
            items.append(Item("Roles", _ROLE_TITLES[name], _role(name, before), "", "left", why))
            continue
        effect = "same" if before == after else "change"
        items.append(Item("Roles", _ROLE_TITLES[name], _role(name, before), _role(name, after), effect))
    return items


def _role(name: str, value: str | int) -> str:
    kind = ROLES[name]
    if kind is PartyRole:
        return str(PartyRole(str(value)).label)
    if kind is Answerer:
        return str(Answerer(str(value)).label)
    if kind is AtEnd:
        return str(AtEnd(str(value)).label)
    return str(value) or "none"
