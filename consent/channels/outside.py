"""
Connecting to an address that somebody else chose.

The name is resolved once, every address of it has to be public, and we connect to that very address, so that a second
answer of the name server changes nothing. The certificate is still asked for the name.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from typing import Any
from urllib.parse import SplitResult

import urllib3


class NoAddressError(OSError):
    """The name has no address at the moment."""


class NotPublicError(ValueError):
    """The name leads into somebody's own network."""


def resolve(host: str, port: int, *, anywhere: bool = False) -> str:
    """
    The address to connect to.

    :param anywhere: it may lie in our own network.
    :raises NoAddressError: there is none.
    :raises NotPublicError: one of them is no address on the internet.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NoAddressError(host) from None
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not (anywhere or all(_is_public(one) for one in addresses)):
        raise NotPublicError(host)
    return addresses[0]


def _is_public(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_global


def port_of(parts: SplitResult) -> int:
    """The port of an address."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def pool_to(address: str, parts: SplitResult, *, timeout: urllib3.Timeout) -> Any:
    """A pool of one connection to an address that stands for the host of `parts`; the caller closes it."""
    options: dict[str, Any] = {"maxsize": 1, "retries": False, "timeout": timeout}
    host = parts.hostname or ""
    if parts.scheme != "https":
        return urllib3.HTTPConnectionPool(address, port_of(parts), **options)
    return urllib3.HTTPSConnectionPool(
        address,
        port_of(parts),
        server_hostname=host,
        assert_hostname=host,
        ssl_context=ssl.create_default_context(),
        **options,
    )


def target_of(parts: SplitResult) -> str:
    """What stands in the first line of the request."""
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
