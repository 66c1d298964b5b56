"""The sample pages in a real browser under the real policy: nothing refused, nothing for axe-core to find."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import django_htmx
import pytest
from django.conf import settings
from django.utils.csp import build_policy
from playwright.sync_api import Browser, Page

from tests import scale
from tests.browser import site as sites
from tests.browser.axe import AXE, Looks, Theme, findings
from tests.look import pages

ROOT = Path(__file__).parents[2]
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
FOLDERS = [ROOT / "static", Path(django_htmx.__file__).parent / "static"]

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.look.urls")]


class Answer(BaseHTTPRequestHandler):
    """Serves one set of pages and the static files, with the policy of the settings."""

    def __init__(self, html: dict[str, str], policy: str, *arguments: Any) -> None:
        self.html, self.policy = html, policy
        super().__init__(*arguments)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class names it so)
        """Say nothing."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/static/"):
            found = [folder / path[8:] for folder in FOLDERS if (folder / path[8:]).is_file()]
            kind, body = TYPES.get(Path(path).suffix, ""), found[0].read_bytes() if found else b""
        else:
            kind, body = "text/html; charset=utf-8", self.html.get(path.strip("/"), "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", self.policy)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def address() -> Iterator[str]:
    html = {name: page() for name, page in pages.PAGES.items()}
    policy = build_policy(settings.SECURE_CSP)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Answer, html, policy))
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sites.launched() as found:
        yield found


def opened(browser: Browser, url: str, *, width: int, theme: Any) -> tuple[Page, list[str]]:
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme).new_page()
    said: list[str] = []
    page.on(
        "console", lambda message: said.append(message.text) if message.type in {"warning", "error"} else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    return page, said


@pytest.fixture(scope="module")
def measured() -> Looks | None:
    return scale.times(Looks(), None)


@pytest.mark.thorough
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm ci")
@pytest.mark.parametrize("name", scale.some(pages.PAGES, one_in=3))
@pytest.mark.parametrize(
    ("width", "themes"), scale.some([(390, ("dark", "light")), (1440, ("light", "dark"))], one_in=2)
)
def test_page_is_clean(
    browser: Browser,
    address: str,
    measured: Looks | None,
    *,
    name: str,
    width: int,
    themes: tuple[Theme, ...],
) -> None:
    page, said = opened(browser, f"{address}/{name}", width=width, theme=themes[0])
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    # Every page in both themes, in the suite each at a width of its own.
    assert findings(page, themes=scale.times(themes[:1], themes), measured=measured) == []
    assert said == []
    page.context.close()


@pytest.mark.thorough
def test_revealed_value_leaves_the_page_at_zero(browser: Browser, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    page.goto(f"{address}/parts")
    assert page.get_by_text("+1 202 555 0143").is_visible()

    page.clock.run_for(61_000)

    assert "555 0143" not in page.content()
    assert page.get_by_text("The number is hidden again.").is_visible()


def test_typed_phrase_enables_what_cannot_be_undone(browser: Browser, address: str) -> None:
    page, _ = opened(browser, f"{address}/parts", width=1440, theme="light")
    button = page.get_by_role("button", name="Erase 412 calls")
    assert button.is_disabled()

    page.get_by_label("Type blue-harbour to confirm").fill("blue-harbour")

    assert button.is_enabled()


@pytest.mark.thorough
def test_chosen_theme_stays_over_pages(browser: Browser, address: str) -> None:
    page, _ = opened(browser, f"{address}/calls", width=1440, theme="light")
    page.get_by_label("You: Alice Moreau").click()
    page.get_by_label("Dark", exact=True).check(force=True)

    page.goto(f"{address}/parts")

    assert page.locator("html").get_attribute("data-theme") == "dark"


@pytest.mark.thorough
def test_menu_opens_on_a_narrow_screen_and_closes_with_escape(browser: Browser, address: str) -> None:
    page, _ = opened(browser, f"{address}/calls", width=390, theme="light")
    page.get_by_role("button", name="Menu", exact=True).click()
    drawer = page.get_by_role("dialog", name="Menu")
    assert drawer.get_by_role("link", name="Settings").is_visible()

    page.keyboard.press("Escape")

    assert not drawer.is_visible()


@pytest.mark.thorough
def test_ticked_rows_bring_the_bulk_bar(browser: Browser, address: str) -> None:
    page, _ = opened(browser, f"{address}/calls", width=1440, theme="light")
    assert not page.get_by_text("picked").is_visible()

    page.get_by_label("All", exact=True).check()

    assert page.get_by_text("14 picked").is_visible()
