"""Files that are dropped into a bucket are read as those in a folder are, and a bucket that fails says so."""

import contextlib
import gzip
import signal
import time
from collections.abc import Iterator
from datetime import UTC, timedelta
from io import BytesIO
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.files.storage import storages

from callprivacy.calls.channels import folders
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallImport, Connection
from callprivacy.calls.services import drops, imports
from callprivacy.calls.tasks import drops as tasks
from callprivacy.lib import env
from callprivacy.tenancy.scope import job_scope
from callprivacy.work.models import Item
from tests.accounts.browsers import signed_in
from tests.calls import bucket_side
from tests.calls.bucket_side import Bucket
from tests.calls.test_drops import GOOD, OTHER, opened, overwriting, take
from tests.calls.test_inbox import calls
from tests.cast import Cast, assemble
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.django_db
PAST = (NOON - timedelta(minutes=5)).astimezone(UTC)


@pytest.fixture
def cast() -> Cast:
    return assemble()


def bucket_of(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Have files dropped into a bucket."""
    monkeypatch.setenv("X", f"s3://{bucket_side.NAME}/in?region_name=eu-central-1")
    storage = env.drop_storage("X")
    assert storage is not None
    with bucket_side.bucket() as found:
        keys = {"access_key": bucket_side.KEY, "secret_key": bucket_side.SECRET, "endpoint_url": found.url}
        settings.CALLPRIVACY_DROP = "s3://drops/in"
        settings.STORAGES = settings.STORAGES | {"drop": storage | {"OPTIONS": storage["OPTIONS"] | keys}}
        storages._storages.clear()  # type: ignore[attr-defined]  # Django keeps what it made of the settings before
        yield found


@pytest.fixture
def bucket(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    yield from bucket_of(settings, monkeypatch)


def drop(bucket: Bucket, way: Connection, name: str, text: bytes | str, *, minutes: int = 5) -> str:
    key = f"in/acme/dentist/{way.pk.hex[:8]}/{name}"
    return bucket.put(key, text, (NOON - timedelta(minutes=minutes)).astimezone(UTC))


def page_of(cast: Cast, way: Connection) -> str:
    return signed_in(cast.alice).get(f"/clients/dentist/connections/{way.pk}/").content.decode()


def is_waiting(cast: Cast) -> bool:
    with job_scope(agency_id=cast.acme.pk):
        return Item.objects.open().filter(kind="drop_refused").exists()


def test_a_file_is_read_and_erased_and_what_is_not_theirs_is_left(cast: Cast, bucket: Bucket) -> None:
    way = opened(cast)
    done, packed = (
        drop(bucket, way, "calls 1.csv", GOOD),
        drop(bucket, way, "old.csv.gz", gzip.compress(GOOD.encode())),
    )
    fresh, other = drop(bucket, way, "fresh.csv", GOOD, minutes=0), drop(bucket, way, "deeper/b.csv", GOOD)
    stranger = bucket.put("in/globex/calls.csv", GOOD, PAST)
    assert take(cast) == 2
    assert len(calls(cast.dentist)) == 2
    assert not {done, packed} & set(bucket.objects)
    assert {fresh, other, stranger} == set(bucket.objects)


@pytest.mark.thorough
def test_a_file_there_may_be_called_anything_that_can_be_printed(cast: Cast, bucket: Bucket) -> None:
    way = opened(cast)
    for name in (
        "+14155550100.csv",
        "calls, march.csv",
        "calls[1].csv",
        "März.csv",
        "2026-11-01T00:00:00.csv",
    ):
        drop(bucket, way, name, GOOD)
    left = {drop(bucket, way, "a\\b.csv", GOOD), drop(bucket, way, "notes.pdf", "x")}
    assert take(cast) == 5
    assert set(bucket.objects) == left
    assert "its name has a backslash" in page_of(cast, way)
    assert is_waiting(cast)


@pytest.mark.thorough
def test_a_killed_worker_goes_on_and_adds_nothing_twice(
    cast: Cast, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    key = drop(bucket, opened(cast), "calls.csv", GOOD)
    ticks = iter([NOON, NOON, NOON, NOON, NOON, *[NOON + timedelta(minutes=2)] * 50])
    drops.take(agency_id=cast.acme.pk, until=NOON + timedelta(minutes=1), clock=lambda: next(ticks))
    assert key in bucket.objects
    later = NOON + timedelta(minutes=3)
    assert drops.take(agency_id=cast.acme.pk, until=later + timedelta(minutes=6), clock=lambda: later) == 1
    assert len(calls(cast.dentist)) == 2
    with job_scope(agency_id=cast.acme.pk):
        assert [row.state for row in CallImport.objects.all()] == [JobState.DONE]


@pytest.mark.thorough
def test_what_is_overwritten_while_it_is_read_is_read_as_well(
    cast: Cast, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = drop(bucket, opened(cast), "calls.csv", GOOD)
    overwriting(monkeypatch, lambda: bucket.put(key, OTHER, PAST))
    take(cast)
    assert bucket.objects[key][0].decode() == OTHER
    assert take(cast) == 1
    assert key not in bucket.objects
    assert len(calls(cast.dentist)) == 4


def test_a_file_is_brought_once_to_be_read_and_known_by_what_the_bucket_says_of_it(
    cast: Cast, bucket: Bucket
) -> None:
    key = drop(bucket, opened(cast), "calls.csv", GOOD)
    assert take(cast) == 1
    asked = [said.split()[0] for said in bucket.asked if said.endswith(key)]
    assert asked.count("GET") == 1
    assert asked[-2:] == ["HEAD", "DELETE"]


def test_a_large_file_does_not_lie_in_memory(cast: Cast, bucket: Bucket) -> None:
    bucket.put("in/large.csv", b"x" * (9 << 20), PAST)  # more than boto3 takes at once
    with folders.open_file("large.csv") as opened_:
        assert opened_.read(1) == b"x"
        assert opened_.file._rolled  # type: ignore[attr-defined]  # it has gone on to the disk


@pytest.mark.parametrize(
    ("fails", "words"),
    some(
        [
            ({("GET", False): "AccessDenied"}, "It refused us"),
            ({("GET", False): "NoSuchBucket"}, "It is not there"),
            ({("GET", False): "SlowDown"}, "It answered with a fault"),
            ({("HEAD", True): "AccessDenied"}, "It refused us"),
            ({("GET", True): "AccessDenied"}, "It refused us"),
            ({("DELETE", True): "AccessDenied"}, "It refused us"),
        ],
        one_in=6,
    ),
)
def test_a_bucket_that_refuses_or_is_gone_is_said_on_its_page_until_it_opens(
    cast: Cast, bucket: Bucket, fails: dict[tuple[str, bool], str], words: str
) -> None:
    way = opened(cast)
    key = drop(bucket, way, "calls.csv", GOOD)
    bucket.fails = fails
    assert take(cast) == 0
    assert key in bucket.objects
    assert words in page_of(cast, way)
    assert is_waiting(cast)
    bucket.fails = {}
    assert take(cast) == 1
    assert words not in page_of(cast, way)
    assert not is_waiting(cast)
    assert len(calls(cast.dentist)) == 2


def test_a_bucket_that_does_not_answer_is_not_waited_for(
    cast: Cast, bucket: Bucket, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings.STORAGES["drop"]["OPTIONS"]["client_config"]
    assert config.connect_timeout + config.read_timeout <= 30
    assert config.retries["total_max_attempts"] == 2
    monkeypatch.setattr(config, "read_timeout", 0.2)
    bucket.slow = 0.6
    way = opened(cast)
    drop(bucket, way, "calls.csv", GOOD)
    assert take(cast) == 0
    assert "It did not answer" in page_of(cast, way)


@pytest.mark.thorough
def test_a_fault_of_one_does_not_keep_others_waiting(
    cast: Cast, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = opened(cast), opened(cast)
    for way in (first, second):
        drop(bucket, way, f"{way.pk.hex[:4]}.csv", GOOD)
    listed = Bucket.listed

    def broken(self: Bucket, asked: dict[str, list[str]]) -> str:
        return "<no" if first.pk.hex[:8] in asked["prefix"][0] else listed(self, asked)

    monkeypatch.setattr(Bucket, "listed", broken)
    assert take(cast) == 1
    assert drops.fault_of(Connection.objects.model(mapping=_mapping(cast, first)))
    assert not drops.fault_of(Connection.objects.model(mapping=_mapping(cast, second)))


def _mapping(cast: Cast, way: Connection) -> Any:
    with job_scope(agency_id=cast.acme.pk):
        return Connection.objects.values_list("mapping", flat=True).get(pk=way.pk)


@pytest.mark.thorough
def test_what_is_written_and_copied_there_is_read_again(bucket: Bucket) -> None:
    """The bucket that is played keeps what the storage does with one, so that what the tests see of it counts."""
    storage = storages["drop"]
    assert storage.save("a.csv", BytesIO(b"one")) == "a.csv"
    storage.bucket.Object("in/b.csv").copy_from(CopySource={"Bucket": bucket_side.NAME, "Key": "in/a.csv"})  # type: ignore[attr-defined]
    assert storage.listdir("")[1] == ["a.csv", "b.csv"]
    with storage.open("b.csv") as copy:
        assert copy.read() == b"one"
    storage.delete("a.csv")
    assert (storage.exists("a.csv"), storage.exists("b.csv")) == (False, True)


@pytest.mark.thorough
def test_a_bucket_that_outlasts_the_worker_lets_go_of_it_in_time(
    cast: Cast, bucket: Bucket, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the worker's first limit and its last is more time than the bucket's program waits for an answer."""
    limits = tasks.take_drops.time_limit - tasks.take_drops.soft_time_limit
    config = settings.STORAGES["drop"]["OPTIONS"]["client_config"]
    assert limits > config.connect_timeout + config.read_timeout + 5
    way = opened(cast)
    drop(bucket, way, "calls.csv", GOOD)
    give, asked = bucket_side._Door._give, list[float]()

    def drip(self: Any, *what: Any) -> None:
        # The limit comes while the answer is waited for: making the bucket's program takes a second on a busy machine.
        if self.command == "GET":
            asked.append(time.monotonic())
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            time.sleep(1.5)
        with contextlib.suppress(OSError):  # nobody listens any more
            give(self, *what)

    def end(*_: Any) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(bucket_side._Door, "_give", drip)
    before = signal.signal(signal.SIGALRM, end)
    try:
        with pytest.raises(SoftTimeLimitExceeded):
            take(cast)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - asked[0] < 4
    assert "it is too slow" in page_of(cast, way)
    assert is_waiting(cast)
