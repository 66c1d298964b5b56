"""
The words of consent. Their values are what files, the API and the ledger hold.

The engine, the law and the matcher know these and no model.
"""

from typing import Final

from django.db import models


class Purpose(models.TextChoices):
    """What is done with a call or with a number; each is asked for and withdrawn on its own."""

    MEASURE = "measure", "Track and count"
    RECORD = "record", "Record"
    REVIEW = "review", "Play, read, listen live"
    ANALYSE = "analyse", "Analyze the content"
    CONTACT = "contact", "Contact"
    SHARE = "share", "Share or sell"


class EventKind(models.TextChoices):
    """What happened, as the ledger writes it down."""

    GIVEN = "given", "Given"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn"
    NOTICED = "noticed", "Notice given"
    RENEWED = "renewed", "Renewed"
    EXPIRED = "expired", "Expired"
    INVALIDATED = "invalidated", "Invalidated"


YES_KINDS: Final = frozenset({EventKind.GIVEN, EventKind.RENEWED})
"""By which a person agrees."""

NO_KINDS: Final = frozenset({EventKind.REFUSED, EventKind.WITHDRAWN})
"""By which a person says no."""


class Scope(models.TextChoices):
    """How far an event reaches."""

    THIS_CALL = "this_call", "This call"
    STANDING = "standing", "Until withdrawn"


class Strength(models.TextChoices):
    """How sure it is that the person said it."""

    A = "A", "Verified number, key press, or the person's own signature"
    B = "B", "Authenticated email"
    C = "C", "Attested by staff, a list, or another system"
    D = "D", "Claimed: number not verified"


def is_weak(purpose: str, kind: str, strength: str | None) -> bool:
    """
    Whether a yes is too weak to lift a no that came before it.

    Nobody showed whose it is (C, D); or it is one to sharing that was not asked a second time, which `renewed` says. Of
    one without a strength (a question from a file) nothing of the kind is known: it is taken for the person's own.
    """
    if strength is None:
        return False
    return strength in {Strength.C, Strength.D} or (purpose == Purpose.SHARE and kind == EventKind.GIVEN)


def grade_of(channel: str | None, strength: str) -> Strength:
    """
    The grade of an event: a web form's is claimed until the number is proven, also where it was kept as C.

    Before the grade D there was, a form on an unproven number was kept as C (docs/adr/0143).
    """
    if strength == Strength.C and channel in {Channel.WEB, Channel.PORTAL}:
        return Strength.D
    return Strength(strength)


class UnknownAge(models.TextChoices):
    """How a client reads a caller whose age nobody knows."""

    ADULT = "adult", "As an adult"
    MINOR = "minor", "As a minor whose guardian must consent"


class Standard(models.TextChoices):
    """What a client asks of itself beyond the law."""

    EXPRESS = "express", "Express consent"
    ANNOUNCE = "announce", "Announcement on the call, or express consent"
    LEGAL_MINIMUM = "legal_minimum", "Legal minimum"


class Channel(models.TextChoices):
    """The way an event came."""

    WEB = "web", "Web form"
    EMAIL = "email", "Email"
    TERMS = "terms", "Signed terms"
    MENU = "menu", "Phone menu"
    SMS = "sms", "Text message"
    POSTED = "posted", "Posted notice"
    ANNOUNCEMENT = "announcement", "Announcement on the call"
    AGENT = "agent", "Agent on the phone"
    API = "api", "API"
    TRACKER = "tracker", "Call tracker"
    IMPORT = "import", "Imported list"
    GPC = "gpc", "Browser signal"
    PORTAL = "portal", "Preference center"
    OFFICER = "officer", "Compliance officer"


class Basis(models.TextChoices):
    """What an event, or a client's declaration, rests on."""

    CONSENT = "consent", "Consent"
    LEGITIMATE_INTERESTS = "legitimate_interests", "Legitimate interests"
    CONTRACT = "contract", "Contract"
    LEGAL_OBLIGATION = "legal_obligation", "Legal obligation"
    NOTICE = "notice", "Notice"


class Language(models.TextChoices):
    """Languages that words to callers come in."""

    ENGLISH = "en", "English"
    SPANISH = "es", "Spanish"


class CodeWay(models.TextChoices):
    """How a code reaches a phone."""

    TEXT = "text", "Text message"
    CALL = "call", "Phone call"


class NoticeState(models.TextChoices):
    """Whether a version's words may still change."""

    DRAFT = "draft", "Draft"
    PUBLISHED = "published", "Published"
    RETIRED = "retired", "Retired"


class PostedWhere(models.TextChoices):
    """Where a notice hangs that nobody clicks on."""

    SITE = "site", "Website"
    AD = "ad", "Advertisement"
    PROFILE = "profile", "Business profile"
    PRINT = "print", "Print"
    PREMISES = "premises", "Sign on the premises"


class State(models.TextChoices):
    """Where a person stands with a purpose at a client, out of the standing events."""

    NONE = "none", "No record"
    NOTICED = "noticed", "Notice given"
    GIVEN = "given", "Given"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "Expired"
    INVALIDATED = "invalidated", "Invalidated"


NO_STATES: Final = frozenset({State.REFUSED, State.WITHDRAWN})
"""In which a person's no stands."""
RESTRICTED: Final = "restricted"
"""Beside the purposes in the vault's list of noes: that nothing of the person's is used for anything."""
NOT_ASKED: Final = "not_asked"
"""Beside the purposes there: that nobody asks this number, or this address, for a consent until the entry ends."""


class WaitingState(models.TextChoices):
    """How far something is that a job or a person has to do."""

    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Canceled"


class VendorStep(models.TextChoices):
    """What a vendor has to do when a person withdraws; the first is ours: to say which of the others."""

    CHOOSE = "choose", "Choose how to stop recording this caller"
    STOP_RECORDING = "stop_recording", "Stop the recording in progress"
    DELETE_RECORDING = "delete_recording", "Delete a recording"
    REDACT_CALLER = "redact_caller", "Redact the caller"
    TURN_OFF_RECORDING = "turn_off_recording", "Turn off recording for the number"
    TURN_OFF_MONITORING = "turn_off_monitoring", "Turn off live monitoring"
    MOVE_TO_MENU = "move_to_menu", "Move the number to our phone menu"
    ANNOUNCE = "announce", "Announce recording before the call connects"
    STOP_TEXTS = "stop_texts", "Stop texting"
    REMOVE_FROM_ADS = "remove_from_ads", "Remove from an advertiser's list"


class OnWithdrawal(models.TextChoices):
    """What an officer has chosen to do where a tracker cannot ask before it records."""

    MENU = "menu", "Move the number to our phone menu"
    OFF = "off", "Turn off recording at the tracker"
    DELETE = "delete", "Delete each recording of this caller after the call"


class InvitationState(models.TextChoices):
    """How far an invitation by e-mail or text is."""

    QUEUED = "queued", "Queued"
    SENT = "sent", "Sent"
    REMINDED = "reminded", "Reminded"
    ANSWERED = "answered", "Answered"
    BOUNCED = "bounced", "Bounced"
    PURGED = "purged", "Purged"


class ReplyState(models.TextChoices):
    """What became of something a person wrote."""

    SETTLED = "settled", "Resolved automatically"
    WAITING = "waiting", "Waiting for review"
    DECIDED = "decided", "Reviewed"


class ListKind(models.TextChoices):
    DO_NOT_CALL = "do_not_call", "Do-not-call list"
    REASSIGNED = "reassigned", "Reassigned numbers"


class SetupStep(models.TextChoices):
    """The steps from a new client to one that is live, in their order."""

    BLUEPRINT = "blueprint", "Blueprint"
    ENGAGEMENT = "engagement", "Engagement"
    TRACKER = "tracker", "Call tracker"
    BACKFILL = "backfill", "Past calls"
    NUMBERS = "numbers", "Numbers"
    FINDINGS = "findings", "Findings"
    PEOPLE = "people", "People"
    WORDS = "words", "Text and snippet"
    LIVE = "live", "Go live"


class UseReason(models.TextChoices):
    """Why a recording is heard or a transcript read; the sentence beside it says more."""

    LEAD = "lead", "Qualify the call"
    QUALITY = "quality", "Check call quality"
    TRAINING = "training", "Train agents"
    COMPLAINT = "complaint", "Investigate a complaint"
    REQUEST = "request", "Answer a data subject request"
    LEGAL = "legal", "Legal claim or government request"
