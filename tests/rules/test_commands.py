"""
Every command of ours: it looks over no pages before its deed, which would take longer than the deed, and which a page
that is wrong would keep from putting a dump back.
"""

import pytest
from django.core.management import get_commands, load_command_class

from tests.rules.source import CODE

OURS = {name: app for name, app in get_commands().items() if app.partition(".")[0] in CODE}


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_command_begins_with_its_deed(name: str) -> None:
    assert list(load_command_class(OURS[name], name).requires_system_checks) == []
