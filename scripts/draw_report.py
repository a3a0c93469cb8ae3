"""Draw docs/report.png, the head of a run's report, in Chromium.

.venv/bin/python scripts/draw_report.py runs/seed docs/report.png
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from localdistill import report

SIZE = {"width": 1080, "height": 1380}
COLOURS = 255  # of the picture: the page has few, and so it stays small


def main() -> None:
    """Parse the command line and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument("out", type=Path, help="a PNG file")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or parser.error("there is no chromium on this machine")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = report.write(options.run, Path(folder) / "report.html")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(page_file.as_uri())
        picture = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    picture.convert("RGB").quantize(COLOURS).save(options.out, optimize=True)


if __name__ == "__main__":
    main()
