"""Every page of the built site at two widths: nothing is cut off, axe-core finds nothing.

    make docs && python -m pytest -m slow tests/contracts/test_site_in_a_browser.py

axe-core is no package of Python: `npm install axe-core` anywhere, and its file in the variable AXE.
Without it the rest is checked.
"""

import os
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import chromium

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("SITE", ROOT / "build" / "docs"))
AXE = os.environ.get("AXE")
RULES = {"preload": False, "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
FOUND = """async rules => (await axe.run(document, rules)).violations
  .flatMap(v => v.nodes.map(n => `${v.id}: ${n.target} ${n.html.slice(0, 90)}`))"""
CUT = """() => [...document.querySelectorAll("body *")].filter(e => e.textContent.trim()
    && ["hidden", "clip"].includes(getComputedStyle(e).overflowX)
    && e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1)
  .map(e => `${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 50)}`)"""
"""What is wider than its box and cannot be scrolled there."""
TABLES = """() => [...document.querySelectorAll(".table-wrapper")]
  .filter(e => e.scrollWidth > e.clientWidth + 1)
  .filter(e => e.querySelectorAll("tr:first-child th").length < 5)
  .map(e => e.textContent.trim().slice(0, 50))"""
"""Tables of a few columns that have to be scrolled."""
WIDE = "() => document.documentElement.scrollWidth - innerWidth"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    if not SITE.is_dir():
        pytest.skip(f"there is no {SITE}: make docs")
    yield from chromium.started()


@pytest.mark.timeout(0)
def test_pages_are_whole_and_can_be_read_by_all(browser):
    pages = sorted(page.relative_to(SITE) for page in SITE.rglob("*.html"))
    assert len(pages) > 40
    wrong = []
    page = browser.new_page()
    failed = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("request", lambda r: None if r.url[:5] in ("file:", "data:") else failed.append(r.url))
    for width in chromium.WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for name in pages:
            page.goto((SITE / name).as_uri())
            beyond = page.evaluate(WIDE)
            wrong += [f"{name} {width}: {beyond} pixels too wide"] * (beyond > 0)
            wrong += [f"{name} {width}: cut off: {text}" for text in page.evaluate(CUT)]
            if width > 1000:
                wrong += [f"{name}: a table is too wide: {text}" for text in page.evaluate(TABLES)]
            if AXE:
                page.add_script_tag(path=AXE)
                wrong += [f"{name} {width}: {text}" for text in page.evaluate(FOUND, RULES)]
            wrong += [f"{name} {width}: asks for {url}" for url in failed]
            failed.clear()
    if not AXE:
        print("axe-core was not run: AXE=node_modules/axe-core/axe.min.js")
    assert not wrong, "\n".join(wrong)


def test_no_link_of_the_site_is_broken():
    if not SITE.is_dir():
        pytest.skip(f"there is no {SITE}: make docs")
    texts = {page: page.read_text() for page in SITE.rglob("*.html")}
    ids = {page: set(re.findall(r'\bid="([^"]+)"', text)) for page, text in texts.items()}
    broken = []
    for page, text in texts.items():
        for link in set(re.findall(r'(?:href|src)="([^"]+)"', text)):
            url = urlsplit(unescape(link))
            if url.scheme or not (url.path or url.fragment):
                continue
            goal = (page.parent / unquote(url.path)).resolve() if url.path else page
            anchor = unquote(url.fragment)
            there = goal.exists() and (not anchor or goal not in ids or anchor in ids[goal])
            broken += [f"{page.relative_to(SITE)}: {link}"] * (not there)
    assert not broken, "\n".join(sorted(broken))
