"""What sealed files that lie there already rest on, and a file that is given up."""

import uuid
from pathlib import Path

import pytest
from django.test import override_settings

from callprivacy.vault import files
from tests import make
from tests.make import NOON


@pytest.mark.parametrize(
    ("number", "is_last", "nonce"),
    [(0, False, "00" * 12), (0, True, "00" * 11 + "01"), (258, False, "00" * 9 + "0102" + "00")],
)
def test_a_pieces_nonce_is_its_number_in_eleven_bytes_and_whether_it_is_the_last(
    number: int, is_last: bool, nonce: str
) -> None:
    assert files._nonce(number, is_last=is_last).hex() == nonce


@pytest.mark.django_db
def test_one_that_is_given_up_leaves_nothing_even_where_somebody_cleared_it_away(tmp_path: Path) -> None:
    client = make.client(make.agency("Acme"), "Plumber")
    with override_settings(MEDIA_ROOT=tmp_path):
        writer = files.Writer(client.pk, uuid.uuid4(), at=NOON)
        (part,) = tmp_path.rglob("*.part")
        part.unlink()
        writer.discard()
    assert writer.closed
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
