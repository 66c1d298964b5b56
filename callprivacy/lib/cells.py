"""Texts as cells of a CSV file that somebody opens in a spreadsheet."""

from typing import Final

_FORMULA: Final = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_LINE_ENDS: Final = str.maketrans(
    {"\r": " ", "\n": " ", "\v": " ", "\f": " ", "\x85": " ", "\u2028": " ", "\u2029": " "}
)


def plain_cell(text: str) -> str:
    """A text as a cell that no spreadsheet takes for a formula."""
    risky = {one.lstrip(" \u00a0\ufeff\0")[:1] for one in (text, text.translate(_LINE_ENDS))}
    text = text.translate(_LINE_ENDS)
    return f"'{text}" if risky & set(_FORMULA) else text
