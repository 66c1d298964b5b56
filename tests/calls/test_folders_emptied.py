"""Of a client that leaves nothing stays in its folders, however deep; nobody else's goes, no link is followed."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callprivacy.calls.channels import folders
from callprivacy.calls.models import Connection
from callprivacy.calls.services import leaving
from callprivacy.calls.services.leaving import Folder
from tests.calls.bucket_side import Bucket
from tests.calls.test_drops import GOOD, drop, dropped_into, opened
from tests.calls.test_drops_bucket import bucket_of
from tests.calls.test_drops_bucket import drop as put
from tests.cast import Cast, assemble
from tests.make import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return assemble()


@pytest.fixture
def root(settings: Any, tmp_path: Path) -> Path:
    return dropped_into(settings, tmp_path / "drop")


def emptied(cast: Cast, way: Connection) -> int | None:
    until = NOON + timedelta(minutes=1)
    found = leaving.empty_folders(client=cast.dentist, until=until, clock=lambda: NOON)
    assert found == [Folder(f"acme/dentist/{way.pk.hex[:8]}", found[0].left)]
    return found[0].left


def test_what_lies_below_goes_as_well_and_what_a_link_leads_to_stays(cast: Cast, root: Path) -> None:
    way = opened(cast)
    lies = [drop(root, way, name, GOOD) for name in ("a.csv", "done/b.csv", "tmp/2026/11/.part")]
    theirs = root / "acme" / "plumber" / "calls.csv"
    theirs.parent.mkdir(parents=True)
    theirs.write_text(GOOD)
    links = [lies[0].parent / "theirs", lies[1].parent / "calls.csv"]
    links[0].symlink_to(theirs.parent)
    links[1].symlink_to(theirs)
    assert emptied(cast, way) == 0
    assert not [path for path in lies + links if path.is_symlink() or path.exists()]
    assert theirs.read_text() == GOOD


@pytest.mark.parametrize("level", [1, 2])
def test_a_link_in_the_place_of_the_folder_or_of_the_clients_is_not_gone_into(
    cast: Cast, root: Path, level: int
) -> None:
    way = opened(cast)
    theirs = root / "acme" / "plumber" / "0a1b2c3d" / "calls.csv"
    theirs.parent.mkdir(parents=True)
    theirs.write_text(GOOD)
    place = Path(root, *f"acme/dentist/{way.pk.hex[:8]}".split("/")[: level + 1])
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(theirs.parents[2 - level])
    if level == 1:
        (theirs.parents[1] / way.pk.hex[:8]).mkdir()
        (theirs.parents[1] / way.pk.hex[:8] / "calls.csv").write_text(GOOD)
    assert emptied(cast, way) is None
    assert sum(path.is_file() for path in (root / "acme" / "plumber").rglob("*")) == 3 - level


def test_what_stays_below_is_counted(cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = opened(cast)
    drop(root, way, "a.csv", GOOD)
    stays = drop(root, way, "done/b.csv", GOOD)
    really = folders.erase

    def erase(one: folders.Lying) -> None:
        if one.name == "done/b.csv":
            raise folders.FolderError("It is busy.")
        really(one)

    monkeypatch.setattr(folders, "erase", erase)
    assert emptied(cast, way) == 2, "the file, and the folder that it lies in"
    assert stays.exists()


def test_of_a_folder_below_that_cannot_be_read_nobody_says_that_it_is_empty(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = opened(cast)
    lies = drop(root, way, "a.csv", GOOD)
    drop(root, way, "done/b.csv", GOOD)
    really = os.open

    def refuses(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == "done":
            raise PermissionError(13, "no")
        return really(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuses)
    assert emptied(cast, way) is None
    assert not lies.exists(), "it keeps no other"


def test_where_nobody_has_dropped_anything_nothing_is_left(cast: Cast, root: Path) -> None:
    way = opened(cast)
    assert emptied(cast, way) is None, "the operator's own folder is away"
    root.mkdir()
    assert emptied(cast, way) == 0


@pytest.fixture
def bucket(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    yield from bucket_of(settings, monkeypatch)


def test_in_a_bucket_too_what_lies_deeper_goes(cast: Cast, bucket: Bucket) -> None:
    way = opened(cast)
    for name in ("a.csv", "done/b.csv", "done//odd .csv", ""):
        put(bucket, way, name, GOOD)
    theirs = bucket.put(f"in/acme/dentist/{way.pk.hex[:8]}0/c.csv", GOOD, NOON)
    assert emptied(cast, way) == 0
    assert set(bucket.objects) == {theirs}
    put(bucket, way, "done/d.csv", GOOD)
    bucket.fails = {("DELETE", True): "AccessDenied"}
    assert emptied(cast, way) == 1
