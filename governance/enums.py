"""Choices of vendors, breaches, training and premises."""

from typing import Final

from django.db import models


class VendorRole(models.TextChoices):
    """GDPR articles 4(7), 4(8) and 28."""

    PROCESSOR = "processor", "Processor"
    SUB_PROCESSOR = "sub_processor", "Sub-processor"
    CONTROLLER = "controller", "Independent controller"
    JOINT = "joint", "Joint controller"


class TransferTool(models.TextChoices):
    """Transfer mechanisms of GDPR chapter V."""

    NONE = "none", "No transfer out of the EEA or the UK"
    ADEQUACY = "adequacy", "Adequacy decision (article 45)"
    DPF = "dpf", "EU-US Data Privacy Framework"
    CLAUSES = "clauses", "Standard contractual clauses (article 46)"
    RULES = "rules", "Binding corporate rules (article 47)"
    UNKNOWN = "unknown", "Unknown"


class DataCategory(models.TextChoices):
    NUMBERS = "numbers", "Phone numbers"
    CALLS = "calls", "Call records"
    RECORDINGS = "recordings", "Recordings"
    TRANSCRIPTS = "transcripts", "Transcripts"
    CONSENTS = "consents", "Evidence of consent"
    IDENTITY = "identity", "Names and email addresses"
    SPECIAL = "special", "Health and other special categories"
    STAFF = "staff", "Employee data"


class ReviewDecision(models.TextChoices):
    APPROVED = "approved", "Approved"
    CONDITIONS = "conditions", "Approved with conditions"
    REFUSED = "refused", "Rejected"


class Answer(models.TextChoices):
    YES = "yes", "Yes"
    PARTLY = "partly", "Partly"
    NO = "no", "No"
    NOT_APPLICABLE = "na", "Not applicable"


class SubProcessorState(models.TextChoices):
    """GDPR article 28(2)."""

    NOTICED = "noticed", "Announced"
    ACCEPTED = "accepted", "Accepted"
    OBJECTED = "objected", "Objected to"
    ENDED = "ended", "Ended"


class BreachState(models.TextChoices):
    REPORTED = "reported", "Reported"
    OPEN = "open", "Open"
    CLOSED = "closed", "Closed"
    DISMISSED = "dismissed", "Dismissed"


class BreachKind(models.TextChoices):
    """EDPB Guidelines 9/2022."""

    CONFIDENTIALITY = "confidentiality", "Unauthorized disclosure or access"
    INTEGRITY = "integrity", "Unauthorized or accidental alteration"
    AVAILABILITY = "availability", "Loss of data or of access to it"


class BreachRisk(models.TextChoices):
    """It decides who is notified (GDPR articles 33 and 34)."""

    UNLIKELY = "unlikely", "Unlikely to harm people"
    RISK = "risk", "A risk to people"
    HIGH = "high", "A high risk to people"


class NoticeTo(models.TextChoices):
    AUTHORITY = "authority", "Supervisory authority"
    CLIENT = "client", "Client as controller"
    PEOPLE = "people", "Affected people"
    STATE = "state", "Residents of a US state"
    OFFICE = "office", "Attorney general or other US state office"
    PLACE = "place", "Recipients under another law"


PHASED: Final = (NoticeTo.AUTHORITY, NoticeTo.CLIENT)
"""Recipients of notifications in phases (GDPR article 33(4)); a controller passes them on."""


class NoticeState(models.TextChoices):
    DUE = "due", "Pending"
    SENT = "sent", "Sent"
    NOT_NEEDED = "not_needed", "Not required"


class EntrySource(models.TextChoices):
    KIOSK = "kiosk", "Kiosk"
    FILE = "file", "File"
    SYSTEM = "system", "Badge system"


class EntryFlag(models.TextChoices):
    OUTSIDE_HOURS = "outside_hours", "Outside access hours"
    NO_RIGHT = "no_right", "No access right"
    LEFT = "left", "Badge of a former member"
    NO_EXIT = "no_exit", "No exit recorded"
    UNKNOWN = "unknown", "Unknown badge"
    NO_BADGE = "no_badge", "No badge"
    NO_HOST = "no_host", "Unknown host"
