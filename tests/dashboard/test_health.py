"""Probes: alive asks nothing, ready says which part is not good, and strangers are told no more than that."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connections
from django.test import Client as Browser
from pytest_django import Settings

from dashboard.services import readiness
from tests.cast import Cast

TOKEN = "a-token-of-the-collector-of-metrics"


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    readiness.forget()
    yield
    readiness.forget()


def ready(**headers: str) -> tuple[int, dict[str, str]]:
    readiness.forget()
    answer = Browser().get("/readyz", headers=headers)
    return answer.status_code, answer.json()


def test_alive_asks_no_database(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    # No database is allowed to this test: a query would fail it.
    answer = Browser(SERVER_NAME="10.1.2.3").get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"alive": True})
    assert "no-store" in answer["Cache-Control"]
    assert Browser().post("/healthz").status_code == 405


def test_ready_looks_at_every_part(cast: Cast) -> None:
    status, said = ready()
    assert said == dict.fromkeys(("databases", "broker", "migrations", "keys", "restore"), "ok")
    assert status == 200


def test_many_who_ask_at_once_cost_one_look(
    cast: Cast, django_assert_num_queries: Callable[[int], Any]
) -> None:
    ready()
    with django_assert_num_queries(0):
        assert Browser().get("/readyz").status_code == 200


def spoil(part: str, settings: Settings) -> None:
    """Plant what a part has to find."""
    if part == "broker":
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
    elif part == "keys":
        another = Fernet(Fernet.generate_key()).encrypt(b"00" * 32).decode()
        with connections["vault"].cursor() as cursor:
            cursor.execute("UPDATE vault_clientkey SET key = %s", [another])
    elif part == "migrations":
        with connections["vault"].cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'vault'")
    else:
        with connections["vault"].cursor() as cursor:
            cursor.execute(
                "INSERT INTO vault_pulse (id, count) VALUES (1, 1000000000)"
                " ON CONFLICT (id) DO UPDATE SET count = excluded.count"
            )


@pytest.mark.parametrize("part", ["broker", "keys", "migrations", "restore"])
def test_what_is_not_good_is_named_and_explained_only_to_the_token(
    cast: Cast, settings: Settings, part: str
) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    spoil(part, settings)
    status, said = ready()
    assert status == 503
    assert {name: word for name, word in said.items() if word != "ok"} == {part: "failed"}
    told = ready(Authorization=f"Bearer {TOKEN}")[1][part]
    assert told.endswith(".")
    assert len(told) > 30
    assert Browser().get("/healthz").status_code == 200


def test_a_look_that_does_not_end_is_not_good(cast: Cast) -> None:
    assert ready()[0] == 200
    readiness.forget()
    with readiness._lock:
        assert Browser().get("/readyz").status_code == 200, "another one looks just now"
        readiness._remembered.began -= 60
        assert Browser().get("/readyz").status_code == 503


def test_a_database_that_is_away_is_no_500(cast: Cast, settings: Settings) -> None:
    before, away = connections["vault"], connections.create_connection("vault")
    away.settings_dict = away.settings_dict | {"HOST": "/nowhere"}
    connections["vault"] = away
    try:
        status, said = ready()
    finally:
        connections["vault"] = before
    assert status == 503
    assert said["databases"] == "failed"
    assert said["broker"] == "ok"
