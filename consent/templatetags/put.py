"""Puts a value into the one gap of a text: `{{ t.stopped_at|put:clock }}`."""

import re
from typing import Final

from django import template

register = template.Library()
_GAP: Final = re.compile(r"\{[a-z]+\}")


@register.filter
def put(text: str, value: object) -> str:
    """The text with the value in its gap; escaped by the template like any other."""
    return _GAP.sub(lambda _: str(value), text, count=1)
