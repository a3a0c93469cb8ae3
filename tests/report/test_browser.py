"""The report in a real browser: headless Chromium, driven by Playwright."""

import os
import shutil
from pathlib import Path

import pytest

from localdistill import report
from tests.report.making import RIGHT, Making

pytestmark = pytest.mark.real

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
COLOURS = """(names) => {
  const probe = document.body.appendChild(document.createElement("i"));
  const found = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color.match(/\\d+/g).slice(0, 3).map(Number);
  }
  probe.remove();
  return found;
}"""


@pytest.fixture(scope="module")
def browser():
    """Chromium as the system has it: nothing is downloaded."""
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


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Reports by name: of a run with all that there is, a rejected one, one at work ..."""
    folder = tmp_path_factory.mktemp("reports")
    whole = Making(folder / "whole").everything()
    whole.extras()
    rejected = Making(folder / "rejected")
    rejected.rejected()
    at_work = Making(folder / "at-work")
    at_work.sets()
    at_work.events()
    hostile = Making(folder / "hostile", model=f"/models/{'long' * 60}.gguf").everything()
    code = "```python\n" + "x = '" + "</pre><script>alert(1)</script>" * 40 + "'\n```"
    hostile.evaluated(texts=(code, RIGHT))
    made = {"whole": whole, "rejected": rejected, "at work": at_work, "hostile": hostile}
    return {name: report.write(making.path) for name, making in made.items()}


class Opened:
    """A page, and what it asked for and complained of."""

    def __init__(self, context, path: Path) -> None:
        self.requests, self.complaints = [], []
        self.page = context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.url = path.absolute().as_uri()
        self.page.goto(self.url, wait_until="load")


@pytest.fixture
def opened(browser, pages):
    """Opens a report; everything that it shows is closed again after the test."""
    contexts = []

    def of(name, width=1280, scheme="light"):
        size = {"width": width, "height": HEIGHTS[width]}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme))
        return Opened(contexts[-1], pages[name])

    yield of
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["whole", "rejected", "at work", "hostile"])
def test_it_fits_asks_for_nothing_and_begins_with_the_verdict(opened, name, width, scheme):
    seen = opened(name, width, scheme)
    page = seen.page
    assert page.locator("h1 .word").is_visible()
    box = page.locator("h1").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= HEIGHTS[width]
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVER_THE_EDGE) == []
    assert seen.requests == [seen.url]
    assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_it_stands_on(opened, scheme):
    page = opened("whole", scheme=scheme).page
    words, grounds = ("ink", "muted", "after", "good", "bad", "warn"), ("paper", "panel")
    colours = page.evaluate(COLOURS, [*words, *grounds, "gone", "new", "before"])
    light = {name: luminance(colour) for name, colour in colours.items()}
    assert (light["paper"] > 0.5) == (scheme == "light")
    for word in words:
        for ground in grounds:
            assert contrast(light[word], light[ground]) >= 4.5, (word, ground)
    for ground in ("gone", "new"):
        assert contrast(light["ink"], light[ground]) >= 4.5
    assert contrast(light["before"], light["paper"]) >= 3  # of plots


def test_it_prints_with_its_examples_open_and_on_white(opened):
    page = opened("whole", scheme="dark").page
    assert page.pdf().startswith(b"%PDF")
    page.emulate_media(media="print")
    assert page.evaluate(COLOURS, ["paper"])["paper"] == [255, 255, 255]
    closed = page.locator("details.print:not([open]) pre").first
    assert closed.bounding_box()["height"] > 20


def luminance(colour):
    """Relative luminance of WCAG 2.2."""
    shares = [value / 255 for value in colour]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Contrast ratio of WCAG 2.2, 1 to 21."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
