import base64
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.providers import FORMATS, PROVIDERS, base, tabular
from callprivacy.calls.providers.base import (
    CallFacts,
    Delivery,
    Ignored,
    RefusedError,
    Stage,
    UnparsableError,
)
from callprivacy.calls.providers.ctm import EXPORT, CallTrackingMetrics

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BODY = (Path(__file__).parent.parent / "fixtures" / "ctm_call_2013_shape.json").read_bytes()
SECRET = "7a7f2f78fdea5ab00c403c50c889a854"

# CTM publishes no signed example. These were made once with OpenSSL over the time and the body below:
# printf '%s%s' "$TIME" "$SIGNED" | openssl dgst -sha1 -hmac "$SECRET" -binary | base64
TIME = "1795521600"
SIGNED = b'{"id":729485,"caller_number_complete":"+12025550188"}'
SIGNATURE = "90psz6N79Wr1/gqkg44E2aadI4Y="

ctm = CallTrackingMetrics()


def signed(
    body: bytes = SIGNED,
    signature: str | None = SIGNATURE,
    time: str | None = TIME,
    *,
    at: datetime | None = None,
    names: tuple[str, str] = ("X-CTM-Time", "X-CTM-Signature"),
) -> Delivery:
    headers = {name: value for name, value in zip(names, (time, signature), strict=True) if value is not None}
    return Delivery(body=body, headers=headers, url="https://example.com/hooks/ctm/k/", at=at)


def signature_of(time: str, body: bytes, secret: str = SECRET) -> str:
    """HMAC-SHA1 by its definition (RFC 2104), so that the verifier's library is not its own witness."""
    key = secret.encode().ljust(64, b"\0")
    inner = sha1(bytes(byte ^ 0x36 for byte in key) + time.encode() + body, usedforsecurity=False).digest()
    outer = sha1(bytes(byte ^ 0x5C for byte in key) + inner, usedforsecurity=False).digest()
    return base64.b64encode(outer).decode()


def parse(**changes: Any) -> CallFacts:
    payload = {
        "id": 7,
        "unix_time": 1795521600,
        "caller_number_complete": "+14045550123",
        "duration": 40,
    } | changes
    found = ctm.parse(json.dumps(payload).encode(), {}, at=NOON)
    assert isinstance(found, CallFacts)
    return found


# --- Who signed it --------------------------------------------------------------------------------------


def test_the_signature_of_time_and_body_holds() -> None:
    assert ctm.verify(signed(), [SECRET])
    assert ctm.verify(signed(names=("x-ctm-time", "X-CTM-SIGNATURE")), [SECRET])
    assert ctm.verify(signed(), ["an older secret", SECRET])
    assert ctm.verify(signed(), [SECRET, "a newer secret"])


def test_the_signature_is_what_others_make() -> None:
    """OpenSSL's, and one by the definition."""
    assert signature_of(TIME, SIGNED) == SIGNATURE


def test_the_time_that_is_signed_orders_what_is_said_where_it_names_its_zone() -> None:
    noon = datetime(2026, 11, 25, 12, tzinfo=UTC)
    for time in (
        "1795608000",
        "1795608000000",
        "2026-11-25T07:00:00-05:00",
        "Wed, 25 Nov 2026 12:00:00 +0000",
    ):
        assert ctm.said_at({"x-ctm-time": f" {time}"}) == noon
    for time in ("2026-11-25 12:00:00", "Wed, 25 Nov 2026 12:00:00", "noon", ""):
        assert ctm.said_at({"X-CTM-Time": time}) is None
    assert PROVIDERS["signed"].said_at({"webhook-timestamp": "1795608000"}) == noon
    assert PROVIDERS["signed"].said_at({"webhook-timestamp": "noon"}) is None
    assert PROVIDERS["callrail"].said_at({"Date": "Wed, 25 Nov 2026 12:00:00 +0000"}) is None


def test_forgeries_do_not() -> None:
    assert not ctm.verify(signed(), [])
    assert not ctm.verify(signed(), ["another secret"])
    assert not ctm.verify(signed(SIGNED + b" "), [SECRET])
    assert not ctm.verify(signed(time="1795521601"), [SECRET])
    assert not ctm.verify(signed(signature=""), [SECRET])
    assert not ctm.verify(signed(signature="é"), [SECRET])
    assert not ctm.verify(signed(signature=SIGNATURE[:-1]), [SECRET])
    assert not ctm.verify(signed(signature=None), [SECRET])
    assert not ctm.verify(signed(signature=signature_of(TIME, SIGNED, "")), [""])


def test_without_its_time_nothing_is_signed() -> None:
    assert not ctm.verify(signed(time=None), [SECRET])
    assert not ctm.verify(signed(time=None, signature=signature_of("", SIGNED)), [SECRET])
    assert not ctm.verify(signed(time=" ", signature=signature_of(" ", SIGNED)), [SECRET])


def test_time_and_body_cannot_lend_each_other_signs() -> None:
    """The two are signed without a sign between them: who moves one over must break either JSON or the time."""
    moved = signed(b"0" + SIGNED, SIGNATURE, TIME[:-1])
    assert ctm.verify(moved, [SECRET])
    with pytest.raises(UnparsableError):
        ctm.parse(moved.body, {}, at=NOON)


@pytest.mark.parametrize(
    "time",
    [
        "1795521600",
        "1795521600000",
        "2026-11-24T12:00:00Z",
        "2026-11-24 07:00:00 -0500",
        "2026-11-24T05:00:00",
        "Tue, 24 Nov 2026 12:00:00 GMT",
    ],
)
def test_a_delivery_long_after_its_time_is_a_repeat(time: str) -> None:
    signature = signature_of(time, SIGNED)
    assert ctm.verify(signed(signature=signature, time=time, at=NOON), [SECRET])
    for days in (-3, 3):
        late = signed(signature=signature, time=time, at=NOON + timedelta(days=days))
        assert not ctm.verify(late, [SECRET])


@pytest.mark.parametrize("time", ["soon", "24/11/2026", "17955216", "0001-01-01T00:00:00+14:00", "é"])
def test_a_time_that_cannot_be_read_is_refused(time: str) -> None:
    delivery = signed(signature=signature_of(time, SIGNED), time=time, at=NOON)
    assert not ctm.verify(delivery, [SECRET])
    assert not ctm.verify(signed(time=time, at=NOON), [SECRET])


def test_a_repeat_is_the_same_event_whenever_it_was_signed() -> None:
    key = ctm.event_key(BODY)
    assert key is not None
    assert key == ctm.event_key(BODY) != ctm.event_key(BODY.replace(b'"duration": 25', b'"duration": 26'))
    assert len(key) <= 120
    assert ctm.event_key(b"{") is None


# --- What it says ---------------------------------------------------------------------------------------


def test_the_published_shape() -> None:
    assert ctm.parse(BODY, {}, at=NOON) == CallFacts(
        started_at=datetime(2013, 5, 2, 3, 48, tzinfo=UTC),
        direction=Direction.INBOUND,
        seconds=25,
        outcome=Outcome.ANSWERED,
        caller="+12025550188",
        tracking_number="+12025550141",
        source="Facebook",
        region="CA",
        country="US",
        tags=("follow up",),
        references=(("id", "729485"),),
        recording_reference="https://calltrackingmetrics.com/accounts/ACxxxxxxxx/recordings/RExxxxxxxx",
        account="25",
        stage=Stage.ENDED,
        revision=int(NOON.timestamp() * 1000),
        modified_only=frozenset({"tags"}),
    )


def test_names_agents_and_addresses_have_no_place() -> None:
    call = parse(
        name="Jo Doe",
        cnam="DOE JO",
        email="jo@example.com",
        street="1 Example St",
        city="Springfield",
        postal_code="94043",
        agent={"name": "Al", "email": "al@example.com", "id": "USR1"},
        notes="She said her name",
        transcription_text="hello, this is Jo",
        visitor_ip="192.0.2.7",
        location="https://example.com/?gclid=x",
        source="jo@example.com",
        latitude=33.0,
    )
    held = " ".join(str(getattr(call, name)) for name in CallFacts.__dataclass_fields__)
    for canary in (
        "Jo",
        "DOE",
        "jo@",
        "Example St",
        "Springfield",
        "94043",
        "USR1",
        "hello",
        "192.0.2.7",
        "gclid",
    ):
        assert canary not in held


def test_the_unix_time_is_preferred_and_the_written_one_needs_its_offset() -> None:
    assert parse(called_at="2013-05-01 11:48 PM -04:00").started_at == NOON
    assert parse(unix_time=None, called_at="2026-11-24 06:30 AM -05:00").started_at == NOON - timedelta(
        minutes=30
    )
    with pytest.raises(RefusedError) as refused:
        parse(unix_time=None, called_at="2026-11-24 06:30 AM")
    assert refused.value.column == "called_at"


@pytest.mark.parametrize("number", ["Anonymous", "", None, "+266696687", "Restricted", "unavailable"])
def test_a_withheld_caller_is_nobody(number: str | None) -> None:
    call = parse(caller_number_complete=number)
    assert (call.caller, call.caller_withheld) == (None, True)


def test_older_names_of_the_caller_are_understood() -> None:
    assert parse(caller_number_complete=None, caller_number="(404) 555-0124").caller == "+14045550124"
    assert parse(caller_number_complete="", caller_number_bare="4045550125").caller == "+14045550125"


@pytest.mark.parametrize(
    ("said", "stage", "outcome"),
    [
        ({"dial_status": "completed"}, Stage.ENDED, Outcome.ANSWERED),
        ({"call_status": "answered"}, Stage.ENDED, Outcome.ANSWERED),
        ({"call_status": "No Answer"}, Stage.ENDED, Outcome.MISSED),
        ({"dial_status": "no-answer", "duration": 0}, Stage.ENDED, Outcome.MISSED),
        ({"dial_status": "busy"}, Stage.ENDED, Outcome.BUSY),
        ({"dial_status": "failed"}, Stage.ENDED, Outcome.FAILED),
        ({"dial_status": "canceled"}, Stage.ENDED, Outcome.ABANDONED),
        ({"call_status": "completed", "dial_status": "voicemail"}, Stage.ENDED, Outcome.VOICEMAIL),
        ({"call_status": "purple", "talk_time": 9}, Stage.ENDED, Outcome.ANSWERED),
        ({"call_status": "purple", "talk_time": 0}, Stage.ENDED, None),
        ({"status": "ringing", "duration": None}, Stage.STARTED, None),
        ({"status": "in progress", "duration": 0}, Stage.ROUTED, None),
        ({"duration": None}, Stage.STARTED, None),
        ({"duration": 0}, Stage.ENDED, None),
    ],
)
def test_how_far_it_came_and_how_it_ended(
    said: dict[str, Any], stage: Stage, outcome: Outcome | None
) -> None:
    call = parse(**said)
    assert (call.stage, call.outcome) == (stage, outcome)
    assert (call.seconds is None) == (stage is not Stage.ENDED)


def test_what_arrives_later_knows_better_even_of_tags_taken_away() -> None:
    payload = {"id": 7, "unix_time": 1795521600, "duration": 40, "tag_list": ["hot"]}
    first = ctm.parse(json.dumps(payload).encode(), {}, at=NOON)
    later = ctm.parse(json.dumps(payload | {"tag_list": []}).encode(), {}, at=NOON + timedelta(hours=1))
    assert isinstance(first, CallFacts)
    assert isinstance(later, CallFacts)
    assert base.merge(first, later).tags == base.merge(later, first).tags == ()


def test_direction_campaign_and_a_new_caller() -> None:
    call = parse(
        direction="outbound", is_new_caller=True, paid={"campaign": "Spring", "medium": "cpc"}, sid="CL9"
    )
    assert (call.direction, call.first_call, call.campaign, call.medium) == (
        Direction.OUTBOUND, True, "Spring", "cpc",
    )  # fmt: skip
    assert call.references == (("id", "7"), ("sid", "CL9"))


@pytest.mark.parametrize(
    ("direction", "reason"),
    [("msg_inbound", "text message"), ("form", "form submission"), ("chat", "chat"), ("fax_inbound", "fax")],
)
def test_what_is_no_call_is_ignored_with_its_reason(direction: str, reason: str) -> None:
    body = json.dumps({"id": 7, "direction": direction}).encode()
    assert ctm.parse(body, {}, at=NOON) == Ignored(reason)


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"duration": "-5"}, "duration"),
        ({"duration": 90_000}, "duration"),
        ({"unix_time": 1795521600 + 700}, "unix_time"),
        ({"unix_time": "soon"}, "unix_time"),
        ({"unix_time": True}, "unix_time"),
        ({"unix_time": None}, "called_at"),
        ({"unix_time": None, "called_at": "0001-01-01 00:00:00 +14:00"}, "called_at"),
        ({"unix_time": None, "called_at": "2003-01-01 01:00 PM -04:00"}, "called_at"),
        ({"caller_number_complete": "12"}, "caller_number_complete"),
        ({"caller_number_complete": None, "caller_number": {"a": 1}}, "caller_number"),
        ({"tracking_number": "12345"}, "tracking_number"),
        ({"direction": "sideways"}, "direction"),
        ({"direction": 7}, "direction"),
        ({"is_new_caller": "perhaps"}, "is_new_caller"),
        ({"redacted": "perhaps"}, "redacted"),
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
        ctm.parse(body, {}, at=NOON)


# --- Keys, and people taken out -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "presses"),
    [
        (None, ()),
        ([], ()),
        (["9"], (("menu 1", "9"),)),
        (["1", "9"], (("menu 1", "1"), ("menu 2", "9"))),
        ([1, 9], (("menu 1", "1"), ("menu 2", "9"))),
        (["Main menu: 2", "Recording - 9"], (("Main menu", "2"), ("Recording", "9"))),
        (["9 - Do not record"], (("Do not record", "9"),)),
        (["Do not record"], (("Do not record", ""),)),
        ([{"name": "Recording", "value": "9"}], (("Recording", "9"),)),
        ([{"value": 9}], (("menu 1", "9"),)),
        (["*9", "#"], (("menu 1", "*9"), ("menu 2", "#"))),
        (["94043", "4111111111111111", "9"], (("menu 3", "9"),)),
        (["call 404-555-0123", "jo@example.com", None, True, [], {}, "x" * 200], ()),
        (["9"] * 100, tuple((f"menu {place}", "9") for place in range(1, 21))),
        ("1, 9", (("menu 1", "1"), ("menu 2", "9"))),
        ("no list at all", (("no list at all", ""),)),
    ],
)
def test_keys_pressed_in_menus(inputs: object, presses: tuple[tuple[str, str], ...]) -> None:
    assert parse(inputs={"menu_inputs": inputs}).presses == presses
    assert parse(menu_inputs=inputs).presses == presses


def test_of_a_redacted_call_nothing_of_the_person_is_read_whatever_else_it_holds() -> None:
    call = parse(
        redacted=True,
        audio="https://app.calltrackingmetrics.com/r/1",
        tag_list=["VIP"],
        tracking_number="+18005550123",
        source="Google Ads",
        caller_number="nonsense",
    )
    assert call.redacted
    assert (call.caller, call.caller_withheld, call.recording_reference, call.tags) == (None, True, None, ())
    assert (call.tracking_number, call.source, call.seconds) == ("+18005550123", "Google Ads", 40)
    assert not parse(redacted=False).redacted


# --- Its files ------------------------------------------------------------------------------------------


def rows(text: str) -> list[CallFacts | RefusedError]:
    table = tabular.Table(text.encode())
    return [facts for _, facts in table.rows(EXPORT, zone=ZoneInfo("America/New_York"), at=NOON)]


def test_a_file_with_the_interfaces_own_names() -> None:
    (call, other) = rows(
        "id,unix_time,caller_number_complete,tracking_number,duration,dial_status,menu_inputs,redacted,name,state,"
        "direction\n"
        '729485,1795521600,+12025550188,+12025550141,25,completed,"Main menu: 2, 9",false,Jo Doe,CA,inbound\n'
        "729486,1795521600,redacted,+12025550141,25,no answer,,true,,,outbound\n"
        "729487,1795521600,+12025550188,+12025550141,,,,,,,msg_inbound\n"
    )
    assert isinstance(call, CallFacts)
    assert call.started_at == NOON
    assert (call.caller, call.tracking_number) == ("+12025550188", "+12025550141")
    assert (call.outcome, call.region) == (Outcome.ANSWERED, "CA")
    assert call.presses == (("Main menu", "2"), ("menu 2", "9"))
    assert call.references == (("id", "729485"),)
    assert isinstance(other, CallFacts)
    assert (other.redacted, other.caller, other.direction) == (True, None, Direction.OUTBOUND)


def test_a_file_as_a_person_sees_it() -> None:
    (call,) = rows(
        "Called At,Contact Number,Duration,Call Status,Tags\n"
        "2026-11-23 01:05 PM,(202) 555-0188,0:25,answered,hot\n"
    )
    assert isinstance(call, CallFacts)
    assert call.started_at == datetime(2026, 11, 23, 18, 5, tzinfo=UTC)
    assert (call.caller, call.seconds, call.tags) == ("+12025550188", 25, ("hot",))


def test_a_files_calls_are_called_what_the_webhooks_call_them() -> None:
    (call,) = rows("sid,unix_time,caller_number\nCL9,1795521600,+12025550188\n")
    assert isinstance(call, CallFacts)
    assert call.references == (("sid", "CL9"),)
    assert FORMATS["ctm"].name == ctm.name


# --- Anything at all ------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    [*sorted(json.loads(BODY)), "unix_time", "direction", "redacted", "inputs", "call_status", "sid", "paid"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["+14045550123", "inbound", "7", "2026-01-31 01:05 PM -05:00", "1795521600", "9"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.thorough
@given(st.dictionaries(NAMES, VALUES, max_size=8), st.booleans())
def test_any_payload_is_facts_or_a_refusal(changes: dict[str, Any], whole: bool) -> None:
    payload = (json.loads(BODY) if whole else {}) | changes
    try:
        found = ctm.parse(json.dumps(payload).encode(), {}, at=NOON)
    except (RefusedError, UnparsableError):
        return
    assert isinstance(found, CallFacts | Ignored)


@pytest.mark.thorough
@given(st.binary(), st.text())
def test_any_bytes_are_facts_or_a_refusal(body: bytes, time: str) -> None:
    with pytest.raises((RefusedError, UnparsableError)):
        ctm.parse(body, {}, at=NOON)
    ctm.event_key(body)
    assert not ctm.verify(signed(body, SIGNATURE, time, at=NOON), [SECRET])


@pytest.mark.thorough
@given(st.recursive(VALUES, lambda inner: st.lists(inner, max_size=30), max_leaves=40))
def test_whatever_stands_for_keys_fits_where_it_goes(raw: object) -> None:
    found = base.presses(raw, lambda place: f"menu {place}")
    assert CallFacts(NOON, Direction.INBOUND, presses=found).presses == found
