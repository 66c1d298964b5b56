"""The world of the rules: committed once into databases of its own, so that walks need not build it again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.test import client, override_settings

from tests import ground

if TYPE_CHECKING:
    from pytest_django.plugin import DjangoDbBlocker

    from tests.rules.world import World


@pytest.fixture(scope="session")
def files_of_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the world's files lie."""
    return tmp_path_factory.mktemp("world")


@pytest.fixture(autouse=True)
def own_files(files_of_world: Path) -> Iterator[None]:
    """Let tests find the world's files, and no others."""
    with override_settings(MEDIA_ROOT=files_of_world):
        yield


@pytest.fixture(autouse=True)
def no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let Django's browser keep no copy of every template's variables.

    Twenty thousand pages are asked for here, of dozens of templates each, and looked at as a reader would.
    """
    monkeypatch.setattr(client, "store_rendered_templates", lambda *_, **__: None)


@pytest.fixture
def unlogged() -> Iterator[None]:
    """
    Let no line about a refusal be written while a walk asks for thousands: what comes back is looked at, not the log.

    Faults are written all the same, as they tell why a walk failed.
    """
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="session")
def committed(
    databases: ground.Databases,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    files_of_world: Path,
) -> Iterator[tuple[World, ground.Pair]]:
    """The world, and the pair of databases that holds it, once for each process."""
    from tests.rules import world  # models load after Django's setup

    pair = databases.clone()
    with (
        ground.staying_at(pair, databases, django_db_blocker),
        django_db_blocker.unblock(),
        override_settings(MEDIA_ROOT=files_of_world),
    ):
        made = world.build()
    yield made, pair
    databases.drop(pair)


@pytest.fixture(scope="module")
def built(
    committed: tuple[World, ground.Pair], databases: ground.Databases, django_db_blocker: DjangoDbBlocker
) -> Iterator[World]:
    """The world, where every test of the module finds it and leaves it as it was."""
    made, pair = committed
    with ground.staying_at(pair, databases, django_db_blocker):
        yield made


@pytest.fixture
def world(built: World, db: None) -> World:
    """The world, in a test that rolls back."""
    return built
