"""
Finding in a text what identifies people or opens their accounts: numbers, cards, e-mail addresses.

`has_number` decides about short fields such as a campaign or a column's name: only what is written like a telephone
number counts. `redact` is for conversations: written and spoken ("four one five, triple five ...", "cuatro uno cinco",
"john dot smith at gmail dot com"), in English, Spanish, German and French. Each is replaced by a word for what it was.
It rather takes out a number too many: what looks like a number of six digits or more is one, but amounts of money,
dates and times are left. Names and addresses are not recognised.
Pure, and quick: one pass over the words. Nothing in this module remembers a text.
"""

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from phonenumbers import Leniency, PhoneNumberMatcher

NUMBER: Final = "[number]"
CARD: Final = "[card]"
MAIL: Final = "[e-mail]"
CODE: Final = "[code]"

SHORTEST: Final = 6
"""Digits from which on something is a number that must go."""
_CARD: Final = range(13, 20)
_FEWEST: Final = 7
_TO_LOOK: Final = 4
"""Digits from which on letters may stand for the others."""
_TATWEEL: Final = "\u0640"
_FILLERS_AT_MOST: Final = 4
_SECRET_WITHIN: Final = 6


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ONES: Final = {
    word: str(digit)
    for digit, words in enumerate((
        "zero oh cero null", "one uno eins un", "two dos zwei zwo deux", "three tres drei trois",
        "four cuatro vier quatre", "five cinco funf fuenf cinq", "six seis sechs", "seven siete sieben sept",
        "eight ocho acht huit", "nine nueve neun neuf",
    ))
    for word in words.split()
}  # fmt: skip
_TEENS: Final = {
    word: str(number)
    for number, words in enumerate((
        "ten diez zehn dix", "eleven once elf onze", "twelve doce zwolf zwoelf douze", "thirteen trece dreizehn treize",
        "fourteen catorce vierzehn quatorze", "fifteen quince funfzehn fuenfzehn quinze",
        "sixteen dieciseis sechzehn seize", "seventeen diecisiete siebzehn", "eighteen dieciocho achtzehn",
        "nineteen diecinueve neunzehn",
    ), start=10)
    for word in words.split()
} | {
    f"veinti{word}": f"2{digit}"
    for digit, word in enumerate(
        ("uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"), start=1
    )
}  # fmt: skip
_TENS: Final = {
    word: str(number * 10)
    for number, words in enumerate((
        "twenty veinte zwanzig vingt vingts", "thirty treinta dreissig dreißig trente",
        "forty fourty cuarenta vierzig quarante", "fifty cincuenta funfzig fuenfzig cinquante",
        "sixty sesenta sechzig soixante", "seventy setenta siebzig septante",
        "eighty ochenta achtzig octante huitante", "ninety noventa neunzig nonante",
    ), start=2)
    for word in words.split()
}  # fmt: skip
_TENS_AFTER: Final = {
    f"{one}und{ten}": value[0] + digit
    for ten, value in _TENS.items()
    for one, digit in (_ONES | {"ein": "1"}).items()
    if ten.endswith(("zig", "ssig", "ßig"))
}
_SPANISH_HUNDREDS: Final = {
    word: str(digit)
    for digit, words in enumerate((
        "doscientos doscientas", "trescientos trescientas", "cuatrocientos cuatrocientas", "quinientos quinientas",
        "seiscientos seiscientas", "setecientos setecientas", "ochocientos ochocientas", "novecientos novecientas",
    ), start=2)
    for word in words.split()
}  # fmt: skip
# "vierhundert" adds one digit as "four" does, "vierhundertfunfzehn" all three.
_GERMAN_HUNDREDS: Final = {f"{one}hundert": digit for one, digit in (_ONES | {"ein": "1"}).items()}
_IN_HUNDREDS: Final = {
    f"{hundred}{rest}": digit + value.zfill(2)
    for hundred, digit in _GERMAN_HUNDREDS.items()
    for rest, value in (_ONES | _TEENS | _TENS | _TENS_AFTER).items()
}
_SAID: Final = _IN_HUNDREDS | _GERMAN_HUNDREDS | _SPANISH_HUNDREDS | _TENS_AFTER | _TENS | _TEENS | _ONES
# The zeros that are heard in "eight hundred" and "four thousand".
_ZEROS: Final = dict.fromkeys(
    {
        *_words("hundred hundreds cien ciento cientos hundert cent cents"),
        *_SPANISH_HUNDREDS,
        *_GERMAN_HUNDREDS,
    },
    2,
) | dict.fromkeys(_words("thousand mil tausend mille"), 3)
_SCALES_OF_AN_AMOUNT: Final = frozenset([(2,), (3,), (2, 3), (3, 2), (2, 3, 2)])
_TIMES: Final = {"double": 2, "doble": 2, "doppel": 2, "triple": 3, "treble": 3}
# What stands between the digits of a number that somebody says: "hundred" adds no digit of its own, who listens says
# "okay" after three of them, and a transcript names who speaks.
_FILLERS: Final = _words(
    "and y dash guion hyphen space espacio uh um eh huh mhm este then luego entonces again area code codigo lada dot"
    " punto plus mas extension ext okay ok yes yeah yep right correct si aja bueno claro got it o hundred thousand"
    " hundreds cien ciento cientos mil comma coma that's country pais pause pausa agent agente caller customer cliente"
    " speaker representative rep operator und et bindestrich minus tiret leerzeichen espace punkt point vorwahl"
    " indicatif genau ja oui d'accord alors dann also euh ah ahm kunde client anrufer hundert cent cents tausend mille"
)
# After these a short number is one as well: the code on a card's back, a PIN.
_SECRETS: Final = _words("cvv cvc cvv2 cvc2 pin passcode nip ssn")
_SECRET_PAIRS: Final = frozenset({
    ("security", "code"), ("codigo", "seguridad"), ("verification", "code"), ("codigo", "verificacion"),
    ("social", "security"), ("seguro", "social"), ("last", "four"), ("ultimos", "cuatro"),
})  # fmt: skip

_WRITTEN_MAIL: Final = re.compile(r"[^\s@<>()\[\],;:\"]{1,64}@[^\s@<>()\[\],;:\"]{1,200}\.[^\W\d_]{2,24}")
_PART: Final = r"[a-z0-9][a-z0-9._+\-]{0,63}"
_JOINT: Final = r"\s+(?:dot|period|punto|underscore|guion\s+bajo|dash|guion|hyphen)\s+"
_TOPS: Final = r"(?:com|net|org|edu|gov|info|biz|io|co|us|uk|ca|au|es|mx|de|fr)"
# A name before "at" is one word, words joined by "dot" and its like, or letters said one by one.
_SPOKEN_MAIL: Final = re.compile(
    rf"\b(?:(?:[a-z0-9]\s+){{2,40}}|{_PART}(?:{_JOINT}{_PART}){{0,6}}\s+)(?:at|arroba)\s+"
    rf"(?:{_PART}\s+){{0,2}}{_PART}(?:{_JOINT}{_PART}){{0,3}}\s*(?:\s(?:dot|punto)\s+|\.){_TOPS}(?![^\W\d])"
    rf"(?:\s+(?:dot|punto)\s+{_TOPS}(?![^\W\d]))?",
    re.IGNORECASE,
)
_MONEY: Final = re.compile(
    r"[$€£]\s?\d{1,7}(?:[.,]\d{2,3})*(?![-\s.,]?\d)"
    r"|(?<![\d.,+(\-])(?<!\d )(?:\d{1,3}(?:,\d{3})+(?:\.\d{2})?|\d{1,6}\.\d{2})\b(?![-\s.,]?\d)"
)
_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]{0,6}\.?"
_DATE_OR_TIME: Final = re.compile(
    r"(?<!\d/)\b\d{1,2}/\d{1,2}(?:/\d{2,4})?\b(?!/\d)|\b(?:19|20)\d{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b"
    rf"|\b\d{{1,2}}:\d{{2}}(?::\d{{2}})?\b|\b{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?\b",
    re.IGNORECASE,
)
# What stands for something that was taken out is one word, and says nothing.
_TOKEN: Final = re.compile(r"\[(?:number|card|e-mail|code)\]|\d+|[^\W\d_]+(?:'[^\W\d_]+)?")
# Between two tokens of one number: blanks, punctuation, who speaks.
_GAP: Final = re.compile(r"[^\w$€£%]{0,12}|_{1,12}")


_HAN: Final = {
    char: str(digit)
    for digit, chars in enumerate(
        ("〇零", "一壹弌", "二贰貳弍", "三叁參", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖")
    )
    for char in chars
}
_LETTERS: Final = str.maketrans("OoIl", "0011")
# Digits and the letters that look like some, with no other letter beside them.
_RUN: Final = re.compile(r"(?<![^\W_])[\dOoIl]++(?![^\W_])")
_SIGN_BETWEEN: Final = re.compile(r"(?<=\d)(?:[$€£¥₹₽₩]| [$€£¥₹₽₩] )(?=\d)")

# Of a short field: what has as many digits as a telephone number and is none.
_NO_NUMBER: Final = re.compile(
    r"(?<!\d)(?<!\d[-/.])(?:(?:19|20)\d{2}(?P<a>[-/._ ])(?:0?[1-9]|1[0-2])(?P=a)(?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])(?P<b>[-/.])(?:0?[1-9]|[12]\d|3[01])(?P=b)(?:19|20)?\d{2})(?![-/.]?\d)"
    r"|(?<!\d)\d{1,2}:\d{2}(?::\d{2})?(?!\d|\s*:\s*\d)"
    r"|(?<!\d)(?:19|20)\d{2}(?:[-/, ]{1,3}(?:19|20)\d{2}){1,3}(?!\d)"
    r"|(?<!\d)\d{2}-\d{2}(?:, ?\d{2}-\d{2})+(?!\d)|(?<!\d)\d{5}/\d{5}(?!\d)"
    r"|[$€£] ?(?:\d{1,6}|\d{1,3}(?:[,.]\d{3}){1,3})(?:[.,]\d{2})?(?!\d)|(?<![\d+])\d{1,3}(?:,\d{3}){2,}(?!\d)"
)
# Ten digits, however they are grouped; seven behind a plus, or behind a zero in groups; three groups of three; seven
# written like a number without its area code. Letters end it.
_GAPS: Final = r"[^\w$€£%]{0,8}"
_LIKE_A_NUMBER: Final = re.compile(
    rf"(?:\d{_GAPS}){{9}}\d|\+{_GAPS}(?:\d{_GAPS}){{6}}\d"
    rf"|(?<!\d)0\d{{1,4}}[^\w$€£%,.]{{1,4}}(?:\d{_GAPS}){{4}}\d"
    r"|(?<!\d)\d{3}([-. ])\d{3}\1\d{3}(?!\d)"
    r"|(?<![\d.,:/-])[2-9]\d{2}[^\w$€£%/,:]\d{4}(?![\d%]|[.,:/-]\d)"
)


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without what was taken out, and how many passages that were."""

    text: str
    count: int


@dataclass(frozen=True, slots=True)
class _Token:
    """A word or digits: where it stands, the digits that it says, and what it is otherwise."""

    start: int
    end: int
    word: str
    digits: str


def redact(text: str) -> Redacted:
    """Take numbers, cards and e-mail addresses out of a text. Doing it twice changes nothing more."""
    count = 0
    for pattern in (_WRITTEN_MAIL, _SPOKEN_MAIL):
        text, found = pattern.subn(MAIL, text)
        count += found
    cuts = _numbers(text)
    parts, position = [], 0
    for start, end, word in cuts:
        parts += [text[position:start], word]
        position = end
    return Redacted("".join([*parts, text[position:]]), count + len(cuts))


def has_number(text: str, region: str = "US") -> bool:
    """
    Whether a short text, such as a campaign, holds what is written like a telephone number.

    Digits of every script count, letters that stand for digits, and any punctuation may stand between them.

    :param region: ISO 3166-1 of the country whose numbers are written without their country code.
    """
    if sum(map(str.isnumeric, text)) < _TO_LOOK:
        return False
    plain = _folded(unquote(text))
    if sum(map(str.isdecimal, plain)) < _FEWEST:
        return False
    plain = _NO_NUMBER.sub("x", plain)
    return _LIKE_A_NUMBER.search(plain) is not None or any(
        PhoneNumberMatcher(plain, region, leniency=Leniency.VALID)
    )


def is_personal(text: str) -> bool:
    """Whether a short text holds a telephone number or an e-mail address."""
    return has_number(text) or _WRITTEN_MAIL.search(text) is not None


def _folded(text: str) -> str:
    """The text with digits of every script as 0 to 9, and what only separates as hyphens or blanks."""
    if not text.isascii():
        plain = "".join(_as_ascii(char) for char in text)
        text = "".join(_as_ascii(char) for char in unicodedata.normalize("NFKC", plain))
    return _with_letters_as_digits(text).replace("_", " ").replace("\\", "/")


def _with_plain_digits(text: str) -> str:
    """The text, place for place, with what else stands for a digit as 0 to 9, and what only lengthens as a hyphen."""
    if not text.isascii():
        text = "".join(
            str(unicodedata.digit(char))
            if char.isdigit()
            else "-"
            if char == _TATWEEL
            else _HAN.get(char, char)
            for char in text
        )
    return _with_letters_as_digits(text)


def _with_letters_as_digits(text: str) -> str:
    """The text, place for place: "4l5" and "O147" as digits, and a sign of money between digits as a hyphen."""
    text = _RUN.sub(lambda found: found[0] if found[0].isalpha() else found[0].translate(_LETTERS), text)
    return _SIGN_BETWEEN.sub(lambda found: "-" * len(found[0]), text)


def _as_ascii(char: str) -> str:
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    if char in _HAN:
        return _HAN[char]
    kind = unicodedata.category(char)
    # An accent, a mark around a digit or what is invisible separates nothing.
    if char.isascii() or kind == "Sc" or (kind[0] in "LN" and kind != "Lm"):
        return char
    return "" if kind[0] in "MC" or kind == "Lm" else " " if kind[0] == "Z" else "-"


def is_card(digits: str) -> bool:
    """Whether digits are a card's number by their length and their check digit (Luhn, ISO/IEC 7812-1)."""
    if len(digits) not in _CARD:
        return False
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _numbers(text: str) -> list[tuple[int, int, str]]:
    """
    Where numbers stand, and the word for each.

    Words are counted as they stand afterwards, where a number is one: what is near a word that asks for a secret is
    as near the second time.
    """
    text = _with_plain_digits(text)
    tokens = _tokens(text)
    cuts: list[tuple[int, int, str]] = []
    place, gone, secret_until = 0, 0, -1
    before: list[str] = []
    while place < len(tokens):
        last, digits = _run(text, tokens, place)
        is_secret = place - gone <= secret_until and len(digits) > 2
        if len(digits) >= SHORTEST or is_secret:
            word = CARD if is_card(digits) else NUMBER if len(digits) >= SHORTEST else CODE
            cuts.append((_with_plus(text, tokens[place].start), tokens[last].end, word))
            gone += last - place
            if word == CARD:
                secret_until = last - gone + 1 + _SECRET_WITHIN
            before.append(word)
        else:
            if not digits and _asks_for_secret(tokens[place].word, before[-2:]):
                secret_until = place - gone + _SECRET_WITHIN
            before += [token.word for token in tokens[place : last + 1]]
        place = last + 1
    return cuts


def _tokens(text: str) -> list[_Token]:
    """The words and digits of a text; an amount of money, a date or a time is one token without digits."""
    found = [_token(match) for match in _TOKEN.finditer(text)]
    whole = [_Token(*match.span(), "$", "") for match in _MONEY.finditer(text)]
    whole += [_Token(*match.span(), ":", "") for match in _DATE_OR_TIME.finditer(text)]
    if not whole:
        return found
    spans = sorted((token.start, token.end) for token in whole)
    starts = [start for start, _ in spans]
    outside = [
        token
        for token in found
        if not (place := bisect_right(starts, token.start)) or spans[place - 1][1] < token.end
    ]
    return sorted([*outside, *whole], key=lambda token: token.start)


def _token(found: re.Match[str]) -> _Token:
    raw = found[0]
    if raw[0] == "[":
        return _Token(found.start(), found.end(), raw, "")
    if raw[0].isdecimal():
        digits = "".join(str(unicodedata.decimal(char)) for char in raw)
        return _Token(found.start(), found.end(), raw, digits)
    word = _plain(raw)
    return _Token(
        found.start(),
        found.end(),
        word,
        _SAID.get(word, ""),
    )


def _plain(raw: str) -> str:
    """A word in small letters, without accents."""
    lowered = unicodedata.normalize("NFKD", raw.lower())
    return "".join(char for char in lowered if not unicodedata.combining(char))


def _asks_for_secret(word: str, before: list[str]) -> bool:
    return word in _SECRETS or any(second == word and first in before for first, second in _SECRET_PAIRS)


def _run(text: str, tokens: list[_Token], first: int) -> tuple[int, str]:
    """The last token of a number that begins at `first`, and all its digits; none where none begins there."""
    digits, last, fillers, times = [tokens[first].digits], first, 0, _TIMES.get(tokens[first].word, 1)
    if not digits[0] and times == 1:
        return first, ""
    scales: list[tuple[int, int]] = []
    _hear(scales, digits, tokens[first])
    for place in range(first + 1, len(tokens)):
        token = tokens[place]
        if _GAP.fullmatch(text, tokens[place - 1].end, token.start) is None:
            break
        if token.digits:
            _say(digits, token, times, tokens[place - 1])
            last, fillers, times = place, 0, 1
            _hear(scales, digits, token)
        elif token.word in _TIMES and fillers < _FILLERS_AT_MOST:
            times, fillers = _TIMES[token.word], fillers + 1
        elif (token.word in _FILLERS or token.word == ":") and digits[-1] and fillers < _FILLERS_AT_MOST:
            fillers += 1
            _hear(scales, digits, token)
        else:
            break
    return last, "".join(digits) + "0" * _zeros(scales, digits)


def _hear(scales: list[tuple[int, int]], digits: list[str], token: _Token) -> None:
    """Note a "hundred" or "thousand", and how many digits were said before it."""
    if token.word in _ZEROS:
        scales.append((_ZEROS[token.word], len(digits)))


def _zeros(scales: list[tuple[int, int]], digits: list[str]) -> int:
    """
    How many digits of a number "hundred" and "thousand" stand for: in "eight hundred, four hundred, two thousand"
    seven, in "four hundred fifteen" none; none of an amount, which is one such number alone.
    """
    if not scales:
        return 0
    ends = [*(said for _, said in scales[1:]), len(digits)]
    parts = [digits[said:end] for (_, said), end in zip(scales, ends, strict=True)]
    if tuple(zeros for zeros, _ in scales) in _SCALES_OF_AN_AMOUNT and max(map(len, parts)) <= 1:
        return 0
    return sum(
        0 if part and len(part[0]) > 1 else zeros for (zeros, _), part in zip(scales, parts, strict=True)
    )


def _say(digits: list[str], token: _Token, times: int, before: _Token) -> None:
    """Add the digits of one more token: "twenty five" is 25, "double five" is 55."""
    if before.word in _TENS and token.word in _ONES and token.digits != "0":
        digits[-1] = digits[-1][:-1] + token.digits
    else:
        digits.append(token.digits * times)


def _with_plus(text: str, start: int) -> int:
    """The plus and the bracket in front of a number belong to it."""
    while start > 0 and text[start - 1] in "+(":
        start -= 1
    return start
