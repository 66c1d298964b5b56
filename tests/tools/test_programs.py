"""Every program of `tools` and `lab` says what it does, and refuses an argument that it does not know."""

import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_ASK: Final = """
import os, runpy, sys, traceback
os.environ.pop("ARGS", None)
for module in sys.argv[1:]:
    for given in ("--help", "--no-such-argument"):
        if not (pid := os.fork()):
            out = os.open(os.devnull, os.O_WRONLY)
            for stream in (1, 2):
                os.dup2(out, stream)
            sys.argv = [module, given]
            try:
                runpy.run_module(module, run_name="__main__", alter_sys=True)
            except SystemExit as ended:
                os._exit(ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1)
            except BaseException:
                os._exit(70)
            os._exit(71)
        print(module, given, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
# Its packages are in an environment of its own.
_ELSEWHERE: Final = {"lab.bench.ask_referees"}


def _programs() -> list[str]:
    files = [file for folder in ("tools", "lab") for file in sorted((ROOT / folder).rglob("*.py"))]
    named = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
        for file in files
        if 'if __name__ == "__main__":' in file.read_text(encoding="utf-8")
    ]
    return [name for name in named if name not in _ELSEWHERE]


def test_every_program_answers_help_and_refuses_unknown_arguments() -> None:
    programs = _programs()
    assert len(programs) > 40
    done = subprocess.run(
        [sys.executable, "-c", _ASK, *programs],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    said = [line.split() for line in done.stdout.splitlines()]
    assert len(said) == 2 * len(programs)
    wrong = [line for line in said if line[2] != {"--help": "0", "--no-such-argument": "2"}[line[1]]]
    assert wrong == []
