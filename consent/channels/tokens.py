"""
What our pages hand out and take back, signed by this installation: which words a form showed, which events a
receipt names, and that a question was asked once before. None holds a number.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.core import signing

from consent.enums import Purpose

FORM_FOR: Final = timedelta(hours=4)
RECEIPT_FOR: Final = timedelta(days=30)
QUESTION_FOR: Final = timedelta(minutes=15)
_FORM: Final = "callprivacy.consent.form"
_RECEIPT: Final = "callprivacy.consent.receipt"
_QUESTION: Final = "callprivacy.consent.question"
# Two machines of ours may differ by this much.
_EARLY: Final = timedelta(minutes=1)


class StaleFormError(ValueError):
    """The form was open for too long, or did not come from here."""


class UnknownReceiptError(LookupError):
    """No receipt of this client, or one that is too old."""


def _sign(salt: str, client_id: int, at: datetime, **more: Any) -> str:
    said = {"client": client_id, "at": int(at.timestamp()), **more}
    return signing.Signer(salt=salt, sep=".").sign_object(said, compress=True)


def _read(salt: str, text: str, client_id: int, at: datetime, good_for: timedelta) -> dict[str, Any] | None:
    try:
        said: dict[str, Any] = signing.Signer(salt=salt, sep=".").unsign_object(text)
    except (signing.BadSignature, ValueError):
        return None
    age = at.timestamp() - said["at"]
    fresh = -_EARLY.total_seconds() <= age < good_for.total_seconds()
    return said if fresh and said["client"] == client_id else None


def sign_form(
    client_id: int, shown: Mapping[uuid.UUID, Iterable[Purpose]], *, at: datetime, once: str = ""
) -> str:
    """
    A note of which version's words stood beside the boxes of which purposes, and when.

    :param once: a word by chance, where two forms of the same second have to be told apart.
    """
    by_version = {version.hex: [purpose.value for purpose in purposes] for version, purposes in shown.items()}
    return _sign(_FORM, client_id, at, shown=by_version, **({"once": once} if once else {}))


def read_form(text: str, *, client_id: int, at: datetime) -> dict[Purpose, uuid.UUID]:
    """
    Which version's words stood beside the box of each purpose.

    :raises StaleFormError: it is too old, another client's, or not from here.
    """
    said = _read(_FORM, text, client_id, at, FORM_FOR)
    if said is None:
        raise StaleFormError
    return {
        Purpose(purpose): uuid.UUID(version)
        for version, purposes in said["shown"].items()
        for purpose in purposes
    }


def sign_receipt(
    client_id: int, event_ids: Collection[uuid.UUID], *, at: datetime, later: bool = False
) -> str:
    """
    A receipt's address.

    :param later: a yes was left open, because it has to be said twice.
    """
    return _sign(_RECEIPT, client_id, at, events=[event_id.hex for event_id in event_ids], later=later)


def read_receipt(text: str, *, client_id: int, at: datetime) -> tuple[list[uuid.UUID], bool]:
    """
    The events of a receipt, and whether a yes was left open.

    :raises UnknownReceiptError: it is too old, another client's, or not from here.
    """
    said = _read(_RECEIPT, text, client_id, at, RECEIPT_FOR)
    if said is None:
        raise UnknownReceiptError
    return [uuid.UUID(event_id) for event_id in said["events"]], bool(said["later"])


def sign_question(client_id: int, caller_id: uuid.UUID, *, at: datetime) -> str:
    """That this person was asked once whether to allow sharing again."""
    return _sign(_QUESTION, client_id, at, caller=caller_id.hex)


def was_asked(text: str, *, client_id: int, caller_id: uuid.UUID, at: datetime) -> bool:
    said = _read(_QUESTION, text, client_id, at, QUESTION_FOR)
    return said is not None and said["caller"] == caller_id.hex
