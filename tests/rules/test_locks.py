"""
Who adds anything to a client or an agency holds its row, so that it does not go meanwhile. A deed that is to wait for
all of them ends in an error wherever one of them takes long.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.rules import source

_HELD = {"Client.objects", "Agency.objects"}
# What lets a client go waits until nobody adds to it any more.
_WAIT_FOR_ALL = {
    ("retention/services/offboarding/asking.py", "begin_erasing"),
    ("retention/services/offboarding/removing.py", "_is_handed_over"),
}


def waiting_for_all(files: Iterable[Path], *, root: Path = source.ROOT) -> Iterator[tuple[str, str]]:
    """The functions that lock a client's or an agency's row against those who only add to it."""
    for file in files:
        for function in source.nodes(file):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if (
                        isinstance(node, ast.Call)
                        and isinstance(node.func, ast.Attribute)
                        and node.func.attr == "select_for_update"
                        and ast.unparse(node.func.value) in _HELD
                        and "no_key" not in {word.arg for word in node.keywords}
                    ):
                        yield str(file.relative_to(root)), function.name


def test_only_what_lets_a_client_go_waits_for_all_who_add_to_it() -> None:
    assert set(waiting_for_all(source.files())) == _WAIT_FOR_ALL


def test_one_that_waits_is_found(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text(
        "def one():\n    Client.objects.select_for_update(of=('self',)).get(pk=1)\n"
        "def two():\n    Agency.objects.select_for_update(no_key=True).get(pk=1)\n"
    )
    assert list(waiting_for_all([tmp_path / "planted.py"], root=tmp_path)) == [("planted.py", "one")]
