import base64
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser

import av
import numpy as np
import pytest

from lib.evaluation.composite import COLUMNS, summarise
from lib.evaluation.quality import Quality
from lib.files import write_json
from lib.report.players import encode_mp3
from lib.report.report import MAX_ROWS, MAX_SENTENCES, ReportPaths, write_report
from lib.report.training_plots import plot_training
from lib.tables import write_table
from tests.fixtures.made_run import hum, write_log
from tests.report.test_corpus_plots import draw_corpus, draw_speakers
from tests.report.test_sample_plots import draw as draw_samples

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&"
VOID = {"wbr", "meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects tags with attributes, text by enclosing tag, and checks that tags nest."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def words(self):
        return " ".join(" ".join(self.text).split())


# What a run has only where it was asked for.
MORE = {"checkpoints": "quality/checkpoints.tsv", "transcripts": "transcripts/after.json"}


def write_quality(folder, quality):
    """Write what was measured, as rule measure_quality does."""
    paths = [folder / f"{what}.json" for what in ("recordings", "before", "after")]
    for path in paths:
        write_json(path, quality.get(path.stem, {}))
    return paths


def write(run, title="recordings", figures=True, quality=None, overrides="config/speakers.yaml"):
    """Write a run's report, with all figures or without any."""
    folder = run.folder / "report"
    if figures:
        draw_corpus(run)
        draw_speakers(run)
        draw_samples(run)
        log = write_log(run.folder / "tensorboard", validation=run.validation)
        plot_training(log, run.folder / "training.json", folder / "training")
    path = folder / "report.html"
    paths = ReportPaths(
        manifest=run.folder / "manifest.tsv",
        rejected=run.folder / "rejected.tsv",
        registry=run.folder / "speakers/registry.json",
        text=run.folder / "text",
        base_model=run.folder / "base_model",
        training=run.folder / "training.json",
        samples=run.folder / "samples",
        clips=run.folder / "clips",
        quality=write_quality(run.folder / "quality", quality or {}),
        figures={name: folder / name for name in ("voices", "training", "corpus", "speakers")},
        **{name: file for name, path in MORE.items() if (file := run.folder / path).is_file()},
    )
    write_report(paths, title, "eng", overrides, path)
    return path, Page(path.read_text("utf-8"))


def test_every_speaker_has_players_and_a_recording(run):
    run.texts = {f"{n:02d}": f"sentence number {n}" for n in range(1, MAX_SENTENCES + 3)}
    run.names = {"spk001": "Anna"}
    _, page = write(run.write(), figures=False)
    players = page.all("audio")
    assert len(players) == 2 * (MAX_SENTENCES + 1)
    assert all(player["aria-label"] and "controls" in player for player in players)
    sections = [section["aria-label"] for section in page.all("section")]
    assert sections[:2] == ["spk000", "spk001 · Anna"]
    recordings = [p["aria-label"] for p in players if p["aria-label"].startswith("Recording")]
    assert recordings == [
        "Recording clip_spk000_0: what was said",
        "Recording clip_spk001_0: what was said",
    ]


def test_what_the_choice_of_the_best_rests_on_is_said(run):
    path, _ = write(run.write(), figures=False)
    html = path.read_text("utf-8")
    assert "best: epoch 6, by a score that is 92% mel loss" in html
    assert "has changed since these weights were trained" not in html


def test_weights_of_other_code_are_named(run):
    run.code = {"now": "c3", "trained_by": [{"code": "b2", "from_step": 0}], "is_other": True}
    path, _ = write(run.write(), figures=False)
    html = path.read_text("utf-8")
    assert "has changed since these weights were trained (from b2 to c3)" in html
    assert "set training.resume: false" in html


def test_players_hold_the_sounds(run):
    _, page = write(run.write(), figures=False)
    source = page.all("audio")[0]["src"]
    assert source.startswith("data:audio/mpeg;base64,")
    with av.open(io.BytesIO(base64.b64decode(source.split(",")[1]))) as file:
        samples = np.concatenate([f.to_ndarray()[0] for f in file.decode(audio=0)])
        rate = file.streams.audio[0].rate
    assert len(samples) / rate == pytest.approx(0.5, abs=0.1)
    loudest = np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples)
    assert loudest == pytest.approx(440, abs=10)


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 12_345])
def test_sounds_of_any_rate_are_encoded(sample_rate):
    with av.open(io.BytesIO(encode_mp3(hum(0.5), sample_rate))) as file:
        seconds = sum(frame.samples for frame in file.decode(audio=0)) / 24_000
    assert seconds == pytest.approx(8_000 / sample_rate, abs=0.08)


def test_the_page_needs_nothing_from_outside(run):
    path, page = write(run.write())
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value[:80])
    html = path.read_text("utf-8")
    assert "http:" not in html and "https:" not in html and "url(" not in html
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    policy = page.all("meta")[2]["content"]
    assert "default-src 'none'" in policy
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link["href"][1:] for link in page.all("a")} == targets


def test_every_figure_is_there_and_described(run):
    _, page = write(run.write())
    pictures = page.all("img")
    alternatives = [picture["alt"] for picture in pictures]
    assert len(pictures) == 9
    assert any(text.startswith("Speaker map. 7 clips of 2 speakers") for text in alternatives)
    assert all(len(text) > 30 for text in alternatives)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def test_hostile_text_stays_text(run):
    run.clip_text, run.texts = HOSTILE, {"01": HOSTILE}
    run.names = {"spk000": HOSTILE}
    run.rejected = [("clip", HOSTILE, "audio", HOSTILE, HOSTILE, HOSTILE)]
    run.characters = [(HOSTILE, HOSTILE, "1", "1", HOSTILE)]
    run.suggestions = [
        {
            "reason": "several_speakers",
            "speakers": ["spk000"],
            "groups": [["a"], ["b"]],
            "lines": HOSTILE,
        }
    ]
    run.source = HOSTILE
    path, page = write(run.write(), title=HOSTILE)
    assert not page.all("script")
    assert all("onerror" not in attributes for _, attributes in page.tags)
    assert len(page.all("img")) == 9
    assert "alert('x')" in page.words()
    assert path.read_text("utf-8").count(HOSTILE) == 0


def test_numbers_and_tables(run):
    run.rejected = [("gone", "row 9", "audio", "too_short", "0.2", "shorter than 0.5 s")]
    run.characters = [
        ("é", "LATIN SMALL LETTER E WITH ACUTE", "3", "2", "written as 'e'"),
        ("a", "LATIN SMALL LETTER A", "9", "5", "known"),
    ]
    run.labels = {"spk001": "anna"}
    run.names = {"spk001": "anna"}
    run.suggestions = [
        {
            "reason": "one_speaker",
            "speakers": ["spk000", "spk001"],
            "groups": [["a"] * 4, ["b"]],
            "lines": "merge:\n  - [spk000, spk001]\n",
        }
    ]
    words = write(run.write(), figures=False)[1].words()
    assert "Clips in the dataset 7 5 train, 2 validation" in words
    assert "Clips rejected 1" in words and "Speakers 2" in words and "Speech 17.5 s" in words
    assert "Epochs 8 best: epoch 6" in words
    assert "Steps 320 2 skipped" in words
    assert "gone too short shorter than 0.5 s 0.2 row 9" in words
    assert "spk001 anna source 2 1 10.5 s" in words
    assert "spk000 and spk001 · anna may be the same speaker: groups of 4 and 1 clips" in words
    assert "merge: - [spk000, spk001]" in words
    assert "é LATIN SMALL LETTER E WITH ACUTE 3 2 written as 'e'" in words
    assert "2 different characters. The base model does not know 1 of them" in words
    assert "LATIN SMALL LETTER A 9" not in words


def test_long_lists_are_cut_and_say_so(run):
    run.rejected = [(f"c{n}", "row", "audio", "silent", "", "") for n in range(MAX_ROWS + 7)]
    words = write(run.write(), figures=False)[1].words()
    assert f"c{MAX_ROWS - 1} silent" in words and f"c{MAX_ROWS} silent" not in words
    assert "And 7 more; rejected.tsv lists them all" in words


def test_the_licence_is_told(run):
    run.source = "facebook/mms-tts-hak"
    words = write(run.write(), figures=False)[1].words()
    assert "CC BY-NC 4.0" in words and "tiny random model" not in words


def test_nothing_rejected_nothing_validated_one_speaker(run):
    run.clips_per_speaker, run.validation = {"spk000": 1}, False
    words = write(run.write())[1].words()
    assert "nothing to validate on" in words
    assert "No clip was rejected." in words
    assert "No clip was held out" in words


def test_a_speaker_without_clips_still_has_a_voice(run):
    run.clips_per_speaker = {"spk000": 2, "spk001": 0}
    _, page = write(run.write(), figures=False)
    assert len(page.all("audio")) == 5


def test_a_recording_with_the_same_text_is_preferred(run):
    run.write()
    manifest = run.folder / "manifest.tsv"
    lines = manifest.read_text("utf-8").splitlines()
    lines[3] = lines[3].replace("what was said", "another")
    manifest.write_text("\n".join(lines) + "\n", "utf-8")
    _, page = write(run, figures=False)
    labels = [player["aria-label"] for player in page.all("audio")]
    assert "Recording clip_spk000_2: another" in labels


def test_chromium_plays_and_shows_it(run, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    path, page = write(run.write())
    # The page forbids scripts; a copy without that rule, and with one, tells what was loaded.
    probe = """<script>addEventListener("load", () => setTimeout(() => {
        const sounds = [...document.querySelectorAll("audio")].filter(a => a.duration > 0.4);
        const pictures = [...document.images].filter(i => i.naturalWidth > 100);
        document.body.dataset.loaded = `${sounds.length} ${pictures.length}`;
    }, 500))</script>"""
    html = re.sub(r"<meta http-equiv[^>]*>", "", path.read_text("utf-8"))
    copy = tmp_path / "copy.html"
    copy.write_text(html.replace("</body>", f"{probe}</body>"), "utf-8")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=4000"]
    shown = subprocess.run(
        [*command, "--dump-dom", copy.as_uri()], capture_output=True, text=True, timeout=120
    )
    loaded = re.search(r'data-loaded="(\d+) (\d+)"', shown.stdout)
    assert loaded, shown.stderr[-2000:]
    assert loaded.groups() == (str(len(page.all("audio"))), str(len(page.all("img"))))


MEASURED = {
    "sentences": 10,
    "sentences_tested": 9,
    "sentences_understood": 8,
    "words_understood": 7,
    "own_similarity": 0.912,
    "other_similarity": 0.634,
    "distortion": 5.43,
    "length_ratio": 1.071,
    "pitch_ratio": 0.982,
    "naturalness": 3.21,
}


def test_quality_is_shown_before_and_after(run):
    run.names = {"spk001": "Anna"}
    after = {"spk000": MEASURED, "spk001": MEASURED | {"words_understood": 9}}
    before = {"spk000": MEASURED | {"sentences_understood": 2}, "spk001": MEASURED}
    words = write(run.write(), figures=False, quality={"before": before, "after": after})[1].words()
    assert "spk000 before 2 of 9 7 of 9 0.91 0.63 5.4 dB 1.07 0.98 3.21" in words
    assert "spk000 after 8 of 9 7 of 9 0.91 0.63 5.4 dB 1.07 0.98 3.21" in words
    assert "spk001 · Anna after 8 of 9 9 of 9 0.91 0.63 5.4 dB 1.07" in words


def test_what_was_not_measured_is_left_empty(run):
    not_tested = {
        "sentences_tested": 0,
        "sentences_understood": None,
        "words_understood": None,
        "other_similarity": None,
        "pitch_ratio": None,
        "naturalness": None,
    }
    words = write(run.write(), figures=False, quality={"after": {"spk000": MEASURED | not_tested}})[
        1
    ]
    assert "spk000 after 0.91 5.4 dB 1.07" in words.words()


def test_kept_checkpoints_are_shown(run):
    run.write()
    assert "No checkpoint was measured." in write(run, figures=False)[1].words()
    quality = Quality(**{**MEASURED, "sentences_understood": 9})
    rows = [
        summarise("recordings", None, [quality], "base model"),
        summarise("epoch 25", 25, [quality], "base model", likelihood_train=-0.7),
    ]
    write_table(run.folder / MORE["checkpoints"], COLUMNS, (vars(row).values() for row in rows))
    words = write(run, figures=False)[1].words()
    assert "recordings 100% 78% 0.91 0.63 5.4 dB 0.98 1.07 3.21" in words
    assert "epoch 25 100% 78% 0.91 0.63 5.4 dB 0.98 1.07 3.21 -0.700" in words
    # A column that nobody measured is left out, and comes with the first that is.
    assert "sentences, recogniser" not in words and "likelihood, held out" not in words
    rows.append(
        summarise("epoch 50", 50, [quality], "", recogniser_sentences=0.5, recogniser_words=0.25)
    )
    write_table(run.folder / MORE["checkpoints"], COLUMNS, (vars(row).values() for row in rows))
    words = write(run, figures=False)[1].words()
    assert "sentences, recogniser words, recogniser" in words and "100% 78% 50% 25% 0.91" in words


def test_slipped_rows_are_told_at_the_top(run):
    path = run.write().folder / MORE["transcripts"]
    shift = {"first": "clip_spk000_1", "last": "clip_spk000_3", "rows": 3, "offset": 1}
    path.parent.mkdir()
    write_json(path, {"shifts": []})
    assert "slipped" not in write(run, figures=False)[1].words()
    write_json(path, {"shifts": [shift]})
    assert "3 rows of your table seem to have slipped" in write(run, figures=False)[1].words()


def test_a_run_that_measured_nothing_says_so(run):
    assert "evaluation.clips is 0" in write(run.write(), figures=False)[1].words()


@pytest.mark.parametrize("overrides", ["config/people.yaml", None])
def test_a_suggestion_names_the_file_that_the_run_reads(run, overrides):
    run.suggestions = [
        {
            "reason": "several_speakers",
            "speakers": ["spk000"],
            "groups": [["clip_spk000_1"], ["clip_spk000_2"]],
            "lines": "split:\n  spk000-b: [clip_spk000_2]\n",
        }
    ]
    words = write(run.write(), figures=False, overrides=overrides)[1].words()
    if overrides:
        assert f"add these lines to {overrides} and run the workflow again." in words
        assert "speakers.overrides" not in words
    else:
        asked = "add these lines to config/speakers.yaml and run the workflow again (This run reads"
        assert asked in words
        assert "set speakers.overrides to its name" in words
