"""
The form on a site of another origin whose policy allows nothing inline, in a real browser: with a keyboard, with the
privacy signal, from Europe; and the public pages as a caller meets them.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser import site as sites
from tests.browser.axe import AXE, findings
from tests.browser.site import Site
from tests.scale import some

pytestmark = pytest.mark.browser

CLIENT = "harbor-dental"
PLAIN, SWAPPED = "(404) 555-0142", "(404) 555-0199"
WORDS = "Harbor Dental records and monitors calls to train its people, if you agree."
SHARING = "Harbor Dental shares your number with advertising partners, if you agree."
_SETUP = """
import json, os, sys
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.tenancy.selectors import agency_ids
from consent.channels import embed
from consent.enums import Channel, Language, NoticeState, Purpose
from consent.models import Notice, NoticeVersion
from consent.selectors import notices
from consent.services import web
said = json.loads(sys.argv[1])
now = timezone.now()
for agency_id in agency_ids():
    with job_scope(agency_id=agency_id):
        client = Client.objects.select_related("agency").filter(slug=said["client"]).first()
        if client is None:
            continue
        ours = {"agency_id": agency_id, "client_id": client.pk}
        NoticeVersion.objects.for_client(client).filter(
            notice__channel=Channel.WEB, state=NoticeState.PUBLISHED
        ).update(state=NoticeState.RETIRED, retired_at=now)
        for name, purposes, words in said["notices"]:
            notice, made = Notice.objects.get_or_create(
                **ours, name=name, channel=Channel.WEB, language=Language.ENGLISH,
                defaults={"purposes": purposes, "created_at": now},
            )
            version = NoticeVersion(
                **ours, notice=notice, number=notice.versions.count() + 1, controller=client.legal_name, words=words,
                withdraw="On this page, or press 9 on any call.", created_at=now,
            )
            version.digest = notices.digest_of(version)
            version.save(force_insert=True)
            version.state, version.published_at = NoticeState.PUBLISHED, now
            version.save(update_fields=["state", "published_at"])
        page = web.save_page(
            client=client, origins=said["origins"], swap_url="", swap_integrity="", swap_needs_consent=False,
            by=web.BY, at=now,
        )
        type(page).objects.filter(pk=page.pk).update(swap_url=said["swap"])
        print(json.dumps({"key": page.key, "tag": embed.tag_for(page.key)}))
"""


@dataclass
class Host:
    """A client's own site: another origin, a strict policy, a tracker's script beside it."""

    url: str
    pages: dict[str, str] = field(default_factory=dict)
    policy: str = ""
    key: str = ""


@contextmanager
def _hosted() -> Iterator[Host]:
    host = Host("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/favicon.ico":
                self.send_response(204)
                self.end_headers()
                return
            script = path.endswith(".js")
            body = host.pages[path].encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if script else "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", host.policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()


def _document(tag: str, more: str = "") -> str:
    tag = tag.replace("data-into", f"{more} data-into")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Harbor Dental</title></head>'
        f'<body><h1>Harbor Dental</h1><p>Call us: <span id="number">{PLAIN}</span></p>{tag}</body></html>'
    )


@pytest.fixture(scope="module")
def host(site: Site) -> Iterator[Host]:
    with _hosted() as host:
        said = {
            "client": CLIENT,
            "origins": [host.url],
            "swap": f"{host.url}/swap.js",
            "notices": [
                ["Recording and counting", ["record", "measure"], WORDS],
                ["Sharing", ["share"], SHARING],
            ],
        }
        run = sites._started(["-c", _SETUP, json.dumps(said)], dict(site.environ))
        out = run.communicate()[0]
        assert run.returncode == 0, out
        made = json.loads(out.strip().splitlines()[-1])
        host.key = made["key"]
        host.policy = (
            f"default-src 'none'; script-src 'self' {site.url}; connect-src {site.url}; base-uri 'none'"
        )
        host.pages = {
            "/": _document(made["tag"]),
            "/notice/": _document(made["tag"], 'data-show="notice"'),
            "/spanish/": _document(made["tag"], 'data-lang="es"'),
            "/only-swap/": _document(made["tag"], 'data-show="none"'),
            "/told/": _document(made["tag"], "data-opted-out"),
            "/broken/": _document(re.sub(r'integrity="sha384-.', 'integrity="sha384-A', made["tag"])),
            "/swap.js": f'document.getElementById("number").textContent = "{SWAPPED}";',
        }
        yield host


@dataclass
class Stranger:
    """Somebody on the client's site, what the browser complained of, and what it asked our server."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)

    def number(self) -> str:
        return self.page.locator("#number").inner_text()


@contextmanager
def _on_the_site(browser: Browser, site: Site, **options: Any) -> Iterator[Stranger]:
    options.setdefault("timezone_id", "America/New_York")
    context = browser.new_context(**options)
    context.set_default_timeout(sites.PATIENCE)
    stranger = Stranger(context.new_page())
    sites.listen(stranger.page, stranger.complaints)
    stranger.page.on(
        "request",
        lambda request: stranger.asked.append(request) if request.url.startswith(site.url) else None,
    )
    try:
        yield stranger
        assert stranger.complaints == []
    finally:
        context.close()


def _settled(page: Page) -> None:
    """Until the script has asked and decided."""
    page.wait_for_load_state("networkidle")


def test_the_form_works_under_a_policy_that_allows_nothing_inline(
    browser: Browser, site: Site, host: Host
) -> None:
    with _on_the_site(browser, site) as stranger:
        page = stranger.page
        page.goto(host.url + "/")
        boxes = page.get_by_role("checkbox")
        expect(boxes).to_have_count(3)
        assert [boxes.nth(n).is_checked() for n in range(3)] == [False, False, False]
        expect(page.get_by_text(WORDS)).to_be_visible()
        button = page.get_by_role("button", name="Agree to selected")
        colour = button.evaluate("e => getComputedStyle(e).backgroundColor")
        assert colour not in {"rgba(0, 0, 0, 0)", "rgb(239, 239, 239)"}, (
            "the client's colour came without inline style"
        )

        button.click()
        expect(page.get_by_role("status")).to_have_text("Select at least one box.")
        page.get_by_label("You may record my calls.").check()
        page.get_by_label("Your phone number").fill("12")
        button.click()
        expect(page.get_by_role("status")).to_have_text(re.compile("Enter a phone number"))
        expect(page.get_by_label("Your phone number")).to_have_attribute("aria-invalid", "")
        page.get_by_label("Your phone number").fill("(415) 555-0133")
        button.click()
        expect(page.get_by_role("status")).to_contain_text(re.compile(r"Recorded at \d\d:\d\d:\d\d"))
        assert page.get_by_role("link", name="Receipt").get_attribute("href")
        assert not page.get_by_label("You may record my calls.").is_checked(), "nothing stays ticked"

        assert page.context.cookies() == []
        assert page.evaluate("localStorage.length") == 0, (
            "counting was not agreed to, so nothing is remembered"
        )
        for request in stranger.asked:
            headers = request.all_headers()
            assert "cookie" not in headers
            assert "referer" not in headers or headers["referer"] == f"{host.url}/"
            assert "5550133" not in request.url
        assert len([request for request in stranger.asked if request.method == "POST"]) == 2
        receipt = page.get_by_role("link", name="Receipt").get_attribute("href") or ""
        page.goto(receipt)
        expect(page.get_by_role("heading", name="Your receipt", level=1)).to_be_visible()
        expect(page.get_by_text("You may record my calls.")).to_be_visible()


@pytest.mark.thorough
def test_taking_back_on_the_site_is_one_press(browser: Browser, site: Site, host: Host) -> None:
    with _on_the_site(browser, site) as stranger:
        page = stranger.page
        page.goto(host.url + "/")
        page.get_by_label("Your phone number").fill("(415) 555-0134")
        page.get_by_role("button", name="Stop everything").click()
        expect(page.get_by_role("status")).to_contain_text(re.compile(r"Stopped at \d\d:\d\d:\d\d"))
        assert page.evaluate("Object.values(localStorage)") == ["no"]
        _settled(page)
        page.reload()
        expect(page.get_by_role("checkbox")).to_have_count(3)
        _settled(page)
        assert stranger.number() == PLAIN, "who took it back is shown the plain number"


def test_with_a_keyboard_alone(browser: Browser, site: Site, host: Host) -> None:
    with _on_the_site(browser, site) as stranger:
        page = stranger.page
        page.goto(host.url + "/")
        expect(page.get_by_role("checkbox")).to_have_count(3)
        names = []
        for _ in range(9):
            page.keyboard.press("Tab")
            name = page.evaluate(
                "() => { const e = document.querySelector('#call-consent').shadowRoot.activeElement;"
                " return e && `${e.value || e.textContent || e.name} ${getComputedStyle(e).outlineStyle}`; }"
            )
            names.append(str(name))
            if name == "measure solid":
                page.keyboard.press("Space")
        reached = [
            "record solid",
            "measure solid",
            "share solid",
            "number solid",
            "give solid",
            "withdraw solid",
        ]
        assert [name for name in names if name in reached] == reached, names
        assert page.get_by_label(re.compile("You may count my calls")).is_checked()
        page.get_by_label("Your phone number").focus()
        page.keyboard.type("4155550135")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("Recorded at")
        focused = page.evaluate("document.querySelector('#call-consent').shadowRoot.activeElement.id")
        assert focused == "said", "a reader is led to what happened"


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm ci")
@pytest.mark.parametrize("path", some(["/", "/notice/", "/spanish/"], one_in=3))
def test_axe_finds_nothing_in_the_form(browser: Browser, site: Site, host: Host, path: str) -> None:
    with _on_the_site(browser, site) as stranger:
        stranger.page.goto(host.url + path)
        expect(stranger.page.locator("#call-consent form")).to_be_visible()
        rules = "landmark|region|bypass|page-has-heading"
        found = [said for said in findings(stranger.page) if not re.search(rules, said)]
        assert found == []


def test_in_spanish_and_as_a_notice_alone(browser: Browser, site: Site, host: Host) -> None:
    with _on_the_site(browser, site) as stranger:
        page = stranger.page
        page.goto(host.url + "/spanish/")
        expect(page.get_by_role("button", name="Acepto lo que marqué")).to_be_visible()
        page.goto(host.url + "/notice/")
        expect(page.get_by_text(WORDS)).to_be_visible()
        expect(page.get_by_role("link", name="View or change your choices")).to_be_visible()
        assert page.get_by_role("checkbox").count() == 0
        assert page.get_by_role("button").count() == 0


def test_a_changed_script_does_not_run(browser: Browser, site: Site, host: Host) -> None:
    with _on_the_site(browser, site) as stranger:
        stranger.page.goto(host.url + "/broken/")
        _settled(stranger.page)
        assert stranger.page.locator("#call-consent form").count() == 0
        assert stranger.number() == PLAIN
        assert any("integrity" in said for said in stranger.complaints)
        stranger.complaints.clear()


# --- The number-swap ---


_WHERE = [
    ("America/New_York", "/only-swap/", SWAPPED),
    ("Pacific/Honolulu", "/only-swap/", SWAPPED),
    ("America/New_York", "/told/", PLAIN),
    ("Europe/Berlin", "/only-swap/", PLAIN),
    ("Atlantic/Canary", "/only-swap/", PLAIN),
    ("America/Martinique", "/only-swap/", PLAIN),
    ("UTC", "/only-swap/", PLAIN),
]


@pytest.mark.parametrize(
    ("zone", "path", "shown"),
    some(_WHERE, one_in=len(_WHERE), each=lambda case: (case[1:], case[0] == "UTC")),
)
def test_numbers_are_swapped_only_where_nobody_has_to_be_asked(
    browser: Browser, site: Site, host: Host, *, zone: str, path: str, shown: str
) -> None:
    with _on_the_site(browser, site, timezone_id=zone) as stranger:
        stranger.page.goto(host.url + path)
        _settled(stranger.page)
        expect(stranger.page.locator("#number")).to_have_text(shown)
        assert stranger.page.evaluate("localStorage.length") == 0
        assert stranger.page.context.cookies() == []


@pytest.mark.thorough
def test_in_europe_numbers_are_swapped_once_counting_is_agreed_to(
    browser: Browser, site: Site, host: Host
) -> None:
    with _on_the_site(browser, site, timezone_id="Europe/Berlin") as stranger:
        page = stranger.page
        page.goto(host.url + "/")
        page.get_by_label("You may record my calls.").check()
        page.get_by_label("Your phone number").fill("+49 30 901820")
        page.get_by_role("button", name="Agree to selected").click()
        expect(page.get_by_role("status")).to_contain_text("Recorded at")
        assert stranger.number() == PLAIN, "recording is not counting"
        page.get_by_label(re.compile("You may count my calls")).check()
        page.get_by_label("Your phone number").fill("+49 30 901820")
        page.get_by_role("button", name="Agree to selected").click()
        expect(page.locator("#number")).to_have_text(SWAPPED)
        page.reload()
        expect(page.locator("#number")).to_have_text(SWAPPED)
        page.get_by_label("Your phone number").fill("+49 30 901820")
        page.get_by_role("button", name="Stop everything").click()
        expect(page.get_by_role("status")).to_contain_text("Stopped at")
        page.reload()
        _settled(page)
        assert stranger.number() == PLAIN


@pytest.mark.thorough
def test_another_consent_tool_on_the_page_is_heard(browser: Browser, site: Site, host: Host) -> None:
    for tool in (
        "window.__uspapi = (command, version, tell) => tell({uspString: '1YYN'}, true);",
        "window.__gpp = (command, tell) => tell({parsedSections: {usnat: [{SaleOptOut: 1}]}}, true);",
        (
            "window.__uspapi = () => { throw new Error('broken'); };"
            "window.__gpp = (command, tell) => tell({parsedSections: {usca: [{SharingOptOut: 1}]}});"
        ),
    ):
        with _on_the_site(browser, site) as stranger:
            stranger.page.add_init_script(tool)
            stranger.page.goto(host.url + "/only-swap/")
            _settled(stranger.page)
            assert stranger.number() == PLAIN, tool
    with _on_the_site(browser, site, timezone_id="Europe/Paris") as stranger:
        stranger.page.goto(host.url + "/only-swap/")
        _settled(stranger.page)
        assert stranger.number() == PLAIN
        stranger.page.evaluate("dispatchEvent(new CustomEvent('callprivacy', {detail: 'yes'}))")
        expect(stranger.page.locator("#number")).to_have_text(SWAPPED)


@pytest.mark.parametrize("way", some(["header", "script"], one_in=2))
def test_the_privacy_signal_stops_the_swap_and_is_confirmed(
    browser: Browser, site: Site, host: Host, way: str
) -> None:
    headers = {"extra_http_headers": {"Sec-GPC": "1"}} if way == "header" else {}
    with _on_the_site(browser, site, **headers) as stranger:
        page = stranger.page
        if way == "script":
            page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
        page.goto(host.url + "/")
        expect(page.get_by_text("Opt-Out Request Honored")).to_be_visible()
        expect(page.get_by_role("checkbox")).to_have_count(2)
        _settled(page)
        assert stranger.number() == PLAIN
        page.get_by_label("You may record my calls.").check()
        page.get_by_label("Your phone number").fill("(415) 555-0136")
        page.get_by_role("button", name="Agree to selected").click()
        expect(page.get_by_role("status")).to_contain_text("Opt-Out Request Honored")
        page.goto(page.get_by_role("link", name="Receipt").get_attribute("href") or "")
        expect(page.get_by_role("heading", name="Sharing")).to_contain_text("Global Privacy Control")


# --- The pages of our own ---


def _code(page: Page, site: Site) -> str:
    """The newest code, read from the page of mails of this machine."""
    assert page.context.browser is not None
    other = page.context.browser.new_context()
    mails = other.request.get(f"{site.url}/mail/").text()
    other.close()
    found = re.search(r"code is (\d{6})", mails)
    assert found is not None
    return found[1]


def test_from_the_page_to_a_proven_phone_to_ones_choices(browser: Browser, site: Site, host: Host) -> None:
    with sites.visiting(browser, site) as visitor:
        page = visitor.page
        visitor.open(f"/c/{host.key}/consent/")
        assert page.get_by_role("checkbox", checked=True).count() == 0
        page.get_by_label("You may record my calls.").check()
        page.get_by_label("Your phone number").first.fill("(415) 555-0140")
        page.get_by_role("button", name="Agree to selected").click()
        expect(page.get_by_role("heading", name="Your receipt", level=1)).to_be_visible()
        page.get_by_role("button", name="Send me a code").click()
        page.get_by_label("6-digit code").fill("000000")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("The code is wrong")).to_be_visible()
        page.get_by_label("6-digit code").fill(_code(page, site))
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("Your phone is verified.")).to_be_visible()

        page.get_by_role("link", name="View and change your choices").click()
        page.get_by_label("Your phone number").fill("415 555 0140")
        page.get_by_role("button", name="Send me a code").click()
        page.get_by_label("6-digit code").wait_for()  # by then it was sent
        page.get_by_label("6-digit code").fill(_code(page, site))
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url("**/p/**")
        switch = page.get_by_role("switch", name="Recording")
        expect(switch).to_have_attribute("aria-checked", "true")
        switch.click()
        expect(page.get_by_role("status")).to_contain_text(re.compile(r"Stopped at \d\d:\d\d:\d\d P[SD]T"))
        expect(page.get_by_role("switch", name="Recording")).to_have_attribute("aria-checked", "false")
        page.get_by_role("button", name="Stop everything").click()
        expect(page.get_by_text("Everything is stopped.")).to_be_visible()
        page.get_by_role("switch", name="Sharing").click()
        expect(page.get_by_role("heading", name="Allow sharing again?")).to_be_visible()
        page.get_by_role("link", name="No, keep it stopped").click()
        expect(page.get_by_role("switch", name="Sharing")).to_have_attribute("aria-checked", "false")
        assert page.context.cookies() == []
        visitor.complaints[:] = [said for said in visitor.complaints if " 422 " not in said]


@pytest.mark.thorough
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm ci")
def test_axe_finds_nothing_on_the_pages_and_nothing_hangs_over_on_a_phone(
    browser: Browser, site: Site, host: Host
) -> None:
    with sites.visiting(browser, site, viewport={"width": 390, "height": 844}) as visitor:
        page = visitor.page

        def look(what: str) -> None:
            page.wait_for_load_state()
            assert findings(page) == [], what
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, what
            assert page.locator("h1").count() == 1, what
            assert page.title().endswith(" - Harbor Dental"), what

        visitor.open(f"/c/{host.key}/consent/")
        look("consent")
        page.get_by_label("Your phone number").nth(1).fill("12")
        page.get_by_role("button", name="Stop everything").click()
        look("a number that is none")
        page.get_by_label("Your phone number").nth(1).fill("(415) 555-0141")
        page.get_by_role("button", name="Stop everything").click()
        look("receipt of a no")
        visitor.open(f"/c/{host.key}/consent/?lang=es")
        look("Spanish")
        visitor.open(f"/c/{host.key}/choices/")
        look("choices")
        page.get_by_label("Your phone number").fill("(415) 555-0141")
        page.get_by_role("button", name="Send me a code").click()
        look("code")
        page.get_by_label("6-digit code").fill(_code(page, site))
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url("**/p/**")
        look("centre")
        with page.expect_navigation():
            page.get_by_role("switch", name="Sharing").click()
        look("again")


@pytest.mark.thorough
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm ci")
def test_the_staffs_page_shows_the_form_and_sends_nothing(browser: Browser, site: Site, host: Host) -> None:
    with sites.visiting(browser, site) as visitor:
        visitor.sign_in()
        visitor.open(f"/clients/{CLIENT}/consent/web/")
        page = visitor.page
        preview = page.locator("#preview")
        preview.get_by_label("You may record my calls.").check()
        preview.get_by_label("Your phone number").fill("(415) 555-0199")
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        preview.get_by_role("button", name="Agree to selected").click()
        expect(preview.get_by_role("status")).to_have_text("Preview: nothing is sent.")
        assert "POST" not in sent
        expect(page.locator("#snippet")).to_contain_text(host.key)
        assert findings(page) == []
