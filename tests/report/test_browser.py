"""The report in a real browser: headless Chromium."""

import pytest

from localdistill import report
from tests import chromium
from tests.report.making import RIGHT, Making

pytestmark = pytest.mark.real

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
    """One for all tests of this file."""
    with chromium.launched() as browser:
        yield browser


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


@pytest.fixture
def opened(browser, pages):
    """Opens a report; everything that it shows is closed again after the test."""
    seen = []

    def of(name, width=1280, scheme="light"):
        seen.append(chromium.Opened(browser, pages[name], width, scheme))
        return seen[-1]

    yield of
    for each in seen:
        each.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", chromium.WIDTHS)
@pytest.mark.parametrize("name", ["whole", "rejected", "at work", "hostile"])
def test_it_fits_asks_for_nothing_and_begins_with_the_verdict(opened, name, width, scheme):
    opened(name, width, scheme).check()


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
