"""Amounts of money are written in their currency and in the number format of their readers."""

import pytest

from callprivacy.lib.money import CURRENCIES, FORMATS, Money, money_of


@pytest.mark.parametrize(
    ("country", "words"),
    [
        ("US", "$1,234.50"),
        ("DE", "1.234,50\xa0€"),
        ("FR", "1\xa0234,50\xa0€"),
        ("NL", "€\xa01.234,50"),
        ("CH", "CHF\xa01’234.50"),
        ("GB", "£1,234.50"),
        ("CA", "CAD\xa01,234.50"),
        ("JP", "¥1,234"),
        ("XX", "$1,234.50"),
    ],
)
def test_an_amount_is_written_as_in_the_country(country: str, words: str) -> None:
    assert money_of(country).amount(1234.5 if country != "JP" else 1234) == words


def test_what_was_chosen_comes_before_the_country() -> None:
    assert money_of("DE", currency="CHF").amount(2) == "2,00\xa0CHF"
    assert money_of("DE", numbers="en").amount(2) == "€2.00"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_what_it_writes(name: str) -> None:
    money = Money("EUR", name)
    assert money.read(money.amount(1234567.5)) == 123_456_750
    assert money.read("12.34.5") is None
    assert money.read("\N{ARABIC-INDIC DIGIT THREE}") is None


def test_codes_are_three_letters_and_stand_once() -> None:
    assert len(set(CURRENCIES)) == len(CURRENCIES)
    assert all(len(code) == 3 and code.isupper() for code in CURRENCIES)
