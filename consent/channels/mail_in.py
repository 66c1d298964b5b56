"""
Reading a message that came by mail: who it says it is from, whether that is proven, and what the person wrote.

Pure. Only what the receiving server itself found out counts as proof (RFC 8601): the topmost Authentication-Results
whose server we were told to trust. A message cannot vouch for itself: what stands further down, or under another name,
is what somebody else wrote into it.
"""

from __future__ import annotations

import email
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import Compat32
from email.utils import getaddresses
from enum import StrEnum
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any, Final

import authres

from consent.replies import strip_quoted

LARGEST: Final = 2 * 1024 * 1024
_PARTS_AT_MOST: Final = 60
_HEADER_AT_MOST: Final = 32 * 1024
# The library's time grows with the square of the length of a header that it takes apart.
_LONG_HEADER = re.compile(
    rb"^(?:from|subject|authentication-results|content-(?:type|disposition))[ \t]*:(?:[^\n]|\n[ \t]){2048}",
    re.IGNORECASE | re.MULTILINE,
)
# Those that mail is written in. Python knows others, such as punycode, whose time grows with the square of a text.
is_charset = re.compile(
    r"utf-?8|(?:us-)?ascii|iso-8859-(?:[1-9]|1[013-6])|windows-125[0-8]|cp125[0-8]|koi8-[ru]|gb2312|gbk|gb18030|big5"
    r"|shift_jis|euc-(?:jp|kr)|iso-2022-(?:jp|kr)|utf-16(?:le|be)?"
).fullmatch
_HEADERS_AT_MOST: Final = 1_000
_BOUNDARIES_AT_MOST: Final = 2_000
_NESTED = re.compile(rb"^content-type[ \t]*:\s*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
_READ_AT_MOST: Final = 100_000
_TEXT_AT_MOST: Final = 20_000
_ADDRESS = re.compile(r"[^@\s<>,;:\"]{1,64}@[a-z0-9.-]{1,253}", re.ASCII | re.IGNORECASE)
# RFC 6376, 3.5: `l=` says how much of the body is signed; whoever passes the message on may add to the rest.
_SIGNED_IN_PART = re.compile(r"(?:^|;)\s*l\s*=", re.IGNORECASE)
_ID = re.compile(r"<[^<>\s]{1,250}>")
# Words of robots that answer for somebody, where no header says so.
_AWAY = re.compile(
    r"^\W*(automatic reply|auto(matic)?[- ]?reply|out of (the )?office|respuesta autom[áa]tica|fuera de la oficina|"
    r"autoresponder)\b",
    re.IGNORECASE,
)


class UnreadableError(ValueError):
    """What came is no message, or larger than any that is read here."""


class _Headers(Compat32):
    """Headers as they stand, in UTF-8: the default policy takes each apart when it is asked for."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Kind(StrEnum):
    """What sort of message it is."""

    PERSON = "person"
    ROBOT = "robot"
    BOUNCE = "bounce"


@dataclass(frozen=True, slots=True, repr=False)
class Mail:
    """
    One message, read.

    :ivar sender: the address that it says it is from, in small letters; "" where it says none, or several.
    :ivar is_proven: the receiving server vouches that whoever owns the sender's domain sent it.
    :ivar proof: why, or why not, in words without an address.
    :ivar message_id: the sender's own id of it; where it has none, the digest of the whole.
    :ivar about: ids of messages that it answers, or, of a bounce, of the one that came back.
    :ivar recipients: where it went, in small letters.
    :ivar text: what the person wrote, without what was quoted.
    """

    kind: Kind
    sender: str
    is_proven: bool
    proof: str
    message_id: str
    about: tuple[str, ...]
    recipients: tuple[str, ...]
    subject: str
    text: str

    def __repr__(self) -> str:
        """Nothing personal."""
        return f"<Mail {self.kind}, {'proven' if self.is_proven else 'not proven'}>"


def read(raw: bytes, *, trusted: Collection[str]) -> Mail:
    """
    Read one message as it lay in the mailbox.

    :param trusted: names of receiving servers whose findings count (`authserv-id`), such as "mx.example.com".
    :raises UnreadableError: it is none, or too large.
    """
    raw = require_bounds(raw)
    try:
        message = email.message_from_bytes(raw, policy=_Headers())
        if not message.keys():
            raise UnreadableError("This is not an email: it has no headers.")
        sender = _sender(message)
        is_proven, proof = _proof(message, sender, {name.lower() for name in trusted})
        kind = _kind(message)
        return Mail(
            kind=kind,
            sender=sender,
            is_proven=is_proven,
            proof=proof,
            message_id=_header(message, "Message-ID")[:250] or f"<{sha256(raw).hexdigest()}>",
            about=tuple(dict.fromkeys(_returned(message) if kind is Kind.BOUNCE else _answered(message))),
            recipients=_recipients(message),
            subject=_subject(message)[:200],
            text=strip_quoted(_text(message)[:_READ_AT_MOST])[:_TEXT_AT_MOST].strip(),
        )
    except (MessageError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError("This email cannot be read.") from None


def require_bounds(mail: bytes | str) -> bytes:
    """
    A message with its lines ended by LF, within the bounds that hold before a library takes it apart.

    :raises UnreadableError: it is over one of them, which the error names.
    """
    # The parser takes a lone CR for the end of a line.
    raw = mail.encode("utf-8", "surrogateescape") if isinstance(mail, str) else mail
    raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if len(raw) > LARGEST:
        raise UnreadableError("The email is over 2 MB and was not read.")
    headers = re.split(rb"\n(?![ \t])", raw.partition(b"\n\n")[0])
    if len(headers) > _HEADERS_AT_MOST or any(len(header) > _HEADER_AT_MOST for header in headers):
        raise UnreadableError("The email has over 1,000 headers, or one over 32 KB, and was not read.")
    if _LONG_HEADER.search(raw):
        raise UnreadableError("The email has a sender, subject, or type over 2 KB and was not read.")
    if raw.count(b"\n--") > _BOUNDARIES_AT_MOST:
        raise UnreadableError("The email has over 2,000 parts and was not read.")
    if len(_NESTED.findall(raw)) > _PARTS_AT_MOST:
        raise UnreadableError("The email has over 60 messages or lists of parts inside it and was not read.")
    return raw


# --- Who sent it ---


def _headers(message: Message[Any, Any], name: str) -> list[str]:
    try:
        return [str(value) for value in message.get_all(name, [])]
    except (ValueError, IndexError, AttributeError, TypeError):
        return []


def _header(message: Message[Any, Any], name: str) -> str:
    found = _headers(message, name)
    return " ".join(found[0].split()) if found else ""


def _subject(message: Message[Any, Any]) -> str:
    raw = _header(message, "Subject")
    try:
        return " ".join(str(make_header(decode_header(raw))).split())
    except (HeaderParseError, LookupError, UnicodeError):
        return raw


def _named(values: list[str]) -> list[str]:
    """Every address that the headers name, also what is none."""
    return [address.strip().lower() for name, address in getaddresses(values) if name or address]


def _sender(message: Message[Any, Any]) -> str:
    """The one address it is from; of several nobody knows whose words these are."""
    values = _headers(message, "From")
    found = _named(values)
    return found[0] if len(values) == len(found) == 1 and _ADDRESS.fullmatch(found[0]) else ""


class _UnprovenError(Exception):
    """Why nothing vouches for the sender."""


def _proof(message: Message[Any, Any], sender: str, trusted: set[str]) -> tuple[bool, str]:
    try:
        if any(_SIGNED_IN_PART.search(value) for value in _headers(message, "DKIM-Signature")):
            raise _UnprovenError("Only part of it is signed. The rest may be from another sender.")
        return True, _vouched(_findings(message, sender, trusted), sender.rpartition("@")[2])
    except _UnprovenError as error:
        return False, str(error)


def _findings(message: Message[Any, Any], sender: str, trusted: set[str]) -> list[Any]:
    """What the receiving server found out, by the topmost header alone."""
    headers = _headers(message, "Authentication-Results")
    if not sender:
        raise _UnprovenError("It does not name exactly one sender.")
    if not headers:
        raise _UnprovenError("The receiving server added no authentication results.")
    try:
        found = authres.AuthenticationResultsHeader.parse(
            "Authentication-Results: " + " ".join(headers[0].split())
        )
    except (authres.AuthResError, ValueError, IndexError):
        raise _UnprovenError("The receiving server's authentication results cannot be read.") from None
    if str(found.authserv_id or "").lower() not in trusted:
        raise _UnprovenError("The authentication results are not from a trusted server.")
    return list(found.results)


def _vouched(results: list[Any], domain: str) -> str:
    for result in results:
        if result.result == "pass" and result.method == "dmarc" and _is_of(_property(result, "from"), domain):
            return "DMARC passed for the sender's domain."
        if result.result == "pass" and result.method == "dkim":
            signer = _property(result, "d") or _property(result, "i").rpartition("@")[2]
            if _is_of(signer, domain):
                return "A DKIM signature of the sender's domain passed."
    dkim = {result.result for result in results if result.method == "dkim"}
    if "pass" in dkim:
        raise _UnprovenError("The DKIM signature is from a different domain than the sender's.")
    raise _UnprovenError("No DKIM signature passed." if dkim else "It has no DKIM signature.")


def _property(result: Any, name: str) -> str:
    for each in result.properties:
        if each.type == "header" and each.name == name:
            return str(each.value).strip().strip('"').lower()
    return ""


def _is_of(signer: str, domain: str) -> bool:
    """Whether a signature's domain is the sender's, or one above it; a whole country's or a public suffix is not."""
    signer = signer.rpartition("@")[2].rstrip(".").lower()
    if signer == domain:
        return bool(signer)
    return signer.count(".") >= 1 and len(signer) > 6 and domain.endswith(f".{signer}")


# --- What sort of message it is ---


def _kind(message: Message[Any, Any]) -> Kind:
    report = str(message.get_param("report-type", "", header="Content-Type") or "").lower()
    if message.get_content_type() == "multipart/report" and report == "delivery-status":
        actions = set(_actions(message))
        # A letter that is only late, or that a mailing list passed on, has not come back (RFC 3464, 2.3.3).
        return Kind.ROBOT if actions and "failed" not in actions else Kind.BOUNCE
    local = _header(message, "From").lower()
    if "mailer-daemon@" in local or "postmaster@" in local:
        return Kind.BOUNCE
    submitted = _header(message, "Auto-Submitted").lower()
    if submitted and not submitted.startswith("no"):
        return Kind.ROBOT
    if _header(message, "Precedence").lower() in {"bulk", "junk", "auto_reply", "list"}:
        return Kind.ROBOT
    marks = ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "List-Id")
    if any(_header(message, name) for name in marks[:2]) or _header(message, "List-Id"):
        return Kind.ROBOT
    return Kind.ROBOT if _AWAY.match(_subject(message)) else Kind.PERSON


def _actions(message: Message[Any, Any]) -> Iterator[str]:
    for part in _parts(message):
        if part.get_content_type() == "message/delivery-status":
            payload = part.get_payload()
            for block in payload if isinstance(payload, list) else []:
                action = _header(block, "Action").lower() if isinstance(block, Message) else ""
                if action:
                    yield action


def _answered(message: Message[Any, Any]) -> Iterator[str]:
    for name in ("In-Reply-To", "References"):
        for value in _headers(message, name):
            yield from reversed(_ID.findall(value)[-20:])


def _returned(message: Message[Any, Any]) -> Iterator[str]:
    """Ids inside the returned message or its headers, and what the report itself answers."""
    for part in _parts(message):
        if part is not message and part.get_content_type() in {"message/rfc822", "text/rfc822-headers"}:
            payload = part.get_payload()
            inner = payload[0] if isinstance(payload, list) and payload else None
            if isinstance(inner, Message):
                yield from _ID.findall(_header(inner, "Message-ID"))
            else:
                yield from _ID.findall(
                    _header(email.message_from_string(str(part.get_payload())), "Message-ID")
                )
    yield from _answered(message)


def _recipients(message: Message[Any, Any]) -> tuple[str, ...]:
    names = ("Delivered-To", "X-Original-To", "To", "Cc")
    values = (value.lower() for name in names for value in _headers(message, name))
    return tuple(dict.fromkeys(address for value in values for address in _ADDRESS.findall(value)))


# --- What the person wrote ---


def _parts(message: Message[Any, Any]) -> Iterator[Message[Any, Any]]:
    for count, part in enumerate(message.walk()):
        if count >= _PARTS_AT_MOST:
            return
        yield part


def _text(message: Message[Any, Any]) -> str:
    """The first plain text that is no attachment; of a message in HTML alone, its words outside quotations."""
    html = ""
    for part in _parts(message):
        if part.get_content_disposition() == "attachment" or part.is_multipart():
            continue
        kind = part.get_content_type()
        if kind == "text/plain":
            words = _decoded(part)
            if words.strip():
                return words
        elif kind == "text/html" and not html:
            html = _decoded(part)
    return _of_html(html) if html else ""


def _decoded(part: Message[Any, Any]) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset() or "utf-8"
    return payload[:_READ_AT_MOST].decode(charset if is_charset(charset) else "utf-8", "replace")


class _Words(HTMLParser):
    """Collects what is read on a page of HTML: no styles, no scripts, nothing inside a quotation."""

    _BREAKS: Final = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3", "blockquote", "hr"})
    _SILENT: Final = frozenset({"style", "script", "head", "title", "blockquote"})
    _VOID: Final = frozenset({"br", "hr", "img", "meta", "link", "input", "area", "base", "col", "wbr"})
    _QUOTES: Final = ("gmail_quote", "yahoo_quoted", "moz-cite-prefix", "protonmail_quote")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._open: list[str] = []
        self._open_of: Counter[str] = Counter()
        self._silent_at: int | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._BREAKS:
            self.words.append("\n")
        if tag in self._VOID:
            return
        self._open.append(tag)
        self._open_of[tag] += 1
        names = " ".join(value or "" for name, value in attrs if name in {"class", "id"})
        quotes = any(mark in names for mark in self._QUOTES) or "divRplyFwdMsg" in names
        if self._silent_at is None and (tag in self._SILENT or quotes):
            self._silent_at = len(self._open)

    def handle_endtag(self, tag: str) -> None:
        if not self._open_of[tag]:
            return
        while self._open:
            last = self._open.pop()
            self._open_of[last] -= 1
            if self._silent_at is not None and len(self._open) < self._silent_at:
                self._silent_at = None
            if last == tag:
                break
        if tag in self._BREAKS:
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        if self._silent_at is None:
            self.words.append(data)


def _of_html(html: str) -> str:
    reader = _Words()
    reader.feed(html[: _TEXT_AT_MOST * 10])
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.words).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
