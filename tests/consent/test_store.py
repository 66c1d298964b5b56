"""Recordings stored here: fetched from trackers alone, sealed, heard by who may, for a reason, as far as agreed."""

import io
import json
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core import signing
from django.test import Client as Browser
from django.test import override_settings
from urllib3 import HTTPResponse

from callprivacy.audit.models import Event
from callprivacy.calls.channels import asking
from callprivacy.calls.channels.asking import Access
from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import Call, Pull, Recording
from callprivacy.calls.services import connections, pulls
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from callprivacy.vault.sealing import Place
from callprivacy.work.models import Item
from consent import kinds
from consent.channels import recordings as wire
from consent.channels.recordings import FetchError, Source
from consent.enums import EventKind, Purpose
from consent.services import audio, playing, store
from consent.services.store import Due
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.deciding import NEW_YORK, START, decision, live, recorded, recording, say, work
from tests.consent.tracker_side import WAVE, Tracker
from tests.consent.tracker_side import playing as tracker_plays
from tests.make import NOON
from tests.scale import some

# --- A tracker that keeps recordings, on this machine ---


@pytest.fixture
def tracker() -> Iterator[Tracker]:
    with tracker_plays() as found:
        yield found


def fetch(url: str, *, also: tuple[str, ...] | None = None, provider: str = "callrail", **more: Any) -> bytes:
    taken = bytearray()
    hosts = settings.CALLPRIVACY_RECORDING_HOSTS if also is None else also
    access = more.pop("access", None)
    wire.fetch(Source(provider, url, hosts, access), taken.extend, **more)
    return bytes(taken)


# --- The wire ---


def test_what_the_tracker_keeps_comes(tracker: Tracker) -> None:
    assert fetch(tracker.keeps("/r/1?access_key=abc")) == WAVE
    path, headers = tracker.asked[0]
    assert path == "/r/1?access_key=abc"
    assert "Authorization" not in headers
    assert "Cookie" not in headers


@pytest.mark.parametrize(
    "url",
    [
        "http://app.callrail.com/r/1",
        "https://evil.example/r/1",
        "https://callrail.com.evil.example/r/1",
        "https://app.callrail.com@evil.example/r/1",
        "https://user:word@app.callrail.com/r/1",
        "https://app.callrail.com:8443/r/1",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/r",
        "https://[::1]/r",
        "https://bucket.s3.amazonaws.com/r/1",
        "file:///etc/passwd",
        "ftp://app.callrail.com/r",
        "//app.callrail.com/r",
        "https://",
        "https://app.callrail.com:port/",
        "https://\N{CYRILLIC SMALL LETTER A}pp.callrail.com/r",
        "",
    ],
)
def test_only_the_trackers_own_hosts_are_asked(url: str) -> None:
    with pytest.raises(FetchError, match="not one of the tracker's") as caught:
        fetch(url, also=())
    assert caught.value.final


def test_an_unknown_tracker_has_no_hosts() -> None:
    with pytest.raises(FetchError, match="not one of the tracker's"):
        fetch("https://app.callrail.com/r/1", also=(), provider="generic")


@pytest.mark.parametrize(
    ("host", "sent_on", "fits"),
    [
        ("app.callrail.com", False, True),
        ("calls.s3.amazonaws.com", True, True),
        ("calls.s3.us-west-2.amazonaws.com", True, True),
        ("s3-us-west-2.amazonaws.com", True, True),
        ("calls.s3.amazonaws.com", False, False),
        ("s3.evil.example", True, False),
        ("ec2-1-2-3-4.compute.amazonaws.com", True, False),
        ("xs3.amazonaws.com", True, False),
    ],
)
def test_a_tracker_may_send_us_on_to_where_it_keeps_files(host: str, sent_on: bool, fits: bool) -> None:
    source = Source("callrail", "")
    if fits:
        assert wire._checked(source, f"https://{host}/x", sent_on=sent_on).hostname == host
    else:
        with pytest.raises(FetchError):
            wire._checked(source, f"https://{host}/x", sent_on=sent_on)


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "127.0.0.1", "169.254.169.254", "192.168.1.1", "::1", "fd00::1", "100.64.0.1"],
)
def test_a_host_that_points_into_a_network_is_not_asked(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one among public addresses is enough."""
    entries = [(0, 0, 0, "", (one, 443)) for one in ("93.184.216.34", address)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: entries)
    with pytest.raises(FetchError, match="does not resolve to a public address") as caught:
        fetch("https://app.callrail.com/r/1", also=())
    assert caught.value.final


def test_a_host_without_an_address_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(FetchError) as caught:
        fetch("https://app.callrail.com/r/1", also=())
    assert not caught.value.final


def test_a_redirect_is_followed_and_looked_at_like_the_first_address(tracker: Tracker) -> None:
    tracker.keeps("/file")
    assert fetch(tracker.keeps("/r", b"", 302, Location="/file")) == WAVE
    with pytest.raises(FetchError, match="not one of the tracker's"):
        fetch(tracker.keeps("/away", b"", 302, Location="http://169.254.169.254/latest"))
    with pytest.raises(FetchError, match="not one of the tracker's"):
        fetch(tracker.keeps("/away", b"", 301, Location="file:///etc/passwd"))
    with pytest.raises(FetchError, match="redirected too many times"):
        fetch(tracker.keeps("/round", b"", 307, Location="/round"))


@pytest.mark.parametrize(
    ("status", "final"),
    some(
        [
            (401, True),
            (403, True),
            (404, True),
            (410, True),
            (400, True),
            (429, False),
            (408, False),
            (500, False),
            (503, False),
        ],
        one_in=9,
        each=lambda case: case[1],
    ),
)
def test_what_is_of_no_use_is_not_tried_again(tracker: Tracker, status: int, final: bool) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(tracker.keeps("/r", b"", status))
    assert caught.value.final is final


def test_what_is_no_sound_is_not_kept(tracker: Tracker) -> None:
    for body, kind in (
        (b"<html>sign in</html>", "text/html"),
        (b"<html>sign in</html>", "audio/mpeg"),
        (b"", "audio/wav"),
    ):
        with pytest.raises(FetchError, match="not audio"):
            fetch(tracker.keeps("/r", body, Content_Type=kind))
    assert fetch(tracker.keeps("/r", WAVE, Content_Type="binary/octet-stream; x=y")) == WAVE


def test_size_and_time_have_limits(tracker: Tracker) -> None:
    url = tracker.keeps("/r")
    with pytest.raises(FetchError, match="larger"):
        fetch(url, at_most=1000)
    with pytest.raises(FetchError, match="too long"):
        fetch(url, seconds=-1.0)


def test_one_that_ends_early_is_tried_again(tracker: Tracker) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(tracker.keeps("/r", WAVE[:500], Content_Length=str(len(WAVE))))
    assert not caught.value.final


def test_nobody_there_is_tried_again() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(FetchError) as caught:
        fetch(f"http://{host}/r", also=(host,))
    assert not caught.value.final


# --- What each tracker's own interface needs, and what it answers ---

ACCESS = Access("ACC1", "", "login", "KEY")
TWILIOS = f"/2010-04-01/Accounts/AC{'0A' * 16}/Recordings/RE{'1' * 32}"
CALLRAILS = "/v3/a/227799611/calls/111222333/recording.json"
CTMS = "/api/v1/accounts/25/calls/CA9101/recording"
INVOCAS = (
    "/api/2020-10-01/networks/transactions/33.json"
    "?call_record_id=D244-1B&include_columns=transaction_id,recording_download_url,recording"
)
TOKEN = 'Token token="KEY"'


def basic(name: str) -> str:
    return asking.basic(name, "KEY")["authorization"]


def test_callrails_interface_takes_its_key_and_the_sound_is_fetched_without_it(tracker: Tracker) -> None:
    file = tracker.keeps("/file.mp3")
    link = tracker.keeps("/calls/CAL1/recording/redirect?access_key=x", b"", 302, Location=file)
    assert fetch(tracker.says(CALLRAILS, TOKEN, {"url": link}), access=ACCESS) == WAVE
    assert tracker.signed_in == [True, False, False]


@pytest.mark.parametrize("access", [None, Access("ACC1", "", "", "")])
def test_callrails_interface_answers_nobody_without_a_key(tracker: Tracker, access: Access | None) -> None:
    with pytest.raises(FetchError, match="sign-in"):
        fetch(tracker.says(CALLRAILS, TOKEN, {"url": tracker.keeps("/file")}), access=access)


def test_an_address_that_callrail_gives_in_the_clear_is_asked_in_tls() -> None:
    """apidocs.callrail.com shows an http address."""
    published = "http://app.callrail.com/calls/CAL1/recording/redirect?access_key=x"
    body = json.dumps({"url": published}).encode()
    answer = HTTPResponse(io.BytesIO(body), preload_content=False)
    url = wire._address_in(Source("callrail", ""), answer, ("url",), time.monotonic() + 9)
    assert url == published.replace("http:", "https:")


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"url": "http://169.254.169.254/latest"}, "not one of the tracker's"),
        ({"url": "https://evil.example/r"}, "not one of the tracker's"),
        ({"url": None}, "does not state its address"),
        ({"link": "https://app.callrail.com/r"}, "does not state its address"),
        ([], "does not state its address"),
        ("https://app.callrail.com/r", "does not state its address"),
    ],
)
def test_what_an_interface_says_is_trusted_for_nothing(tracker: Tracker, payload: Any, words: str) -> None:
    with pytest.raises(FetchError, match=words) as caught:
        fetch(tracker.says(CALLRAILS, TOKEN, payload, lies=True), access=ACCESS)
    assert caught.value.final


def test_an_interface_that_sends_back_to_itself_is_left(tracker: Tracker) -> None:
    with pytest.raises(FetchError, match="redirected too many times"):
        fetch(tracker.says(CALLRAILS, TOKEN, {"url": tracker.at(CALLRAILS)}), access=ACCESS)


def test_json_that_comes_from_elsewhere_is_no_address(tracker: Tracker) -> None:
    url = tracker.keeps(
        "/r", json.dumps({"url": tracker.keeps("/file")}).encode(), Content_Type="application/json"
    )
    with pytest.raises(FetchError, match="not audio"):
        fetch(url, access=ACCESS)


def test_twilios_interface_takes_the_account_and_its_token_and_nobody_else_does(tracker: Tracker) -> None:
    url = tracker.opens(TWILIOS, basic(f"AC{'0A' * 16}"), Content_Type="audio/x-wav")
    assert fetch(url, provider="twilio", access=ACCESS) == WAVE
    with pytest.raises(FetchError, match="sign-in"):
        fetch(url, access=ACCESS)
    fetch(tracker.keeps("/other"), provider="twilio", access=ACCESS)
    assert tracker.signed_in == [True, False, False]
    source = Source("twilio", "", (), ACCESS)
    assert wire._signed_in(source, urlsplit(f"https://calls.s3.amazonaws.com{TWILIOS}")) == {}


def test_ctms_interface_takes_its_key_and_sends_on_to_the_file(tracker: Tracker) -> None:
    url = tracker.opens(CTMS, basic("login"), b"", 303, Location=tracker.keeps("/file"))
    assert fetch(url, provider="ctm", access=ACCESS) == WAVE
    assert tracker.signed_in == [True, False]


def test_invoca_is_asked_for_an_address_that_is_signed(tracker: Tracker) -> None:
    signed, page = tracker.keeps("/signed?expires=1"), tracker.at("/call/recording/D244-1B")
    rows = [
        {"transaction_id": "A-1", "recording_download_url": "", "recording": page},
        {"transaction_id": "A-2", "recording_download_url": signed, "recording": page},
    ]
    assert fetch(tracker.says(INVOCAS, "KEY", rows), provider="invoca", access=ACCESS) == WAVE
    assert tracker.signed_in == [True, False]


def test_a_network_of_invocas_without_such_addresses_names_its_page(tracker: Tracker) -> None:
    page = tracker.keeps("/call/recording/D244-1B")
    url = tracker.says(INVOCAS, "KEY", [{"transaction_id": "A-1", "recording": page}])
    assert fetch(url, provider="invoca", access=ACCESS) == WAVE
    assert tracker.signed_in == [True, False]


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        ("callrail", f"https://app.callrail.com{CALLRAILS}"),
        ("callrail", "https://api.callrail.com/v3/a/ACC1/calls/CAL1.json"),
        ("twilio", f"https://media.twiliocdn.com{TWILIOS}"),
        ("ctm", f"https://files.calltrackingmetrics.com{CTMS}"),
        ("invoca", "https://mynetwork.invoca.net/call/recording/D244-1B"),
    ],
)
def test_an_address_beside_the_interface_is_sent_no_key(provider: str, url: str) -> None:
    assert wire._signed_in(Source(provider, "", (), ACCESS), urlsplit(url)) == {}


def test_an_error_says_nothing_of_the_address(tracker: Tracker) -> None:
    for path in ("/r?access_key=SECRET", "/q?access_key=SECRET"):
        tracker.keeps(path, b"", 500)
        with pytest.raises(FetchError) as caught:
            fetch(tracker.at(path))
        assert "SECRET" not in str(caught.value)
    assert "SECRET" not in repr(Source("callrail", "https://app.callrail.com/?access_key=SECRET"))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (WAVE[:16], "audio/wav"),
        (b"ID3\x04" + bytes(12), "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"\xff\xf3\x90\x00", "audio/mpeg"),
        (b"OggS", "audio/ogg"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"fLaC", "audio/flac"),
        (b"\xff\xf1\x50\x80", None),
        (b"GIF89a", None),
        (b"RIFF\0\0\0\0AVI ", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_a_sound_is_known_by_how_it_begins(head: bytes, kind: str | None) -> None:
    assert wire.kind_of(head) == kind


# --- Parting ---


def test_a_wav_is_parted_after_so_many_seconds() -> None:
    part = audio.parted(WAVE, size=len(WAVE), seconds=0.5)
    assert part.size == 44 + 4000
    assert struct.unpack_from("<I", part.head, 4) == (36 + 4000,)
    assert struct.unpack_from("<I", part.head, 40) == (4000,)
    assert part.head[8:40] == WAVE[8:40]


@pytest.mark.parametrize(
    ("seconds", "kept"), [(0.0, 0), (-3.0, 0), (2.0, 16_000), (99.0, 16_000), (0.00013, 1)]
)
def test_no_part_is_longer_than_it_may_be(seconds: float, kept: int) -> None:
    assert audio.parted(WAVE, size=len(WAVE), seconds=seconds).size == 44 + kept


def test_whole_samples_are_kept_and_other_chunks_passed_over() -> None:
    stereo = b"RIFF" + struct.pack("<I", 0) + b"WAVE" + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    stereo += b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, 8000, 32_000, 4, 16)
    stereo += b"data" + struct.pack("<I", 0xFFFFFFFF) + bytes(32_000)
    part = audio.parted(stereo, size=len(stereo), seconds=0.00009)
    assert part.size == len(stereo) - 32_000
    assert audio.parted(stereo, size=len(stereo), seconds=5.0).size == len(stereo)


@pytest.mark.parametrize(
    "start",
    [
        b"ID3\x04" + bytes(60),
        b"RIFF\0\0\0\0AVI " + bytes(60),
        WAVE[:36],
        b"RIFF\0\0\0\0WAVEdata" + struct.pack("<I", 8) + bytes(8),
        WAVE[:20] + struct.pack("<H", 0x55) + WAVE[22:],
        WAVE[:28] + struct.pack("<I", 0) + WAVE[32:],
    ],
)
def test_what_cannot_be_parted_says_so(start: bytes) -> None:
    with pytest.raises(audio.NotPartedError):
        audio.parted(start, size=len(start), seconds=1.0)


def test_an_instant_is_never_placed_later_than_it_may_be() -> None:
    """A recording that began 20 seconds into the call: what is said at 90 seconds lies at 70 in it, or before."""
    assert audio.seconds_until(started_after=90.0, call_seconds=300, recording_seconds=280) == 69.0
    assert audio.seconds_until(started_after=10.0, call_seconds=300, recording_seconds=280) == 0.0
    assert audio.seconds_until(started_after=90.0, call_seconds=None, recording_seconds=280) is None
    assert audio.seconds_until(started_after=90.0, call_seconds=300, recording_seconds=None) is None


# --- Fetching, in the database ---

pytestmark_db = pytest.mark.as_committed


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Iterator[Path]:
    with override_settings(MEDIA_ROOT=tmp_path):
        yield tmp_path


def allowed(client: Client, url: str, number: str = NEW_YORK, **fields: Any) -> Call:
    """A recorded call whose caller agreed to recording and review; the recording lies at `url`."""
    call = recorded(client, number, **fields)
    row = recording(call)
    key = vault.recording_keys(client.pk, [row.pk])[row.pk]
    with job_scope(agency_id=client.agency_id):
        Recording.objects.filter(pk=row.pk).update(
            reference=key.seal(url.encode(), Place(client.pk, "calls_recording", "reference", row.pk))
        )
    for purpose in (Purpose.RECORD, Purpose.REVIEW):
        say(client, EventKind.GIVEN, call.caller_id, purpose=purpose)
    return call


def run(client: Client, *, at: datetime = NOON) -> list[bool]:
    """What one sweep sends out, done."""
    with job_scope(agency_id=client.agency_id):
        waiting = store.due(agency_id=client.agency_id, at=at)
        store.renew_items(agency_id=client.agency_id, at=at)
    return [store.fetch_recording(due=due, clock=lambda: at, chance=0.0) for due in waiting]


def stored(call: Call) -> bytes:
    row = recording(call)
    assert row.file_key is not None
    key = vault.recording_keys(row.client_id, [row.pk])[row.pk]
    with files.open_recording(row.client_id, row.file_key, key) as file:
        return file.read()


@pytestmark_db
def test_allowed_recordings_are_fetched_where_the_client_wants_it(
    cast: Cast, tracker: Tracker, media: Path
) -> None:
    url = tracker.keeps("/r/1")
    client = live(cast.dentist, stores_recordings=True)
    call, withheld = allowed(client, url), recorded(client)
    elsewhere = allowed(cast.plumber, url)
    work(client)
    assert run(client) == [True]
    row = recording(call)
    assert (row.file_size, row.media_type, row.stored_at, row.fetch_due_at) == (
        len(WAVE),
        "audio/wav",
        NOON,
        None,
    )
    assert stored(call) == WAVE
    assert recording(withheld).file_key is None
    assert recording(elsewhere).file_key is None
    assert len(tracker.asked) == 1
    (path,) = [path for path in media.rglob("*") if path.is_file()]
    assert WAVE[44:100] not in path.read_bytes()
    assert run(client) == []
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.get(action="recording.stored").details == {"bytes": len(WAVE)}


@pytest.mark.thorough
@pytestmark_db
def test_switching_it_on_fetches_what_is_allowed_already(cast: Cast, tracker: Tracker) -> None:
    from consent.services import quarantine

    call = allowed(cast.dentist, tracker.keeps("/r/1"))
    work(cast.dentist)
    assert run(cast.dentist) == []
    with job_scope(agency_id=cast.acme.pk):
        quarantine.change_handling(
            client=cast.dentist, quarantine_hours=72, stores_recordings=True, takes_transcripts=False,
            by=make.JOB, at=NOON,
        )  # fmt: skip
    work(cast.dentist)
    assert run(cast.dentist) == [True]
    assert stored(call) == WAVE


@pytestmark_db
def test_what_does_not_come_is_asked_for_again_with_pauses_and_then_by_a_person(
    cast: Cast, tracker: Tracker
) -> None:
    client = live(cast.dentist, stores_recordings=True)
    call = allowed(client, tracker.keeps("/r/1", b"", 503))
    work(client)
    at, pauses = NOON, list[timedelta]()
    for _ in range(store.TRIES):
        assert run(client, at=at) == [False]
        due_at = recording(call).fetch_due_at
        if due_at is not None:
            pauses.append(due_at - at)
            at = due_at
    assert pauses[0] == timedelta(minutes=1)
    assert pauses == sorted(pauses)
    assert len(pauses) == store.TRIES - 1
    assert run(client, at=at + timedelta(days=9)) == []
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get(kind=kinds.RECORDINGS_NOT_FETCHED).count == 1
    tracker.keeps("/r/1")
    with job_scope(agency_id=cast.acme.pk):
        assert store.ask_again(client=client, by=make.JOB, at=at) == 1
    work(client, at=at)
    assert run(client, at=at) == [True]
    run(client, at=at)
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=kinds.RECORDINGS_NOT_FETCHED).exists()
        assert store.ask_again(client=client, by=make.JOB, at=at) == 0


def opened(call: Call, provider: str) -> None:
    """The call came by a connection whose interface is open; of Twilio by a token that signs its events alone."""
    with job_scope(agency_id=call.agency_id):
        way = connections.create_connection(
            client=call.client, provider=provider, name="Main", secret="KEY" if provider == "twilio" else "s" * 32,
            by=make.JOB, at=NOON,
        )  # fmt: skip
        if provider != "twilio":
            pulls.set_access(
                connection=way, account="33", company="", login="login", secret="KEY", only_known=False, by=make.JOB,
                at=NOON,
            )  # fmt: skip
        Call.objects.filter(pk=call.pk).update(connection=way)
        Recording.objects.filter(call_id=call.pk).update(provider=provider)


@pytest.mark.parametrize(
    ("provider", "path", "authorization"),
    [
        ("callrail", CALLRAILS, TOKEN),
        ("twilio", TWILIOS, basic(f"AC{'0A' * 16}")),
        ("ctm", CTMS, basic("login")),
        ("invoca", INVOCAS, "KEY"),
    ],
)
@pytestmark_db
def test_a_trackers_interface_is_opened_by_what_was_entered_for_its_calls(
    cast: Cast, tracker: Tracker, provider: str, path: str, authorization: str
) -> None:
    client = live(cast.dentist, stores_recordings=True)
    answers: dict[str, Any] = {
        "callrail": {"url": tracker.keeps("/file")},
        "invoca": [{"transaction_id": "A-1", "recording_download_url": tracker.keeps("/file")}],
    }
    if provider in answers:
        url = tracker.says(path, authorization, answers[provider])
    else:
        url = tracker.opens(path, authorization)
    call = allowed(client, url)
    opened(call, provider)
    work(client)
    assert run(client) == [True]
    assert stored(call) == WAVE


@pytestmark_db
def test_a_secret_that_signs_events_opens_no_interface(cast: Cast, tracker: Tracker) -> None:
    client = live(cast.dentist, stores_recordings=True)
    call = allowed(client, tracker.says(CALLRAILS, TOKEN, {"url": tracker.keeps("/file")}))
    opened(call, "callrail")
    with job_scope(agency_id=client.agency_id):
        pulls.forget_access(pull=Pull.objects.get(), by=make.JOB, at=NOON)
    work(client)
    assert run(client) == [False]
    assert tracker.signed_in == [False]


@pytestmark_db
def test_what_never_will_come_is_asked_for_once(cast: Cast, tracker: Tracker) -> None:
    client = live(cast.dentist, stores_recordings=True)
    call = allowed(client, tracker.keeps("/r/1", b"", 404))
    work(client)
    assert run(client) == [False]
    assert recording(call).fetch_due_at is None
    assert files.recording_ids(client.pk) == []


@pytestmark_db
def test_who_withdraws_while_it_flows_in_is_obeyed(
    cast: Cast, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = live(cast.dentist, stores_recordings=True)
    call = allowed(client, tracker.keeps("/r/1"))
    work(client)
    real = wire.fetch

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        found = real(*args, **kwargs)
        say(client, EventKind.INVALIDATED, call.caller_id, happened_at=START - timedelta(hours=1))
        work(client)
        return found

    monkeypatch.setattr(wire, "fetch", meanwhile)
    assert run(client) == [False]
    row = recording(call)
    assert (row.state, row.file_key) == (RecordingState.WITHHELD, None)
    assert files.recording_ids(client.pk) == []


@pytestmark_db
def test_two_workers_store_one_file(cast: Cast, tracker: Tracker) -> None:
    client = live(cast.dentist, stores_recordings=True)
    call = allowed(client, tracker.keeps("/r/1"))
    work(client)
    due = Due(client.agency_id, recording(call).pk)
    assert store.fetch_recording(due=due, clock=lambda: NOON, chance=0.0)
    assert not store.fetch_recording(due=due, clock=lambda: NOON, chance=0.0)
    assert len(files.recording_ids(client.pk)) == 1


@pytestmark_db
def test_a_worker_that_dies_leaves_no_file_for_long(
    cast: Cast, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = live(cast.dentist, stores_recordings=True)
    call = allowed(client, tracker.keeps("/r/1"))
    work(client)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "_record", die)
        with pytest.raises(KeyboardInterrupt):
            run(client)
    assert len(files.recording_ids(client.pk)) == 1
    assert run(client, at=NOON + timedelta(minutes=5)) == []
    assert run(client, at=NOON + timedelta(minutes=7)) == [True]
    assert len(files.recording_ids(client.pk)) == 2
    now = make.now()
    sweep = {"agency_id": client.agency_id, "client_id": client.pk}
    assert store.sweep_files(**sweep, at=now) == 0
    assert store.sweep_files(**sweep, at=now + timedelta(hours=7)) == 1
    assert stored(call) == WAVE
    assert store.sweep_files(**sweep, at=now + timedelta(hours=7)) == 0


@pytestmark_db
def test_a_recording_whose_key_is_gone_is_not_fetched(cast: Cast, tracker: Tracker) -> None:
    client = live(cast.dentist, stores_recordings=True)
    call = allowed(client, tracker.keeps("/r/1"))
    work(client)
    vault_services.destroy_recording_keys(client_id=client.pk, recording_ids=[recording(call).pk])
    assert run(client) == [False]
    assert tracker.asked == []


# --- Playing ---

REASON = {"kind": "quality", "reason": "The caller complained about the call."}


def here(call: Call, content: bytes = WAVE, media_type: str = "audio/wav") -> None:
    """The recording, stored."""
    row, file_id = recording(call), uuid.uuid4()
    key = vault.recording_keys(row.client_id, [row.pk])[row.pk]
    with files.RecordingWriter(row.client_id, file_id, key) as out:
        out.write(content)
    with job_scope(agency_id=call.agency_id):
        Recording.objects.filter(pk=row.pk).update(
            file_key=file_id, file_size=len(content), media_type=media_type, stored_at=NOON
        )


@pytest.fixture
def played(cast: Cast) -> Call:
    """A recording that may be heard, stored."""
    call = allowed(cast.dentist, "https://app.callrail.com/r/1")
    work(cast.dentist)
    here(call)
    return call


def page(call: Call) -> str:
    return f"/clients/dentist/calls/{call.pk}/recording/"


def ask(browser: Browser, call: Call, **reason: str) -> Any:
    return browser.post(page(call), REASON | reason)


def address(response: Any) -> str:
    return str(response.context["address"])


@pytestmark_db
def test_who_may_hears_it_for_a_reason_and_the_trail_knows(cast: Cast, played: Call) -> None:
    browser = signed_in(cast.bob)
    opened = ask(browser, played)
    assert opened.status_code == 200
    assert "<audio" in opened.content.decode()
    sound: Any = browser.get(address(opened))
    assert b"".join(sound.streaming_content) == WAVE
    assert (sound["Content-Type"], sound["Cache-Control"]) == ("audio/wav", "no-store, private")
    assert sound["Content-Length"] == str(len(WAVE))
    with job_scope(agency_id=cast.acme.pk):
        event = Event.objects.get(action="recording.played")
    assert (event.actor_user_id, event.subject_id) == (cast.bob.user_id, str(played.pk))
    assert event.details == {"kind": "quality", "in_part": False}
    assert event.reason_hash
    assert decision(played, Purpose.REVIEW).allowed


@pytestmark_db
@pytest.mark.parametrize(
    "reason", some([{"reason": "too short"}, {"kind": ""}, {"kind": "curiosity"}], one_in=2)
)
def test_without_a_reason_nothing_is_played(cast: Cast, played: Call, reason: dict[str, str]) -> None:
    answer = ask(signed_in(cast.bob), played, **reason)
    assert "<audio" not in answer.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not Event.objects.filter(action="recording.played").exists()


@pytestmark_db
def test_who_may_not_hears_nothing(cast: Cast, played: Call) -> None:
    opened = address(ask(signed_in(cast.bob), played))
    for person, status in ((cast.carol, 403), (cast.mallory, 404)):
        browser = signed_in(person)
        assert browser.get(page(played)).status_code == status
        assert browser.post(page(played), REASON).status_code == status
        assert browser.get(opened).status_code == status
    assert Browser().get(opened).status_code == 302


@pytestmark_db
def test_a_ticket_is_one_persons_for_one_recording_in_one_session_for_a_while(
    cast: Cast, played: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(cast.bob)
    opened = address(ask(browser, played))
    assert browser.get(opened).status_code == 200
    assert signed_in(cast.alice).get(opened).status_code == 404
    assert signed_in(cast.bob).get(opened).status_code == 404
    other = allowed(cast.dentist, "https://app.callrail.com/r/2", at=START + timedelta(hours=1))
    work(cast.dentist)
    here(other)
    assert browser.get(opened.replace(str(played.pk), str(other.pk))).status_code == 404
    for ticket in ("", "x", opened.rpartition("=")[2][:-1], signing.dumps([1], salt="other")):
        assert browser.get(f"{page(played)}sound/?ticket={ticket}").status_code == 404
    monkeypatch.setattr(playing, "PLAYS_FOR", timedelta(seconds=-1))
    assert browser.get(opened).status_code == 404


@pytestmark_db
def test_a_withdrawal_shuts_an_open_ticket(cast: Cast, played: Call) -> None:
    browser = signed_in(cast.bob)
    opened = address(ask(browser, played))
    say(cast.dentist, EventKind.WITHDRAWN, played.caller_id, purpose=Purpose.REVIEW, happened_at=make.now())
    assert browser.get(opened).status_code == 404
    refused = ask(browser, played)
    assert refused.status_code == 422
    assert "You cannot play this recording" in refused.content.decode()
    assert "<audio" not in refused.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="recording.refused").count() == 1


@pytestmark_db
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    some(
        [
            ("bytes=0-", 0, len(WAVE)),
            ("bytes=0-99", 0, 100),
            ("bytes=40-49", 40, 50),
            ("bytes=100-", 100, len(WAVE)),
            ("bytes=-10", len(WAVE) - 10, len(WAVE)),
            ("bytes=0-999999999", 0, len(WAVE)),
        ],
        one_in=2,
    ),
)
def test_a_part_is_given_where_one_is_asked_for(
    cast: Cast, played: Call, asked: str, start: int, end: int
) -> None:
    browser = signed_in(cast.bob)
    answer = browser.get(address(ask(browser, played)), headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == WAVE[start:end]
    assert answer["Content-Range"] == f"bytes {start}-{end - 1}/{len(WAVE)}"
    assert answer["Accept-Ranges"] == "bytes"


@pytestmark_db
@pytest.mark.parametrize(
    "asked",
    some(["bytes=99999999-", "bytes=10-5", "bytes=-0", "bytes=a-b", "items=0-1", "bytes=0-1,5-6"], one_in=6),
)
def test_a_part_that_is_none_is_refused(cast: Cast, played: Call, asked: str) -> None:
    browser = signed_in(cast.bob)
    answer = browser.get(address(ask(browser, played)), headers={"Range": asked})
    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{len(WAVE)}"


@pytestmark_db
def test_a_long_recording_comes_in_pieces_of_a_megabyte(cast: Cast, played: Call) -> None:
    long = WAVE + bytes(3_000_000)
    here(played, long)
    browser = signed_in(cast.bob)
    answer = browser.get(address(ask(browser, played)), headers={"Range": "bytes=1000-"})
    assert answer.content == long[1000 : 1000 + (1 << 20)]
    assert answer["Content-Range"] == f"bytes 1000-{1000 + (1 << 20) - 1}/{len(long)}"


@pytestmark_db
def test_it_ends_where_somebody_withdrew(cast: Cast) -> None:
    """Two seconds are recorded of a call of two; the withdrawal comes after one and a half."""
    call = allowed(cast.dentist, "https://app.callrail.com/r/1", seconds=2)
    work(cast.dentist)
    here(call)
    cut = START + timedelta(seconds=1.5)
    say(cast.dentist, EventKind.WITHDRAWN, call.caller_id, happened_at=cut)
    work(cast.dentist)
    browser = signed_in(cast.bob)
    opened = ask(browser, call)
    assert "when a person on the call withdrew consent" in opened.content.decode()
    sound: Any = browser.get(address(opened))
    content = b"".join(sound.streaming_content)
    # A second less than there is, for nobody knows to the second when a recording begins.
    assert content[44:] == WAVE[44 : 44 + 4000]
    assert struct.unpack_from("<I", content, 40) == (4000,)
    part = browser.get(address(opened), headers={"Range": "bytes=40-"})
    assert part.content == content[40:]
    assert part["Content-Range"] == f"bytes 40-{len(content) - 1}/{len(content)}"


@pytestmark_db
@pytest.mark.parametrize("unknown", some(["kind", "length", "broken"], one_in=3))
def test_what_cannot_be_parted_is_not_played_at_all(cast: Cast, unknown: str) -> None:
    call = allowed(cast.dentist, "https://app.callrail.com/r/1", seconds=2)
    work(cast.dentist)
    if unknown == "kind":
        here(call, b"ID3" + bytes(5000), "audio/mpeg")
    else:
        here(call, WAVE if unknown == "length" else WAVE[:30])
    if unknown == "length":
        with job_scope(agency_id=cast.acme.pk):
            Recording.objects.filter(call_id=call.pk).update(seconds=None)
    say(cast.dentist, EventKind.WITHDRAWN, call.caller_id, happened_at=START + timedelta(seconds=1))
    work(cast.dentist)
    answer = ask(signed_in(cast.bob), call)
    assert answer.status_code == 422
    assert "This recording cannot be played" in answer.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not Event.objects.filter(action="recording.played").exists()


@pytestmark_db
def test_what_is_not_here_says_so(cast: Cast) -> None:
    none = make.call(cast.dentist, NEW_YORK)
    away = allowed(cast.dentist, "https://app.callrail.com/r/1")
    erased = recorded(cast.dentist, at=START + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(call_id=erased.pk).update(state=RecordingState.GONE, gone_at=NOON)
    browser = signed_in(cast.bob)
    for call, words in ((none, "no recording"), (away, "does not store"), (erased, "was deleted")):
        for answer in (browser.get(page(call)), ask(browser, call)):
            assert words in answer.content.decode()
    assert browser.get(page(Call(pk=uuid.uuid4()))).status_code == 404


@pytestmark_db
def test_a_file_that_does_not_open_is_told_and_not_played(cast: Cast, played: Call) -> None:
    row = recording(played)
    assert row.file_key is not None
    files.delete_recording(row.client_id, row.file_key)
    answer = ask(signed_in(cast.bob), played)
    assert "can no longer be decrypted" in answer.content.decode()


@pytestmark_db
def test_sound_is_allowed_by_the_page_that_plays_it_alone(cast: Cast, played: Call) -> None:
    browser = signed_in(cast.bob)
    assert "media-src 'self'" in browser.get(page(played))["Content-Security-Policy"]
    other = browser.get(f"/clients/dentist/calls/{played.pk}/")["Content-Security-Policy"]
    assert "media-src" not in other
    assert "default-src 'none'" in other


@pytestmark_db
def test_a_person_alone_is_played_something(cast: Cast, played: Call) -> None:
    from consent.enums import UseReason

    with job_scope(agency_id=cast.acme.pk), pytest.raises(TypeError):
        playing.open_recording(
            client=cast.dentist, call=played, kind=UseReason.LEAD, reason="A reason that is long enough.",
            session="", by=make.JOB, at=NOON,
        )  # fmt: skip
