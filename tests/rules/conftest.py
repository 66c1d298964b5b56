"""The world of the rules: committed once into databases of its own, so that walks need not build it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests import ground

if TYPE_CHECKING:
    from pytest_django.plugin import DjangoDbBlocker

    from tests.rules.world import World


@contextmanager
def _pointed_to(
    pair: ground.Pair, databases: ground.Databases, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    shared, databases.current = databases.current, pair
    assert shared is not None
    with django_db_blocker.unblock():
        ground.point_to(pair)
    yield
    databases.current = shared
    with django_db_blocker.unblock():
        ground.point_to(shared)


@pytest.fixture(scope="session")
def committed(
    databases: ground.Databases, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[tuple[World, ground.Pair]]:
    """The world, and the pair of databases that holds it, once for each process."""
    from tests.rules import world  # models load after Django's setup

    pair = databases.clone()
    with _pointed_to(pair, databases, django_db_blocker), django_db_blocker.unblock():
        made = world.build()
    yield made, pair
    databases.drop(pair)


@pytest.fixture(scope="module")
def built(
    committed: tuple[World, ground.Pair], databases: ground.Databases, django_db_blocker: DjangoDbBlocker
) -> Iterator[World]:
    """The world, where every test of the module finds it and leaves it as it was."""
    made, pair = committed
    with _pointed_to(pair, databases, django_db_blocker):
        yield made


@pytest.fixture
def world(built: World, db: None) -> World:
    """The world, in a test that rolls back."""
    return built
