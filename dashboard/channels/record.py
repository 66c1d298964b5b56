"""
The records of processing (GDPR article 30) out of what is set up and what people say: their parts, the same as rows
of a table, and how two of them differ. Pure.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from callprivacy.audit.leaves import canonical_document
from callprivacy.calls.providers import TRACKERS
from callprivacy.tenancy.enums import PartyRole
from callprivacy.tenancy.models import Client
from dashboard.models import RecordWords

PURPOSES: Final[Mapping[str, tuple[str, str]]] = {
    "measure": ("Measuring advertising by calls", "To see which advertisement leads to calls."),
    "record": ("Recording calls", "To train people and to check how calls are handled."),
    "contact": ("Calling and texting", "To reach people with offers they agreed to."),
    "requests": (
        "Answering requests of people",
        "To answer what people ask for under the law, and to show that it was done.",
    ),
    "staff": (
        "Accounts, training and entries of the agency's own people",
        "To let people in, and to show who did what.",
    ),
}
"""Name -> title, and the words that stand where nobody wrote others. The first three follow the engagements."""
_OF_CLIENTS: Final = ("measure", "record", "contact")
_SUBJECTS: Final = "people who call or are called"
_STAFF: Final = "the agency's own people and visitors"


def compose(facts: Mapping[str, Any], words: RecordWords | None) -> dict[str, Any]:
    """The records out of what is set up and what people say."""
    said = words or RecordWords()
    return {
        "v": 1,
        "agency": facts["agency"],
        "contact": said.contact,
        "representative": said.representative,
        "officer": said.officer,
        "joint": said.joint,
        "controller": [
            *(_activity(name, facts, said) for name in _OF_CLIENTS if _as_controller(name, facts)),
            _of_requests(facts, said),
            _of_staff(facts, said),
        ],
        "processor": [_processing(client, facts, said) for client in facts["clients"] if _processed(client)],
        "measures": [*facts["measures"], *_lines(said.measures)],
    }


def digest_of(record: Mapping[str, Any]) -> bytes:
    """SHA-256 over the records in their one form."""
    return hashlib.sha256(canonical_document(dict(record))).digest()


def _as_controller(name: str, facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [client for client in facts["clients"] if client["roles"][name] != PartyRole.PROCESSOR]


def _processed(client: Mapping[str, Any]) -> list[str]:
    return [name for name in _OF_CLIENTS if client["roles"][name] == PartyRole.PROCESSOR]


def _purpose(name: str, said: RecordWords) -> dict[str, str]:
    title, usual = PURPOSES[name]
    return {"id": name, "title": title, "words": said.purposes.get(name) or usual}


def _activity(name: str, facts: Mapping[str, Any], said: RecordWords) -> dict[str, Any]:
    clients = _as_controller(name, facts)
    jointly = [client["legal_name"] for client in clients if client["roles"][name] == PartyRole.JOINT]
    return {
        **_purpose(name, said),
        "clients": sorted(client["legal_name"] for client in clients),
        "jointly": sorted(jointly),
        "subjects": _SUBJECTS,
        "data": sorted({one for client in clients for one in _data(client)}),
        "recipients": sorted(
            {one for client in clients for one in _recipients(client)} | set(_lines(said.recipients))
        ),
        "transfers": _transfers(facts, clients),
        "kept": _kept(clients),
    }


def _of_requests(facts: Mapping[str, Any], said: RecordWords) -> dict[str, Any]:
    return {
        **_purpose("requests", said),
        "clients": [],
        "jointly": [],
        "subjects": "people who ask for something under the law",
        "data": ["Identity as far as it was shown", "What was asked and answered"],
        "recipients": sorted(_lines(said.recipients)),
        "transfers": [],
        "kept": [f"Requests and answers: {_days(facts, 'request', 731)} after the last answer"],
    }


_OF_TRAIL: Final = (
    "The staff trail: reasons that people wrote by the policy of each client; events by whole months where the agency"
    " has said for how long, without end where it has not"
)


def _of_staff(facts: Mapping[str, Any], said: RecordWords) -> dict[str, Any]:
    staff = facts["staff"]
    # Facts of before entries of closed sites were looked for tell of open sites alone.
    has_premises = bool(staff.get("premises", staff["sites"]))
    data = ["Name, work e-mail, role", "Sign-ins and deeds", "Courses passed"]
    return {
        **_purpose("staff", said),
        "clients": [],
        "jointly": [],
        "subjects": _STAFF,
        "data": data + (["Entries and badges"] if has_premises else []),
        "recipients": sorted(_lines(said.recipients)),
        "transfers": [],
        "kept": [
            f"Entries: {_days(facts, 'premises', 90)}",
            *(["Badges and who had them: without end"] if has_premises else []),
            f"Training: {_days(facts, 'training', 1096)} after a try, or after a proof's last day",
            _OF_TRAIL,
        ],
    }


def _days(facts: Mapping[str, Any], category: str, before: int) -> str:
    """By the agency's policy; facts of before there was one say what was fixed then."""
    return f"{facts['staff'].get('kept', {}).get(category, before):,} days"


def _processing(client: Mapping[str, Any], facts: Mapping[str, Any], said: RecordWords) -> dict[str, Any]:
    return {
        "client": client["legal_name"],
        "contact": client["contact"],
        "representative": said.representatives.get(str(client["id"]), ""),
        "officer": client["officer"],
        "processing": [PURPOSES[name][0] for name in _processed(client)],
        "agreement": client["dpa_on"] or "",
        "data": _data(client),
        "places": client["places"],
        "recipients": _recipients(client),
        "transfers": _transfers(facts, [client]),
        "kept": _kept([client]),
    }


def _data(client: Mapping[str, Any]) -> list[str]:
    data = ["Phone numbers", "Call records", "Evidence of consent"]
    data += ["Recordings"] if client["records"] else []
    data += ["Transcripts, with numbers and names taken out"] if client["transcripts"] else []
    return data


def _recipients(client: Mapping[str, Any]) -> list[str]:
    told = client["recipients"]
    return [
        *(f"{name} (call tracker)" for name in told["trackers"]),
        *(f"{name} (the client's own system)" for name in told["systems"]),
        *(f"{name} (advertising)" for name in told["advertising"]),
    ]


def _transfers(facts: Mapping[str, Any], clients: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of the vendors that these clients' data reach: trackers they use, and vendors that are no tracker."""
    used = {name for client in clients for name in client["recipients"]["trackers"]}
    found = []
    for vendor in facts["vendors"]:
        title = TRACKERS.get(vendor["provider"], "")
        if vendor["provider"] and title not in used:
            continue
        where = vendor["places"] or "place not written down"
        engages = f"; engages {', '.join(vendor['engages'])}" if vendor["engages"] else ""
        found.append(f"{vendor['name']} ({vendor['role'].lower()}): {where}; {vendor['transfer']}{engages}")
    return found


def _kept(clients: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each category with its days; from the fewest to the most where clients differ."""
    days: dict[str, set[int]] = {}
    totals: set[str] = set()
    for client in clients:
        for one in client["kept"]:
            days.setdefault(one["category"], set()).add(one["days"])
            if one["totals_stay"]:
                totals.add(one["category"])
    return [
        f"{category}: {_span(found)}{', then daily totals' if category in totals else ''}"
        for category, found in days.items()
    ]


def _span(days: set[int]) -> str:
    least, most = min(days), max(days)
    return f"{most:,} days" if least == most else f"{least:,} to {most:,} days"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


# --- As a table, and how two differ -----------------------------------------------------------------------------------

type Row = tuple[str, str, str, str]
"""Which list (30(1), 30(2) or both), what it is of, what it says, the words."""

_LABELS: Final = {
    "words": "Purpose", "clients": "For", "jointly": "Jointly with", "subjects": "Of whom", "data": "Data",
    "recipients": "Recipients", "transfers": "Vendors and transfers", "kept": "Kept for", "contact": "Contact",
    "representative": "Representative in the Union", "officer": "Data protection officer", "processing": "Processing",
    "agreement": "Agreement of", "places": "Places",
}  # fmt: skip
_NAMED: Final = {
    "agency": "Name", "contact": "Contact", "representative": "Representative in the Union",
    "officer": "Data protection officer", "joint": "Joint controllers",
}  # fmt: skip
AS_CONTROLLER: Final = "As controller (30(1))"
AS_PROCESSOR: Final = "As processor (30(2))"
OF_BOTH: Final = "Who and how"


def rows_of(record: Mapping[str, Any]) -> list[Row]:
    """The records as rows of a table; what is empty says so by having no words."""
    rows: list[Row] = [(OF_BOTH, "The agency", label, record[name]) for name, label in _NAMED.items()]
    for one in record["controller"]:
        rows += [
            (AS_CONTROLLER, one["title"], label, _told(one[name]))
            for name, label in _LABELS.items()
            if name in one
        ]
    for one in record["processor"]:
        rows += [
            (AS_PROCESSOR, one["client"], label, _told(one[name]))
            for name, label in _LABELS.items()
            if name in one
        ]
    rows.append((OF_BOTH, "Security", "Measures (article 32(1))", _told(record["measures"])))
    return rows


def _told(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "\n".join(value)


@dataclass(frozen=True, slots=True)
class Difference:
    """A line of the records that is otherwise. :ivar gone, came: lines that one of both has alone."""

    what: str
    label: str
    gone: tuple[str, ...]
    came: tuple[str, ...]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """How a later record differs from an earlier one, line by line."""
    before = {row[:3]: row[3].splitlines() for row in rows_of(old)}
    after = {row[:3]: row[3].splitlines() for row in rows_of(new)}
    found = []
    for key in [*after, *(key for key in before if key not in after)]:
        was, now = before.get(key, []), after.get(key, [])
        if was != now:
            gone = tuple(line for line in was if line not in now)
            came = tuple(line for line in now if line not in was)
            found.append(Difference(f"{key[1]}", key[2], gone, came))
    return found


def of_client(record: Mapping[str, Any], client: Client) -> dict[str, Any]:
    """What the records say of one client's data, and of nobody else's."""
    return {
        "agency": record["agency"],
        "contact": record["contact"],
        "officer": record["officer"],
        "representative": record["representative"],
        "as_processor": [one for one in record["processor"] if one["client"] == client.legal_name],
        "measures": record["measures"],
    }
