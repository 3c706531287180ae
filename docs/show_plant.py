"""Follows docs/plant.md, and puts what it says and draws into the page.

    python docs/show_plant.py

Takes about five minutes. Needs chromium and playwright for the page of the run.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))

from follow import copied, environment_of, follow, written

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "plant.md"
PICTURES = {
    "plant_inspect.png": "inspect.png",
    "plant_why.png": "why.png",
    "plant_week.png": "week/predictions.png",
}
WIDEST, COLOURS = 1100, 256


def main() -> None:
    """Type what the page types, and keep its pictures."""
    with tempfile.TemporaryDirectory() as parent:
        clone = Path(parent, "dualgaf")
        clone.mkdir()
        copied(clone)
        active = environment_of(Path(sys.executable).parent, PYTHONPATH=str(clone / "src"))
        text = PAGE.read_text()
        PAGE.write_text(written(text, follow(text, clone, active)))
        for name, made in PICTURES.items():
            keep((clone / made).read_bytes(), DOCS / name)
        keep(photograph(clone / "runs" / "plant" / "report.html"), DOCS / "plant_report.png")


def photograph(page: Path) -> bytes:
    """The top of a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        shown = browser.new_page(viewport={"width": 1100, "height": 1000})
        shown.goto(page.resolve().as_uri())
        shot = shown.screenshot()
        browser.close()
    return shot


def keep(picture: bytes, path: Path) -> None:
    """A picture in few colours, no wider than a page."""
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        small = image.convert("RGB")
        small.thumbnail((WIDEST, WIDEST * 3), Image.Resampling.LANCZOS)
        small.quantize(COLOURS).save(path, format="png", optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
