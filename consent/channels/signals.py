"""
What a browser says without being asked: that nothing may be sold (Global Privacy Control), and from where it asks.
"""

import re
from typing import Final
from urllib.parse import urlsplit

_LONGEST_ORIGIN: Final = 200
_LONGEST_PAGE: Final = 200
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII).fullmatch
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1"})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


def is_opted_out(sec_gpc: str | None) -> bool:
    """
    Whether a request's `Sec-GPC` asks not to sell or share (w3c.github.io/gpc).

    Only exactly "1" does. Several headers arrive joined with commas; one exact "1" among them counts.
    """
    return any(part.strip(" \t") == "1" for part in (sec_gpc or "").split(","))


def origin_of(raw: str) -> str | None:
    """
    Read an origin as browsers send it, "https://www.example.com", or None where it is none.

    A path behind the host is no origin. Plain http is taken from this machine alone, for trying things out.
    """
    text = raw.strip()
    if len(text) > _LONGEST_ORIGIN or not text.isascii() or not text.isprintable():
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").lower()
    if parts.scheme not in _DEFAULT_PORTS or not _HOST(host) or ".." in host:
        return None
    if parts.username or parts.password or parts.query or parts.fragment or parts.path not in {"", "/"}:
        return None
    if parts.scheme == "http" and host not in _LOOPBACK:
        return None
    default = port is None or port == _DEFAULT_PORTS[parts.scheme]
    return f"{parts.scheme}://{host}" if default else f"{parts.scheme}://{host}:{port}"


def page_of(raw: str, *, origin: str) -> str:
    """
    Return host and path of the page that somebody wrote on, for the evidence: no query, no fragment.

    :param raw: what the page's script says; where it is not of the origin, the origin alone is believed.
    """
    host = urlsplit(origin).netloc
    said = raw.strip().partition("?")[0].partition("#")[0]
    if not said.isprintable() or (said != host and not said.startswith(f"{host}/")):
        return host
    return said[:_LONGEST_PAGE]
