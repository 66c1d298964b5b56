"""What several files about accounts begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from callprivacy.accounts.models import Membership
    from tests.cast import Cast


@pytest.fixture
def erin(cast: Cast) -> Membership:
    """A second officer of Acme, who has been here for long."""
    from callprivacy.accounts.enums import Role  # models load after Django's setup
    from tests import make

    return make.person(cast.acme, "erin", Role.OFFICER)
