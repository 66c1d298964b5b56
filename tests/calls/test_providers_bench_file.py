import io
from datetime import UTC, datetime

from callprivacy.calls.providers import generic, tabular
from callprivacy.calls.providers.base import CallFacts
from lab.bench import callrail_csv

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def written(count: int, callers: int) -> bytes:
    file = io.StringIO(newline="")
    callrail_csv.write(file, count=count, callers=callers)
    return file.getvalue().encode("utf-8-sig")


def test_the_file_is_the_same_every_time_and_every_row_of_it_is_read() -> None:
    source = written(3000, 1000)
    assert source == written(3000, 1000)
    rows = list(tabular.Table(source).rows(generic.CALLRAIL, zone=UTC, at=NOON))
    assert len(rows) == 3000
    facts = [row for _, row in rows if isinstance(row, CallFacts)]
    assert len(facts) == 3000
    assert 900 < len({call.caller for call in facts if call.caller}) <= 1000


def test_its_numbers_are_nobodys() -> None:
    numbers = callrail_csv.numbers(60_000)
    assert len(set(numbers)) == 60_000
    assert all(number[5:10] == "55501" or number[3] == "9" for number in numbers)
