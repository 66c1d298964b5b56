"""What a scope tells the log, and how it is left where the transaction around it is to be rolled back."""

import pytest
import structlog
from django.db import connection, transaction

from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.scope import job_scope, operator_scope, scope_of_key

pytestmark = pytest.mark.django_db


def logged_agency() -> object:
    return structlog.contextvars.get_contextvars()["agency_id"]


def kind_in_the_database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(scope_kind(), current_setting('callprivacy.scope', true))")
        return str(cursor.fetchone()[0])


def test_lines_of_the_log_name_the_agency_and_none_where_there_is_none() -> None:
    with structlog.contextvars.bound_contextvars(agency_id="before"):
        with job_scope(agency_id=3):
            assert logged_agency() == 3
        assert logged_agency() == 3, "until the job is over"
        with operator_scope():
            assert logged_agency() is None
        with scope_of_key("of nobody", next(iter(KeyPurpose))) as entered:
            assert entered.agency_id == 0
            assert logged_agency() is None


def test_one_that_is_to_be_rolled_back_is_left_without_another_statement() -> None:
    with job_scope(agency_id=3):
        assert kind_in_the_database() == "job"
        transaction.set_rollback(True)
    assert lib_scope.current() is None
    assert kind_in_the_database() == ""
