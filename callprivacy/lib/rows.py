"""
Components that stand in every row of a table or dozens of times in the frame, without an inclusion for each: fifty rows
of them took longer than all that the database does for the page, and the icons a third of what drawing one takes.

Every template has them without loading anything.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django import template
from django.template import loader
from django.utils.dateformat import DateFormat
from django.utils.html import format_html

register = template.Library()


@register.simple_tag
def pill(text: object, tone: object = "") -> str:
    """What `components/pill.html` writes for a text and a tone: few of each stand in many rows."""
    return _pill(str(text), str(tone))


@lru_cache(maxsize=1000)
def _pill(text: str, tone: str) -> str:
    return loader.render_to_string("components/pill.html", {"text": text, "tone": tone})


@register.simple_tag
def icon(name: object, size: str = "", label: object = "") -> str:
    """What `components/icon.html` writes: the same few for everybody, on every page."""
    return _icon(str(name), size, str(label))


@lru_cache(maxsize=1000)
def _icon(name: str, size: str, label: str) -> str:
    return loader.render_to_string("components/icon.html", {"name": name, "size": size, "label": label})


@register.simple_tag
def when(at: datetime, zone: str) -> str:
    """What `components/when.html` writes for an instant in a zone."""
    local = DateFormat(at.astimezone(ZoneInfo(zone)))
    return format_html(
        '<time class="tnum whitespace-nowrap" datetime="{}">{} <span class="text-muted">{}</span></time>',
        DateFormat(at.astimezone(_UTC)).format("c"),
        local.format("j M Y, H:i"),
        zone_name(at, zone),
    )


@register.simple_tag
def due(at: datetime, zone: str) -> str:
    """A deadline in a zone: at midnight the day before it is the last one."""
    local = at.astimezone(ZoneInfo(zone))
    if (local.hour, local.minute) != (0, 0):
        return when(at, zone)
    return format_html(
        'end of <time class="tnum whitespace-nowrap" datetime="{}">{}</time>',
        DateFormat(at.astimezone(_UTC)).format("c"),
        DateFormat(local.date() - timedelta(days=1)).format("j M Y"),
    )


@register.filter(expects_localtime=True)
def zone_name(at: datetime, zone: str = "") -> str:
    """A zone as people abbreviate it at an instant. Django's own are empty, or wrong, in the hour that comes twice."""
    return (at.astimezone(ZoneInfo(zone)) if zone else at).tzname() or ""


_UTC = ZoneInfo("UTC")
