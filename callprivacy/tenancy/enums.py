"""The words that tenancy speaks: permissions on a client, places and roles in an engagement."""

from enum import StrEnum

from django.db import models


class Permission(StrEnum):
    """What a person may do with one client's data; PostgreSQL's policies name the same strings."""

    VIEW_CLIENT = "view_client"
    VIEW_CALLS = "view_calls"
    REVEAL_NUMBERS = "reveal_numbers"
    PLAY_RECORDINGS = "play_recordings"
    READ_TRANSCRIPTS = "read_transcripts"
    EXPORT_CALLS = "export_calls"
    ANSWER_CALLS = "answer_calls"
    MANAGE_CONSENT = "manage_consent"
    MANAGE_RETENTION = "manage_retention"
    HANDLE_REQUESTS = "handle_requests"
    VIEW_ANALYTICS = "view_analytics"
    VIEW_EXACT_REPORTS = "view_exact_reports"
    RELEASE_DATA = "release_data"
    MANAGE_CONNECTIONS = "manage_connections"

    @property
    def words(self) -> str:
        """The permission as a person reads it, "Reveal numbers"."""
        return self.value.replace("_", " ").capitalize()


class PartyRole(models.TextChoices):
    """As what the agency acts for a purpose (GDPR articles 4(7) and 4(8))."""

    CONTROLLER = "controller", "Controller"
    JOINT = "joint", "Joint controller"
    PROCESSOR = "processor", "Processor"


class Answerer(models.TextChoices):
    """Who answers the requests of the people called."""

    AGENCY = "agency", "The agency"
    AFTER_APPROVAL = "after_approval", "The agency, after the client's approval"
    CLIENT = "client", "The client"


class AtEnd(models.TextChoices):
    """What happens to a client's data when the engagement ends."""

    ERASE = "erase", "Erase everything"
    RETURN = "return", "Return, then erase"


class Sector(models.TextChoices):
    """The trade of a client; it decides which blueprint and which law's exceptions apply."""

    HOME = "home", "Home services"
    DENTAL = "dental", "Dental"
    HEALTH = "health", "Health: medicine, therapy, care"
    PAEDIATRIC = "paediatric", "Paediatrics"
    CHILDREN = "children", "Children: child care, schools, camps"
    LEGAL = "legal", "Legal"
    RETAIL = "retail", "Retail"
    AUTO = "auto", "Automotive"
    PROPERTY = "property", "Property"
    OTHER = "other", "Other"

    @property
    def is_health(self) -> bool:
        """Whether calls of the trade are about health."""
        return self in {Sector.DENTAL, Sector.HEALTH, Sector.PAEDIATRIC}

    @property
    def presumes_minors(self) -> bool:
        """Whether whoever calls such a client is taken for a minor: nothing is shared, and no row leaves."""
        return self in {Sector.PAEDIATRIC, Sector.CHILDREN}


class RetentionState(models.TextChoices):
    """Whether expired calls are only counted (observe) or leave (live)."""

    OBSERVE = "observe", "Observe: nothing leaves"
    LIVE = "live", "Live: expired calls leave"


class KeyPurpose(models.TextChoices):
    """What a public key in a url opens."""

    HOOK = "hook", "Webhook of a connection"
    INVITATION = "invitation", "Invitation link"
    CONSENT = "consent", "Consent page of a client"
    ASK = "ask", "Personal link in an invitation"
    API = "api", "Key of the API"
    REQUEST = "request", "Requests page of a client or an agency"
    CASE = "case", "Personal page of one request"
    APPROVAL = "approval", "Approval link for a client"
    PREMISES = "premises", "Key of a badge system"
    BINDER = "binder", "Link to a binder of proof"
    HANDOVER = "handover", "Link to what a client that leaves is given"
    MOVED = "moved", "Page or link of a client that has left"
    SIGN_IN = "sign_in", "Sign-in address of an agency"
    KIOSK = "kiosk", "Page at a site's door"
