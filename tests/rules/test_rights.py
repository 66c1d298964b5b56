"""Who manages an agency is written twice, in Python and in one SQL function: here they are held together."""

import re

import pytest
from django.db import connection

from callprivacy.accounts.enums import RIGHTS, AgencyRight


@pytest.mark.django_db
def test_the_managers_that_postgresql_knows_are_those_of_the_table_of_rights() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'scope_knows_all_clients'")
        (source,) = cursor.fetchone()
    (listed,) = re.findall(r"m\.role IN \(([^)]*)\)", source)

    managers = {role.value for role, rights in RIGHTS.items() if AgencyRight.MANAGE_CLIENTS in rights}

    assert set(re.findall(r"'(\w+)'", listed)) == managers
    for right in (AgencyRight.MANAGE_PEOPLE, AgencyRight.VIEW_TRAIL):
        assert {role.value for role, rights in RIGHTS.items() if right in rights} == managers
    assert {role.value for role, rights in RIGHTS.items() if rights} == managers


@pytest.mark.django_db
def test_who_signs_off_for_postgresql_is_who_may_sign_off() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'scope_signs_off'")
        (source,) = cursor.fetchone()
    (listed,) = re.findall(r"m\.role IN \(([^)]*)\)", source)
    signing = {role.value for role, rights in RIGHTS.items() if AgencyRight.SIGN_OFF in rights}
    assert set(re.findall(r"'(\w+)'", listed)) == signing
