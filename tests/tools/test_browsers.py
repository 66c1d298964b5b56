"""Which Chromium the tests drive: the named one, else the one without windows, else the whole one."""

import shutil

import pytest

from tools import browsers


@pytest.mark.parametrize(
    ("named", "there", "found"),
    [
        ("", {"chromium-headless-shell", "chromium"}, "/usr/bin/chromium-headless-shell"),
        ("", {"chromium"}, "/usr/bin/chromium"),
        ("", set(), None),
        ("chrome", {"chromium-headless-shell", "chrome"}, "/usr/bin/chrome"),
        ("/opt/mine", {"chromium-headless-shell"}, "/opt/mine"),
    ],
)
def test_the_named_browser_comes_first_then_the_lighter_one(
    named: str, there: set[str], found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHROMIUM", named)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name in there else None)

    assert browsers.chromium() == found
