"""Row 21: pages looked at by Lighthouse, in both themes (lighthouse.mjs)."""

import json
import random
import re
import time
import urllib.error
import urllib.request
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

from lab.assure import target, tools
from lab.assure.rows import ROOT, STATE, Figure
from lab.assure.weak import weak

AT_LEAST = 0.95
MAIN = (
    "/accounts/login/", "/overview/", "/calls/", "/work/", "/clients/dentist/", "/requests/", "/reports/",
    "/retention/",
)  # fmt: skip
THEMES = ("light", "dark")


def _linked(at: target.Target, cookie: str) -> list[str]:
    """One address of each page that links lead to, as somebody sees them who is signed in."""
    from tests.browser.test_axe import NOT_FOLLOWED, shape

    opener, waiting, found = target.opener(), ["/overview/"], dict[str, str]()
    while waiting:
        path = waiting.pop(0)
        if shape(path) in found:
            continue
        request = urllib.request.Request(at.url + path, headers={"Cookie": cookie})  # noqa: S310  (the site that is tried)
        try:
            with opener.open(request, timeout=60) as answer:
                text = answer.read().decode() if "html" in answer.headers["Content-Type"] else ""
        except urllib.error.HTTPError:
            text = ""
        if text:
            found[shape(path)] = path
        for link in re.findall(r'<a [^>]*href="([^"]+)"', text):
            to = urlsplit(urljoin(at.url + path, unescape(link)))
            if f"{to.scheme}://{to.netloc}" == at.url and not NOT_FOLLOWED.search(to.path):
                waiting.append(to.path)
    return sorted(found.values())


def _looks(pages: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """What Lighthouse says of each page in each of its themes, for as long as there is time."""
    work = STATE / "lighthouse.json"
    work.write_text(
        json.dumps({"browser": tools.chromium(), "seconds": seconds, "pages": pages}), encoding="utf-8"
    )
    command = ["node", str(ROOT / "lab" / "assure" / "lighthouse.mjs"), str(tools.lighthouse()), str(work)]
    done = tools.run(command, seconds=seconds + 120)
    if done.returncode not in {0, 124}:
        raise tools.NotHereError(f"Lighthouse: {done.stderr.strip()[-300:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def lighthouse(seconds: float) -> Figure:
    """The main pages in both themes, then as many others as there is time for, in any order; and the weak one."""
    tools.chromium(), tools.lighthouse()
    at = target.target()
    until, alice = time.monotonic() + seconds * 0.9, at.cookies["alice"]
    with weak() as url:
        bad = _looks([{"name": "weak", "url": f"{url}/?q=a", "themes": ["light"]}], 120)
    others = [path for path in _linked(at, alice) if path not in MAIN]
    random.shuffle(others)
    pages = [
        {"name": path, "url": at.url + path, "cookie": "" if "login" in path else alice, "themes": THEMES}
        for path in (*MAIN, *others)
    ]
    looks, low, lowest = _looks(pages, max(until - time.monotonic(), 30)), list[str](), dict[str, float]()
    for look in looks:
        said = f"{look['name']}, {look['theme']}"
        low += [f"{said}: {look['wrong']}"] if look["wrong"] else []
        for kind, score in look["scores"].items():
            lowest[kind] = min(lowest.get(kind, 1.0), score)
            if score < AT_LEAST:
                low.append(f"{said}: {kind} {score * 100:.0f}, {', '.join(look['low'])}")
    found = any(look["scores"].get("accessibility", 1.0) < AT_LEAST for look in bad)
    caught = (("a page without a title, a language or labels", found),)
    worst = ", ".join(f"{kind} {score * 100:.0f}" for kind, score in lowest.items())
    done = len({look["name"] for look in looks})
    text = f"{done} of {len(pages)} pages, light and dark, the main ones among them; lowest: {worst}"
    return Figure(text, tuple(low), caught=caught, ended=len(looks) >= len(MAIN) * len(THEMES))
