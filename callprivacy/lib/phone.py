"""
Telephone numbers: read them into E.164, mask them, say where they belong.

The rule of `normalise`, the same on the fast and on the slow path: a number is what has a possible length
for its country (libphonenumber's `IS_POSSIBLE`, nothing looser) and, under country code 1, the shape `NXX
NXX XXXX` with N from 2 to 9. Whether it is in service is nobody's business here, so numbers reserved for
fiction (555-0100 to 555-0199) are numbers. Letters make a text no number: vanity spellings, names and SIP
addresses are refused, not guessed. An extension is cut off. Nothing in this module remembers a number.
"""

import csv
import re
from functools import cache
from pathlib import Path
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat, ValidationResult

__all__ = ["COUNTRIES_WRITTEN", "is_e164", "is_withheld", "mask", "normalise", "place_of", "regions_of"]

COUNTRIES_WRITTEN: Final = {
    "UK": "GB",
    "EL": "GR",
    "USA": "US",
    "GBR": "GB",
    "CAN": "CA",
    "AUS": "AU",
    "DEU": "DE",
}
"""What people and trackers write for a country's code, in capitals."""
LONGEST_RAW: Final = 64
DOTS: Final = "•••"

_NANP_FAST = re.compile(
    r"(?:\+?1[ .-]?)?\(?([2-9][0-9]{2})\)?[ .-]{0,2}([2-9][0-9]{2})[ .-]?([0-9]{4})", re.ASCII
).fullmatch
_NANP_FAST_PLUS = re.compile(r"\+1([2-9][0-9]{2}[2-9][0-9]{6})", re.ASCII).fullmatch
_NANP_SHAPE = re.compile(r"[2-9][0-9]{2}[2-9][0-9]{6}", re.ASCII).fullmatch
_E164 = re.compile(r"\+[1-9][0-9]{5,14}", re.ASCII).fullmatch
_EXTENSION = re.compile(
    r"(?<![\s,;])[\s,;]*(?:extension|extn|ext|x|#)\.?\s*[0-9]{1,7}$", re.IGNORECASE | re.ASCII
)
_ONLY_DIALLED = re.compile(r"[\d\s()+./\-\u2010-\u2015\u00a0]+").fullmatch
_NANP_DEFAULTS = frozenset({"US", "CA"})
_IGNORED_IN_WORDS = re.compile(r"[\W_]+")

_WITHHELD_WORDS: Final = frozenset(
    {
        "anonymous",
        "anonymou",
        "unknown",
        "unknowncaller",
        "unknownnumber",
        "unknownname",
        "restricted",
        "restrictednumber",
        "private",
        "privatecaller",
        "privatenumber",
        "privatename",
        "unavailable",
        "callerunavailable",
        "idunavailable",
        "numberunavailable",
        "notavailable",
        "withheld",
        "numberwithheld",
        "blocked",
        "blockednumber",
        "blockedcaller",
        "callerblocked",
        "nocallerid",
        "noid",
        "nonumber",
        "none",
        "null",
        "na",
        "hidden",
        "hiddennumber",
        "outofarea",
        "suppressed",
        "notprovided",
        "confidential",
        "redacted",
    }
)
# What carriers send for the words on a keypad: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN (and its common
# misspelling), UNAVAILABLE, PRIVATE. With a leading +1 the second is a number of Austin, Texas, and stays
# one.
_WITHHELD_DIGITS: Final = frozenset(
    {"266696687", "7378742833", "2562533", "8656696", "8566696", "86282452253", "7748283"}
)


def is_withheld(raw: str | None) -> bool:
    """
    Whether a provider's caller field says that there is no caller id: empty, a word such as "anonymous", only
    zeros, or one of the digit strings that carriers send in place of the word.

    Such calls have no caller at all. One shared person made of everybody who hides would be worse than none.
    """
    if raw is None:
        return True
    text = raw.strip()
    if _NANP_FAST_PLUS(text) is not None:
        return False
    word = _IGNORED_IN_WORDS.sub("", text).lower()
    return (
        not word
        or word in _WITHHELD_WORDS
        or word in _WITHHELD_DIGITS
        or (word.isdigit() and not word.strip("0"))
    )


def normalise(raw: str | None, default_region: str = "US") -> str | None:
    """
    Read what a person or a provider wrote as a number in E.164, or None when it is none.

    :param raw: any text; a withheld caller id is none.
    :param default_region: ISO 3166 code of the country that a number without `+` belongs to.
    """
    if not raw:
        return None
    found = _NANP_FAST(raw) if default_region in _NANP_DEFAULTS else _NANP_FAST_PLUS(raw)
    if found is not None and raw not in _WITHHELD_DIGITS:
        return "+1" + "".join(found.groups())
    return _normalise_slowly(raw, default_region)


def _normalise_slowly(raw: str, default_region: str) -> str | None:
    if len(raw) > LONGEST_RAW or is_withheld(raw):
        return None
    text = _EXTENSION.sub("", raw.strip())
    if _ONLY_DIALLED(text) is None:
        return None
    number = _read(text, default_region)
    if number is None or is_withheld(number):
        return None
    # A number that does not read back as itself was a guess of the parser's.
    return number if _read(number, default_region) == number else None


def _read(text: str, default_region: str) -> str | None:
    try:
        parsed = phonenumbers.parse(text, default_region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        return None
    number = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    if parsed.country_code == 1 and _NANP_SHAPE(number[2:]) is None:
        return None
    return number if is_e164(number) else None


def is_e164(number: str) -> bool:
    """Whether the text has the form of E.164: plus, 6 to 15 digits, no zero in front."""
    return _E164(number) is not None


def mask(e164: str) -> str:
    """
    The only form of a number that is shown unasked: country code and at most the last four digits.

    `+14045554686` gives `+1 ••• ••• 4686`. Outside country code 1 the last four digits show when the national
    number has ten digits or more, otherwise no more than a third of it; the dots do not tell its length.
    What is no E.164 number shows nothing.
    """
    if not is_e164(e164):
        return DOTS
    code = _country_code(e164)
    if not code:
        return f"+{DOTS} {DOTS}"
    national = len(e164) - 1 - len(code)
    shown = 4 if national >= 10 else national // 3
    tail = f" {e164[-shown:]}" if shown > 0 else ""
    return f"+{code} {DOTS} {DOTS}{tail}"


def place_of(e164: str) -> tuple[str, str]:
    """
    The country (ISO 3166-1) and, under country code 1, the region (ISO 3166-2 without its country) of a
    number's plan.

    Either is "" when the number does not say: toll-free and other codes without a place, unassigned area
    codes, codes of no country. A region such as "NS|PE" names all that share the area code. Numbers are
    ported and people move: this is where the number belongs, not where the caller stands.
    """
    if not is_e164(e164):
        return "", ""
    code = _country_code(e164)
    if code == "1":
        return _regions().get(e164[2:5], ("", ""))
    if not code:
        return "", ""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]
    if len(regions) == 1:
        return _country(regions[0]), ""
    # Several countries share the code (+44 with Guernsey, +7 with Kazakhstan): ask the plan, else the main
    # one.
    parsed = phonenumbers.PhoneNumber(country_code=int(code), national_number=int(e164[1 + len(code) :]))
    return _country(phonenumbers.region_code_for_number(parsed) or regions[0]), ""


@cache
def regions_of(country: str) -> frozenset[str]:
    """The regions (ISO 3166-2 without its country) that area codes of a country under code 1 name; else none."""
    return frozenset(
        region
        for own, regions in _regions().values()
        if own == country
        for region in regions.split("|")
        if region
    )


def _country(region: str) -> str:
    return region if region.isalpha() else ""  # "001" is libphonenumber's word for no country


def _country_code(e164: str) -> str:
    if e164[1] == "1":
        return "1"
    for length in (2, 3, 1):
        code = e164[1 : 1 + length]
        if int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return code
    return ""


@cache
def _regions() -> dict[str, tuple[str, str]]:
    path = Path(__file__).parent / "data" / "npa_region.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["npa"]: (
                row["country"] if row["country"] != "NANP" else "",
                row["region"] if row["region"] != "NON-GEO" else "",
            )
            for row in csv.DictReader(file)
        }
