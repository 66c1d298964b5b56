"""A played vendor that says what no vendor says, and a question that none understands, are found out."""

from datetime import date
from typing import Any

import pytest

from tests import published

CALLS = "/2010-04-01/Accounts/AC/Calls.json"
CALL = {"sid": "CA" + "1" * 32, "status": "completed", "duration": "60", "parent_call_sid": None}
LISTED = "/v3/a/ACC1/calls.json"
ONLY = "/api/2020-10-01/networks/transactions/33.json?include_columns=transaction_id,duration"


def wrong(
    target: str, payload: Any = None, *, method: str = "GET", said: dict[str, str] | None = None
) -> list[str]:
    watch = published.Watch()
    watch.exchange(method, target, said or {}, 200 if payload is not None else 401, payload)
    return watch.wrong


def test_what_is_published_is_right() -> None:
    asked = f"{CALLS}?PageSize=500&StartTime%3E=2026-11-23T12:00:00Z"
    assert wrong(asked, {"calls": [CALL], "next_page_uri": None}) == []
    assert wrong(f"{LISTED}?fields=company_id,tags&relative_pagination=true&per_page=250") == []
    assert wrong(ONLY, [{"transaction_id": "FE7F-1", "duration": 3}]) == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"seconds": 60}, "seconds is no field"),
        ({"duration": 60}, "duration is no string or null"),
        ({"status": "ok"}, "status is none of"),
        ({"sid": "CA1"}, "sid is not written as"),
        ({"start_time": "2026-11-24T11:30:00Z"}, "start_time is no date-time-rfc-2822"),
    ],
)
def test_a_field_that_the_vendor_does_not_have_or_of_another_kind_is_found(
    more: dict[str, Any], words: str
) -> None:
    (found,) = wrong(CALLS, {"calls": [CALL | more]})
    assert words in found


def test_a_field_that_is_left_out_and_a_list_by_another_name_are_found() -> None:
    assert wrong(CALLS, {"calls": [{"status": "queued"}]}) == ["call: sid is missing"]
    assert wrong(CALLS, {"items": []}) == ["answer: calls is missing", "answer: items is no field"]
    assert wrong(CALLS, []) == ["answer: is no object"]
    assert wrong(ONLY, [{"transaction_id": "A-1", "city": "Denver"}]) == ["answer: city was not asked for"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (f"{CALLS}?StartDate=2026-11-23", "StartDate is no parameter"),
        (f"{CALLS}?PageSize=5000", "PageSize is too small or too large"),
        (f"{CALLS}?StartTime%3E=yesterday", "StartTime> is no date-time"),
        (f"{LISTED}?sorting=start_time", "sorting is no parameter"),
        (f"{LISTED}?fields=company_id,shoe_size", "fields names 'shoe_size'"),
        (f"{LISTED}?start_date=23.11.2026", "start_date is no date"),
        ("/api/v1/accounts/25/calls.json?per_page=200", "per_page is too small or too large"),
        ("/v4/a/ACC1/calls.json", "nobody publishes that"),
    ],
)
def test_a_parameter_that_the_vendor_does_not_know_is_found(target: str, words: str) -> None:
    (found,) = wrong(target)
    assert words in found


def test_a_form_is_held_to_its_fields() -> None:
    text = CALLS.replace("Calls", "Messages")
    assert wrong(text, method="POST", said={"Too": "+1"}) == [
        "form: Too is no parameter",
        "form: To is missing",
    ]


@pytest.mark.parametrize("vendor", published.VENDORS)
def test_each_file_says_where_and_when_it_was_read(vendor: str) -> None:
    about = published.of(vendor)
    assert all(address.startswith("https://") for address in about["source"])
    assert date.fromisoformat(about["as_of"]) <= date.fromisoformat(about["read_on"])
