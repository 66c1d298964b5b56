"""Every file of an app has a name from the ladder, so that there is nowhere to put a utils.py."""

import re
import tomllib
from pathlib import Path

import pytest
from django.apps import apps

ROOT = Path(__file__).resolve().parent.parent.parent
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
}
OURS = sorted(
    config.name
    for config in apps.get_app_configs()
    if Path(config.path).is_relative_to(ROOT) and ".venv" not in Path(config.path).parts
)


def _names(layer: str) -> set[str]:
    return {word.strip("() ") for word in layer.replace("|", ":").split(":")}


def _strangers(folder: Path) -> set[str]:
    allowed = set().union(*map(_names, CONTRACTS["ladder"]["layers"])) | {"migrations", "__init__"}
    found = {entry.stem for entry in folder.glob("*.py")} | {
        entry.name for entry in folder.iterdir() if entry.is_dir() and any(entry.rglob("*.py"))
    }
    return found - allowed


@pytest.mark.parametrize("app", OURS)
def test_every_file_of_an_app_is_on_the_ladder(app: str) -> None:
    assert _strangers(Path(apps.get_app_config(app.rpartition(".")[2]).path)) == set()


def test_a_file_that_is_not_on_it_is_found(tmp_path: Path) -> None:
    (tmp_path / "utils.py").touch()
    (tmp_path / "models.py").touch()
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "text.py").touch()
    assert _strangers(tmp_path) == {"utils", "helpers"}


def test_both_ladders_know_every_app() -> None:
    assert sorted(CONTRACTS["ladder"]["containers"]) == OURS
    beside = {room for layer in CONTRACTS["rooms"]["layers"] for room in layer.split(" | ")}
    assert set(OURS) <= beside


def test_imports_are_checked_for_every_app() -> None:
    for name in ("root", "cryptography", "guardian"):
        sources = set(CONTRACTS[name]["source_modules"])
        missing = set(OURS) - sources - {"callprivacy.vault", "callprivacy.accounts"}
        assert missing == set(), name


def _told(block: str) -> list[set[str]]:
    """The steps of a ladder as the page draws it, from above."""
    return [{word.strip() for word in step.split(",")} for step in " ".join(block.split()).split(">")]


def test_contributing_draws_the_ladders_that_are_checked() -> None:
    page = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Layers")[2].partition("## ")[0]
    )
    drawn = [
        " ".join(line.strip() for line in block.splitlines())
        for block in page.split("\n\n")
        if block.startswith("    ")
    ]
    rooms, ladder = map(_told, drawn)

    assert ladder == [_names(layer) for layer in CONTRACTS["ladder"]["layers"]]
    assert rooms == [
        {name.removeprefix("callprivacy.") for name in _names(layer)}
        for layer in CONTRACTS["rooms"]["layers"]
    ]


def test_the_map_names_every_room_and_files_that_are_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = set().union(*map(_names, CONTRACTS["rooms"]["layers"]))
    named = set(re.findall(r"`([a-z_/]+/)`", page.partition("## Two databases")[0]))
    assert {f"{room.replace('.', '/')}/" for room in rooms} <= named

    paths = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)+\.py)`", page))
    missing = {
        path for path in paths if not any((base / path).exists() for base in (ROOT, ROOT / "callprivacy"))
    }
    assert paths
    assert not missing
