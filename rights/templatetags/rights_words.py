"""Texts as templates need them: one by its name, and one with its addresses as links."""

import re
from collections.abc import Mapping
from typing import Final

from django import template
from django.utils.html import format_html_join

register = template.Library()

_ADDRESS: Final = re.compile(r"(https?://[^\s<>\"]*[^\s<>\".,;:!?)])")


@register.filter
def at(texts: Mapping[str, str], name: str) -> str:
    """The text of that name, which is only known when the page is drawn: `{{ t|at:group }}`."""
    return texts[name]


@register.filter
def linked(text: str) -> str:
    """A text with the whole addresses in it (`https://...`) as links, everything escaped."""
    parts = _ADDRESS.split(text)
    pieces = (
        format_html_join("", '<a href="{}" rel="noopener noreferrer">{}</a>', [(part, part)])
        if number % 2
        else part
        for number, part in enumerate(parts)
    )
    return format_html_join("", "{}", ((piece,) for piece in pieces))
