"""Trains a plant and a sweep for a few epochs, and photographs their pages for docs/report.md.

    python docs/show_report.py

What is in runs/report already is not trained again. It prints sizes, times, and what the browser
said. Needs chromium and playwright, and the plant's data in ../shared/data.
"""

import io
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = Path("runs") / "report"
PLANT, SWEEP = RUNS / "plant", RUNS / "sweep"
DAYS = "[2007-08-29,2009-05-05]"
TRAINED = {
    PLANT: [
        *("experiment=mzvav_2_1", f"data.split.test_groups={DAYS}", "trainer.max_epochs=20"),
        f"hydra.run.dir={PLANT}",
    ],
    SWEEP: [
        *("-m", "ablation=full,no_stat,images_only,no_kernels", "seed=0,1,2"),
        *("data=simulated", "data.n_windows=200", "trainer.max_epochs=2", "refit=false"),
        f"hydra.sweep.dir={SWEEP}",
    ],
}
PAGES = {"plant": PLANT / "report.html", "sweep": SWEEP / "index.html"}
WIDTHS, HEIGHTS = {"wide": 1280, "narrow": 390}, {"wide": 2300, "narrow": 2000}
COLOURS = 256


def main() -> None:
    """Train, make the pages with all of their pictures, photograph them."""
    for folder, words in TRAINED.items():
        if (ROOT / folder).exists():
            continue
        begun = time.perf_counter()
        subprocess.run([sys.executable, "train.py", *words], cwd=ROOT, check=True)
        took = time.perf_counter() - begun
        for log in (ROOT / folder).glob("train.log"):
            page_s = float(re.findall(r"page: .* \(([\d.]+) s\)", log.read_text())[-1])
            print(f"{folder}: {took:.0f} s, its page {page_s} s of them, {page_s / took:.1%}")
    for folder in TRAINED:  # all pictures of windows, too
        words = ["-m", "dualgaf", "report", str(folder)]
        subprocess.run([sys.executable, *words], cwd=ROOT, check=True)
    for page in PAGES.values():
        print(f"{page}: {(ROOT / page).stat().st_size / 1e3:.0f} kB")
    photograph()


def photograph() -> None:
    """Write docs/report_PAGE_WIDTH_SCHEME.png, and print what the browser said and asked for."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, path in PAGES.items():
            page, said, asked = browser.new_page(), [], set()
            page.on("console", lambda message, said=said: said.append(message.text))
            page.on("request", lambda request, asked=asked: asked.add(request.url[:5]))
            page.goto((ROOT / path).resolve().as_uri())
            for width, pixels in WIDTHS.items():
                for scheme in ("light", "dark"):
                    page.set_viewport_size({"width": pixels, "height": 900})
                    page.emulate_media(color_scheme=scheme)
                    high = page.evaluate("document.documentElement.scrollHeight")
                    clip = {"x": 0, "y": 0, "width": pixels, "height": min(high, HEIGHTS[width])}
                    shot = page.screenshot(full_page=True, clip=clip)
                    write(shot, ROOT / "docs" / f"report_{name}_{width}_{scheme}.png")
            page.set_viewport_size({"width": 1280, "height": 900})
            page.emulate_media(color_scheme="light")
            for part in ("mistakes", "spoke"):
                section = page.locator(f"section:has(#{part})")
                if section.count():
                    shot = section.locator("figure img").first.screenshot()
                    write(shot, ROOT / "docs" / f"report_{name}_{part}.png")
            print(f"{path}: console {said or 'empty'}; asked for {', '.join(sorted(asked))}")
        browser.close()


def write(shot: bytes, path: Path) -> None:
    """A photograph in few colours."""
    from PIL import Image

    with Image.open(io.BytesIO(shot)) as image:
        image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(
            path, format="png", optimize=True
        )
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
