"""Demos that stand in databases of their own while the tests of a file look at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings

from callprivacy.tenancy.models import Agency
from dashboard import demo, services
from tests import ground, make

if TYPE_CHECKING:
    from pytest_django.plugin import DjangoDbBlocker


def made(at: datetime = make.NOON) -> Agency:
    """The demo, as the command makes it."""
    return services.make_demo(password=make.PASSWORD, at=at, progress=lambda _name: None)


@contextmanager
def standing(
    databases: ground.Databases,
    blocker: DjangoDbBlocker,
    folder: Path,
    *,
    at: datetime = make.NOON,
    **changed: Any,
) -> Iterator[Agency]:
    """A demo, committed. :param changed: of what `dashboard.demo` says, as DAYS."""
    pair = databases.clone()
    with ground.staying_at(pair, databases, blocker):
        with (
            pytest.MonkeyPatch.context() as patched,
            blocker.unblock(),
            override_settings(CALLPRIVACY_STATE=folder, MEDIA_ROOT=folder / "media"),
        ):
            for name, value in changed.items():
                patched.setattr(demo, name, value)
            agency = made(at)
        yield agency
    databases.drop(pair)
