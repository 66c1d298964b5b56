"""
What the law of all places of a question asks for together: the strictest of them, each one named.

Places, purpose and date decide it, so it is worked out once for each and kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Final

from consent.decide.question import Place
from consent.law import NoRuleError, Rule, Rules, Topic, places

NAMED: Final = 4
OWN_CONSENT_AGE: Final = 16
"""From which age own consent counts where no rule says (GDPR art. 8(1))."""

_OF_THE_CALLER: Final = frozenset({"address", "billing", "carrier", "tracker"})
_OF_THE_SITE: Final = frozenset({"site", "answering_site", "office", "staff"})
_AREA_CODE: Final = "area_code"
_ALSO: Final = {"billing_address": "billing", "tracker_state": "tracker", "trackers_state": "tracker"}
_ANYWHERE: Final = Place("", "", "")
_AS_UNKNOWN: Final = "so the rule for callers from an unknown region applies"


class Need(IntEnum):
    """What the caller must have said or heard before; the higher, the stricter."""

    NOTHING = 0
    TOLD = 1
    TOLD_ON_RECORDING = 2
    EXPRESS = 3


class Family(StrEnum):
    """Purposes that the same rules decide."""

    LISTENING = "listening"
    CONTACT = "contact"
    SHARING = "sharing"


@dataclass(frozen=True, slots=True)
class Age:
    """Whether the person is a minor, how old where that is known, and whether the client's trade alone says so."""

    is_minor: bool = False
    years: int | None = None
    presumed: bool = False


@dataclass(frozen=True, slots=True)
class Ground:
    """
    :ivar need: what must be there. :ivar terms_count: whether agreement in general terms is consent.
    :ivar written: whether consent must be in writing. :ivar guardian: whether a guardian has to agree.
    :ivar claimed: whether consent counts of which nobody proved the number. :ivar rules: the ids used.
    :ivar reasons: a sentence a place. :ivar caveat: the sentence on rules that nobody has verified, if any.
    """

    need: Need
    terms_count: bool
    written: bool
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    caveat: tuple[str, ...]
    guardian: bool = False
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """A place as it counts: `weak` is known from an area code or the like alone."""

    place: Place
    weak: bool = False


@lru_cache(maxsize=16_384)
def ground_of(
    rules: Rules, asked: tuple[Place, ...], family: Family, era: int, *, age: Age, health: bool
) -> Ground:
    """
    The ground of a question.

    Both sides count and the strictest wins. An area code alone names a country and relaxes nothing in it: the strictest
    of its regions decides, unless better evidence speaks of the caller. Where nothing speaks of the caller, or a side's
    country is not known, the strictest rule of any place decides. So knowing less never allows more (docs/adr/0143).

    :param age: whether the person is a minor, and how old. :param era: the stretch of rules, as `Rules.era` gives it.
    """
    on, sides = rules.day_of(era), _sides(asked)
    if family is Family.LISTENING:
        need, used, said = _listening(rules, sides, on)
    else:
        need, used, said = _by_consent(rules, sides, on, family)
    terms = _strictest(rules, sides, Topic.TERMS_COUNT, on)
    for flag, topic, sentence in (
        (age.is_minor, Topic.MINORS, "The caller is a minor: a notice alone is never enough."),
        (health, Topic.HEALTH, "The call is about health: a notice alone is never enough."),
    ):
        if flag:
            need = Need.EXPRESS
            used.append(_strictest(rules, sides, topic, on))
            said.append(sentence)
    guardian = age.is_minor and not age.presumed
    if guardian:
        years = _own_consent_age(rules, sides, on, used)
        guardian = age.years is None or age.years < years
        if guardian:
            known = f"Below the age of {years}" if age.years is not None else "The minor's age is unknown, so"
            said.append(f"{known} a guardian must consent; the minor's own consent is not enough.")
    return Ground(
        need=need,
        terms_count=terms.value == "count",
        written=family is Family.CONTACT and any(rule.value == "written" for rule in used),
        rules=tuple(dict.fromkeys(rule.id for rule in used)),
        reasons=tuple(dict.fromkeys(said)),
        caveat=_caveat(used),
        guardian=guardian,
    )


def _own_consent_age(rules: Rules, sides: list[_Asked], on: date, used: list[Rule]) -> int:
    """From which age a person's own consent counts; the rule is added to those used."""
    try:
        rule = _strictest(rules, sides, Topic.OWN_CONSENT_AGE, on)
    except NoRuleError:  # a pack that was imported before there were such rules
        return OWN_CONSENT_AGE
    used.append(rule)
    years: int = rule.read()
    return years


def _sides(asked: tuple[Place, ...]) -> list[_Asked]:
    """
    The places that count. A place nobody knows is added where nothing is certain to speak of the caller: evidence of
    a kind that nobody knows may speak of the site.
    """
    kinds = [(place, _kind(place)) for place in asked]
    strong = any(kind in _OF_THE_CALLER for _, kind in kinds)
    found = [_Asked(place, weak=not strong and kind not in _OF_THE_SITE) for place, kind in kinds]
    if not strong and all(kind != _AREA_CODE for _, kind in kinds):
        found.append(_Asked(_ANYWHERE))
    return found


def _kind(place: Place) -> str:
    word = place.evidence.strip().lower().replace(" ", "_").replace("-", "_")
    return _ALSO.get(word, word)


def _listening(rules: Rules, sides: Iterable[_Asked], on: date) -> tuple[Need, list[Rule], list[str]]:
    """Recording, listening and analysing: one rule on consent for each place, and one on notice where it matters."""
    need, used, said = Need.NOTHING, [], []
    for side in sides:
        consent = _rule(rules, side, Topic.RECORDING_CONSENT, on)
        notice = _rule(rules, side, Topic.NOTICE_SUFFICES, on)
        asked, sentence = _meaning(consent, notice)
        need = max(need, asked)
        used.extend([consent, notice] if consent.value == "all_party" else [consent])
        said.append(f"{_capital(_who(rules, side, on))}: {sentence}")
    return need, used, said


def _meaning(consent: Rule, notice: Rule) -> tuple[Need, str]:
    match consent.value:
        case "one_party":
            return Need.NOTHING, "the consent of one party is enough."
        case "informed":
            return Need.TOLD, "the caller must be notified on the call."
        case "all_party" if notice.value == "yes":
            return (
                Need.TOLD,
                "all parties must consent; staying on the line after an announcement counts as consent.",
            )
        case "all_party" if notice.value == "recorded":
            return (
                Need.TOLD_ON_RECORDING,
                "all parties must consent; staying on the line after a recorded announcement counts as consent.",
            )
        case "all_party":
            return (
                Need.EXPRESS,
                "all parties must consent, and staying on the line after an announcement does not count.",
            )
        case _:
            return Need.EXPRESS, "only express consent counts, never a notice alone."


def _by_consent(
    rules: Rules, sides: Iterable[_Asked], on: date, family: Family
) -> tuple[Need, list[Rule], list[str]]:
    """Contact and sharing rest on express consent wherever the person is; the rules say in which form."""
    topic = Topic.CONTACT_CONSENT if family is Family.CONTACT else Topic.SHARING_CONSENT
    used = [_rule(rules, side, topic, on) for side in sides]
    if family is Family.SHARING:
        return Need.EXPRESS, used, ["Sharing and selling require express consent, never a notice alone."]
    written = any(rule.value == "written" for rule in used)
    return (
        Need.EXPRESS,
        used,
        [f"Contact requires {'written' if written else 'express'} consent, never a notice alone."],
    )


def _rule(rules: Rules, side: _Asked, topic: Topic, on: date) -> Rule:
    """The rule of a side, or the stricter one that decides where less is known of it."""
    country, region = side.place.country, side.place.region
    own = rules.for_place(country, region, topic, on)
    if places.normalise(country, region)[0] == places.UNKNOWN:
        return max(
            rules.for_place(places.UNLISTED, "", topic, on), rules.strictest(topic, on), key=_strictness
        )
    if not side.weak:
        return own
    unsure = (rules.for_place(country, "", topic, on), rules.for_place("", "", topic, on))
    return max(own, *unsure, key=_strictness)


def _strictest(rules: Rules, sides: list[_Asked], topic: Topic, on: date) -> Rule:
    return max((_rule(rules, side, topic, on) for side in sides), key=_strictness)


def _who(rules: Rules, side: _Asked, on: date) -> str:
    """The place in words, and which stricter reading was taken for it and why."""
    code, regions = places.normalise(side.place.country, side.place.region)
    if code == places.UNKNOWN:
        whose = "a site's" if _kind(side.place) in _OF_THE_SITE else "the caller's"
        return f"{whose} location is unknown, so the strictest rule of any location applies"
    country = places.name(code)
    name = " or ".join(places.name(code, region) for region in regions) or country
    of_any = f"so the strictest rule of any location in {country} applies"
    own = rules.for_place(code, side.place.region, Topic.RECORDING_CONSENT, on)
    if side.weak and _reads_stricter(rules, side, on):
        if _kind(side.place) == _AREA_CODE:
            return f"{name} is only estimated from the number, {of_any if regions else _AS_UNKNOWN}"
        return f"the source of {name} is unknown, {of_any if regions else _AS_UNKNOWN}"
    if own.country == places.UNLISTED:
        return f"{name} has no rule of its own, so the strictest rule applies"
    if own.country == places.UNKNOWN:
        return f"{name}, region unknown, {of_any}"
    return name


def _reads_stricter(rules: Rules, side: _Asked, on: date) -> bool:
    """Whether another rule than that of the named place decides, since less is known of it."""
    sure = _Asked(side.place)
    return any(
        _rule(rules, side, topic, on).value != _rule(rules, sure, topic, on).value
        for topic in (Topic.RECORDING_CONSENT, Topic.NOTICE_SUFFICES)
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _caveat(used: list[Rule]) -> tuple[str, ...]:
    names = list(dict.fromkeys(rule.citation for rule in used if not rule.is_verified))
    if not names:
        return ()
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (f"Decided by rules that are not yet verified: {'; '.join(names[:NAMED])}{more}.",)


def _strictness(rule: Rule) -> float:
    return rule.strictness
