"""What dies is started again, later each time; what was started ends with the supervisor, and only that."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import supervise

ROOT = Path(__file__).resolve().parent.parent.parent


def _kept(name: str, code: str, folder: Path) -> supervise.Kept:
    script = folder / f"{name}.py"
    script.write_text(code, encoding="utf-8")
    return supervise.Kept(name, f"{sys.executable} {script}", dict(os.environ), folder)


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_procfile_without_its_release(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("# a remark: none\nrelease: migrate\nweb: serve --port $PORT\n", encoding="utf-8")
    assert supervise.read_procfile(file) == {"web": "serve --port $PORT"}


def test_our_procfile_names_the_three() -> None:
    assert set(supervise.read_procfile(ROOT / "Procfile")) == {"web", "worker", "beat"}


def test_each_death_in_a_row_waits_longer() -> None:
    waits = [supervise.wait_before(failures) for failures in range(1, 10)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_long_life_is_forgiven(tmp_path: Path) -> None:
    one = _kept("one", "", tmp_path)
    one.started = 0.0
    assert [one.note_death(1.0), one.note_death(2.0)] == [0.5, 1]
    assert one.note_death(60.0) == 0.5


def test_what_dies_is_started_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one = _kept("dies", "import os; print('born', os.getpid(), flush=True)", tmp_path)
    limit = time.monotonic() + 20
    lines: list[str] = []

    def look() -> None:
        lines.extend(line for line in capfd.readouterr().out.splitlines() if "born" in line)
        if len(lines) >= 2 or time.monotonic() > limit:
            supervisor.stop()

    supervisor = supervise.Supervisor([one], on_tick=look)
    supervisor.run()
    assert len(lines) >= 2
    assert len(set(lines)) == len(lines)


def test_it_ends_what_it_started_and_only_that(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    # A process that ignores being asked, with a child: neither may stay.
    code = (
        "import os, signal, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('numbers', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
        "time.sleep(60)\n"
    )
    one = _kept("parent", code, tmp_path)
    limit = time.monotonic() + 20

    def look() -> None:
        if (tmp_path / "numbers").exists() or time.monotonic() > limit:
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)

    try:
        supervise.Supervisor([one], on_tick=look).run()
        parent, child = map(int, (tmp_path / "numbers").read_text(encoding="ascii").split())
        assert not _is_alive(parent)
        wait = time.monotonic() + 5
        while _is_alive(child) and time.monotonic() < wait:
            time.sleep(0.05)
        assert not _is_alive(child)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_what_is_begun_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, time\n"
        "def drain(*_):\n"
        "    time.sleep(1)\n"
        "    open('drained', 'w').close()\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, drain)\n"
        "open('born', 'w').close()\n"
        "time.sleep(60)\n"
    )
    one = _kept("drains", code, tmp_path)
    limit = time.monotonic() + 20

    def look() -> None:
        if (tmp_path / "born").exists() or time.monotonic() > limit:
            os.kill(os.getpid(), signal.SIGTERM)

    supervise.Supervisor([one], on_tick=look).run()
    assert (tmp_path / "drained").exists()


@pytest.mark.thorough
def test_a_supervisor_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tools import supervise\n"
        'child = \'import os, time; open("number", "w").write(str(os.getpid())); time.sleep(60)\'\n'
        "Path('child.py').write_text(child)\n"
        "one = supervise.Kept('one', f'{sys.executable} child.py', dict(os.environ), Path.cwd())\n"
        "supervise.Supervisor([one]).run()\n"
    )
    outer = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    note, limit = tmp_path / "number", time.monotonic() + 20
    while not (note.exists() and note.read_text(encoding="ascii")) and time.monotonic() < limit:
        time.sleep(0.05)
    number = int(note.read_text(encoding="ascii"))
    outer.kill()
    outer.wait()
    while _is_alive(number) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not _is_alive(number)
