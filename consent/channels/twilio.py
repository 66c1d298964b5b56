"""
Twilio's side of the wire: what its webhooks say, and the few things that we ask of its REST interface.

Source: twilio/twilio-oai, api_v2010 (Messages, Recordings, Calls/{sid}/Recordings/{sid}, Recordings/{sid}/
Transcriptions) and intelligence_v2 (Transcripts, Transcripts/{sid}/Sentences). Nothing here opens a scope: who calls
claims first, commits, calls, and records. No number and no token is in an error's text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from callprivacy.calls.channels import asking
from callprivacy.calls.providers.base import ListedPage, UnparsableError
from callprivacy.calls.providers.twilio import listed
from callprivacy.lib import bounds, phone

NAME: Final = "twilio"
SID: Final = "sid"
"""The kind of reference under which `calls.CallRef` knows a CallSid."""

OPTED_OUT: Final = 21610
CURRENT: Final = "Twilio.CURRENT"

_TIMEOUT: Final = urllib3.Timeout(connect=4, read=8)
_FIELDS_AT_MOST: Final = 300
_LISTED_AT_ONCE: Final = 500
_SENTENCES_AT_ONCE: Final = 1000
_SENTENCE_PAGES: Final = 20
_API: Final = "https://api.twilio.com"
_INTELLIGENCE: Final = "https://intelligence.twilio.com"
_TEXT_AT_MOST: Final = 1600
_TRY_AGAIN: Final = frozenset({408, 429})
_sid = re.compile(r"[A-Z]{2}[0-9a-zA-Z]{1,62}|Twilio\.CURRENT", re.ASCII).fullmatch
_VERIFICATION: Final = re.compile(r"[A-Za-z-]{1,40}", re.ASCII).fullmatch
# Ways of writing that Twilio carries beside texts; whoever says stop there is the same person.
_OTHER_WAYS: Final = ("whatsapp:", "rcs:")
_OWN_WORDS: Final = frozenset(
    {
        "STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT",
        "START", "YES", "UNSTOP",
        "HELP", "INFO",
    }
)  # fmt: skip


# --- What webhooks say ---


def read(body: bytes) -> dict[str, str]:
    """The parameters of a form whose signature has been checked; the first of repeated names stands."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_AT_MOST)
    except ValueError:
        return {}
    return dict(reversed(pairs))


def number_of(raw: str) -> str | None:
    """A number in E.164; None for a withheld caller, a short code, a name, a client or a SIP address."""
    lowered = raw.strip().lower()
    for way in _OTHER_WAYS:
        lowered = lowered.removeprefix(way)
    found = phone.normalise(lowered) if lowered.startswith("+") else None
    return found if found and not phone.is_withheld(found) else None


def verification_of(raw: str) -> str:
    """`StirVerstat` as it came, or nothing where it is no such word."""
    return raw if _VERIFICATION(raw) else ""


def is_proven(verification: str) -> bool:
    """Whether the carrier vouches that the caller may use the number (full attestation, "A")."""
    return verification == "TN-Validation-Passed-A"


def is_account(sid: str) -> bool:
    return sid.startswith("AC") and _sid(sid) is not None


def is_call(sid: str) -> bool:
    return sid.startswith("CA") and _sid(sid) is not None


def is_recording(sid: str) -> bool:
    return sid.startswith("RE") and _sid(sid) is not None


def is_message(sid: str) -> bool:
    """Whether this is the id of a text, with pictures or without."""
    return sid.startswith(("SM", "MM")) and _sid(sid) is not None


def answers_itself(words: str) -> bool:
    """
    Whether Twilio answers these words itself: its default opt-out, opt-in and help words, alone and in any case
    (support article 223134027).
    """
    return words.strip().upper() in _OWN_WORDS


# --- What we ask ---


class TwilioError(Exception):
    """Twilio did not do what it was asked."""


class RetryableError(TwilioError):
    """
    It did not, and it may later: nothing was done. The text says why in a word.

    :ivar wait: how long it wants to be left alone; None where it does not say.
    """

    def __init__(self, why: str, *, wait: timedelta | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class UnclearError(TwilioError):
    """The connection broke after the question was sent: whether it was done is not known."""


class RefusedError(TwilioError):
    """It will not, however often it is asked. `code` is Twilio's, 0 where it said none."""

    def __init__(self, status: int, code: int) -> None:
        self.status, self.code = status, code
        super().__init__(f"refused with {status}, code {code}")


class GoneError(RefusedError):
    """What the question is about is not there, or no longer."""


class OptedOutError(RefusedError):
    """The number has said no to texts of this sender (code 21610)."""


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """
    An account or subaccount, and what opens it.

    :ivar base: where its interface is; the demo's is played by ourselves.
    """

    sid: str
    token: str
    base: str = field(default=_API)

    @property
    def intelligence(self) -> str:
        """Where its transcripts are: a host of their own, but for one that stands for all of Twilio."""
        return _INTELLIGENCE if self.base == _API else self.base

    def __repr__(self) -> str:
        """Without the token."""
        return f"<Account {self.sid}>"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What Twilio answered: the thing's own id and state."""

    sid: str
    state: str

    def __str__(self) -> str:
        return f"{self.sid} {self.state}".strip()


_pool = urllib3.PoolManager(num_pools=4, maxsize=2, retries=False)


def stop_recording(account: Account, *, call: str, recording: str = CURRENT) -> Receipt:
    """
    Stop a call's running recording, by default the one that runs now; its own id is in the receipt.

    :raises GoneError: nothing is being recorded on that call any more.
    :raises TwilioError: see the other kinds.
    """
    path = f"Calls/{_checked(call)}/Recordings/{_checked(recording)}.json"
    return _receipt(_ask(account, "POST", path, {"Status": "stopped"}))


def delete_recording(account: Account, *, recording: str) -> Receipt:
    """
    Delete a recording for good; one that is not there any more is deleted.

    :raises TwilioError: it is not known to be deleted.
    """
    try:
        _ask(account, "DELETE", f"Recordings/{_checked(recording)}.json", {})
    except GoneError:
        return Receipt(recording, "not found")
    return Receipt(recording, "deleted")


def list_recordings(account: Account, *, following: str = "") -> ListedPage:
    """
    A page of what the account still has recorded, the newest first.

    :param following: what the page before said; "" for the first.
    :raises TwilioError: it did not answer with a list.
    """
    said = {"PageSize": str(_LISTED_AT_ONCE)} | ({"Page": "1", "PageToken": following} if following else {})
    try:
        return listed(_ask(account, "GET", f"Recordings.json?{urlencode(said)}", {}))
    except UnparsableError as error:
        raise RetryableError("answered with no list") from error


def read_words(account: Account, *, recording: str) -> str | None:
    """
    What was said on a recording, as Twilio has transcribed it; None where it has not.

    Both ways in which Twilio does are asked: Conversation Intelligence, redacted there where that is switched on, then
    the transcription of `<Record>`.

    :raises TwilioError: it did not answer.
    """
    name = _checked(recording)
    try:
        return _sentences(account, name) or _transcriptions(account, name)
    except GoneError:
        return None


def _sentences(account: Account, recording: str) -> str | None:
    """The newest whole transcript of a recording, a line a sentence, said by which channel."""
    asked = urlencode({"SourceSid": recording, "Status": "completed", "PageSize": "20"})
    try:
        found = _ask_at(account, "GET", f"{account.intelligence}/v2/Transcripts?{asked}", {})
    except RefusedError:
        # An account without Conversation Intelligence may have the other kind.
        return None
    rows = [row for row in _rows(found, "transcripts") if row.get("status") == "completed"]
    newest = max(rows, key=lambda row: str(row.get("date_created") or ""), default=None)
    if newest is None:
        return None
    sid = _checked(str(newest.get("sid") or ""))
    said: list[tuple[int, str]] = []
    token = ""
    for page in range(_SENTENCE_PAGES):
        more = {"Page": str(page), "PageToken": token} if token else {}
        asked = urlencode({"PageSize": str(_SENTENCES_AT_ONCE)} | more)
        found = _ask_at(account, "GET", f"{account.intelligence}/v2/Transcripts/{sid}/Sentences?{asked}", {})
        for row in _rows(found, "sentences"):
            index = row.get("sentence_index")
            text = " ".join(str(row.get("transcript") or "").split())
            said.append(
                (index if isinstance(index, int) else len(said), f"{row.get('media_channel')}: {text}")
            )
        token = _token_in(found.get("meta"))
        if not token:
            break
    return "\n".join(text for _, text in sorted(said)) or None


def _token_in(meta: Any) -> str:
    """What asks for the next page: only that of the address which Twilio gives, since the token goes along."""
    following = meta.get("next_page_url") if isinstance(meta, dict) else None
    found = dict(parse_qsl(urlsplit(str(following)).query)) if following else {}
    return found.get("PageToken", "")


def _transcriptions(account: Account, recording: str) -> str | None:
    found = _ask(account, "GET", f"Recordings/{recording}/Transcriptions.json", {})
    texts = [
        str(row.get("transcription_text") or "").strip()
        for row in _rows(found, "transcriptions")
        if row.get("status") == "completed"
    ]
    return "\n".join(filter(None, texts)) or None


def _rows(found: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """:raises RetryableError: there is no list of that name in the answer."""
    rows = found.get(name)
    if not isinstance(rows, list):
        raise RetryableError("answered with no list")
    return [row for row in rows if isinstance(row, dict)]


def send_text(account: Account, *, to: str, sender: str, words: str, told_at: str = "") -> Receipt:
    """
    Send one text.

    :param sender: one of the account's numbers, or the id of a messaging service (MG...).
    :param told_at: the address that is told what became of it; "" when nobody needs to know.
    :raises OptedOutError: the number said no to this sender.
    :raises UnclearError: it may have been sent; sending again may say it twice.
    :raises TwilioError: see the other kinds.
    """
    by = "MessagingServiceSid" if sender.startswith("MG") else "From"
    said = {"To": to, by: sender, "Body": words[:_TEXT_AT_MOST]}
    if told_at:
        said["StatusCallback"] = told_at
    return _receipt(_ask(account, "POST", "Messages.json", said))


def start_call(account: Account, *, to: str, sender: str, script_at: str) -> Receipt:
    """
    Ring a number of the agency's own people; what is said and done then is read at `script_at`.

    Its end is told there as well, so that the call's id is known also where this answer is lost.

    :param sender: the account's number that is shown.
    :raises UnclearError: it may ring; asking again may ring twice.
    :raises TwilioError: see the other kinds.
    """
    said = {
        "To": to, "From": sender, "Url": script_at, "Method": "POST", "StatusCallback": script_at, "Timeout": "30",
    }  # fmt: skip
    return _receipt(_ask(account, "POST", "Calls.json", said))


def read_aloud(account: Account, *, to: str, sender: str, script: bytes, told_at: str = "") -> Receipt:
    """
    Ring a number and do what a script says, which goes along with the question and so has no address of its own.

    :param script: TwiML, at most 4,000 characters.
    :param told_at: the address that is told the call's end, so that its id is known also where this answer is lost; ""
        when nobody needs to know.
    :raises UnclearError: it may ring; asking again may ring twice.
    :raises TwilioError: see the other kinds.
    """
    said = {"To": to, "From": sender, "Twiml": script.decode(), "Timeout": "30"}
    if told_at:
        said["StatusCallback"] = told_at
    return _receipt(_ask(account, "POST", "Calls.json", said))


def _checked(sid: str) -> str:
    """An id goes into an address: nothing but an id may."""
    if _sid(sid) is None:
        raise RefusedError(400, 0)
    return sid


def _ask(account: Account, method: str, path: str, said: Mapping[str, str]) -> Mapping[str, Any]:
    url = f"{account.base}/2010-04-01/Accounts/{quote(_checked(account.sid))}/{path}"
    return _ask_at(account, method, url, said)


def _ask_at(account: Account, method: str, url: str, said: Mapping[str, str]) -> Mapping[str, Any]:
    headers = urllib3.make_headers(basic_auth=f"{account.sid}:{account.token}")
    headers |= {"Accept": "application/json", "User-Agent": "CallPrivacy"}
    if method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        # What changes something is asked once: whether it was done may be unclear.
        answer = _pool.request(
            method,
            url,
            body=urlencode(said),
            headers=headers,
            timeout=_TIMEOUT,
            retries=asking.RETRIES if method == "GET" else False,
            redirect=False,
        )
    except (NewConnectionError, ConnectTimeoutError) as error:
        raise RetryableError("not reached") from error
    except HTTPError as error:
        raise UnclearError(type(error).__name__) from error
    return _understood(answer.status, answer.data, answer.headers.get("Retry-After", ""))


def _understood(status: int, body: bytes, retry_after: str) -> Mapping[str, Any]:
    try:
        found = bounds.from_json(body) if body else {}
    except ValueError:
        found = {}
    payload: Mapping[str, Any] = found if isinstance(found, dict) else {}
    if 200 <= status < 300:
        return payload
    code = payload.get("code")
    number = code if isinstance(code, int) else 0
    if number == OPTED_OUT:
        raise OptedOutError(status, number)
    if status in _TRY_AGAIN or status >= 500:
        raise RetryableError(f"answered {status}", wait=asking.pause_of(status, retry_after))
    if status == 404:
        raise GoneError(status, number)
    raise RefusedError(status, number)


def _receipt(payload: Mapping[str, Any]) -> Receipt:
    def short(name: str) -> str:
        return str(payload.get(name) or "")[:64]

    return Receipt(short("sid"), short("status"))
