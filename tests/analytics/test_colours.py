"""
Colours of series, as somebody sees them who lacks one kind of cones: each still differs from every other.

Seen: Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009, at full severity, on linear sRGB. Differing: Ottosson's
Oklab (2020), where about 0.02 is just noticed.
"""

import itertools
import math
import re
from pathlib import Path
from typing import Final

import pytest

STYLES: Final = Path(__file__).resolve().parents[2] / "static" / "src" / "app.pcss"
LEAST: Final = 0.08
SEEN: Final = {
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "no long cones": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998),
    ),
    "no middle cones": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881),
    ),
    "no short cones": (
        (1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900),
    ),
}  # fmt: skip

type Three = tuple[float, float, float]


def _times(matrix: tuple[Three, ...], of: Three) -> Three:
    one, two, three = (sum(a * b for a, b in zip(row, of, strict=True)) for row in matrix)
    return one, two, three


_TO_CONES: Final = (
    (1.0, 0.3963377774, 0.2158037573), (1.0, -0.1055613458, -0.0638541728), (1.0, -0.0894841775, -1.2914855480),
)  # fmt: skip
_TO_RGB: Final = (
    (4.0767416621, -3.3077115913, 0.2309699292), (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)  # fmt: skip
_FROM_RGB: Final = (
    (0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)  # fmt: skip
_FROM_CONES: Final = (
    (0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)  # fmt: skip


def _rgb(lightness: float, chroma: float, hue: float) -> Three:
    """Linear sRGB of an `oklch()`."""
    turn = math.radians(hue)
    cones = _times(_TO_CONES, (lightness, chroma * math.cos(turn), chroma * math.sin(turn)))
    red, green, blue = _times(_TO_RGB, (cones[0] ** 3, cones[1] ** 3, cones[2] ** 3))
    return _inside(red), _inside(green), _inside(blue)


def _inside(number: float) -> float:
    return min(max(number, 0.0), 1.0)


def _oklab(rgb: Three) -> Three:
    cones = _times(_FROM_RGB, rgb)
    return _times(_FROM_CONES, (math.cbrt(cones[0]), math.cbrt(cones[1]), math.cbrt(cones[2])))


def _colours(name: str) -> list[list[Three]]:
    """The values of a token in the light and in the dark theme, one list a theme."""
    found = re.findall(rf"--{name}: oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)", STYLES.read_text(encoding="utf-8"))
    rgb = [_rgb(float(one) / 100, float(two), float(three)) for one, two, three in found]
    return [rgb[: len(rgb) // 2], rgb[len(rgb) // 2 :]]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("seen", list(SEEN))
def test_no_two_series_look_alike_to_anybody(theme: int, seen: str) -> None:
    colours = _colours(r"chart-\d")[theme]
    assert len(colours) == 6
    looks = []
    for colour in colours:
        red, green, blue = _times(SEEN[seen], colour)
        looks.append(_oklab((_inside(red), _inside(green), _inside(blue))))
    apart = {
        (one + 1, other + 1): round(math.dist(looks[one], looks[other]), 3)
        for one, other in itertools.combinations(range(6), 2)
    }
    assert {pair: how for pair, how in apart.items() if how < LEAST} == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_each_series_stands_out_from_the_page(theme: int) -> None:
    """WCAG 2.2, 1.4.11: three to one for what a picture is understood by."""
    (page,) = _colours("color-base-100")[theme]
    for colour in _colours(r"chart-\d")[theme]:
        low, high = sorted(_luminance(one) for one in (page, colour))
        assert (high + 0.05) / (low + 0.05) >= 3


def _luminance(rgb: Three) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
