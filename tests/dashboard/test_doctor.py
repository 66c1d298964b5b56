"""The doctor finds each misconfiguration that is planted, says what to do, and finds nothing in what is well."""

import io
import os
import secrets
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.core import checks
from django.core.management import call_command
from django.db import connections
from psycopg.conninfo import make_conninfo
from pytest_django import Settings

from callprivacy.audit.models import Seal
from callprivacy.lib import env, figures, transport
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import envelopes, signing
from dashboard.services import doctor
from dashboard.services.doctor import LOOK, WRONG, Finding
from retention.models import Backup, Drill
from tests import ground, make
from tests.cast import Cast
from tests.scale import some
from tools import services


def found(title: str, clock: doctor.Clock = make.now) -> list[Finding]:
    return list(doctor.CHECKS[title](clock))


def only(title: str, grave: str = WRONG) -> Finding:
    (one,) = found(title)
    assert one.grave == grave
    assert one.to_do
    return one


@pytest.fixture
def _no_processes() -> Iterator[None]:
    line, key = figures._line(), figures._key("processes")
    line.delete(key)
    yield
    line.delete(key)


# --- databases and keys ---


def test_a_broker_that_is_away(cast: Cast, settings: Settings) -> None:
    assert found("databases, Valkey, migrations, keys") == []
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert "REDIS_URL" in only("databases, Valkey, migrations, keys").to_do


def test_another_key_that_signs_the_trail(cast: Cast, settings: Settings) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Seal.objects.create(
            agency_id=cast.acme.pk, number=1, first_event=1, last_event=1, count=1, size=1, root=b"1" * 32,
            previous=b"0" * 32, epoch=1, until_xid=1, until_id=1, signed_at=make.NOON, signature=b"2" * 64,
            peaks=b"1" * 32, leaves=b"3" * 40, key_id=signing.key_id(signing.public_key()),
        )  # fmt: skip
    assert found("the key that signs the trail") == []
    settings.CALLPRIVACY_SIGNING_KEY = secrets.token_bytes(32)
    assert "CALLPRIVACY_EARLIER_PUBLIC_KEYS" in only("the key that signs the trail").to_do


def test_one_database_for_both(cast: Cast) -> None:
    assert found("two databases apart") == []
    before = connections["vault"]
    connections["vault"] = connections["default"]
    try:
        assert "VAULT_DATABASE_URL" in only("two databases apart").fact
    finally:
        connections["vault"] = before


def test_a_role_that_may_too_much(cast: Cast, settings: Settings) -> None:
    assert found("the role of the app") == []
    admin = make_conninfo(ground.servers.admin_url, dbname=connections["default"].settings_dict["NAME"])
    for address, word in ((os.environ["DATABASE_OWNER_URL"], "owns tables"), (admin, "superuser")):
        with psycopg.connect(address) as connection, connection.cursor() as cursor:
            (one,) = doctor.powers(cursor, "default")
            assert word in one.fact
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as connection, connection.cursor() as cursor:
        (one,) = doctor.opens(cursor, "default", connections["vault"].settings_dict["NAME"])
        assert "calls and keys" in one.fact
    settings.CALLPRIVACY_ROLE = "owner"
    assert "CALLPRIVACY_ROLE" in only("the role of the app").fact


def test_a_minor_version_that_is_behind_is_named_with_the_day_of_that_knowledge(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int")
        major, minor = divmod(cursor.fetchone()[0], 10_000)
    monkeypatch.setattr(doctor, "_NEWEST_MINOR", {major: minor})
    assert found("versions") == []
    monkeypatch.setattr(doctor, "_NEWEST_MINOR", {major: minor + 1})
    behind = found("versions")
    assert len(behind) == 2
    assert f"was known on 2026-12-02 is {major}.{minor + 1}" in behind[0].fact


def test_clocks_that_differ(cast: Cast) -> None:
    assert found("clocks") == []
    for off in (timedelta(minutes=5), -timedelta(minutes=5)):
        early = found("clocks", lambda off=off: make.now() + off)  # type: ignore[misc]  # bound where the loop stands
        assert len(early) == 2
        assert "s apart" in early[0].fact


# --- Valkey, worker, beat ---


def test_a_valkey_that_throws_things_out(settings: Settings, tmp_path: Path) -> None:
    """One of its own: its settings hold for every worker beside this one."""
    valkey = services.Valkey(services.Place.of(tmp_path), durable=False)
    valkey.start()
    try:
        settings.REDIS_URL = valkey.url()
        assert all(one.grave == LOOK for one in found("Valkey's settings"))
        with redis.Redis.from_url(settings.REDIS_URL) as line:
            line.config_set("maxmemory-policy", "allkeys-lru")
        facts = [one.fact for one in found("Valkey's settings") if one.grave == WRONG]
    finally:
        valkey.stop()
    assert "allkeys-lru" in facts[0]


@pytest.mark.usefixtures("_no_processes")
def test_no_worker_no_beat_and_two_beats() -> None:
    assert [one.fact.split()[1] for one in found("worker and beat")] == ["worker", "beat"]
    line, key = figures._line(), figures._key("processes")
    line.hset(key, "worker|one|1", str(time.time()))
    line.hset(key, "beat|one|2", str(time.time()))
    line.hset(key, "beat|gone|3", str(time.time() - 120))
    assert found("worker and beat") == []
    line.hset(key, "beat|two|4", str(time.time()))
    assert "2 beats" in only("worker and beat", LOOK).fact


# --- the way in and out ---


def test_plain_http_and_mail_into_files(settings: Settings) -> None:
    settings.CALLPRIVACY_URL = "https://calls.example.com"
    assert found("the address") == []
    settings.CALLPRIVACY_URL = "http://127.0.0.1:8000"
    assert "https" in only("the address", LOOK).to_do
    settings.CALLPRIVACY_MAIL_IS_FILES = True
    assert "MAIL_URL" in only("mail", LOOK).fact


def test_a_mail_server_that_does_not_answer(settings: Settings) -> None:
    settings.CALLPRIVACY_MAIL_IS_FILES = False
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": 1, "timeout": 2},
        }
    }
    assert "MAIL_URL" in only("mail").to_do


@pytest.mark.parametrize(
    ("counted", "entries", "word"), [(0, 0, ""), (1, 1, ""), (0, 1, "none is counted"), (2, 1, "is 2")]
)
def test_proxies_are_counted_against_what_comes(
    settings: Settings, counted: int, entries: int, word: str
) -> None:
    settings.CALLPRIVACY_PROXY_COUNT = counted
    settings.SECURE_SSL_REDIRECT = False
    line, key = figures._line(), figures._key("figures")
    line.delete(key)
    line.hset(key, f"forwarded|{entries}", "60")
    line.hset(key, "forwarded|3", "10")
    if word:
        assert word in only("proxies").fact
    else:
        assert found("proxies") == []


def test_https_without_a_proxy(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.CALLPRIVACY_PROXY_COUNT = 0
    assert "leads to itself" in only("proxies").fact


CLEAR: dict[str, dict[str, Any]] = {
    "the database default": {"HOST": "db.example.com"},
    "the database vault": {"HOST": "127.0.0.1,10.0.0.7", "OPTIONS": {"sslmode": "prefer"}},
    "Valkey": {"REDIS_URL": "redis://:secret@valkey.example.com:6379/0"},
    "the mail server": {"MAIL": {"host": "mail.example.com"}},
    "the bucket of recordings": {"BUCKET": {"bucket_name": "b", "endpoint_url": "http://s3.example.com"}},
    "the bucket of dropped files": {"AWS_ENDPOINT_URL": "http://s3.example.com"},
}


@pytest.mark.parametrize(
    "what",
    some(
        CLEAR,
        one_in=len(CLEAR),
        each=lambda what: " ".join(what.split()[:2]),
    ),
)
def test_what_is_spoken_in_the_clear(settings: Settings, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    assert transport.in_the_clear() == []
    assert found("TLS") == []
    change = CLEAR[what]
    if "HOST" in change:
        for name, value in change.items():
            monkeypatch.setitem(settings.DATABASES[what.rsplit(" ", maxsplit=1)[-1]], name, value)
    elif "REDIS_URL" in change:
        settings.REDIS_URL = change["REDIS_URL"]
    elif "MAIL" in change:
        settings.MAILERS = {"default": {"OPTIONS": change["MAIL"]}}
    elif "AWS_ENDPOINT_URL" in change:
        monkeypatch.setenv("AWS_ENDPOINT_URL", change["AWS_ENDPOINT_URL"])
        monkeypatch.setenv("CALLPRIVACY_DROP", "s3://calls/new")
        settings.STORAGES = settings.STORAGES | {"drop": env.drop_storage("CALLPRIVACY_DROP")}
    else:
        settings.STORAGES = settings.STORAGES | {"recordings": {"OPTIONS": change["BUCKET"]}}
    one = only("TLS")
    assert what in one.fact
    assert "secret" not in one.fact + one.to_do
    (warning,) = [
        said for said in checks.run_checks(include_deployment_checks=True) if said.id == "dashboard.W001"
    ]
    assert what in warning.msg
    settings.CALLPRIVACY_PLAIN_HOSTS = frozenset({transport.in_the_clear()[0].host})
    assert transport.in_the_clear() == []
    assert "as you allowed" in only("TLS", LOOK).fact


def test_each_host_of_a_database_has_to_be_allowed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", "postgres,127.0.0.1,other.example.com")
    settings.CALLPRIVACY_PLAIN_HOSTS = frozenset({"postgres"})
    (line,) = transport.in_the_clear()
    assert line.host == "other.example.com"
    settings.CALLPRIVACY_PLAIN_HOSTS = frozenset({"postgres", "other.example.com"})
    assert transport.in_the_clear() == []


def test_every_bucket_is_looked_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = {"OPTIONS": {"bucket_name": "b"}}
    settings.STORAGES = dict.fromkeys(("recordings", "drop", "another"), bucket) | {"staticfiles": {}}
    assert transport.in_the_clear() == []
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3.example.com")
    said = [line.what for line in transport.in_the_clear()]
    assert said == ["the bucket of recordings", "the bucket of dropped files", "the bucket of another"]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.com")
    assert transport.in_the_clear() == []


@pytest.mark.parametrize(
    ("mode", "sealed", "verified"),
    [
        ("prefer", False, False),
        ("require", True, False),
        ("verify-ca", True, True),
        ("verify-full", True, True),
    ],
)
def test_how_a_database_is_spoken_to(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, mode: str, sealed: bool, verified: bool
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", "db.example.com")
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {"sslmode": mode})
    line = transport.lines()[0]
    assert (line.is_sealed, line.is_verified) == (sealed, verified)


@pytest.mark.parametrize("variable", some(["DATABASE_URL", "VAULT_DATABASE_URL"], one_in=2))
def test_a_release_looks_at_the_addresses_of_the_app_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    def said(prefix: str) -> list[str]:
        found = checks.run_checks(include_deployment_checks=True)
        return [f"{one.msg} {one.hint}" for one in found if str(one.id).startswith(prefix)]

    settings.CALLPRIVACY_ROLE = "owner"
    for name in ("DATABASE_URL", "VAULT_DATABASE_URL"):
        monkeypatch.setenv(name, "postgresql://app:secret@db.example.com/calls?sslmode=verify-full")
    for alias in ("default", "vault"):
        monkeypatch.setitem(settings.DATABASES[alias], "HOST", "db.example.com")
        monkeypatch.setitem(settings.DATABASES[alias], "OPTIONS", {"sslmode": "verify-full"})
    assert said("dashboard.W001") == said("dashboard.I00") == []
    monkeypatch.setenv(variable, "postgresql://app:secret@other.example.com/calls")
    (one,) = said("dashboard.W001")
    assert "of the app (other.example.com)" in one
    assert f"behind {variable}," in one
    assert "secret" not in one
    monkeypatch.delenv(variable)
    assert said("dashboard.W001") == []
    assert f"{variable} is not set" in said("dashboard.I002")[0]


def test_the_owners_own_address_is_named_as_such(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CALLPRIVACY_ROLE = "owner"
    monkeypatch.setitem(settings.DATABASES["vault"], "HOST", "db.example.com")
    (line,) = transport.in_the_clear()
    assert (line.what, line.host) == ("the database vault", "db.example.com")
    assert "behind VAULT_DATABASE_OWNER_URL," in line.to_do


def test_a_release_in_public_wants_a_proxy_and_mail(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.CALLPRIVACY_PROXY_COUNT = 0
    settings.CALLPRIVACY_MAIL_IS_FILES = True
    said = {one.id for one in checks.run_checks(include_deployment_checks=True)}
    assert {"dashboard.W002", "dashboard.W003"} <= said


# --- disks, files, backups ---


def test_a_disk_that_is_full() -> None:
    (one,) = doctor.room(make.now, share=0, at_least=1 << 60)
    assert "GB left" in one.fact
    assert list(doctor.room(make.now, share=0, at_least=0)) == []


BACKUP_FOLDERS = (
    "CALLPRIVACY_BACKUP_DIR",
    "CALLPRIVACY_VAULT_BACKUP_DIR",
    "CALLPRIVACY_VAULT_BACKUP_KEYS",
)


@pytest.mark.parametrize("title", ["room on disks", "files"])
def test_folders_of_backups_that_are_not_visible_are_not_good(
    settings: Settings, tmp_path: Path, title: str
) -> None:
    settings.CALLPRIVACY_STATE, settings.MEDIA_ROOT = tmp_path, tmp_path / "media"
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    (settings.STATIC_ROOT / "staticfiles.json").touch()
    tmp_path.chmod(0o700)
    for name in BACKUP_FOLDERS:
        setattr(settings, name, tmp_path / name)
    unseen = [one for one in found(title) if one.grave == LOOK]
    assert [one.fact.split()[0] for one in unseen] == list(BACKUP_FOLDERS)
    assert all("not visible from here" in one.fact and "worker" in one.to_do for one in unseen)
    for name in BACKUP_FOLDERS:
        (tmp_path / name).mkdir(mode=0o700)
    assert [one for one in found(title) if one.grave == LOOK] == []


def test_files_that_others_may_read(settings: Settings, tmp_path: Path) -> None:
    settings.CALLPRIVACY_STATE, settings.MEDIA_ROOT = tmp_path, tmp_path / "media"
    settings.STATIC_ROOT = tmp_path / "static"
    tmp_path.chmod(0o700)
    settings.STATIC_ROOT.mkdir()
    assert "make release" in only("files").to_do
    (settings.STATIC_ROOT / "staticfiles.json").touch()
    assert found("files") == []
    for path, mode in ((tmp_path / "env", 0o644), (tmp_path, 0o770), (tmp_path / "media", 0o777)):
        before = path.stat().st_mode if path.exists() else 0o600
        if path.name == "env":
            path.touch()
        path.mkdir(exist_ok=True) if path.name == "media" else None
        path.chmod(mode)
        assert f"{mode:o}" in only("files").fact
        path.chmod(0o600 if path.is_file() else before & 0o700 or 0o700)


def test_backups_that_are_missing_late_or_fail(cast: Cast, settings: Settings, tmp_path: Path) -> None:
    assert "makes no backups" in only("backups", LOOK).fact
    settings.CALLPRIVACY_BACKUP_DIR = tmp_path
    settings.CALLPRIVACY_BACKUP_RECIPIENTS = []
    assert [one.grave for one in found("backups")] == [WRONG, WRONG, WRONG, LOOK]
    settings.CALLPRIVACY_BACKUP_RECIPIENTS = [envelopes.new_identity()[1]]
    now = make.now()

    def backup(database: str, at: datetime) -> None:
        Backup.objects.create(database=database, made_at=at, name=f"{database}.age", size=1, digest="0" * 64)

    backup("default", now - timedelta(hours=40))
    backup("vault", now)
    assert next(one.fact for one in found("backups")) == "The database default was backed up 40 hours ago."
    backup("default", now)
    Drill.objects.create(started_at=now, finished_at=now, passed=True, report={})
    assert found("backups") == []
    Drill.objects.create(started_at=now + timedelta(hours=1), finished_at=now, passed=False, report={})
    assert "drill failed" in only("backups").fact


def test_a_dump_of_the_vault_that_stays_is_wrong_where_nothing_is_visible_and_no_backup_is_made(
    cast: Cast,
) -> None:
    at = make.now() - timedelta(days=20)
    Backup.objects.create(database="vault", made_at=at, name="old.age", size=1, digest="0" * 64)
    stays, none_made = found("backups")
    assert (stays.grave, none_made.grave) == (WRONG, LOOK)
    assert "lie past their last day: 1." in stays.fact


# --- the command ---


@pytest.mark.usefixtures("_no_processes")
def test_the_command_says_all_and_no_secret(cast: Cast, settings: Settings) -> None:
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)
    said = out.getvalue()
    assert ended.value.code == 1
    assert all(title in said for title in doctor.CHECKS)
    assert "No worker has said" in said
    password = settings.REDIS_URL.partition(":")[2].partition("@")[0].strip("/:")
    assert password not in said
    assert settings.SECRET_KEY not in said


def test_what_cannot_be_looked_at_is_found_too(cast: Cast, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    looked = {one.title: one.findings for one in doctor.examine(make.now)}
    assert "could not be looked at" in looked["Valkey's settings"][0].fact
    assert set(looked) == set(doctor.CHECKS)


def test_a_look_that_fails_by_a_fault_of_ours_stops_no_other(
    cast: Cast, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_clock: doctor.Clock) -> Iterator[Finding]:
        yield Finding(LOOK, "What was found before.", "-")
        raise LookupError("+12125550100")

    settings.CALLPRIVACY_EARLIER_PUBLIC_KEYS = ["no key"]
    monkeypatch.setitem(doctor.CHECKS, "clocks", half)
    looked = {one.title: one.findings for one in doctor.examine(make.now)}
    assert list(looked) == list(doctor.CHECKS)
    assert looked["the key that signs the trail"][0].fact == "It could not be looked at: ValueError."
    assert [one.fact for one in looked["clocks"]] == [
        "What was found before.", "It could not be looked at: LookupError.",
    ]  # fmt: skip
