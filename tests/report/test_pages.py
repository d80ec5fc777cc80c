"""Pages fit wide and narrow windows, bright and dark, and break no word."""

import json

import pytest

from lib.report.template import breakable
from tests.report import test_report
from tests.review import test_speaker_review

TITLE = "data/my_recordings/of_a_long_folder_name"

# Words whose letters stand on more than one line, and how far the page is wider than the window.
LOOK = r"""(() => {
  const broken = [];
  for (const part of document.querySelectorAll("h1, h2, h3, dt, dd, p, figcaption, button, th")) {
    const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      for (const word of node.data.matchAll(/[^\s\/._-]+/g)) {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
        if (lines.size > 1) broken.push(word[0]);
      }
    }
  }
  const root = document.documentElement;
  const paper = getComputedStyle(document.body).backgroundColor;
  return {broken, excess: root.scrollWidth - root.clientWidth, paper};
})()"""


@pytest.fixture
def pages(run):
    run.names = {"spk001": "Annamaria von Trips"}
    run.source = "resources/base_model"
    run.suggestions = [test_speaker_review.DOUBT, test_speaker_review.SUGGESTION]
    run.write()
    path = run.folder / "base_model/base.json"
    base = {
        **json.loads(path.read_text()),
        "discriminator_origin": "own (discriminator.safetensors)",
    }
    path.write_text(json.dumps(base))
    report, _ = test_report.write(run, title=TITLE, overrides=None)
    review, _ = test_speaker_review.write(run, title=TITLE, overrides=None)
    return {"report": report, "review": review}


@pytest.mark.parametrize("page", ["report", "review"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_a_page_fits_its_window_and_breaks_no_word(chromium, pages, page, scheme, width):
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    chromium.call("Emulation.setDeviceMetricsOverride", **screen)
    wanted = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.call("Emulation.setEmulatedMedia", features=wanted)
    chromium.open(pages[page].as_uri())
    seen = chromium.run(LOOK)
    assert seen["broken"] == []
    assert seen["excess"] <= 0
    assert seen["paper"] == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 27, 34)"}[scheme]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("resources/base_model", "resources/<wbr>base_<wbr>model"),
        ("own (discriminator.safetensors)", "own (discriminator.<wbr>safetensors)"),
        ("1.5 s, 3-4", "1.5 s, 3-4"),
        ("</script>&", "&lt;/script&gt;&amp;"),
        ("../a__b", "../a__<wbr>b"),
    ],
)
def test_names_break_after_their_marks(text, html):
    assert breakable(text) == html
