"""
`make attack`: scanners, fuzzers and a stop-watch against an installation that runs on this machine, each beside
something weak or faulty that it must find in the same run. Programs of others are installed into .state/assure/tools.
"""

import ast
import hashlib
import json
import re
import shutil
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from lab.assure import edge, lighthouse, observatory, suite, target, telling, tools
from lab.assure.rows import ROOT, STATE, Edit, Figure, Row
from lab.assure.weak import weak

# Folders whose code is the product's.
OURS = ("callprivacy", "consent", "analytics", "retention", "rights", "governance", "dashboard")


def _or_skipped(trial: Callable[[float], Figure]) -> Callable[[float], Figure]:
    """Say what is missing where a program cannot be had."""

    def tried(seconds: float) -> Figure:
        try:
            return trial(seconds)
        except tools.NotHereError as error:
            return Figure("", skipped=str(error))

    return tried


# --- Wapiti and sqlmap ------------------------------------------------------------------------------------------------

# Not ssrf, xxe, log4shell and spring4shell, which ask an address in the net for help;
# not nikto and wapp, which fetch lists.
MODULES = "xss,permanentxss,sql,timesql,file,exec,crlf,redirect,csrf,htaccess,methods,upload,backup"


def _wapiti(url: str, seconds: float, cookie: str = "", *, modules: str = MODULES) -> tuple[int, list[str]]:
    """How many addresses and forms it reached, and what it found; a module has a twelfth of the time."""
    report = STATE / "wapiti.json"
    report.unlink(missing_ok=True)
    command = [
        str(tools.program("wapiti")), "-u", url, "-m", modules, "--scope", "domain",
        "--max-scan-time", str(int(seconds)),
        "--max-links-per-page", "12", "--max-attack-time", str(max(int(seconds / 12), 3)), "--no-bugreport",
        "--flush-session", "-f", "json", "-o", str(report), "-v", "0",
        "--store-session", str(STATE / "wapiti"), "--exclude", f"{url.rstrip('/')}/accounts/logout/", "-d", "2",
    ]  # fmt: skip
    if cookie:
        command += ["-H", f"Cookie: {cookie}"]
    done = tools.run(command, seconds=seconds * 2 + 120)
    reached = re.search(r"found (\d+) URLs", done.stdout + done.stderr)
    if not report.exists():
        raise tools.NotHereError(f"wapiti wrote no report: {(done.stdout + done.stderr).strip()[-200:]}")
    found = json.loads(report.read_text(encoding="utf-8"))
    said = [
        f"{kind}: {one.get('method', '')} {one.get('path', '')} {one.get('info', '')}"[:200]
        for part in ("vulnerabilities", "anomalies")
        for kind, ones in found[part].items()
        for one in ones
    ]
    return int(reached[1]) if reached else 0, said


# What a plain http address on this machine cannot have; a public one has it (tests/rules/test_headers.py).
_OF_HTTP = re.compile(
    r"Secure Flag cookie|HTTP Strict Transport|HSTS|Strict-Transport|TLS|unencrypted|Cleartext", re.IGNORECASE
)


def _browser_of(at: target.Target, person: str) -> str:
    """
    The cookies of a person's browser, or of one that nobody is signed in with.

    The one that guards forms is among them: without it each form is refused before it is looked at, whatever is sent.
    """
    return "; ".join(filter(None, (at.cookies.get(person), f"csrf={_token(at.door)}")))


def wapiti(seconds: float) -> Figure:
    """Signed in as three roles and not at all; then the weak page."""
    tools.program("wapiti")
    at = target.target()
    each, failures, scanned, unseen = max(seconds / 9, 30), list[str](), [], 0
    for person in ("anonymous", "alice", "bob", "mallory"):
        reached, found = _wapiti(f"{at.url}/", each, _browser_of(at, person))
        failures += [f"{person}: {one}" for one in found if not _OF_HTTP.search(one)]
        scanned.append(f"{'a stranger' if person == 'anonymous' else person} ({reached} addresses and forms)")
        unseen += reached < 2  # the first page alone: it followed nothing
    with weak() as url:
        there = " ".join(_wapiti(f"{url}/", 60, modules="xss,sql")[1])
    caught = (
        ("a page that repeats markup", "Cross Site Scripting" in there or "XSS" in there),
        ("a statement made of what is asked", "SQL Injection" in there),
    )
    said = f"as {', '.join(scanned)}: {len(failures)} findings"
    return Figure(said, tuple(failures), caught=caught, ended=not unseen)


def _sqlmap(url: str, seconds: float, cookie: str = "") -> str:
    folder = STATE / "sqlmap"
    shutil.rmtree(folder, ignore_errors=True)
    command = [
        str(tools.program("sqlmap")), "-u", url, "--batch", "--level=2", "--risk=2", "--flush-session", "--smart",
        f"--output-dir={folder}", "--disable-coloring", "--timeout=10", "--retries=1", "--threads=2",
    ]  # fmt: skip
    if cookie:
        command.append(f"--cookie={cookie}")
    done = tools.run(command, seconds=seconds)
    return done.stdout + done.stderr


def sqlmap(seconds: float) -> Figure:
    """Every address with a query that pages lead to, and the weak page."""
    tools.program("sqlmap")
    at = target.target()
    ids = at.ids["dentist"]
    urls = [
        f"/calls/?client=dentist&source=a&caller={ids['caller_id']}", "/calls/?from_on=2026-11-01&length=1",
        "/trail/?client=dentist&before=1", "/work/?kind=a&client=dentist&page=1", "/people/?q=a&page=1",
        "/clients/?q=a&page=2", "/reveals/?week=2026-11-23", "/requests/?client=dentist&state=open",
        f"/c/{ids['consent_key']}/consent/?lang=es", f"/r/{ids['request_key']}/?lang=es",
    ]  # fmt: skip
    failures, asked = [], 0
    each, until = max(seconds / 12, 20), time.monotonic() + seconds
    for url in urls:
        if time.monotonic() > until:
            break
        said = _sqlmap(at.url + url, each, at.cookies["alice"])
        asked += 1
        if re.search(r"is vulnerable|identified the following injection", said):
            failures.append(f"{url}: {said[-200:]}")
    with weak() as url:
        said = _sqlmap(f"{url}/?id=1", 90)
    caught = (("a statement made of what is asked", "identified the following injection" in said),)
    return Figure(
        f"{asked} addresses with queries: {len(failures)} injectable", tuple(failures), caught=caught
    )


# --- Schemathesis -----------------------------------------------------------------------------------------------------


def _schemathesis(schema: str, seconds: float, key: str = "") -> tuple[int, str]:
    command = [
        str(tools.program("schemathesis")), "run", schema, "--max-examples", str(max(int(seconds), 60)), "--checks",
        "not_a_server_error", "--no-color", "--phases", "examples,coverage,fuzzing", "--continue-on-failure",
        "--request-timeout", "10",
    ]  # fmt: skip
    if key:
        command += ["-H", f"Authorization: Bearer {key}"]
    # It says what it did only when it ends by itself, so it is asked for less than fits.
    done = tools.run(command, seconds=seconds * 3)
    return done.returncode, done.stdout + done.stderr


def schemathesis(seconds: float) -> Figure:
    """The interface for programs, by its own description, with a key and without; then the weak one."""
    tools.program("schemathesis")
    at = target.target()
    failures, cases = [], 0
    for key in (at.ids["dentist"]["api_key"], ""):
        code, said = _schemathesis(f"{at.url}/api/v1/openapi.json", seconds / 8, key)
        found = re.findall(r"(\d[\d,]*) (?:test cases?|generated)", said)
        cases += max((int(one.replace(",", "")) for one in found), default=0)
        if "ST101" in said:
            failures.append(said[-400:])
        elif code not in {0, 1}:
            failures.append(f"it ended with {code}: {said.strip()[-200:]}")
    with weak() as url:
        _, said = _schemathesis(f"{url}/openapi.json", 60)
    caught = (("a door of an interface that falls over", "ST101" in said),)
    return Figure(f"{cases:,} cases told: {len(failures)} answers of 5xx", tuple(failures), caught=caught)


# --- Atheris ----------------------------------------------------------------------------------------------------------

READERS = ("callrail", "twilio", "ctm", "table", "phone", "sound", "redact")


def _fuzzed(name: str, runs: int, seconds: float) -> tuple[int, str]:
    environ = {
        "PYTHONPATH": f"{ROOT}:{tools.site_packages()}",
        "DJANGO_SETTINGS_MODULE": "tests.settings_for_types",
    }
    command = [str(tools.program("atheris")), "-m", "lab.assure.fuzz", name, str(runs), str(int(seconds))]
    done = tools.run(command, seconds=seconds + 60, cwd=ROOT, environ=environ)
    return done.returncode, done.stdout + done.stderr


def atheris(seconds: float) -> Figure:
    """Each reader of bytes from outside, by coverage, within 512 MB; then one with a fault."""
    tools.program("atheris")
    each, runs, failures = max(seconds / (len(READERS) + 1), 10), 0, []
    for name in READERS:
        code, said = _fuzzed(name, 1_000_000, each)
        done = re.findall(r"Done (\d+) runs|#(\d+)\s+(?:DONE|pulse|NEW|REDUCE)", said)
        runs += max((int(one or two) for one, two in done), default=0)
        if code:
            failures.append(f"{name}: {said.strip()[-300:]}")
    _, said = _fuzzed("planted", 500_000, 30)
    caught = (("a reader that falls over at two bytes", "the planted fault" in said),)
    text = f"{runs:,} runs over {len(READERS)} readers: {len(failures)} exceptions, memory below 512 MB"
    return Figure(text, tuple(failures), caught=caught)


# --- Reading the code -------------------------------------------------------------------------------------------------


# Statements that are put together of names of our own (tables, columns, a direction), each of which was read: no value
# from outside stands in one. A new place is a finding until somebody has read it.
READ: dict[str, frozenset[str]] = {
    "analytics/selectors/reports.py": frozenset({"_left_out", "values_of"}),
    "analytics/services/making.py": frozenset({"_read", "_coarsen"}),
    "callprivacy/calls/services/ends.py": frozenset(
        {"count_said", "due_said", "choose_said", "clear_said", "_count_made"}
    ),
    "callprivacy/calls/services/erasure.py": frozenset({"remove_calls"}),
    "callprivacy/calls/services/intake/loading.py": frozenset({"fill"}),
    "callprivacy/calls/services/intake/matching.py": frozenset({"may_match"}),
    "callprivacy/calls/services/intake/storing.py": frozenset({"_adding_calls"}),
    "callprivacy/calls/services/intake/updating.py": frozenset(
        {"bring_up_to_date", "_have_decided_anew", "_move_call", "_write_changes"}
    ),
    "callprivacy/calls/services/returned.py": frozenset({"unreadable", "take_out_of_use"}),
    "callprivacy/tenancy/rls.py": frozenset({"_child_check", "_parent_check"}),
    "consent/services/decisions.py": frozenset({"decide_calls"}),
    "consent/services/evidence_ends.py": frozenset({"count", "due"}),
    "consent/services/identity_ends.py": frozenset({"count", "_due", "kept_back"}),
    "rights/selectors/findings.py": frozenset({"count"}),
}


def _was_read(file: Path, line: int) -> bool:
    """Whether a statement is a constant of its module, made before anything comes from outside, or was read."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    constants = (one for one in tree.body if isinstance(one, ast.Assign | ast.AnnAssign))
    if any(one.lineno <= line <= (one.end_lineno or one.lineno) for one in constants):
        return True
    functions = [
        one.name
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef) and one.lineno <= line <= (one.end_lineno or one.lineno)
    ]
    return bool(set(functions) & READ.get(str(file.relative_to(ROOT)), frozenset()))


def _planted_code(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "planted.py"
    # Made here, so that no file of the repository holds it.
    secret = "AKIA" + "IOSFODNN7" + "ABCDEFG"
    file.write_text(
        "import os, pickle, subprocess, hashlib\n"
        f'AWS_KEY = "{secret}"\n'
        "def load(raw, name):\n    subprocess.call('ls ' + name, shell=True)\n    hashlib.md5(raw)\n"
        "    return pickle.loads(raw), eval(name)\n",
        encoding="utf-8",
    )
    return file


def bandit(_: float) -> Figure:
    """Everything of medium severity and above in the product's code."""
    command = [str(tools.program("bandit")), "-q", "-r", "-ll", "-f", "json"]
    done = tools.run([*command, "-x", "*/migrations/*", *OURS, "manage.py"], seconds=300, cwd=ROOT)
    found = json.loads(done.stdout[done.stdout.index("{") :])
    failures = [
        f"{one['filename']}:{one['line_number']} {one['test_id']} {one['issue_text']}"
        for one in found["results"]
        if not _argued_for(ROOT / one["filename"], min(one["line_range"]), max(one["line_range"]))
        and not (one["test_id"] == "B608" and _was_read(ROOT / one["filename"], one["line_number"]))
    ]
    argued = len(found["results"]) - len(failures)
    planted = tools.run([*command, str(_planted_code(STATE / "planted"))], seconds=60)
    lines = sum(one["loc"] for name, one in found["metrics"].items() if name != "_totals")
    caught = (("pickle, eval and a shell", all(name in planted.stdout for name in ("B301", "B307", "B602"))),)
    said = f"{lines:,} lines: {len(failures)} findings; {argued} places were read or say why they may"
    return Figure(said, tuple(failures), caught=caught)


def semgrep(_: float) -> Figure:
    """Our own rules (lab/assure/semgrep.yml) over the product's code."""
    rules = ROOT / "lab" / "assure" / "semgrep.yml"
    command = [
        str(tools.program("semgrep")), "scan", "--metrics=off", "--disable-version-check", "--config", str(rules),
        "--json",
        "--quiet", "--no-git-ignore",
    ]  # fmt: skip
    environ = {"PATH": f"{tools.program('semgrep').parent}:/usr/bin:/bin", "HOME": str(STATE)}
    done = tools.run([*command, *OURS], seconds=500, cwd=ROOT, environ=environ)
    found = json.loads(done.stdout or "{}")
    if "results" not in found:
        return Figure("", (f"semgrep: {done.stderr.strip()[-200:]}",))
    failures = [
        f"{one['path']}:{one['start']['line']} {one['check_id'].rpartition('.')[2]}"
        for one in found["results"]
        if not _argued_for(Path(ROOT, one["path"]), one["start"]["line"])
    ]
    planted = tools.run([*command, str(_planted_code(STATE / "planted"))], seconds=120, environ=environ)
    caught = (
        ("pickle and eval", "nothing-is-evaluated" in planted.stdout),
        ("a shell", "no-shell" in planted.stdout),
        ("MD5", "no-weak-ciphers" in planted.stdout),
    )
    files = len(found["paths"]["scanned"])
    return Figure(f"{files} files, 7 rules: {len(failures)} findings", tuple(failures), caught=caught)


def _argued_for(file: Path, line: int, last: int = 0) -> bool:
    """Whether a line of the statement says why it may (the same sign as for ruff's rules of security)."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return any("# noqa: S" in one for one in lines[max(line - 2, 0) : max(last, line) + 1])


def secrets(_: float) -> Figure:
    """Keys and passwords in what git has."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    files = [
        name for name in listed
        if name.endswith((".py", ".toml", ".yml", ".yaml", ".json", ".md", ".html", ".js", ".cfg", ".txt", ".env"))
        and not name.startswith(("tests/", "lab/", "static/dist/", "requirements", "package-lock"))
    ]  # fmt: skip
    command = [
        str(tools.program("detect-secrets")), "scan", "--disable-plugin", "KeywordDetector", "--disable-plugin",
        "Base64HighEntropyString", "--disable-plugin", "HexHighEntropyString",
    ]  # fmt: skip
    done = tools.run([*command, *files], seconds=300, cwd=ROOT)
    found = json.loads(done.stdout)["results"]
    failures = [
        f"{name}:{one['line_number']} {one['type']}" for name, ones in found.items() for one in ones
        if one["type"] != "IP Public"
        and not _is_example(Path(ROOT, name), one["line_number"])
    ]  # fmt: skip
    planted = tools.run([*command, str(_planted_code(STATE / "planted"))], seconds=60)
    caught = (("a key of AWS", "AWS Access Key" in planted.stdout),)
    return Figure(f"{len(files)} files: {len(failures)} secrets", tuple(failures), caught=caught)


def _is_example(file: Path, line: int) -> bool:
    """Whether an address holds the word for a password and not one: `postgresql://user:password@host`."""
    text = file.read_text(encoding="utf-8").splitlines()[line - 1]
    return bool(re.search(r":(//)?[\w<{]*:?(password|word|token|secret|\.\.\.|\{)", text, re.IGNORECASE))


# What gitleaks found in the history and somebody read, by the first digits of its SHA-256: none opens anything.
READ_SECRETS: dict[str, str] = {
    "3d87ce1796bb": "a password that is no account's, at the door that is tried",
    "ce5469b5aa3c": "a test's",
    "9f9f5111f7b2": "digits in order",
    "3eb1bd439947": "digits in order",
    "d381c98aeb9c": "a test's",
    "f4d5332088e5": "digits in order",
    "96ad2ccd8146": "the published example of Standard Webhooks",
    "2961ad108c45": "the published example of CallRail",
    "77a34628b868": "a test's",
    "2dc01011655c": "a test's",
}


def _leaks(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    report = STATE / "leaks.json"
    report.unlink(missing_ok=True)
    command = [
        tools.of_debian("gitleaks"), "detect", "-s", str(folder), "--no-banner", "--report-format", "json",
        "--report-path", str(report), "--exit-code", "0", *arguments,
    ]  # fmt: skip
    done = tools.run(command, seconds=280)
    if not report.exists():
        raise tools.NotHereError(f"gitleaks wrote no report: {done.stderr.strip()[-160:]}")
    found: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))
    return found


def history(_: float) -> Figure:
    """Keys and passwords in every commit there is, and in a folder with one."""
    found = _leaks(ROOT)
    new = [
        one for one in found if hashlib.sha256(one["Secret"].encode()).hexdigest()[:12] not in READ_SECRETS
    ]
    failures = [f"{one['File']}:{one['StartLine']} in {one['Commit'][:10]}: {one['RuleID']}" for one in new]
    commits = subprocess.run(
        ["git", "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    folder = STATE / "planted"
    _planted_code(folder)
    (folder / "key.txt").write_text(f"token = ghp_{'a1B2' * 9}\n", encoding="utf-8")
    planted = {one["RuleID"] for one in _leaks(folder, "--no-git")}
    (folder / "key.txt").unlink()
    caught = (("a token of GitHub", any("github" in rule for rule in planted)),)
    said = f"{commits} commits: {len(failures)} secrets; {len(found) - len(new)} places with made-up ones were read"
    return Figure(said, tuple(failures), caught=caught)


def bill(_: float) -> Figure:
    """The list of packages (CycloneDX), written beside the state; every pinned one stands in it with its hash."""
    out = STATE / "sbom.json"
    command = [
        str(tools.program("cyclonedx-py")),
        "requirements",
        str(ROOT / "requirements.txt"),
        "-o",
        str(out),
    ]
    done = tools.run(command, seconds=120)
    if not out.exists():
        return Figure("", (f"no list: {done.stderr.strip()[-200:]}",))
    parts = json.loads(out.read_text(encoding="utf-8"))["components"]
    names = {part["name"].lower().replace("_", "-") for part in parts}
    pinned = set(
        re.findall(
            r"^([a-z0-9._-]+)(?:\[.*\])?==",
            (ROOT / "requirements.txt").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )

    def missing(wanted: set[str]) -> list[str]:
        return sorted(
            name
            for name in wanted
            if name.replace("_", "-").replace(".", "-") not in names | {n.replace(".", "-") for n in names}
        )

    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    bare = [
        name
        for name in pinned
        if f"{name}==" in lines and "--hash=sha256:" not in lines.split(f"{name}==")[1][:400]
    ]
    failures = [f"{name} is not in the list" for name in missing(pinned)] + [
        f"{name} has no hash" for name in bare
    ]
    caught = (("a package that is not in it", missing({"left-out"}) == ["left-out"]),)
    said = f"{len(parts)} packages in .state/assure/sbom.json; known holes: not checked (no list of them was reachable)"
    return Figure(said, tuple(failures), caught=caught)


# --- The stop-watch ---------------------------------------------------------------------------------------------------

APART_AT_MOST = 5.0


# What a stranger reads of a thing that is there and of one that is not, and after a wrong password.
NOT_FOUND, REFUSED = 404, 200
REFUSAL = "The email address or password is incorrect."


class NothingTriedError(RuntimeError):
    """An answer is not the one that was to be timed: its time says nothing."""


def timed(url: str, cookie: str, body: bytes | None = None, *, status: int, words: str = "") -> float:
    """
    Milliseconds until the whole answer is there.

    :raises NothingTriedError: it has another status, or lacks the words.
    """
    request = urllib.request.Request(url, data=body, headers={"Cookie": cookie})  # noqa: S310  (the site that is tried)
    opener = target.opener()
    began = time.perf_counter()
    try:
        with opener.open(request, timeout=20) as answer:
            found, said = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        found, said = error.code, error.read()
    took = (time.perf_counter() - began) * 1000
    if found != status or words.encode() not in said:
        lacks = f" and {words!r}" if words else ""
        raise NothingTriedError(f"{url} answered {found}, not {status}{lacks}: {said[-200:]!r}")
    return took


def _apart(one: Callable[[], float], two: Callable[[], float], samples: int) -> float:
    """By how many milliseconds the medians of two questions differ that are asked in turn."""
    first: list[float] = []
    second: list[float] = []
    for number in range(samples):
        pair = ((one, first), (two, second))
        for ask, into in pair if number % 2 else reversed(pair):
            into.append(ask())
    return float(abs(statistics.median(first) - statistics.median(second)))


def _questions(at: target.Target) -> Iterator[tuple[str, Callable[[], float], Callable[[], float]]]:
    import uuid

    theirs, alice, bob = at.ids["florist"], at.cookies["alice"], at.cookies["bob"]
    pages = {
        "a call": "/clients/{slug}/calls/{call_id}/", "a hold": "/clients/{slug}/retention/holds/{hold_id}/",
        "a request": "/requests/{case_id}/", "an item": "/work/items/{item_id}/", "a client": "/clients/{slug}/",
        "a release": "/reports/releases/{slug}/{release_id}/",
    }  # fmt: skip

    def page(path: str, things: dict[str, str], cookie: str) -> Callable[[], float]:
        return lambda: timed(at.url + path.format(**things), cookie, status=NOT_FOUND)

    for name, path in pages.items():
        yield f"{name} of another agency", page(path, theirs, alice), page(path, _nothing(theirs), alice)
        yield (
            f"{name} of a client not granted",
            page(path, at.ids["plumber"], bob),
            page(path, _nothing(theirs), bob),
        )
    # The same client, and a call of a stranger's behind its name.
    here = {**theirs, "slug": "dentist"}
    yield (
        "a stranger's call behind an own name",
        page(pages["a call"], here, alice),
        page(pages["a call"], {**here, "call_id": str(uuid.UUID(int=1))}, alice),
    )


def _nothing(things: dict[str, str]) -> dict[str, str]:
    return {name: "00000000-0000-0000-0000-000000000001" if re.fullmatch(r"[0-9a-f-]{36}", value) else "nothing-here"
            for name, value in things.items()}  # fmt: skip


def watch(seconds: float) -> Figure:
    """Whether times tell a stranger's thing from none."""
    at = target.target()
    until, apart = time.monotonic() + seconds * 0.8, {}
    samples = 30
    for name, theirs, none in _questions(at):
        if time.monotonic() > until:
            break
        theirs(), none()
        apart[name] = _apart(theirs, none, samples)
    door = _door(at.door, at.ids["door"].values())
    faulty = _door(at.telling, at.ids["telling"].values())

    def quick() -> float:
        return timed(f"{at.url}/nowhere/", at.cookies["alice"], status=NOT_FOUND)

    def slow() -> float:
        began = time.perf_counter()
        time.sleep(telling.LONGER)
        quick()
        return (time.perf_counter() - began) * 1000

    caught = (
        ("an answer that takes 8 ms longer", _apart(quick, slow, samples) > APART_AT_MOST),
        ("a door that takes 8 ms longer for names that there are", bool(at_the_door(*faulty)[1])),
        ("a guess that the door refuses before it looks at the password", _is_refused(at.door)),
    )
    worst = max(apart.items(), key=lambda one: one[1])
    failures = [f"{name}: {ms:.1f} ms" for name, ms in apart.items() if ms >= APART_AT_MOST]
    told, missed, is_shown = at_the_door(*door)
    pairs = f"{len(apart)} pairs, {samples} times each in turn: medians at most {worst[1]:.1f} ms apart ({worst[0]})"
    said = f"{pairs}; {told}"
    return Figure(said, (*failures, *missed), caught=caught, ended=is_shown)


def at_the_door(known: Sequence[float], unknown: Sequence[float]) -> tuple[str, list[str], bool]:
    """
    What wrong passwords took: in words beside the goal's line, what breaks it, and whether it was shown to hold.

    Where the kinds are further apart than the line allows, yet no further than the halves of one kind, nothing was
    shown either way.
    """
    one, two = statistics.median(known), statistics.median(unknown)
    by_chance = max(
        abs(statistics.median(took[::2]) - statistics.median(took[1::2])) for took in (known, unknown)
    )
    said = (
        f"the door {one:.1f} ms for known names, {two:.1f} ms for unknown ones, {len(known)} times each with a hash"
        f" that costs nothing: {abs(one - two):.1f} ms apart; the goal's line is {APART_AT_MOST:.0f} ms"
    )
    over = abs(one - two) - APART_AT_MOST
    if over < 0:
        return f"{said}; that each name costs one Argon2 is accounts/test_sign_in.py's", [], True
    said += f", missed by {over:.1f} ms; halves of the tries of one kind are {by_chance:.1f} ms apart"
    missed = [f"the door: {abs(one - two):.1f} ms apart, by chance {by_chance:.1f} ms"]
    return said, missed if abs(one - two) > by_chance else [], False


def _door(door: str, names: Collection[str]) -> tuple[list[float], list[float]]:
    """
    Milliseconds of each wrong password for names that there are and for as many names that there are not.

    Each is tried as often as every other: a name's second failure is counted by a change of its row, not by a new one.

    :raises NothingTriedError: an answer is not the refusal.
    """
    took: dict[bool, list[float]] = {True: [], False: []}
    token = _token(door)
    for number in range(4):  # a fifth failure of one name would wait
        for name in names:
            for is_known in (True, False) if number % 2 else (False, True):
                took[is_known].append(_guessed(door, name if is_known else f"nobody-{name}", token))
    return took[True], took[False]


def _guessed(door: str, email: str, token: str) -> float:
    given = {"login": email, "password": "Wrong-Horse-7-Battery", "csrfmiddlewaretoken": token}
    url, body = f"{door}/accounts/login/", urlencode(given).encode()
    return timed(url, f"csrf={token}", body, status=REFUSED, words=REFUSAL)


def _is_refused(door: str) -> bool:
    """Whether a guess without what guards forms, of which no password is looked at, ends the trial."""
    try:
        _guessed(door, "nobody@door.example", "")
    except NothingTriedError:
        return True
    return False


def _token(door: str) -> str:
    """
    The cookie that guards forms, once the door is open.

    :raises NothingTriedError: it gives none.
    """
    url, until = f"{door}/accounts/login/", time.monotonic() + 60
    while True:
        try:
            with target.opener().open(url, timeout=20) as answer:
                given = str(answer.headers["Set-Cookie"])
        except urllib.error.HTTPError as error:
            raise NothingTriedError(f"{url} answered {error.code}.") from None
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.3)
            continue
        if found := re.search(r"csrf=(\w+)", given):
            return found[1]
        raise NothingTriedError(f"{url} gives no cookie that guards forms.")


def _row(  # noqa: PLR0917  (a table reads as one)
    number: str, promise: str, how: str, passes: str, trial: Callable[[float], Figure], minutes: float = 5.0
) -> Row:
    return Row(number, promise, how, passes, trial=_or_skipped(trial), minutes=minutes)


_HEADERS = Row(
    "21a",
    "Every kind of page says in its headers what it may load, and is kept by nobody",
    "every address, by its headers",
    "0 missing",
    tests=("rules/test_headers.py",),
    finders=("rules/test_headers.py::test_a_header_that_is_missing_is_found",),
    minutes=2,
)
_EVERY_PAGE = Row(
    "21e",
    "Every page is one that anybody can read and work, light and dark",
    "axe-core on a page of each view that links lead an officer to, and on those before the door: all rules, and"
    " colours in both themes",
    "0 findings",
    tests=(
        "browser/test_axe.py::test_every_page_of_the_officer_is_clean",
        "browser/test_axe.py::test_the_pages_before_the_door_are_clean",
        "look/test_browser.py::test_page_is_clean",
    ),
    finders=("browser/test_axe.py::test_faint_colours_are_found_in_their_theme_and_all_else_in_the_first",),
    minutes=5,
)
_OF_MAILS = (
    "rules/test_attack.py::test_the_page_of_mails_is_for_who_sits_at_the_machine",
    "rules/test_attack.py::test_the_page_of_mails_ends_where_a_proxy_stands_in_front",
    "rules/test_attack.py::test_the_page_of_mails_is_a_demos",
    "lib/test_mail_files.py",
)
_OF_CODES = (
    "consent/test_codes.py::test_another_page_that_knows_the_number_cannot_use_or_use_up_a_code",
    "consent/test_codes.py::test_a_page_that_one_goes_back_to_takes_its_own_code_while_it_is_good",
    "consent/test_codes.py::test_a_receipt_takes_its_newest_code_when_the_limit_allows_no_more",
    "rights/test_portal.py::test_guessing_ends_after_five_tries",
    "rights/test_portal.py::test_a_code_is_good_for_ten_minutes_and_once",
    "rights/test_portal.py::test_another_request_of_the_same_number_cannot_use_or_use_up_a_code",
    "rights/test_portal.py::test_a_code_that_is_requested_again_leaves_the_last_one_where_the_limit_is_reached",
)
_CROSSING = next(row for row in suite.ROWS if row.number == "13")

ROWS: tuple[Row, ...] = (
    _row("30a", "The code does nothing dangerous", "bandit, medium and above", "0 findings", bandit),
    _row("30b", "The code keeps our own rules", "semgrep, lab/assure/semgrep.yml", "0 findings", semgrep, 10),
    _row("30c", "No secret in the repository", "detect-secrets over what git has", "0 secrets", secrets, 2),
    _row("30e", "No secret in the history", "gitleaks over every commit", "0 secrets", history, 3.5),
    _row("30d", "Packages are listed and pinned", "CycloneDX of requirements.txt", "each with its hash", bill),
    _row("16", "Times tell nothing of what one may not see", "foreign things and none, asked in turn; names at"
         " the door", "medians less than 5 ms apart, at the door as well", watch, 5),
    _row("23a", "The interface for programs falls over nothing", "schemathesis by its own description", "0 of 5xx",
         schemathesis, 6),
    _row("23b", "Readers of bytes from outside fall over nothing", "atheris by coverage, 512 MB", "0 exceptions",
         atheris, 8),
    _row("23c", "No statement can be changed from outside", "sqlmap, signed in", "0 injectable", sqlmap, 8),
    _row("23d", "A scanner of pages finds nothing", "wapiti as each role", "0 findings", wapiti, 12),
    _HEADERS,
    _EVERY_PAGE,
    _row("21c", "Every kind of page has the best grade", "recorded answers of every address at a public address,"
         " graded by Mozilla's HTTP Observatory", "A+, 115 and above, each", observatory.observatory, 8),
    _row("21b", "Pages are quick, accessible and sound, light and dark", "Lighthouse in Debian's chromium: the main"
         " pages, and of all others that links lead to as many as there is time for", "95 and above, each",
         lighthouse.lighthouse, 15),
    _row("21d", "TLS is as strict as Mozilla's intermediate profile, and graded A+", "sslyze and testssl.sh on nginx"
         " with deploy/nginx.conf in front of the product", "compliant, A+, nothing of medium severity or above",
         edge.edge, 14),
    _CROSSING,
    Row(
        "22b",
        "One person with two sign-ins does not sign as two",
        "officers whom one person invited, in one mailbox, browser or network, and new ones; roles above the giver's",
        "no such signature counts, and the officers hear of each; no such role is given",
        tests=(
            "accounts/test_officers.py",
            "accounts/test_removed_officers.py",
            "rules/test_second_signatures.py",
        ),
        plants=(
            Edit(
                "whoever else signs is a second person",
                "callprivacy/accounts/seconding.py",
                "    if doubt is not None:\n        raise NotCountedError(",
                "    if False:\n        raise NotCountedError(",
            ),
            Edit(
                "who invited the two is not compared",
                "callprivacy/accounts/seconding.py",
                "    if ours & theirs:\n",
                "    if False:\n",
            ),
            Edit(
                "who removes the other officers signs alone at once",
                "callprivacy/accounts/access.py",
                '    rows = Membership.objects.filter(**{f"{COUNTS_UNTIL[right]}__gt": at}, agency_id=agency_id)\n',
                "    rows = Membership.objects.none()\n",
            ),
            Edit(
                "an admin makes an officer",
                "callprivacy/accounts/access.py",
                "    return RIGHTS[role] <= membership.rights\n",
                "    return bool(membership.rights)\n",
            ),
            Edit(
                "an invitation that nobody confirmed lets in",
                "callprivacy/accounts/services/invitations.py",
                "        .exclude(needs_second=True, confirmed_at=None)\n        .update(accepted_at=at)\n",
                "        .update(accepted_at=at)\n",
            ),
        ),
        broken=("accounts/test_officers.py", "accounts/test_removed_officers.py"),
        minutes=1,
    ),
    Row(
        "22c",
        "Injected SQL sees at most what the request's person sees",
        "as the program's role: settings, seals and tokens that are forged, altered, expired or of another transaction;"
        " the keys; tables and types of the same names; other sessions",
        "no call of another agency; the owner runs nothing of the caller's",
        tests=("tenancy/test_forged_scopes.py",),
        plants=(
            Edit(
                "other sessions read what enters a scope",
                "callprivacy/tenancy/scope.py",
                "statements.cursor(keeps_plan=False)",
                "connection.cursor()",
            ),
            Edit(
                "a kept plan takes what enters a scope",
                "callprivacy/tenancy/scope.py",
                "statements.cursor(keeps_plan=False)",
                "statements.cursor()",
            ),
        ),
        broken=("tenancy/test_forged_scopes.py",),
        finders=("tenancy/test_forged_scopes.py::test_a_scope_that_can_be_forged_is_found",),
        minutes=0.5,
    ),
    Row(
        "22h",
        "A confidential call is seen by those whom it names",
        "another reviewer and another officer of the client: SQL as the program's role, lists, filters, the search, the"
        " pages of the call, recording and transcript, exports, releases, reports",
        "nothing of the call but how many there are",
        tests=("calls/test_confidential.py", "calls/test_confidential_rules.py"),
        plants=(
            Edit(
                "an export has every confidential call",
                "callprivacy/calls/services/exports.py",
                "if not call.confidential or call.pk in named",
                "if named is not None",
            ),
            Edit(
                "a release has confidential calls",
                "consent/selectors/decisions.py",
                "    if not with_confidential:\n        calls = calls.filter(confidential=False)\n",
                "",
            ),
            Edit(
                "an officer names themself",
                "callprivacy/calls/services/confidential.py",
                "    if user_id == by.user_id:\n",
                "    if False:\n",
            ),
        ),
        broken=("calls/test_confidential.py",),
        finders=("calls/test_confidential.py::test_a_fault_in_what_postgresql_asks_is_found",),
        minutes=0.5,
    ),
    Row(
        "22g",
        "A demo's mails, names and containers open nothing",
        "the page of mails from elsewhere, through a proxy and without a demo; the folder of mails; line breaks in"
        " every field of one line; what a container may do",
        "404; 0700; each break refused; no right that is not listed",
        tests=(*_OF_MAILS, "rules/test_lines.py", "tools/test_deploy.py::test_a_container_may_do_little"),
        plants=(
            Edit(
                "the page of mails answers through a proxy",
                "dashboard/views/mail.py",
                "    if settings.CALLPRIVACY_PROXY_COUNT or any(name in request.headers for name in _OF_PROXIES):\n",
                "    if settings.CALLPRIVACY_PROXY_COUNT:\n",
            ),
            Edit(
                "the page of mails answers where no demo is",
                "dashboard/views/mail.py",
                "        return is_loopback and _HOST(request.get_host()) is not None and _is_demo()\n",
                "        return is_loopback and _HOST(request.get_host()) is not None\n",
            ),
            Edit(
                "every account of the machine reads the folder of mails",
                "callprivacy/lib/mail_files.py",
                "        folder.chmod(0o700)\n",
                "        folder.chmod(0o755)\n",
            ),
            Edit(
                "a name of two lines is taken",
                "callprivacy/lib/forms.py",
                "        if text.splitlines() not in ([], [text]):\n",
                "        if False:\n",
            ),
            Edit(
                "a form of the sign-in library takes a line break",
                "callprivacy/lib/forms.py",
                "                field.validators.append(line.clean)\n",
                "                pass\n",
            ),
        ),
        broken=(*_OF_MAILS, "rules/test_lines.py"),
        finders=("tools/test_deploy.py::test_a_container_that_may_more_is_found",),
        minutes=1.5,
    ),
    Row(
        "22i",
        "A code by phone or mail counts on the page that requested it",
        "other pages and requests of the same number, codes requested again, pages one goes back to, late codes",
        "none proves the number or uses up a try",
        tests=_OF_CODES,
        plants=(
            Edit(
                "a code counts on every page of its number",
                "consent/services/codes.py",
                "    rows = rows.filter(pk__in=code_ids)\n",
                "",
            ),
            Edit(
                "a page forgets its code when it requests another one",
                "consent/services/codes.py",
                "Sending(tuple(earlier), drawn)",
                "Sending((), drawn)",
            ),
        ),
        broken=_OF_CODES,
        minutes=1,
    ),
    Row(
        "22e",
        "Django and django-guardian give the permissions that the grants give, and no others",
        "random grants, ends, suspensions and withheld permissions, by has_perm, get_perms and get_objects_for_user",
        "0 differences",
        tests=("accounts/test_backends.py",),
        plants=(
            Edit(
                "a grant that ended gives a permission",
                "callprivacy/accounts/access.py",
                "    return Q(ends_at__isnull=True) | Q(ends_at__gt=at)\n",
                "    return Q()\n",
            ),
            Edit(
                "an inactive user has permissions",
                "callprivacy/accounts/backends.py",
                " or not user_obj.is_active:\n",
                ":\n",
            ),
            Edit(
                "any permission on a client gives its calls",
                "callprivacy/accounts/backends.py",
                " if permission in held}\n",
                " if held}\n",
            ),
        ),
        broken=("accounts/test_backends.py",),
        minutes=1,
    ),
)  # fmt: skip
