"""
Hearing a recording and reading its words: for who may, for a reason, written down first, as far as people agreed.

The reason opens a ticket of a few minutes that is bound to the person, the recording and the browser's session; the
sound is given out against it, and whether it may be heard is asked anew each time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.core import signing
from django.db import transaction
from django.utils.crypto import salted_hmac

from callprivacy.audit import services as audit
from callprivacy.calls.enums import RecordingState, TranscriptState
from callprivacy.calls.models import Call, Recording, Transcript
from callprivacy.calls.services.reveals import checked_reason
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.tenancy.models import Client
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault.files import RecordingReader
from callprivacy.vault.sealing import SealBrokenError
from consent.enums import Purpose, UseReason
from consent.services import audio, decisions
from consent.services.decisions import Use

PLAYS_FOR: Final = timedelta(minutes=15)
_SALT: Final = "callprivacy.consent.playing"


class NotHereError(LookupError):
    """There is nothing to play or read here; says why."""


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """
    What came of asking: whether it may be used and why, and then the ticket for the sound, or the words.

    :ivar obstacle: why it cannot be given out although people agreed: it cannot be parted, or does not open.
    """

    use: Use
    ticket: str = ""
    text: str = ""
    obstacle: str = ""


def _checked_reason(reason: str, by: Actor) -> str:
    if by.user_id is None or by.kind is not ScopeKind.STAFF:
        raise TypeError("A recording is opened for a person.")
    return checked_reason(reason)


# --- Hearing ------------------------------------------------------------------------------------------------------


@transaction.atomic
def open_recording(
    *, client: Client, call: Call, kind: UseReason, reason: str, session: str, by: Actor, at: datetime
) -> Opened:
    """
    Decide whether a call may be heard now, write it down with the reason, and return a ticket for its sound.

    A refusal is written down too, and leaves its decision beside the call.

    :param session: the key of the browser's session, which the ticket is bound to.
    :raises NotHereError: there is no recording here.
    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    """
    reason = _checked_reason(reason, by)
    recording = stored_recording(call)
    use = decisions.may_use(client=client, call=call, purpose=Purpose.REVIEW, at=at)
    if not use.allowed:
        audit.record("recording.refused", subject=call, by=by, at=at, reason=reason, kind=kind.value)
        return Opened(use)
    try:
        sound = _sound_of(recording, call, use)
    except (SealBrokenError, FileNotFoundError):
        return Opened(use, obstacle="The stored file can no longer be decrypted.")
    except audio.NotPartedError as error:
        return Opened(use, obstacle=str(error))
    sound.close()
    audit.record(
        "recording.played",
        subject=call,
        by=by,
        at=at,
        reason=reason,
        kind=kind.value,
        in_part=use.until is not None,
    )
    ticket = signing.dumps(
        [by.user_id, recording.pk.hex, _bound(session), int(at.timestamp())], salt=_SALT, compress=False
    )
    return Opened(use, ticket=ticket)


def stored_recording(call: Call) -> Recording:
    """
    The call's recording, where it is stored here.

    :raises NotHereError: it is not; says why.
    """
    recording = Recording.objects.for_client(call.client_id).filter(call_id=call.pk).first()
    if recording is None:
        raise NotHereError("This call has no recording.")
    if recording.state == RecordingState.GONE:
        raise NotHereError("The recording of this call was deleted.")
    if recording.file_key is None:
        raise NotHereError("CallPrivacy does not store the recording of this call.")
    return recording


def _bound(session: str) -> str:
    """What stands for a session in a ticket: the ticket is in an address and must not open the session."""
    return salted_hmac(_SALT, session, algorithm="sha256").hexdigest()[:32]


class Sound:
    """What may be heard of a recording: a file of its own, read from any place on."""

    def __init__(self, reader: RecordingReader, media_type: str, part: audio.Parted | None) -> None:
        self._reader = reader
        self._head = b"" if part is None else part.head
        self.size: int = reader.size if part is None else part.size
        self.media_type = media_type

    def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from a place on; fewer where a sealed piece ends, none past the end."""
        length = min(length, self.size - start)
        if length <= 0:
            return b""
        if start < len(self._head):
            return self._head[start : start + length]
        self._reader.seek(start)
        found = bytearray()
        while len(found) < length and (piece := self._reader.read(length - len(found))):
            found += piece
        return bytes(found)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()


def _sound_of(recording: Recording, call: Call, use: Use) -> Sound:
    key = vault.recording_keys(recording.client_id, [recording.pk]).get(recording.pk)
    if key is None or recording.file_key is None:
        raise SealBrokenError("The recording's encryption key is destroyed.")
    reader = files.open_recording(recording.client_id, recording.file_key, key)
    try:
        part = None if use.until is None else _part(reader, recording, call, use.until)
    except BaseException:
        reader.close()
        raise
    return Sound(reader, recording.media_type, part)


def _part(reader: RecordingReader, recording: Recording, call: Call, until: datetime) -> audio.Parted:
    if recording.media_type != "audio/wav":
        raise audio.NotPartedError(
            "A person withdrew consent during this call, and this file type cannot be split at that moment."
        )
    seconds = audio.seconds_until(
        started_after=(until - call.started_at).total_seconds(),
        call_seconds=call.seconds,
        recording_seconds=recording.seconds,
    )
    if seconds is None:
        raise audio.NotPartedError(
            "A person withdrew consent during this call, and the start time of the recording is unknown."
        )
    start = reader.read(audio.HEAD_AT_MOST)
    return audio.parted(start, size=reader.size, seconds=seconds)


def sound_for(*, client: Client, call: Call, ticket: str, session: str, by: Actor, at: datetime) -> Sound:
    """
    The sound that a ticket is for. Whether it may be heard is asked again: a withdrawal counts at once.

    :raises NotHereError: no such ticket, another's, too old, or it may not be heard any more.
    """
    refused = NotHereError("This ticket opens nothing.")
    try:
        user_id, recording_id, bound_to, given_at = signing.loads(ticket, salt=_SALT)
        given = datetime.fromtimestamp(given_at, tz=at.tzinfo)
    except (signing.BadSignature, ValueError, TypeError, OverflowError):
        raise refused from None
    recording = stored_recording(call)
    is_theirs = (user_id, recording_id, bound_to) == (by.user_id, recording.pk.hex, _bound(session))
    if not is_theirs or not timedelta(0) <= at - given < PLAYS_FOR:
        raise refused
    use = decisions.judge(client=client, call=call, purpose=Purpose.REVIEW, at=at)
    if not use.allowed:
        raise refused
    try:
        return _sound_of(recording, call, use)
    except (SealBrokenError, FileNotFoundError, audio.NotPartedError):
        raise refused from None


# --- Reading ------------------------------------------------------------------------------------------------------


@transaction.atomic
def open_transcript(
    *, client: Client, call: Call, kind: UseReason, reason: str, by: Actor, at: datetime
) -> Opened:
    """
    Decide whether a call's words may be read now, write it down with the reason, and return them.

    :raises NotHereError: there is no transcript here.
    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    """
    reason = _checked_reason(reason, by)
    transcript = kept_transcript(call)
    use = decisions.may_use(client=client, call=call, purpose=Purpose.REVIEW, at=at)
    if not use.allowed:
        audit.record("transcript.refused", subject=call, by=by, at=at, reason=reason, kind=kind.value)
        return Opened(use)
    if use.until is not None:
        return Opened(
            use,
            obstacle="A person withdrew consent during this call, and the transcript cannot be split at that moment.",
        )
    key = vault.recording_keys(client.pk, [transcript.pk]).get(transcript.pk)
    sealed: Any = transcript.text
    try:
        if key is None or sealed is None:
            raise SealBrokenError("The transcript's encryption key is destroyed.")
        text = str(sealed.reveal(key))
    except SealBrokenError:
        return Opened(use, obstacle="The transcript can no longer be decrypted.")
    audit.record("transcript.read", subject=call, by=by, at=at, reason=reason, kind=kind.value)
    return Opened(use, text=text)


def kept_transcript(call: Call) -> Transcript:
    """
    The call's transcript.

    :raises NotHereError: there is none; says why.
    """
    transcript = Transcript.objects.for_client(call.client_id).filter(call_id=call.pk).first()
    if transcript is None:
        raise NotHereError("This call has no transcript.")
    if transcript.state == TranscriptState.GONE:
        raise NotHereError("The transcript of this call was deleted.")
    return transcript
