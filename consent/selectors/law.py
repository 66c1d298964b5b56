"""The rules of the law that decide at an agency, as they were imported or as they ship, and who approved them."""

import hashlib
import re
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from callprivacy.accounts import access
from callprivacy.calls.models import Caller
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client, Place
from consent import law
from consent.law import Days, Rule, Rules, Topic, places
from consent.models import AnsweringSite, PackEffect, RulePack, RuleSignOff

PACKS_SHOWN: Final = 20
_APPROVED: Final = law.BEFORE_QUOTATIONS[: law.BEFORE_QUOTATIONS.index("checked_on")]
STRICTEST_FIRST: Final = ("express_only", "all_party", "informed", "one_party")


def active_pack(agency_id: int) -> RulePack | None:
    """The pack that an agency imported and put in force; its text is not read."""
    return RulePack.objects.filter(agency_id=agency_id, is_active=True).defer("text").first()


def rules_of(agency_id: int) -> Rules:
    """
    The rules that decide at an agency: those it put in force, otherwise the shipped ones.

    One small query; a pack's text is read once a process. Inside any scope of the agency.
    """
    pack = active_pack(agency_id)
    return law.load_pack() if pack is None else _read(pack.pk, pack.digest)


@lru_cache(maxsize=8)
def _read(pack_id: uuid.UUID, _digest: str) -> Rules:
    return law.parse_pack(RulePack.objects.values_list("text", flat=True).get(pk=pack_id))


def confirm_within(agency_id: int, on: date) -> timedelta:
    """Within which time one text may confirm an opt-out: the shortest that any place asks for."""
    rule = rules_of(agency_id).strictest(Topic.CONFIRMATION_MINUTES, on)
    return timedelta(minutes=rule.read())


def sale_wait_months(agency_id: int, on: date) -> int:
    """How many months nobody is asked to opt in to sharing after opting out: the most that any place asks for."""
    months: int = rules_of(agency_id).strictest(Topic.SALE_WAIT_MONTHS, on).read()
    return months


def opt_out_words(agency_id: int, on: date) -> frozenset[str]:
    """Words that opt out where they are the whole of a text, by the rules of any place, in small letters."""
    rules = [rule for rule in rules_of(agency_id).in_force(on) if rule.topic is Topic.WITHDRAWAL_WORDS]
    return frozenset(word.casefold() for rule in rules for word in rule.read())


def rules_in(pack: RulePack) -> Rules:
    """
    The rules of one pack, in force or not.

    :raises PackError: what was stored does not read any more.
    """
    return _read(pack.pk, pack.digest)


def packs() -> QuerySet[RulePack]:
    """The agency's packs, newest first, without their texts."""
    rows = RulePack.objects.select_related("imported_by", "activated_by").defer("text")
    return rows.order_by("-imported_at", "-pk")


# --- Counsel ---


def fingerprint(rule: Rule) -> str:
    """What counsel approves: everything about a rule but when it was last checked and who signed it before."""
    facts = [str(getattr(rule, name)) for name in _APPROVED]
    facts += [fact for fact in (rule.address, rule.quotation) if fact]
    return hashlib.sha256("\x1f".join(facts).encode()).hexdigest()


def sign_offs(rules: Iterable[Rule]) -> dict[str, RuleSignOff]:
    """Rule id -> counsel's approval of that rule as it stands now; one query."""
    wanted = {(rule.id, fingerprint(rule)) for rule in rules}
    rows = RuleSignOff.objects.filter(rule_id__in={rule_id for rule_id, _ in wanted})
    return {
        row.rule_id: row for row in rows.order_by("signed_on") if (row.rule_id, row.rule_digest) in wanted
    }


# --- The rules by place, as the page shows them ---


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule with what a person must know of it."""

    rule: Rule
    sign_off: RuleSignOff | None
    is_stale: bool

    @property
    def is_verified(self) -> bool:
        """Whether somebody has opened the source itself."""
        return self.rule.is_verified

    @property
    def place_name(self) -> str:
        return place_name(self.rule.country, self.rule.region)

    @property
    def meaning(self) -> str:
        """The question that it answers."""
        return self.rule.topic.meaning

    @property
    def topic_name(self) -> str:
        return topic_name(self.rule.topic)

    @property
    def note(self) -> str:
        """What happens where rules on it are for reading alone; "" where they decide."""
        return self.rule.topic.note

    @property
    def value_words(self) -> str:
        return value_words(self.rule)


@dataclass(frozen=True, slots=True)
class PlaceRules:
    key: str
    name: str
    recording: Rule | None
    lines: tuple[RuleLine, ...]

    @property
    def recording_line(self) -> RuleLine | None:
        """What recording asks for there, with what a person must know of it."""
        return None if self.recording is None else RuleLine(self.recording, None, False)

    @property
    def unverified(self) -> int:
        """How many of its rules nobody has verified."""
        return sum(not line.is_verified for line in self.lines)


def place_key(country: str, region: str) -> str:
    """A place in an address: US-CA, DE."""
    return f"{country}-{region}" if region else country


def place_name(country: str, region: str = "") -> str:
    """A place as a person reads it: California (US), Germany."""
    if country == places.UNKNOWN:
        return "Unknown location"
    if country == places.UNLISTED:
        return "Any other location"
    if country == places.EUROPEAN_UNION:
        return "European Union"
    name = places.name(country, region)
    name = name.removeprefix("the ").removesuffix(f" ({country})")
    return f"{name} ({country})" if region else name[:1].upper() + name[1:]


def topic_name(topic: Topic) -> str:
    return _TOPICS.get(topic, topic.value.replace("_", " ").capitalize())


_TOPICS: Final = {
    Topic.RECORDING_CONSENT: "Recording",
    Topic.NOTICE_SUFFICES: "Announcement counts as consent",
    Topic.TERMS_COUNT: "Consent in general terms",
    Topic.CONTACT_CONSENT: "Marketing calls and texts",
    Topic.SHARING_CONSENT: "Sale and sharing",
    Topic.ASKING_BY_MAIL: "Asking for marketing consent by email",
    Topic.CONTACTS_PER_DAY: "Contacts within 24 hours",
    Topic.DO_NOT_CALL_YEARS: "Retention of do-not-call requests",
    Topic.OPT_OUT_DAYS: "Deadline for opt-outs",
    Topic.OPT_OUT_REACH: "Reach of an opt-out",
    Topic.WITHDRAWAL_DAYS: "Deadline for withdrawals",
    Topic.WITHDRAWAL_WORDS: "Opt-out keywords",
    Topic.CONFIRMATION_MINUTES: "Time for one confirmation text",
    Topic.SALE_OPT_OUT_DAYS: "Deadline for opt-outs of sale",
    Topic.SALE_WAIT_MONTHS: "Asking again after an opt-out of sale",
    Topic.SIGNAL_HONOURED: "Browser opt-out signal",
    Topic.SIGNAL_CONFIRMED: "Signal confirmed to the person",
    Topic.VENDOR_USE: "Vendor's own use of calls",
    Topic.EVIDENCE_MONTHS: "Minimum retention of evidence",
    Topic.RECORDING_MONTHS: "Maximum retention of recordings",
}
_VALUES: Final = {
    "one_party": "One party's consent",
    "informed": "Notice to the caller",
    "all_party": "All parties' consent",
    "express_only": "Express consent, not notice",
    "count": "Counts",
    "do_not_count": "Does not count",
    "express": "Express consent",
    "written": "Written consent",
    "opt_out": "Allowed until the person opts out",
    "consent": "Consent required",
    "asking_is_free": "Allowed",
    "consent_first": "Consent required",
    "category": "Messages of that category",
    "all": "All messages",
    "unrestricted": "Not restricted",
    "no_own_use": "No use for its own purposes",
    "yes": "Yes",
    "recorded": "If it is on the recording",
    "no": "No",
}
_UNITS: Final = {
    Topic.DO_NOT_CALL_YEARS: "year",
    Topic.CONFIRMATION_MINUTES: "minute",
    Topic.SALE_WAIT_MONTHS: "month",
    Topic.EVIDENCE_MONTHS: "month",
    Topic.RECORDING_MONTHS: "month",
}


def value_words(rule: Rule) -> str:
    """A rule's value in words: "All parties' consent", "10 business days", "60 months"."""
    if isinstance(read := rule.read(), Days):
        return str(read)
    if rule.topic in _UNITS:
        return f"{rule.value} {_UNITS[rule.topic]}{'' if rule.value == '1' else 's'}"
    if rule.topic is Topic.QUIET_HOURS:
        return "; ".join(_hours_words(part.strip()) for part in rule.value.split(";"))
    if rule.topic is Topic.WITHDRAWAL_WORDS:
        return ", ".join(word.strip() for word in rule.value.split("|"))
    return _VALUES.get(rule.value, rule.value)


def _hours_words(part: str) -> str:
    if part == "not on holidays":
        return "not on public holidays"
    return f"every day {part}" if part[0].isdigit() else re.sub(r"[a-z]+", lambda day: day[0].title(), part)


@dataclass(frozen=True, slots=True)
class LawFilter:
    """What the law's page is narrowed to; empty means everything."""

    place: str = ""
    topic: str = ""
    state: str = ""


def lines(rules: Rules, on: date, *, wanted: LawFilter) -> list[PlaceRules]:
    """The rules in force on a day, by place, the strictest on recording first; one query for the sign-offs."""
    found = [rule for rule in rules.in_force(on) if _is_wanted(rule, wanted)]
    signed = sign_offs(found)
    late = {fault.about for fault in law.stale(found, on)}
    by_place: dict[tuple[str, str], list[RuleLine]] = defaultdict(list)
    for rule in found:
        line = RuleLine(rule, signed.get(rule.id), rule.id in late)
        if _is_in_state(line, wanted.state):
            by_place[rule.country, rule.region].append(line)
    listed = [
        PlaceRules(
            key=place_key(country, region),
            name=place_name(country, region),
            recording=_recording(rules, country, region, on),
            lines=tuple(sorted(of, key=lambda line: list(Topic).index(line.rule.topic))),
        )
        for (country, region), of in by_place.items()
    ]
    return sorted(listed, key=_place_order)


def coming(rules: Rules, on: date) -> list[RuleLine]:
    """Rules that take effect after a day, the next first; they need nobody to do anything."""
    later = [rule for rule in rules if rule.effective_from is not None and rule.effective_from > on]
    later.sort(key=lambda rule: (rule.effective_from or on, rule.id))
    signed = sign_offs(later)
    return [RuleLine(rule, signed.get(rule.id), False) for rule in later]


def _is_wanted(rule: Rule, wanted: LawFilter) -> bool:
    if wanted.topic and rule.topic != wanted.topic:
        return False
    return not wanted.place or place_key(rule.country, rule.region) == wanted.place


def _is_in_state(line: RuleLine, state: str) -> bool:
    return {
        "unverified": not line.is_verified,
        "unsigned": line.sign_off is None,
        "stale": line.is_stale,
    }.get(state, True)


def _recording(rules: Rules, country: str, region: str, on: date) -> Rule | None:
    return rules.find(country, region, Topic.RECORDING_CONSENT, on)


def _place_order(row: PlaceRules) -> tuple[int, str]:
    value = row.recording.value if row.recording is not None else ""
    rank = STRICTEST_FIRST.index(value) if value in STRICTEST_FIRST else len(STRICTEST_FIRST)
    return rank, row.name


def place_choices(rules: Rules) -> list[tuple[str, str]]:
    """Every place that a pack speaks of, (key, name), by name."""
    found = {(rule.country, rule.region) for rule in rules}
    return sorted(
        ((place_key(country, region), place_name(country, region)) for country, region in found),
        key=lambda pair: pair[1],
    )


# --- One client's places ---


@dataclass(frozen=True, slots=True)
class ClientPlace:
    """A place that matters to a client, why, and what recording asks for there."""

    country: str
    region: str
    why: tuple[str, ...]
    line: RuleLine

    @property
    def name(self) -> str:
        """As a person reads it."""
        return place_name(self.country, self.region)

    @property
    def key(self) -> str:
        """As an address names it."""
        return place_key(self.country, self.region)

    @property
    def is_own_rule(self) -> bool:
        """Whether the rule is about this very place, not one that stands in for it."""
        return (self.line.rule.country, self.line.rule.region) == (self.country, self.region)


def places_of(client: Client, rules: Rules, on: date, *, most: int = 60) -> list[ClientPlace]:
    """
    Where a client does business, where its calls are answered, and where its callers' numbers belong.

    :param most: at most so many places of callers, so that the page stays a page.
    """
    why: dict[tuple[str, str], list[str]] = defaultdict(list)
    for country, region in Place.objects.for_client(client).values_list("country", "region"):
        why[country, region].append("does business there")
    for country, region, name in AnsweringSite.objects.for_client(client).values_list(
        "country", "region", "name"
    ):
        why[country, region].append(f"answers calls there ({name})")
    callers = Caller.objects.for_client(client).exclude(country="").order_by()
    for country, region in callers.values_list("country", "region").distinct()[:most]:
        why[country, region].append("has callers from there")
    found = [
        (country, region, rules.for_place(country, region, Topic.RECORDING_CONSENT, on))
        for country, region in why
    ]
    signed = sign_offs(rule for _, _, rule in found)
    late = {fault.about for fault in law.stale((rule for _, _, rule in found), on)}
    rows = [
        ClientPlace(
            country,
            region,
            tuple(why[country, region]),
            RuleLine(rule, signed.get(rule.id), rule.id in late),
        )
        for country, region, rule in found
    ]
    return sorted(rows, key=lambda row: (-row.line.rule.strictness, row.name))


# --- What a pack would change ---


@dataclass(frozen=True, slots=True)
class PackCount:
    """How far a pack's effect is counted, over all clients that the scope sees."""

    clients: int
    finished: int
    counted: int
    newly_allowed: int
    newly_withheld: int

    @property
    def changed(self) -> int:
        """Decisions that would come out otherwise."""
        return self.newly_allowed + self.newly_withheld


def count_of(pack: RulePack, now: Rules) -> PackCount:
    """What is known of a pack's effect by now; what was counted against other rules than decide now is not."""
    rows = _effects(pack)
    if not pack.is_active and pack.counted_against != now.digest:
        rows = rows.none()
    sums = rows.aggregate(
        counted=Sum("counted"), allowed=Sum("newly_allowed"), withheld=Sum("newly_withheld")
    )
    return PackCount(
        clients=rows.count(),
        finished=rows.filter(finished_at__isnull=False).count(),
        counted=sums["counted"] or 0,
        newly_allowed=sums["allowed"] or 0,
        newly_withheld=sums["withheld"] or 0,
    )


def _effects(pack: RulePack) -> QuerySet[PackEffect]:
    """What a pack changes, client by client: one in force did so everywhere, others leave out who has left."""
    rows = PackEffect.objects.filter(pack=pack)
    return rows if pack.is_active else rows.filter(client__archived_at=None)


def effects_of(pack: RulePack) -> Sequence[PackEffect]:
    """What a pack would change, client by client, most first; only those that the person may know of."""
    rows = _effects(pack).filter(Q(newly_allowed__gt=0) | Q(newly_withheld__gt=0))
    changed = F("newly_allowed") + F("newly_withheld")
    return list(rows.select_related("client").order_by(-changed, "client__name"))


@dataclass(frozen=True, slots=True)
class Hidden:
    """What a counted pack changes at clients that a person may not see: how many, and how many decisions there."""

    clients: int
    decisions: int

    def __bool__(self) -> bool:
        return bool(self.clients or self.decisions)


def hidden_of(pack: RulePack, effects: Sequence[PackEffect]) -> Hidden:
    """
    What a pack that is counted changes besides the effects that a person sees.

    :param effects: `effects_of` the pack, in the person's scope.
    """
    seen = sum(effect.newly_allowed + effect.newly_withheld for effect in effects)
    return Hidden(pack.clients_changed - len(effects), pack.decisions_changed - seen)


def unseen_clients(agency_id: int, user_id: int, *, at: datetime) -> list[Client]:
    """The clients that a person may not look at, those that have left aside, by name: whose decisions are not shown."""
    found = list(Client.objects.filter(agency_id=agency_id, archived_at=None).order_by("name"))
    seen = access.clients_with_all(
        [Permission.VIEW_CLIENT], [client.pk for client in found], agency_id=agency_id, at=at
    ).get(user_id, set())
    return [client for client in found if client.pk not in seen]


def is_counted(pack: RulePack, now: Rules) -> bool:
    """Whether it is known what a pack changes, against the rules that decide now; of one in force, what it did."""
    return pack.counted_at is not None and (pack.is_active or pack.counted_against == now.digest)


def counted_against_others(agency_id: int, now: Rules) -> QuerySet[RulePack]:
    """Packs whose effect was counted against other rules than those that decide now, and is not true any more."""
    rows = RulePack.objects.filter(
        agency_id=agency_id, is_active=False, counted_at__isnull=False, due_at__isnull=True
    )
    return rows.exclude(counted_against=now.digest)


def counted_otherwise(agency_id: int, now: Rules) -> list[tuple[RulePack, int, int]]:
    """
    Packs that are counted, and whose sums are not those of the clients that are here now: one has left since, or come
    back. Each with the true ones, (clients, decisions). In a scope that sees every client.
    """
    here = Q(effects__client__archived_at=None)
    changes = Q(effects__newly_allowed__gt=0) | Q(effects__newly_withheld__gt=0)
    changed = F("effects__newly_allowed") + F("effects__newly_withheld")
    rows = RulePack.objects.filter(
        agency_id=agency_id,
        is_active=False,
        counted_at__isnull=False,
        due_at__isnull=True,
        counted_against=now.digest,
    ).annotate(
        clients_here=Count("effects", filter=here & changes),
        decisions_here=Coalesce(Sum(changed, filter=here), 0),
    )
    rows = rows.exclude(clients_changed=F("clients_here"), decisions_changed=F("decisions_here"))
    sums = rows.values_list("pk", "clients_here", "decisions_here")
    found = {pack_id: (clients, decisions) for pack_id, clients, decisions in sums}
    return [(pack, *found[pack.pk]) for pack in RulePack.objects.filter(pk__in=found).defer("text")]


def due_packs(agency_id: int) -> list[uuid.UUID]:
    """Packs whose effect is still to be counted, oldest first."""
    rows = RulePack.objects.filter(agency_id=agency_id, due_at__isnull=False).order_by("due_at")
    return list(rows.values_list("pk", flat=True))


def clients_without_effect(pack: RulePack, client_ids: Collection[int]) -> list[int]:
    """Of these clients those for which nothing was begun to be counted."""
    begun = set(PackEffect.objects.filter(pack=pack).values_list("client_id", flat=True))
    return sorted(set(client_ids) - begun)
