"""A missing or wrong setting names itself and says what to do."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from gunicorn.util import parse_address  # type: ignore[import-untyped]  # gunicorn has no types

from callprivacy.lib import env
from tests import starts
from tests.scale import some

KEY = "ab" * 32
FERNET = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def start(variables: dict[str, str]) -> tuple[int, str]:
    """Start `manage.py check` with these variables; returns its exit code and what it said of errors."""
    done = starts.manage("check", environ=os.environ | variables)
    return done.returncode, done.stderr


@pytest.mark.thorough
def test_with_right_settings_it_starts() -> None:
    assert start({}) == (0, "")


@pytest.mark.parametrize(
    ("name", "value"),
    some(
        [
            ("CALLPRIVACY_URL", ""),
            ("CALLPRIVACY_URL", "calls.example.com"),
            ("CALLPRIVACY_URL", "http://calls.example.com"),
            ("CALLPRIVACY_URL", "https://calls.example.com/path"),
            ("CALLPRIVACY_URL", "https://[2001:db8::1]"),
            ("CALLPRIVACY_SECRET_KEY", ""),
            ("CALLPRIVACY_SECRET_KEY", "short"),
            ("CALLPRIVACY_EARLIER_SECRET_KEYS", f"{'a' * 50} short"),
            ("CALLPRIVACY_SIGNING_KEY", "bm90IDMyIGJ5dGVz"),
            ("CALLPRIVACY_SIGNING_KEY", "%%%"),
            ("CALLPRIVACY_PROXY_COUNT", "many"),
            ("CALLPRIVACY_ROLE", "root"),
            ("CALLPRIVACY_LOG_LEVEL", "LOUD"),
            ("CALLPRIVACY_LOG_FORMAT", "jsno"),
            ("CALLPRIVACY_KEEPS_PLANS", "true"),
            ("CALLPRIVACY_EARLIER_PUBLIC_KEYS", "no key"),
            ("CALLPRIVACY_EARLIER_PUBLIC_KEYS", f"{'ab' * 32}@yesterday"),
            ("CALLPRIVACY_PLAIN_HOSTS", "postgres,valkey"),
            ("CALLPRIVACY_RECORDING_HOSTS", "https://tracker.example.com"),
            ("CALLPRIVACY_MAIL_FROM", "nobody"),
            ("FIELD_ENCRYPTION_KEY", ""),
            ("FIELD_ENCRYPTION_KEY", "no key"),
            ("FIELD_ENCRYPTION_KEY", f"{FERNET},{FERNET}"),
            ("DATABASE_URL", ""),
            ("DATABASE_URL", "mysql://localhost/calls"),
            ("VAULT_DATABASE_URL", "postgresql://localhost/"),
            ("REDIS_URL", ""),
            ("REDIS_URL", "amqp://localhost"),
            ("MAIL_URL", "pigeon://localhost"),
            ("CALLPRIVACY_CODES", "AC0123:secret"),
            ("CALLPRIVACY_RECORDINGS", "https://bucket.example.com"),
            ("CALLPRIVACY_RECORDINGS", "s3://key:secret@bucket"),
            ("CALLPRIVACY_RECORDINGS", "s3://bucket?default_acl=public-read"),
            ("CALLPRIVACY_RECORDINGS", "s3://bucket?endpoint_url=http://s3.example.com"),
        ],
        one_in=6,
        each=lambda case: case[0],
    ),
)
def test_a_wrong_setting_refuses_to_start(name: str, value: str) -> None:
    code, said = start({name: value, "CALLPRIVACY_STATE": "/nowhere"})
    assert code == 2
    assert said.startswith(f"CallPrivacy does not start: {name} ")
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1


KEY = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("read", "right", "wrong"),
    [
        (
            lambda: env.choice("X", among=("yes", "no"), default="yes"),
            ["yes", "no"],
            ["true", "YES", "yes,no"],
        ),
        (
            lambda: " ".join(env.public_keys("X")),
            [KEY, f"{KEY} {KEY.upper()}"],
            [KEY[1:], f"{KEY}0", f"{KEY},{KEY}", f"{KEY} g{KEY[1:]}", "٠" * 64],
        ),
        (
            lambda: " ".join(sorted(env.hosts("X"))),
            ["10.0.0.7 db_1 fd00::7", "postgres valkey", "db-1.example.com"],
            ["a,b", "postgres, valkey", "postgres:5432", "redis://valkey", "-a"],
        ),
        (
            lambda: " ".join(sorted(env.hosts_and_ports("X"))),
            ["127.0.0.1:8080 db_1:80", "tracker.example.com:443"],
            [
                "tracker.example.com",
                "tracker.example.com:",
                ":443",
                "a:1,b:2",
                "a:1, b:2",
                "https://tracker.example.com:443",
                "tracker.example.com:443/",
                "me@tracker.example.com:443",
                "a:0",
                "a:65536",
                "a:٤٤٣",
                "::1:8080",
            ],
        ),
        (
            lambda: env.sender("X", default="noreply@example.com"),
            [
                "me@example.com",
                "Acme <me@example.com>",
                '"Acme, Inc." <me@example.com>',
                "Café <me@example.com>",
            ],
            ["nobody", "Acme", "Acme <nobody>", "a@b.com, c@d.com", "Acme, Inc. <a@b.com>", "a@b@c.com"],
        ),
    ],
    ids=["choice", "public_keys", "hosts", "hosts_and_ports", "sender"],
)
def test_what_is_mistyped_is_named(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[], str], right: list[str], wrong: list[str]
) -> None:
    monkeypatch.delenv("X", raising=False)
    assert read() in {"yes", "", "noreply@example.com"}
    for value in right:
        monkeypatch.setenv("X", value)
        assert read() == value
    for value in wrong:
        monkeypatch.setenv("X", value)
        with pytest.raises(env.SettingError, match=r"^X (is|holds) n.*\. Write "):
            read()


def test_a_host_is_compared_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "Tracker.Example.COM:443")
    assert env.hosts_and_ports("X") == {"tracker.example.com:443"}


def test_a_database_address_keeps_what_libpq_understands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "postgresql://me:p%40ss@/calls?host=/run/db&port=5433&sslmode=require")
    found = env.database("X", remedy="")
    assert found["NAME"] == "calls"
    assert found["USER"] == "me"
    assert found["PASSWORD"] == "p@ss"
    assert found["HOST"] == "/run/db"
    assert found["PORT"] == "5433"
    assert found["OPTIONS"] == {"sslmode": "require"}


@pytest.mark.parametrize(
    ("read", "value"),
    [
        ("database", "postgresql://me:p/w@h/calls"),
        ("database", "postgresql://me:12/w@h/calls"),
        ("database", "postgresql://me:p@w@h/calls"),
        ("database", "postgresql://me:p?w@h/w@i/calls"),
        ("database", "postgresql://me:12?/w@h/calls"),
        ("database", "postgresql://me:12?/a=w@h/calls"),
        ("database", "postgresql://me:pw@h/calls@home"),
        ("database", "postgresql://me:100%@h/calls"),
        ("database", "postgresql://me:pw@h:x/calls"),
        ("redis_address", "redis://:p/w@h:6379/0"),
        ("redis_address", "redis://:12/w@h/0"),
        ("redis_address", "redis://:12#w@h/0"),
        ("redis_address", "redis://:12?w@h/0"),
        ("redis_address", "redis://:12?a=w@h/0"),
        ("redis_address", "redis://:pw@[h/0"),
        ("redis_address", "unix://me:p@x/w@/run/valkey.sock"),
        ("redis_address", "unix://:p/w@/run/valkey.sock"),
        ("redis_address", "unix://run/valkey.sock"),
        ("mailer", "smtp://me:p/w@mail.example.com"),
        ("mailer", "smtp://me:12#3@mail.example.com:587"),
        ("mailer", "smtp://me:12/3@mail.example.com:587"),
        ("mailer", "smtp://me:12?3@mail.example.com:587"),
        ("mailer", "smtp://me:12?a=3@mail.example.com:587"),
    ],
)
def test_a_sign_that_stands_bare_in_a_password_is_told_how_to_write(
    monkeypatch: pytest.MonkeyPatch, read: str, value: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("X", value)
    asked: dict[str, Any] = {"files": tmp_path} if read == "mailer" else {"remedy": ""}
    with pytest.raises(env.SettingError, match=r"^X .*/ as %2F") as refused:
        getattr(env, read)("X", **asked)
    assert "p/w" not in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://me:p%2Fw%40@h:5432,i:5433/calls%40home",
        "postgresql://me:p#w@h/calls?host=/run/a@b",
        "postgresql://me@/calls?host=@abstract",
        "postgresql://me:pw@h?dbname=calls&sslrootcert=/home/me@work/ca.pem",
        "postgresql://?host=/run/a@b&dbname=calls&user=u",
    ],
)
def test_an_address_of_a_database_that_libpq_reads_as_meant_is_taken(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("X", value)
    assert env.database("X", remedy="")["NAME"].startswith("calls")


@pytest.mark.parametrize(
    "value",
    [
        "unix:///home/me@work/valkey.sock?db=0",
        "unix://:pw@/home/me@work/valkey.sock",
        "unix://:pw@localhost/run/valkey.sock",
        "rediss://:pw@h?ssl_ca_certs=/home/me@work/ca.pem",
        "rediss://:p%2Fw%40@h/0?ssl_ca_certs=/home/me@work/ca.pem",
    ],
)
def test_a_path_of_valkey_may_hold_an_at(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("X", value)
    assert env.redis_address("X", remedy="") == value


@pytest.mark.parametrize("value", ["REDIS://:Pw@h:6379/0", "Rediss://:Pw@h", "UNIX://:Pw@/run/valkey.sock"])
def test_a_redis_address_may_be_shouted(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("X", value)
    read = env.redis_address("X", remedy="")
    assert redis.ConnectionPool.from_url(read).connection_kwargs["password"] == "Pw"


@pytest.mark.parametrize(
    ("host", "bound"),
    [("::", "[::]:80"), ("[::]", "[::]:80"), ("fd00::7", "[fd00::7]:80"), ("10.0.0.7", "10.0.0.7:80")],
)
def test_the_web_listens_on_an_address_with_colons(host: str, bound: str) -> None:
    assert env.listening(host, 80) == bound
    assert parse_address(bound) == (host.strip("[]"), 80)


@pytest.mark.parametrize(
    ("address", "broker"),
    [
        ("redis://:pw@host:6379/1", "redis://:pw@host:6379/1"),
        ("unix://:p%2Fw@/run/valkey.sock?db=3", "redis+socket://:p%2Fw@/run/valkey.sock?virtual_host=3"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock?virtual_host=0"),
        ("rediss://:pw@host/0", "rediss://:pw@host/0?ssl_cert_reqs=required"),
        ("rediss://h/0?ssl_ca_certs=/ca", "rediss://h/0?ssl_ca_certs=/ca&ssl_cert_reqs=required"),
        ("rediss://h/0?ssl_cert_reqs=none", "rediss://h/0?ssl_cert_reqs=none"),
    ],
)
def test_a_redis_address_as_celery_writes_it(address: str, broker: str) -> None:
    assert env.broker_address(address) == broker


@pytest.mark.parametrize(
    ("address", "options"),
    [
        (
            "smtp://me:p%40@mail.example.com",
            {
                "host": "mail.example.com",
                "port": 587,
                "use_tls": True,
                "username": "me",
                "password": "p@",
                "timeout": 10,
            },
        ),
        (
            "smtps://mail.example.com",
            {"host": "mail.example.com", "port": 465, "use_ssl": True, "timeout": 10},
        ),
        ("smtp://127.0.0.1:1025", {"host": "127.0.0.1", "port": 1025, "use_tls": False, "timeout": 10}),
    ],
)
def test_a_mail_server_by_its_address(
    address: str, options: dict[str, object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("X", address)
    assert env.mailer("X", files=tmp_path)["OPTIONS"] == options


def test_without_a_mail_server_mail_becomes_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("X", raising=False)
    assert env.mailer("X", files=tmp_path)["OPTIONS"] == {"file_path": str(tmp_path)}


def test_a_file_fills_only_what_the_environment_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "env"
    file.write_text("# a remark\nFROM_FILE=a=b\nFROM_BOTH=file\n", encoding="utf-8")
    monkeypatch.setenv("FROM_BOTH", "environment")
    monkeypatch.setenv("FROM_FILE", "")
    monkeypatch.delenv("FROM_FILE")
    env.fill_from(file)
    assert os.environ["FROM_FILE"] == "a=b"
    assert os.environ["FROM_BOTH"] == "environment"


def test_recordings_lie_in_a_bucket_or_in_a_folder_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "s3://calls/sealed?endpoint_url=https://s3.example.com&region_name=eu-central-1")
    found = env.recordings_storage("X")
    patience = found["OPTIONS"].pop("client_config")
    assert (patience.connect_timeout, patience.read_timeout) == (4, 20)
    assert found == {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": "calls",
            "location": "sealed",
            "default_acl": None,
            "file_overwrite": False,
            "max_memory_size": 1024 * 1024,
            "endpoint_url": "https://s3.example.com",
            "region_name": "eu-central-1",
        },
    }
    monkeypatch.delenv("X")
    assert env.recordings_storage("X")["BACKEND"] == "django.core.files.storage.FileSystemStorage"


def test_the_storage_of_a_bucket_takes_what_is_written_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from storages.backends.s3 import S3Storage

    monkeypatch.setenv("X", "s3://calls/sealed?endpoint_url=https://s3.example.com")
    storage = S3Storage(**env.recordings_storage("X")["OPTIONS"])
    assert (storage.bucket_name, storage.location, storage.file_overwrite) == ("calls", "sealed", False)


@pytest.mark.parametrize(
    "said",
    [
        f"{KEY}@",
        f"{KEY}@2026-11-24",
        f"{KEY}@2026-11-24T12:00:00",
        f"{KEY}@2026-13-24T12:00:00Z",
        f"{KEY} @2026-11-24T12:00:00Z",
        f"{KEY}@2026-11-24T12:00:00Z {KEY}",
        f"{KEY[:-1]}@2026-11-24T12:00:00Z",
    ],
)
def test_an_end_of_a_public_key_that_is_none_refuses(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("CALLPRIVACY_EARLIER_PUBLIC_KEYS", said)
    with pytest.raises(env.SettingError, match="CALLPRIVACY_EARLIER_PUBLIC_KEYS"):
        env.public_keys("CALLPRIVACY_EARLIER_PUBLIC_KEYS")


def test_a_public_key_may_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [KEY, f"{'cd' * 32}@2026-11-24T12:00:00Z", f"{'ef' * 32}@2026-11-24T12:00:00+02:00"]
    monkeypatch.setenv("CALLPRIVACY_EARLIER_PUBLIC_KEYS", " ".join(keys))
    assert env.public_keys("CALLPRIVACY_EARLIER_PUBLIC_KEYS") == keys
