"""
Opening what is sealed in a request: all of it is under one key of its submission.

The key is `request/<submission id>` of the submission's holder; destroying it erases what the person said, in every
copy, while the row with the six fields of the record stays until its date.
"""

import json
from typing import Any

from callprivacy.vault import selectors as vault
from callprivacy.vault.fields import Sealed
from callprivacy.vault.sealing import Key
from rights.models import Submission


def purpose_of(submission: Submission) -> str:
    """The name of a submission's key among its holder's keys."""
    return f"request/{submission.pk}"


def key_of(submission: Submission) -> Key | None:
    """Open a submission's key, two queries; None where it never was or is destroyed."""
    holder = submission.holder_id
    return vault.uncalled_key(vault.client_keys(holder), vault.purpose_id(holder, purpose_of(submission)))


def text(sealed: Sealed | None, key: Key | None) -> str:
    """What is sealed, in the clear; "" where nothing is, or its key is gone."""
    return sealed.reveal(key) if sealed is not None and key is not None else ""


def record(sealed: Sealed | None, key: Key | None) -> dict[str, Any]:
    """A sealed JSON object in the clear; empty where nothing is sealed, or its key is gone."""
    found = text(sealed, key)
    return dict(json.loads(found)) if found else {}
