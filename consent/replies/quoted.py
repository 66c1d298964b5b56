"""
An e-mail without what it answers.

What a person wrote stands above (or between) the message that they answer; only their own words may count, never ours
that hang below them.
"""

import re
from typing import Final

_LATER: Final = re.compile(
    r"^\s*(?:"
    r"-{2,}\s*(?:original message|mensaje original|message d'origine|forwarded message|mensaje reenviado)"
    r"|_{10,}\s*$"
    r"|(?:begin forwarded message|inicio del mensaje reenviado)\s*:"
    r"|(?:on|el|le|em)\b.{4,200}\b(?:wrote|escribi[oó]|a écrit|a ecrit|escreveu)\s*:?\s*$"
    r"|.{1,120}<[^<>\s]{3,120}>\s*(?:wrote|escribi[oó]|a écrit)\s*:?\s*$"
    r")",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(
    r"^\s*(?:[*>]+\s*)?(?:from|sent|to|subject|date|cc|de|enviado(?: el)?|para|asunto|fecha|objet|envoy[eé](?: le)?|à)"
    r"\s*:\*?\s",
    re.IGNORECASE,
)
_OPENS: Final = re.compile(r"^\s*(?:on|el|le|em)\b.{4,200}$", re.IGNORECASE)
_CLOSES: Final = re.compile(r"\b(?:wrote|escribi[oó]|a écrit|a ecrit)\s*(?::\s*)?$", re.IGNORECASE)
_QUOTE: Final = re.compile(r"^\s*[>|]")
_DEVICE: Final = re.compile(
    r"^\s*(?:sent from (?:my|the|mail|outlook|yahoo|gmail|samsung|proton)|sent via|get outlook for|yahoo mail:"
    r"|enviado desde|obtener outlook|envoy[eé] de(?:puis)? mon"
    r"|this (?:e-?mail|message) (?:and any|is intended|may contain)"
    r"|este (?:correo|mensaje) (?:electr[oó]nico )?(?:y |es |puede|contiene|va dirigido)"
    r"|confidentiality notice|aviso de confidencialidad|caution: ?this email|disclaimer"
    r"|(?:to )?unsubscribe (?:from this|here|<|\(?http))",
    re.IGNORECASE,
)
_HEADERS_IN_A_ROW: Final = 2
# What is looked at of a line. Runs of blanks are one blank then: patterns try each of them anew.
_LOOKED_AT: Final = 400
_BLANKS: Final = re.compile(r"\s+")


def strip_quoted(text: str) -> str:
    """
    The person's own words: no quoted history, no signature behind "-- ", no footer of a device or of a lawyer.

    A text of nothing but quoted lines becomes empty.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    looks = [_BLANKS.sub(" ", line)[:_LOOKED_AT] for line in lines]
    own: list[str] = []
    begins = True
    for place, line in enumerate(lines):
        # White space before the first word goes: what it indents is looked at as it will stand.
        if _ends_here(looks, place) or (begins and looks[place].strip() == "--"):
            break
        if not _QUOTE.match(looks[place]):
            own.append(line)
            begins = begins and not line.strip()
    return "\n".join(own).strip()


def _ends_here(lines: list[str], place: int) -> bool:
    line = lines[place]
    if line.rstrip() == "--" or _LATER.match(line) or _DEVICE.match(line):
        return True
    if _OPENS.match(line) and place + 1 < len(lines) and _CLOSES.search(lines[place + 1]):
        return True
    headers = sum(1 for other in lines[place : place + 4] if _HEADER.match(other))
    return bool(_HEADER.match(line)) and headers >= _HEADERS_IN_A_ROW
