"""The suite's own ground: which role, which databases, what is undone."""

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

import psycopg
import pytest
from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.db import IntegrityError, connections, transaction
from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("alias", ["default", "vault"])
def test_tests_run_as_a_role_without_rights(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False, False, False)
        cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("alias", ["default", "vault"])
def test_the_app_cannot_make_tables(alias: str) -> None:
    with connections[alias].cursor() as cursor, pytest.raises(Exception, match="permission denied"):
        cursor.execute("CREATE TABLE mine (id int)")


def _keep(key: str) -> None:
    Session.objects.create(session_key=key, session_data="", expire_date=datetime(2026, 11, 25, tzinfo=UTC))


@pytest.mark.parametrize("time", [1, 2])
def test_a_test_is_rolled_back(time: int) -> None:
    assert not Session.objects.exists()
    _keep(f"rolled-back-{time}")


@pytest.mark.parametrize("time", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_a_test_that_commits_has_databases_of_its_own(time: int) -> None:
    assert not Session.objects.exists()
    _keep(f"committed-{time}")
    with psycopg.connect(os.environ["DATABASE_URL"]) as other:
        assert other.execute("SELECT count(*) FROM django_session").fetchone() == (1,)


@pytest.mark.as_committed
def test_what_waits_for_a_commit_runs_where_commits_are_seen() -> None:
    told: list[str] = []
    with transaction.atomic():
        with transaction.atomic():
            transaction.on_commit(lambda: told.append("inner"))
        with transaction.atomic():
            transaction.on_commit(lambda: told.append("undone"))
            transaction.set_rollback(True)
        assert told == []
    assert told == ["inner"]
    transaction.on_commit(lambda: told.append("at once"))
    assert told == ["inner", "at once"]


@pytest.mark.as_committed
def test_what_is_checked_at_a_commit_refuses_where_commits_are_seen() -> None:
    told: list[str] = []

    @transaction.atomic
    def keep_for_nobody() -> None:
        transaction.on_commit(lambda: told.append("committed"))
        _keep("refused")
        EmailAddress.objects.create(user_id=999_999_999, email="nobody@people.example")

    with pytest.raises(IntegrityError):
        keep_for_nobody()
    assert told == []
    assert not Session.objects.exists()
    with transaction.atomic():
        _keep("kept")
    assert Session.objects.count() == 1


@pytest.mark.as_committed
def test_the_look_at_constraints_is_nobodys_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(2), transaction.atomic():
        pass


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_a_subprocess_finds_the_same_database() -> None:
    _keep("seen-by-a-subprocess")
    code = (
        "import django; django.setup(); from django.contrib.sessions.models import Session; "
        "print(Session.objects.get().session_key)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "seen-by-a-subprocess", done.stderr


def test_the_network_ends_at_this_machine() -> None:
    with socket.socket() as line, pytest.raises(RuntimeError, match="not this machine"):
        line.connect(("192.0.2.1", 80))
