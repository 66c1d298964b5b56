"""
The script for other sites: one file a version, which never changes once it is out, so that the hash in a site's tag
goes on holding. A new version is a new file beside it.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.templatetags.static import static

VERSION: Final = "v1"
FILE: Final = f"consent/embed.{VERSION}.js"
_FOLDER: Final = Path(__file__).resolve().parents[2] / "static"


@cache
def integrity() -> str:
    """The hash of the script as a tag names it (W3C Subresource Integrity)."""
    digest = hashlib.sha384((_FOLDER / FILE).read_bytes()).digest()
    return f"sha384-{base64.b64encode(digest).decode()}"


def address() -> str:
    """The script's own address, which does not change with what else is built."""
    return f"{settings.CALLPRIVACY_URL}{settings.STATIC_URL}{FILE}"


def path() -> str:
    """The script's path for pages of our own."""
    return static(FILE)


def tag_for(key: str) -> str:
    """The tag that a client pastes into its site, with the place where the form appears."""
    return (
        '<div id="call-consent"></div>\n'
        f'<script src="{address()}"\n'
        f'  integrity="{integrity()}"\n'
        '  crossorigin="anonymous" defer\n'
        f'  data-key="{key}"\n'
        '  data-into="#call-consent"></script>'
    )
