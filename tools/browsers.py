"""Which Chromium the tests drive."""

import os
import shutil
from typing import Final

SHELL: Final = "chromium-headless-shell"
"""Debian's Chromium built without windows: the same pages, for less of the processor's time."""


def chromium() -> str | None:
    """Find what CHROMIUM names, else Debian's without windows, else Debian's."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named) or named
    return shutil.which(SHELL) or shutil.which("chromium")
