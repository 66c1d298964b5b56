"""Which browser a session is, in words: enough for a person to recognise their own."""

import re

# In this order: most browsers also call themselves what stands further down.
_BROWSERS = (
    ("Edg(?:e|A|iOS)?/", "Edge"),
    ("OPR/|Opera", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/|FxiOS/", "Firefox"),
    ("Chrome/|Chromium/|CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X|Macintosh", "Mac"),
    ("CrOS", "Chromebook"),
    ("Linux|X11", "Linux"),
)
_LONGEST = 60


def browser_of(user_agent: str) -> str:
    """
    Name the browser and the system that a User-Agent claims: "Firefox on Linux".

    What is neither is shown as it was sent, shortened.
    """
    browser, system = _first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)
    if browser and system:
        return f"{browser} on {system}"
    plain = " ".join(user_agent.split())[:_LONGEST]
    return browser or plain or "Unknown browser"


def _first(names: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for pattern, name in names if re.search(pattern, text)), "")
