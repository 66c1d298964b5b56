"""The words of the programme: vendors, breaches, training, premises."""

from typing import Final

from django.db import models


class VendorRole(models.TextChoices):
    """As what a vendor acts for the agency (GDPR articles 4(7), 4(8) and 28)."""

    PROCESSOR = "processor", "Processor"
    SUB_PROCESSOR = "sub_processor", "Sub-processor"
    CONTROLLER = "controller", "Controller of its own"
    JOINT = "joint", "Joint controller"


class TransferTool(models.TextChoices):
    """What a transfer out of the European Economic Area rests on (GDPR chapter V)."""

    NONE = "none", "No transfer out of the EEA or the UK"
    ADEQUACY = "adequacy", "Adequacy decision (article 45)"
    DPF = "dpf", "EU-US Data Privacy Framework"
    CLAUSES = "clauses", "Standard contractual clauses (article 46)"
    RULES = "rules", "Binding corporate rules (article 47)"
    UNKNOWN = "unknown", "Not known yet"


class DataCategory(models.TextChoices):
    """What a vendor, a breach or a record of processing is about."""

    NUMBERS = "numbers", "Phone numbers"
    CALLS = "calls", "Call records"
    RECORDINGS = "recordings", "Recordings"
    TRANSCRIPTS = "transcripts", "Transcripts"
    CONSENTS = "consents", "Evidence of consent"
    IDENTITY = "identity", "Names and e-mail addresses"
    SPECIAL = "special", "Health and other special categories"
    STAFF = "staff", "The agency's own people"


class ReviewDecision(models.TextChoices):
    APPROVED = "approved", "Approved"
    CONDITIONS = "conditions", "Approved with conditions"
    REFUSED = "refused", "Refused"


class Answer(models.TextChoices):
    YES = "yes", "Yes"
    PARTLY = "partly", "Partly"
    NO = "no", "No"
    NOT_APPLICABLE = "na", "Does not apply"


class SubProcessorState(models.TextChoices):
    """What became of a vendor's notice that it engages somebody (GDPR article 28(2))."""

    NOTICED = "noticed", "Announced"
    ACCEPTED = "accepted", "Accepted"
    OBJECTED = "objected", "Objected to"
    ENDED = "ended", "Ended"


class BreachState(models.TextChoices):
    """How far the handling of a breach is."""

    REPORTED = "reported", "Reported, not looked at yet"
    OPEN = "open", "Being handled"
    CLOSED = "closed", "Closed"
    DISMISSED = "dismissed", "No breach"


class BreachKind(models.TextChoices):
    """What was lost (EDPB Guidelines 9/2022)."""

    CONFIDENTIALITY = "confidentiality", "Somebody saw or got what was not for them"
    INTEGRITY = "integrity", "Something was altered"
    AVAILABILITY = "availability", "Something is lost or cannot be reached"


class BreachRisk(models.TextChoices):
    """How likely it harms people; it decides who is told (GDPR articles 33 and 34)."""

    UNLIKELY = "unlikely", "Unlikely to harm anybody"
    RISK = "risk", "A risk to people"
    HIGH = "high", "A high risk to people"


class NoticeTo(models.TextChoices):
    """Whom a breach is told to."""

    AUTHORITY = "authority", "Supervisory authority"
    CLIENT = "client", "Client that is the controller"
    PEOPLE = "people", "The people concerned"
    STATE = "state", "People of a US state"
    OFFICE = "office", "Attorney general or another office of a US state"
    PLACE = "place", "Whom the law of a place names that has no rule here"


PHASED: Final = (NoticeTo.AUTHORITY, NoticeTo.CLIENT)
"""Who is told in phases where not all is known at once (GDPR article 33(4); a controller passes it on)."""


class NoticeState(models.TextChoices):
    DUE = "due", "To be sent"
    SENT = "sent", "Sent"
    NOT_NEEDED = "not_needed", "Not needed"


class EntrySource(models.TextChoices):
    """How an entry became known."""

    KIOSK = "kiosk", "Kiosk"
    FILE = "file", "File"
    SYSTEM = "system", "Badge system"


class EntryFlag(models.TextChoices):
    OUTSIDE_HOURS = "outside_hours", "Outside the hours"
    NO_RIGHT = "no_right", "Without a right"
    LEFT = "left", "Badge of somebody who left"
    NO_EXIT = "no_exit", "Never left"
    UNKNOWN = "unknown", "Unknown badge"
    NO_BADGE = "no_badge", "Came without a badge"
    NO_HOST = "no_host", "Host not known here"
