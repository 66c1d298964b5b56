"""
How much of a text from outside is read: characters of a cell of CSV, and lists and objects inside each other.

The bounds hold before a parser takes the text apart, and the error says what they are. How large a text may be is its
reader's own.
"""

import csv
import json
import re
import tomllib
from collections.abc import Callable
from typing import Any, Final

CELL_AT_MOST: Final = 131_072
DEPTH_AT_MOST: Final = 32

csv.field_size_limit(CELL_AT_MOST)

# Texts of JSON and TOML, and comments of TOML, in which a bracket is none. Each ends at the latest where the file does.
_BRACKETS: Final = re.compile(
    r'"""(?:[^\\"]|\\.|"(?!""))*+(?:""")?'
    r"|'''(?:[^']|'(?!''))*+(?:''')?"
    r'|"(?:[^\\"\n]|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+"
    r"|([\[{])|([\]}])",
    re.DOTALL,
)
_NESTED_NAME: Final = re.compile(
    rf"""(?<![\w"'-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{DEPTH_AT_MOST}}}"""
)


class TooDeepError(ValueError):
    """More lists and objects stand inside each other than are read."""

    def __init__(self) -> None:
        super().__init__(f"it has more than {DEPTH_AT_MOST} lists or objects inside each other")


def csv_fault(error: csv.Error) -> str:
    """What is wrong with a line of CSV, in words."""
    if "field limit" in str(error):
        return f"a cell has more than {CELL_AT_MOST:,} characters"
    return "the quotes or line breaks of this line do not fit"


def from_json(body: bytes | str, **options: Callable[..., object]) -> Any:
    """
    The value of a text in JSON.

    :raises TooDeepError: it is nested deeper than is read.
    :raises ValueError: it is no JSON.
    """
    text = body if isinstance(body, str) else body.decode(json.detect_encoding(body), "surrogatepass")
    require_depth(text)
    return json.loads(text, **options)  # type: ignore[arg-type]  # as json has them


def from_toml(text: str) -> dict[str, Any]:
    """
    The tables of a text in TOML.

    :raises TooDeepError: it is nested deeper than is read.
    :raises tomllib.TOMLDecodeError: it is no TOML.
    """
    require_depth(text)
    if _NESTED_NAME.search(text):
        raise TooDeepError
    return tomllib.loads(text)


def require_depth(text: str) -> None:
    """
    Ask how deep a text in JSON or TOML is nested.

    :raises TooDeepError: deeper than is read.
    """
    if text.count("[") + text.count("{") <= DEPTH_AT_MOST:
        return
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += bool(found[1]) - bool(found[2])
        if depth > DEPTH_AT_MOST:
            raise TooDeepError
