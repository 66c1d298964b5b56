"""
The suite's ground: real PostgreSQL as the app's own role, real Valkey, no network beyond this machine.

The owner migrates one pair of template databases for the code as it stands; every worker clones it. A test
rolls back; one marked `django_db(transaction=True)` commits into a pair of its own, which is dropped
afterwards and never flushed. Subprocesses find the same databases through the environment.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from _pytest import runner
from hypothesis import HealthCheck, settings

from callprivacy.lib.stack import with_room
from tests import clock, ground, order, starts

if TYPE_CHECKING:
    from pytest_django import Settings
    from pytest_django.plugin import DjangoDbBlocker

    from tests.cast import Cast

ground.prepare_environment(os.environ)
# How long examples take to draw says how busy the machine is, and nothing of the test. A run of the suite says of a
# change whether it is right and draws what the run before drew; `make assure` looks further each time (docs/adr/0158).
settings.register_profile(
    "ours",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("ASSURE") != "1",
    print_blob=True,
)
settings.load_profile("ours")

_NEED_A_DATABASE = frozenset({"db", "transactional_db", "live_server", "admin_user", "admin_client"})
_COMMIT = frozenset({"transactional_db", "live_server"})


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    # Until all is collected nothing is garbage, and looking for it takes a third as long as collecting.
    gc.disable()
    ground.join()


def pytest_unconfigure() -> None:
    starts.end()
    ground.leave()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Give every test that uses a database both of them, and begin with what takes longest."""
    for item in items:
        fixtures = frozenset(getattr(item, "fixturenames", ()))
        for marker in item.iter_markers("django_db"):
            marker.kwargs.setdefault("databases", "__all__")  # type: ignore[attr-defined]  # a dict, whatever its type says
        if fixtures & _NEED_A_DATABASE and item.get_closest_marker("django_db") is None:
            item.add_marker(pytest.mark.django_db(transaction=bool(fixtures & _COMMIT), databases="__all__"))
        closest = item.get_closest_marker("django_db")
        commits = closest is not None and bool(closest.kwargs.get("transaction"))
        if (
            isinstance(item, pytest.Function)
            and item.get_closest_marker("as_committed") is not None
            and not commits
        ):
            if closest is None:
                item.add_marker(pytest.mark.django_db(databases="__all__"))
            # First, so that what other fixtures do is committed as well.
            item.fixturenames.insert(0, "as_committed")
    yield
    items.sort(key=lambda item: order.place_of(item.nodeid))


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over eleven thousand tests and their modules, which stay, and come seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test as pytest does, with room on the stack: under pytest a piece of it ended where Django calls most."""
    return with_room(runner.pytest_runtest_protocol, item, nextitem)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> order.Scheduling:
    """Keep a file's tests, and all of the browser's, in one process."""
    return order.Scheduling(config, log)


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuse every connection that leaves this machine."""
    with ground.loopback_only():
        yield


@pytest.fixture(autouse=True)
def own_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let no test meet what another one counted: how often somebody knocked at a door is kept in Valkey under names that
    tests share, since each of them has a first client and the same noon.

    Whoever empties a cache here empties it for the tests beside it as well, so nobody may.
    """
    from django.core.cache.backends.redis import RedisCache

    ground.count_anew()
    monkeypatch.setattr(RedisCache, "clear", None)


@pytest.fixture(autouse=True)
def known_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take both databases for equally old, so that no test's count of queries depends on when that was last asked."""
    from callprivacy.audit.services import lineage

    monkeypatch.setattr(lineage, "remembered", lineage._Remembered(lineage.Lineage.SAME, float("inf")))


@pytest.fixture(autouse=True)
def own_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Let no test's files lie among another's: clients have the same keys in every copy, and jobs clear up. The kernel
    dates files by the machine's clock.
    """
    from django.conf import settings
    from django.test import override_settings

    from callprivacy.vault import files

    is_older = files._is_older
    moved = timedelta(seconds=clock.machine_to_suite())
    monkeypatch.setattr(files, "_is_older", lambda at, *, than: is_older(at + moved, than=than))
    with override_settings(MEDIA_ROOT=settings.CALLPRIVACY_STATE / "media" / secrets.token_hex(6)):
        yield


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is written to the log, by the settings' own formatter, whichever stream the handler took at the start."""
    from django.conf import settings

    out = io.StringIO()
    handler = logging.StreamHandler(out)
    formatter = dict(settings.LOGGING["formatters"]["listed"])
    handler.setFormatter(formatter.pop("()")(**formatter))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="session")
def databases() -> Iterator[ground.Databases]:
    """The template databases and what clones them."""
    found = ground.Databases(ground.servers.admin_url)
    try:
        found.prepare()
        yield found
    finally:
        found.admin.close()


@pytest.fixture(scope="session")
def django_db_setup(databases: ground.Databases, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """This worker's own pair of databases."""
    from django.test import TransactionTestCase

    # The trail refuses TRUNCATE, and a clone is thrown away: nothing is ever flushed.
    TransactionTestCase._fixture_teardown = lambda _self: None  # type: ignore[attr-defined]  # flushes nothing
    pair = databases.home = databases.current = databases.clone()
    with django_db_blocker.unblock():
        ground.point_to(pair)
    yield
    with django_db_blocker.unblock():
        from django.db import connections

        connections.close_all()
        ground.close_kept()
    databases.end()


@pytest.fixture
def own_databases(
    request: pytest.FixtureRequest,
    databases: ground.Databases,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """
    A pair of databases for one test that commits; one with the cast in it for every test that asks for the cast.

    Not where a module has pointed to a pair of its own.
    """
    marker = request.node.get_closest_marker("django_db")
    commits = (marker is not None and bool(marker.kwargs.get("transaction"))) or bool(
        _COMMIT & frozenset(request.fixturenames)
    )
    shared = databases.current
    assert shared is not None
    has_cast = "cast" in request.fixturenames and shared is databases.home
    if not commits:
        if has_cast:
            with django_db_blocker.unblock():
                databases.current = databases.stage()
                ground.turn_to(databases.current, cast=databases.cast)
        yield
        if has_cast:
            databases.current = shared
            with django_db_blocker.unblock():
                ground.turn_to(shared, cast=None)
        return
    with django_db_blocker.unblock():
        pair = databases.clone(databases.with_cast() if has_cast else None)
        ground.point_to(pair, cast=databases.cast if has_cast else None)
    yield
    with django_db_blocker.unblock():
        ground.point_to(shared)
    databases.drop(pair)


@pytest.fixture
def _django_db_helper(own_databases: None, _django_db_helper: None) -> None:
    """Let a test that commits have its databases before pytest-django opens them."""


@pytest.fixture
def as_committed(db: None) -> Iterator[None]:
    """Let code commit as it does outside of tests, in a test that rolls back; one that commits needs nothing."""
    from django.db import connection

    from tests import commits  # Django is set up by now

    with commits.seen() if connection.in_atomic_block else contextlib.nullcontext():
        yield


@pytest.fixture
def cast(db: None) -> Cast:
    """The fixed cast, in a test that rolls back."""
    from tests import cast as actors  # models load after Django's setup

    return actors.assemble()


@pytest.fixture
def one_signature(cast: Cast) -> None:
    """Acme has turned off that going live takes a second officer."""
    from callprivacy.tenancy.models import Agency  # models load after Django's setup
    from callprivacy.tenancy.scope import job_scope

    with job_scope(agency_id=cast.acme.pk):
        Agency.objects.filter(pk=cast.acme.pk).update(needs_second_for_live=False)


@pytest.fixture
def masters(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts master keys into use, newest first."""
    from cryptography.fernet import Fernet, MultiFernet
    from encrypted_model_fields import fields as library

    def use(*names: str) -> None:
        settings.FIELD_ENCRYPTION_KEY = list(names)
        monkeypatch.setattr(library, "CRYPTER", MultiFernet([Fernet(name) for name in names]))

    return use
