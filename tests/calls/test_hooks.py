"""The public door: who gets in, what is said to the others, and that an answer of 200 means kept."""

import base64
import hmac
import io
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import Client as Browser
from django.test import RequestFactory, override_settings
from django.utils import timezone

from callprivacy.audit import services as audit
from callprivacy.audit.models import HouseEvent
from callprivacy.calls.models import Connection, ConnectionSecret, Inbox
from callprivacy.calls.providers import PROVIDERS
from callprivacy.calls.providers.base import Delivery
from callprivacy.calls.services import connections, inbox
from callprivacy.calls.tasks import inbox as tasks
from callprivacy.calls.views import hooks
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from tests import ground, make
from tests.accounts.browsers import come_in
from tests.cast import Cast, assemble

pytestmark = pytest.mark.django_db

FIXTURES = Path(__file__).parent.parent / "fixtures"
CALLRAIL_KEY = "072e77e426f92738a72fe23c4d1953b4"
CALLRAIL_SIGNATURE = "UZAHbUdfm3GqL7qzilGozGzWV64="
CALLRAIL_BODY = (FIXTURES / "callrail_post_call_vector.json").read_bytes()
TWILIO = json.loads((FIXTURES / "twilio_signature_vectors.json").read_text())["vectors"][0]
TOKEN = "0123456789abcdef0123456789abcdef"
FORM = "application/x-www-form-urlencoded"
CANARY = "+12125550188"


@pytest.fixture
def cast() -> Cast:
    return assemble()


@pytest.fixture(autouse=True)
def _awake_broker() -> None:
    tasks._broker.quiet_until = 0.0


def now() -> datetime:
    """The door asks the clock itself."""
    return timezone.now()  # noqa: TID251  (what is tested reads the same clock)


def connect(to: Client, provider: str = "callrail", secret: str = CALLRAIL_KEY) -> Connection:
    with job_scope(agency_id=to.agency_id):
        return connections.create_connection(
            client=to, provider=provider, name="Main", secret=secret, by=make.JOB, at=make.NOON
        )


def address(connection: Connection) -> str:
    return f"/hooks/{connection.provider}/{connection.key}/"


def base64_hmac(secret: str, message: bytes) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha1")).decode()


def post(connection: Connection, body: bytes = CALLRAIL_BODY, signature: str = CALLRAIL_SIGNATURE) -> Any:
    return post_to(address(connection), body, signature)


def post_to(url: str, body: bytes, signature: str, **more: Any) -> Any:
    headers = {"Signature": signature}
    content_type = more.pop("content_type", "application/json")
    browser = Browser(enforce_csrf_checks=True)
    return browser.post(url, body, content_type=content_type, headers=headers, **more)


def post_signed(connection: Connection, payload: dict[str, Any], secret: str = CALLRAIL_KEY) -> Any:
    body = json.dumps(payload).encode()
    return post(connection, body, base64_hmac(secret, body))


def post_twilio(
    connection: Connection, params: dict[str, str], token: str = TOKEN, signed_url: str | None = None
) -> Any:
    url = signed_url or f"http://127.0.0.1:8000{address(connection)}"
    text = url + "".join(name + params[name] for name in sorted(params))
    return Browser(enforce_csrf_checks=True).post(
        address(connection),
        urlencode(params),
        content_type=FORM,
        headers={"X-Twilio-Signature": base64_hmac(token, text.encode())},
    )


def rows(of: Client) -> list[Inbox]:
    with job_scope(agency_id=of.agency_id):
        return list(Inbox.objects.filter(client=of).order_by("received_at"))


def again(connection: Connection) -> Connection:
    with job_scope(agency_id=connection.agency_id):
        return Connection.objects.get(pk=connection.pk)


# --- What gets in ---------------------------------------------------------------------------------------


def test_callrails_published_payload_gets_in_and_is_sealed(cast: Cast) -> None:
    answer = post(connect(cast.dentist))

    assert (answer.status_code, answer.content) == (200, b"")
    (row,) = rows(cast.dentist)
    assert b"2148654559" not in bytes(row.payload.blob)
    assert (row.state, row.attempts, row.due_at) == ("waiting", 0, row.received_at)


def test_twilios_published_vector_gets_in(cast: Cast) -> None:
    connection = connect(cast.dentist, "twilio", TWILIO["token"])
    request = RequestFactory().post(
        "/myapp.php?foo=1&bar=2",
        urlencode(TWILIO["params"]),
        content_type=FORM,
        headers={"X-Twilio-Signature": TWILIO["signature"]},
    )
    with override_settings(CALLPRIVACY_URL="https://mycompany.com"):
        answer = hooks.receive(request, "twilio", connection.key)

    assert answer.status_code == 200
    assert len(rows(cast.dentist)) == 1


def test_twilio_is_answered_with_no_instructions_at_all(cast: Cast) -> None:
    answer = post_twilio(connect(cast.dentist, "twilio", TOKEN), {"CallSid": "CA1"})

    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/xml")
    assert b"<Response></Response>" in answer.content


def test_the_signed_address_is_the_public_one_whatever_host_was_asked(cast: Cast) -> None:
    connection = connect(cast.dentist, "twilio", TOKEN)
    with override_settings(CALLPRIVACY_URL="https://calls.example.com"):
        public = f"https://calls.example.com{address(connection)}"
        assert post_twilio(connection, {"CallSid": "CA1"}, signed_url=public).status_code == 200
        local = f"http://127.0.0.1:8000{address(connection)}"
        assert post_twilio(connection, {"CallSid": "CA2"}, signed_url=local).status_code == 403


def test_twilios_json_is_signed_by_address_and_digest(cast: Cast) -> None:
    connection = connect(cast.dentist, "twilio", TOKEN)
    body = b'{"CallSid": "CA1"}'
    path = f"{address(connection)}?bodySHA256={sha256(body).hexdigest()}"
    signature = base64_hmac(TOKEN, f"http://127.0.0.1:8000{path}".encode())
    headers = {"X-Twilio-Signature": signature}

    true = Browser().post(path, body, content_type="application/json", headers=headers)
    forged = Browser().post(path, body + b" ", content_type="application/json", headers=headers)

    assert (true.status_code, forged.status_code) == (200, 403)


def test_what_cannot_be_read_but_is_signed_gets_in(cast: Cast) -> None:
    connection = connect(cast.dentist)
    body = b"\xff\x00 not JSON"

    assert post(connection, body, base64_hmac(CALLRAIL_KEY, body)).status_code == 200
    assert len(rows(cast.dentist)) == 1


def test_a_repeated_event_is_acknowledged_and_kept_once(cast: Cast) -> None:
    connection = connect(cast.dentist)

    assert [post(connection).status_code for _ in range(3)] == [200, 200, 200]
    assert len(rows(cast.dentist)) == 1


def test_the_same_event_at_two_connections_is_two(cast: Cast) -> None:
    for client in (cast.dentist, cast.dentist, cast.plumber):
        assert post(connect(client)).status_code == 200

    assert (len(rows(cast.dentist)), len(rows(cast.plumber))) == (2, 1)
    digests = {bytes(row.event_digest or b"") for row in rows(cast.dentist) + rows(cast.plumber)}
    assert len(digests) == 3


# --- What does not --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (CALLRAIL_BODY, ""),
        (CALLRAIL_BODY, "UZAHbUdfm3GqL7qzilGozGzWV64"),
        (CALLRAIL_BODY, base64_hmac("another key of 32 characters....", CALLRAIL_BODY)),
        (CALLRAIL_BODY + b" ", CALLRAIL_SIGNATURE),
        (CALLRAIL_BODY.replace(b"13", b"14"), CALLRAIL_SIGNATURE),
        (b"{}", CALLRAIL_SIGNATURE),
        (b"{" * 100_000, CALLRAIL_SIGNATURE),
    ],
)
def test_forged_is_refused_without_a_word_why(cast: Cast, body: bytes, signature: str) -> None:
    connection = connect(cast.dentist)

    answer = post(connection, body, signature)

    assert (answer.status_code, answer.content) == (403, b"Forbidden.\n")
    assert rows(cast.dentist) == []
    assert again(connection).last_refused_at is not None
    event = HouseEvent.objects.get(action="hook.refused")
    assert event.details == {
        "provider": "callrail",
        "agency": cast.acme.pk,
        "connection": str(connection.pk),
    }


def test_a_flood_of_forgeries_is_one_event_and_its_number(cast: Cast) -> None:
    connection = connect(cast.dentist)

    for _ in range(5):
        assert post(connection, signature="no").status_code == 403

    events = HouseEvent.objects.filter(action="hook.refused").order_by("id")
    assert events.count() == 1
    audit.fold_refusals(at=make.now() + timedelta(hours=1))
    assert [event.details.get("more") for event in events] == [None, 4]


@pytest.mark.parametrize(("seconds", "counts"), [(-1, True), (0, False), (1, False)])
def test_the_doors_statement_and_the_queryset_agree_on_when_a_secret_ends(
    cast: Cast, seconds: int, *, counts: bool
) -> None:
    connection = connect(cast.dentist)
    ends_at = make.NOON
    with job_scope(agency_id=cast.acme.pk):
        ConnectionSecret.objects.filter(connection=connection).update(ends_at=ends_at)
        by_words = ConnectionSecret.objects.filter(connection=connection).counting(
            ends_at + timedelta(seconds=seconds)
        )
        assert by_words.exists() is counts
    delivery = Delivery(CALLRAIL_BODY, {"Signature": CALLRAIL_SIGNATURE}, "https://x.test/")
    with nullcontext() if counts else pytest.raises(inbox.ForgedError):
        inbox.receive_event(
            provider=PROVIDERS["callrail"],
            key=connection.key,
            delivery=delivery,
            at=ends_at + timedelta(seconds=seconds),
        )


def test_secrets_that_count_come_newest_first(cast: Cast) -> None:
    connection = connect(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        old = ConnectionSecret.objects.get(connection=connection)
        ConnectionSecret.objects.filter(pk=old.pk).update(ends_at=make.NOON + timedelta(days=1))
        new = ConnectionSecret.objects.create(
            agency_id=cast.acme.pk, client_id=cast.dentist.pk, connection=connection, secret=TOKEN,
            created_at=old.created_at + timedelta(hours=1),
        )  # fmt: skip
        found = ConnectionSecret.objects.filter(connection=connection)
        assert [row.pk for row in found.counting(make.NOON)] == [new.pk, old.pk]
        assert [row.pk for row in found.counting(make.NOON + timedelta(days=1))] == [new.pk]


def test_another_clients_secret_opens_nothing_here(cast: Cast) -> None:
    here, there = connect(cast.dentist, secret=TOKEN), connect(cast.plumber)

    assert post(there).status_code == 200
    assert post(here).status_code == 403


def test_both_secrets_count_while_they_overlap_and_one_afterwards(cast: Cast) -> None:
    connection, at = connect(cast.dentist), now()
    with job_scope(agency_id=cast.acme.pk):
        connections.rotate_secret(
            connection=connection, secret=TOKEN, overlap=timedelta(hours=1), by=make.JOB, at=at
        )
    assert post_signed(connection, {"id": 1}).status_code == 200
    assert post_signed(connection, {"id": 2}, TOKEN).status_code == 200

    with job_scope(agency_id=cast.acme.pk):
        connections.rotate_secret(
            connection=connection, secret="a third secret", overlap=timedelta(), by=make.JOB, at=at
        )
    assert post_signed(connection, {"id": 3}).status_code == 403
    assert post_signed(connection, {"id": 4}, TOKEN).status_code == 403
    assert post_signed(connection, {"id": 5}, "a third secret").status_code == 200


def test_every_door_that_is_none_looks_the_same(cast: Cast) -> None:
    twilio, closed = connect(cast.dentist, "twilio"), connect(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        connections.deactivate_connection(connection=closed, by=make.JOB, at=make.NOON)
    urls = [
        "/hooks/callrail/nobody/",
        f"/hooks/callrail/{twilio.key}/",
        address(closed),
        f"/hooks/invoca/{twilio.key}/",
    ]

    answers = [post_to(url, CALLRAIL_BODY, CALLRAIL_SIGNATURE) for url in urls]

    assert {answer.status_code for answer in answers} == {404}
    for answer in answers:
        del answer.headers["X-Request-ID"]  # each request has one of its own
    assert len({(answer.content, tuple(sorted(answer.items()))) for answer in answers}) == 1
    assert rows(cast.dentist) == []


def test_a_door_opened_again_lets_in(cast: Cast) -> None:
    connection = connect(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        assert connections.deactivate_connection(connection=connection, by=make.JOB, at=make.NOON)
        assert not connections.deactivate_connection(connection=connection, by=make.JOB, at=make.NOON)
        assert connections.reactivate_connection(connection=connection, by=make.JOB, at=make.NOON)

    assert post(connection).status_code == 200


class _Unread:
    """A body that says how much of it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def read(self, size: int = -1) -> bytes:
        self.asked += size
        return b""


def test_over_a_megabyte_is_refused_before_it_is_read(cast: Cast) -> None:
    connection, body = connect(cast.dentist), _Unread()
    request = RequestFactory().post(address(connection), b"{}", content_type="application/json")
    request.META["CONTENT_LENGTH"] = str(hooks.LARGEST + 1)
    request._stream = body  # type: ignore[assignment]  # a body of our own

    answer = hooks.receive(request, "callrail", connection.key)

    assert (answer.status_code, body.asked) == (413, 0)


def test_a_megabyte_is_taken(cast: Cast) -> None:
    connection = connect(cast.dentist)
    body = b'{"id": 1, "note": "' + b"x" * (hooks.LARGEST - 21) + b'"}'
    assert len(body) == hooks.LARGEST

    assert post(connection, body, base64_hmac(CALLRAIL_KEY, body)).status_code == 200
    assert post(connection, body + b" ", base64_hmac(CALLRAIL_KEY, body + b" ")).status_code == 413


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_wrong_content_type_is_415(cast: Cast, content_type: str) -> None:
    connection = connect(cast.dentist)

    answer = post_to(address(connection), CALLRAIL_BODY, CALLRAIL_SIGNATURE, content_type=content_type)

    assert answer.status_code == 415
    assert rows(cast.dentist) == []


def test_a_content_type_may_name_its_charset(cast: Cast) -> None:
    answer = post_to(
        address(connect(cast.dentist)),
        CALLRAIL_BODY,
        CALLRAIL_SIGNATURE,
        content_type="application/json; charset=utf-8",
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["get", "put", "delete", "head", "options"])
def test_only_post_is_heard(cast: Cast, method: str) -> None:
    assert getattr(Browser(), method)(address(connect(cast.dentist))).status_code == 405


def test_a_body_of_unknown_length_is_refused(cast: Cast) -> None:
    request = RequestFactory().post(
        "/", b"", content_type="application/json", headers={"Transfer-Encoding": "chunked"}
    )
    request.META.pop("CONTENT_LENGTH", None)

    assert hooks.receive(request, "callrail", connect(cast.dentist).key).status_code == 411


def test_who_is_signed_in_makes_no_difference(cast: Cast) -> None:
    connection, browser = connect(cast.dentist), Browser()
    come_in(browser, cast.mallory.user)

    answer = browser.post(
        address(connection),
        CALLRAIL_BODY,
        content_type="application/json",
        headers={"Signature": CALLRAIL_SIGNATURE},
    )

    assert answer.status_code == 200
    assert len(rows(cast.dentist)) == 1


def test_neither_number_nor_secret_reaches_a_log(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    connection = connect(cast.dentist)
    with caplog.at_level(0):
        post_signed(connection, {"id": 1, "customer_phone_number": CANARY})
        post(connection, signature="no")

    assert caplog.records
    assert CANARY[2:] not in caplog.text
    assert CALLRAIL_KEY not in caplog.text


# --- Redis away -----------------------------------------------------------------------------------------

type Callbacks = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """A server that takes connections and never says anything."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        listening.setblocking(False)
        yield listening


def _came_to(server: socket.socket) -> int:
    """How many connections came to it since this was last asked."""
    came = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            came += 1
    return came


def _away(port: int) -> Any:
    hints = settings.CACHES["hints"] | {"LOCATION": f"redis://127.0.0.1:{port}/0", "OPTIONS": ground.patience}
    return override_settings(CACHES=settings.CACHES | {"hints": hints})


def test_with_redis_down_the_event_is_kept_and_redis_left_alone(
    cast: Cast, django_capture_on_commit_callbacks: Callbacks
) -> None:
    connection = connect(cast.dentist)
    assert (
        post_to("/hooks/callrail/nobody/", b"{}", "").status_code == 404
    )  # a process loads its addresses once
    with _away(1), django_capture_on_commit_callbacks(execute=True):
        answer = post(connection)
    assert answer.status_code == 200
    assert tasks._broker.is_quiet()
    assert len(rows(cast.dentist)) == 1


def test_with_redis_mute_one_answer_waits_a_moment_and_the_next_do_not(
    cast: Cast,
    silent_server: socket.socket,
    django_capture_on_commit_callbacks: Callbacks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is asked once, and what waits for it waits for 0.25 s; then it is left alone for a while."""
    assert tasks._QUIET_AFTER_FAILURE >= 1
    monkeypatch.setattr(tasks, "_QUIET_AFTER_FAILURE", 3600.0)
    assert ground.patience == {"socket_timeout": 0.25, "socket_connect_timeout": 0.25}
    connection, waits = connect(cast.dentist), []
    with _away(silent_server.getsockname()[1]):
        for number in range(3):
            with django_capture_on_commit_callbacks(execute=True):
                assert post_signed(connection, {"id": number}).status_code == 200
            waits.append(_came_to(silent_server))

    assert waits == [1, 0, 0]
    assert len(rows(cast.dentist)) == 3


def test_one_nudge_is_on_its_way_at_a_time(cast: Cast, django_capture_on_commit_callbacks: Callbacks) -> None:
    flag = tasks._flag(cast.acme.pk)
    caches["hints"].delete(flag)
    connection = connect(cast.dentist)
    with django_capture_on_commit_callbacks(execute=True) as first:
        post_signed(connection, {"id": 1})
    assert len(first) == 1
    assert caches["hints"].get(flag) == 1

    tasks.process_inbox(agency_id=cast.acme.pk)
    assert caches["hints"].get(flag) is None


@pytest.mark.django_db
def test_what_stands_behind_the_question_mark_is_in_no_log(logged: io.StringIO) -> None:
    """Trackers put names and mail addresses there, at doors of nobody too."""
    said = urlencode(
        {"customer_name": "Anna Quill", "email": "anna@example.com", "callernum": "+14155550101"}
    )
    Browser().post(f"/hooks/callrail/nobody/?{said}", b"{}", content_type="application/json")
    written = logged.getvalue()
    assert "POST /hooks/.../.../" in written
    assert "Quill" not in written
    assert "anna" not in written.lower()
