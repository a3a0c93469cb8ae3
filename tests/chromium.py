"""Chromium as the system has it, headless, driven by Playwright; and what must hold of a report."""

import contextlib
import os
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
HEIGHTS = {1280: 800, 400: 800}
WIDTHS = list(HEIGHTS)
# What reaches over the right edge, as its path in the page; what is hidden from sight is not.
OVER_THE_EDGE = """() => {
  const found = [];
  for (const one of document.querySelectorAll("body *:not(svg *)")) {
    const box = one.getBoundingClientRect();
    if (box.width > 1 && (box.right > innerWidth + 1 || box.left < -1)) {
      found.push(`${one.tagName} ${one.className} ${box.left}..${box.right}`);
    }
    if (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible"
        && box.width > 1) {
      found.push(`${one.tagName} ${one.className} scrolls`);
    }
  }
  return found;
}"""


@contextlib.contextmanager
def launched():
    """A browser. Without Chromium the test is skipped, but in CI it fails."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = "no Chromium on this machine: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


class Opened:
    """A page, and what it asked for and complained of."""

    def __init__(self, browser, path: Path, width: int = 1280, scheme: str = "light") -> None:
        size = {"width": width, "height": HEIGHTS[width]}
        context = browser.new_context(viewport=size, color_scheme=scheme)
        self.width = width
        self.requests, self.complaints = [], []
        self.page = context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.url = path.absolute().as_uri()
        self.page.goto(self.url, wait_until="load")

    def check(self) -> None:
        """The verdict is seen without scrolling, all fits, nothing was asked for or went wrong."""
        page, width = self.page, self.width
        assert page.locator("h1 .word").is_visible()
        box = page.locator("h1").bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= HEIGHTS[width]
        page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVER_THE_EDGE) == []
        assert self.requests == [self.url]
        assert self.complaints == []

    def close(self) -> None:
        """The page and all that belongs to it."""
        self.page.context.close()
