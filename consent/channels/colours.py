"""
A client's colour, made safe to read.

Contrast is WCAG 2.2's: (lighter + 0.05) / (darker + 0.05) of relative luminances; text needs 4.5 to 1.
"""

import re
from dataclasses import dataclass
from typing import Final

ENOUGH: Final = 4.5
LIGHT_GROUND: Final = "#ffffff"
DARK_GROUND: Final = "#1b2023"
_INK: Final = "#101416"
_WHITE: Final = "#ffffff"
_STEPS: Final = 40
_HEX: Final = re.compile(r"#[0-9a-fA-F]{6}").fullmatch
_FALLBACK: Final = "#2f5d62"

type _Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Shades:
    """
    What is made of one colour.

    :ivar fill: the ground of a button.
    :ivar ink: what is written on it.
    :ivar on_light: the colour as text on white.
    :ivar on_dark: the colour as text on the dark ground.
    """

    fill: str
    ink: str
    on_light: str
    on_dark: str


def shades_of(colour: str) -> Shades:
    """Return the shades of a colour (#rrggbb); what is none gives those of our own."""
    rgb = _read(colour if _HEX(colour) else _FALLBACK)
    fill, ink = _fill_and_ink(rgb)
    return Shades(
        fill=_write(fill),
        ink=ink,
        on_light=_write(_towards(rgb, _read(_INK), _read(LIGHT_GROUND))),
        on_dark=_write(_towards(rgb, _read(_WHITE), _read(DARK_GROUND))),
    )


def contrast(one: str, other: str) -> float:
    """The contrast of two colours (#rrggbb), 1 to 21."""
    return _contrast(_read(one), _read(other))


def _fill_and_ink(rgb: _Rgb) -> tuple[_Rgb, str]:
    """White or nearly black on the colour, whichever reads better; the colour gives way where neither does."""
    ink = max((_WHITE, _INK), key=lambda text: _contrast(rgb, _read(text)))
    away = _read(_INK if ink == _WHITE else _WHITE)
    return _towards(rgb, away, _read(ink)), ink


def _towards(rgb: _Rgb, goal: _Rgb, ground: _Rgb) -> _Rgb:
    """The first colour on the way from `rgb` to `goal` that reads on the ground."""
    for step in range(_STEPS + 1):
        mixed = tuple(
            round(start + (end - start) * step / _STEPS) for start, end in zip(rgb, goal, strict=True)
        )
        found = (mixed[0], mixed[1], mixed[2])
        if _contrast(found, ground) >= ENOUGH:
            return found
    return goal


def _read(colour: str) -> _Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _write(rgb: _Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _contrast(one: _Rgb, other: _Rgb) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: _Rgb) -> float:
    red, green, blue = (_linear(value / 255) for value in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
