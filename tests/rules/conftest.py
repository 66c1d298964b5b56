"""The world of the rules: committed once into databases of its own, so that walks need not build it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import ground

if TYPE_CHECKING:
    from pytest_django.plugin import DjangoDbBlocker

    from tests.rules.world import World


@pytest.fixture(scope="module")
def built(
    databases: ground.Databases, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[World]:
    """The world in a pair of databases that every test of the module uses and leaves as it was."""
    from tests.rules import world  # models load after Django's setup

    shared, pair = databases.current, databases.clone()
    assert shared is not None
    databases.current = pair
    with django_db_blocker.unblock():
        ground.point_to(pair)
        made = world.build()
    yield made
    databases.current = shared
    with django_db_blocker.unblock():
        ground.point_to(shared)
    databases.drop(pair)


@pytest.fixture
def world(built: World, db: None) -> World:
    """The world, in a test that rolls back."""
    return built
