"""Files of each test's own: packages and proofs are sealed files, and other tests clear up where theirs lie."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path) -> Iterator[None]:
    """Let no test's files lie among another's."""
    with override_settings(MEDIA_ROOT=tmp_path / "media"):
        yield
