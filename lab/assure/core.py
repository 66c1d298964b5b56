"""
Row 30: whether the tests of the core take every branch of it, and notice when a line of it is changed.

Changes are made by our own hand, one at a time and by chance, in the syntax tree: a comparison turned round or moved by
one, "and" for "or", a sign, a number, a condition, an answer that is left out. The suite's own servers are kept, and a
changed module is read in the place of ours (lab.assure.planting), which a tool that copies the tree cannot do here.
"""

import ast
import contextlib
import copy
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.assure.rows import ROOT, STATE, Figure

# What is the core, and the tests that are its own, the quickest first: they are asked in this order, until one fails.
CORE: dict[str, tuple[str, ...]] = {
    "callprivacy/vault/sealing.py": ("vault/test_sealing.py", "vault/test_many_swaps.py"),
    "callprivacy/vault/files.py": (
        "vault/test_files_kept.py",
        "vault/test_files.py",
        "vault/test_recording_files.py",
    ),
    "callprivacy/audit/merkle.py": ("audit/test_frontier.py", "audit/test_merkle.py"),
    "callprivacy/audit/leaves.py": (
        "audit/test_sealing.py",
        "audit/test_leaving.py",
        "audit/test_tampering.py",
    ),
    "callprivacy/audit/services/verifying.py": (
        "dashboard/test_trail.py::test_the_button_verifies_and_the_page_says_what_vouches",
        "audit/test_sealing.py",
        "audit/test_leaving.py",
        "audit/test_tampering.py",
    ),
    "callprivacy/lib/scope.py": ("lib/test_scope.py", "tenancy/test_scope.py"),
    "callprivacy/tenancy/scope.py": (
        "tenancy/test_scope_left.py",
        "tenancy/test_each_agency.py",
        "tenancy/test_kept_plans.py",
        "tenancy/test_scope.py",
    ),
    "callprivacy/lib/calendars.py": ("lib/test_calendars.py", "rights/test_deadlines.py"),
    "rights/deadlines/engine.py": ("rights/test_deadlines.py", "rights/test_deadline_properties.py"),
    "consent/decide": (
        "consent/test_decide.py",
        "consent/test_decide_edges.py",
        "consent/test_decide_lines.py",
        "consent/test_decide_properties.py",
    ),
}
# Besides these tests, which take branches that those of the module leave to them.
BESIDE = ("audit", "vault", "tenancy", "rights/test_deadlines_command.py")
NOTICED_AT_LEAST = 0.90
# The order of changes is drawn with this; a sample of fewer says nothing of so many.
SEED, SAMPLE_AT_LEAST = 30, 30
# What one change's tests may take. One that takes longer is counted neither way: a busy machine is no test.
_A_CHANGE = 90.0
# Starts a process, which reads our module as it is: it would notice nothing, and takes longest.
_READS_THE_DISK = "tests/consent/test_decide_lines.py::test_it_runs_without_a_database"
# How pytest ends where tests were asked: all passed, some failed, or a module could not be read.
_PASSED, _FAILED, _UNREAD = 0, 1, 2


def coverage(seconds: float) -> Figure:
    """Whether the core's own tests take every branch of it, which those of one module alone do not."""
    until = time.monotonic() + seconds
    fewer = _measured(("lib/test_calendars.py",), seconds=seconds / 4)
    whole = _measured(_tests(), seconds=until - time.monotonic())
    if whole is None or fewer is None:
        return Figure(f"the tests did not end within {seconds:.0f} s", ended=False)
    taken, branches, lines, short = whole
    caught = (("tests of something else take every branch", fewer[0] < fewer[1]),)
    said = f"{taken:,} of {branches:,} branches of the core taken, {lines} statements not run"
    return Figure(said, tuple(short), 0, caught=caught)


def noticed(seconds: float) -> Figure:
    """How many of the changes that were drawn the tests notice, of as many as there is time for."""
    until = time.monotonic() + max(seconds - 60, 60)
    with _ground_stays():
        fail, unasked = unchanged()
        count, tried, missed, late, of = _changes(until)
        caught = (
            ("a test file that asserts nothing lets a change through", _noticed_by_nothing() is False),
            ("a test that fails though nothing is changed", _fails_unchanged()),
        )
    share = count / tried if tried else 0.0
    failures = [f"with nothing changed tests fail: {one}" for one in fail]
    if share < NOTICED_AT_LEAST:
        failures.append(f"{count} of {tried} changes noticed; not these: {', '.join(missed)}")
    passed = len(CORE) - len(fail) - len(unasked)
    text = (
        f"{count} of {tried} changes noticed ({share:.0%}): the first of {of:,} in an order drawn with seed {SEED}, as"
        f" many as there was time for; with nothing changed the tests of {passed} of {len(CORE)} parts pass"
    )
    if unasked:
        text += f", those of {', '.join(unasked)} could not be asked or took too long"
    if late:
        text += f"; {late} more were not counted, since their tests could not be asked or took too long"
    if missed:
        text += f"; not noticed: {', '.join(missed[:12])}"
    return Figure(text, tuple(failures), 0, caught=caught, ended=tried >= SAMPLE_AT_LEAST and not unasked)


# --- Coverage ---------------------------------------------------------------------------------------------------------


def _tests() -> list[str]:
    return sorted({test for own in CORE.values() for test in own} | set(BESIDE))


def _only_the_core() -> Path:
    """Settings under which nothing but the core is watched, for watching costs more than the tests do."""
    file = STATE / "coveragerc"
    parts = (name if name.endswith(".py") else f"{name}/*" for name in CORE)
    head = "[run]\nbranch = true\nparallel = true\npatch = subprocess\nrelative_files = true\ninclude =\n"
    file.write_text(head + "".join(f"    {part}\n" for part in parts), encoding="utf-8")
    return file


def _measured(tests: Sequence[str], *, seconds: float) -> tuple[int, int, int, list[str]] | None:
    """Branches taken, branches, statements not run, and what each file lacks; None if there was too little time."""
    STATE.mkdir(parents=True, exist_ok=True)
    report = STATE / "coverage.json"
    report.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "pytest", "-q", "-m", "", "-p", "no:cacheprovider", "-n", "2", "--cov", "--cov-branch",
        f"--cov-config={_only_the_core()}", f"--cov-report=json:{report}", *(f"tests/{test}" for test in tests),
    ]  # fmt: skip
    environ = os.environ | {"COVERAGE_FILE": str(STATE / ".coverage")}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=max(seconds, 60),
        )
    except subprocess.TimeoutExpired:
        return None
    if not report.exists():
        return 0, 0, 0, [f"no coverage: {done.stdout.strip()[-300:]}"]
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    lines, branches, taken, short = 0, 0, 0, []
    ours = {str(file.relative_to(ROOT)) for file, _ in _files()}
    short += [f"{name} was not looked at" for name in sorted(ours - files.keys())]
    for name, found in sorted(files.items()):
        if not any(name == part or name.startswith(part + "/") for part in CORE):
            continue
        summary = found["summary"]
        lines += summary["num_statements"] - summary["covered_lines"]
        branches += summary["num_branches"]
        taken += summary["covered_branches"]
        gaps = summary["num_branches"] - summary["covered_branches"] + summary["missing_lines"]
        if gaps:
            short.append(f"{name} lacks {gaps} (lines {_spans(found['missing_lines']) or 'none'})")
    if done.returncode:
        short.append(f"tests of the core fail: {done.stdout.strip()[-200:]}")
    return taken, branches, lines, short


def _spans(lines: Sequence[int]) -> str:
    return ", ".join(map(str, lines[:12])) + (" ..." if len(lines) > 12 else "")


# --- Changes ----------------------------------------------------------------------------------------------------------

_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_OTHER: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.RShift: ast.LShift, ast.LShift: ast.RShift,
}  # fmt: skip


def _turn(node: ast.Compare) -> bool:
    if type(node.ops[0]) not in _TURNED:
        return False
    node.ops[0] = _TURNED[type(node.ops[0])]()
    return True


def _swap(node: ast.BoolOp) -> bool:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return True


def _other(node: ast.BinOp) -> bool:
    if type(node.op) not in _OTHER or _is_text(node):
        return False
    node.op = _OTHER[type(node.op)]()
    return True


def _next(node: ast.Constant) -> bool:
    if type(node.value) not in {int, bool}:
        return False
    node.value = (not node.value) if isinstance(node.value, bool) else node.value + 1  # type: ignore[operator]  # a number, whatever else it may be
    return True


def _negate(node: ast.If | ast.While) -> bool:
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return True


def _leave_out(node: ast.Return) -> bool:
    if node.value is None or isinstance(node.value, ast.Constant):
        return False
    node.value = ast.Constant(None)
    return True


_CHANGES: dict[type[ast.AST], Callable[..., bool]] = {
    ast.Compare: _turn, ast.BoolOp: _swap, ast.BinOp: _other, ast.Constant: _next, ast.If: _negate,
    ast.While: _negate, ast.Return: _leave_out,
}  # fmt: skip


def _is_text(node: ast.BinOp) -> bool:
    return any(isinstance(side, ast.JoinedStr) or isinstance(getattr(side, "value", None), str)
               for side in (node.left, node.right))  # fmt: skip


def _in_functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes in bodies of functions, but for annotations, defaults, and how a thing prints itself."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name not in {"__repr__", "__str__", "__hash__"}:
            for statement in function.body:
                yield from ast.walk(statement)


def changes(source: str) -> list[tuple[int, str]]:
    """Every single change of a module: its line, and the whole source with it."""
    tree = ast.parse(source)
    order = {id(node): number for number, node in enumerate(ast.walk(tree))}
    found = []
    for node in dict.fromkeys(_in_functions(tree)):
        if (change := _CHANGES.get(type(node))) is None:
            continue
        twin = copy.deepcopy(tree)
        if change(list(ast.walk(twin))[order[id(node)]]):
            found.append((getattr(node, "lineno", 0), ast.unparse(ast.fix_missing_locations(twin))))
    return found


def _files() -> Iterator[tuple[Path, tuple[str, ...]]]:
    for name, tests in CORE.items():
        path = ROOT / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            yield file, tests


def unchanged(parts: Mapping[str, tuple[str, ...]] = CORE) -> tuple[list[str], list[str]]:
    """
    Ask each part's tests once with nothing changed; whose fail, and whose could not be asked or took too long.

    Tests that fail by themselves would notice whatever is changed. It is read as a changed module is, without comments.
    """

    def ask(part: tuple[str, tuple[str, ...]]) -> bool | None:
        name, tests = part
        path = ROOT / name
        file = min(path.rglob("*.py")) if path.is_dir() else path
        return _is_noticed(file, ast.unparse(ast.parse(file.read_text(encoding="utf-8"))), tests)

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(parts, pool.map(ask, parts.items()), strict=True))
    return [name for name, was in found.items() if was], [name for name, was in found.items() if was is None]


def _changes(until: float) -> tuple[int, int, list[str], int, int]:
    """How many of how many changes were noticed, which were not, how many were not counted, and how many there are."""
    chance = random.Random(SEED)
    every = [
        (file, tests, line, source)
        for file, tests in _files()
        for line, source in changes(file.read_text(encoding="utf-8"))
    ]
    chance.shuffle(every)
    count, tried, late, missed = 0, 0, 0, []

    def look(one: tuple[Path, tuple[str, ...], int, str]) -> tuple[bool, bool | None, str]:
        file, tests, line, source = one
        where, left = f"{file.relative_to(ROOT)}:{line}", until - time.monotonic()
        # One that is begun has its whole time, so that quick ones are not favoured at the end.
        if left < _A_CHANGE / 2:
            return False, None, where
        return True, _is_noticed(file, source, tests), where

    with ThreadPoolExecutor(2) as pool:
        for began, was, where in pool.map(look, every):
            late += began and was is None
            tried += was is not None
            count += was is True
            if was is False:
                missed.append(where)
    return count, tried, missed, late, len(every)


@contextlib.contextmanager
def _ground_stays() -> Iterator[None]:
    """Let a process keep the suite's servers and template databases, which else each run would make for itself."""
    command = [sys.executable, "-c", "from lab.assure.core import stay; stay()"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            if not process.stdout.readline():  # type: ignore[union-attr]  # a pipe
                raise SystemExit("The servers of the tests did not start.")
            yield
        finally:
            process.communicate()


def stay() -> None:
    """Start or join the servers, make the templates, and stay until nobody writes to us any more."""
    from tests import ground

    ground.prepare_environment(os.environ)
    ground.join()
    try:
        databases = ground.Databases(ground.servers.admin_url)
        databases.prepare()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        databases.admin.close()
    finally:
        ground.leave()


def _is_noticed(file: Path, source: str, tests: Sequence[str]) -> bool | None:
    """Whether tests fail with the change in; None where they could not be asked, or did not end."""
    STATE.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".py", dir=STATE, encoding="utf-8") as changed:
        changed.write(source)
        changed.flush()
        plant = {"file": str(file.relative_to(ROOT)), "source": changed.name}
        environ = os.environ | {"ASSURE_PLANT": json.dumps(plant), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [
            sys.executable, "-m", "pytest", "-q", "-x", "-m", "", "-n", "0", "-p", "no:cacheprovider",
            "-p", "no:randomly", "-p", "lab.assure.planting", f"--deselect={_READS_THE_DISK}",
            *(f"tests/{test}" for test in tests),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environ, capture_output=True, check=False, timeout=_A_CHANGE
            )
        except subprocess.TimeoutExpired:
            return None
    return {_PASSED: False, _FAILED: True, _UNREAD: True}.get(done.returncode)


def _noticed_by_nothing() -> bool | None:
    """The measure itself: tests that look at nothing of a module notice no change of it."""
    file = ROOT / "callprivacy" / "audit" / "merkle.py"
    _, source = changes(file.read_text(encoding="utf-8"))[0]
    return _is_noticed(file, source, ("lib/test_calendars.py",))


def _fails_unchanged() -> bool:
    """The control itself: a test that fails whatever is there is told though nothing is changed."""
    with tempfile.NamedTemporaryFile("w", prefix="test_", suffix=".py", dir=STATE, encoding="utf-8") as file:
        file.write("def test_that_always_fails() -> None:\n    assert not __name__\n")
        file.flush()
        name = "callprivacy/lib/calendars.py"
        return unchanged({name: (os.path.relpath(file.name, ROOT / "tests"),)}) == ([name], [])
