"""
The words of consent. Their values are what files, the API and the ledger hold.

The engine, the law and the matcher know these and no model.
"""

from __future__ import annotations

from django.db import models


class Purpose(models.TextChoices):
    """What is done with a call or with a number; each is asked for and withdrawn on its own."""

    MEASURE = "measure", "Track and count"
    RECORD = "record", "Record"
    REVIEW = "review", "Play, read, listen live"
    ANALYSE = "analyse", "Analyse the content"
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


class Scope(models.TextChoices):
    """How far an event reaches."""

    THIS_CALL = "this_call", "This call"
    STANDING = "standing", "Until it is withdrawn"


class Strength(models.TextChoices):
    """How sure it is that the person said it."""

    A = "A", "Proven number, key press or signature of the person"
    B = "B", "Authenticated e-mail"
    C = "C", "Number not proven, or attested by a list"


class Standard(models.TextChoices):
    """What a client asks of itself beyond the law."""

    EXPRESS = "express", "Express consent"
    ANNOUNCE = "announce", "Announced on this call, or express"
    LEGAL_MINIMUM = "legal_minimum", "What the law asks"


class Channel(models.TextChoices):
    """The way an event came."""

    WEB = "web", "Web form"
    EMAIL = "email", "E-mail"
    TERMS = "terms", "Signed terms"
    MENU = "menu", "Telephone menu"
    SMS = "sms", "Text message"
    POSTED = "posted", "Posted sign or page"
    ANNOUNCEMENT = "announcement", "Announcement on the call"
    AGENT = "agent", "Agent on the phone"
    API = "api", "API"
    TRACKER = "tracker", "Call tracker"
    IMPORT = "import", "Imported list"
    GPC = "gpc", "Signal of the browser"
    PORTAL = "portal", "Preference centre"
    OFFICER = "officer", "Compliance officer"


class Basis(models.TextChoices):
    """What an event, or a client's declaration, rests on."""

    CONSENT = "consent", "Consent"
    LEGITIMATE_INTERESTS = "legitimate_interests", "Legitimate interests"
    CONTRACT = "contract", "Contract"
    LEGAL_OBLIGATION = "legal_obligation", "Legal obligation"
    NOTICE = "notice", "Notice"
