"""Nothing that opens an account or finds a person is left in a text, however it is written or said."""

import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from callprivacy.lib import redact as module
from callprivacy.lib.redact import has_number, is_card, redact
from tests.scale import some

ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPANISH = ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve")
SAID = re.compile("|".join(rf"\b{word}\b" for word in {*ENGLISH, *SPANISH, "oh"}))

numbers = st.text("0123456789", min_size=7, max_size=12)
gaps = st.sampled_from(["", " uh", ",", " okay.", " y", " dash", ".\nAgent: yes.\nCaller:", " ..."])
prose = st.sampled_from(
    [
        "hello",
        "please call me back",
        "gracias",
        "it is about my tooth",
        "we open at 10:30",
        "it costs $1,250.00",
        "",
        "Caller:",
    ]
)


def left(text: str) -> str:
    """The digits that stand in a text, written or said."""
    return "".join(re.findall(r"\d", text)) + "".join("0" for _ in SAID.finditer(text.lower()))


def grouped(digits: str, sizes: list[int], between: str) -> str:
    """Digits in groups."""
    parts, start = [], 0
    for size in sizes:
        parts.append(digits[start : start + size])
        start += size
    return between.join(part for part in [*parts, digits[start:]] if part)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call me at 415-555-0101 ok", "call me at [number] ok"),
        ("+1 (415) 555-0101", "[number]"),
        ("call (555) 123-4567 x 89", "call [number] x 89"),
        ("four one five, five five five oh one oh one thanks", "[number] thanks"),
        ("eight hundred five five five one two one two", "[number]"),
        ("triple five, double oh, nine nine", "[number]"),
        ("twenty five, thirty one, forty", "[number]"),
        (
            "mi número es cuatro uno cinco cincuenta y cinco cincuenta y cinco doble cero uno",
            "mi número es [number]",
        ),
        (
            "Caller: four one five. Agent: uh huh. Caller: five five five. Agent: yes. Caller: oh one.",
            "Caller: [number].",
        ),
        ("[00:12] four one five [00:15] five five five", "[00:12] [number]"),
        ("SSN 123-45-6789", "SSN [number]"),
        ("card 4111 1111 1111 1111 cvv 123", "card [card] cvv [code]"),
        ("my card is four one one one one one one one one one one one one one one one", "my card is [card]"),
        ("el código de seguridad es nueve nueve dos", "el código de seguridad es [code]"),
        ("my pin is 1 2 3 4", "my pin is [code]"),
        ("john dot smith at gmail dot com", "[e-mail]"),
        ("write to j o h n at gmail dot com please", "write to [e-mail] please"),
        ("juan punto pérez@example.com", "juan punto [e-mail]"),
        ("juan arroba hotmail punto com", "[e-mail]"),
        ("a@b.com and x.y+z@example.co.uk.", "[e-mail] and [e-mail]."),
        ("\N{FULLWIDTH DIGIT FOUR}15 555 0101", "[number]"),
        ("415,555,0101", "[number]"),
        ("4155550101.00", "[number]"),
        ("AB123456", "AB[number]"),
    ],
)
def test_what_identifies_goes(text: str, expected: str) -> None:
    assert redact(text).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I need a plumber for two bathrooms, three sinks and one tub.",
        "it costs $1,250.00 or 1,250 dollars at 10:30 on 11/24/2026",
        "in twenty twenty six we paid one thousand two hundred fifty dollars",
        "my zip code is 90210",
        "I am at home. Two, three or four of us will come.",
        "we have 3 trucks and 2 people, 4 of them okay",
        "Meet me at noon.",
        "uno dos tres probando",
        "three hundred thousand five hundred dollars",
        "we sold four hundred fifteen, five of them broken",
        "two hundred people and three hundred dogs",
        "mil doscientos cincuenta dólares, o trescientos mil quinientos",
        "deux mille vingt-six francs, ou achthundert Euro",
        "I take 10l or 20l, and I owe $99 $199 $299",
        "一共三个人",
    ],
)
def test_what_does_not_stays(text: str) -> None:
    found = redact(text)
    assert (found.text, found.count) == (text, 0)


@example("00000000", [4, 2], "-", "hello", "")
@given(
    numbers,
    st.lists(st.integers(1, 4), max_size=6),
    st.sampled_from(["", " ", "-", ".", ") ", " - ", ", "]),
    prose,
    prose,
)
def test_no_written_number_is_left(
    digits: str, sizes: list[int], between: str, before: str, after: str
) -> None:
    number = grouped(digits, sizes, between)
    assume(not re.fullmatch(r"(19|20)\d\d-\d\d-\d\d", number))  # it may be a day, and days are left
    found = redact(f"{before}: {number} {after}")
    rest = found.text.replace("10:30", "").replace("$1,250.00", "")
    assert left(rest) == ""
    assert found.count >= 1


@given(
    numbers,
    st.sampled_from([ENGLISH, SPANISH]),
    st.lists(gaps, min_size=12, max_size=12),
    st.booleans(),
)
def test_no_spoken_number_is_left(
    digits: str, language: tuple[str, ...], between: list[str], shouted: bool
) -> None:
    said = "".join(f" {language[int(digit)]}{gap}" for digit, gap in zip(digits, between, strict=False))
    text = f"Caller: it is{said} thank you"
    assert left(redact(text.upper() if shouted else text).text) == ""


@given(st.text("0123456789", min_size=12, max_size=18), st.sampled_from(["", " ", "-"]))
def test_a_card_is_known_by_its_check_digit(most: str, between: str) -> None:
    check = next(digit for digit in "0123456789" if is_card(most + digit))
    assert redact(grouped(most + check, [4, 4, 4, 4], between)).text == "[card]"
    wrong = str((int(check) + 1) % 10)
    assert redact(grouped(most + wrong, [4, 4, 4, 4], between)).text == "[number]"


@given(
    st.from_regex(r"[a-z][a-z0-9._+-]{0,15}[a-z0-9]", fullmatch=True),
    st.from_regex(r"[a-z0-9][a-z0-9-]{1,12}", fullmatch=True),
    st.sampled_from(["com", "org", "es", "co.uk"]),
)
def test_no_address_is_left(name: str, domain: str, top: str) -> None:
    found = redact(f"it is {name}@{domain}.{top}, thanks")
    assert "@" not in found.text
    assert found.text == "it is [e-mail], thanks"


@pytest.mark.thorough
@given(
    st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), min_size=1, max_size=3),
    st.from_regex(r"[a-z]{3,10}", fullmatch=True),
    st.sampled_from(["com", "net", "org", "mx"]),
    st.booleans(),
)
def test_no_spoken_address_is_left(names: list[str], domain: str, top: str, spanish: bool) -> None:
    dot, at = (" punto ", " arroba ") if spanish else (" dot ", " at ")
    found = redact(f"it is: {dot.join(names)}{at}{domain}{dot}{top}")
    assert found.text == "it is: [e-mail]"


_pieces = st.lists(
    st.sampled_from(
        [
            *ENGLISH, "uno", "oh", "double", "triple", "twenty", "hundred", "and", "okay", "cvv", "pin", "at",
            "dot", "com", "security", "code", "social",
            "4", "41", "555", "0101", "-", ".", ",", ":", "10:30", "$5", "\n", "(", "hello", "[number]", "a@b.com", "/",
        ]
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=400)
@example(["cvv", *["zero"] * 5, "at", *["zero"] * 3])
@example(["social", "4", "1", "5", "5", "5", "5", "security", "555"])
@example(["pin", "security", "555", "a", "b", "c", "d", "555"])
@example(["hello at hello.com4111", "1111", "1111", "1111"])
@given(_pieces)
def test_doing_it_twice_changes_nothing_more(pieces: list[str]) -> None:
    once = redact(" ".join(pieces))
    again = redact(once.text)
    assert (again.text, again.count) == (once.text, 0)


@settings(max_examples=300)
@given(st.text(max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    found = redact(text)
    assert found.count >= 0
    assert (found.count == 0) == (found.text == text)
    assert re.search(r"\d{6}", found.text) is None


@pytest.mark.parametrize(
    "piece",
    some(
        [
            "1 ",
            "a at ",
            "a. ",
            "dot ",
            "x dot ",
            "@",
            "a@",
            "$1,000",
            "a ",
            "double ",
            "1/",
            "10:30 ",
            "[",
            "four one ",
            "eight hundred ",
            "1$",
            "O1",
            "四",
        ],
        one_in=14,
        each=lambda piece: any(word in piece for word in ("@", "at", "dot")),
    ),
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < 2.0


def test_cards_of_other_lengths_are_none() -> None:
    assert is_card("4111111111111111")
    assert not is_card("411111111111")
    assert not is_card("4" * 20)
    assert not is_card("4111111111111112")


def test_random_conversations_lose_their_numbers() -> None:
    chance = random.Random(11)
    for _ in range(300):
        digits = "".join(chance.choice("0123456789") for _ in range(10))
        words = " ".join((ENGLISH if chance.random() < 0.5 else SPANISH)[int(digit)] for digit in digits)
        said = chance.choice([words, digits, f"{digits[:3]} {words.split()[3]} {digits[4:]}"])
        assert left(redact(f"so my number is {said}, okay?").text) == ""
    assert module.SHORTEST == 6


_CORPUS = Path(__file__).resolve().parent.parent / "fixtures" / "numbers"


def _corpus(name: str) -> list[str]:
    """Short texts, one a line: numbers in many spellings and scripts, or what only looks like one."""
    return (_CORPUS / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def test_numbers_of_the_corpus_are_recognized_and_little_else() -> None:
    positive, negative = _corpus("positive"), _corpus("negative")
    missed = [ascii(text) for text in positive if not has_number(text)]
    wrong = [text for text in negative if has_number(text)]
    found = len(positive) - len(missed)
    print(f"recall {found / len(positive):.3f}, precision {found / (found + len(wrong)):.3f}")  # noqa: T201
    assert len(positive) >= 300
    assert len(negative) >= 300
    assert missed == []
    assert wrong == ["ZIP+4 10001-2345"]


def test_numbers_written_as_in_their_country_are_recognized_there() -> None:
    lines = [line.split(" ", 2) for line in _corpus("regional")]
    found = [(sign, country, text) for sign, country, text in lines if has_number(text, country)]
    wrong = [f"{country} {text}" for sign, country, text in found if sign == "-"]
    right, all_of_them = len(found) - len(wrong), sum(sign == "+" for sign, _, _ in lines)
    print(f"by country: recall {right / all_of_them:.3f}, precision {right / len(found):.3f}")  # noqa: T201
    assert right == all_of_them
    assert wrong == ["ES factura 2026/001234"]


def test_no_number_of_the_corpus_stays_in_a_transcript() -> None:
    said = [text for text in _corpus("positive") if "%" not in text]  # an address is no talk
    left = [ascii(text) for text in said if has_number(redact(text).text)]
    assert left == []


@pytest.mark.parametrize(
    "text",
    [
        "meine Nummer ist null vier eins fünf, fünf fünf fünf null eins vier sieben",
        "null drei null, dreiundzwanzig zwölf fünfzig",
        "mon numéro est zéro un, quatre-vingt-dix-neuf, zéro zéro, douze, vingt-trois",
        "c'est le zéro six douze trente-quatre cinquante-six soixante-dix-huit",
        "zéro vingt et un, septante-deux, octante-six, nonante-neuf",
        "huitante-deux, septante, nonante-cinq",
        "meine Nummer ist vierhundertfünfzehn, fünfhundertfünfundfünfzig, null eins",
        "huit cents, cinq cents, deux mille",
        "four fifteen five fifty-five zero one forty-seven",
        "call eight hundred, four hundred, two thousand",
        "area code eight hundred, three thirty three, four thousand",
        "it is eight hundred five five five",
        "cuatrocientos quince, quinientos cincuenta y cinco, cero uno cuarenta y siete",
        "ochocientos, quinientos, dos mil",
        "我的电话是 四一五 五五五 零一四七",
        "it is 4l5 555 O147",
        "it is 415$555$0147",
    ],
)
def test_numbers_said_in_hundreds_and_other_languages_go(text: str) -> None:
    assert "[number]" in redact(text).text
    assert has_number(redact(text).text) is False


def test_a_date_with_its_month_in_words_stays() -> None:
    assert redact("we met on Sept 5, 2026 at 10:30").count == 0
