import base64
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.providers.base import (
    CallFacts,
    Delivery,
    Ignored,
    RefusedError,
    Stage,
    UnparsableError,
)
from callprivacy.calls.providers.callrail import CallRail

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = "072e77e426f92738a72fe23c4d1953b4"
SIGNATURE = "UZAHbUdfm3GqL7qzilGozGzWV64="
BODY = (Path(__file__).parent.parent / "fixtures" / "callrail_post_call_vector.json").read_bytes()

callrail = CallRail()


def parse(**changes: Any) -> CallFacts:
    payload = {
        "id": 7,
        "start_time": "2026-11-24T06:00:00-05:00",
        "customer_phone_number": "+14045550123",
    } | changes
    found = callrail.parse(json.dumps(payload).encode(), {}, at=NOON)
    assert isinstance(found, CallFacts)
    return found


def signed(body: bytes = BODY, signature: str = SIGNATURE, name: str = "Signature") -> Delivery:
    return Delivery(body=body, headers={name: signature}, url="https://example.com/hooks/callrail/k/")


def test_the_published_signature_holds() -> None:
    assert len(BODY) == 2279
    assert callrail.verify(signed(), [KEY])
    assert callrail.verify(signed(name="SIGNATURE"), ["an older key", KEY])
    assert callrail.verify(signed(), [KEY, "a newer key"])


def test_forgeries_do_not() -> None:
    assert not callrail.verify(signed(), [])
    assert not callrail.verify(signed(), ["another key"])
    assert not callrail.verify(signed(BODY + b" "), [KEY])
    assert not callrail.verify(signed(signature=""), [KEY])
    assert not callrail.verify(signed(signature="é"), [KEY])
    assert not callrail.verify(signed(signature=SIGNATURE[:-1]), [KEY])
    unkeyed = base64.b64encode(hmac.digest(b"", BODY, "sha1")).decode()
    assert not callrail.verify(signed(signature=unkeyed), [""])


def test_the_published_call() -> None:
    assert callrail.parse(BODY, {}, at=NOON) == CallFacts(
        started_at=datetime(2018, 2, 19, 18, 41, 0, 236000, UTC),
        direction=Direction.INBOUND,
        seconds=13,
        outcome=Outcome.VOICEMAIL,
        caller="+12148654559",
        tracking_number="+14045558514",
        source="Google AdWords",
        campaign="Google AdWords",
        medium="cpc",
        region="PA",
        country="US",
        first_call=False,
        qualified=True,
        references=(("id", "766970532"),),
        recording_reference="https://app.callrail.com/calls/766970532/recording/redirect?access_key=aaaaccccddddeeee",
        recording_seconds=8,
        account="155920786",
        stage=Stage.ENDED,
        revision=int(NOON.timestamp() * 1000),
    )


def test_a_call_that_rings_has_neither_length_nor_outcome() -> None:
    rings = parse(direction="inbound", duration=None, answered=None)
    assert (rings.stage, rings.seconds, rings.outcome) == (Stage.STARTED, None, None)
    routed = parse(duration="", business_phone_number="+12025550100", answered=True)
    assert (routed.stage, routed.seconds, routed.outcome) == (Stage.ROUTED, None, None)


def test_a_modified_call_settles_what_can_be_changed_even_to_nothing() -> None:
    changed = parse(
        duration=5,
        answered=True,
        changes=["tags"],
        tags=[],
        value="",
        note="She said her name",
        lead_status="not_a_lead",
    )
    assert changed.stage is Stage.MODIFIED
    assert changed.modified_only == {"tags", "value_cents", "qualified"}
    assert changed.qualified is False


def test_outbound_calls_keep_the_other_side_as_the_caller() -> None:
    call = parse(direction="outbound", duration="20", answered=True, tracking_phone_number="+18005550123")
    assert (call.direction, call.caller, call.tracking_number) == (
        Direction.OUTBOUND,
        "+14045550123",
        "+18005550123",
    )
    old = parse(
        direction="outbound",
        duration="20",
        answered=False,
        customer_phone_number="",
        destinationnum="+14045550124",
        callernum="+14045550125",
    )
    assert (old.caller, old.outcome) == ("+14045550124", Outcome.MISSED)


def test_old_names_are_understood() -> None:
    call = parse(
        start_time=None,
        datetime="2018-02-19 18:41:00",
        customer_phone_number=None,
        callernum="(404) 555-0123",
        trackingnum="+18005550123",
        callstate="x",
        callerstate="GA",
        callercountry="US",
        callsource="google_paid",
        duration=1,
    )
    assert call.started_at == datetime(2018, 2, 19, 18, 41, tzinfo=UTC)
    assert (call.caller, call.tracking_number, call.region, call.source) == (
        "+14045550123",
        "+18005550123",
        "GA",
        "google_paid",
    )


def test_both_ids_are_references_of_their_kinds() -> None:
    assert parse(resource_id="CAL0123abc").references == (("id", "7"), ("resource_id", "CAL0123abc"))
    assert parse(id="CAL0123abc").references == (("resource_id", "CAL0123abc"),)


def test_a_time_without_an_offset_is_the_companys() -> None:
    call = parse(start_time="2026-11-23T12:00:00", company_time_zone="America/Los_Angeles")
    assert call.started_at == datetime(2026, 11, 23, 20, tzinfo=UTC)
    call = parse(start_time="2026-11-23T12:00:00", company_time_zone="No/Where")
    assert call.started_at == datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("number", ["Anonymous", "", None, "+266696687", "Restricted"])
def test_a_withheld_caller_is_nobody(number: str | None) -> None:
    call = parse(customer_phone_number=number)
    assert (call.caller, call.caller_withheld) == (None, True)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"id": 1, "resource_id": "FRM1", "form_data": {"name": "x"}, "form_url": "x"}, "form submission"),
        (
            {"id": 1, "content": "Hello", "message_type": "sms", "source_number": "+14045550123"},
            "text message",
        ),
        ({"id": 1, "resource_id": "CAL1", "convert_assist_summary": "x"}, "convert assist"),
        ({"resource_id": "XYZ1"}, "not a call"),
    ],
)
def test_what_is_no_call_is_ignored_with_its_reason(payload: dict[str, Any], reason: str) -> None:
    assert callrail.parse(json.dumps(payload).encode(), {}, at=NOON) == Ignored(reason)


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"duration": "-5"}, "duration"),
        ({"duration": "long"}, "duration"),
        ({"duration": 90_000}, "duration"),
        ({"start_time": "2026-11-24T12:11:00Z"}, "start_time"),
        ({"start_time": "1999-01-01T00:00:00Z"}, "start_time"),
        ({"start_time": "yesterday"}, "start_time"),
        ({"start_time": "yesterday at nine sharp"}, "start_time"),
        ({"start_time": "0001-01-01T00:00:00+14:00"}, "start_time"),
        ({"start_time": None}, "start_time"),
        ({"customer_phone_number": "12"}, "customer_phone_number"),
        ({"customer_phone_number": {"a": 1}}, "customer_phone_number"),
        ({"tracking_phone_number": "12345"}, "tracking_phone_number"),
        ({"direction": "sideways"}, "direction"),
        ({"direction": 7}, "direction"),
        ({"value": "-3"}, "value"),
        ({"first_call": "perhaps"}, "first_call"),
    ],
)
def test_absurd_values_are_refused_by_name(changes: dict[str, Any], column: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(**changes)
    assert refused.value.column == column


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"nothing", b'{"a": NaN}', b"\xff", b"[" * 100_000, b"{}", b'{"id": "x y"}']
)
def test_what_is_no_event_cannot_be_parsed(body: bytes) -> None:
    with pytest.raises(UnparsableError):
        callrail.parse(body, {}, at=NOON)


def test_equal_bodies_are_one_event() -> None:
    key = callrail.event_key(BODY)
    assert key is not None
    assert key == callrail.event_key(BODY) != callrail.event_key(BODY.replace(b'"13"', b'"14"'))
    assert len(key) <= 120
    assert callrail.event_key(b"{") is None


NAMES = st.sampled_from([*sorted(json.loads(BODY)), "changes", "resource_id", "event", "call_id"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["CAL1", "+14045550123", "inbound", "7", "2026-01-31T00:00:00Z", "2026-01-31 00:00:00"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(NAMES, VALUES, max_size=8), st.booleans())
def test_any_payload_is_facts_or_a_refusal(changes: dict[str, Any], whole: bool) -> None:
    payload = (json.loads(BODY) if whole else {}) | changes
    try:
        found = callrail.parse(json.dumps(payload).encode(), {}, at=NOON)
    except (RefusedError, UnparsableError):
        return
    assert isinstance(found, CallFacts | Ignored)


@given(st.binary())
def test_any_bytes_are_facts_or_a_refusal(body: bytes) -> None:
    with pytest.raises((RefusedError, UnparsableError)):
        callrail.parse(body, {}, at=NOON)
    callrail.event_key(body)
    assert not callrail.verify(signed(body), [KEY])
