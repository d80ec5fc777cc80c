"""The page of transcripts to listen to."""

import pytest

from lib.dataset.transcript_scores import SCORE_COLUMNS
from lib.files import write_json
from lib.review.transcript_review import FEWEST_SHOWN, write_transcript_review
from lib.tables import write_table


@pytest.fixture
def write(run, tmp_path):
    run.clips_per_speaker = {"spk000": FEWEST_SHOWN + 5}
    run.clip_text = "Words <b> of a clip"
    folder = run.write().folder
    clips = [clip for clip, _ in run.clips()]

    def write(scores=None, **changes):
        scores = scores or {clip: 4.0 + n for n, clip in enumerate(clips)} | {clips[7]: -0.25}
        rows = [
            (c, s, 0.25, 0.89, clips[1] if s < 0 else None, "h", "1") for c, s in scores.items()
        ]
        write_table(tmp_path / "after.tsv", SCORE_COLUMNS, rows)
        summary = {"judge": "epoch 25", "knows": True, "knowledge": 0.9, "shifts": []} | changes
        write_json(tmp_path / "after.json", summary)
        output = tmp_path / "after.html"
        write_transcript_review(
            tmp_path / "after.tsv",
            tmp_path / "after.json",
            folder / "manifest.tsv",
            folder / "clips",
            0.5,
            "data",
            "yor",
            output,
        )
        return output.read_text("utf-8"), clips

    return write


def test_the_worst_come_first_with_sound_text_and_gap(write):
    page, clips = write()
    assert page.index(f'aria-label="{clips[7]}"') < page.index(f'aria-label="{clips[0]}"')
    assert "1 of 25 clips score" in " ".join(page.split())
    assert "explained worst: 0.2 to 0.9 s" in " ".join(page.split())
    assert page.count("Likelier:") == 1
    assert page.count("<audio") == FEWEST_SHOWN == page.count("data:audio/mpeg")
    assert page.count('class="fine"') == FEWEST_SHOWN - 1
    assert "<b>" not in page and "Words &lt;b&gt;" in page
    assert "dataset.wrong_transcript: reject" in page


def test_slipped_rows_are_told(write):
    shift = {"first": "clip_spk000_2", "last": "clip_spk000_5", "rows": 4, "offset": -1}
    page, _ = write(shifts=[shift])
    assert "4 rows, from row 1 to row 1, seem to have slipped" in page
    assert "the text 1 row above their own" in page


def test_a_judge_that_does_not_know_the_language_shows_no_clip(write):
    page, _ = write(knows=False, knowledge=0.29)
    assert "29% of the clips" in page and "<audio" not in page
    page, _ = write(knows=False, knowledge=None)
    assert "too few clips" in page
