"""What several files about retention begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from callprivacy.accounts.models import Membership
    from tests.cast import Cast


@pytest.fixture
def second(cast: Cast) -> Membership:
    """Another officer of Acme, who has to agree."""
    from callprivacy.accounts.enums import Role  # models load after Django's setup
    from tests import make

    found = make.person(cast.acme, "Olga", Role.OFFICER)
    make.grant(found, cast.dentist, Role.OFFICER)
    return found
