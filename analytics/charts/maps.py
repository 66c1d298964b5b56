"""
Maps of equal squares: each state of the United States, or each of the countries from which calls come, is one square
that stands about where it lies. Drawn by ourselves, so that no file of others is shipped, and honest in another way
too: a large empty state looks no more important than a small full one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analytics.charts.scale import compact
from analytics.charts.shapes import WIDE, Drawing, Rect, Text, Value, Words, shade

_STATES: Final = """
AK .. .. .. .. .. .. .. .. .. ME
.. .. .. .. .. .. .. .. .. VT NH
WA ID MT ND MN IL WI MI NY RI MA
OR NV WY SD IA IN OH PA NJ CT ..
CA UT CO NE MO KY WV VA MD DE ..
.. AZ NM KS AR TN NC SC DC .. ..
.. .. .. OK LA MS AL GA .. .. ..
HI .. .. TX .. .. .. .. FL PR ..
"""
_COUNTRIES: Final = """
.. .. .. .. .. GL .. IS .. .. NO SE FI EE .. .. .. .. .. ..
.. CA .. .. .. .. .. IE GB DK .. .. LV LT BY RU KZ MN .. ..
.. US .. .. .. .. .. FR BE NL DE PL CZ UA GE UZ KG CN KR JP
.. MX BS CU DO .. PT ES LU CH AT SK HU MD AM TJ AF NP BD TW
.. GT BZ JM PR .. .. MA AD IT SI HR RO BG TR IR PK IN MM HK
.. SV HN .. TT .. .. DZ TN MT AL RS GR CY LB IQ AE LK TH VN
.. CR NI VE GY .. SN ML LY EG IL JO SY SA QA KW OM MV KH PH
.. PA CO SR .. .. GH NG CM SD ET KE UG TZ .. .. .. SG MY ID
.. .. EC BR .. .. .. .. CD RW ZM MZ MG MU .. .. .. .. PG ..
.. .. PE BO PY .. .. .. AO NA BW ZW .. .. .. .. .. AU .. FJ
.. .. CL AR UY .. .. .. .. ZA .. .. .. .. .. .. .. .. NZ ..
"""


_LEGIBLE: Final = 24
"""From which side on a square holds two letters."""


def _places(text: str) -> dict[str, tuple[int, int]]:
    return {
        code: (across, down)
        for down, row in enumerate(text.strip().splitlines())
        for across, code in enumerate(row.split())
        if code != ".."
    }


STATES: Final = _places(_STATES)
"""Code of a state, DC or Puerto Rico -> its square: (from the left, from the top)."""
COUNTRIES: Final = _places(_COUNTRIES)
"""ISO 3166-1 code of a country -> its square; countries that are not here are told in the table only."""


def tiles(
    places: Mapping[str, tuple[int, int]],
    values: Mapping[str, Value],
    names: Mapping[str, str],
    *,
    width: int = WIDE,
    words: Words = compact,
) -> Drawing:
    """
    A map of squares, shaded by their numbers, with code and number written in them; small ones only where calls are.

    :param values: by code; a place without one has no calls.
    :param names: by code, as they are said; a code without a name is said itself.
    """
    across = max(x for x, _ in places.values()) + 1
    down = max(y for _, y in places.values()) + 1
    size = min(56.0, width / across)
    drawing = Drawing(round(size * across, 1), round(size * down, 1))
    top = max((value.number or 0 for code, value in values.items() if code in places), default=0)
    for code, (x, y) in places.items():
        value = values.get(code, Value(0, "none"))
        left, high = round(x * size + 1, 1), round(y * size + 1, 1)
        say = f"{names.get(code, code)}: {value.words}"
        level = shade(value.number or 0, top)
        look = "plot-untold" if value.hidden else f"plot-shade-{level}"
        side = round(size - 2, 1)
        drawing.rects.append(Rect(left, high, side, side, look, say, pattern=1 if value.hidden else 0))
        middle = round(left + side / 2, 1)
        ink = f"plot-in plot-in-{0 if value.hidden else level}"
        number = words(value.number) if value.number else ""
        roomy = size >= 40 and number
        if size >= _LEGIBLE:
            drawing.texts.append(Text(middle, high + side / 2 + (-1 if roomy else 4), code, "middle", ink))
        elif value.number or value.hidden:
            drawing.texts.append(Text(middle, high + side / 2 + 3, code, "middle", f"{ink} plot-tiny"))
        if roomy:
            drawing.texts.append(Text(middle, high + side / 2 + 14, number, "middle", f"{ink} plot-small"))
    return drawing


def elsewhere(places: Mapping[str, tuple[int, int]], values: Mapping[str, Value]) -> list[str]:
    """Codes with a number that have no square, the greatest first."""
    left = [code for code in values if code not in places]
    return sorted(left, key=lambda code: (-(values[code].number or 0), code))
