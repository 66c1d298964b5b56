import base64
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.providers import base
from callprivacy.calls.providers.base import (
    CallFacts,
    Delivery,
    Ignored,
    RefusedError,
    Stage,
    UnparsableError,
)
from callprivacy.calls.providers.twilio import FORM, JSON, Twilio

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FIXTURES = Path(__file__).parent.parent / "fixtures"
VECTORS = json.loads((FIXTURES / "twilio_signature_vectors.json").read_text())
VECTOR = VECTORS["vectors"][0]
STATUS = dict(
    parse_qsl(
        (FIXTURES / "twilio_status_callback_shape.txt").read_text().splitlines()[-1], keep_blank_values=True
    )
)
RECORDING = {
    "AccountSid": "AC1",
    "CallSid": "CA1",
    "RecordingSid": "RE1",
    "RecordingStatus": "completed",
    "RecordingDuration": "30",
    "RecordingUrl": "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1",
    "RecordingStartTime": "Tue, 24 Nov 2026 11:50:00 +0000",
}
URL = "https://example.com/hooks/twilio/k/"

twilio = Twilio()


def form(params: dict[str, str]) -> bytes:
    return urlencode(params).encode()


def delivery(body: bytes, signature: str, url: str = URL, content_type: str = FORM, **more: str) -> Delivery:
    headers = {"content-type": content_type, "x-twilio-signature": signature} | more
    return Delivery(body=body, headers=headers, url=url)


def sign(text: str, token: str = "12345", algorithm: str = "sha1") -> str:
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), algorithm)).decode()


def parse(**changes: str) -> CallFacts:
    found = twilio.parse(form(STATUS | changes), {}, at=NOON)
    assert isinstance(found, CallFacts)
    return found


def test_the_published_signature_holds() -> None:
    genuine = delivery(form(VECTOR["params"]), VECTOR["signature"], VECTOR["url"], FORM + "; charset=UTF-8")
    assert twilio.verify(genuine, [VECTOR["token"]])
    assert twilio.verify(genuine, ["an older token", VECTOR["token"], "a newer token"])
    with_port = VECTOR["url"].replace("mycompany.com", "mycompany.com:443")
    assert twilio.verify(delivery(genuine.body, VECTOR["signature"], with_port), [VECTOR["token"]])


@pytest.mark.parametrize(
    "moved", [b"From%2B=14155550101", b"Fromx=1", b"Fro=m%2B14155550101", b"From=%2B1415555&%30101=x"]
)
def test_a_parameter_that_was_cut_elsewhere_tells_no_call(moved: bytes) -> None:
    """The signature joins names and values: each of these may be signed like From=+14155550101."""
    rest = b"CallSid=CA1&CallStatus=completed&Direction=inbound&SequenceNumber=3&To=%2B14155550199&"
    whole, cut = rest + b"From=%2B14155550101", rest + moved
    assert twilio.event_key(whole) == "call:CA1:3"
    assert twilio.event_key(cut) != "call:CA1:3"
    with pytest.raises((RefusedError, UnparsableError)):
        twilio.parse(cut, {}, at=NOON)


def test_a_signature_over_the_address_with_its_port_holds() -> None:
    signature = sign("https://example.com:443/x?y=1" + "CallSidCA1")
    assert twilio.verify(delivery(b"CallSid=CA1", signature, "https://example.com/x?y=1"), ["12345"])
    signature = sign("http://example.com:80/x" + "CallSidCA1")
    assert twilio.verify(delivery(b"CallSid=CA1", signature, "http://example.com/x"), ["12345"])


def test_forgeries_do_not() -> None:
    body, signature, url, token = form(VECTOR["params"]), VECTOR["signature"], VECTOR["url"], VECTOR["token"]
    assert not twilio.verify(delivery(body, signature, url), [])
    assert not twilio.verify(delivery(body, signature, url), ["54321"])
    assert not twilio.verify(delivery(body + b"&New=1", signature, url), [token])
    assert not twilio.verify(delivery(body, signature, url + "&x=1"), [token])
    assert not twilio.verify(delivery(body, "", url), [token])
    assert not twilio.verify(delivery(body, "é", url), [token])
    assert not twilio.verify(delivery(body, signature, url, "text/plain"), [token])
    assert not twilio.verify(delivery(body, sign("x", ""), url), [""])
    assert not twilio.verify(delivery(body, signature, "https://example.com:x/"), [token])


def test_a_body_that_cannot_be_read_does_not_pass_as_an_empty_one() -> None:
    signature = sign(URL)
    assert twilio.verify(delivery(b"", signature), ["12345"])
    for body in (b"\xff", b"&", b"a=%ff", b"&".join(b"a=1" for _ in range(301))):
        assert not twilio.verify(delivery(body, signature), ["12345"])


def test_repeated_parameters_are_signed_once_for_each_value() -> None:
    body = b"Media=b&Media=a&Media=b&CallSid=CA1"
    assert twilio.verify(delivery(body, sign(URL + "CallSidCA1MediaaMediab")), ["12345"])


def test_json_is_signed_by_its_digest_in_the_address() -> None:
    body, digest = VECTORS["body_sha256"]["body"].encode(), VECTORS["body_sha256"]["hex"]
    url = f"{URL}?bodySHA256={digest}"
    assert twilio.verify(delivery(body, sign(url), url, JSON), ["12345"])
    assert not twilio.verify(delivery(body + b" ", sign(url), url, JSON), ["12345"])
    assert not twilio.verify(delivery(body, sign(URL), URL, JSON), ["12345"])
    assert not twilio.verify(
        delivery(body, sign(URL + "?bodySHA256=é"), URL + "?bodySHA256=é", JSON), ["12345"]
    )


def test_shared_keys_sign_the_same_with_another_hash() -> None:
    name, settings = "X-Twilio-Webhooks-Signature-Settings", "key=SK1,algorithm=HMAC_SHA256"
    text = URL + "CallSidCA1"
    assert twilio.verify(
        delivery(b"CallSid=CA1", sign(text, algorithm="sha256"), **{name: settings}), ["12345"]
    )
    assert not twilio.verify(delivery(b"CallSid=CA1", sign(text), **{name: settings}), ["12345"])
    assert not twilio.verify(delivery(b"CallSid=CA1", sign(text), **{name: "algorithm=NONE"}), ["12345"])


def test_a_completed_call() -> None:
    assert parse() == CallFacts(
        started_at=datetime(2018, 3, 25, 9, 52, 30, tzinfo=UTC),
        direction=Direction.INBOUND,
        seconds=49,
        outcome=Outcome.ANSWERED,
        caller="+12025550188",
        tracking_number="+12025550100",
        region="NY",
        country="US",
        references=(("sid", "CA00000000000000000000000000000001"),),
        account="AC00000000000000000000000000000001",
        stage=Stage.ENDED,
        revision=3,
    )


@pytest.mark.parametrize(
    ("status", "stage", "outcome"),
    [
        ("queued", Stage.STARTED, None),
        ("initiated", Stage.STARTED, None),
        ("ringing", Stage.STARTED, None),
        ("in-progress", Stage.ROUTED, None),
        ("completed", Stage.ENDED, Outcome.ANSWERED),
        ("busy", Stage.ENDED, Outcome.BUSY),
        ("no-answer", Stage.ENDED, Outcome.MISSED),
        ("failed", Stage.ENDED, Outcome.FAILED),
        ("canceled", Stage.ENDED, Outcome.ABANDONED),
    ],
)
def test_every_status_has_its_stage(status: str, stage: Stage, outcome: Outcome | None) -> None:
    call = parse(CallStatus=status)
    assert (call.stage, call.outcome, call.seconds) == (stage, outcome, 49 if stage is Stage.ENDED else None)


def test_outbound_calls_keep_the_other_side_as_the_caller() -> None:
    call = parse(Direction="outbound-api", AnsweredBy="machine_start")
    assert (call.direction, call.caller, call.tracking_number) == (
        Direction.OUTBOUND,
        "+12025550100",
        "+12025550188",
    )
    assert (call.region, call.outcome) == ("DC", Outcome.VOICEMAIL)


@pytest.mark.parametrize("number", ["anonymous", "unknown", "Restricted", "+266696687", "+7378742833", ""])
def test_a_withheld_caller_is_nobody(number: str) -> None:
    call = parse(From=number, Caller=number)
    assert (call.caller, call.caller_withheld) == (None, True)


@pytest.mark.parametrize("address", ["client:anna", "sip:anna@example.com"])
def test_a_browser_or_sip_address_is_no_number_and_is_dropped(address: str) -> None:
    call = parse(From=address, To=address)
    assert (call.caller, call.caller_withheld, call.tracking_number) == (None, False, None)


def test_without_a_moment_or_a_number_the_arrival_is_the_moment() -> None:
    call = parse(Timestamp="", SequenceNumber="", CallStatus="ringing")
    assert (call.started_at, call.revision) == (NOON, 0)


def test_names_of_old_are_understood() -> None:
    assert parse(From="", Caller="+12025550177").caller == "+12025550177"


def test_a_leg_is_no_call() -> None:
    assert twilio.parse(form(STATUS | {"ParentCallSid": "CA2"}), {}, at=NOON) == Ignored("leg of a call")


def test_a_message_is_no_call() -> None:
    assert twilio.parse(b"MessageSid=SM1&Body=STOP", {}, at=NOON) == Ignored("text message")


def test_a_recording_is_news_of_its_call() -> None:
    news = twilio.parse(form(RECORDING), {}, at=NOON)
    assert news == CallFacts(
        started_at=datetime(2026, 11, 24, 11, 50, tzinfo=UTC),
        direction=None,
        references=(("sid", "CA1"),),
        recording_reference=RECORDING["RecordingUrl"],
        recording_seconds=30,
        account="AC1",
        stage=Stage.ADDENDUM,
        revision=1,
    )
    call = parse(CallSid="CA1", AccountSid="AC1")
    assert isinstance(news, CallFacts)
    assert base.merge(news, call) == base.merge(call, news)
    assert base.merge(news, call).recording_seconds == 30
    assert base.merge(news, call).caller == "+12025550188"


def test_a_recording_without_its_start_began_its_length_ago() -> None:
    news = twilio.parse(
        form({name: value for name, value in RECORDING.items() if name != "RecordingStartTime"}), {}, at=NOON
    )
    assert isinstance(news, CallFacts)
    assert news.started_at == datetime(2026, 11, 24, 11, 59, 30, tzinfo=UTC)


def test_an_absent_recording_is_none() -> None:
    assert twilio.parse(form(RECORDING | {"RecordingStatus": "absent"}), {}, at=NOON) == Ignored(
        "absent recording"
    )


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"CallDuration": "-1"}, "CallDuration"),
        ({"CallDuration": "100000"}, "CallDuration"),
        ({"CallStatus": "dreaming"}, "CallStatus"),
        ({"Direction": ""}, "Direction"),
        ({"From": "12"}, "From"),
        ({"To": "12"}, "To"),
        ({"Timestamp": "Tue, 24 Nov 2026 12:11:00 +0000"}, "Timestamp"),
        ({"Timestamp": "Sat, 01 Jan 2000 00:00:00 +0000"}, "Timestamp"),
        ({"Timestamp": "soon"}, "Timestamp"),
        ({"SequenceNumber": "first"}, "SequenceNumber"),
        ({"RecordingStatus": "lost"}, "RecordingStatus"),
    ],
)
def test_absurd_values_are_refused_by_name(changes: dict[str, str], column: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(**changes)
    assert refused.value.column == column


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{}", b"\xff", b"a=1", b"CallSid=a%20b", b'{"CallSid": ' + b"[" * 100_000]
)
def test_what_is_no_event_cannot_be_parsed(body: bytes) -> None:
    with pytest.raises(UnparsableError):
        twilio.parse(body, {}, at=NOON)


def test_json_says_the_same_as_a_form() -> None:
    assert twilio.parse(json.dumps(STATUS).encode(), {}, at=NOON) == parse()


def test_a_repeated_event_has_the_same_key() -> None:
    key = twilio.event_key(form(STATUS))
    assert key == "call:CA00000000000000000000000000000001:3"
    assert twilio.event_key(form(STATUS | {"CalledVia": "new"})) == key
    assert twilio.event_key(form(STATUS | {"SequenceNumber": "4"})) != key
    assert twilio.event_key(form(RECORDING)) == "recording:RE1:completed"
    assert (twilio.event_key(b"a=1") or "").startswith("sha256:")
    assert twilio.event_key(b"\xff") is None


@given(
    st.dictionaries(
        st.sampled_from([*STATUS, *RECORDING, "ParentCallSid", "MessageSid", "AnsweredBy"]),
        st.text(max_size=40) | st.sampled_from([*STATUS.values(), *RECORDING.values()]),
        max_size=6,
    ),
    st.booleans(),
)
def test_any_parameters_are_facts_or_a_refusal(changes: dict[str, str], as_json: bool) -> None:
    params = STATUS | changes
    try:
        body = json.dumps(params).encode() if as_json else form(params)
    except UnicodeEncodeError:
        return
    key = twilio.event_key(body)
    assert key is None or len(key) <= 120
    try:
        found = twilio.parse(body, {}, at=NOON)
    except (RefusedError, UnparsableError):
        return
    assert isinstance(found, CallFacts | Ignored)


@given(st.binary(), st.text(), st.text())
def test_any_bytes_are_refused_without_a_crash(body: bytes, signature: str, url: str) -> None:
    assert not twilio.verify(delivery(body, signature, url), ["12345"])
    twilio.event_key(body)
    with pytest.raises((RefusedError, UnparsableError)):
        twilio.parse(body, {}, at=NOON)
