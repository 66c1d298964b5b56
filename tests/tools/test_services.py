"""Our own PostgreSQL and Valkey: private, asking for a password, never as root, and repeatable."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tools import run, services


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder below a closed one, with a path too long for a socket."""
    folder = tmp_path / ("long-" * 16) / "state"
    folder.parent.mkdir(parents=True)
    yield folder
    place = services.Place.of(folder)
    place.forget_if_elsewhere()
    shutil.rmtree(place.sockets, ignore_errors=True)


@pytest.fixture
def postgres(state: Path) -> Iterator[services.Postgres]:
    """A server of its own, stopped afterwards."""
    found = services.Postgres(services.Place.of(state), settings={"fsync": "off", "shared_buffers": "16MB"})
    found.start()
    yield found
    found.stop()


def test_postgresql_is_private_and_checks_its_pages(postgres: services.Postgres) -> None:
    sockets = postgres.place.sockets.stat()
    assert stat.S_IMODE(sockets.st_mode) == 0o700
    assert len(os.fsencode(postgres.place.sockets)) < 100
    shown = "SHOW listen_addresses; SHOW data_checksums; SHOW server_encoding; SHOW password_encryption;"
    assert postgres.sql(shown).split() == ["on", "UTF8", "scram-sha-256"]
    assert postgres.sql("SELECT datlocale FROM pg_database WHERE datname = 'postgres'").strip() == "C.UTF-8"
    assert postgres.process is not None
    owner = Path(f"/proc/{postgres.process.pid}").stat().st_uid
    assert owner != 0
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url("postgres", password="wrong"))


@pytest.mark.thorough
def test_it_starts_again_with_its_data_also_after_a_crash(postgres: services.Postgres) -> None:
    postgres.sql("CREATE TABLE kept (id int); INSERT INTO kept VALUES (7);")
    assert postgres.process is not None
    postgres.process.kill()
    postgres.process.wait()
    postgres.start()
    assert postgres.sql("SELECT id FROM kept").strip() == "7"


@pytest.mark.thorough
def test_roles_and_grants_can_be_made_twice(postgres: services.Postgres) -> None:
    for _ in range(2):
        postgres.sql(services.role_statements({"o": "secret-o", "a": "secret-a", "b": "secret-b"}))
    postgres.sql("CREATE DATABASE d OWNER o;")
    for _ in range(2):
        postgres.sql(services.grant_statements(database="d", owner="o", app="a"), database="d")
    with psycopg.connect(postgres.url("d", user="o", password="secret-o")) as owner:
        owner.execute("CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, n int)")
    with psycopg.connect(postgres.url("d", user="a", password="secret-a"), autocommit=True) as app:
        app.execute("INSERT INTO t (n) VALUES (1)")
        app.execute("CREATE TEMPORARY TABLE mine (n int)")
        for refused in ("TRUNCATE t", "DROP TABLE t", "CREATE TABLE more (n int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(refused)
    postgres.sql(services.grant_statements(database="d", owner="o", app="b"), database="d")
    for _ in range(2):
        postgres.sql(services.handover_statements(database="d", owner="o", old="a", new="b"), database="d")
    with psycopg.connect(postgres.url("d", user="b", password="secret-b")) as app:
        app.execute("INSERT INTO t (n) VALUES (2)")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(postgres.url("d", user="a", password="secret-a"))


@pytest.mark.thorough
def test_valkey_asks_for_a_password_and_keeps_what_it_took(state: Path) -> None:
    valkey = services.Valkey(services.Place.of(state))
    valkey.start()
    try:
        with redis.Redis.from_url(valkey.url()) as client:
            client.set("kept", "7")
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("port") == {"port": "0"}
        with (
            redis.Redis(unix_socket_path=str(valkey.socket)) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.get("kept")
        valkey.stop()
        valkey.start()
        with redis.Redis.from_url(valkey.url()) as client:
            assert client.get("kept") == b"7"
    finally:
        valkey.stop()


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    place = services.Place.of(state)
    place.sockets.chmod(0o755)
    with pytest.raises(services.ServiceError, match="not a private folder"):
        services.Place.of(state)
    place.sockets.chmod(0o700)
    place.forget_if_elsewhere()


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    with (
        services.locked(tmp_path / "lock") as first,
        services.locked(tmp_path / "lock", wait=False) as second,
    ):
        assert first
        assert not second


def test_a_server_that_cannot_start_says_why(state: Path) -> None:
    place = services.Place.of(state)
    broken = services.Postgres(place, settings={"shared_buffers": "nonsense"})
    with pytest.raises(services.ServiceError, match="shared_buffers"):
        broken.start()


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    first = run._settings(tmp_path, port=8000, addresses={"REDIS_URL": "unix:///a"})
    second = run._settings(tmp_path, port=9000, addresses={"REDIS_URL": "unix:///b"})
    for name in ("CALLPRIVACY_SECRET_KEY", "FIELD_ENCRYPTION_KEY", "CALLPRIVACY_SIGNING_KEY"):
        assert first[name] == second[name]
    assert second["REDIS_URL"] == "unix:///b"
    assert second["CALLPRIVACY_URL"] == "http://127.0.0.1:9000"
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600


def test_some_of_the_databases_are_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in run._GIVEN:
        monkeypatch.delenv(name, raising=False)
    assert run._given_databases() is None
    monkeypatch.setenv("DATABASE_URL", "postgresql:///calls")
    with pytest.raises(run.RunError, match=r"VAULT_DATABASE_URL.* is not set"):
        run._given_databases()


def test_a_python_without_venv_is_named(tmp_path: Path) -> None:
    fake = tmp_path / "python3"
    fake.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexit 0\n', encoding="ascii")
    fake.chmod(0o755)
    root = Path(run.__file__).parent
    # Only the fake one: the last name that is tried is absolute, so it is taken out of a copy.
    script = (root / "python.sh").read_text(encoding="utf-8").replace("/usr/bin/python3;", ";")
    done = subprocess.run(
        ["/bin/sh", "-c", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
