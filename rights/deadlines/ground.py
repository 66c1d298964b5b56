"""Whose public holidays a term leaves out: the place that a client's zone or its own word names."""

from functools import cache
from typing import Final

from callprivacy.lib import calendars
from consent.law import places, zones
from rights.law.rows import MEMBER, NATION

type Place = tuple[str, str]

NOWHERE: Final[Place] = ("", "")
"""A place with weekends and no holidays."""

_EEA: Final = places.MEMBERS | {"NO", "IS", "LI"}
_ENGLAND: Final[Place] = ("GB", "ENG")
# Zones of the time zone database that are in the Union or a nation, but not the first name of their country's clock.
_MORE_ZONES: Final[dict[str, Place]] = {
    "Africa/Ceuta": ("ES", ""),
    "America/Cayenne": ("FR", ""),
    "America/Guadeloupe": ("FR", ""),
    "America/Marigot": ("FR", ""),
    "America/Martinique": ("FR", ""),
    "Atlantic/Madeira": ("PT", ""),
    "Europe/Belfast": ("GB", "NIR"),
    "Europe/Busingen": ("DE", ""),
    "Europe/Mariehamn": ("FI", ""),
    "Indian/Mayotte": ("FR", ""),
    "Indian/Reunion": ("FR", ""),
}


def calendar_of(holidays: str, zone: str, place: Place | None) -> Place:
    """
    The place whose holidays are left out.

    :param holidays: as the term says it. :param zone: the client's. :param place: the client's, which decides before
        its zone does.
    """
    if holidays not in {MEMBER, NATION}:
        country, _, region = holidays.partition("-")
        return country, region
    country, region = place or _place_of(zone)
    if holidays == MEMBER:
        return (country, region) if country in _EEA else NOWHERE
    return (country, region) if country == "GB" and region else _ENGLAND


def is_place(place: Place) -> bool:
    """Whether the holidays of a place are known."""
    return calendars.is_known(*place)


def words(place: Place) -> str:
    """What the place is called in a sentence on its holidays."""
    names = {
        NOWHERE: "no country: the client is outside the Union",
        ("GB", "ENG"): "England",
        ("GB", "NIR"): "Northern Ireland",
        ("GB", "SCT"): "Scotland",
        ("GB", "WLS"): "Wales",
        ("NO", ""): "Norway",
        ("IS", ""): "Iceland",
        ("LI", ""): "Liechtenstein",
    }
    return names.get(place) or places.name(*place)


@cache
def _by_zone() -> dict[str, Place]:
    countries = [*_EEA, "GB"]
    return {zone: (code, "") for code in countries for zone in zones.zones_of(code)} | _MORE_ZONES


def _place_of(zone: str) -> Place:
    return _by_zone().get(zone, NOWHERE)
