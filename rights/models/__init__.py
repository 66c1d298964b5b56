"""Rows of requests: submissions and their cases, identities and proofs, what was found, and what goes out."""

from rights.models.answers import Approval, Letter, RecipientNotice
from rights.models.cases import (
    Case,
    CaseEvent,
    CaseNote,
    CaseTask,
    ClientFacts,
    Pause,
    Step,
    Submission,
)
from rights.models.found import Download, Finding, Package
from rights.models.portal import HouseCode, PrivacyNotice, RequestPage
from rights.models.proofs import Identity, Proof
