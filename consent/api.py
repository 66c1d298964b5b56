"""
The interface for programs: what may be done, what was said, whether somebody may be called.

A key opens one client, in that client's scope; what a door does is one transaction, undone where it is refused. Answers
come from the database alone. Valkey only counts how much is asked: while it is away nothing is counted, the answer says
so, and is the same. What protects a person is taken however much was asked before.
"""

import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, Final, Literal, cast

from django.db import DatabaseError, transaction
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from ninja import Header, NinjaAPI, Router, Schema
from ninja.decorators import decorate_view
from ninja.errors import HttpError, ValidationError
from ninja.security import HttpBearer
from pydantic import ConfigDict, Field, field_validator

from callprivacy.accounts.adapter import client_address
from callprivacy.accounts.enums import ApiScope
from callprivacy.accounts.services import api_keys
from callprivacy.accounts.services.api_keys import Holder
from callprivacy.lib import phone
from callprivacy.lib.logs import logger
from consent import decide
from consent.decide import Answer
from consent.enums import Basis, EventKind, Purpose, Scope
from consent.services import checks, contact, events
from consent.services.contact import Aim, Contact
from consent.services.limits import Verdict, knock
from consent.tasks.decisions import nudge_decisions
from consent.tasks.menu_calls import nudge_stops
from consent.tasks.withdrawals import nudge_withdrawals

log = logger(__name__)

LARGEST: Final = 512 * 1024
NUMBERS_A_MINUTE: Final = 60_000
A_MINUTE: Final = timedelta(minutes=1)
_JSON: Final = "application/json"

router = Router()


class ApiRequest(HttpRequest):
    """A request whose key has been checked, inside the scope of the key's client."""

    holder: Holder
    at: datetime
    counted: bool


class ProblemError(Exception):
    """What is answered in place of what was asked for."""

    def __init__(self, status: int, code: str, detail: str, field: str = "") -> None:
        self.status, self.code, self.detail, self.field = status, code, detail, field
        super().__init__(code)


def problem(status: int, code: str, detail: str, field: str = "") -> HttpResponse:
    """A refusal in the one form that refusals have."""
    return answer_json({"error": code, "detail": detail, "field": field}, status=status)


def answer_json(content: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    """An answer, which nobody keeps on the way."""
    answer = HttpResponse(
        json.dumps(content, separators=(",", ":"), sort_keys=True), content_type=_JSON, status=status
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


# --- The door ------------------------------------------------------------------------------------------------------


class Bearer(HttpBearer):
    """Tells the description of the interface how a key is sent; the door has checked it by then."""

    def authenticate(self, request: HttpRequest, token: str) -> Holder | None:
        """Whom the door let in."""
        return getattr(request, "holder", None)


type Run = Callable[..., HttpResponse]


def door(scope: ApiScope) -> Callable[[Run], Run]:
    """Decorate an operation: it runs inside the scope of the client whose key was sent, if that key may do this."""

    def decorate(run: Run) -> Run:
        @wraps(run)
        def guarded(request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            refusal = refuse_unread(request)
            if refusal is not None:
                return refusal
            try:
                return _entered(request, scope, lambda: run(request, *args, **kwargs))
            except api_keys.WrongKeyError:
                answer = problem(401, "unauthorised", "Send a valid API key: Authorization: Bearer cpk_….")
                answer.headers["WWW-Authenticate"] = "Bearer"
                return answer
            except events.CallerGoneError:
                return later("busy", "This number is being erased right now. Send the request again.")
            except DatabaseError as error:
                return unavailable(error, "The answer is unavailable right now. Treat it as not allowed.")

        return guarded

    return decorate


def refuse_unread(request: HttpRequest) -> HttpResponse | None:
    """Refuse by the headers alone; then read the body, before anything waits for it."""
    if "CONTENT_LENGTH" not in request.META and "HTTP_TRANSFER_ENCODING" in request.META:
        return problem(411, "length_missing", "Send a Content-Length header.")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        return problem(400, "length_wrong", "Content-Length is not a number.")
    if len(length) > 9 or int(length) > LARGEST:
        return problem(413, "too_large", f"The body is over {LARGEST // 1024} KB.")
    if request.content_type != _JSON:
        return problem(415, "not_json", f"Send {_JSON}.")
    try:
        _ = request.body
    except UnreadablePostError:
        return problem(400, "cut_off", "The body ended early.")
    return None


def _entered(request: ApiRequest, scope: ApiScope, run: Callable[[], HttpResponse]) -> HttpResponse:
    at = timezone.now()
    with api_keys.entered(text=bearer_of(request), address=client_address(request), at=at) as holder:
        if not holder.may(scope):
            return problem(403, "scope_missing", f"This API key needs the scope {scope.value}.")
        request.holder, request.at, request.counted = holder, at, True
        answer = run()
        if answer.status_code >= 400:
            transaction.set_rollback(True)
        if not request.counted:
            answer.headers["X-RateLimit"] = "not counted"
        return answer


def bearer_of(request: HttpRequest) -> str:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def unavailable(error: DatabaseError, said: str) -> HttpResponse:
    """What to answer while a database does not; the log has the error's kind alone."""
    log.error("api.unavailable", error=type(error).__name__)  # a text may hold a value
    return later("unavailable", said)


def later(code: str, detail: str) -> HttpResponse:
    """A refusal for now; the same may be sent again."""
    answer = problem(503, code, detail)
    answer.headers["Retry-After"] = "1"
    return answer


def _spend(request: ApiRequest, numbers: int, *, protects: bool = False) -> None:
    """
    Count numbers against the key's limit.

    :param protects: a no, which is taken in any case.
    :raises ProblemError: the limit is used up.
    """
    verdict = knock(
        "api",
        request.holder.key_id,
        most=NUMBERS_A_MINUTE,
        per=A_MINUTE,
        at=request.at,
        weight=max(numbers, 1),
    )
    request.counted = verdict is not Verdict.UNKNOWN
    if verdict is Verdict.FULL and not protects:
        raise ProblemError(
            429,
            "too_many",
            f"This API key has reached its limit of {NUMBERS_A_MINUTE:,} numbers per minute. Try again later.",
        )


def answer_errors(api: NinjaAPI) -> None:
    """Have every refusal of an operation answered in the one form that errors have."""

    def told(_request: HttpRequest, error: Any) -> HttpResponse:
        answer = problem(error.status, error.code, error.detail, error.field)
        if error.status == 429:
            answer.headers["Retry-After"] = "10"
        return answer

    def refused(_request: HttpRequest, error: Any) -> HttpResponse:
        conflict = isinstance(error, events.AnotherBodyError | events.StandingNoError)
        return problem(409 if conflict else 422, error.code, error.detail, error.field)

    def invalid(_request: HttpRequest, error: Any) -> HttpResponse:
        first = error.errors[0]
        parts = [
            str(part) for part in first["loc"] if part not in {"body", "header", "statement", "question"}
        ]
        # Only where and what was expected: the rest of the library's words may repeat what was sent.
        return problem(422, "invalid", str(first["msg"])[:300], ".".join(parts))

    def http(_request: HttpRequest, error: Any) -> HttpResponse:
        if error.status_code == 400:
            return problem(400, "not_json", "The body is not JSON.")
        return problem(error.status_code, "refused", str(error))

    def nowhere(_request: HttpRequest, _error: Any) -> HttpResponse:
        return problem(404, "not_found", "Not found. Check the address.")

    for kind, handler in (
        (ProblemError, told),
        (events.RefusedError, refused),
        (ValidationError, invalid),
        (HttpError, http),
        (Http404, nowhere),
    ):
        api.add_exception_handler(kind, handler)


# --- What is sent and answered -------------------------------------------------------------------------------------


# One line: no control characters, of which NUL is one that the database does not take.
LINE: Final = r"^[^\x00-\x1f\x7f\x85\u2028\u2029]*$"
_ON_ONE_LINE: Final = re.compile(LINE[1:-1])


class Strict(Schema):
    """What is sent holds nothing that is not named here."""

    model_config = ConfigDict(extra="forbid")


class Problem(Schema):
    error: str = Field(description="Machine-readable error code.")
    detail: str = Field(description="What is wrong and what to do.")
    field: str = Field(description="The field of the request that caused the error, if any.")


type Number = Annotated[
    str, Field(min_length=1, max_length=64, pattern=LINE, description="E.164 or national format.")
]


class PlaceIn(Strict):
    """
    The person's location, as far as you know. Without `evidence`, it never makes the answer less strict.

    An address counts alone. Otherwise the number's own location counts too, and the stricter law applies.
    """

    country: str = Field(pattern="^[A-Za-z]{2}$", description="ISO 3166-1, such as US.")
    region: str = Field(
        "", max_length=8, pattern=LINE, description="ISO 3166-2 without the country, such as CA."
    )
    evidence: Literal["", "address", "billing", "carrier", "tracker"] = Field(
        "",
        description="Source of the location: an address, a billing address, a carrier lookup, or the call tracker.",
    )


class NumberIn(Strict):
    """A number with the person's location."""

    number: Number
    place: PlaceIn | None = None


class CheckIn(Strict):
    """One number, or up to 1,000."""

    number: Number | None = None
    place: PlaceIn | None = Field(None, description="Location for `number`.")
    numbers: list[Number | NumberIn] | None = Field(None, min_length=1, max_length=checks.AT_MOST)


class ConsentCheckIn(CheckIn):
    purposes: list[Purpose] = Field(min_length=1, max_length=len(Purpose))
    announced: bool = Field(
        False,
        description="The call starts now, and an announcement at its start tells the caller about the recording.",
    )
    announced_on_recording: bool = Field(
        False, description="The announcement is on the recording, as Washington and Connecticut require."
    )


class ContactCheckIn(CheckIn):
    """The numbers you are about to call or text."""

    purpose: Literal["marketing", "service"] = Field(
        "marketing", description="`service` is for contact that the person requested, such as a callback."
    )


class DecisionOut(Schema):
    """Whether the purpose is allowed, its legal basis, and the reasons."""

    allowed: bool
    lawful: bool
    standard_met: bool
    basis: str | None
    event: str | None = Field(description="The consent event that allows or forbids it.")
    rules: list[str]
    reasons: list[str]


class ConsentAnswer(Schema):
    position: int = Field(description="Index of the number in the request, from 0.")
    valid: bool = Field(description="Whether it is a valid phone number.")
    number_digest: str | None = Field(
        description="Identifier of this number in withdrawal webhooks; the same for the same number."
    )
    decisions: dict[str, DecisionOut]


class ConsentCheckOut(Schema):
    """The answers in the order of the numbers."""

    at: datetime
    pack: str = Field(description="The version of the legal rules.")
    pack_digest: str
    answers: list[ConsentAnswer]


class ReasonOut(Schema):
    """One reason why contact is not allowed."""

    code: Literal[
        "do_not_call", "reassigned", "no_consent", "register", "stale_register", "no_place", "quiet_hours",
        "not_a_number",
    ]  # fmt: skip
    text: str
    until: datetime | None = Field(description="End of the restriction; null if unknown or permanent.")
    rule: str


class PlaceOut(Schema):
    """The best known location of the person; without an address, the number's own location counts too."""

    country: str
    region: str
    evidence: str


class ContactAnswer(Schema):
    """Whether you can call or text one number now."""

    position: int
    valid: bool
    allowed: bool
    reasons: list[ReasonOut]
    notes: list[str]
    place: PlaceOut | None
    next_allowed_at: datetime | None = Field(
        description="When contact is allowed again, if only quiet hours prevent it."
    )


class RegisterOut(Schema):
    """A list that was checked."""

    name: str
    kind: str
    as_of: str
    days_old: int
    is_current: bool = Field(description="Whether a do-not-call list is at most 31 days old.")


class ContactCheckOut(Schema):
    """The answers in the order of the numbers, and the lists checked."""

    at: datetime
    pack: str
    pack_digest: str
    registers: list[RegisterOut]
    answers: list[ContactAnswer]


class CallIn(Strict):
    """The tracker's reference of the call."""

    provider: Literal["callrail", "twilio", "ctm", "invoca", "signed", "shared", "generic"] = Field(
        description="signed, shared: another tracker, by its connection type. generic: any other tracker, and imported"
        " files; a reference not found in files is searched among calls of such trackers."
    )
    reference: str = Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$")


type Detail = Annotated[str, Field(max_length=events.DETAIL_AT_MOST, pattern=r"^[^\x00]*$")]


class ProofIn(Strict):
    """Your evidence. It is stored encrypted under its own key."""

    type: events.ProofKind
    details: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")], Detail] = Field(
        default_factory=dict,
        max_length=events.DETAILS_AT_MOST,
        description="; ".join(
            f"{kind.value}: {', '.join(shown.details)}"
            for kind, shown in events.SHOWN_BY.items()
            if shown.details
        )
        + ". Each must be on one line, except words.",
    )

    @field_validator("details")
    @classmethod
    def _on_one_line(cls, details: dict[str, str]) -> dict[str, str]:
        """What a person wrote may have several lines."""
        if any(name != "words" and _ON_ONE_LINE.fullmatch(text) is None for name, text in details.items()):
            raise ValueError("Put each detail except words on one line.")
        return details


class Said(StrEnum):
    """The kinds of event that a system can report."""

    GIVEN = "given"
    RENEWED = "renewed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    NOTICED = "noticed"


class EventIn(Strict):
    """One consent, refusal, withdrawal, or notice, for one or more purposes."""

    number: Number
    kind: Said
    purposes: list[Purpose] = Field(min_length=1, max_length=len(Purpose))
    scope: Scope = Scope.STANDING
    call: CallIn | None = Field(None, description="Required for scope this_call.")
    happened_at: datetime | None = Field(None, description="With UTC offset. Default: now.")
    basis: Literal["consent", "contract"] = Field(
        "consent", description="contract: agreed to in general terms, which some laws do not accept."
    )
    notice_version: uuid.UUID | None = Field(None, description="The published notice version that was shown.")
    evidence: ProofIn | None = None
    idempotency_key: str | None = Field(
        None,
        min_length=8,
        max_length=100,
        pattern=LINE,
        description="Instead of the Idempotency-Key header.",
    )


class EventOut(Schema):
    id: str
    purpose: str


class EventsOut(Schema):
    """The saved events. A repeated request gets the same answer."""

    events: list[EventOut]
    kind: str
    scope: str
    strength: str = Field(
        description="Evidence grade. A: verified. B: authenticated email. C: attested. D: claimed, number not verified."
    )
    recorded_at: datetime


_PROBLEMS: Final = dict.fromkeys((400, 401, 403, 409, 411, 413, 415, 422, 429, 503), Problem)


# --- The three doors -----------------------------------------------------------------------------------------------


@router.post(
    "/consent/check",
    response={200: ConsentCheckOut, **_PROBLEMS},
    summary="Check consent",
    tags=["consent"],
)
@decorate_view(door(ApiScope.CONSENT_CHECK))
def check_consent(request: ApiRequest, question: ConsentCheckIn) -> HttpResponse:
    """
    Checks whether each purpose is allowed now for 1 to 1,000 numbers, and returns the legal basis and the reasons.

    It saves nothing. Unknown numbers get an answer like any other. `record` is for a call that starts now. Requires
    the scope `consent.check`.
    """
    numbers = _numbers(request, question)
    valid = [one for one in numbers if one is not None]
    _spend(request, len(numbers))
    purposes = list(dict.fromkeys(question.purposes))
    found = checks.check(
        client=request.holder.client,
        asked=valid,
        purposes=purposes,
        announced=question.announced,
        on_recording=question.announced_on_recording,
        at=request.at,
    )
    answers, digests = iter(found.answers), iter(found.numbers)
    return answer_json(
        {
            "at": request.at.isoformat(),
            "pack": found.pack,
            "pack_digest": found.digest,
            "answers": [
                {
                    "position": position,
                    "valid": one is not None,
                    "number_digest": next(digests) if one is not None else None,
                    "decisions": {
                        purpose.value: _decision(answer)
                        for purpose, answer in (next(answers).items() if one is not None else ())
                    },
                }
                for position, one in enumerate(numbers)
            ],
        }
    )


@router.post(
    "/contact/check",
    response={200: ContactCheckOut, **_PROBLEMS},
    summary="Check contact",
    tags=["contact"],
)
@decorate_view(door(ApiScope.CONTACT_CHECK))
def check_contact(request: ApiRequest, question: ContactCheckIn) -> HttpResponse:
    """
    Checks whether you can call or text 1 to 1,000 numbers now, and returns the reasons against it.

    It checks consent and opt-outs, do-not-call lists with their dates, quiet hours at the person's location, the form
    of consent that marketing requires, and reassigned numbers. Without a known address, the hours and holidays of both
    the location you send and the number's own location must allow it. Requires the scope `contact.check`.
    """
    numbers = _numbers(request, question)
    valid = [one for one in numbers if one is not None]
    _spend(request, len(numbers))
    found = contact.check(client=request.holder.client, asked=valid, aim=Aim(question.purpose), at=request.at)
    answers = iter(found.answers)
    return answer_json(
        {
            "at": request.at.isoformat(),
            "pack": found.pack,
            "pack_digest": found.digest,
            "registers": [
                {
                    "name": register.name,
                    "kind": register.kind.value,
                    "as_of": register.as_of.isoformat(),
                    "days_old": contact.days_old(register, request.at),
                    "is_current": contact.is_fresh(register, request.at),
                }
                for register in found.registers
            ],
            "answers": [
                _contact(position, next(answers)) if one is not None else _no_number(position)
                for position, one in enumerate(numbers)
            ],
        }
    )


@router.post(
    "/consent/events", response={201: EventsOut, **_PROBLEMS}, summary="Record consent", tags=["consent"]
)
@decorate_view(door(ApiScope.CONSENT_WRITE))
def write_events(
    request: ApiRequest,
    statement: EventIn,
    key_sent: Annotated[
        str,
        Header(
            alias="Idempotency-Key", pattern=LINE, description="A key that you choose, 8 to 100 characters."
        ),
    ] = "",
) -> HttpResponse:
    """
    Records that a person consented, refused, withdrew, or got notice, once per idempotency key.

    Send a key that you choose in the header `Idempotency-Key`. The same request gets the same answer; a different
    request with the same key gets 409. A withdrawal takes effect immediately. Consent counts as attested (C) unless
    your API key has the scope `consent.prove` and the evidence shows more. Unverified consent never lifts an earlier
    opt-out (409). Requires the scope `consent.write`.
    """
    key = statement.idempotency_key or key_sent.strip()
    if not 8 <= len(key) <= 100:
        raise ProblemError(
            422, "idempotency_key", "Send a key that you choose, 8 to 100 characters.", "Idempotency-Key"
        )
    number = phone.normalise(statement.number, request.holder.client.home_country)
    if number is None:
        raise ProblemError(422, "not_a_number", "This is not a valid phone number.", "number")
    happened_at = statement.happened_at or request.at
    if happened_at.tzinfo is None:
        raise ProblemError(
            422, "invalid", "Include the UTC offset, such as 2026-11-24T08:41:02Z.", "happened_at"
        )
    protects = statement.kind in {Said.REFUSED, Said.WITHDRAWN}
    _spend(request, 1, protects=protects)
    written = events.record(
        client=request.holder.client,
        statement=events.Statement(
            number=number,
            kind=EventKind(statement.kind.value),
            purposes=tuple(sorted(set(statement.purposes))),
            scope=statement.scope,
            happened_at=happened_at,
            basis=Basis(statement.basis),
            call=(statement.call.provider, statement.call.reference) if statement.call else None,
            version_id=statement.notice_version,
            proof=_proof(statement.evidence),
            is_now=statement.happened_at is None,
        ),
        asked=statement.model_dump_json(exclude={"idempotency_key"}),
        idempotency_key=key,
        may_vouch=request.holder.may(ApiScope.CONSENT_PROVE),
        by=request.holder.actor,
        at=request.at,
    )
    if not written.is_repeat:
        _nudge(request.holder.client.agency_id, protects=protects, stops=written.ends_recording)
    answer = answer_json(written.answer, status=201)
    if written.is_repeat:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


def _nudge(agency_id: int, *, protects: bool, stops: bool) -> None:
    if stops:
        nudge_stops(agency_id)
    if protects:
        nudge_withdrawals(agency_id)
    nudge_decisions(agency_id)


def _proof(sent: ProofIn | None) -> events.Proof | None:
    return None if sent is None else events.Proof(sent.type, dict(sent.details))


# --- Numbers in, answers out ---------------------------------------------------------------------------------------


def _numbers(request: ApiRequest, question: CheckIn) -> list[checks.Asked | None]:
    """
    The numbers that are asked about, None for what is no number.

    :raises ProblemError: neither one nor many, both, or the one is no number.
    """
    home = request.holder.client.home_country
    if (question.number is None) == (question.numbers is None):
        raise ProblemError(422, "invalid", "Send either number or numbers.", "number")
    if question.number is not None:
        one = phone.normalise(question.number, home)
        if one is None:
            raise ProblemError(422, "not_a_number", "This is not a valid phone number.", "number")
        return [checks.Asked(one, _place(question.place))]
    if question.place is not None:
        raise ProblemError(422, "invalid", "For several numbers, send each with its own place.", "place")
    return [_asked(one, home) for one in cast(Sequence[str | NumberIn], question.numbers)]


def _asked(sent: str | NumberIn, home: str) -> checks.Asked | None:
    raw, place = (sent, None) if isinstance(sent, str) else (sent.number, sent.place)
    number = phone.normalise(raw, home)
    return None if number is None else checks.Asked(number, _place(place))


def _place(sent: PlaceIn | None) -> decide.Place | None:
    return None if sent is None else decide.Place(sent.country.upper(), sent.region.upper(), sent.evidence)


def _decision(answer: Answer) -> dict[str, Any]:
    return {
        "allowed": answer.allowed,
        "lawful": answer.lawful,
        "standard_met": answer.standard_met,
        "basis": None if answer.basis is None else answer.basis.value,
        "event": None if answer.event is None or answer.event.id is None else str(answer.event.id),
        "rules": answer.rules,
        "reasons": answer.reasons,
    }


def _contact(position: int, answer: Contact) -> dict[str, Any]:
    return {
        "position": position,
        "valid": True,
        "allowed": answer.allowed,
        "reasons": [
            {
                "code": one.code.value,
                "text": one.text,
                "until": None if one.until is None else one.until.isoformat(),
                "rule": one.rule,
            }
            for one in answer.obstacles
        ],
        "notes": answer.notes,
        "place": {
            "country": answer.place.country,
            "region": answer.place.region,
            "evidence": answer.place.evidence,
        },
        "next_allowed_at": None if answer.next_at is None else answer.next_at.isoformat(),
    }


def _no_number(position: int) -> dict[str, Any]:
    reason = {"code": "not_a_number", "text": "This is not a valid phone number.", "until": None, "rule": ""}
    return {
        "position": position,
        "valid": False,
        "allowed": False,
        "reasons": [reason],
        "notes": [],
        "place": None,
        "next_allowed_at": None,
    }
