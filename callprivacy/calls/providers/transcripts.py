"""
The words of a call, where a tracker sends them along. `CallFacts` has no place for them on purpose: they take this
path of their own, which is only walked for a client that has switched it on, and nothing is kept before it is redacted.

CallRail: `transcription_text` in Call Modified (its `changes` name it), `transcription` in the API's shape. CTM:
`transcription_text`. No source settles how either says that it has redacted: the flags below are what their screens
suggest, and beside them the marks that redacting programs leave in a text count.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from callprivacy.calls.providers import base
from callprivacy.calls.providers.base import RefusedError
from callprivacy.lib import bounds

AT_MOST: Final = 400_000
"""Characters that are kept of one call, more than a day of talking."""

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "callrail": ("transcription_text", "transcription"),
    "ctm": ("transcription_text",),
}
_FLAGS: Final = ("transcription_redacted", "transcript_redacted", "pii_redacted", "redaction_applied")
_HINT: Final = b"transcription"
_MARKS: Final = re.compile(
    r"[\[<({](?:redacted|removed|censored|masked|pii|pci|phi|ssn|phone|credit|card|number|e-?mail|name|address)"
    r"[ _\-a-z0-9]{0,24}[\])>}]|\u2588{2,}|[*#]{4,}|\bX{4,}\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, repr=False)
class Words:
    """
    What was said on a call, as its tracker sent it: for whoever redacts and seals it at once.

    :ivar redacted: whether the tracker says, or the text shows, that it was redacted there; None where neither does.
    """

    text: str
    redacted: bool | None

    def __repr__(self) -> str:
        return "<Words>"


def words_of(provider: str, body: bytes) -> Words | None:
    """The words in one verified event; None where there are none, or the person was removed. Never raises."""
    names = _NAMES.get(provider)
    if names is None or _HINT not in body:
        return None
    try:
        payload = bounds.from_json(body)
    except ValueError:
        return None
    if not isinstance(payload, dict) or _said(payload, "redacted"):
        return None
    text = next((payload[name] for name in names if isinstance(payload.get(name), str)), "").strip()
    if not text:
        return None
    return Words(text[:AT_MOST], _redacted(payload, text))


def _redacted(payload: dict[str, Any], text: str) -> bool | None:
    for name in _FLAGS:
        said = _said(payload, name)
        if said is not None:
            return said
    return True if _MARKS.search(text) else None


def _said(payload: dict[str, Any], name: str) -> bool | None:
    try:
        return base.answer(payload.get(name), name)
    except RefusedError:
        return None
