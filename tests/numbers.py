"""Whether a number is said in what a person or a log gets to see."""

import re

_BETWEEN = r"(?:%[0-9A-Fa-f]{2}|<[^>]*>|[^0-9A-Za-z]){0,3}"


def says(text: str, number: str) -> bool:
    """
    Whether the last seven digits of a number stand in a text, parted by up to three signs or tags.

    Three or four digits alone stand by chance in one of some thousand random ids; seven do not.

    :param number: with or without its country, of any written form.
    """
    return re.search(_BETWEEN.join(_digits(number)[-7:]), text) is not None


def hints(text: str, number: str) -> bool:
    """Whether the last four digits of a number stand for themselves in a text, as they do behind a mask."""
    return re.search(rf"(?<![\w-]){_digits(number)[-4:]}(?![\w-])", text) is not None


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number)
