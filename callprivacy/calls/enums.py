"""The words of a call."""

from django.db import models


class Direction(models.TextChoices):
    INBOUND = "inbound", "Inbound"
    OUTBOUND = "outbound", "Outbound"


class Outcome(models.TextChoices):
    ANSWERED = "answered", "Answered"
    MISSED = "missed", "Missed"
    VOICEMAIL = "voicemail", "Voicemail"
    ABANDONED = "abandoned", "Abandoned"
    BUSY = "busy", "Busy"
    FAILED = "failed", "Failed"
    UNDERWAY = "underway", "Under way"


class RecordingState(models.TextChoices):
    """Whether a recording may be heard: withheld until evidence allows it; `consent` writes what it decided."""

    WITHHELD = "withheld", "Withheld"
    ALLOWED = "allowed", "Allowed"
    GONE = "gone", "Erased"


class TranscriptState(models.TextChoices):
    """Whether a call's words may be read."""

    WITHHELD = "withheld", "Withheld"
    ALLOWED = "allowed", "Allowed"
    GONE = "gone", "Erased"


class InboxState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    REJECTED = "rejected", "Rejected"


class JobState(models.TextChoices):
    """How far an import or export is."""

    DRAFT = "draft", "Waiting for you"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class RevealReason(models.TextChoices):
    """Why a number is shown; the sentence beside it says more."""

    CALL_BACK = "call_back", "Call back at the caller's wish"
    COMPLAINT = "complaint", "Look into a complaint"
    REQUEST = "request", "Answer a privacy request"
    FRAUD = "fraud", "Suspected fraud or abuse"
    QUALITY = "quality", "Check a connection's data"
    VENDOR = "vendor", "Name the caller to a vendor"
    LEGAL = "legal", "Legal claim or authority"


class PressPurpose(models.TextChoices):
    """What a pressed key may be about. The ledger's own words, which stand above this room; a test holds them equal."""

    MEASURE = "measure", "Track and count"
    RECORD = "record", "Record"
    REVIEW = "review", "Play, read, listen live"
    ANALYSE = "analyse", "Analyze the content"
    CONTACT = "contact", "Contact"
    SHARE = "share", "Share or sell"


class PressKind(models.TextChoices):
    """What a pressed key may say."""

    WITHDRAWN = "withdrawn", "takes consent back"
    REFUSED = "refused", "says no"
    GIVEN = "given", "agrees"


class PressScope(models.TextChoices):
    """How far it reaches."""

    THIS_CALL = "this_call", "This call"
    STANDING = "standing", "Until the caller says otherwise"


class PullKind(models.TextChoices):
    """Why a tracker is asked for its calls."""

    TEST = "test", "Test"
    HOURLY = "hourly", "Each hour"
    NIGHTLY = "nightly", "Each night"
    BACKFILL = "backfill", "Backfill"


class ConfidentialCause(models.TextChoices):
    """Why a call is confidential: an officer says so, or one of the client's rules."""

    OFFICER = "officer", "An officer decided"
    HEALTH = "health", "Health words in the transcript"
    MINOR = "minor", "The caller is a minor"
    EMPLOYEE = "employee", "An employee's own number"
    LITIGATION = "litigation", "A legal hold keeps it"
