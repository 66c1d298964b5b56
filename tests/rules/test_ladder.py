"""Every file of an app has a name from the ladder, so that there is nowhere to put a utils.py."""

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
