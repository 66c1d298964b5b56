"""Networks as people write them, one a line, and whether an address lies in one."""

import ipaddress
from collections.abc import Collection
from typing import Final

AT_MOST: Final = 50
WIDEST: Final = {4: 8, 6: 19}


class NoNetworkError(ValueError):
    """What was written is no list of networks; the text says which line, and what to write."""


def parse(text: str) -> list[str]:
    """
    Networks in one spelling, each once: "203.0.113.7" is "203.0.113.7/32".

    :raises NoNetworkError: a line is none, or so wide that it would keep nobody out, or there are more than fifty.
    """
    found: dict[str, None] = {}
    for line in text.replace(",", "\n").splitlines():
        word = line.strip()
        if not word:
            continue
        try:
            network = ipaddress.ip_network(word, strict=False)
        except ValueError:
            raise NoNetworkError(
                f"“{word[:50]}” is no network. Write 203.0.113.0/24, or one address."
            ) from None
        if network.prefixlen < WIDEST[network.version]:
            raise NoNetworkError(f"“{word[:50]}” is so wide that it keeps nobody out.")
        found[str(network)] = None
    if len(found) > AT_MOST:
        raise NoNetworkError(f"Write at most {AT_MOST} networks.")
    return list(found)


def holds(networks: Collection[str], address: str | None) -> bool:
    """Whether an address lies in one of the networks; of an address that nobody knows it does not."""
    if address is None:
        return False
    try:
        one = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(one in ipaddress.ip_network(network) for network in networks)
