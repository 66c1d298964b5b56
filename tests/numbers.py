"""Whether a number is said in what a person or a log gets to see."""

from __future__ import annotations

import re


def says(text: str, number: str) -> bool:
    """
    Whether the last seven digits of a number stand in a text, however they are parted, quoted or not.

    Three or four digits alone stand by chance in one of some thousand random ids; seven do not.

    :param number: with or without its country, of any written form.
    """
    digits = re.sub(r"\D", "", number)[-7:]
    return re.search(rf"{digits[:3]}(?:%[0-9A-Fa-f]{{2}}|[^0-9A-Za-z]){{0,3}}{digits[3:]}", text) is not None
