"""A Chromium without a screen, asked by playwright what it shows of a file."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")

WIDER = """() => [...document.querySelectorAll("*")]
  .filter(e => (e.clientWidth > 0 && e.scrollWidth > e.clientWidth)
               || e.getBoundingClientRect().right > innerWidth + 0.5)
  .map(e => `${e.tagName} ${(e.textContent || "").trim().slice(0, 40)}`)"""
"""What is cut off, or stands out of the page."""

FAINT = """() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  let texts = 0;
  while (walk.nextNode()) {
    const text = walk.currentNode.nodeValue.trim(), own = walk.currentNode.parentElement;
    if (!text || own.closest("script, style")) continue;
    texts += 1;
    const [a, b] = [numbers(getComputedStyle(own).color), ground(own)].map(light);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return texts > 5 ? found : ["there is no text"];
}"""
"""Texts whose contrast is below 4.5, by the formula of WCAG 2."""

PICTURES = """() => [...document.querySelectorAll("img, svg")]
  .filter(e => e.tagName === "IMG" ? !(e.alt.trim() && e.naturalWidth > 0)
                                   : !e.getAttribute("aria-label"))
  .map(e => e.outerHTML.slice(0, 80))"""
"""Pictures that do not load, or say nothing."""


class Looked:
    """What a browser saw of a page: in its console, on its way out, on its screen."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))

    def check(self, path: Path) -> None:
        """Open a file and assert all that holds for every page."""
        url = path.resolve().as_uri()
        self.page.goto(url)
        for width in WIDTHS:
            for scheme in SCHEMES:
                self.page.set_viewport_size({"width": width, "height": 900})
                self.page.emulate_media(color_scheme=scheme)
                assert self.page.evaluate(WIDER) == [], (width, scheme)
                assert self.page.evaluate(FAINT) == [], (width, scheme)
        assert self.page.evaluate(PICTURES) == []
        assert self.said == []
        # Pictures that are in the page are asked for, too; nothing else is.
        assert {asked for asked in self.asked if not asked.startswith("data:")} == {url}

    def text(self, part: str) -> str:
        """What a section says, by the id of its title."""
        return str(self.page.locator(f"section:has(#{part})").inner_text())


def started() -> Iterator[Any]:
    """One browser; skipped with the reason where there is none."""
    if PROGRAM is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox.
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield browser
        browser.close()
