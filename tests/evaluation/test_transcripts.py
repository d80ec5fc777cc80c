"""Wrong transcripts are found: exchanged, slipped and cut ones among right ones."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.dataset.transcript_scores import read_scores
from lib.evaluation.comparison import Comparison
from lib.evaluation.transcript_files import _natural_order, check_dataset, update_record
from lib.evaluation.transcripts import SHIFT_RUN, Shift, check_transcripts, find_gap, find_shifts
from lib.files import read_json
from lib.mms import HOP_LENGTH, SAMPLE_RATE
from lib.vits.score import TextScore


def with_text(clip, other):
    return dataclasses.replace(clip, text=other.text, input_ids=other.input_ids)


@pytest.fixture(scope="module")
def check(judge, demo_clips):
    """Of forty clips three are exchanged, and six in a row have the text of the row below."""
    clips = list(demo_clips)
    for place, other in ((2, 30), (30, 36), (36, 2)):
        clips[place] = with_text(demo_clips[place], demo_clips[other])
    for place in range(12, 18):
        clips[place] = with_text(demo_clips[place], demo_clips[place + 1])
    return check_transcripts(judge, clips)


def test_wrong_transcripts_score_like_those_of_others(check, demo_clips):
    scores = {row.clip: row.score for row in check.scores}
    wrong = {demo_clips[n].id for n in (2, 30, 36, *range(12, 18))}
    assert check.knows and len(scores) == 40
    # Below the default of dataset.min_transcript_score.
    assert sum(scores[clip] < 0.5 for clip in wrong) >= 8
    assert sum(scores[clip] < 0.5 for clip in scores.keys() - wrong) == 0


def test_a_slipped_part_of_the_table_is_named(check, demo_clips):
    (shift,) = check.shifts
    # The text of row 13 is what row 12 has now, so it is a row above. That of row 12 is nowhere.
    names = [clip.id for clip in demo_clips]
    assert (shift.first, shift.last, shift.offset) == (names[13], names[17], -1)


def test_the_likelier_text_is_the_one_that_was_spoken(check, demo_clips):
    # Row 13 has the text of row 14; its own is what row 12 has now.
    found = {row.clip: row for row in check.scores}
    assert found[demo_clips[13].id].likelier == demo_clips[12].id
    assert found[demo_clips[0].id].likelier is None


def test_a_judge_that_does_not_know_the_language_is_not_asked(judge, demo_clips):
    moved = [
        with_text(clip, other)
        for clip, other in zip(demo_clips, [*demo_clips[5:], *demo_clips[:5]], strict=True)
    ]
    check = check_transcripts(judge, moved)
    assert not check.knows and check.scores == () and check.shifts == ()


def test_what_the_text_does_not_cover_is_found():
    def score(values):
        return TextScore(float(np.mean(values)), np.ones(1, np.int64), np.array(values, np.float32))

    own = np.full(200, -0.5)
    own[120:160] = -1.5
    comparison = Comparison(score(own), (score(np.full(200, -1.0)),) * 3)
    frame = HOP_LENGTH / SAMPLE_RATE
    assert find_gap(comparison) == (round(120 * frame, 2), round(160 * frame, 2))
    short = Comparison(score(own[:10]), (score(np.full(10, -1.0)),) * 3)
    assert find_gap(short) == (0.0, round(10 * frame, 2))


def test_shifts_are_runs_of_the_same_offset():
    clips = [f"c{n}" for n in range(12)]
    assert find_shifts(clips, [0, 1, 1, 0, 1, 1, 0, 0, 0, -1, -1, 0]) == [Shift("c1", "c5", 5, 1)]
    assert find_shifts(clips, [1, 1, 1, -1, -1, -1, 0, 0, 0, 0, 0, 0]) == [
        Shift("c0", "c2", 3, 1),
        Shift("c3", "c5", 3, -1),
    ]


@given(st.lists(st.sampled_from([-2, -1, 0, 0, 1, 2]), max_size=40))
def test_shifts_never_overlap_and_have_enough_rows(offsets):
    clips = [f"{n:02d}" for n in range(len(offsets))]
    end = -1
    for shift in find_shifts(clips, offsets):
        first, last = int(shift.first), int(shift.last)
        assert end < first <= last and last - first + 1 == shift.rows
        inside = offsets[first : last + 1]
        assert inside.count(shift.offset) >= SHIFT_RUN
        assert inside[0] == inside[-1] == shift.offset
        end = last


def test_rows_are_in_the_order_of_the_table():
    origins = ["metadata.csv line 10", "metadata.csv line 9", "a/2.csv line 1", "a/10.csv line 1"]
    assert sorted(origins, key=_natural_order) == [
        "a/2.csv line 1",
        "a/10.csv line 1",
        "metadata.csv line 9",
        "metadata.csv line 10",
    ]


HEADER = "clip\tscore\tgap_start\tgap_end\tlikelier\ttext_hash\tduration\n"


def test_the_record_keeps_what_was_left_out_since(tmp_path):
    record, scores = tmp_path / "state/transcripts.tsv", tmp_path / "after.tsv"
    scores.write_text(f"{HEADER}a\t0.1\t0\t1\t\th1\t2.000\nb\t5\t0\t1\t\th2\t2.000\n")
    update_record(scores, record)
    scores.write_text(f"{HEADER}b\t4\t0\t1\t\th2\t2.000\n")
    update_record(scores, record)
    assert {row.clip: row.score for row in read_scores(record)} == {"a": 0.1, "b": 4.0}


def test_a_small_dataset_is_not_judged_and_leaves_no_record(undisturbed, tmp_path):
    manifest = tmp_path / "manifest.tsv"
    rows = [f"clip{n:02d}\tmetadata.csv line {n + 2}\n" for n in range(20)]
    manifest.write_text("clip\torigin\n" + "".join(rows))
    for training in (None, undisturbed.summary):
        check_dataset(
            undisturbed.base_model,
            training,
            undisturbed.dataset,
            manifest,
            tmp_path / "scores.tsv",
            tmp_path / "summary.json",
            tmp_path / "state/transcripts.tsv",
        )
        summary = read_json(tmp_path / "summary.json")
        assert summary["knowledge"] is None and not summary["knows"]
        assert read_scores(tmp_path / "scores.tsv") == []
    assert not (tmp_path / "state/transcripts.tsv").exists()
