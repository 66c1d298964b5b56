"""axe-core beside a page's policy, in both themes or in one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from tests.browser.site import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page

AXE = ROOT / "node_modules/axe-core/axe.min.js"

type Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")

# Of a long table the first rows stand for all: they come from the same lines of a template.
_FEWER_ROWS = (
    "for (const body of document.querySelectorAll('tbody'))"
    " while (body.rows.length > 8) body.rows[8].remove()"
)

# What is written alike is measured twice, not a hundred times: the first two of those that have the same tags, classes
# and colours all the way up, for a contrast takes as long to find out as all other rules together. Who looks at many
# pages hands on how often each was measured. A look is told by 53 bits of what makes it (cyrb53).
_LOOKS = """(known => {
    const ways = new Map(), said = new Map(known);
    const mark = (...parts) => {
        let a = 0xdeadbeef, b = 0x41c6ce57;
        for (const letter of parts.join(' ')) {
            const n = letter.codePointAt(0);
            a = Math.imul(a ^ n, 2654435761);
            b = Math.imul(b ^ n, 1597334677);
        }
        a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
        b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
        return 4294967296 * (2097151 & b) + (a >>> 0);
    };
    const way = e => {
        if (!e) return 0;
        if (!ways.has(e)) {
            const s = getComputedStyle(e);
            ways.set(e, mark(way(e.parentElement || e.getRootNode().host), e.localName, e.getAttribute('class'),
                e.getAttribute('type'), s.backgroundColor, s.backgroundImage, s.opacity, s.filter, s.mixBlendMode,
                s.position, s.visibility, s.overflow, s.clipPath,
                e.matches(':disabled, [aria-disabled=true], [hidden]'), e.control?.disabled));
        }
        return ways.get(e);
    };
    const look = e => {
        const s = getComputedStyle(e), text = e.value || e.placeholder
            || [...e.childNodes].map(n => n.nodeType === 3 ? n.data.trim() : '').join('');
        if (!text) return e.removeAttribute('data-look');
        const key = mark(way(e), s.color, s.fontSize, s.fontWeight, s.fontFamily, s.textShadow, s.webkitTextStroke,
            text.length === 1, /[\\p{L}\\p{N}]/u.test(text), e.checkVisibility({visibilityProperty: true}));
        said.set(key, (said.get(key) || 0) + 1);
        e.toggleAttribute('data-look', said.get(key) <= 2);
    };
    const through = root => root.querySelectorAll('*').forEach(e => {
        look(e);
        if (e.shadowRoot) through(e.shadowRoot);
    });
    through(document);
    axe.configure({rules: [{id: 'color-contrast', selector: '[data-look]'}]});
    return JSON.stringify([...said].map(([key, times]) => [key, Math.min(times, 2)]));
})"""

Looks = dict[int, int]
"""How often each look was measured."""


def stays_with(page: Page) -> None:
    """Let axe-core be on every page that is opened from now on: quicker, where it looks at many."""
    page.add_init_script(path=AXE)


def findings(
    page: Page, *, framed: bool = False, themes: Sequence[Theme] = THEMES, measured: Looks | None = None
) -> list[str]:
    """
    What axe-core finds, injected through the browser's protocol beside the policy.

    The page is not as it was afterwards: long tables have lost rows.

    :param framed: leave out the menu and the bar at the top, which are the same on every page of a person.
    :param themes: in which it looks: at everything in the first, in another one at colours alone.
    :param measured: what was measured on other pages of the same walk; what is new here is added.
    """
    looks: Looks = {} if measured is None else measured
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": _FEWER_ROWS})
    there = session.send("Runtime.evaluate", {"expression": "typeof axe === 'object'", "returnByValue": True})
    if not there["result"]["value"]:
        session.send("Runtime.evaluate", {"expression": AXE.read_text()})
    found: list[str] = []
    part = json.dumps({"exclude": [[".rail"], [".topbar"]]}) if framed else "document"
    for theme in themes:
        # Only colours differ between themes: what stands on the page is looked at once.
        only = "" if theme == themes[0] else "runOnly: ['color-contrast', 'link-in-text-block'], "
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        told = session.send(
            "Runtime.evaluate",
            {"expression": f"{_LOOKS}({json.dumps(list(looks.items()))})", "returnByValue": True},
        )
        if measured is not None:
            looks |= dict(json.loads(told["result"]["value"]))
        answer = session.send(
            "Runtime.evaluate",
            {
                "expression": f"axe.run({part}, {{{only}resultTypes: ['violations'], preload: false, "
                "iframes: false}).then(r => JSON.stringify(r.violations.map("
                "v => v.id + ': ' + v.nodes[0].html.slice(0, 160) + v.nodes[0].any.map(a => a.message))))",
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        found += [f"{theme}: {said}" for said in json.loads(answer["result"]["value"])]
    session.detach()
    return found
