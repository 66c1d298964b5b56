"""Amounts of money as one client's readers write them. Nothing converts one currency into another."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from django.utils import formats, numberformat


def _codes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_NBSP: Final = "\N{NO-BREAK SPACE}"
FORMATS: Final = {
    "en": "{symbol}{amount}",
    "de": "{amount} {symbol}",
    "de-ch": "{symbol} {amount}",
    "es": "{amount} {symbol}",
    "fr": "{amount} {symbol}",
    "it": "{amount} {symbol}",
    "nl": "{symbol} {amount}",
    "pl": "{amount} {symbol}",
    "pt-br": "{symbol} {amount}",
    "sv": "{amount} {symbol}",
}
"""Number format -> where it writes the symbol. The separators are Django's."""
_LANGUAGES: Final = {
    "en": "English", "de": "German", "de-ch": "Swiss", "es": "Spanish", "fr": "French", "it": "Italian", "nl": "Dutch",
    "pl": "Polish", "pt-br": "Brazilian", "sv": "Swedish",
}  # fmt: skip
CURRENCIES: Final = _codes(
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY"
    " COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR"
    " ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK"
    " MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF"
    " SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS"
    " VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
"""The codes of ISO 4217 that people pay with."""
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
"""Symbols that stand for one currency in these formats; every other is written by its code."""
_WITHOUT_PARTS: Final = _codes("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF")
_EURO: Final = _codes("AT BE BG CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK")
_CURRENCY_OF: Final = dict.fromkeys(_EURO, "EUR") | {
    "US": "USD", "PR": "USD", "CA": "CAD", "AU": "AUD", "NZ": "NZD", "GB": "GBP", "CH": "CHF", "LI": "CHF",
    "SE": "SEK", "NO": "NOK", "DK": "DKK", "IS": "ISK", "PL": "PLN", "CZ": "CZK", "HU": "HUF", "RO": "RON", "BR": "BRL",
    "MX": "MXN", "CL": "CLP", "CO": "COP", "AR": "ARS", "PE": "PEN", "JP": "JPY", "KR": "KRW", "CN": "CNY",
    "HK": "HKD", "TW": "TWD", "SG": "SGD", "IN": "INR", "IL": "ILS", "AE": "AED", "SA": "SAR", "ZA": "ZAR",
    "TR": "TRY", "UA": "UAH", "PH": "PHP", "MY": "MYR", "TH": "THB", "ID": "IDR", "VN": "VND",
}  # fmt: skip
_FORMAT_OF: Final = {
    "DE": "de", "AT": "de", "LU": "fr", "CH": "de-ch", "LI": "de-ch", "FR": "fr", "BE": "nl", "NL": "nl", "ES": "es",
    "AR": "es", "CL": "es", "CO": "es", "IT": "it", "PL": "pl", "BR": "pt-br", "SE": "sv", "FI": "sv", "NO": "sv",
}  # fmt: skip


@cache
def _separators(name: str) -> tuple[str, str]:
    """Before the parts of a unit, and between thousands."""
    found = [
        str(formats.get_format(f"{which}_SEPARATOR", name, use_l10n=True))
        for which in ("DECIMAL", "THOUSAND")
    ]
    # What Django wraps or lists otherwise: Switzerland writes money with a point.
    return "." if name == "de-ch" else found[0], "’" if name == "de-ch" else found[1]


@dataclass(frozen=True, slots=True)
class Money:
    """
    A currency and a number format.

    :ivar currency: its code in ISO 4217.
    :ivar numbers: a key of FORMATS.
    """

    currency: str = "USD"
    numbers: str = "en"

    @property
    def symbol(self) -> str:
        """What stands for the currency beside an amount."""
        return _SYMBOLS.get(self.currency, self.currency)

    @property
    def _pattern(self) -> str:
        pattern = FORMATS[self.numbers].replace(" ", _NBSP)
        return pattern if len(self.symbol) == 1 else pattern.replace("{symbol}{", f"{{symbol}}{_NBSP}{{")

    @property
    def _places(self) -> int:
        return 0 if self.currency in _WITHOUT_PARTS else 2

    def number(self, number: float, places: int = 0) -> str:
        point, thousand = _separators(self.numbers)
        return numberformat.format(f"{number:.{places}f}", point, places, 3, thousand, force_grouping=True)

    def amount(self, units: float) -> str:
        """An amount of the currency's units, such as $1,234.50 or 1.234,50 €."""
        return self._pattern.format(symbol=self.symbol, amount=self.number(units, self._places))

    def cents(self, hundredths: float) -> str:
        return self.amount(hundredths / 100)

    def short(self, compact: str) -> str:
        """A number that was shortened for an axis, such as 1.2k, with this format's separator."""
        return compact.replace(".", _separators(self.numbers)[0])

    def short_amount(self, compact: str) -> str:
        """The same with the currency."""
        return self._pattern.format(symbol=self.symbol, amount=self.short(compact))

    @property
    def sheet(self) -> str:
        """The format of a workbook's cell; the separators are those of whoever opens it."""
        return self._pattern.format(
            symbol=f'"{self.symbol}"', amount="#,##0" + (".00" if self._places else "")
        )

    def read(self, text: str) -> int | None:
        """
        Hundredths of what a person wrote, with this format's separators or a plain point; None where it is no amount
        of this currency.
        """
        point, thousand = _separators(self.numbers)
        plain = text.replace(_NBSP, " ").replace("\N{NARROW NO-BREAK SPACE}", " ")
        for mark in {self.symbol, self.currency}:
            plain = plain.removeprefix(mark).removesuffix(mark).strip()
        thousand = {_NBSP: " ", "\N{NARROW NO-BREAK SPACE}": " "}.get(thousand, thousand)
        pattern = rf"\d{{1,3}}(?:[{re.escape(thousand)}']\d{{3}})+(?:{re.escape(point)}\d{{1,2}})?\Z"
        if re.match(pattern, plain):
            plain = plain.replace(thousand, "").replace("'", "")
        pattern = rf"\d{{1,9}}(?:[.{re.escape(point)}]\d{{1,2}})?\Z"
        if not plain.isascii() or not re.match(pattern, plain):
            return None
        whole, _, part = plain.replace(point, ".").partition(".")
        return int(whole) * 100 + int(part.ljust(2, "0") or 0)


def choices_of_formats() -> list[tuple[str, str]]:
    """Number formats as a form offers them: each by an example."""
    return [(name, f"{Money('EUR', name).number(1234.5, 2)} ({_LANGUAGES[name]})") for name in FORMATS]


DOLLARS: Final = Money()
"""What is written where no client says otherwise."""


def money_of(country: str, *, currency: str = "", numbers: str = "") -> Money:
    """A currency and a number format; what is not chosen is as in the country, or as in the United States."""
    return Money(currency or _CURRENCY_OF.get(country, "USD"), numbers or _FORMAT_OF.get(country, "en"))
