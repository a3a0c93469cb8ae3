"""The page as a whole: what is in it, what is not, and what hostile text does to it."""

import json
import re
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from localdistill import report
from localdistill.errors import ConfigError
from localdistill.report import svg
from tests.report.making import RIGHT, Making, write

HOSTILE = "</code></pre></script><script>alert(1)</script><img src=x onerror=alert(1)>"
VOID = {"meta", "link", "br", "img", "input", "hr"}
REACHES_OUT = {"src", "srcset", "action", "formaction", "data", "poster", "background"}


class Reader(HTMLParser):
    """Collects a page's elements and text, and checks that tags are closed in order."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.words, self.open = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


def page_of(making):
    return Reader(report.render(making.path))


def harmless(page):
    """Nothing in it can run or reach out, whatever it holds."""
    assert "script" not in page.tags
    assert "img" not in page.tags
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in REACHES_OUT
        if name in ("href", "xlink:href"):
            assert value.startswith("#") or value == "data:,", (tag, value)
    return True


def test_a_finished_run_shows_everything(finished):
    page = page_of(finished)
    assert harmless(page)
    for said in (
        "Better: +26.8 points in pass@1",
        "tiny-coder",
        "pass@2",
        "never solved",
        "wrong result",
        "Newly solved: never before, at least once now (3 problems)",
        "Newly broken: at least once before, never now (1 problem)",
        "Of 40 completions 12 were kept (30.0%), on 4 of 5 problems",
        "dropped: failed tests",
        "0.6000 before, 0.2170 after",
        "T eff = T sample × T decode = 1 × 1 = 1",
        "2 of 3 checks of the exported file passed, 1 could not be made",
        "KL to F16 3.2e-06",
        "2 min 38 s of work, 4,900 tokens",
        "tier 3 (namespaces)",
        "A hole in the kernel.",
        "train/9",
        "The comparison finds a gain of 11.2 points.",
        "ab" * 32,
        "temperature first, then top-k",
    ):
        assert said in page.text, said
    assert page.tags.count("h1") == 1
    assert page.tags.count("svg") == 5


def test_plots_are_named_for_who_cannot_see_them_and_tables_have_captions(finished):
    page = page_of(finished)
    assert page.tags.count("caption") == page.tags.count("table") > 5
    roles = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "role")]
    assert roles == ["img"] * page.tags.count("svg")
    assert page.tags.count("title") == 1 + len(roles)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for tag, name, value in page.attributes:
        if name == "aria-labelledby":
            assert set(value.split()) <= set(ids), tag
        if name in ("href", "xlink:href") and value.startswith("#"):
            assert value[1:] in ids


def test_plots_have_no_colours_of_their_own(finished):
    html = report.render(finished.path)
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert drawings
    for drawing in drawings:
        assert "var(--" in drawing
        assert not re.search(r"#[0-9a-f]{6}\b", drawing)


def test_the_same_run_gives_the_same_page(finished):
    assert report.render(finished.path) == report.render(finished.path)


def test_what_only_some_runs_have(finished):
    finished.extras()
    page = page_of(finished)
    assert harmless(page)
    for said in (
        "with its own best decoding",
        "temperature 0.2, top-p 0.95",
        "alone moves it by +15.0 points on dev, from 40.0% to 55.0%",
        "a gain of +11.2 points in 4 of 5",
        "references",
        "on about 5,000 tokens each",
        "hybrid gave no model: It selects nothing.",
        "1.75",
        "Stopped after round 1: Nothing was gained.",
        "The last round.",
        "it has kept within all bounds",
        "surprise at good answers",
    ):
        assert said in page.text, said
    assert page.tags.count("svg") == 8


def test_each_round_has_its_curve(making):
    making.trained()
    making.round = making.path / "rounds" / "02"
    making.trained()
    page = page_of(making)
    for number in (1, 2):
        assert f"Loss in training, round {number}" in page.text
    names = [value for _, name, value in page.attributes if name == "id"]
    assert len(names) == len(set(names))


def test_hostile_text_is_shown_and_does_nothing(tmp_path):
    making = Making(tmp_path / HOSTILE.replace("/", "_"), model=f"/models/{HOSTILE}.gguf")
    named = f"{HOSTILE}$x^2$"
    making.problems = [
        each.model_copy(update={"id": f"{each.id}{named}", "meta": {"difficulty": named}})
        for each in making.problems
    ]
    making.everything()
    making.evaluated(texts=(f"```python\n{HOSTILE}\u202e\x00\x1b[2J\n```", RIGHT))
    making.rejected()
    arm = {"name": named, "gain": 0.1, "gain_low": 0.0, "gain_high": 0.2}
    write(making.path / "comparison.json", {"arms": [arm]})
    page = page_of(making)
    assert harmless(page)
    assert page.text.count("<script>alert(1)</script>") > 4
    html = report.render(making.path)
    assert "<script" not in html
    assert "\\u202e\\x00\\x1b[2J" in html
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", html)


def test_a_policy_forbids_everything_else(finished):
    html = report.render(finished.path)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'content="{policy}"' in html
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_a_run_at_work_has_a_report(making):
    making.sets()
    making.events()
    page = page_of(making)
    assert harmless(page)
    assert "Not finished:" in page.text
    assert page.tags.count("svg") == 0


def test_a_rejected_run_says_why(making):
    making.rejected()
    text = page_of(making).text
    assert "No new model: the only round was rejected" in text
    assert "The check 'quantisation' failed." in text
    assert "mean KL at most 0.5" in text


def test_every_file_but_the_configuration_may_be_missing_or_damaged(finished, monkeypatch):
    finished.extras()
    monkeypatch.setattr(svg, "embedded", lambda *drawing: Markup("<svg></svg>"))  # it takes long
    files = [path for path in finished.path.rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        if path.name == "config.toml":
            continue
        path.unlink()
        assert harmless(page_of(finished)), path
        path.write_bytes(content[: len(content) // 2])
        assert harmless(page_of(finished)), path
        path.write_bytes(b'{"checks": 7, "arms": null, "curve": [3], "summary": 1}\n')
        assert harmless(page_of(finished)), path
        path.write_bytes(content)


def test_damaged_files_are_named(finished):
    (finished.path / "evaluation.json").write_text("{")
    text = page_of(finished).text
    assert "Not finished" in text
    assert "Files that could not be read 1 evaluation.json" in text


def test_it_is_written_whole_into_the_run(finished):
    assert report.write(finished.path) == finished.path / "report.html"
    assert (finished.path / "report.html").read_text() == report.render(finished.path)
    assert json.loads((finished.path / "manifest.json").read_text())["seed"] == 0


def test_no_run_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no run \(config.toml is missing\)"):
        report.render(tmp_path)
