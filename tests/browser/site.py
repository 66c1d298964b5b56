"""Starts the processes of the Procfile as `make run` does, with a demo of a few days, and visits them."""

import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests import clock, scale
from tools import browsers, services, supervise

ROOT = Path(__file__).resolve().parents[2]
DAYS = 12
ZONE = ZoneInfo("America/Chicago")
"""Of the demo's client whose reports are looked at."""
OFFICER, OTHER_OFFICER, ADMIN, REVIEWER = "olivia", "oscar", "ada", "theo"
_DEMO = """
import os, django
django.setup()
from django.utils import timezone
from dashboard import demo, services
demo.DAYS = int(os.environ["DEMO_DAYS"])
services.make_demo(password=os.environ["DEMO_PASSWORD"], at=timezone.now(), progress=lambda name: None)
"""

# The same files, compressed in a hurry: pressing them as small as they go takes longer than all else about them.
_COLLECT = """
import functools, brotli, django
brotli.compress = functools.partial(brotli.compress, quality=1)
django.setup()
from django.core.management import call_command
call_command("collectstatic", interactive=False, verbosity=0)
"""

_WAITED_FOR = (
    "analytics.make_cells",
    "audit.seal_events",
    "calls.sweep_imports",
    "calls.sweep_inbox",
    "consent.decide_recordings",
    "consent.ring_agents",
    "consent.send_texts",
    "consent.carry_out",
    "consent.sweep_withdrawals",
    "consent.fetch_recordings",
    "retention.work_runs",
    "rights.search_people",
    "rights.work_steps",
    "rights.send_letters",
    "rights.ask_clients",
    "work.send_mail",
)
"""Jobs whose work a test waits for. All of them in a hurry took as long as a test that runs beside."""

# What is waited for comes every twelve seconds: the same beat, and less to wait for. More often would cost more than it
# brings, for a job that finds nothing to do takes the processor, too: some five milliseconds, and 150 that of
# withdrawals, which looks at each client whose vendors have something to do. The night's run comes where a test asks
# for it: by itself it would begin minutes after the site did, and what is due would go while a test counts it.
_HURRIED = f"""
import sys
import django
django.setup()
from callprivacy.celery import app, periods
del periods()["retention.start_nightly"]
for name in {_WAITED_FOR}:
    assert name in periods()
    periods()[name] = 24.0 if name == "consent.sweep_withdrawals" else 12.0
app.start(sys.argv[1:])
"""

NEXT_LOOK = 2000
"""Milliseconds until a page is asked again for what a job of those does: each time it is made and drawn anew."""
KEPT_FOR = 180.0
"""Seconds for which a session is used again: what is grave asks anew for a sign-in of a quarter hour ago."""


def told(today: date) -> tuple[str, int]:
    """
    The month of which the demo has calls of twelve days, by its name in the reports, and how many days back they begin.

    Campaigns are told of whole months at best.
    """
    return ("this_month", DAYS) if today.day > DAYS else ("month", DAYS + today.day - 1)


@dataclass(frozen=True)
class Site:
    """Where the product answers, how its people sign in, and what its processes said."""

    url: str
    password: str
    logs: Path
    environ: Mapping[str, str] = field(repr=False)
    sessions: dict[str, tuple[float, list[Any]]] = field(default_factory=dict, repr=False)
    """When somebody came through the door, and the cookies with which they left it, by name."""

    def said(self) -> str:
        """The last lines of every process, for the message of a test that failed."""
        return "\n".join(
            f"--- {file.stem}\n{file.read_text(errors='replace')[-3000:]}"
            for file in sorted(self.logs.glob("*.log"))
        )

    def do(self, code: str, *arguments: str) -> str:
        """Do what a job or a person at the machine does, in a process of its own; returns what it said."""
        done = subprocess.run(
            [sys.executable, "-c", f"import django; django.setup()\n{code}", *arguments],
            env=dict(self.environ),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def running(state: Path, databases: Mapping[str, str], redis_url: str) -> Iterator[Site]:
    """Prepare what `make run` prepares, run web, worker and a hurried beat, and end them."""
    port, password = _free_port(), f"North-{secrets.token_urlsafe(9)}-7a"
    from tests import make  # models load after Django's setup

    environ = dict(os.environ) | {
        **databases,
        "REDIS_URL": redis_url,
        "CALLPRIVACY_STATE": str(state),
        "CALLPRIVACY_URL": f"http://127.0.0.1:{port}",
        "CALLPRIVACY_LOG_FORMAT": "text",
        "CALLPRIVACY_LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
        # Tests ask again by a connection that they keep, and one that is closed just then breaks what was asked.
        "GUNICORN_CMD_ARGS": "--keep-alive 600",
        "DEMO_PASSWORD": password,
        "DEMO_DAYS": str(told(make.now().astimezone(ZONE).date())[1]),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
    }
    files, people = _started(["-c", _COLLECT], environ), _started(["-c", _DEMO], environ)
    site = Site(environ["CALLPRIVACY_URL"], password, state, environ)
    commands = supervise.read_procfile(ROOT / "Procfile")
    program, _, arguments = commands["beat"].partition(" -A callprivacy")
    assert program == "celery --quiet"
    commands["beat"] = f"python -c {shlex.quote(_HURRIED)}{arguments}"
    processes: list[subprocess.Popen[bytes]] = []

    def start(*names: str) -> None:
        processes.extend(_kept(name, commands[name], environ, state / f"{name}.log") for name in names)

    try:
        # Pages are drawn from the files; what works on the demo begins when it is whole.
        _ended_well(files)
        start("web")
        _ended_well(people)
        start(*(name for name in commands if name != "web"))
        _wait_for(site, processes[0])
        yield site
    finally:
        _end(processes)


def _started(arguments: list[str], environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _ended_well(process: subprocess.Popen[str]) -> None:
    said = process.communicate()[0]
    assert process.returncode == 0, said


def _kept(name: str, command: str, environ: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=services.dies_with_us(signal.SIGTERM),  # noqa: PLW1509  (no threads yet)
        )  # fmt: skip


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """End each process with all that it started: kindly, then at once."""
    for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        left = [process for process in processes if process.poll() is None]
        for process in left:
            os.killpg(process.pid, number)
        until = time.monotonic() + patience
        for process in left:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue


def _free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def _wait_for(site: Site, web: subprocess.Popen[bytes]) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert web.poll() is None, site.said()
        try:
            with opener.open(f"{site.url}/accounts/login/", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"The site does not answer.\n{site.said()}")


# --- The browser ------------------------------------------------------------------------


PATIENCE = 30_000
"""Milliseconds for what comes at once: a machine that is busy with other tests may take a while."""
JOBS = 240_000
"""Milliseconds for what a job of the worker does: it may stand behind others, and behind all that a new site begins."""
expect.set_options(timeout=PATIENCE)


# A page's scripts read the suite's clock.
_CLOCK = """
{
  const Machine = Date;
  globalThis.Date = class Date extends Machine {
    constructor(...given) { if (given.length) super(...given); else super(Machine.now() + OFFSET); }
    static now() { return Machine.now() + OFFSET; }
  };
}
"""
# No page lives long enough to earn back what its scripts' best machine code takes to make.
_LIGHT = ("--disable-gpu", "--js-flags=--no-turbofan,--no-maglev")


@contextmanager
def launched() -> Iterator[Browser]:
    """The tests' Chromium; its sandbox is off only where root cannot have one."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=browsers.chromium() or "chromium",
            args=[*_LIGHT, *(["--no-sandbox"] if os.geteuid() == 0 else [])],
        )
        yield found
        found.close()


def texts(these: Locator) -> list[str]:
    """What each of them says, once there is one and its page is whole: a list is read as it is, without waiting."""
    these.first.wait_for(state="attached")
    these.page.wait_for_load_state()
    return these.all_inner_texts()


def past_midnight(zone: ZoneInfo, *, within: timedelta) -> None:
    """Wait for the next day where it is that near: what goes by whole days is counted twice, or named, in one day."""
    from tests import make  # models load after Django's setup

    later = make.now() + within
    if later.astimezone(zone).date() != make.now().astimezone(zone).date():
        time.sleep(within.total_seconds())


def until(page: Page, seen: Locator, *, within: int = JOBS) -> None:
    """Look again at the whole page until a job has done its part."""
    page.wait_for_load_state()
    for _ in range(within // NEXT_LOOK):
        if seen.count():
            break
        page.wait_for_timeout(NEXT_LOOK)
        page.reload()
    expect(seen.first).to_be_visible()


@dataclass
class Visitor:
    """Somebody with a browser, and what the browser complained of."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def open(self, path: str) -> None:
        """Go to an address of the site."""
        self.page.goto(self.site.url + path)

    def sign_in(self, name: str = OFFICER) -> None:
        """Sign in as one of the demo's people: through the door, or with the session of who just came through it."""
        since, cookies = self.site.sessions.get(name, (-KEPT_FOR, []))
        if time.monotonic() - since < KEPT_FOR:
            self.context.add_cookies(cookies)
            # The session keeps the client that a visitor before chose.
            self.open("/work/?client=")
            self.open("/")
            if not self.page.url.startswith(f"{self.site.url}/accounts/"):
                return
        self.come_in(name)
        self.site.sessions[name] = time.monotonic(), list(self.context.cookies())

    def come_in(self, name: str = OFFICER) -> None:
        """Sign in through the door, until the page behind it is whole and its scripts listen."""
        self.open("/accounts/login/")
        self.page.get_by_label("Email").fill(f"{name}@northlight.example")
        self.page.get_by_label("Password").fill(self.site.password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.get_by_role("heading", level=1).wait_for()
        assert not self.page.url.startswith(f"{self.site.url}/accounts/login/"), self.page.content()
        self.page.wait_for_load_state()


@contextmanager
def visiting(browser: Browser, site: Site, **options: Any) -> Iterator[Visitor]:
    """
    Visit the site, and fail at the end when the browser complained. In the suite nothing on its pages moves.

    :param options: of the browser's context, such as its viewport.
    """
    motion = scale.times("reduce", "no-preference")
    options = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": motion} | options
    context = browser.new_context(**options)
    context.add_init_script(_CLOCK.replace("OFFSET", str(round(clock.machine_to_suite() * 1000))))
    context.set_default_timeout(PATIENCE)
    visitor = Visitor(context.new_page(), site)
    listen(visitor.page, visitor.complaints)
    try:
        yield visitor
        assert visitor.complaints == []
    finally:
        context.close()


# Said by the browser of every answer 4xx, also of those that a test asks for.
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4(22|29) ")


def listen(page: Page, complaints: list[str]) -> None:
    """Write down warnings, errors (the policy's refusals are such), broken scripts and lost requests."""

    def say(text: str) -> None:
        if not _REFUSED.match(text):
            complaints.append(f"{page.url}: {text}")

    page.on("console", lambda message: say(message.text) if message.type in {"warning", "error"} else None)
    page.on("pageerror", lambda error: say(str(error)))
    page.on("response", lambda answer: say(f"{answer.status} {answer.url}") if answer.status >= 500 else None)
