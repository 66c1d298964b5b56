"""
Everything that is held about callers, in the clear, as a package tells it; and the particulars of article 15.

For a job that answers a proven request: some clients at a time, each kind of row in one statement over all of them.
"""

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Count, Q

from analytics.selectors import holding, releases
from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import Call, Connection, Recording, Transcript, caller_label, first_id_at
from callprivacy.calls.providers import TRACKERS
from callprivacy.tenancy.enums import PartyRole
from callprivacy.tenancy.models import Client, Engagement
from callprivacy.vault import selectors as vault
from callprivacy.vault.sealing import Key
from consent.enums import grade_of
from consent.models import (
    AdDestination,
    ConsentEvent,
    ConsentState,
    Decision,
    Declaration,
    Invitation,
    Reply,
    WebhookEndpoint,
)
from retention.law.categories import ABOUT
from retention.selectors import policies
from rights.models import Case, Identity
from rights.selectors.described import Lone
from rights.selectors.reach import EUROPEAN_LAWS, Target

_PURPOSES: Final = (
    ("measure_as", "Calls are counted and matched to the advertisement that was called"),
    ("record_as", "Calls are recorded, listened to and analysed, where that was agreed to or announced"),
    ("contact_as", "You may be called or texted back, where you agreed to it"),
)
RIGHTS: Final = (
    "You may ask for a copy, for a correction, for erasure, that use is restricted, and to take data along.",
    "You may object, and you may take back any consent; what was done before stays lawful.",
    "You may complain to a data protection authority, and go to court.",
)


@dataclass(slots=True, repr=False)
class Company:
    """One client's part of a package; `recordings` names sealed files that may be added, by call."""

    client: Client
    callers: list[uuid.UUID]
    calls: list[dict[str, Any]] = field(default_factory=list)
    consents: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    standing: list[dict[str, Any]] = field(default_factory=list)
    particulars: dict[str, list[str]] = field(default_factory=dict)
    recordings: dict[uuid.UUID, Recording] = field(default_factory=dict)
    older: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.client.name,
            "legal_name": self.client.legal_name,
            "known_as": [caller_label(one) for one in self.callers],
            "particulars": self.particulars,
            "calls": self.calls,
            "consents": self.consents,
            "standing": self.standing,
            "messages": self.messages,
            "requests": self.requests,
        }


def companies(
    targets: Sequence[Target], *, submission_id: uuid.UUID, laws: Collection[str], lone: Collection[Lone] = ()
) -> list[Company]:
    """
    What is held of these callers, by client. In the scope of a job; some twenty statements however many they are, and
    a few more for each client of which something sealed is opened.

    :param laws: ids of the laws that reach the person: on what a transfer rests is said by European law alone.
    :param lone: withheld calls that are the person's as well.
    """
    found: dict[int, Company] = {}
    for one in lone:
        found.setdefault(one.client.pk, Company(one.client, []))
    for target in targets:
        found.setdefault(target.client.pk, Company(target.client, [])).callers.append(target.caller_id)
    _calls(found, targets, [one.call_id for one in lone])
    _words(found)
    _consents(found)
    _messages(found)
    _requests(found, submission_id)
    _particulars(found, by_europe=not EUROPEAN_LAWS.isdisjoint(laws))
    return list(found.values())


def _scope(found: Mapping[int, Company]) -> dict[str, Any]:
    callers = [one for company in found.values() for one in company.callers]
    return {"client_id__in": list(found), "caller_id__in": callers}


def _calls(found: Mapping[int, Company], targets: Collection[Target], lone: Collection[uuid.UUID]) -> None:
    limits = {target.caller_id: target.from_at for target in targets if target.from_at is not None}
    mine = Q(**_scope(found)) | Q(client_id__in=list(found), pk__in=list(lone))
    rows = Call.objects.filter(mine).select_related("tracking_number").order_by("client_id", "pk")
    for call in rows:
        company = found[call.client_id]
        limit = limits.get(call.caller_id) if call.caller_id else None
        if limit is not None and call.pk < first_id_at(limit):
            company.older += 1
            continue
        company.calls.append(
            {
                "id": str(call.pk),
                "started_at": call.started_at.isoformat(),
                "direction": call.direction,
                "outcome": call.outcome,
                "seconds": call.seconds,
                "number_called": call.tracking_number.number if call.tracking_number else None,
                "source": call.source,
                "campaign": call.campaign,
                "medium": call.medium,
                "landing_page": call.landing_page,
                "keyword": call.keyword,
                "country": call.country,
                "region": call.region,
                "first_call": call.first_call,
                "qualified": call.qualified,
                "value": None if call.value_cents is None else call.value_cents / 100,
                "tags": list(call.tags),
                "recording": None,
                "transcript": None,
            }
        )


def _words(found: Mapping[int, Company]) -> None:
    """Recordings, whose files are added later, and the words of transcripts that are here."""
    ids = [uuid.UUID(call["id"]) for company in found.values() for call in company.calls]
    if not ids:
        return
    by_call = {call["id"]: call for company in found.values() for call in company.calls}
    for row in Recording.objects.filter(client_id__in=list(found), call_id__in=ids):
        here = by_call[str(row.call_id)]
        if row.state == RecordingState.GONE:
            here["recording"] = {"what": "erased", "erased_at": row.gone_at and row.gone_at.isoformat()}
            continue
        here["recording"] = {
            "what": "stored here" if row.file_key else "at the call tracker",
            "seconds": row.seconds,
            "may_be_heard_by_staff": row.state == RecordingState.ALLOWED,
        }
        found[row.client_id].recordings[row.call_id] = row
    texts: dict[int, list[Transcript]] = defaultdict(list)
    for said in Transcript.objects.filter(client_id__in=list(found), call_id__in=ids, text__isnull=False):
        texts[said.client_id].append(said)
    for client_id, transcripts in texts.items():
        keys = vault.recording_keys(client_id, [said.pk for said in transcripts])
        for said in transcripts:
            here = by_call[str(said.call_id)]
            here["transcript"] = {"what": "yes", "numbers_taken_out": said.redactions}
            here["words"] = said.text.reveal(keys[said.pk]) if said.text and said.pk in keys else ""


def _consents(found: Mapping[int, Company]) -> None:
    events: dict[int, list[ConsentEvent]] = defaultdict(list)
    for event in ConsentEvent.objects.filter(**_scope(found)).order_by("happened_at", "pk"):
        events[event.client_id].append(event)
    for state in ConsentState.objects.filter(**_scope(found)).order_by("purpose"):
        found[state.client_id].standing.append(
            {"purpose": state.purpose, "state": state.state, "since": state.since.isoformat()}
        )
    for client_id, rows in events.items():
        keys = vault.evidence_keys(client_id, {row.caller_id for row in rows if row.caller_id})
        for row in rows:
            found[client_id].consents.append(
                {
                    "id": str(row.pk),
                    "happened_at": row.happened_at.isoformat(),
                    "purpose": row.purpose,
                    "kind": row.kind,
                    "basis": row.basis,
                    "channel": row.channel,
                    "strength": grade_of(row.channel, row.strength).value,
                    "recorded_by": "staff" if row.user_id else row.recorded_by,
                    "evidence": _evidence(row, keys),
                }
            )


def _evidence(row: ConsentEvent, keys: Mapping[uuid.UUID, Key]) -> Any:
    key = keys.get(row.caller_id) if row.caller_id else None
    return json.loads(row.evidence.reveal(key)) if key is not None and row.evidence is not None else None


def _messages(found: Mapping[int, Company]) -> None:
    replies: dict[int, list[Reply]] = defaultdict(list)
    for reply in Reply.objects.filter(**_scope(found)).order_by("received_at"):
        replies[reply.client_id].append(reply)
    for client_id, rows in replies.items():
        keys = vault.evidence_keys(client_id, {row.caller_id for row in rows if row.caller_id})
        for row in rows:
            key = keys.get(row.caller_id) if row.caller_id else None
            text = row.text.reveal(key) if key is not None and row.text is not None else None
            found[client_id].messages.append(
                {
                    "kind": "You wrote",
                    "at": row.received_at.isoformat(),
                    "by": row.channel,
                    "text": text,
                    "understood_as": row.label,
                }
            )
    for sent in Invitation.objects.filter(**_scope(found)).order_by("created_at"):
        at = sent.sent_at or sent.created_at
        found[sent.client_id].messages.append(
            {"kind": "You were asked for consent", "at": at.isoformat(), "by": sent.channel, "text": None}
        )


def _requests(found: Mapping[int, Company], submission_id: uuid.UUID) -> None:
    """What the person asked for before."""
    named = Identity.objects.filter(**_scope(found)).exclude(submission_id=submission_id)
    rows = Case.objects.filter(submission_id__in=named.values("submission_id")).order_by("received_at")
    for case in rows:
        if case.client_id is not None and case.client_id in found:
            found[case.client_id].requests.append(
                {
                    "reference": case.reference,
                    "asked": case.asks,
                    "received_at": case.received_at.isoformat(),
                    "decided": case.decided or None,
                    "answered_at": case.answered_at.isoformat() if case.answered_at else None,
                }
            )


# --- Article 15 ---------------------------------------------------------------------------------------------------


def _particulars(found: Mapping[int, Company], *, by_europe: bool) -> None:
    """From the policies, connections and agreements as they are, so that they say what is so."""
    ids = list(found)
    clients = [company.client for company in found.values()]
    agreed = {row.client_id: row for row in Engagement.objects.filter(client_id__in=ids)}
    grounds = {
        row.client_id: row.get_basis_display()
        for row in Declaration.objects.filter(client_id__in=ids, ended_at=None)
    }
    recipients: dict[int, list[str]] = defaultdict(list)
    ways: dict[int, list[str]] = defaultdict(list)
    decided = _decided(found)
    for row in Connection.objects.filter(client_id__in=ids, is_active=True).order_by("provider", "name"):
        if row.provider in TRACKERS:
            ways[row.client_id].append(row.provider)
        recipients[row.client_id].append(f"{TRACKERS.get(row.provider, row.provider)}, a call tracker")
    for end in WebhookEndpoint.objects.filter(client_id__in=ids, is_active=True).order_by("name"):
        recipients[end.client_id].append(f"{end.name}, a system of the company or its agency")
    for ad in AdDestination.objects.filter(client_id__in=ids, is_active=True).order_by("name"):
        recipients[ad.client_id].append(f"{ad.name}, for advertising")
    for client_id, lines in _given(found).items():
        recipients[client_id] += lines
    kept = policies.every_effective(clients)
    for client_id, company in found.items():
        engagement = agreed.get(client_id)
        company.particulars = {
            "controllers": _controllers(company.client, engagement),
            "purposes": _purposes_of(engagement, grounds.get(client_id)),
            "categories": _categories(company),
            "recipients": [
                *dict.fromkeys(recipients[client_id]),
                f"{company.client.agency.name}, the agency that works for the company",
            ],
            "kept_for": [
                f"{category.label}: {effective.days:,} days from {ABOUT[category].moment.label}"
                for category, effective in kept[client_id].items()
                if category in ABOUT
            ],
            "sources": [
                "You yourself, by calling, writing or filling in a form; the company's call tracker."
            ],
            "automated": _automated(company, decided[client_id]),
            "transfers": _transfers(company.client, ways[client_id], engagement, by_europe=by_europe),
            "rights": list(RIGHTS),
        }


def _transfers(
    client: Client, providers: Sequence[str], engagement: Engagement | None, *, by_europe: bool
) -> list[str]:
    """
    Where data go and, where European law reaches the person, on what that rests, from the register of vendors: those of
    the client's trackers, and those without a tracker, which work for every client. What the register does not say is
    said to be unknown.
    """
    unknown = (
        "where it keeps the data, and on what a transfer rests, is"
        if by_europe
        else "where it keeps the data is"
    )
    vendors: list[dict[str, Any]] = client.agency.vendors
    by_provider = {row["provider"]: row for row in vendors if row["provider"]}
    lines = [
        _transfer(by_provider[provider], by_europe=by_europe)
        if provider in by_provider
        else f"{TRACKERS[provider]}: {unknown} not written down yet."
        for provider in dict.fromkeys(providers)
    ]
    lines += [_transfer(row, by_europe=by_europe) for row in vendors if not row["provider"]]
    if engagement is not None and engagement.dpa_on is not None:
        lines.append(
            f"{client.agency.name} works for the company under a data processing agreement of"
            f" {engagement.dpa_on.isoformat()}."
        )
    return lines or ["No vendor is connected that would get data of yours."]


def _transfer(row: Mapping[str, Any], *, by_europe: bool) -> str:
    where = row["places"] or "places that are not written down yet"
    engages = f" It engages {', '.join(row['engages'])}." if row["engages"] else ""
    if not by_europe:
        account = "" if row["is_verified"] else ", by its own account"
        return f"{row['name']} ({row['what_for'].rstrip('.')}), in {where}{account}.{engages}"
    rests = {
        "none": "Nothing leaves the EEA or the UK.",
        "unknown": "On what a transfer out of the EEA or the UK rests is not known yet.",
    }.get(row["transfer"], f"A transfer out of the EEA or the UK rests on: {row['safeguard']}.")
    said = f"{row['name']} ({row['what_for'].rstrip('.')}), in {where}. {rests}{engages}"
    return said if row["is_verified"] else f"{said} This is what the vendor says; nobody has verified it yet."


def _decided(found: Mapping[int, Company]) -> Counter[int]:
    """Of how many of the calls it was decided by rule whether the recording may be kept and used."""
    calls = [uuid.UUID(call["id"]) for company in found.values() for call in company.calls]
    rows = Decision.objects.filter(client_id__in=list(found), call_id__in=calls).order_by()
    return Counter(dict(rows.values_list("client_id").annotate(n=Count("call_id", distinct=True))))


def _automated(company: Company, decided: int) -> list[str]:
    """What machines decide of the person, by what is there (GDPR article 15(1)(h))."""
    lines = []
    if decided:
        lines.append(
            f"Whether a recording may be kept, heard and analysed was decided by fixed rules for {decided:,} of"
            " your calls: from what you agreed to, what was announced, and the law of the places of the call. Where"
            " it may not, the recording is withheld and erased; nothing else follows for you."
        )
    marked = sum(
        call["qualified"] is not None or call["value"] is not None or bool(call["tags"])
        for call in company.calls
    )
    if marked:
        lines.append(
            f"{marked:,} of your calls bear marks that came with the call from the tracker, such as whether it counts"
            " as an inquiry, its value or tags. Whether a person or a machine set them is not known here; they serve"
            " to count calls."
        )
    lines.append(
        "No other decision about you is made by a machine alone here, and no profile of you is drawn."
    )
    return lines


def _given(found: Mapping[int, Company]) -> dict[int, list[str]]:
    """Who was given files of calls: those that hold the person by name, and plainly what is not known of the others."""
    lines: dict[int, list[str]] = defaultdict(list)
    given = holding.given({client_id: company.callers for client_id, company in found.items()})
    for (client_id, _), here in given.items():
        lines[client_id] += [
            f"{row.recipient.name}, with a file of calls of {releases.days(row)} in which a code stands for you"
            for row in here.holding
        ]
        lines[client_id] += [
            f"{row.recipient.name}, with a file of calls of {releases.days(row)} in which no row can be told to be"
            " anybody's; calls of yours may be among them"
            for row in here.anonymised
        ]
    for row in holding.over_of(list(found)):
        lines[row.client_id].append(
            f"{row.recipient.name} had a file of calls of {releases.days(row)}, which has ended; who was in it is not"
            " known any more"
        )
    return lines


def _controllers(client: Client, engagement: Engagement | None) -> list[str]:
    lines = [client.legal_name]
    if client.policy_url:
        lines.append(f"Its privacy policy: {client.policy_url}")
    roles = {engagement.measure_as, engagement.record_as, engagement.contact_as} if engagement else set()
    if roles & {PartyRole.CONTROLLER, PartyRole.JOINT}:
        lines.append(f"Together with {client.agency.name}")
    return lines


def _purposes_of(engagement: Engagement | None, ground: str | None) -> list[str]:
    lines = []
    for name, words in _PURPOSES:
        role = getattr(engagement, name) if engagement else PartyRole.PROCESSOR
        lines.append(f"{words} (the agency acts as {PartyRole(role).label.lower()})")
    if ground:
        lines.append(f"Counting calls rests on: {ground.lower()}")
    return lines


def _categories(company: Company) -> list[str]:
    lines = ["Your phone number"]
    if company.calls:
        lines.append("That you called, when, how long, from which advertisement")
    if any(call["landing_page"] or call["keyword"] for call in company.calls):
        lines.append("The first page of the website that you visited, and what you searched for")
    if company.recordings:
        lines.append("Recordings of calls")
    if any(call.get("words") for call in company.calls):
        lines.append("What was said, as text")
    if company.consents:
        lines.append("What you agreed to and refused")
    if company.messages:
        lines.append("Messages between you and the company")
    return lines
