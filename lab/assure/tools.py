"""Programs of others that attack: installed by their ordinary clients into folders of their own, at fixed versions."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from lab.assure.rows import STATE
from tools import debian

# What each attack is made with. Nothing of it comes into the product's own environment.
PACKAGES: dict[str, str] = {
    "wapiti": "wapiti3==3.3.2",
    "sqlmap": "sqlmap==1.10.10",
    "schemathesis": "schemathesis==4.32.5",
    "atheris": "atheris==3.1.0",
    "bandit": "bandit==1.9.4",
    "semgrep": "semgrep==1.185.0",
    "detect-secrets": "detect-secrets==1.5.0",
    "cyclonedx-py": "cyclonedx-bom==7.5.0",
    "sslyze": "sslyze==6.3.1",
}
LIGHTHOUSE = "lighthouse@12.8.2"
OBSERVATORY = "@mdn/mdn-http-observatory@1.4.8"


class NotHereError(RuntimeError):
    """A program cannot be installed here; the text says what to do."""


def program(name: str) -> Path:
    """
    The program, in a folder of its own that is made when it is first asked for.

    :raises NotHereError: the registry does not give it.
    """
    folder = STATE / "tools" / name
    found = folder / "bin" / ("python" if name == "atheris" else name)
    mark = folder / "installed"
    if mark.is_file() and mark.read_text(encoding="utf-8") == PACKAGES[name]:
        return found
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True, symlinks=True)
    done = subprocess.run(
        [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", PACKAGES[name]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise NotHereError(f"pip could not install {PACKAGES[name]}: {done.stderr.strip()[-160:]}")
    mark.write_text(PACKAGES[name], encoding="utf-8")
    return found


def _of_npm(name: str, package: str) -> Path:
    """
    The folder of a package of npm, installed when it is first asked for, without running anything of it.

    :raises NotHereError: there is no Node.js, or the registry does not give it.
    """
    if not shutil.which("npm"):
        raise NotHereError("Node.js is not here. On Debian: apt-get install nodejs npm.")
    folder = STATE / "tools" / name
    found = folder / "node_modules" / package.rpartition("@")[0]
    if not found.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}", encoding="utf-8")
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error", package],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NotHereError(f"npm could not install {package}: {done.stderr.strip()[-160:]}")
    return found


def lighthouse() -> Path:
    """
    The folder of Lighthouse.

    :raises NotHereError: there is no Node.js, or the registry does not give it.
    """
    return _of_npm("lighthouse", LIGHTHOUSE)


def observatory() -> Path:
    """
    The folder of Mozilla's HTTP Observatory, with empty lists in the place of those that it fetches when installed.

    :raises NotHereError: there is no Node.js, or the registry does not give it.
    """
    folder = _of_npm("observatory", OBSERVATORY)
    for name, empty in (("hsts-preload.json", "{}"), ("tld-list.json", "[]")):
        (folder / "conf" / name).write_text(empty, encoding="utf-8")
    return folder


# The packages that bring a program of Debian's.
DEBIAN: dict[str, str] = {
    "chromium": "chromium",
    "gitleaks": "gitleaks",
    "nginx": "nginx-light",
    "pgbouncer": "pgbouncer",
    "testssl": "testssl.sh",
}


def of_debian(name: str) -> str:
    """
    The program, installed where that is allowed.

    :raises NotHereError: it is not there, and may not be installed or cannot be.
    """
    debian.installed(name, DEBIAN[name])
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not found:
        raise NotHereError(f"There is no {name}. On Debian: apt-get install {DEBIAN[name]}.")
    return found


def chromium() -> str:
    """
    Debian's browser, or the one that CHROMIUM names.

    :raises NotHereError: there is none.
    """
    return os.environ.get("CHROMIUM") or of_debian("chromium")


def run(
    command: list[str], *, seconds: float, cwd: Path | None = None, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program for so many seconds at most; what it had said until then stands in its answer."""
    try:
        return subprocess.run(
            command, cwd=cwd or STATE, env=os.environ | (environ or {}), capture_output=True, text=True, check=False,
            timeout=max(seconds, 5), stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        said = [_as_text(error.stdout), _as_text(error.stderr)]
        return subprocess.CompletedProcess(command, 124, said[0], said[1])


def _as_text(said: Any) -> str:
    """What a program had said: bytes where it was cut off."""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said or "")


def site_packages() -> str:
    """Where the product's own packages are, for a program that reads them beside its own."""
    return os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
