"""The product as a person meets it: its own processes, on databases of their own, and a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import ground
from tests.browser import site as sites

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def site(databases: ground.Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sites.Site]:
    """The running product with a small demo, shared by the browser's tests."""
    pair = databases.clone()
    state: Path = tmp_path_factory.mktemp("site")
    try:
        with sites.running(state, pair.environment(), ground.servers.redis_url_of_site) as found:
            yield found
    finally:
        databases.drop(pair)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    with sites.launched() as found:
        yield found


@pytest.fixture
def visitor(browser: Browser, site: sites.Site) -> Iterator[sites.Visitor]:
    """Somebody who has not signed in; whatever the browser complained of by the end is a failure."""
    with sites.visiting(browser, site) as found:
        yield found
