"""What is asked and what is answered. Plain values: no model, no clock."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from consent.enums import Basis, Channel, EventKind, Purpose, Scope, Standard, Strength, UnknownAge


@dataclass(frozen=True, slots=True)
class Event:
    """
    One event of the ledger about the person.

    `at` is when it happened, which alone counts; `recorded_at` is when we learned of it and decides nothing, so that
    evidence may arrive late. `call_id` names the call of an event in the scope of one call, where it is known.
    `guardian_until` is the day on which the person comes of age, where a guardian agreed, with proof.
    `channel` is None for an entry of the opt-out list, which outlives the event that it comes from.
    """

    purpose: Purpose
    kind: EventKind
    basis: Basis
    channel: Channel | None
    scope: Scope
    at: datetime
    strength: Strength | None = None
    id: Hashable | None = None
    recorded_at: datetime | None = None
    call_id: Hashable | None = None
    guardian_until: date | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where one side of the call is, and how that is known.

    :ivar country: ISO 3166-1 alpha-2, "" where nobody knows.
    :ivar region: ISO 3166-2 without the country, "" where nobody knows, "NS|PE" for one of several.
    :ivar evidence: of the caller `address`, `billing`, `tracker` or `carrier`, or the weak `area_code`; of those
        who answer `site`. Any other word is as weak as an area code and may speak of a site.
    """

    country: str
    region: str
    evidence: str


@dataclass(frozen=True, slots=True)
class CallSpan:
    """
    A call's time.

    :ivar ended_at: None while it is not known; then a call is taken to last no more than an hour.
    :ivar announcement: the caller heard at its start that it is recorded, and stayed.
    :ivar recording_started_at: where the recording is known to have begun later than the call (behind our menu).
    :ivar announced_on_recording: the recording holds that announcement; False where nobody knows.
    """

    started_at: datetime
    ended_at: datetime | None = None
    announcement: bool = False
    call_id: Hashable | None = None
    recording_started_at: datetime | None = None
    announced_on_recording: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """
    May this be done?

    :ivar at: the moment of use. Recording is judged over its call instead, of which `at` is the last known moment as
        long as its end is not known; without a call it is asked of one that begins at `at`.
    :ivar places: of both sides, all that is known; none at all is an unknown place.
    :ivar events: what the ledger knows of the person at this client, in any order, of any purpose.
    :ivar posted_notice: a sign or page told of the purpose when the call came.
    :ivar minor: the person is known to be one, or taken for one. :ivar age: in years, where it is known.
    :ivar presumed: that the trade of the client alone has the person taken for a minor.
    :ivar unknown_age: how the client reads a caller whose age nobody knows; None where nobody says.
    :ivar age_reason: why, in the client's words.
    :ivar claimed_reason: why consent counts at the client although nobody proved the number; "" where it does not.
    :ivar declared: on what the client rests measuring; only that purpose looks at it.
    :ivar zone: in which the reasons show instants.
    """

    purpose: Purpose
    at: datetime
    call: CallSpan | None = None
    places: tuple[Place, ...] = ()
    events: tuple[Event, ...] = ()
    posted_notice: bool = False
    standard: Standard = Standard.EXPRESS
    minor: bool = False
    age: int | None = None
    presumed: bool = False
    unknown_age: UnknownAge | None = None
    age_reason: str = ""
    claimed_reason: str = ""
    health: bool = False
    declared: Basis = Basis.LEGITIMATE_INTERESTS
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What was decided and why.

    :ivar allowed: `lawful` (the rules of the places) and `standard_met` (what the client asks of itself).
    :ivar basis: what an allowed use rests on; None where it is not allowed.
    :ivar event: the consent or notice it rests on, or the refusal or withdrawal that forbids it.
    :ivar rules: ids of the rules that were used.
    :ivar reasons: plain sentences, in the order in which one would say them.
    :ivar withheld_from: of a recording that is not allowed, from when on it is withheld: its beginning, or the
        moment of a withdrawal on the call (what was recorded before that was allowed). None for other purposes.
    """

    allowed: bool
    lawful: bool
    standard_met: bool
    basis: Basis | None
    event: Event | None
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    withheld_from: datetime | None = None
