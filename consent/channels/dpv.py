"""
Consent in the terms of ISO/IEC TS 27560:2023, written in the W3C's Data Privacy Vocabulary (DPV 2.0) as JSON-LD.

Sources: the DPV community group's guide to implementing ISO/IEC TS 27560 with DPV, and its consent module. The text of
the ISO document itself was not at hand. The context is part of what is written, so that nobody has to fetch it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consent.enums import YES_KINDS, Basis, EventKind, Purpose, State

SCHEMA: Final = "ISO/IEC TS 27560:2023"
PROFILE: Final = "https://w3id.org/dpv/schema/dpv-27560#"
CONTEXT: Final[Mapping[str, Any]] = {
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dct:date": {"@type": "xsd:dateTime"},
    "dct:conformsTo": {"@type": "@id"},
}
STATUS: Final[Mapping[State, str]] = {
    State.NONE: "dpv:ConsentUnknown",
    State.NOTICED: "dpv:ConsentUnknown",
    State.GIVEN: "dpv:ConsentGiven",
    State.REFUSED: "dpv:ConsentRefused",
    State.WITHDRAWN: "dpv:ConsentWithdrawn",
    State.EXPIRED: "dpv:ConsentExpired",
    State.INVALIDATED: "dpv:ConsentInvalidated",
}
EVENT_STATUS: Final[Mapping[EventKind, str]] = {
    EventKind.GIVEN: "dpv:ConsentGiven",
    EventKind.RENEWED: "dpv:RenewedConsentGiven",
    EventKind.REFUSED: "dpv:ConsentRefused",
    EventKind.WITHDRAWN: "dpv:ConsentWithdrawn",
    EventKind.EXPIRED: "dpv:ConsentExpired",
    EventKind.INVALIDATED: "dpv:ConsentInvalidated",
    # The vocabulary has no state for having been told without having been asked.
    EventKind.NOTICED: "dpv:ConsentUnknown",
}
_BASIS: Final[Mapping[str, str]] = {
    Basis.CONSENT: "dpv:Consent",
    Basis.LEGITIMATE_INTERESTS: "dpv:LegitimateInterest",
    Basis.CONTRACT: "dpv:Contract",
    Basis.LEGAL_OBLIGATION: "dpv:LegalObligation",
}
_DATA: Final[Mapping[Purpose, tuple[str, ...]]] = {
    Purpose.MEASURE: ("pd:TelephoneNumber",),
    Purpose.RECORD: ("pd:TelephoneNumber", "pd:VoiceCommunicationRecording"),
    Purpose.REVIEW: ("pd:TelephoneNumber", "pd:VoiceCommunicationRecording"),
    Purpose.ANALYSE: ("pd:TelephoneNumber", "pd:VoiceCommunicationRecording"),
    Purpose.CONTACT: ("pd:TelephoneNumber",),
    Purpose.SHARE: ("pd:TelephoneNumber",),
}
# Mandatory in the schema, and known to nobody here. A record that left them out in silence would claim too much.
NOT_KNOWN: Final = (
    "pii_controllers.address",
    "pii_controllers.phone",
    "pii_controllers.contact",
    "storage_locations (a location; only the installation is named)",
)


@dataclass(frozen=True, slots=True)
class Party:
    """A company: its id here, the name it has in law, and the address of its privacy policy."""

    id: str
    name: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Happened:
    """One event, as the schema asks for it. `expressed`: the person did something for it."""

    id: str
    kind: EventKind
    at: str
    basis: str
    notice_id: str
    by: str
    expressed: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A version of a notice, and how it says that consent can be taken back."""

    id: str
    language: str
    withdraw: str
    url: str


@dataclass(frozen=True, slots=True)
class Record:
    """Everything about one purpose of one person."""

    id: str
    principal: str
    purpose: Purpose
    state: State
    controller: Party
    processor: Party
    happened: Sequence[Happened]
    told: Sequence[Told]
    jurisdictions: Sequence[str]
    kept_for_days: int
    installation: str


def consent_record(record: Record) -> dict[str, Any]:
    """One `dpv:ConsentRecord`; its members are the schema's, by the vocabulary's names."""
    bases = {_BASIS[event.basis] for event in record.happened if event.basis in _BASIS}
    return {
        "@id": f"urn:uuid:{record.id}",
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": PROFILE,
        "dct:hasVersion": SCHEMA,
        "dct:identifier": record.id,
        "dpv:hasDataSubject": {"@id": f"urn:uuid:{record.principal}"},
        "dpv:hasPurpose": {
            "@type": "dpv:Purpose",
            "dct:identifier": record.purpose.value,
            "dct:title": record.purpose.label,
        },
        "dpv:hasLegalBasis": [{"@id": basis} for basis in sorted(bases)],
        "dpv:hasPersonalData": [{"@id": name} for name in _DATA[record.purpose]],
        "dpv:hasDataController": _party(record.controller, "dpv:DataController"),
        "dpv:hasDataProcessor": _party(record.processor, "dpv:DataProcessor"),
        "dpv:hasNotice": [
            {
                "@id": f"urn:uuid:{notice.id}",
                "@type": "dpv:ConsentNotice",
                "dct:language": notice.language,
                **({"dct:source": notice.url} if notice.url else {}),
            }
            for notice in record.told
        ],
        "dpv:hasConsentControl": [
            {"@type": "dpv:WithdrawConsent", "dct:description": words}
            for words in sorted({notice.withdraw for notice in record.told if notice.withdraw})
        ],
        "dpv:hasStorageCondition": {
            "@type": "dpv:StorageCondition",
            "dct:description": f"Calls are kept for {record.kept_for_days} days. Evidence of consent has its own.",
            "dpv:hasLocation": record.installation,
        },
        "dpv:hasJurisdiction": list(record.jurisdictions),
        "dpv:hasRight": [{"@id": "dpv:DataSubjectRight"}],
        "dpv:hasConsentStatus": {"@id": STATUS[record.state]},
        "dct:hasPart": [_event(event) for event in record.happened],
    }


def _party(party: Party, role: str) -> dict[str, Any]:
    found = {"@type": ["dpv:LegalEntity", role], "dct:identifier": party.id, "dpv:hasName": party.name}
    if party.url:
        found["dpv:hasContact"] = party.url
    return found


def _event(event: Happened) -> dict[str, Any]:
    kinds = [EVENT_STATUS[event.kind]]
    if event.kind in YES_KINDS:
        kinds.append("dpv:ExplicitlyExpressedConsent" if event.expressed else "dpv:ExpressedConsent")
    found: dict[str, Any] = {
        "@id": f"urn:uuid:{event.id}",
        "@type": kinds,
        "dct:title": event.kind.label,
        "dct:date": event.at,
        "dpv:isImplementedByEntity": event.by,
    }
    if event.notice_id:
        found["dpv:hasNotice"] = {"@id": f"urn:uuid:{event.notice_id}"}
    return found
