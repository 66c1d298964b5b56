"""Many threads on connections that are kept: each sees its own agency's and client's rows, whoever used it before."""

import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection, connections, transaction

from callprivacy.calls.models import Call
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from tests import cast, make
from tests.scale import tell, times

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 8
_LEFT = "SELECT coalesce(current_setting('callprivacy.scope', true), '')"


class _GaveUpError(RuntimeError):
    """What goes wrong in the middle of a request."""


def _ways(world: cast.Cast) -> list[tuple[Callable[[], AbstractContextManager[Any]], set[int]]]:
    acme, globex = world.acme.pk, world.globex.pk
    dentist, plumber, florist = world.dentist.pk, world.plumber.pk, world.florist.pk
    return [
        (lambda: staff_scope(agency_id=acme, user_id=world.bob.user_id), {dentist}),
        (lambda: staff_scope(agency_id=acme, user_id=world.alice.user_id), {dentist, plumber}),
        (lambda: staff_scope(agency_id=acme, user_id=world.carol.user_id), set()),
        (lambda: staff_scope(agency_id=globex, user_id=world.mallory.user_id), {florist}),
        (lambda: client_scope(agency_id=acme, client_id=plumber), {plumber}),
        (lambda: client_scope(agency_id=globex, client_id=florist), {florist}),
        (lambda: job_scope(agency_id=acme), {dentist, plumber}),
    ]


def _seen() -> set[int]:
    """By SQL, past every filter of Python's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT client_id FROM calls_call")
        return {client for (client,) in cursor.fetchall()}


def _request(way: Callable[[], AbstractContextManager[Any]], own: set[int], chance: random.Random) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LEFT)
        assert cursor.fetchone() == ("",), "the last one's scope is still on the connection"
    assert _seen() == set()
    ending = chance.random()
    try:
        with way():
            assert _seen() == own
            if ending < 0.2:
                with way(), transaction.atomic():
                    assert set(Call.objects.values_list("client_id", flat=True)) == own
            if ending < 0.3:
                raise _GaveUpError
            if ending < 0.4:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1 / 0")
    except _GaveUpError:
        return
    except Exception as error:
        if "division by zero" not in str(error):
            raise
    finally:
        if ending > 0.98:
            connection.close()


def test_nobody_sees_what_the_one_before_was_shown(cast: cast.Cast) -> None:
    for number, client in enumerate((cast.dentist, cast.plumber, cast.florist)):
        make.call(client, f"+1212555014{number}")
    ways, each, wrong = _ways(cast), times(60, 4000), []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(each):
                _request(*chance.choice(ways), chance)
        except BaseException as error:  # noqa: BLE001  (handed to the test)
            wrong.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    tell(each * THREADS, f"requests of {THREADS} threads on kept connections")
