"""
Row 21: every kind of page, graded by Mozilla's HTTP Observatory as if it came from a public address.

The Observatory's own scanner only asks ports 80 and 443 of a name in the net, so the answers are recorded here, from
the product with the settings of a public address, and given to its tests and its grader (observatory.mjs).
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from lab.assure import kills, tools
from lab.assure.rows import ROOT, STATE, Figure
from tools import arguments

HOST = "calls.example.com"
AT_LEAST = 115
PEOPLE = ("anonymous", "alice", "mallory")


def observatory(seconds: float) -> Figure:
    """The grade of every page; and of one without its policy, which must be worse."""
    package = tools.observatory()
    figure = kills.own_process("answers", seconds=seconds, module="lab.assure.observatory")
    if figure.failures:
        return figure
    pages = json.loads((STATE / "pages.json").read_text(encoding="utf-8"))
    weak = _weakened(pages[0])
    file = STATE / "pages-and-weak.json"
    file.write_text(json.dumps([*pages, *weak]), encoding="utf-8")
    done = tools.run(
        ["node", str(ROOT / "lab" / "assure" / "observatory.mjs"), str(package), str(file)], seconds=400
    )
    if done.returncode:
        return Figure("", (f"the Observatory: {done.stderr.strip()[-300:]}",))
    grades = json.loads(done.stdout)
    ours, theirs = grades[: len(pages)], grades[len(pages) :]
    low = [
        f"{one['name']}: {one['grade']} {one['score']}, {', '.join(one['failed'])}"
        for one in ours
        if one["grade"] != "A+" or one["score"] < AT_LEAST
    ]
    counts: dict[str, int] = {}
    for one in ours:
        counts[f"{one['grade']} {one['score']}"] = counts.get(f"{one['grade']} {one['score']}", 0) + 1
    said = ", ".join(f"{count} pages {grade}" for grade, count in sorted(counts.items()))
    caught = tuple((one["name"], one["grade"] != "A+") for one in theirs)
    return Figure(f"{said}; {ours[0]['of']} tests each", tuple(low), caught=caught)


def _weakened(page: dict[str, Any]) -> list[dict[str, Any]]:
    """The same page without its policy, with one that lets scripts in the page run, and without strict transport."""

    def without(name: str, instead: str = "") -> list[list[str]]:
        kept = [one for one in page["headers"] if one[0] != name]
        return [*kept, [name, instead]] if instead else kept

    policy = "content-security-policy"
    return [
        page | {"name": "a page without a policy", "headers": without(policy)},
        page | {"name": "a policy that lets scripts in the page run",
                "headers": without(policy, "default-src 'self'; script-src 'self' 'unsafe-inline'")},
        page | {"name": "no strict transport", "headers": without("strict-transport-security")},
        page | {"name": "a cookie of the session for scripts", "cookies": ["session=abc; Path=/"]},
    ]  # fmt: skip


# --- In a process of its own ------------------------------------------------------------------------------------------


def _answers() -> dict[str, Any]:
    """Every page of every address, as who is signed in and who is not sees it."""
    from lab.bench import servers
    from tools import run

    plain = run._settings

    def public(*arguments: Any, **named: Any) -> dict[str, str]:
        return plain(*arguments, **named) | {
            "CALLPRIVACY_URL": f"https://{HOST}", "MAIL_URL": "smtp://mail.example.com",
        }  # fmt: skip

    run._settings = public
    with servers.started(STATE / "observatory"):
        servers.collect_static()
        from tests.rules import test_urls
        from tests.rules import world as worlds

        made = worlds.build()
        pages: list[dict[str, Any]] = []
        for person in PEOPLE:
            browser = made.browsers[person]
            things = made.florist if person == "mallory" else made.dentist
            for address in test_urls.OURS:
                if "logout" in address.route or (person == "mallory" and len(pages) % 3):
                    continue
                (path,) = address.paths(things)[:1]
                with worlds.undone():
                    if page := _page(browser, path, f"{address.route or 'home'} as {person}"):
                        pages.append(page)
    (STATE / "pages.json").write_text(json.dumps(pages), encoding="utf-8")
    return {"said": f"{len(pages)} pages", "failures": [], "trials": 0, "caught": []}


def _page(browser: Any, path: str, name: str) -> dict[str, Any] | None:
    """One answer over https, what comes over http, and what another origin is told; None if it is no page."""
    asked = {"headers": {"host": HOST}}
    answer = browser.get(path, secure=True, **asked)
    kind = answer.headers.get("Content-Type", "")
    if answer.streaming or not kind.startswith("text/html") or 300 <= answer.status_code < 400:
        return None
    plain = browser.get(path, secure=False, **asked)
    url = f"https://{HOST}{path}"
    redirects = [{"url": f"http://{HOST}{path}", "status": plain.status_code}]
    if plain.headers.get("Location"):
        redirects.append({"url": plain.headers["Location"], "status": answer.status_code})
    other = browser.options(
        path, secure=True,
        headers={"host": HOST, "origin": "https://elsewhere.example", "access-control-request-method": "GET"},
    )  # fmt: skip
    return {
        "name": name, "url": url, "status": answer.status_code, "headers": _headers(answer),
        "cookies": [cookie.OutputString() for cookie in answer.cookies.values()],
        "body": answer.content.decode(), "redirects": redirects,
        "cors": {"status": other.status_code, "headers": _headers(other)},
    }  # fmt: skip


def _headers(answer: Any) -> list[list[str]]:
    return [[name.lower(), value] for name, value in answer.headers.items() if name.lower() != "set-cookie"]


def main() -> int:
    """Record the answers."""
    report = arguments.parse(__doc__, "name", "report", "seconds").report
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ.pop("CALLPRIVACY_URL", None)
    found = _answers()
    Path(report).write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
