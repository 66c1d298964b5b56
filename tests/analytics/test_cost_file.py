"""A list of costs is read as a whole, or refused with what is wrong in it, line by line."""

from datetime import date

import pytest

from analytics.channels import cost_file
from analytics.channels.cost_file import FAULTS_SHOWN, CostFileError, CostRow
from callprivacy.lib.money import DOLLARS, Money

TODAY = date(2026, 11, 24)


def read(data: bytes, *, today: date, money: Money = DOLLARS) -> list[CostRow]:
    return cost_file.read(data, today=today, money=money)


def _faults(text: str | bytes) -> list[tuple[int, str, str]]:
    with pytest.raises(CostFileError) as caught:
        read(text if isinstance(text, bytes) else text.encode(), today=TODAY)
    return [(fault.line, fault.column, fault.what) for fault in caught.value.faults]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_file_is_read_whatever_separates_its_cells(separator: str) -> None:
    lines = [
        ["Campaign", "note", "Day", "Spend"],
        ["  Roofs   now ", "x", "2026-11-01", "$120.5"],
        [],
        ["Drains", "", "2026-11-02", "0"],
    ]
    text = "\ufeff" + "\r\n".join(separator.join(cells) for cells in lines)
    assert read(text.encode(), today=TODAY) == [
        CostRow(date(2026, 11, 1), "Roofs now", 12050),
        CostRow(date(2026, 11, 2), "Drains", 0),
    ]


def test_grouped_amounts_are_read_where_they_are_quoted() -> None:
    text = 'date,campaign,cost\n2026-11-01,Roofs,"1,200.05"\n'
    assert read(text.encode(), today=TODAY)[0].cents == 120_005


@pytest.mark.parametrize("cost", ["1.200,05", "1200,05", "1200.05", "€ 1.200,05", "1200,05 EUR"])
def test_amounts_are_read_in_the_clients_number_format_and_with_a_plain_point(cost: str) -> None:
    text = f"date;campaign;cost\n2026-11-01;Roofs;{cost}\n"
    assert read(text.encode(), today=TODAY, money=Money("EUR", "de"))[0].cents == 120_005


def test_an_amount_of_another_currency_is_refused() -> None:
    with pytest.raises(CostFileError) as caught:
        read(b"date,campaign,cost\n2026-11-01,Roofs,$12.50\n", today=TODAY, money=Money("EUR", "de"))
    assert caught.value.faults[0].what.startswith("Write the cost in EUR, as 1.250,50 or 1250.50")


def test_all_that_is_wrong_is_said_with_its_line_and_column() -> None:
    text = (
        "date,campaign,cost\n2026-13-01,Roofs,5\n11/02/2026,Roofs,5\n2026-12-01,Roofs,5\n2026-11-01,,5\n"
        "2026-11-01,Roofs,-5\n2026-11-01,Roofs,12 EUR\n2026-11-02,Roofs,1.234\n2026-11-03,Roofs,5\n"
        "2026-11-03,ROOFS,6\n2026-11-04\n2026-11-05,Drains,1,200\n"
    )
    assert [(line, column) for line, column, _ in _faults(text)] == [
        (2, "date"), (3, "date"), (4, "date"), (5, "campaign"), (6, "cost"), (7, "cost"), (8, "cost"),
        (10, "campaign"), (11, ""), (12, ""),
    ]  # fmt: skip
    assert "line 9" in _faults(text)[7][2]


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"", 1, "date is missing"),
        (b"date,cost\n2026-11-01,4\n", 1, "campaign is missing"),
        (b"date,day,campaign,cost\n", 1, "more than once"),
        (b"date,campaign,cost\n", 0, "no rows"),
        (b"date,campaign,cost\n2026-11-01,\xe4,4\n", 2, "UTF-8"),
        (b"PK\x03\x04\0\0", 0, "no text file"),
        (b'date,campaign,cost\n2026-11-01,"Roofs,4\n', 2, "quotes"),
        (b"x" * 2_000_001, 0, "larger than"),
    ],
)
def test_what_is_no_list_of_costs_says_so(data: bytes, line: int, words: str) -> None:
    at, _, what = _faults(data)[0]
    assert at == line
    assert words in what


def test_a_file_full_of_faults_shows_the_first_and_counts_the_rest() -> None:
    text = "date,campaign,cost\n" + "nonsense,Roofs,4\n" * (FAULTS_SHOWN + 7)
    with pytest.raises(CostFileError) as caught:
        read(text.encode(), today=TODAY)
    assert (len(caught.value.faults), caught.value.more) == (FAULTS_SHOWN, 7)
