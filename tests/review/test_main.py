import subprocess
import sys
from pathlib import Path

import pytest

from lib.corpus import AudioLocation, Clip, Corpus, save_corpus
from lib.review import __main__ as program
from tests.review import test_speaker_review

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def results(run) -> Path:
    """The output folder of a run with the page that the workflow writes."""
    texts = {clip: f"a sentence in {clip}" for clip, _ in run.clips()}
    clips = {
        clip: Clip(clip, text, "digest", AudioLocation(f"{clip}.wav"), None, None, "row 1")
        for clip, text in texts.items()
    }
    test_speaker_review.write(run.write(), texts)
    save_corpus(Corpus(clips, [], []), run.folder / "source")
    return run.folder


def test_the_page_of_a_run_is_the_one_that_the_workflow_writes(results, tmp_path):
    output = tmp_path / "page.html"
    line = [str(results), "--output", str(output), "--title", "recordings", "--language", "eng"]
    program.main(line)
    expected = (results / "speakers/review.html").read_text("utf-8")
    assert output.read_text("utf-8") == expected
    program.main([*line, "--min-confidence", "0.01"])
    assert "<dt>Clips to review</dt>\n<dd>2<" in expected
    assert "<dt>Clips to review</dt>\n<dd>0<" in output.read_text("utf-8")


@pytest.mark.parametrize("missing", ["speakers/map.tsv", "clips", "source"])
def test_a_run_that_is_not_so_far_is_refused_with_what_is_missing(results, tmp_path, missing):
    (results / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(SystemExit, match=missing):
        program.main([str(results), "--output", str(tmp_path / "page.html")])
    assert not (tmp_path / "page.html").exists()


def test_it_starts_by_hand_and_says_how():
    done = subprocess.run(
        [sys.executable, "-m", "lib.review", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "usage: python -m lib.review [-h]" in done.stdout
