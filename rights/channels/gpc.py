"""
What a site says of itself: the file that tells browsers that it heeds Global Privacy Control, and the link with the
icon that California's law asks for (w3c.github.io/gpc, 11 CCR 7013 and 7015). Pure.
"""

import json
from datetime import date
from html import escape
from typing import Final

WELL_KNOWN: Final = "/.well-known/gpc.json"
ICON: Final = "rights/choices.svg"
_WORDS: Final = {"en": "Your Privacy Choices", "es": "Sus opciones de privacidad"}


def gpc_file(since: date) -> str:
    """
    The file, as JSON.

    :param since: the day since which the site heeds the signal.
    """
    return json.dumps({"gpc": True, "lastUpdate": since.isoformat()})


def link_tag(address: str, icon: str, *, language: str) -> str:
    """
    The link to paste into a page, with the icon.

    :param address: of the requests page. :param icon: of the picture, whole.
    """
    there, picture = escape(f"{address}?lang={language}"), escape(icon)
    return (
        f'<a href="{there}" rel="noopener">{_WORDS[language]}\n'
        f'  <img src="{picture}" alt="California Consumer Privacy Act (CCPA) Opt-Out Icon" width="30" height="14"></a>'
    )


def notice_tag(address: str, *, language: str) -> str:
    """The link to the privacy notice, to paste into a page."""
    words = {"en": "Privacy notice for calls", "es": "Aviso de privacidad para llamadas"}[language]
    return f'<a href="{escape(f"{address}privacy/?lang={language}")}" rel="noopener">{words}</a>'
