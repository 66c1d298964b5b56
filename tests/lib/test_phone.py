import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.lib import phone

DIALLED = st.text(alphabet="0123456789+() .-#x", max_size=24)
NANP = st.from_regex(r"[2-9][0-9]{2}[2-9][0-9]{6}", fullmatch=True)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("+14045550123", "+14045550123"),
        ("(404) 555-0123", "+14045550123"),
        ("404-555-0123", "+14045550123"),
        ("404.555.0123", "+14045550123"),
        ("4045550123", "+14045550123"),
        ("1-404-555-0123", "+14045550123"),
        ("+1 (404) 555-0123", "+14045550123"),
        (" +1 404 555 0123 ", "+14045550123"),
        ("404-555-0123 ext. 12", "+14045550123"),
        ("404-555-0123x12", "+14045550123"),
        ("+44 117 496 0123", "+441174960123"),
        ("011 44 117 496 0123", "+441174960123"),
        ("+49 30 23125 123", "+493023125123"),
        ("+61 2 5550 1234", "+61255501234"),
    ],
)
def test_numbers_as_people_and_providers_write_them(raw: str, number: str) -> None:
    assert phone.normalise(raw) == number


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        " ",
        "911",
        "555-0123",
        "104-555-0123",
        "404-155-0123",
        "+1404555012",
        "+140455501234",
        "404-555-CALL",
        "Jo 404-555-0123",
        "sip:4045550123@example.com",
        "client:anna",
        "2026-01-31",
        "+",
        "0" * 200,
        "+999123456789",
        "Anonymous",
        "+266696687",
        "7378742833",
        "404/555/01/23/45/67",
        "\x00",
        "404-555-0123\n404-555-0124",
    ],
)
def test_what_is_no_number_is_refused(raw: str | None) -> None:
    assert phone.normalise(raw) is None


def test_a_national_number_belongs_to_the_default_region() -> None:
    assert phone.normalise("0117 496 0123", "GB") == "+441174960123"
    assert phone.normalise("+14045550123", "GB") == "+14045550123"


@pytest.mark.thorough
@given(
    st.one_of(DIALLED, st.text(max_size=40)),
    st.sampled_from(["US", "GB", "DE", "CN", "JM", "IT", "MX", "AR"]),
)
def test_normalising_twice_is_normalising_once(raw: str, region: str) -> None:
    number = phone.normalise(raw, region)
    if number is not None:
        assert phone.is_e164(number)
        assert phone.normalise(number, region) == number
        assert phone.normalise(number) == number


@given(
    NANP,
    st.sampled_from(
        ["{0}{1}{2}", "+1{0}{1}{2}", "({0}) {1}-{2}", "{0}-{1}-{2}", "1 {0}.{1}.{2}", "+1 ({0}) {1}-{2}"]
    ),
)
def test_the_fast_path_says_what_the_slow_one_says(digits: str, form: str) -> None:
    raw = form.format(digits[:3], digits[3:6], digits[6:])
    assert phone.normalise(raw) == phone._normalise_slowly(raw, "US")


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "  ",
        "-",
        "anonymous",
        "Anonymous",
        "UNKNOWN",
        "Restricted",
        "private",
        "Private Caller",
        "unavailable",
        "blocked",
        "withheld",
        "No Caller ID",
        "+266696687",
        "266696687",
        "+7378742833",
        "+2562533",
        "+8656696",
        "+86282452253",
        "0000000000",
        "+0",
        "N/A",
    ],
)
def test_withheld_caller_ids(raw: str | None) -> None:
    assert phone.is_withheld(raw)


@pytest.mark.parametrize(
    "raw", ["+14045550123", "404-555-0123", "Anna", "+17378742833", "911", "+441174960123"]
)
def test_what_is_not_withheld(raw: str) -> None:
    assert not phone.is_withheld(raw)


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+14045554686", "+1 ••• ••• 4686"),
        ("+441174960123", "+44 ••• ••• 0123"),
        ("+4930231251", "+49 ••• ••• 51"),
        ("+3725123", "+372 ••• ••• 3"),
        ("+999123456", "+••• •••"),
        ("404-555-0123", "•••"),
        ("", "•••"),
    ],
)
def test_masks(number: str, masked: str) -> None:
    assert phone.mask(number) == masked


@given(st.from_regex(r"\+[1-9][0-9]{5,14}", fullmatch=True))
def test_a_mask_shows_the_code_and_at_most_four_digits(number: str) -> None:
    masked = phone.mask(number)
    code, *rest = masked.removeprefix("+").split(" ")
    shown = re.sub(r"\D", "", "".join(rest))
    assert len(shown) <= 4
    assert number.endswith(shown)
    national = len(number) - 1 - len(code)
    if code.isdigit() and national < 10:
        assert 3 * len(shown) <= national


@given(st.text(max_size=30))
def test_a_mask_of_anything_else_shows_nothing(text: str) -> None:
    if not phone.is_e164(text):
        assert phone.mask(text) == "•••"


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("+14045550123", ("US", "GA")),
        ("+12045550123", ("CA", "MB")),
        ("+19025550123", ("CA", "NS|PE")),
        ("+18765550123", ("JM", "JM")),
        ("+18005550123", ("", "")),
        ("+12955550123", ("", "")),
        ("+441174960123", ("GB", "")),
        ("+493023125123", ("DE", "")),
        ("+77015550123", ("KZ", "")),
        ("+88213000000", ("", "")),
        ("+999123456", ("", "")),
        ("nobody", ("", "")),
    ],
)
def test_places(number: str, place: tuple[str, str]) -> None:
    assert phone.place_of(number) == place
